//! `/api/v1/partners`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::addresses;
use crate::access::Merchant;
use crate::api::fields::{Fields, email, flag, text, token};
use crate::api::frame::Frame;
use crate::api::list::Filter::Is;
use crate::api::list::{Kept, Resource, time, word};
use crate::id::{Kind, random_word};
use crate::problem::Problem;
use crate::store::rows::{Row, Rows, args};
use crate::store::{StoreError, StoreErrorKind};
use crate::trac::Trac;

/// Partners.
pub(crate) static PARTNERS: Resource = Resource {
    name: "partner",
    columns: "p.id, p.name, p.email, p.code, p.created_at",
    from: "partner AS p",
    within: "p.workspace_id = ?1 AND p.mode = ?2",
    id: "p.id",
    order: &["p.id"],
    filters: &[
        ("name", Is("p.name")),
        // The index `partner_email` leaves out partners without an address; the planner uses it only if the
        // query does, too.
        ("email", Is("p.email IS NOT NULL AND lower(p.email)")),
        ("code", Is("p.code")),
    ],
    kept: Kept::Nothing,
    read,
};

fn read(row: &Row<'_>, _: &Trac) -> Result<Value, StoreError> {
    Ok(json!({
        "id": word(row, "id")?,
        "name": word(row, "name")?,
        "email": word(row, "email")?,
        "code": word(row, "code")?,
        "created_at": time(row, "created_at")?,
    }))
}

pub(super) async fn create(
    State(trac): State<Trac>,
    caller: Merchant,
    mut fields: Fields,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let name = fields.need("name", text(1..=200));
    let email = fields.take("email", email);
    let code = fields.take("code", token);
    let anyway = fields.take("anyway", flag).unwrap_or_default();
    fields.finish()?;
    let name = name.unwrap_or_default();
    let code = code.unwrap_or_else(|| code_from(&name));
    let frame = Frame { trac, caller, resource: &PARTNERS };
    let created = frame.create(move |rows, trac| {
        if let Some(email) = email.as_deref().filter(|_| !anyway) {
            must_be_new(rows, email, "")?;
        }
        let id = trac.ids.make(Kind::Partner);
        let inserted = rows.write(
            "INSERT INTO partner (workspace_id, mode, id, name, email, code, created_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            args![id, name, email, code, trac.clock.now()],
        );
        inserted.map_err(code_taken)?;
        if let Some(email) = &email {
            addresses::add(rows, trac.clock.now(), &id, email)?;
        }
        Ok(id)
    });
    created.await
}

pub(super) async fn change(
    State(trac): State<Trac>,
    caller: Merchant,
    Path(id): Path<String>,
    mut fields: Fields,
) -> Result<Json<Value>, Problem> {
    let name = fields.take("name", text(1..=200));
    let email = fields.take_nullable("email", email);
    let code = fields.take("code", token);
    let anyway = fields.take("anyway", flag).unwrap_or_default();
    fields.finish()?;
    let frame = Frame { trac, caller, resource: &PARTNERS };
    let changed = frame.change(id, move |rows, trac, id| {
        if let Some(name) = name {
            update(rows, id, "name", Some(&name))?;
        }
        if let Some(email) = email {
            if let Some(email) = email.as_deref().filter(|_| !anyway) {
                must_be_new(rows, email, id)?;
            }
            update(rows, id, "email", email.as_deref())?;
            if let Some(email) = &email {
                addresses::add(rows, trac.clock.now(), id, email)?;
            }
        }
        if let Some(code) = code {
            update(rows, id, "code", Some(&code)).map_err(code_taken)?;
        }
        Ok(())
    });
    changed.await
}

fn update(rows: Rows<'_>, id: &str, column: &'static str, value: Option<&str>) -> Result<usize, StoreError> {
    let sql = format!("UPDATE partner SET {column} = ?4 WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3");
    rows.write(&sql, args![id, value])
}

/// Rejects an e-mail address that another partner has, in any case: it is probably the same person.
fn must_be_new(rows: Rows<'_>, email: &str, own_id: &str) -> Result<(), Problem> {
    let sql = "SELECT id FROM partner WHERE workspace_id = ?1 AND mode = ?2 AND email IS NOT NULL \
               AND lower(email) = lower(?3) AND id <> ?4 ORDER BY id LIMIT 1";
    let Some(known) = rows.one(sql, args![email, own_id], |row| row.get::<String>(0))? else {
        return Ok(());
    };
    let message =
        format!("{known} has this e-mail address. If this is a different partner, add \"anyway\": true.");
    Err(Problem::conflict("PARTNER_EXISTS", message).about("partner_id", &known))
}

fn code_taken(error: StoreError) -> Problem {
    if error.kind() == StoreErrorKind::Conflict {
        return Problem::conflict("CODE_TAKEN", "Another partner of this workspace has this code.");
    }
    error.into()
}

/// A code made from a name: its first letters and digits, then six random characters, as in `ada-k7xqbr`.
fn code_from(name: &str) -> String {
    let plain: String = name.to_lowercase().chars().filter(char::is_ascii_alphanumeric).take(16).collect();
    let tail = random_word::<6>();
    if plain.is_empty() { format!("{}{tail}", random_word::<4>()) } else { format!("{plain}-{tail}") }
}
