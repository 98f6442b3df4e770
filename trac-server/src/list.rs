//! Lists and single rows of the management API, read from the database in one way.
//!
//! # Wire form
//! `?page=1&limit=50` (at most 100) answers `{"data":[…],"meta":{"total","page","limit","has_more"}}`, newest first,
//! `total` exact. `?starting_after=<id>` goes on after that row without counting: `total` and `page` are null then. Any other parameter is a filter the
//! resource knows, given once, with a value that is not empty and that its rows can have, or `422`.

mod filter;

pub(crate) use filter::words_of;

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::routing::{MethodRouter, get};
use rusqlite::types::Value as Bound;
use rusqlite::{Connection, Row, Statement};
use serde_json::{Value, json};
use trac_core::time::Timestamp;

use crate::access::Merchant;
use crate::parameters::Parameters;
use crate::problem::Problem;
use crate::store::{Scope, StoreError};
use crate::trac::Trac;

/// How a list that takes too long is narrowed.
pub(crate) const NARROW: &str = "Narrow it by a filter, ask for fewer rows by limit, or go on by starting_after instead of page, \
                                 which counts all rows.";

/// How a resource is read: one `SELECT`, whose rows answer lists and single requests alike.
///
/// Its text may name `:workspace_id`, `:mode` and `:now`.
pub(crate) struct Resource {
    /// What a row is called when there is none.
    pub(crate) name: &'static str,
    pub(crate) columns: &'static str,
    pub(crate) from: &'static str,
    /// Keeps to the scope, and to rows that are not deleted.
    pub(crate) within: &'static str,
    /// The column of the row's ID.
    pub(crate) id: &'static str,
    /// What rows are sorted by, the newest first.
    pub(crate) order: &'static [&'static str],
    /// The parameters that narrow a list, each with the expression it must be equal to.
    pub(crate) filters: &'static [(&'static str, &'static str)],
    /// Writes a row as the API shows it.
    pub(crate) read: fn(&Row<'_>, &Trac) -> Result<Value, StoreError>,
}

/// The route that lists a resource.
pub(crate) fn list_of(resource: &'static Resource) -> MethodRouter<Trac> {
    get(move |State(trac): State<Trac>, Merchant(scope): Merchant, listing: Listing| async move {
        let (store, of) = (trac.store.clone(), scope.clone());
        let list =
            store.query(&of, NARROW, move |connection| resource.list(connection, &trac, &scope, &listing));
        list.await.map(Json)
    })
}

/// The route that answers one row.
pub(crate) fn one_of(resource: &'static Resource) -> MethodRouter<Trac> {
    get(move |State(trac): State<Trac>, Merchant(scope): Merchant, Path(id): Path<String>| async move {
        let (store, of) = (trac.store.clone(), scope.clone());
        let found = store.query(&of, NARROW, move |connection| resource.find(connection, &trac, &scope, &id));
        found.await.map(Json)
    })
}

/// Which rows of a list are wanted.
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
    pub(crate) const fn newest(limit: u32) -> Self {
        Self { page: 1, limit, starting_after: None, filters: Vec::new() }
    }

    /// The value of a filter.
    pub(crate) fn filter(&self, name: &str) -> Option<&str> {
        self.filters.iter().find(|(filter, _)| filter == name).map(|(_, value)| value.as_str())
    }

    /// Adds a filter that does not come from the query.
    pub(crate) fn only(mut self, name: &str, value: &str) -> Self {
        self.filters.push((name.to_owned(), value.to_owned()));
        self
    }
}

impl Resource {
    /// Reads one page of rows.
    pub(crate) fn list(
        &self,
        connection: &Connection,
        trac: &Trac,
        scope: &Scope,
        listing: &Listing,
    ) -> Result<Value, Problem> {
        let (mut conditions, mut bound) = (self.within.to_owned(), Bindings::new(scope, trac.clock.now()));
        for (at, (name, value)) in listing.filters.iter().enumerate() {
            let known = self.filters.iter().find(|(filter, _)| filter == name);
            let (_, expression) =
                known.ok_or_else(|| Problem::field(name, "is not a filter of this list"))?;
            conditions = format!("{conditions} AND {expression} = :filter{at}");
            let value = filter::value(self.name, name, value)?;
            bound.push(format!(":filter{at}"), Bound::Text(value));
        }
        let total = match &listing.starting_after {
            Some(_) => None,
            None => Some(self.count(connection, &conditions, &bound)?),
        };
        let mut skip = i64::from(listing.page.saturating_sub(1)).saturating_mul(listing.limit.into());
        if let Some(after) = &listing.starting_after {
            if self.one(connection, trac, scope, after)?.is_none() {
                return Err(Problem::field("starting_after", "must be the ID of a row of this list"));
            }
            let order = self.order.join(", ");
            let Self { from, within, id, .. } = self;
            conditions = format!(
                "{conditions} AND ({order}) < (SELECT {order} FROM {from} WHERE {within} AND {id} = :after)"
            );
            bound.push(":after".to_owned(), Bound::Text(after.clone()));
            skip = 0;
        }
        let sorted: Vec<_> = self.order.iter().map(|column| format!("{column} DESC")).collect();
        let sql = format!(
            "SELECT {} FROM {} WHERE {conditions} ORDER BY {} LIMIT :take OFFSET :skip",
            self.columns,
            self.from,
            sorted.join(", "),
        );
        bound.push(":take".to_owned(), Bound::Integer(i64::from(listing.limit).saturating_add(1)));
        bound.push(":skip".to_owned(), Bound::Integer(skip));
        let mut data = rows(connection, &sql, &bound, |row| (self.read)(row, trac))?;
        let limit = usize::try_from(listing.limit).unwrap_or(usize::MAX);
        let has_more = data.len() > limit;
        data.truncate(limit);
        let page = total.map(|_| listing.page);
        let meta = json!({ "total": total, "page": page, "limit": listing.limit, "has_more": has_more });
        Ok(json!({ "data": data, "meta": meta }))
    }

    /// Reads the row of that ID.
    pub(crate) fn one(
        &self,
        connection: &Connection,
        trac: &Trac,
        scope: &Scope,
        id: &str,
    ) -> Result<Option<Value>, StoreError> {
        let Self { columns, from, within, id: column, .. } = self;
        let sql = format!("SELECT {columns} FROM {from} WHERE {within} AND {column} = :id");
        let mut bound = Bindings::new(scope, trac.clock.now());
        bound.push(":id".to_owned(), Bound::Text(id.to_owned()));
        Ok(rows(connection, &sql, &bound, |row| (self.read)(row, trac))?.pop())
    }

    /// Reads the row of that ID, or says that there is none.
    pub(crate) fn find(
        &self,
        connection: &Connection,
        trac: &Trac,
        scope: &Scope,
        id: &str,
    ) -> Result<Value, Problem> {
        match self.one(connection, trac, scope, id)? {
            Some(row) => Ok(row),
            None => Err(self.missing(connection, trac, scope, id)),
        }
    }

    /// Says that there is no row of that ID, and if it is one of the workspace's other mode, that.
    pub(crate) fn missing(&self, connection: &Connection, trac: &Trac, scope: &Scope, id: &str) -> Problem {
        let other = scope.other_mode();
        match self.one(connection, trac, &other, id) {
            Ok(Some(_)) => Problem::of_mode(self.name, other.mode()),
            Ok(None) => Problem::not_found(self.name),
            Err(error) => error.into(),
        }
    }

    /// Reads every row, the oldest first.
    pub(crate) fn each(
        &self,
        connection: &Connection,
        trac: &Trac,
        scope: &Scope,
        mut take: impl FnMut(Value) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let Self { columns, from, within, order, .. } = self;
        let sql = format!("SELECT {columns} FROM {from} WHERE {within} ORDER BY {}", order.join(", "));
        let mut statement = connection.prepare(&sql)?;
        Bindings::new(scope, trac.clock.now()).bind(&mut statement)?;
        let mut found = statement.raw_query();
        while let Some(row) = found.next()? {
            take((self.read)(row, trac)?)?;
        }
        Ok(())
    }

    fn count(&self, connection: &Connection, conditions: &str, bound: &Bindings) -> Result<i64, StoreError> {
        let sql = format!("SELECT count(*) AS total FROM {} WHERE {conditions}", self.from);
        let counted = rows(connection, &sql, bound, |row| Ok(row.get(0)?))?;
        Ok(counted.first().copied().unwrap_or_default())
    }
}

/// Named parameters, of which a statement takes those it names.
struct Bindings(Vec<(String, Bound)>);

impl Bindings {
    fn new(scope: &Scope, now: Timestamp) -> Self {
        Self(vec![
            (":workspace_id".to_owned(), Bound::Text(scope.workspace_id().to_owned())),
            (":mode".to_owned(), Bound::Text(scope.mode_str().to_owned())),
            (":now".to_owned(), Bound::Integer(now.unix_secs())),
        ])
    }

    fn push(&mut self, name: String, value: Bound) {
        self.0.push((name, value));
    }

    fn bind(&self, statement: &mut Statement<'_>) -> rusqlite::Result<()> {
        for (name, value) in &self.0 {
            if let Some(at) = statement.parameter_index(name)? {
                statement.raw_bind_parameter(at, value)?;
            }
        }
        Ok(())
    }
}

fn rows<T>(
    connection: &Connection,
    sql: &str,
    bound: &Bindings,
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    bound.bind(&mut statement)?;
    let mut found = statement.raw_query();
    let mut read_rows = Vec::new();
    while let Some(row) = found.next()? {
        read_rows.push(read(row)?);
    }
    Ok(read_rows)
}

/// A column of seconds, as the API writes time; `null` stays `null`.
pub(crate) fn time(row: &Row<'_>, column: &str) -> Result<Value, StoreError> {
    let secs: Option<i64> = row.get(column)?;
    Ok(secs.map_or(Value::Null, |secs| Timestamp::from_unix_secs(secs).to_rfc3339().into()))
}

/// A column that holds a JSON document; `null` stays `null`.
pub(crate) fn document(row: &Row<'_>, column: &str) -> Result<Value, StoreError> {
    let text: Option<String> = row.get(column)?;
    Ok(text.map(|text| serde_json::from_str(&text)).transpose()?.unwrap_or(Value::Null))
}

/// A column of text; `null` stays `null`.
pub(crate) fn word(row: &Row<'_>, column: &str) -> Result<Value, StoreError> {
    let text: Option<String> = row.get(column)?;
    Ok(text.map_or(Value::Null, Value::String))
}

/// A column of whole numbers; `null` stays `null`.
pub(crate) fn number(row: &Row<'_>, column: &str) -> Result<Value, StoreError> {
    let number: Option<i64> = row.get(column)?;
    Ok(number.map_or(Value::Null, Value::from))
}
