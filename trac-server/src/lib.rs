//! Affiliate attribution for Stripe merchants, on the server.
//!
//! A click becomes money in six steps, and each step is one module, in this order:
//!
//! ```text
//! click ─▶ cookie ─▶ checkout ─▶ webhook ─▶ conversion ─▶ commission
//! ```
//!
//! What is decided is decided by [`trac_core`]; here is what reads sockets, keeps rows and tells the time.

// ground
pub mod clock;
#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "server")]
mod id;
#[cfg(feature = "server")]
mod problem;
#[cfg(feature = "server")]
mod request_id;
#[cfg(feature = "server")]
mod fields;
#[cfg(feature = "server")]
pub mod store;
