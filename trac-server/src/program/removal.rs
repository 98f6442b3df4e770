//! Deletes a program, a partner or an enrollment that was created by mistake. If other rows refer to it, it
//! cannot be deleted, only archived or suspended, so that old clicks and commissions can still be explained.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::{ENROLLMENTS, PARTNERS, PROGRAMS};
use crate::access::Merchant;
use crate::api::activity::Change;
use crate::api::list::Resource;
use crate::problem::Problem;
use crate::store::rows::{Rows, args};
use crate::store::{Priority, StoreError};
use crate::trac::Trac;

/// How rows of one resource are deleted. The statements' parameters are the workspace, the mode and the ID.
struct Removal {
    resource: &'static Resource,
    /// The code of the error if the row is in use, and its advice.
    in_use: (&'static str, &'static str),
    /// The kinds of rows that may refer to it, each with the SQL that finds them.
    referrers: &'static [(&'static str, &'static str)],
    /// The rows that are deleted with it, and its own.
    rows: &'static [&'static str],
}

static OF_PROGRAMS: Removal = Removal {
    resource: &PROGRAMS,
    in_use: ("PROGRAM_IN_USE", "Archive it instead: PATCH it with status archived."),
    referrers: &[
        ("enrollments", "enrollment WHERE workspace_id = ?1 AND mode = ?2 AND program_id = ?3"),
        ("links", "link WHERE workspace_id = ?1 AND mode = ?2 AND program_id = ?3 AND deleted_at IS NULL"),
        ("commissions", "commission WHERE workspace_id = ?1 AND mode = ?2 AND program_id = ?3"),
        (
            "clicks",
            "click_day WHERE scope = (SELECT no FROM scope WHERE workspace_id = ?1 AND mode = ?2) AND key = (SELECT no FROM name WHERE id = ?3)",
        ),
    ],
    rows: &[
        "link WHERE workspace_id = ?1 AND mode = ?2 AND program_id = ?3",
        "program_version WHERE workspace_id = ?1 AND mode = ?2 AND program_id = ?3",
        "program WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3",
    ],
};

static OF_PARTNERS: Removal = Removal {
    resource: &PARTNERS,
    in_use: ("PARTNER_IN_USE", "Suspend or ban the partner's enrollments instead."),
    referrers: &[
        ("enrollments", "enrollment WHERE workspace_id = ?1 AND mode = ?2 AND partner_id = ?3"),
        ("links", "link WHERE workspace_id = ?1 AND mode = ?2 AND partner_id = ?3 AND deleted_at IS NULL"),
        ("commissions", "commission WHERE workspace_id = ?1 AND mode = ?2 AND partner_id = ?3"),
        ("payouts", "payout WHERE workspace_id = ?1 AND mode = ?2 AND partner_id = ?3"),
        (
            "clicks",
            "click_day WHERE scope = (SELECT no FROM scope WHERE workspace_id = ?1 AND mode = ?2) AND key = (SELECT no FROM name WHERE id = ?3)",
        ),
    ],
    rows: &[
        "link WHERE workspace_id = ?1 AND mode = ?2 AND partner_id = ?3",
        "partner_address WHERE workspace_id = ?1 AND mode = ?2 AND partner_id = ?3",
        "partner WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3",
    ],
};

static OF_ENROLLMENTS: Removal = Removal {
    resource: &ENROLLMENTS,
    in_use: ("ENROLLMENT_IN_USE", "Suspend it instead: PATCH it with status suspended."),
    referrers: &[
        (
            "links",
            "enrollment AS e JOIN link AS l ON l.workspace_id = e.workspace_id AND l.mode = e.mode \
             AND l.program_id = e.program_id AND l.partner_id = e.partner_id \
             WHERE e.workspace_id = ?1 AND e.mode = ?2 AND e.id = ?3 AND l.deleted_at IS NULL",
        ),
        ("commissions", "commission WHERE workspace_id = ?1 AND mode = ?2 AND enrollment_id = ?3"),
        ("promotion codes", "promotion_code WHERE workspace_id = ?1 AND mode = ?2 AND enrollment_id = ?3"),
        (
            "clicks",
            "enrollment AS e JOIN name AS b ON b.id = e.program_id || '/' || e.partner_id JOIN click_day AS c \
             ON c.scope = (SELECT no FROM scope WHERE workspace_id = ?1 AND mode = ?2) AND c.key = b.no WHERE e.workspace_id = ?1 AND e.mode = ?2 AND e.id = ?3",
        ),
    ],
    rows: &[
        "enrollment_version WHERE workspace_id = ?1 AND mode = ?2 AND enrollment_id = ?3",
        "enrollment WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3",
    ],
};

pub(super) async fn program(
    State(trac): State<Trac>,
    caller: Merchant,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    OF_PROGRAMS.run(trac, caller, id).await
}

pub(super) async fn partner(
    State(trac): State<Trac>,
    caller: Merchant,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    OF_PARTNERS.run(trac, caller, id).await
}

pub(super) async fn enrollment(
    State(trac): State<Trac>,
    caller: Merchant,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    OF_ENROLLMENTS.run(trac, caller, id).await
}

impl Removal {
    async fn run(&'static self, trac: Trac, caller: Merchant, id: String) -> Result<Json<Value>, Problem> {
        let (store, scope) = (trac.store.clone(), caller.scope.clone());
        let removed = store.try_write_in(&scope, Priority::Api, move |rows| {
            let row = self.resource.find(rows, &trac, &id)?;
            let referrers = self.referrers(rows, &id)?;
            if !referrers.is_empty() {
                let (code, advice) = self.in_use;
                let message =
                    format!("{} refer to this {}. {advice}", listed(&referrers), self.resource.name);
                return Err(Problem::conflict(code, message).about("referred_to_by", &referrers.join(", ")));
            }
            for from in self.rows {
                rows.write(&format!("DELETE FROM {from}"), args![id])?;
            }
            let kind = self.resource.name;
            let change = Change { kind, id: &id, verb: "deleted", before: Some(&row), after: None };
            caller.record(rows, &trac, &change)?;
            Ok(json!({ "id": id, "deleted": true }))
        });
        removed.await.map(Json)
    }

    fn referrers(&self, rows: Rows<'_>, id: &str) -> Result<Vec<&'static str>, StoreError> {
        let mut found = Vec::new();
        for (name, from) in self.referrers {
            if rows.exists(&format!("SELECT 1 FROM {from} LIMIT 1"), args![id])? {
                found.push(*name);
            }
        }
        Ok(found)
    }
}

/// `Enrollments, links and clicks`.
fn listed(words: &[&str]) -> String {
    let text = match words.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    };
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
