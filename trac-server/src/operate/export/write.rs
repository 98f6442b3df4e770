//! `trac export`: writes the lines.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use trac_core::time::Timestamp;

use super::line;
use super::table::{TABLES, Table, unusable};
use crate::id::hex;
use crate::store::rows::{ToArg, args};
use crate::store::{Everywhere, StoreError, StoreErrorKind, new_private_file, schema};
use crate::trac::Trac;

/// The version of the line format.
pub(super) const VERSION: u32 = 1;

/// The result of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The workspaces' IDs.
    pub workspaces: Vec<String>,
    /// The number of rows.
    pub rows: u64,
}

/// Writes a workspace, or all of them, from one snapshot. A server may run on the same folder.
///
/// # Errors
/// [`StoreErrorKind::Unavailable`] if there is no such workspace or `out` cannot be written.
pub async fn export(
    trac: &Trac,
    workspace_id: Option<&str>,
    out: impl Write + Send + 'static,
) -> Result<Exported, StoreError> {
    let (wanted, now) = (workspace_id.map(ToOwned::to_owned), trac.clock.now());
    trac.store.read(move |tx| write(tx, workspaces(tx, wanted.as_deref())?, now, out)).await
}

/// Writes these workspaces.
pub(super) fn write(
    tx: Everywhere<'_>,
    workspaces: Vec<String>,
    now: Timestamp,
    out: impl Write,
) -> Result<Exported, StoreError> {
    let mut stream = Stream { out: BufWriter::new(out), digest: Sha256::new(), rows: 0 };
    stream.line(
        &json!({"trac": "export", "version": VERSION, "schema": schema::version(tx)?,
            "exported_at": now.to_rfc3339(), "workspaces": workspaces})
        .to_string(),
    )?;
    for table in TABLES {
        stream.table(tx, table, &workspaces)?;
    }
    let rows = stream.end()?;
    Ok(Exported { workspaces, rows })
}

/// [`export`] to a new file that only its owner can read. If the export fails, the file is deleted.
///
/// # Errors
/// As [`export`].
pub async fn export_to_file(
    trac: &Trac,
    workspace_id: Option<&str>,
    file: &Path,
) -> Result<Exported, StoreError> {
    let named = |error: io::Error| unusable(format!("{}: {error}", file.display()));
    let out = new_private_file(file).map_err(named)?;
    let synced = out.try_clone().map_err(named)?;
    let exported = export(trac, workspace_id, out).await;
    let exported = exported.and_then(|exported| synced.sync_all().map(|()| exported).map_err(named));
    if exported.is_err() {
        let _ = fs::remove_file(file);
    }
    exported
}

/// The workspace with this ID, or all.
pub(super) fn workspaces(tx: Everywhere<'_>, wanted: Option<&str>) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT id FROM workspace WHERE CAST(?1 AS TEXT) IS NULL OR id = ?1 ORDER BY id";
    let found = tx.all(sql, args![wanted], |row| row.get(0))?;
    match wanted {
        Some(id) if found.is_empty() => {
            Err(StoreError::new(StoreErrorKind::Unavailable, format!("there is no workspace {id}")))
        }
        _ => Ok(found),
    }
}

struct Stream<W> {
    out: W,
    digest: Sha256,
    rows: u64,
}

impl<W: Write> Stream<W> {
    fn line(&mut self, line: &str) -> Result<(), StoreError> {
        self.digest.update(line);
        self.digest.update("\n");
        writeln!(self.out, "{line}").map_err(|error| cannot(&error))
    }

    fn table(&mut self, tx: Everywhere<'_>, table: &Table, workspaces: &[String]) -> Result<(), StoreError> {
        let columns = table.columns(tx)?;
        let sql = table.rows_of(&columns, workspaces.len());
        let ids: Vec<_> = workspaces.iter().map(ToArg::to_arg).collect();
        tx.each(&sql, &ids, |row| {
            self.line(&line::write(table, &columns, row)?)?;
            self.rows = self.rows.saturating_add(1);
            Ok(())
        })
    }

    fn end(mut self) -> Result<u64, StoreError> {
        let digest: [u8; 32] = self.digest.finalize_reset().into();
        let end: Value = json!({"end": {"rows": self.rows, "sha256": hex(&digest)}});
        writeln!(self.out, "{end}").and_then(|()| self.out.flush()).map_err(|error| cannot(&error))?;
        Ok(self.rows)
    }
}

pub(super) fn cannot(error: &io::Error) -> StoreError {
    unusable(format!("the export cannot be written: {error}"))
}
