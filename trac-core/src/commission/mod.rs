//! A commission is the amount that a credited payment or lead earns, recorded in an append-only ledger.
//!
//! * [`terms`]: how much a base earns.
//! * [`series`]: which payments of a subscription the program covers.
//! * [`entry`]: the lines of the ledger.
//! * [`claim`], [`decision`], [`change`]: the fields of a commission besides its sums; what was decided about
//!   a payment and why; the change to a commission that follows.
//! * [`settle`]: computes from all facts which entries are still to be appended.
//! * [`answer`]: the outcome and reason of an event.
//! * [`balance`]: the status of a commission as users see it.

pub mod terms;
pub mod series;
pub mod entry;
pub mod claim;
pub mod decision;
mod target;
mod lead;
mod manual;
mod judged;
pub mod change;
pub mod settle;
pub mod answer;
pub mod balance;
