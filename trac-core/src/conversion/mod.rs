//! A conversion is a payment seen whole, and the click it is credited to, or why to none.
//!
//! * `shared`: money that pays several invoices, each of which is a payment of its own.
//! * [`payment`]: one payment out of the facts about its objects: its time, amount, base, buyer.
//! * [`clawback`]: how much of it went back.
//! * [`world`]: everything one event could touch, as the store loads it.
//! * [`candidate`]: values that may be a click ID. [`inference`]: payments that are the same money though no event says so.
//! * [`attribution`]: what a payment or subscription is attributed to. [`sale`]: one payment of a world, with its buyer.
//! * [`binding`]: what ties a customer to a click, ranked. [`timeline`]: which payments come before which.
//! * [`book`]: the payments of a world side by side.
//! * [`eligibility`]: whether program, partner and time let a click earn a payment.
//! * `rules`: which click earns a payment, by the contract's eight rules; fills the book.
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
pub mod eligibility;
mod rules;

pub use crate::reason;
