//! Reads the query parameters of a request.
//!
//! Rules: a query that cannot be decoded is `400`; a parameter that is invalid, unknown or given twice is
//! `422` with its name in `fields`.

use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;

use crate::problem::Problem;

/// The parameters of one request, taken out one by one.
#[derive(Debug, Default)]
pub(crate) struct Parameters(BTreeMap<String, String>);

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let pairs = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Query(pairs) = pairs.map_err(|_| Problem::malformed("The query cannot be read."))?;
        Self::of(pairs)
    }
}

impl Parameters {
    fn of(pairs: Vec<(String, String)>) -> Result<Self, Problem> {
        let mut parameters = BTreeMap::new();
        for (name, value) in pairs {
            if parameters.contains_key(&name) {
                return Err(Problem::field(&name, "must be given once"));
            }
            parameters.insert(name, value);
        }
        Ok(Self(parameters))
    }

    /// Takes a parameter out.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// Takes a parameter that is `1` or `0`; `?name` alone counts as `1`.
    pub(crate) fn take_flag(&mut self, name: &str) -> Result<bool, Problem> {
        match self.take(name).as_deref() {
            Some("1" | "true" | "") => Ok(true),
            None | Some("0" | "false") => Ok(false),
            Some(_) => Err(Problem::field(name, "must be 1 or 0")),
        }
    }

    /// Returns an error that names every parameter not taken so far, because the route does not know it.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        let unknown = self.0.into_keys().map(|name| (name, "is not a parameter of this route".to_owned()));
        let unknown: BTreeMap<_, _> = unknown.collect();
        if unknown.is_empty() { Ok(()) } else { Err(Problem::validation(unknown)) }
    }

    /// The remaining parameters, by name.
    pub(crate) fn into_rest(self) -> BTreeMap<String, String> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &[(&str, &str)]) -> Result<Parameters, Problem> {
        Parameters::of(query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn a_flag_is_1_or_0_or_empty() {
        let check = |query: &[(&str, &str)], want: Option<bool>| {
            assert_eq!(of(query).unwrap().take_flag("purge").ok(), want, "{query:?}");
        };
        check(&[], Some(false));
        check(&[("purge", "0")], Some(false));
        check(&[("purge", "1")], Some(true));
        check(&[("purge", "")], Some(true));
        check(&[("purge", "maybe")], None);
    }

    #[test]
    fn a_repeated_or_unknown_parameter_is_named() {
        let twice = of(&[("purge", "1"), ("purge", "1")]).unwrap_err();
        assert_eq!(twice, Problem::field("purge", "must be given once"));
        let unknown = of(&[("purgatory", "1")]).unwrap().finish().unwrap_err();
        assert_eq!(unknown, Problem::field("purgatory", "is not a parameter of this route"));
    }
}
