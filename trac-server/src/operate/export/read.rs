//! Reads the rows of an export and writes them to a database of the same schema.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Read as _};

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::line::{self, ReadRow};
use super::table::{Table, unusable};
use super::write::VERSION;
use crate::id::hex;
use crate::store::rows::{Cell, ToArg, args, places};
use crate::store::{Everywhere, StoreError, StoreErrorKind, schema};

/// The largest row is a Stripe event of two megabytes, written as JSON.
const LINE_MAX_BYTES: u64 = 64 << 20;

/// The rows of a whole stream, which were written.
pub(super) struct ReadAll {
    pub(super) workspaces: BTreeSet<String>,
    /// How many there were.
    pub(super) rows: u64,
    /// How many of them were new.
    pub(super) new: u64,
}

/// Writes the rows of a whole stream, whose schema is that of the database.
pub(super) fn read_all(tx: Everywhere<'_>, stream: impl BufRead) -> Result<ReadAll, StoreError> {
    let mut reading =
        Reading { digest: Sha256::new(), workspaces: None, existing: BTreeSet::new(), rows: 0, new: 0 };
    let mut end = None;
    for (number, line) in (1_u64..).zip(lines(stream)) {
        let line = line.map_err(|error| unusable(format!("line {number} cannot be read: {error}")))?;
        let named = |error: StoreError| StoreError::new(error.kind(), format!("line {number}: {error}"));
        if end.is_some() {
            return Err(named(unusable("the export has ended already")));
        }
        end = reading.line(tx, &line).map_err(named)?;
    }
    if end != Some(reading.rows) {
        return Err(unusable("the export is not whole: its last line is missing, or counts other rows"));
    }
    let Reading { workspaces, rows, new, .. } = reading;
    Ok(ReadAll { workspaces: workspaces.unwrap_or_default(), rows, new })
}

/// The lines of a stream. A line longer than any row is an error, so that it cannot exhaust the memory.
fn lines(mut stream: impl BufRead) -> impl Iterator<Item = io::Result<String>> {
    std::iter::from_fn(move || next_line(&mut stream).transpose())
}

/// The next line without its end; `None` after the last.
pub(super) fn next_line(stream: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    let length = stream.take(LINE_MAX_BYTES).read_line(&mut line)?;
    if length == 0 {
        return Ok(None);
    }
    if line.ends_with('\n') {
        line.truncate(line.trim_end_matches(['\r', '\n']).len());
    } else if u64::try_from(length).is_ok_and(|length| length == LINE_MAX_BYTES) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is too long to be a row"));
    }
    Ok(Some(line))
}

struct Reading {
    digest: Sha256,
    /// `None` until the first line is read.
    workspaces: Option<BTreeSet<String>>,
    /// Those of them that existed before the import.
    existing: BTreeSet<String>,
    rows: u64,
    new: u64,
}

impl Reading {
    /// Imports one line. Returns the number of rows if it is the last line.
    fn line(&mut self, tx: Everywhere<'_>, line: &str) -> Result<Option<u64>, StoreError> {
        let object =
            serde_json::from_str(line).map_err(|error| unusable(format!("it is not a JSON object: {error}")));
        let object: Map<String, Value> = object?;
        let Some(workspaces) = &self.workspaces else {
            let named = first(tx, &object)?;
            self.existing = known(tx, &named)?;
            self.workspaces = Some(named);
            self.hash(line);
            return Ok(None);
        };
        if let Some(end) = object.get("end") {
            return self.last(end).map(Some);
        }
        let row = line::read(object)?;
        if !row.workspace().is_some_and(|id| workspaces.contains(id)) {
            return Err(unusable("its workspace is not in the first line"));
        }
        self.hash(line);
        self.rows = self.rows.saturating_add(1);
        if row.insert(tx)? {
            if row.workspace().is_some_and(|id| self.existing.contains(id)) {
                let detail = format!(
                    "the workspace exists here already, without this row of {}: nothing is added to it",
                    row.table.name
                );
                return Err(StoreError::new(StoreErrorKind::Conflict, detail));
            }
            row.check_address(tx)?;
            self.new = self.new.saturating_add(1);
        }
        Ok(None)
    }

    fn hash(&mut self, line: &str) {
        self.digest.update(line);
        self.digest.update("\n");
    }

    fn last(&mut self, end: &Value) -> Result<u64, StoreError> {
        let digest: [u8; 32] = self.digest.finalize_reset().into();
        if end.get("sha256").and_then(Value::as_str) != Some(hex(&digest).as_str()) {
            return Err(unusable("the lines before it were changed: their digest differs"));
        }
        end.get("rows").and_then(Value::as_u64).ok_or_else(|| unusable("it has no number of rows"))
    }
}

/// The workspaces that the first line names.
fn first(tx: Everywhere<'_>, line: &Map<String, Value>) -> Result<BTreeSet<String>, StoreError> {
    let number = |name: &str| line.get(name).and_then(Value::as_u64);
    if line.get("trac").and_then(Value::as_str) != Some("export") || number("version") != Some(VERSION.into())
    {
        return Err(unusable("this is not an export, or is one of a newer trac"));
    }
    if number("schema") != Some(schema::version(tx)?.into()) {
        return Err(unusable("its schema is not the database's"));
    }
    let workspaces = line.get("workspaces").and_then(Value::as_array).into_iter().flatten();
    Ok(workspaces.filter_map(Value::as_str).map(ToOwned::to_owned).collect())
}

/// Those of the workspaces that exist here.
fn known(tx: Everywhere<'_>, workspaces: &BTreeSet<String>) -> Result<BTreeSet<String>, StoreError> {
    let sql = format!("SELECT id FROM workspace WHERE id IN ({})", places(1, workspaces.len()));
    let named: Vec<_> = workspaces.iter().map(|id| id.to_arg()).collect();
    Ok(tx.all(&sql, &named, |row| row.get::<String>(0))?.into_iter().collect())
}

impl ReadRow {
    fn field(&self, column: &str) -> Option<&Cell> {
        self.fields.iter().find(|(name, _)| name == column).map(|(_, value)| value)
    }

    fn workspace(&self) -> Option<&str> {
        match self.field(self.table.key.first()?)? {
            Cell::Text(id) => Some(id),
            _ => None,
        }
    }

    /// Writes the row unless it is stored already; returns whether it was new.
    fn insert(&self, tx: Everywhere<'_>) -> Result<bool, StoreError> {
        let Table { name, key, .. } = self.table;
        let known = self.table.columns(tx)?;
        let same =
            self.fields.len() == known.len() && known.iter().all(|column| self.field(column).is_some());
        if !same {
            return Err(unusable(format!("its columns are not those of {name}")));
        }
        // A view cannot resolve conflicts.
        if name == "click" && self.is_known(tx)? {
            return self.check_stored(tx).map(|()| false);
        }
        let on_conflict = match name {
            "click" => String::new(),
            _ => format!("ON CONFLICT ({}) DO NOTHING", conflict_target(name, key)),
        };
        let columns: Vec<_> = self.fields.iter().map(|(column, _)| column.as_str()).collect();
        let values: Vec<_> = self.fields.iter().map(|(_, value)| value.to_arg()).collect();
        let places = places(1, columns.len());
        let sql = format!("INSERT INTO {name} ({}) VALUES ({places}) {on_conflict}", columns.join(", "));
        match tx.write(&sql, &values) {
            Ok(0) if name != "click" => self.check_stored(tx).map(|()| false),
            Ok(_) => Ok(true),
            Err(error) => {
                Err(StoreError::new(error.kind(), format!("a row of {name} cannot be written: {error}")))
            }
        }
    }

    /// Whether there is a row with its key.
    fn is_known(&self, tx: Everywhere<'_>) -> Result<bool, StoreError> {
        let Table { name, key, .. } = self.table;
        let equal: Vec<_> =
            key.iter().zip(1..).map(|(column, place)| format!("{column} = ?{place}")).collect();
        let values: Vec<_> = key.iter().filter_map(|column| self.field(column)).map(ToArg::to_arg).collect();
        tx.exists(&format!("SELECT 1 FROM {name} WHERE {}", equal.join(" AND ")), &values)
    }

    /// Rejects a row that would redirect visitors of another workspace's link or program: a slug that differs
    /// only in case (the schema's unique index is case-sensitive), or another workspace's program ID.
    fn check_address(&self, tx: Everywhere<'_>) -> Result<(), StoreError> {
        let (column, sql) = match self.table.name {
            "link" => (
                "slug",
                "SELECT 1 FROM link WHERE lower(slug) = lower(?1) AND deleted_at IS NULL AND workspace_id <> ?2 AND mode = ?3",
            ),
            "program" => (
                "id",
                "SELECT 1 FROM program WHERE id = ?1 AND workspace_id <> ?2 AND CAST(?3 AS TEXT) IS NOT NULL",
            ),
            _ => return Ok(()),
        };
        let is_deleted = self.field("deleted_at").is_some_and(|at| *at != Cell::Null);
        let fields = (self.field(column), self.workspace(), self.field("mode"));
        let (Some(Cell::Text(address)), Some(own), Some(Cell::Text(mode))) = fields else {
            return Ok(());
        };
        if !is_deleted && tx.exists(sql, args![address, own, mode])? {
            let detail = format!(
                "the {column} of this {} belongs to another workspace here: {address}",
                self.table.name
            );
            return Err(StoreError::new(StoreErrorKind::Conflict, detail));
        }
        Ok(())
    }

    /// Checks that the stored row is equal in all exported columns.
    fn check_stored(&self, tx: Everywhere<'_>) -> Result<(), StoreError> {
        let Table { name, key, left_out, loose, .. } = self.table;
        let is_compared =
            |column: &str| !loose.contains(&column) && left_out.iter().all(|(left, _)| *left != column);
        let compared: Vec<_> = self.fields.iter().filter(|(column, _)| is_compared(column)).collect();
        let equal = compared
            .iter()
            .zip(1..)
            .map(|((column, _), place)| format!("{column} IS NOT DISTINCT FROM ?{place}"))
            .collect::<Vec<_>>()
            .join(" AND ");
        let sql = format!("SELECT 1 FROM {name} WHERE {equal}");
        let values: Vec<_> = compared.iter().map(|(_, value)| value.to_arg()).collect();
        if tx.exists(&sql, &values)? {
            return Ok(());
        }
        let key = key.iter().skip(1).filter_map(|column| match self.field(column)? {
            Cell::Text(text) => Some(text.clone()),
            Cell::Integer(number) => Some(number.to_string()),
            Cell::Null | Cell::Bytes(_) => None,
        });
        let id = key.collect::<Vec<_>>().join(" ");
        let detail = format!("a row of {name} exists already with other values: {id}");
        Err(StoreError::new(StoreErrorKind::Conflict, detail))
    }
}

/// The columns that identify a stored row.
fn conflict_target(table: &str, key: &[&str]) -> String {
    match table {
        // These rows are looked up without a scope, by this column.
        "api_key" => "hash".to_owned(),
        "webhook_endpoint" => "id".to_owned(),
        _ => key.join(", "),
    }
}
