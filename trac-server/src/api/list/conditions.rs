//! The SQL conditions of a list's filters.

use super::{Listing, Resource, filter};
use crate::problem::Problem;
use crate::store::rows::{Arg, ToArg};
use crate::trac::Trac;

/// How a parameter narrows a list.
#[derive(Clone, Copy)]
pub(crate) enum Filter {
    /// An SQL expression that must equal the value.
    Is(&'static str),
    /// The conditions for a value.
    By(fn(&str) -> Condition),
}

/// The SQL conditions for the value of a filter. `{}` in them is the value's parameter; both have it, or neither.
#[derive(Clone, Copy)]
pub(crate) struct Condition {
    /// The condition for a row to have the value now.
    pub(crate) shown: &'static str,
    /// The condition for a row to have the value in the end: when all time that could change it has passed.
    pub(crate) last: &'static str,
    /// The condition for the combinations of values in which a page looks for its rows: those of all rows that have
    /// the value now and are not young (see [`Counts::young`](super::Counts::young)).
    pub(crate) among: &'static str,
    /// The condition for a row in one of these combinations to have the value now.
    pub(crate) of_these: &'static str,
}

impl Condition {
    /// A condition that does not depend on the time.
    pub(crate) const fn of(sql: &'static str) -> Self {
        Self { shown: sql, last: sql, among: sql, of_these: sql }
    }
}

/// The conditions of a listing, each beginning with ` AND `, and the values that they use.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    /// For rows that have the filters' values now.
    pub(super) shown: String,
    /// For rows that have them in the end.
    pub(super) last: String,
    /// Those of both that do not depend on the time.
    pub(super) always: String,
    /// For the combinations of values in which a page looks for its rows.
    pub(super) among: String,
    /// For rows of these combinations that have the filters' values now.
    pub(super) of_these: String,
    pub(super) values: Vec<String>,
}

impl Conditions {
    /// Adds a value and returns its parameter.
    pub(super) fn bind(&mut self, value: String) -> String {
        self.values.push(value);
        // After workspace, mode and time.
        format!("?{}", self.values.len().saturating_add(3))
    }

    /// Whether a filter's value changes as time passes.
    pub(super) fn depend_on_time(&self) -> bool {
        self.shown != self.last
    }

    /// The arguments of a statement with these conditions: the current time and the values. Empty for a statement
    /// that uses neither, since binding more parameters than it has is an error.
    pub(super) fn args(&self, sql: &str, trac: &Trac) -> Vec<Arg<'_>> {
        if self.values.is_empty() && !sql.contains("?3") {
            return Vec::new();
        }
        let now = Arg::Integer(trac.clock.now().unix_secs());
        std::iter::once(now).chain(self.values.iter().map(ToArg::to_arg)).collect()
    }

    fn add(&mut self, test: Filter, value: String, combination: &[(&str, &str)]) {
        let [shown, last, among, of_these] = match test {
            Filter::Is(expression) => {
                let equal = format!("{expression} = {}", self.bind(value));
                // The rows of a combination all have its values. SQLite would replace the column by the value in
                // the expressions of the index, and then not find the index.
                let is_implied = combination.iter().any(|(column, _)| *column == expression);
                let of_these = if is_implied { "TRUE".to_owned() } else { equal.clone() };
                [equal.clone(), equal.clone(), equal, of_these]
            }
            Filter::By(conditions) => {
                let Condition { shown, last, among, of_these } = conditions(&value);
                let place = if shown.contains("{}") { self.bind(value) } else { String::new() };
                [shown, last, among, of_these].map(|condition| condition.replace("{}", &place))
            }
        };
        if shown == last {
            self.always = format!("{} AND {shown}", self.always);
        }
        self.shown = format!("{} AND {shown}", self.shown);
        self.last = format!("{} AND {last}", self.last);
        self.among = format!("{} AND {among}", self.among);
        self.of_these = format!("{} AND {of_these}", self.of_these);
    }
}

impl Resource {
    /// The conditions of a listing.
    ///
    /// # Errors
    /// `422` for a parameter that is not a filter of the list, or a value that no row can have.
    pub(super) fn conditions(&self, listing: &Listing) -> Result<Conditions, Problem> {
        let mut conditions = Conditions::default();
        let combination = self.counts_of(listing).map_or(&[][..], |counts| counts.combination);
        for (name, value) in &listing.filters {
            let known = self.filters.iter().find(|(filter, _)| filter == name);
            let (_, test) = known.ok_or_else(|| Problem::field(name, "is not a filter of this list"))?;
            conditions.add(*test, filter::value(self.name, name, value)?, combination);
        }
        Ok(conditions)
    }
}
