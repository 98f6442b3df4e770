//! `/api/v1/invitations`: links by which people join a workspace.
//!
//! An invitation is for one e-mail address, is valid for seven days, and is used once. A second invitation for an address
//! replaces the first. Its token is shown once, in the URL, and stored as a hash.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{delete, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use trac_core::time::Timestamp;

use super::member::{ROLES, is_member, join};
use super::person::{change_people, first_scope};
use crate::access::role::Role;
use crate::access::{Actor, Merchant, key_hash};
use crate::api::activity::{Change, record};
use crate::api::fields::{Fields, email, one_of as one_of_words};
use crate::api::list::Filter::Is;
use crate::api::list::{Kept, Resource, list_of, one_of, time, word};
use crate::id::{Kind, random_hex};
use crate::mail::{MailKind, queue};
use crate::problem::Problem;
use crate::store::rows::{Row, Rows, args};
use crate::store::{Everywhere, Scope, StoreError};
use crate::trac::Trac;

pub(super) fn routes() -> Router<Trac> {
    Router::new()
        .route("/invitations", list_of(&INVITATIONS).merge(post(create)))
        .route("/invitations/{id}", one_of(&INVITATIONS).merge(delete(revoke)))
}

/// How long an invitation is valid.
const VALID_SECS: i64 = MailKind::Invitation.lasts_secs();

/// All invitations of a workspace, the same in both modes, without their tokens.
pub(crate) static INVITATIONS: Resource = Resource {
    name: "invitation",
    columns: "i.id, i.email, i.role, i.invited_by, i.created_at, i.expires_at, i.accepted_at, i.revoked_at, \
              CASE WHEN i.accepted_at IS NOT NULL THEN 'accepted' WHEN i.revoked_at IS NOT NULL THEN 'revoked' \
              WHEN i.expires_at <= ?3 THEN 'expired' ELSE 'pending' END AS status",
    from: "invitation AS i",
    within: "i.workspace_id = ?1 AND CAST(?2 AS TEXT) IS NOT NULL",
    id: "i.id",
    order: &["i.id"],
    filters: &[("email", Is("i.email"))],
    kept: Kept::Nothing,
    read,
};

fn read(row: &Row<'_>, _: &Trac) -> Result<Value, StoreError> {
    Ok(json!({
        "id": word(row, "id")?,
        "email": word(row, "email")?,
        "role": word(row, "role")?,
        "status": word(row, "status")?,
        "invited_by": word(row, "invited_by")?,
        "created_at": time(row, "created_at")?,
        "expires_at": time(row, "expires_at")?,
        "accepted_at": time(row, "accepted_at")?,
        "revoked_at": time(row, "revoked_at")?,
    }))
}

async fn create(
    State(trac): State<Trac>,
    caller: Merchant,
    mut fields: Fields,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let email = fields.need("email", email);
    let role = fields.need("role", one_of_words(ROLES));
    fields.finish()?;
    let (email, role) = (email.unwrap_or_default(), role.unwrap_or(Role::Viewer));
    invite(&trac, caller, &email, role).await.map(|made| (StatusCode::CREATED, Json(made)))
}

/// Makes an invitation and returns it with its URL, which is shown only now.
///
/// # Errors
/// `409 ALREADY_MEMBER` if the address is that of a member.
pub(super) async fn invite(trac: &Trac, caller: Merchant, email: &str, role: Role) -> Result<Value, Problem> {
    let (scope, of, email) = (caller.scope.clone(), trac.clone(), email.to_lowercase());
    let made = change_people(trac, &scope, move |tx, scope| {
        let rows = tx.within(scope);
        let (id, token, now) = (of.ids.make(Kind::Invitation), random_hex::<32>(), of.clock.now());
        let sql = "SELECT 1 FROM member AS m JOIN person AS p ON p.id = m.person_id \
                   WHERE m.workspace_id = ?1 AND p.email = ?2";
        if tx.exists(sql, args![scope.workspace_id(), email])? {
            let message = "A person with this e-mail address is a member already.";
            return Err(Problem::conflict("ALREADY_MEMBER", message));
        }
        revoke_open(rows, &of, &caller, &email)?;
        tx.write(
            "INSERT INTO invitation (workspace_id, id, hash, email, role, invited_by, created_at, expires_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            args![
                scope.workspace_id(),
                id,
                key_hash(&token),
                email,
                role.as_str(),
                caller.actor.name,
                now,
                now.plus_secs(VALID_SECS)
            ],
        )?;
        queue(rows, &of, MailKind::Invitation, &email, &id)?;
        let mut made = INVITATIONS.find(rows, &of, &id)?;
        let change =
            Change { kind: INVITATIONS.name, id: &id, verb: "created", before: None, after: Some(&made) };
        caller.record(rows, &of, &change)?;
        if let Some(object) = made.as_object_mut() {
            let url = format!("{}/dashboard/join?token={token}", of.public_url);
            object.insert("url".to_owned(), Value::String(url));
        }
        Ok(made)
    });
    made.await
}

async fn revoke(
    State(trac): State<Trac>,
    caller: Merchant,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    revoke_invitation(&trac, caller, id).await.map(Json)
}

/// Revokes an invitation that was not accepted yet, and returns it.
///
/// # Errors
/// `404`, and `409 INVITATION_ACCEPTED`.
pub(super) async fn revoke_invitation(trac: &Trac, caller: Merchant, id: String) -> Result<Value, Problem> {
    let (scope, of) = (caller.scope.clone(), trac.clone());
    let revoked = change_people(trac, &scope, move |tx, scope| {
        let rows = tx.within(scope);
        let before = INVITATIONS.find(rows, &of, &id)?;
        if before.get("status").is_some_and(|status| status == "accepted") {
            let message = "This invitation was accepted: remove the person instead.";
            return Err(Problem::conflict("INVITATION_ACCEPTED", message));
        }
        revoke_one(rows, &of, &caller, &before)
    });
    revoked.await
}

/// Revokes the open invitations of an address.
pub(super) fn revoke_open(
    rows: Rows<'_>,
    trac: &Trac,
    caller: &Merchant,
    email: &str,
) -> Result<(), Problem> {
    let sql = "SELECT id FROM invitation WHERE workspace_id = ?1 AND email = ?2 \
               AND accepted_at IS NULL AND revoked_at IS NULL";
    let open: Vec<String> =
        rows.everywhere().all(sql, args![rows.scope().workspace_id(), email], |row| row.get(0))?;
    for id in open {
        revoke_one(rows, trac, caller, &INVITATIONS.find(rows, trac, &id)?)?;
    }
    Ok(())
}

/// Revokes an invitation, and returns it as it is then.
fn revoke_one(rows: Rows<'_>, trac: &Trac, caller: &Merchant, before: &Value) -> Result<Value, Problem> {
    let id = before.get("id").and_then(Value::as_str).unwrap_or_default();
    let sql =
        "UPDATE invitation SET revoked_at = coalesce(revoked_at, ?3) WHERE workspace_id = ?1 AND id = ?2";
    rows.everywhere().write(sql, args![rows.scope().workspace_id(), id, trac.clock.now()])?;
    let after = INVITATIONS.find(rows, trac, id)?;
    let kind = INVITATIONS.name;
    let change = Change { kind, id, verb: "revoked", before: Some(before), after: Some(&after) };
    caller.record(rows, trac, &change)?;
    Ok(after)
}

/// An invitation that can be accepted.
#[derive(Clone, Debug)]
pub(super) struct Open {
    id: String,
    pub(super) workspace_id: String,
    pub(super) workspace: String,
    pub(super) email: String,
    pub(super) role: Role,
    pub(super) invited_by: String,
    /// Whether the token is that of the mail, which only a reader of the mails of this address has.
    pub(super) is_mailed: bool,
}

/// The columns of an [`Open`], from `invitation AS i` and `workspace AS w`.
const OPEN: &str = "SELECT i.id, i.workspace_id, w.name, i.email, i.role, i.invited_by FROM invitation AS i \
                    JOIN workspace AS w ON w.id = i.workspace_id";

/// Makes the token of the link in the mail of an invitation, beside that of the link that the inviter has seen. `None` if
/// it can no longer be accepted.
///
/// # Errors
/// The store's.
pub(super) fn mailed_token(
    rows: Rows<'_>,
    trac: &Trac,
    id: &str,
) -> Result<Option<(String, Open)>, StoreError> {
    let (tx, workspace_id) = (rows.everywhere(), rows.scope().workspace_id());
    let sql = format!(
        "{OPEN} WHERE i.workspace_id = ?1 AND i.id = ?2 AND i.accepted_at IS NULL AND i.revoked_at IS NULL \
         AND i.expires_at > ?3"
    );
    let Some(open) = tx.one(&sql, args![workspace_id, id, trac.clock.now()], Open::read)? else {
        return Ok(None);
    };
    let token = random_hex::<32>();
    let sql = "UPDATE invitation SET mail_hash = ?3 WHERE workspace_id = ?1 AND id = ?2";
    tx.write(sql, args![workspace_id, id, key_hash(&token)])?;
    Ok(Some((token, open)))
}

impl Open {
    /// The invitation of a token, if it is not expired, revoked or accepted.
    pub(super) fn of_token(
        tx: Everywhere<'_>,
        token: &str,
        now: Timestamp,
    ) -> Result<Option<Self>, StoreError> {
        for hash in ["hash", "mail_hash"] {
            let sql = format!(
                "{OPEN} WHERE i.{hash} = ?1 AND i.accepted_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > ?2"
            );
            if let Some(open) = tx.one(&sql, args![key_hash(token), now], Self::read)? {
                return Ok(Some(Self { is_mailed: hash == "mail_hash", ..open }));
            }
        }
        Ok(None)
    }

    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            workspace_id: row.get("workspace_id")?,
            workspace: row.get("name")?,
            email: row.get("email")?,
            role: Role::from_word(row.text("role")?).unwrap_or(Role::Viewer),
            invited_by: row.get("invited_by")?,
            is_mailed: false,
        })
    }

    /// The workspace, in the mode that a new member sees first.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn scope(&self, trac: &Trac) -> Result<Scope, StoreError> {
        let id = self.workspace_id.clone();
        trac.store.read(move |tx| first_scope(tx, &id)).await
    }

    /// Accepts the invitation for a person, in the scope of `rows`. `false` if another request was faster.
    pub(super) fn accept(
        &self,
        rows: Rows<'_>,
        trac: &Trac,
        person: &str,
        actor: &Actor,
    ) -> Result<bool, Problem> {
        let tx = rows.everywhere();
        let sql = "UPDATE invitation SET accepted_at = ?3 WHERE workspace_id = ?1 AND id = ?2 AND accepted_at IS NULL \
                   AND revoked_at IS NULL AND expires_at > ?3";
        if tx.write(sql, args![self.workspace_id, self.id, trac.clock.now()])? == 0 {
            return Ok(false);
        }
        if is_member(tx, &self.workspace_id, person)? {
            let after = INVITATIONS.find(rows, trac, &self.id)?;
            let kind = INVITATIONS.name;
            record(
                rows,
                trac,
                actor,
                &Change { kind, id: &self.id, verb: "accepted", before: None, after: Some(&after) },
            )?;
            return Ok(true);
        }
        let mut after = join(rows, trac, person, self.role)?;
        if let Some(after) = after.as_object_mut() {
            after.insert("invitation_id".to_owned(), Value::String(self.id.clone()));
        }
        let change = Change { kind: "person", id: person, verb: "joined", before: None, after: Some(&after) };
        record(rows, trac, actor, &change)?;
        Ok(true)
    }
}
