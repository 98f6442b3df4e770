//! `trac import`: imports a whole export in one transaction, or nothing.

use std::collections::BTreeSet;
use std::fmt;
use std::io::BufRead;

use super::older;
use super::read::{ReadAll, read_all};
use crate::store::derived::count_imported_clicks;
use crate::store::rows::{ToArg, places};
use crate::store::{Everywhere, Priority, Store, StoreError, lease, schema};

/// The result of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// The number of rows in the stream.
    pub rows: u64,
    /// How many of them were new.
    pub new: u64,
    /// Endpoints without a signing secret; they respond to Stripe's events with `401` until one is set.
    pub without_secret: Vec<String>,
}

/// Imports an export of this schema, or of an older one since number 31. Rows that are stored already and equal change
/// nothing. If a stored row differs, or a workspace exists here without one of the rows, the whole import fails and the
/// store is unchanged: an import never adds to an existing workspace. A server may run on the same folder; its writes
/// wait meanwhile.
///
/// # Errors
/// [`Conflict`](crate::store::StoreErrorKind::Conflict) if a stored row differs, a row is missing from an existing
/// workspace, or a slug or program ID belongs to another workspace;
/// [`Unavailable`](crate::store::StoreErrorKind::Unavailable) if the stream is not a whole export of a known schema.
/// The message names the line.
pub async fn import(store: &Store, stream: impl BufRead + Send + 'static) -> Result<Imported, StoreError> {
    let newest = store.read(schema::version).await?;
    let opened = tokio::task::spawn_blocking(move || older::of_newest_schema(stream, newest)).await;
    let stream =
        opened.unwrap_or_else(|_| Err(StoreError::internal("the conversion of an export panicked")))?;
    store
        .write(Priority::Api, move |tx| {
            lease::lock_all(tx)?;
            let ReadAll { workspaces, rows, new } = read_all(tx, stream)?;
            count_imported_clicks(tx)?;
            Ok(Imported { rows, new, without_secret: without_secret(tx, &workspaces)? })
        })
        .await
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} rows, {} of them new.", self.rows, self.new)?;
        if self.without_secret.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "These webhook endpoints have no signing secret, because an export contains none; set one for each:"
        )?;
        self.without_secret.iter().try_for_each(|id| writeln!(f, "  {id}"))
    }
}

fn without_secret(tx: Everywhere<'_>, workspaces: &BTreeSet<String>) -> Result<Vec<String>, StoreError> {
    let sql = format!(
        "SELECT id FROM webhook_endpoint WHERE secrets = '[]' AND workspace_id IN ({}) ORDER BY id",
        places(1, workspaces.len())
    );
    let named: Vec<_> = workspaces.iter().map(|id| id.to_arg()).collect();
    tx.all(&sql, &named, |row| row.get(0))
}
