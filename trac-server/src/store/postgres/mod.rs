//! The engine of several nodes: PostgreSQL.
//!
//! A node is a server on the database; it knows of no other. Every job is one transaction at READ COMMITTED that begins
//! by locking the row of its workspace and mode in `scope`: the jobs of one scope run one after the other, whichever node
//! runs them, as those of a file do, and those of different scopes at the same time. Clicks change no other rows than
//! their own and the counts of their days, and take no such lock: all clicks of a moment are one statement.
//!
//! Jobs run on threads that may block, as those of SQLite do.

mod error;
mod tls;
mod address;
mod number;
mod values;
mod sql;
mod session;
mod mark;
mod link;
mod transaction;
mod migrate;
mod stop;
mod pool;
mod turns;
mod space;
mod late;
mod clicks;
mod group;
mod sink;
mod node;

pub(super) use clicks::record;
pub(super) use mark::forget as forget_commits;
pub(super) use node::Node;
