//! A commission is what a credited payment earns, kept in a ledger that is only appended to.
//!
//! * [`terms`]: how much a base earns.
//! * [`series`]: which payments of a subscription are covered.
//! * [`entry`]: the lines of the ledger.
//! * [`claim`], [`decision`], [`change`]: what a commission says, what was decided and why, what becomes of it.
//! * [`settle`]: all facts in, the entries still to append out.
//! * [`answer`]: what an event is told: its outcome and reason.
//! * [`balance`]: status and sums as people see them.

pub mod terms;
pub mod series;
pub mod entry;
pub mod claim;
pub mod decision;
mod target;
mod lead;
pub mod change;
pub mod settle;
pub mod answer;
pub mod balance;
