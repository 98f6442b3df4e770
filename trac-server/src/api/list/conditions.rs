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
}

impl Condition {
    /// A condition that does not depend on the time.
    pub(crate) const fn of(sql: &'static str) -> Self {
        Self { shown: sql, last: sql }
    }
}

/// The conditions of a listing, each beginning with ` AND `, and the values that they use.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    /// For rows that have the filters' values now.
    pub(super) shown: String,
    /// For rows that have them in the end.
    pub(super) last: String,
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

    fn add(&mut self, test: Filter, value: String) {
        let (shown, last) = match test {
            Filter::Is(expression) => {
                let equal = format!("{expression} = {}", self.bind(value));
                (equal.clone(), equal)
            }
            Filter::By(conditions) => {
                let Condition { shown, last } = conditions(&value);
                let place = if shown.contains("{}") { self.bind(value) } else { String::new() };
                (shown.replace("{}", &place), last.replace("{}", &place))
            }
        };
        self.shown = format!("{} AND {shown}", self.shown);
        self.last = format!("{} AND {last}", self.last);
    }
}

impl Resource {
    /// The conditions of a listing.
    ///
    /// # Errors
    /// `422` for a parameter that is not a filter of the list, or a value that no row can have.
    pub(super) fn conditions(&self, listing: &Listing) -> Result<Conditions, Problem> {
        let mut conditions = Conditions::default();
        for (name, value) in &listing.filters {
            let known = self.filters.iter().find(|(filter, _)| filter == name);
            let (_, test) = known.ok_or_else(|| Problem::field(name, "is not a filter of this list"))?;
            conditions.add(*test, filter::value(self.name, name, value)?);
        }
        Ok(conditions)
    }
}
