//! A webhook delivery reports what happened to money: it is verified first, then read, then stored as facts.
//!
//! ```text
//! Unverified ──verify──▶ Verified ──read──▶ Event ──facts──▶ Facts
//! ```
//!
//! * [`signature`]: no body is parsed before its HMAC matched.
//! * [`event`]: the envelope, in every API version from 2016 on.
//! * [`facts`]: what an event states about the objects it names. Facts are joined ([`join::Join`]), which is
//!   commutative, associative and idempotent, so retries, repeats and late arrivals need no special case.
//! * One module for each Stripe object, with its name; and [`lead`] and [`report`], which a merchant or its
//!   pages report; with a [`customer_token`], a page's lead counts as the merchant's. An [`adjustment`], a
//!   [`verdict`] about a commission and an [`assignment`] of a customer are the merchant's own.

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
pub mod adjustment;
pub mod verdict;
pub mod assignment;
pub mod facts;
