//! The tables of a workspace, and the columns that are not exported.

use crate::store::rows::places;
use crate::store::{Everywhere, StoreError, StoreErrorKind, schema};

/// An exported table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// The columns that identify a row. The first is the workspace's ID.
    pub(super) key: &'static [&'static str],
    /// Columns that are not exported, each with the SQL that replaces it.
    pub(super) left_out: &'static [(&'static str, &'static str)],
    /// Columns in which a stored row may differ from an imported one.
    pub(super) loose: &'static [&'static str],
    /// The order of its rows. An index must have it; otherwise SQLite sorts all rows in memory.
    pub(super) order: &'static [&'static str],
}

const fn table(name: &'static str, key: &'static [&'static str]) -> Table {
    Table { name, key, left_out: &[], loose: &[], order: key }
}

const ID: &[&str] = &["workspace_id", "mode", "id"];

/// Parents come before their children.
pub(super) const TABLES: &[Table] = &[
    table("workspace", &["id"]),
    Table {
        left_out: &[("token_secret", "NULL")],
        loose: &["last_used_at"],
        ..table("api_key", &["workspace_id", "mode", "hash"])
    },
    Table {
        left_out: &[
            ("secrets", "'[]'"),
            ("stripe_api_key", "NULL"),
            ("stripe_api_key_hint", "NULL"),
            ("stripe_api_key_problem", "NULL"),
            ("stripe_api_rests_until", "NULL"),
            ("stripe_destination", "NULL"),
            ("stripe_events", "NULL"),
            ("stripe_set_up_at", "NULL"),
        ],
        ..table("webhook_endpoint", ID)
    },
    table("program", ID),
    table("program_version", &["workspace_id", "mode", "program_id", "number"]),
    table("partner", ID),
    table("partner_address", &["workspace_id", "mode", "partner_id", "email"]),
    table("enrollment", ID),
    table("enrollment_version", &["workspace_id", "mode", "enrollment_id", "number"]),
    table("link", ID),
    table("visit_not_counted", &["workspace_id", "mode", "link_id", "day", "why"]),
    Table { order: &["workspace_id", "mode", "clicked_at"], ..table("click", ID) },
    table("deleted_visit", &["workspace_id", "mode", "day", "program_id", "partner_id", "link_id"]),
    table("promotion_code", &["workspace_id", "mode", "code", "click_id"]),
    table("event", ID),
    table("event_body", &["workspace_id", "mode", "event_id"]),
    table("question", &["workspace_id", "mode", "stripe_id"]),
    table("payment", ID),
    table("candidate", &["workspace_id", "mode", "value", "payment_id"]),
    table("payment_object", &["workspace_id", "mode", "stripe_id"]),
    table("holder", &["workspace_id", "mode", "stripe_id"]),
    table("lead", ID),
    table("address", &["workspace_id", "mode", "email", "named_by"]),
    Table { loose: &["created_at"], ..table("customer", ID) },
    table("external_customer", &["workspace_id", "mode", "customer_external_id", "named_by"]),
    table("report", ID),
    table("commission", ID),
    table("ledger_entry", ID),
    table("payout", ID),
    table("payout_entry", &["workspace_id", "mode", "entry_id"]),
    table("attribution", ID),
    table("activity", ID),
];

impl Table {
    pub(super) fn named(name: &str) -> Option<Self> {
        TABLES.iter().find(|table| table.name == name).copied()
    }

    /// Its columns, in the order of the schema.
    pub(super) fn columns(&self, tx: Everywhere<'_>) -> Result<Vec<String>, StoreError> {
        schema::columns(tx, self.name)
    }

    /// The statement that selects the rows of this many workspaces.
    pub(super) fn rows_of(&self, columns: &[String], workspaces: usize) -> String {
        let exported = columns.iter().map(|column| self.placeholder(column).unwrap_or(column));
        format!(
            "SELECT {} FROM {} WHERE {} IN ({}) ORDER BY {}",
            exported.collect::<Vec<_>>().join(", "),
            self.name,
            self.key.first().copied().unwrap_or("workspace_id"),
            places(1, workspaces),
            self.order.join(", "),
        )
    }

    /// The SQL that replaces a column that is not exported.
    pub(super) fn placeholder(&self, column: &str) -> Option<&'static str> {
        self.left_out.iter().find(|(name, _)| *name == column).map(|(_, sql)| *sql)
    }
}

/// An error of a file or stream, not of the store.
pub(super) fn unusable(detail: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, detail)
}
