//! A conversion is a payment seen whole, and the click it is credited to, or why to none.
//!
//! * `shared`: money that pays several invoices, each of which is a payment of its own.
//! * [`payment`]: one payment out of the facts about its objects: its time, amount, base, buyer.
//! * [`clawback`]: how much of it went back.
//! * [`world`]: everything one event could touch, as the store loads it.
//! * [`candidate`]: values that may be a click ID. [`inference`]: payments that are the same money though no event says so.
//! * [`sale`]: the payments of a world side by side, with what ties them together. [`timeline`]: which of them come before which.
//! * [`binding`]: what ties a customer to a click, ranked.
//! * [`attribution`]: which click earns a payment, by the contract's eight rules.
//! * [`eligibility`]: whether program, partner and time let it.
//! * [`reason`]: the stable codes of every answer; [`remedy`]: what to do about them.

pub mod reason;
pub mod remedy;
mod shared;
pub mod payment;
pub mod clawback;
pub mod world;
pub mod candidate;
pub mod inference;
pub mod sale;
mod email;
pub mod binding;
pub mod timeline;
pub mod attribution;
pub mod eligibility;
