//! Terms by version: a change is a new version from now on, and what was settled under the old ones keeps them.

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use trac_core::time::Timestamp;

use crate::store::{Scope, StoreError};

/// The table that keeps the versions of one kind of terms.
pub(crate) struct Versions {
    newest: &'static str,
    add: &'static str,
}

pub(crate) const OF_PROGRAMS: Versions = Versions {
    newest: "SELECT number, terms FROM program_version WHERE workspace_id = ?1 AND mode = ?2 AND program_id = ?3 \
             ORDER BY number DESC LIMIT 1",
    add: "INSERT INTO program_version (workspace_id, mode, program_id, number, valid_from, terms) \
          VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
};

pub(crate) const OF_ENROLLMENTS: Versions = Versions {
    newest: "SELECT number, terms FROM enrollment_version WHERE workspace_id = ?1 AND mode = ?2 \
             AND enrollment_id = ?3 ORDER BY number DESC LIMIT 1",
    add: "INSERT INTO enrollment_version (workspace_id, mode, enrollment_id, number, valid_from, terms) \
          VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
};

impl Versions {
    /// The number and terms of the newest version; none if there is no such object here.
    pub(crate) fn newest<T: DeserializeOwned>(
        &self,
        connection: &Connection,
        scope: &Scope,
        id: &str,
    ) -> Result<Option<(u32, T)>, StoreError> {
        let mut statement = connection.prepare_cached(self.newest)?;
        let found = statement.query_row(params![scope.workspace_id(), scope.mode_str(), id], |row| {
            Ok((row.get(0)?, row.get::<_, String>(1)?))
        });
        Ok(match found.optional()? {
            Some((number, terms)) => Some((number, serde_json::from_str(&terms)?)),
            None => None,
        })
    }

    pub(crate) fn add(
        &self,
        connection: &Connection,
        scope: &Scope,
        id: &str,
        number: u32,
        valid_from: Timestamp,
        terms: &impl Serialize,
    ) -> Result<(), StoreError> {
        let terms = serde_json::to_string(terms)?;
        let (workspace, mode) = (scope.workspace_id(), scope.mode_str());
        let values = params![workspace, mode, id, number, valid_from.unix_secs(), terms];
        connection.prepare_cached(self.add)?.execute(values)?;
        Ok(())
    }
}
