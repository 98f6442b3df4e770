//! Exports of older schemas: their rows are written to a database of that schema, migrated as a store would be, and
//! exported again.

use std::io::{self, BufRead, BufReader, Cursor, PipeReader, Read};
use std::thread::{self, JoinHandle};

use serde_json::Value;
use trac_core::time::Timestamp;

use super::read::{next_line, read_all};
use super::table::unusable;
use super::write::{self, VERSION};
use crate::store::Scratch;
use crate::store::StoreError;

/// The oldest schema whose exports can be imported.
pub(super) const OLDEST_SCHEMA: u32 = 31;

/// The same rows as a stream of the newest schema. An export of that schema is passed on as it is.
///
/// # Errors
/// As [`import`](super::import), for an export that has to be converted.
pub(super) fn of_newest_schema(
    mut stream: impl BufRead + Send + 'static,
    newest: u32,
) -> Result<Box<dyn BufRead + Send>, StoreError> {
    let first =
        next_line(&mut stream).map_err(|error| unusable(format!("line 1 cannot be read: {error}")))?;
    let first = first.ok_or_else(|| unusable("the export is not whole: it is empty"))?;
    let schema = schema_of(&first, newest).map_err(|error| error.of("line 1"))?;
    let whole = Cursor::new(format!("{first}\n")).chain(stream);
    if schema == newest {
        return Ok(Box::new(whole));
    }
    let mut scratch = Scratch::of_version(schema)?;
    let read = scratch.write(|tx| read_all(tx, whole))?;
    scratch.migrate()?;
    converted(scratch, read.workspaces.into_iter().collect())
}

/// The schema that the first line names.
fn schema_of(first: &str, newest: u32) -> Result<u32, StoreError> {
    let line: Value =
        serde_json::from_str(first).map_err(|error| unusable(format!("it is not a JSON object: {error}")))?;
    let number =
        |name: &str| line.get(name).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
    let is_export = line.get("trac").and_then(Value::as_str) == Some("export");
    let schema = number("schema").filter(|_| is_export && number("version") == Some(VERSION));
    match schema {
        None => Err(unusable("this is not an export, or is one of a newer trac")),
        Some(schema) if schema > newest => {
            Err(unusable(format!("its schema ({schema}) is newer than this program's ({newest})")))
        }
        Some(schema) if schema < OLDEST_SCHEMA => Err(unusable(format!(
            "its schema ({schema}) is older than {OLDEST_SCHEMA}: start this trac on the data folder that it came from, and export again"
        ))),
        Some(schema) => Ok(schema),
    }
}

/// The rows of the database as a stream, which a thread writes while the caller reads it.
fn converted(mut scratch: Scratch, workspaces: Vec<String>) -> Result<Box<dyn BufRead + Send>, StoreError> {
    let failed = |error: io::Error| StoreError::internal(format!("an export cannot be converted: {error}"));
    let (read, written) = io::pipe().map_err(failed)?;
    let export =
        move || scratch.write(|tx| write::write(tx, workspaces, Timestamp::default(), written)).map(|_| ());
    let writer = thread::Builder::new().name("trac-export".to_owned()).spawn(export).map_err(failed)?;
    Ok(Box::new(BufReader::new(Converted { read, writer: Some(writer) })))
}

/// The reader of a converted export. At its end, an error of the thread that writes it is returned.
struct Converted {
    read: PipeReader,
    writer: Option<JoinHandle<Result<(), StoreError>>>,
}

impl Read for Converted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.read.read(buffer)?;
        if length == 0
            && let Some(writer) = self.writer.take()
        {
            let written =
                writer.join().unwrap_or_else(|_| Err(StoreError::internal("its conversion panicked")));
            written.map_err(io::Error::other)?;
        }
        Ok(length)
    }
}
