//! Affiliate attribution for Stripe, decided.
//!
//! A click becomes money in six steps, and each step is one module, in this order:
//!
//! ```text
//! click ─▶ cookie ─▶ checkout ─▶ webhook ─▶ conversion ─▶ commission
//! ```
//!
//! A stage uses itself, earlier stages and the ground ([`money`], [`time`], [`program`]), never a later one.
//! The crate is `no_std`: it does no input or output and reads neither clock nor chance. Time and random bits
//! are arguments, so the same decisions run in the browser (`trac-js`) and on the server (`trac-server`).
#![no_std]
#![deny(clippy::arithmetic_side_effects)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod money;
pub mod time;
pub mod reason;
pub mod program;
pub mod click;
pub mod cookie;
pub mod checkout;
pub mod webhook;
pub mod conversion;
pub mod commission;
