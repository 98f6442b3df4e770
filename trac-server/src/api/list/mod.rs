//! Lists and single rows of the management API, which all resources share.
//!
//! # Wire form
//! `?page=1&limit=50` (at most 100) returns `{"data":[…],"meta":{"total","page","limit","has_more"}}`, newest
//! first, `total` exact; `null` with `total_at_least` where more than 100,000 rows would have to be counted.
//! `?starting_after=<id>` continues after that row without counting: `total` and `page`
//! are null then. Every other parameter is a filter of the resource, given once, with a value that is not
//! empty and that its rows can have; otherwise the response is `422`.

mod filter;
mod listing;
mod conditions;
mod kept;
mod merged;
mod page;

use conditions::Conditions;
pub(crate) use conditions::{Condition, Filter};
pub(crate) use filter::words_of;
pub(crate) use kept::{Counts, Days, Kept, Key, Young};
pub(crate) use listing::Listing;

use axum::Json;
use axum::extract::{Path, State};
use axum::routing::{MethodRouter, get};
use serde_json::Value;
use trac_core::time::Timestamp;

use crate::access::Merchant;
use crate::problem::Problem;
use crate::store::StoreError;
use crate::store::rows::{Row, Rows, args};
use crate::trac::Trac;

/// The advice in the error for a list that takes too long.
pub(crate) const NARROW: &str = "Narrow it by a filter, request fewer rows with limit, or continue with starting_after instead of page, \
                                 which counts all rows.";

/// How a resource is read: one `SELECT` for both lists and single rows.
///
/// Its SQL uses `?1` for the workspace and `?2` for the mode, and may use `?3` for the current time in Unix
/// seconds.
pub(crate) struct Resource {
    /// The name of a row in errors.
    pub(crate) name: &'static str,
    pub(crate) columns: &'static str,
    pub(crate) from: &'static str,
    /// The condition that restricts rows to the scope and to those not deleted.
    pub(crate) within: &'static str,
    /// The column of the row's ID.
    pub(crate) id: &'static str,
    /// The columns that rows are sorted by, newest first.
    pub(crate) order: &'static [&'static str],
    /// The parameters that narrow a list.
    pub(crate) filters: &'static [(&'static str, Filter)],
    /// The counts of its rows that the database keeps.
    pub(crate) kept: Kept,
    /// Converts a row to the JSON of the API.
    pub(crate) read: fn(&Row<'_>, &Trac) -> Result<Value, StoreError>,
}

/// The route that lists a resource.
pub(crate) fn list_of(resource: &'static Resource) -> MethodRouter<Trac> {
    get(move |State(trac): State<Trac>, Merchant { scope, .. }: Merchant, listing: Listing| async move {
        let (store, of) = (trac.store.clone(), scope.clone());
        let list = store.query(&of, NARROW, move |tx| resource.list(tx.within(&scope), &trac, &listing));
        list.await.map(Json)
    })
}

/// The route that returns one row.
pub(crate) fn one_of(resource: &'static Resource) -> MethodRouter<Trac> {
    get(
        move |State(trac): State<Trac>, Merchant { scope, .. }: Merchant, Path(id): Path<String>| async move {
            let (store, of) = (trac.store.clone(), scope.clone());
            let found = store.query(&of, NARROW, move |tx| resource.find(tx.within(&scope), &trac, &id));
            found.await.map(Json)
        },
    )
}

impl Resource {
    /// Reads the row of this ID.
    pub(crate) fn one(&self, rows: Rows<'_>, trac: &Trac, id: &str) -> Result<Option<Value>, StoreError> {
        let Self { columns, from, within, id: column, .. } = self;
        let sql = format!("SELECT {columns} FROM {from} WHERE {within} AND {column} = ?4");
        rows.one(&sql, args![trac.clock.now(), id], |row| (self.read)(row, trac))
    }

    /// Reads the row of this ID, or returns the error of [`Self::missing`].
    pub(crate) fn find(&self, rows: Rows<'_>, trac: &Trac, id: &str) -> Result<Value, Problem> {
        match self.one(rows, trac, id)? {
            Some(row) => Ok(row),
            None => Err(self.missing(rows, trac, id)),
        }
    }

    /// `404` for this ID; if the other mode of the workspace has it, the message says so.
    pub(crate) fn missing(&self, rows: Rows<'_>, trac: &Trac, id: &str) -> Problem {
        let other = rows.scope().other_mode();
        match self.one(rows.everywhere().within(&other), trac, id) {
            Ok(Some(_)) => Problem::of_mode(self.name, other.mode()),
            Ok(None) => Problem::not_found(self.name),
            Err(error) => error.into(),
        }
    }

    /// Reads every row, oldest first.
    pub(crate) fn each(
        &self,
        rows: Rows<'_>,
        trac: &Trac,
        mut take: impl FnMut(Value) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let Self { columns, from, within, order, .. } = self;
        let sql = format!("SELECT {columns} FROM {from} WHERE {within} ORDER BY {}", order.join(", "));
        let args = Conditions::default();
        rows.each(&sql, &args.args(&sql, trac), |row| take((self.read)(row, trac)?))
    }

    /// The query plan for the newest rows of a filtered list.
    #[cfg(test)]
    pub(crate) fn plan(&self, rows: Rows<'_>, trac: &Trac, name: &str, value: &str) -> String {
        let conditions = self.conditions(&Listing::newest(50).only(name, value)).unwrap();
        let Self { id, from, within, order, .. } = self;
        let sorted: Vec<_> = order.iter().map(|column| format!("{column} DESC")).collect();
        let (shown, sorted) = (&conditions.shown, sorted.join(", "));
        let sql = format!(
            "EXPLAIN QUERY PLAN SELECT {id} FROM {from} WHERE {within}{shown} ORDER BY {sorted} LIMIT 50"
        );
        let steps = rows.all(&sql, &conditions.args(&sql, trac), |row| row.get::<String>(3)).unwrap();
        steps.join("; ")
    }
}

/// A column of Unix seconds, as RFC 3339; `null` stays `null`.
pub(crate) fn time(row: &Row<'_>, column: &str) -> Result<Value, StoreError> {
    let secs: Option<i64> = row.get(column)?;
    Ok(secs.map_or(Value::Null, |secs| Timestamp::from_unix_secs(secs).to_rfc3339().into()))
}

/// A column with a JSON document; `null` stays `null`.
pub(crate) fn document(row: &Row<'_>, column: &str) -> Result<Value, StoreError> {
    let text: Option<String> = row.get(column)?;
    Ok(text.map(|text| serde_json::from_str(&text)).transpose()?.unwrap_or(Value::Null))
}

/// A column of text; `null` stays `null`.
pub(crate) fn word(row: &Row<'_>, column: &str) -> Result<Value, StoreError> {
    let text: Option<String> = row.get(column)?;
    Ok(text.map_or(Value::Null, Value::String))
}

/// A column of integers; `null` stays `null`.
pub(crate) fn number(row: &Row<'_>, column: &str) -> Result<Value, StoreError> {
    let number: Option<i64> = row.get(column)?;
    Ok(number.map_or(Value::Null, Value::from))
}

#[cfg(test)]
mod tests;
