//! `DELETE /api/v1/people/{id}`: removes a person from a workspace.
//!
//! The person keeps the account, and at once loses the sessions and links of this workspace and every open invitation to it.

use axum::extract::{Path, State};
use axum::routing::delete;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::invitation::revoke_open;
use super::member::{PEOPLE, must_leave_an_owner};
use super::person::change_people;
use crate::access::Merchant;
use crate::api::activity::Change;
use crate::problem::Problem;
use crate::store::rows::args;
use crate::trac::Trac;

pub(super) fn routes() -> Router<Trac> {
    Router::new().route("/people/{id}", delete(remove))
}

async fn remove(
    State(trac): State<Trac>,
    caller: Merchant,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    remove_member(&trac, caller, id).await.map(Json)
}

/// Removes a member.
///
/// # Errors
/// `404`, and `409 LAST_OWNER`.
pub(super) async fn remove_member(trac: &Trac, caller: Merchant, id: String) -> Result<Value, Problem> {
    let (scope, of) = (caller.scope.clone(), trac.clone());
    let removed = change_people(trac, &scope, move |tx, scope| {
        let rows = tx.within(scope);
        let before = PEOPLE.find(rows, &of, &id)?;
        must_leave_an_owner(tx, scope, &id)?;
        for table in ["dashboard_token", "member"] {
            let sql = format!("DELETE FROM {table} WHERE workspace_id = ?1 AND person_id = ?2");
            tx.write(&sql, args![scope.workspace_id(), id])?;
        }
        // An invitation to the same address would be a way back.
        if let Some(email) = before.get("email").and_then(Value::as_str) {
            revoke_open(rows, &of, &caller, email)?;
        }
        let change =
            Change { kind: PEOPLE.name, id: &id, verb: "removed", before: Some(&before), after: None };
        caller.record(rows, &of, &change)?;
        Ok(json!({ "id": id, "deleted": true }))
    });
    removed.await
}
