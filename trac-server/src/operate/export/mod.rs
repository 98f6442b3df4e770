//! `trac export` and `trac import`: all rows of a workspace, as lines that another trac imports, and as
//! tables for people.
//!
//! # Wire form
//! JSON Lines, UTF-8. The first line names the version and the workspaces, the last one proves that the
//! export is whole; each line between them is a row of a table of the schema, parents before their children:
//!
//! ```json
//! {"trac":"export","version":1,"schema":8,"exported_at":"2026-11-21T08:00:00Z","workspaces":["ws_1"]}
//! {"table":"workspace","row":{"id":"ws_1","name":"My shop","created_at":1795248000}}
//! {"end":{"rows":1,"sha256":"…"}}
//! ```
//!
//! Times are Unix seconds, money is integer minor units, JSON documents are texts as they are stored. Bytes
//! are `{"text":"…"}` if they are UTF-8, otherwise `{"hex":"…"}`. `sha256` is the digest, in hex, of all
//! lines before the last, each with its line feed.
//!
//! API keys are exported as their stored hashes: a merchant's programs can use the same keys. Sealed values
//! (signing secrets, keys for Stripe's API) are not exported: they open only with this server's master key,
//! and are set again on the new server. Rows that belong to the server and not to a workspace are not
//! exported either, nor are people with their passwords and invitations, dashboard sessions, responses stored for `Idempotency-Key`, refused calls, and
//! the marks of the last two days' visitors, which were hashed with this server's salts.

mod table;
mod line;
mod write;
mod read;
mod older;
mod import;
mod csv;

pub use csv::{SHEETS, export_csv};
pub use import::{Imported, import};
pub use write::{Exported, export, export_to_file};

#[cfg(test)]
mod tests;
