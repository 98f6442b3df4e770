//! What the end-to-end tests share: the server as a process, a merchant as an actor, Stripe as an envelope and a
//! signature, a browser.
//!
//! The tests know trac by its contract alone: the command line, the HTTP API, the pages. They call none of its
//! functions but the one that writes a time. Each file in `tests/` drives one arrow of the flow
//!
//! ```text
//! click ─▶ cookie ─▶ checkout ─▶ webhook ─▶ conversion ─▶ commission
//! ```
//!
//! or one promise: `scenarios`, `genuine_events`, `crash`, `bad_input`. The [`simulation`] alone is different: it runs the
//! router in its own process, by a clock it sets, so that months pass in milliseconds. Those in `tests/` that need a browser say
//! "skipped: no browser" where there is none.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "what a test leans on fails the test by panicking, with the words to read"
)]

mod binary;
mod server;
mod merchant;
mod stripe;
mod material;
mod browser;
mod pages;
mod react;
mod https;
mod demo;
mod own_shop;
mod chance;
mod stage;
mod small_disk;
mod scenario;
pub mod simulation;
pub mod battery;
pub mod load;

pub use binary::{Finished, trac, trac_unread, trac_with};
pub use browser::Browser;
pub use demo::{AxumShop, Demo};
pub use https::HttpsFolder;
pub use material::{merchants_pages, say, shared, stripe_events};
pub use merchant::{Answer, Merchant, Terms};
pub use own_shop::{Metadata, OwnShop, shop_address};
pub use pages::{Pages, Way};
pub use react::node_modules;
pub use scenario::{Order, Scenario};
pub use server::{Server, Setup};
pub use small_disk::SmallDisk;
pub use stripe::{Endpoint, envelope, now, session};
