//! Checks, in every test, that no statement of the server scans a table that grows.

use std::collections::HashSet;
use std::panic::Location;
use std::sync::{LazyLock, Mutex, PoisonError};

use rusqlite::Connection;

/// The tables that grow with visitors, payments or calls.
const GROWING: [&str; 28] = [
    "activity",
    "address",
    "attribution",
    "candidate",
    "click_day",
    "click_record",
    "click_span",
    "commission",
    "customer",
    "event",
    "event_body",
    "external_customer",
    "holder",
    "idempotency",
    "lead",
    "ledger_entry",
    "name",
    "payment",
    "payment_object",
    "payout",
    "payout_entry",
    "question",
    "report",
    "sale_day",
    "sale_span",
    "sign_in_failure",
    "visit_not_counted",
    "visitor",
];

/// Statements that read whole tables on purpose, by a part of their text.
const WHOLE: [&str; 4] = [
    // A new key of Stripe: every open question is asked again.
    "UPDATE question SET tries = 0",
    // `trac replay` decides every event and lead again.
    "FROM event AS e JOIN event_body AS b",
    "FROM (SELECT workspace_id, mode, id, created_at FROM lead",
    // A test of housekeeping.
    "SELECT coalesce(string_agg(CAST(day AS TEXT)",
];

static CHECKED: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

/// Panics if a statement scans a table that grows. Statements of tests themselves may.
pub(super) fn check(connection: &Connection, sql: &str, caller: &Location<'_>) {
    let of_test =
        ["tests", "testing", "bench", "derived"].iter().any(|folder| caller.file().contains(folder));
    let of_files = caller.file().contains("export") || WHOLE.iter().any(|part| sql.contains(part));
    if of_test || of_files || sql.starts_with("EXPLAIN") || sql.starts_with("PRAGMA") {
        return;
    }
    if !CHECKED.lock().unwrap_or_else(PoisonError::into_inner).insert(sql.to_owned()) {
        return;
    }
    let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let steps = explain.raw_query().mapped(|row| row.get::<_, String>(3)).collect::<Result<Vec<_>, _>>();
    for step in steps.unwrap() {
        let mut words = step.split(' ');
        let (verb, alias) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        // An index by workspace and mode alone leads to all rows of a workspace. A list reads its first rows,
        // but not if it is merged from the rows of some values (`api/list/merged.rs`); the CSV export streams all.
        let is_scope = verb == "SEARCH" && step.ends_with("(workspace_id=? AND mode=?)");
        let is_merged = sql.contains(" AS found FROM ");
        let is_list = (sql.contains("LIMIT") && !is_merged) || caller.file().ends_with("api/list/mod.rs");
        let is_whole = verb == "SCAN" || (is_scope && !is_list);
        let names = |table: &str| {
            let aliased = format!("{table} AS {alias}");
            alias == table
                || sql.match_indices(&aliased).any(|(at, _)| {
                    let next =
                        sql.get(at.saturating_add(aliased.len())..).and_then(|rest| rest.chars().next());
                    next.is_none_or(|next| !next.is_alphanumeric() && next != '_')
                })
        };
        if let Some(table) = GROWING.iter().find(|table| is_whole && names(table)) {
            panic!("{caller}: reads all rows of {table} ({step}): {sql}");
        }
    }
}
