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
mod request_id;
#[cfg(feature = "server")]
pub mod store;
#[cfg(feature = "server")]
mod problem;
#[cfg(feature = "server")]
mod fields;
#[cfg(feature = "server")]
mod trac;
#[cfg(feature = "server")]
mod access;
#[cfg(feature = "server")]
mod list;
#[cfg(feature = "server")]
mod program;

// stages
#[cfg(feature = "server")]
mod click;
#[cfg(feature = "server")]
mod webhook;
#[cfg(feature = "server")]
mod conversion;
#[cfg(feature = "server")]
mod commission;

// the whole
#[cfg(feature = "server")]
mod flow;
#[cfg(feature = "server")]
pub mod workspace;
#[cfg(feature = "server")]
mod operations;
#[cfg(feature = "server")]
mod router;

#[cfg(feature = "demo")]
pub mod demo;

#[cfg(feature = "server")]
pub use router::router;
#[cfg(feature = "server")]
pub use trac::Trac;

#[cfg(all(test, feature = "server"))]
mod test_app;
