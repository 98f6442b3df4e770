//! The parts that the end-to-end tests share: the server as a process, a merchant who calls the API, signed
//! Stripe events, a browser.
//!
//! The tests use only trac's public interfaces: the command line, the HTTP API, the pages. They call none of
//! its functions except the one that formats times. Each file in `tests/` tests one arrow of the flow
//!
//! ```text
//! click ─▶ cookie ─▶ checkout ─▶ webhook ─▶ conversion ─▶ commission
//! ```
//!
//! or checks one guarantee: `scenarios`, `genuine_events`, `crash`, `bad_input`. Only the [`simulation`] is
//! different: it runs the router in its own process, with a clock that it sets, so that months pass in
//! milliseconds. Tests that need a browser print "skipped: no browser" if there is none.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a failed precondition of a test panics with a message"
)]

mod binary;
mod server;
pub mod postgres;
mod proxy;
pub mod nodes;
mod merchant;
mod stripe;
mod material;
mod browser;
mod chrome;
mod pages;
mod react;
mod https;
mod demo;
mod own_shop;
pub mod dashboard;
mod chance;
mod stage;
mod small_disk;
mod scenario;
mod house;
pub mod simulation;
pub mod grow;
pub mod battery;
pub mod load;

pub use binary::{Finished, trac, trac_unread, trac_with};
pub use browser::Browser;
pub use chrome::Colours;
pub use demo::{AxumShop, Demo};
pub use https::HttpsFolder;
pub use material::{merchants_pages, say, shared, stripe_events};
pub use merchant::{Answer, Merchant, Terms};
pub use own_shop::{Metadata, OwnShop, shop_address};
pub use pages::{Pages, Way};
pub use proxy::Proxy;
pub use react::node_modules;
pub use scenario::{Order, Scenario};
pub use server::{Server, Setup};
pub use small_disk::SmallDisk;
pub use stripe::{Endpoint, envelope, now, session};
