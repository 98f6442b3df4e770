//! What a form or a filter offers to choose from.

use std::collections::BTreeSet;

use axum::http::StatusCode;

use super::api::{Failure, query_of};
use super::desk::Desk;
use super::value::{list, text};

/// The programs, for a choice: ID and name.
pub(super) async fn programs(desk: &Desk) -> Result<Vec<(String, String)>, Failure> {
    let listed = desk.get("/programs?limit=100").await?;
    Ok(list(&listed, "data")
        .iter()
        .map(|row| (text(row, "id").to_owned(), text(row, "name").to_owned()))
        .collect())
}

/// The ID of the only partner with this ID, code, e-mail address or name.
///
/// # Errors
/// `404` if there is none, or more than one; the API's.
pub(super) async fn partner_id(desk: &Desk, given: &str) -> Result<String, Failure> {
    if given.starts_with("part_") {
        return Ok(given.to_owned());
    }
    let mut found = BTreeSet::new();
    for name in ["code", "email", "name"] {
        let listed = desk.get(&format!("/partners{}", query_of([(name, given), ("limit", "2")]))).await?;
        found.extend(list(&listed, "data").iter().map(|row| text(row, "id").to_owned()));
    }
    if found.len() == 1
        && let Some(id) = found.pop_first()
    {
        return Ok(id);
    }
    let message = if found.is_empty() {
        format!("No partner has the name, e-mail address, code or ID “{given}”.")
    } else {
        format!("Several partners match “{given}”. Enter the ID of one: it is on the partner's page.")
    };
    Err(Failure::new(StatusCode::NOT_FOUND, "NOT_FOUND", &message))
}
