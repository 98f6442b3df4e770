//! A conversion is a payment or lead with all facts about it, and the click it is credited to or the reason
//! why there is none.
//!
//! * `shared`: money that paid several invoices, each of which is a payment of its own.
//! * [`payment`]: the time, amount, base and buyer of a payment, read from its facts.
//! * [`clawback`]: how much of a payment went back.
//! * [`world`]: everything one event can affect, as the store loads it.
//! * [`candidate`]: values that may be a click ID. [`inference`]: payments that are the same money although
//!   no event links them.
//! * [`attribution`]: what a payment or subscription is attributed to. [`sale`]: one payment or lead of a
//!   world, with its buyer.
//! * [`binding`]: the payments and leads that link a customer to a click, ranked. [`timeline`]: the sales of
//!   a subscription or customer in order of time.
//! * [`book`]: all sales of a world, indexed for queries about each other.
//! * [`eligibility`]: whether program, partner and time allow a click to earn from a payment.
//! * `assigned`: the payments of customers whom the merchant assigned to somebody.
//! * `rules`: which click a payment is credited to, by the eight rules of [`candidate::Rule`]; completes the
//!   book.
//! * [`remedy`]: what to do about each [`reason`].

pub mod remedy;
mod shared;
pub mod payment;
pub mod clawback;
pub mod world;
pub mod candidate;
pub mod inference;
pub mod attribution;
pub mod sale;
mod email;
pub mod binding;
pub mod timeline;
pub mod book;
mod assigned;
pub mod eligibility;
mod rules;

pub use crate::reason;
