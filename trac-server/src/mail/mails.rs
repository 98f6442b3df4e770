//! `/api/v1/mails`: what was sent, or will be, to whom and with what result.

use axum::extract::{Path, State};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use trac_core::time::Timestamp;

use super::outbox::MailKind;
use crate::access::Merchant;
use crate::api::activity::Change;
use crate::api::list::Filter::Is;
use crate::api::list::{Kept, Resource, list_of, number, one_of, time, word};
use crate::problem::Problem;
use crate::store::rows::{Row, args};
use crate::store::{Priority, StoreError};
use crate::trac::Trac;

pub(crate) fn routes() -> Router<Trac> {
    Router::new()
        .route("/mails", list_of(&MAILS))
        .route("/mails/{id}", one_of(&MAILS))
        .route("/mails/{id}/resend", post(resend))
}

/// All mails, the newest first. The tokens of links are not part of the texts.
pub(crate) static MAILS: Resource = Resource {
    name: "mail",
    columns: "m.id, m.kind, m.recipient, m.about, m.status, m.attempts, m.next_at, m.subject, m.text, m.error, \
              m.created_at, m.sent_at",
    from: "mail AS m",
    within: "m.workspace_id = ?1 AND m.mode = ?2",
    id: "m.id",
    order: &["m.id"],
    filters: &[("kind", Is("m.kind")), ("status", Is("m.status")), ("to", Is("m.recipient"))],
    kept: Kept::Nothing,
    read,
};

fn read(row: &Row<'_>, _: &Trac) -> Result<Value, StoreError> {
    Ok(json!({
        "id": word(row, "id")?,
        "kind": word(row, "kind")?,
        "to": word(row, "recipient")?,
        "about": word(row, "about")?,
        "status": word(row, "status")?,
        "attempts": number(row, "attempts")?,
        "next_attempt_at": time(row, "next_at")?,
        "subject": word(row, "subject")?,
        "text": word(row, "text")?,
        "error": word(row, "error")?,
        "created_at": time(row, "created_at")?,
        "sent_at": time(row, "sent_at")?,
    }))
}

/// Sends a mail again, with a new link if it has one.
async fn resend(
    State(trac): State<Trac>,
    caller: Merchant,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let (store, scope) = (trac.store.clone(), caller.scope.clone());
    let resent = store.try_write_in(&scope, Priority::Api, move |rows| {
        let before = MAILS.find(rows, &trac, &id)?;
        let text = |name: &str| before.get(name).and_then(Value::as_str).unwrap_or_default();
        let lasts_secs = MailKind::from_word(text("kind")).map_or(0, MailKind::lasts_secs);
        let (now, made) =
            (trac.clock.now(), Timestamp::parse_rfc3339(text("created_at")).unwrap_or_default());
        if now.secs_since(made) >= lasts_secs {
            let message = "This mail is too old to be of use. Ask for a new one.";
            return Err(Problem::conflict("MAIL_EXPIRED", message));
        }
        if text("status") == "canceled" {
            let message = "What this mail is about is over, so it is not sent again.";
            return Err(Problem::conflict("MAIL_CANCELED", message));
        }
        let sql = "UPDATE mail SET status = 'queued', attempts = 0, next_at = ?4, error = NULL \
                   WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
        rows.write(sql, args![id, now])?;
        let after = MAILS.find(rows, &trac, &id)?;
        let change =
            Change { kind: MAILS.name, id: &id, verb: "resent", before: Some(&before), after: Some(&after) };
        caller.record(rows, &trac, &change)?;
        Ok(after)
    });
    resent.await.map(Json)
}
