//! Lists and single rows of the management API, which all resources share.
//!
//! # Wire form
//! `?page=1&limit=50` (at most 100) returns `{"data":[…],"meta":{"total","page","limit","has_more"}}`, newest
//! first, `total` exact. `?starting_after=<id>` continues after that row without counting: `total` and `page`
//! are null then. Every other parameter is a filter of the resource, given once, with a value that is not
//! empty and that its rows can have; otherwise the response is `422`.

mod filter;

pub(crate) use filter::words_of;

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::routing::{MethodRouter, get};
use serde_json::{Value, json};
use trac_core::time::Timestamp;

use crate::access::Merchant;
use crate::api::parameters::Parameters;
use crate::problem::Problem;
use crate::store::StoreError;
use crate::store::rows::{Arg, Row, Rows, ToArg};
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
    /// Converts a row to the JSON of the API.
    pub(crate) read: fn(&Row<'_>, &Trac) -> Result<Value, StoreError>,
}

/// How a parameter narrows a list.
#[derive(Clone, Copy)]
pub(crate) enum Filter {
    /// An SQL expression that must equal the value.
    Is(&'static str),
    /// The SQL condition for a value; `{}` in it is the value's parameter.
    By(fn(&str) -> &'static str),
}

impl Filter {
    /// The condition for a value. The value is appended to `values` if the condition uses it.
    fn condition(self, value: String, values: &mut Vec<String>) -> String {
        let next = place(values.len().saturating_add(1));
        match self {
            Self::Is(expression) => {
                values.push(value);
                format!("{expression} = ?{next}")
            }
            Self::By(condition) => {
                let condition = condition(&value);
                if condition.contains("{}") {
                    values.push(value);
                }
                condition.replace("{}", &format!("?{next}"))
            }
        }
    }
}

/// The route that lists a resource.
pub(crate) fn list_of(resource: &'static Resource) -> MethodRouter<Trac> {
    get(move |State(trac): State<Trac>, Merchant(scope): Merchant, listing: Listing| async move {
        let (store, of) = (trac.store.clone(), scope.clone());
        let list = store.query(&of, NARROW, move |tx| resource.list(tx.within(&scope), &trac, &listing));
        list.await.map(Json)
    })
}

/// The route that returns one row.
pub(crate) fn one_of(resource: &'static Resource) -> MethodRouter<Trac> {
    get(move |State(trac): State<Trac>, Merchant(scope): Merchant, Path(id): Path<String>| async move {
        let (store, of) = (trac.store.clone(), scope.clone());
        let found = store.query(&of, NARROW, move |tx| resource.find(tx.within(&scope), &trac, &id));
        found.await.map(Json)
    })
}

/// The requested rows of a list.
#[derive(Clone, Debug)]
pub(crate) struct Listing {
    page: u32,
    limit: u32,
    starting_after: Option<String>,
    filters: Vec<(String, String)>,
}

impl<S: Send + Sync> FromRequestParts<S> for Listing {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Self::read(Parameters::from_request_parts(parts, state).await?)
    }
}

impl Listing {
    fn read(mut parameters: Parameters) -> Result<Self, Problem> {
        let mut wrong = BTreeMap::new();
        let mut number = |name: &str, range: std::ops::RangeInclusive<u32>, default: u32| {
            let Some(text) = parameters.take(name) else { return default };
            let number = text.parse().ok().filter(|number| range.contains(number));
            number.unwrap_or_else(|| {
                let message = format!("must be a whole number from {} to {}", range.start(), range.end());
                wrong.insert(name.to_owned(), message);
                default
            })
        };
        let (page, limit) = (number("page", 1..=1_000_000_000, 1), number("limit", 1..=100, 50));
        let starting_after = parameters.take("starting_after");
        let filters: Vec<_> = parameters.into_rest().into_iter().collect();
        for (name, _) in filters.iter().filter(|(_, value)| value.is_empty()) {
            wrong.insert(name.clone(), "must not be empty; leave it out to list all".to_owned());
        }
        let listing = Self { page, limit, starting_after, filters };
        if wrong.is_empty() { Ok(listing) } else { Err(Problem::validation(wrong)) }
    }

    /// The newest rows.
    #[cfg(test)]
    pub(crate) const fn newest(limit: u32) -> Self {
        Self { page: 1, limit, starting_after: None, filters: Vec::new() }
    }

    /// The value of a filter.
    pub(crate) fn filter(&self, name: &str) -> Option<&str> {
        self.filters.iter().find(|(filter, _)| filter == name).map(|(_, value)| value.as_str())
    }

    /// Adds a filter that is not from the query.
    pub(crate) fn only(mut self, name: &str, value: &str) -> Self {
        self.filters.push((name.to_owned(), value.to_owned()));
        self
    }
}

impl Resource {
    /// Reads one page of rows.
    pub(crate) fn list(&self, rows: Rows<'_>, trac: &Trac, listing: &Listing) -> Result<Value, Problem> {
        let (mut conditions, mut values) = self.conditions(listing)?;
        let total = match &listing.starting_after {
            Some(_) => None,
            None => Some(self.count(rows, trac, &conditions, &values)?),
        };
        let mut skip = i64::from(listing.page.saturating_sub(1)).saturating_mul(listing.limit.into());
        if let Some(after) = &listing.starting_after {
            if self.one(rows, trac, after)?.is_none() {
                return Err(Problem::field("starting_after", "must be the ID of a row of this list"));
            }
            values.push(after.clone());
            let (order, at) = (self.order.join(", "), place(values.len()));
            let Self { from, within, id, .. } = self;
            conditions = format!(
                "{conditions} AND ({order}) < (SELECT {order} FROM {from} WHERE {within} AND {id} = ?{at})"
            );
            skip = 0;
        }
        let sorted: Vec<_> = self.order.iter().map(|column| format!("{column} DESC")).collect();
        let next = place(values.len());
        let sql = format!(
            "SELECT {} FROM {} WHERE {conditions} ORDER BY {} LIMIT ?{} OFFSET ?{}",
            self.columns,
            self.from,
            sorted.join(", "),
            next.saturating_add(1),
            next.saturating_add(2),
        );
        let take = i64::from(listing.limit).saturating_add(1);
        let paging = [Arg::Integer(take), Arg::Integer(skip)];
        let args: Vec<_> = bound(trac, &values).chain(paging).collect();
        let mut data = rows.all(&sql, &args, |row| (self.read)(row, trac))?;
        let limit = usize::try_from(listing.limit).unwrap_or(usize::MAX);
        let has_more = data.len() > limit;
        data.truncate(limit);
        let page = total.map(|_| listing.page);
        let meta = json!({ "total": total, "page": page, "limit": listing.limit, "has_more": has_more });
        Ok(json!({ "data": data, "meta": meta }))
    }

    /// The conditions of a listing, and the values they use.
    fn conditions(&self, listing: &Listing) -> Result<(String, Vec<String>), Problem> {
        let (mut conditions, mut values) = (self.within.to_owned(), Vec::new());
        for (name, value) in &listing.filters {
            let known = self.filters.iter().find(|(filter, _)| filter == name);
            let (_, test) = known.ok_or_else(|| Problem::field(name, "is not a filter of this list"))?;
            let condition = test.condition(filter::value(self.name, name, value)?, &mut values);
            conditions = format!("{conditions} AND {condition}");
        }
        Ok((conditions, values))
    }

    /// The query plans for the newest rows of a filtered list and for their count.
    #[cfg(test)]
    pub(crate) fn plan(&self, rows: Rows<'_>, trac: &Trac, name: &str, value: &str) -> Vec<String> {
        let (conditions, values) = self.conditions(&Listing::newest(50).only(name, value)).unwrap();
        let Self { id, from, order, .. } = self;
        let sorted: Vec<_> = order.iter().map(|column| format!("{column} DESC")).collect();
        let newest =
            format!("SELECT {id} FROM {from} WHERE {conditions} ORDER BY {} LIMIT 50", sorted.join(", "));
        let count = format!("SELECT count(*) FROM {from} WHERE {conditions}");
        let explained = [newest, count].map(|sql| {
            let sql = format!("EXPLAIN QUERY PLAN {sql}");
            let steps = rows.all(&sql, &named(&sql, trac, &values), |row| row.get::<String>(3)).unwrap();
            steps.join("; ")
        });
        explained.into()
    }

    /// Reads the row of this ID.
    pub(crate) fn one(&self, rows: Rows<'_>, trac: &Trac, id: &str) -> Result<Option<Value>, StoreError> {
        let Self { columns, from, within, id: column, .. } = self;
        let sql = format!("SELECT {columns} FROM {from} WHERE {within} AND {column} = ?{}", place(1));
        let values = [id.to_owned()];
        let args: Vec<_> = bound(trac, &values).collect();
        rows.one(&sql, &args, |row| (self.read)(row, trac))
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
        rows.each(&sql, &named(&sql, trac, &[]), |row| take((self.read)(row, trac)?))
    }

    fn count(
        &self,
        rows: Rows<'_>,
        trac: &Trac,
        conditions: &str,
        values: &[String],
    ) -> Result<i64, StoreError> {
        let sql = format!("SELECT count(*) FROM {} WHERE {conditions}", self.from);
        Ok(rows.one(&sql, &named(&sql, trac, values), |row| row.get(0))?.unwrap_or_default())
    }
}

/// The current time, and the values of conditions.
fn bound<'v>(trac: &Trac, values: &'v [String]) -> impl Iterator<Item = Arg<'v>> + use<'v> {
    let now = Arg::Integer(trac.clock.now().unix_secs());
    std::iter::once(now).chain(values.iter().map(ToArg::to_arg))
}

/// [`bound`], but empty for a statement that uses neither the time nor values: binding more parameters than a
/// statement has is an error.
fn named<'v>(sql: &str, trac: &Trac, values: &'v [String]) -> Vec<Arg<'v>> {
    if values.is_empty() && !sql.contains("?3") { Vec::new() } else { bound(trac, values).collect() }
}

/// The number of the parameter for the `number`th value, from 1: after workspace, mode and time.
const fn place(number: usize) -> usize {
    number.saturating_add(3)
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
