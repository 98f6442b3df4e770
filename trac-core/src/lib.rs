//! The decisions of affiliate attribution for Stripe.
//!
//! The way from a click to a commission has six stages, each a module, in this order:
//!
//! ```text
//! click ─▶ cookie ─▶ checkout ─▶ webhook ─▶ conversion ─▶ commission
//! ```
//!
//! A stage uses only itself, earlier stages and the base modules ([`money`], [`time`], [`reason`],
//! [`program`]). The crate is `no_std`: it does no input or output, and reads no clock and no random numbers.
//! Time and random bits are arguments, so the same decisions run in the browser (`trac-js`) and on the server
//! (`trac-server`).
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
