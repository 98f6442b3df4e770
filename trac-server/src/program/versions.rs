//! Versions of terms: a change adds a version, valid from now or from an earlier time in the body. Payments
//! that were settled by an older version stay so until they are replayed.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use trac_core::program::Version;
use trac_core::time::Timestamp;

use crate::api::fields::{Fields, moment};
use crate::store::StoreError;
use crate::store::rows::{Rows, args};

/// The SQL of the table with the versions of one kind of terms.
pub(crate) struct Versions {
    newest: &'static str,
    add: &'static str,
}

pub(crate) const OF_PROGRAMS: Versions = Versions {
    newest: "SELECT number, valid_from, terms FROM program_version WHERE workspace_id = ?1 AND mode = ?2 AND program_id = ?3 \
             ORDER BY number DESC LIMIT 1",
    add: "INSERT INTO program_version (workspace_id, mode, program_id, number, valid_from, terms, status) \
          VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
};

pub(crate) const OF_ENROLLMENTS: Versions = Versions {
    newest: "SELECT number, valid_from, terms FROM enrollment_version WHERE workspace_id = ?1 AND mode = ?2 \
             AND enrollment_id = ?3 ORDER BY number DESC LIMIT 1",
    add: "INSERT INTO enrollment_version (workspace_id, mode, enrollment_id, number, valid_from, terms, status) \
          VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
};

/// The new terms, and the time from which they are valid.
pub(super) struct Change<T> {
    pub(super) terms: T,
    pub(super) now: Timestamp,
    /// `None` means from now on.
    pub(super) valid_from: Option<Timestamp>,
}

/// The time from which a change is valid, if the body contains it. It may be in the past, not in the future.
pub(super) fn valid_from(fields: &mut Fields, now: Timestamp) -> Option<Timestamp> {
    fields.take("valid_from", |value| {
        let since = moment(value)?;
        if since > now { Err("must not be in the future".to_owned()) } else { Ok(since) }
    })
}

impl Versions {
    /// The newest version; `None` if there is no such program or enrollment.
    pub(crate) fn newest<T: DeserializeOwned>(
        &self,
        rows: Rows<'_>,
        id: &str,
    ) -> Result<Option<Version<T>>, StoreError> {
        rows.one(self.newest, args![id], |row| {
            Ok(Version { number: row.get(0)?, valid_from: row.get(1)?, terms: row.document(2)? })
        })
    }

    /// Adds a version if a change differs from the newest: other terms, or the same terms from an earlier
    /// time on.
    pub(super) fn change<T: Serialize + PartialEq>(
        &self,
        rows: Rows<'_>,
        id: &str,
        newest: &Version<T>,
        change: &Change<T>,
    ) -> Result<(), StoreError> {
        let Change { terms, now, valid_from } = change;
        let is_earlier = valid_from.is_some_and(|since| since < newest.valid_from);
        if *terms == newest.terms && !is_earlier {
            return Ok(());
        }
        self.add(rows, id, newest.number.saturating_add(1), valid_from.unwrap_or(*now), terms)
    }

    pub(crate) fn add(
        &self,
        rows: Rows<'_>,
        id: &str,
        number: u32,
        valid_from: Timestamp,
        terms: &impl Serialize,
    ) -> Result<(), StoreError> {
        let terms = serde_json::to_value(terms)?;
        let status = terms.get("status").and_then(Value::as_str);
        rows.write(self.add, args![id, number, valid_from, terms.to_string(), status])?;
        Ok(())
    }
}
