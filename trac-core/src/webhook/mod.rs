//! A webhook is Stripe's word about money: verified first, read second, remembered as facts.
//!
//! ```text
//! Unverified ──verify──▶ Verified ──read──▶ Event ──facts──▶ Facts
//! ```
//!
//! * [`signature`]: nothing is parsed before its HMAC matched.
//! * [`event`]: the envelope, in every API version from 2016 on.
//! * [`facts`]: what an event says of the objects it names. Facts are joined ([`join::Join`]) without regard to order:
//!   commutative, associative, idempotent. Retries, repeats and late arrivals need no special case.
//! * One module for each Stripe object, named like it; and [`lead`] and [`report`], which a merchant tells;
//!   a [`customer_token`] lets a page tell a lead with the merchant's word.

pub mod signature;
pub mod join;
pub mod linked;
pub mod references;
mod field;
pub mod event;
pub mod promotion;
pub mod session;
pub mod invoice;
pub mod invoice_payment;
pub mod credit_note;
pub mod payment_intent;
pub mod charge;
pub mod refund;
pub mod dispute;
pub mod subscription;
pub mod customer;
pub mod lead;
pub mod customer_token;
pub mod report;
pub mod facts;
