//! The rows that a request asks for.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::api::parameters::Parameters;
use crate::problem::Problem;

/// The requested rows of a list.
#[derive(Clone, Debug)]
pub(crate) struct Listing {
    pub(super) page: u32,
    pub(super) limit: u32,
    pub(super) starting_after: Option<String>,
    pub(super) filters: Vec<(String, String)>,
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
        let mut number = |name: &str, range: RangeInclusive<u32>, default: u32| {
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

    /// Whether all its filters are among these.
    pub(crate) fn filters_by_only(&self, names: &[&str]) -> bool {
        self.filters.iter().all(|(name, _)| names.contains(&name.as_str()))
    }

    /// Adds a filter that is not from the query.
    pub(crate) fn only(mut self, name: &str, value: &str) -> Self {
        self.filters.push((name.to_owned(), value.to_owned()));
        self
    }

    /// How many rows come before the page.
    pub(super) fn skipped(&self) -> i64 {
        i64::from(self.page.saturating_sub(1)).saturating_mul(self.limit.into())
    }
}
