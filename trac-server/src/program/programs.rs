//! `/api/v1/programs`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};
use trac_core::program::{CommissionRule, ProgramTerms};
use trac_core::time::Timestamp;

use super::address::Address;
use super::terms::change_program;
use super::versions::{Change, OF_PROGRAMS, valid_from};
use crate::access::Merchant;
use crate::api::fields::{Fields, text};
use crate::api::frame::Frame;
use crate::api::list::Filter::Is;
use crate::api::list::{Kept, Resource, time, word};
use crate::id::Kind;
use crate::problem::Problem;
use crate::store::StoreError;
use crate::store::rows::{Row, Rows, args};
use crate::trac::Trac;

/// Programs, each with the newest version of its terms.
pub(crate) static PROGRAMS: Resource = Resource {
    name: "program",
    columns: "p.id, p.name, p.slug, p.tracking_domain, p.created_at, v.number, v.valid_from, v.terms",
    from: "program AS p JOIN program_version AS v ON v.workspace_id = p.workspace_id AND v.mode = p.mode \
           AND v.program_id = p.id AND v.number = (SELECT max(number) FROM program_version AS x \
           WHERE x.workspace_id = p.workspace_id AND x.mode = p.mode AND x.program_id = p.id)",
    within: "p.workspace_id = ?1 AND p.mode = ?2",
    id: "p.id",
    order: &["p.id"],
    filters: &[("name", Is("p.name")), ("slug", Is("p.slug")), ("status", Is("v.status"))],
    kept: Kept::Nothing,
    read,
};

fn read(row: &Row<'_>, _: &Trac) -> Result<Value, StoreError> {
    // Deserialized first, so that a field added to `ProgramTerms` since is shown with its default.
    let mut program = serde_json::to_value(row.document::<ProgramTerms>("terms")?)?;
    if let Some(program) = program.as_object_mut() {
        program.insert("id".to_owned(), row.get::<String>("id")?.into());
        program.insert("name".to_owned(), row.get::<String>("name")?.into());
        program.insert("slug".to_owned(), word(row, "slug")?);
        program.insert("tracking_domain".to_owned(), word(row, "tracking_domain")?);
        program.insert("version".to_owned(), row.get::<i64>("number")?.into());
        program.insert("valid_from".to_owned(), time(row, "valid_from")?);
        program.insert("created_at".to_owned(), time(row, "created_at")?);
    }
    Ok(program)
}

pub(super) async fn create(
    State(trac): State<Trac>,
    caller: Merchant,
    mut fields: Fields,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let name = fields.need("name", text(1..=200));
    if !fields.has("commission") || fields.is_null("commission") {
        fields.note("commission", "is required");
    }
    // There is no default commission: the body must contain one.
    let mut terms =
        serde_json::from_value(json!({ "commission": CommissionRule::Percentage { rate_bps: 0 } }))?;
    change_program(&mut fields, &mut terms);
    let address = Address::take(&mut fields, &trac);
    fields.finish()?;
    let name = name.unwrap_or_default();
    let frame = Frame { trac, caller, resource: &PROGRAMS };
    let created = frame.create(move |rows, trac| {
        let (id, now) = (trac.ids.make(Kind::Program), trac.clock.now());
        rows.write(
            "INSERT INTO program (workspace_id, mode, id, name, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            args![id, name, now],
        )?;
        OF_PROGRAMS.add(rows, &id, 1, now, &terms)?;
        address.write(rows, &id)?;
        Ok(id)
    });
    created.await
}

pub(super) async fn change(
    State(trac): State<Trac>,
    caller: Merchant,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Json<Value>, Problem> {
    let frame = Frame { trac, caller, resource: &PROGRAMS };
    let changed = frame.change(id, move |rows, trac, id| {
        let newest = OF_PROGRAMS.newest::<ProgramTerms>(rows, id)?;
        let newest = newest.ok_or_else(|| PROGRAMS.missing(rows, trac, id))?;
        let now = trac.clock.now();
        let Taken { terms, name, address, valid_from } =
            Taken::from(fields, trac, newest.terms.clone(), now)?;
        address.write(rows, id)?;
        if let Some(name) = name {
            rows.write(
                "UPDATE program SET name = ?4 WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3",
                args![id, name],
            )?;
        }
        OF_PROGRAMS.change(rows, id, &newest, &Change { terms, now, valid_from })?;
        Ok(())
    });
    changed.await
}

/// The fields of a body that changes a program.
struct Taken {
    terms: ProgramTerms,
    name: Option<String>,
    address: Address,
    valid_from: Option<Timestamp>,
}

impl Taken {
    /// Reads all fields; the terms are changed by those in the body.
    fn from(
        mut fields: Fields,
        trac: &Trac,
        mut terms: ProgramTerms,
        now: Timestamp,
    ) -> Result<Self, Problem> {
        let valid_from = valid_from(&mut fields, now);
        let name = fields.take("name", text(1..=200));
        change_program(&mut fields, &mut terms);
        let address = Address::take(&mut fields, trac);
        fields.finish()?;
        Ok(Self { terms, name, address, valid_from })
    }
}

/// A program as a change would leave it.
pub(crate) struct Changed {
    pub(crate) terms: ProgramTerms,
    /// As the API shows it, with these terms.
    pub(crate) program: Value,
}

/// The terms that a body of PATCH would give a program. Nothing is written; its name, its addresses and
/// `valid_from` are read like those of a change, and have no effect.
///
/// # Errors
/// `404` if there is no such program, `422` as for a change.
pub(crate) fn changed_terms(
    rows: Rows<'_>,
    trac: &Trac,
    id: &str,
    fields: Fields,
) -> Result<Changed, Problem> {
    let mut program = PROGRAMS.find(rows, trac, id)?;
    let newest = OF_PROGRAMS.newest::<ProgramTerms>(rows, id)?;
    let newest = newest.ok_or_else(|| PROGRAMS.missing(rows, trac, id))?;
    let Taken { terms, .. } = Taken::from(fields, trac, newest.terms, trac.clock.now())?;
    if let (Some(program), Value::Object(terms)) = (program.as_object_mut(), serde_json::to_value(&terms)?) {
        program.extend(terms);
    }
    Ok(Changed { terms, program })
}
