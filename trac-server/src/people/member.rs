//! `/api/v1/people`: the people of a workspace and their roles.
//!
//! A workspace that has people always has an owner.

use axum::extract::{Path, State};
use axum::routing::patch;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::person::change_people;
use crate::access::Merchant;
use crate::access::role::Role;
use crate::api::activity::Change;
use crate::api::fields::{Fields, one_of as one_of_words};
use crate::api::list::Filter::Is;
use crate::api::list::{Kept, Resource, list_of, one_of, time, word};
use crate::problem::Problem;
use crate::store::rows::{Row, Rows, args};
use crate::store::{Everywhere, Scope, StoreError};
use crate::trac::Trac;

pub(super) fn routes() -> Router<Trac> {
    Router::new()
        .route("/people", list_of(&PEOPLE))
        .route("/people/{id}", one_of(&PEOPLE).merge(patch(change)))
}

/// The words of a role, for errors.
pub(super) const ROLES: &str = "owner, manager, finance, support, viewer";

/// The members of a workspace, the same in both modes.
pub(crate) static PEOPLE: Resource = Resource {
    name: "person",
    columns: "p.id, p.name, p.email, m.role, m.since, m.last_seen_at, p.totp_since IS NOT NULL AS has_second_factor",
    from: "member AS m JOIN person AS p ON p.id = m.person_id",
    within: "m.workspace_id = ?1 AND CAST(?2 AS TEXT) IS NOT NULL",
    id: "m.person_id",
    order: &["m.since", "m.person_id"],
    filters: &[("email", Is("p.email"))],
    kept: Kept::Nothing,
    read,
};

fn read(row: &Row<'_>, _: &Trac) -> Result<Value, StoreError> {
    Ok(json!({
        "id": word(row, "id")?,
        "name": word(row, "name")?,
        "email": word(row, "email")?,
        "role": word(row, "role")?,
        "since": time(row, "since")?,
        "last_seen_at": time(row, "last_seen_at")?,
        "has_second_factor": row.get::<bool>("has_second_factor")?,
    }))
}

async fn change(
    State(trac): State<Trac>,
    caller: Merchant,
    Path(id): Path<String>,
    mut fields: Fields,
) -> Result<Json<Value>, Problem> {
    let role = fields.take("role", one_of_words(ROLES));
    fields.finish()?;
    set_role(&trac, caller, id, role).await.map(Json)
}

/// Changes the role of a member, if one is given, and returns the member.
///
/// # Errors
/// `404`, and `409 LAST_OWNER`.
pub(super) async fn set_role(
    trac: &Trac,
    caller: Merchant,
    id: String,
    role: Option<Role>,
) -> Result<Value, Problem> {
    let (scope, of) = (caller.scope.clone(), trac.clone());
    let changed = change_people(trac, &scope, move |tx, scope| {
        let rows = tx.within(scope);
        let before = PEOPLE.find(rows, &of, &id)?;
        let Some(role) = role else { return Ok(before) };
        if role != Role::Owner {
            must_leave_an_owner(tx, scope, &id)?;
        }
        let sql = "UPDATE member SET role = ?3 WHERE workspace_id = ?1 AND person_id = ?2";
        tx.write(sql, args![scope.workspace_id(), id, role.as_str()])?;
        let after = PEOPLE.find(rows, &of, &id)?;
        let change =
            Change { kind: "person", id: &id, verb: "changed", before: Some(&before), after: Some(&after) };
        caller.record(rows, &of, &change)?;
        Ok(after)
    });
    changed.await
}

/// Refuses to demote or remove the last owner.
pub(super) fn must_leave_an_owner(tx: Everywhere<'_>, scope: &Scope, id: &str) -> Result<(), Problem> {
    let sql = "SELECT person_id FROM member WHERE workspace_id = ?1 AND role = 'owner'";
    let owners: Vec<String> = tx.all(sql, args![scope.workspace_id()], |row| row.get(0))?;
    if owners != [id] {
        return Ok(());
    }
    let message = "This is the last owner. Make another person an owner first.";
    Err(Problem::conflict("LAST_OWNER", message))
}

/// Whether the workspace has a person. Then no secret key opens its dashboard.
pub(super) fn has_people(tx: Everywhere<'_>, workspace_id: &str) -> Result<bool, StoreError> {
    tx.exists("SELECT 1 FROM member WHERE workspace_id = ?1 LIMIT 1", args![workspace_id])
}

/// Whether the person is a member of the workspace.
pub(super) fn is_member(tx: Everywhere<'_>, workspace_id: &str, person: &str) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM member WHERE workspace_id = ?1 AND person_id = ?2";
    tx.exists(sql, args![workspace_id, person])
}

/// Makes a person a member, and ends the sessions and links without a person in this workspace: from now on, people open
/// its dashboard.
pub(super) fn join(rows: Rows<'_>, trac: &Trac, person: &str, role: Role) -> Result<Value, Problem> {
    let (tx, scope, now) = (rows.everywhere(), rows.scope(), trac.clock.now());
    tx.write(
        "INSERT INTO member (workspace_id, person_id, role, since) VALUES (?1, ?2, ?3, ?4)",
        args![scope.workspace_id(), person, role.as_str(), now],
    )?;
    let sql = "DELETE FROM dashboard_token WHERE workspace_id = ?1 AND person_id IS NULL";
    tx.write(sql, args![scope.workspace_id()])?;
    PEOPLE.find(rows, trac, person)
}

/// The workspaces of a person: ID and name, by name.
///
/// # Errors
/// The store's.
pub(crate) fn workspaces_of(tx: Everywhere<'_>, person: &str) -> Result<Vec<(String, String)>, StoreError> {
    let sql = "SELECT w.id, w.name FROM member AS m JOIN workspace AS w ON w.id = m.workspace_id \
               WHERE m.person_id = ?1 ORDER BY w.name, w.id";
    tx.all(sql, args![person], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// The member of a workspace with an e-mail address.
///
/// # Errors
/// The store's.
pub(crate) fn member_of_email(
    tx: Everywhere<'_>,
    workspace_id: &str,
    email: &str,
) -> Result<Option<String>, StoreError> {
    let sql = "SELECT p.id FROM member AS m JOIN person AS p ON p.id = m.person_id \
               WHERE m.workspace_id = ?1 AND p.email = ?2";
    tx.one(sql, args![workspace_id, email.trim().to_lowercase()], |row| row.get(0))
}

/// The e-mail addresses of a workspace's people, the owners first.
///
/// # Errors
/// The store's.
pub(crate) fn emails(tx: Everywhere<'_>, workspace_id: &str) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT p.email FROM member AS m JOIN person AS p ON p.id = m.person_id WHERE m.workspace_id = ?1 \
               ORDER BY CASE m.role WHEN 'owner' THEN 0 ELSE 1 END, m.since, p.email";
    tx.all(sql, args![workspace_id], |row| row.get(0))
}
