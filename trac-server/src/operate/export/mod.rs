//! `trac export` and `trac import`: everything of a workspace, as a stream of lines that another trac takes in, and as
//! tables for people.
//!
//! # Wire form
//! JSON Lines, UTF-8. The first line says what follows, the last one that it is whole; between them each line is a row of a
//! table of the schema, parents before their children:
//!
//! ```json
//! {"trac":"export","version":1,"schema":8,"exported_at":"2026-11-21T08:00:00Z","workspaces":["ws_1"]}
//! {"table":"workspace","row":{"id":"ws_1","name":"My shop","created_at":1795248000}}
//! {"end":{"rows":1,"sha256":"…"}}
//! ```
//!
//! Times are whole seconds since 1970, money is integer minor units, documents are texts of JSON as they are stored. Bytes
//! are `{"text":"…"}` where they are UTF-8, else `{"hex":"…"}`. `sha256` is the digest, in hex, of all lines before the
//! last, each with its line feed.
//!
//! API keys come along as the hashes they are kept as: a merchant's programs go on with the keys they have. What is sealed
//! (signing secrets, keys for Stripe's API) stays behind: it opens with this server's master key only and is set again
//! where the workspace goes. What belongs to the server and not to a workspace stays too, as do sessions of the dashboard,
//! answers kept for `Idempotency-Key`, the calls that this server turned away and the marks of the last two days' visitors, which
//! this server's salts were part of.

mod table;
mod line;
mod write;
mod import;
mod cell;
mod csv;

pub use csv::{SHEETS, export_csv};
pub use import::{Imported, import};
pub use write::{Exported, export, export_to_file};

#[cfg(test)]
mod tests;
