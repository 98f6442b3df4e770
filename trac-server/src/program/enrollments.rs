//! `/api/v1/enrollments`: which partner takes part in which program, and on which terms.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};
use trac_core::program::EnrollmentTerms;

use super::promotion_codes::{Holder, promotion_codes};
use super::terms::change_enrollment;
use super::versions::{Change, OF_ENROLLMENTS, valid_from};
use super::{PARTNERS, PROGRAMS};
use crate::access::Merchant;
use crate::api::fields::{Fields, text};
use crate::api::frame::Frame;
use crate::api::list::Filter::Is;
use crate::api::list::{Kept, Resource, number, time, word};
use crate::id::Kind;
use crate::problem::Problem;
use crate::store::rows::{Row, args};
use crate::store::{StoreError, StoreErrorKind};
use crate::trac::Trac;

/// Enrollments, each with the newest version of its terms.
pub(crate) static ENROLLMENTS: Resource = Resource {
    name: "enrollment",
    columns: "e.id, e.program_id, e.partner_id, e.created_at, v.number, v.valid_from, v.terms, \
        (SELECT string_agg(code, '\n' ORDER BY code) FROM promotion_code AS c WHERE c.workspace_id = e.workspace_id \
        AND c.mode = e.mode AND c.enrollment_id = e.id AND c.taken_at IS NULL) AS promotion_codes",
    from: "enrollment AS e JOIN enrollment_version AS v ON v.workspace_id = e.workspace_id AND v.mode = e.mode \
           AND v.enrollment_id = e.id AND v.number = (SELECT max(number) FROM enrollment_version AS x \
           WHERE x.workspace_id = e.workspace_id AND x.mode = e.mode AND x.enrollment_id = e.id)",
    within: "e.workspace_id = ?1 AND e.mode = ?2",
    id: "e.id",
    order: &["e.id"],
    filters: &[
        ("program_id", Is("e.program_id")),
        ("partner_id", Is("e.partner_id")),
        ("status", Is("v.status")),
    ],
    kept: Kept::Nothing,
    read,
};

fn read(row: &Row<'_>, _: &Trac) -> Result<Value, StoreError> {
    let terms: EnrollmentTerms = row.document("terms")?;
    Ok(json!({
        "id": word(row, "id")?,
        "program_id": word(row, "program_id")?,
        "partner_id": word(row, "partner_id")?,
        "status": terms.status,
        "note": terms.note,
        "commission": terms.commission,
        "promotion_codes": row.words("promotion_codes")?,
        "version": number(row, "number")?,
        "valid_from": time(row, "valid_from")?,
        "created_at": time(row, "created_at")?,
    }))
}

pub(super) async fn create(
    State(trac): State<Trac>,
    caller: Merchant,
    mut fields: Fields,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let program_id = fields.need("program_id", text(1..=64));
    let partner_id = fields.need("partner_id", text(1..=64));
    let mut terms = EnrollmentTerms::default();
    change_enrollment(&mut fields, &mut terms);
    let codes = fields.take("promotion_codes", promotion_codes).unwrap_or_default();
    fields.finish()?;
    let (program_id, partner_id) = (program_id.unwrap_or_default(), partner_id.unwrap_or_default());
    let frame = Frame { trac, caller, resource: &ENROLLMENTS };
    let created = frame.create(move |rows, trac| {
        PROGRAMS.find(rows, trac, &program_id)?;
        PARTNERS.find(rows, trac, &partner_id)?;
        let (id, now) = (trac.ids.make(Kind::Enrollment), trac.clock.now());
        let inserted = rows.write(
            "INSERT INTO enrollment (workspace_id, mode, id, program_id, partner_id, created_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            args![id, program_id, partner_id, now],
        );
        inserted.map_err(enrolled_already)?;
        OF_ENROLLMENTS.add(rows, &id, 1, now, &terms)?;
        let holder = Holder { enrollment: &id, program: &program_id, partner: &partner_id };
        holder.set(rows, &codes, now)?;
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
    let frame = Frame { trac, caller, resource: &ENROLLMENTS };
    let changed = frame.change(id, move |rows, trac, id| {
        let newest = OF_ENROLLMENTS.newest::<EnrollmentTerms>(rows, id)?;
        let newest = newest.ok_or_else(|| ENROLLMENTS.missing(rows, trac, id))?;
        let (mut terms, now) = (newest.terms.clone(), trac.clock.now());
        let valid_from = valid_from(&mut fields, now);
        change_enrollment(&mut fields, &mut terms);
        let codes = fields.take("promotion_codes", promotion_codes);
        fields.finish()?;
        OF_ENROLLMENTS.change(rows, id, &newest, &Change { terms, now, valid_from })?;
        if let Some(codes) = codes {
            let known = ENROLLMENTS.find(rows, trac, id)?;
            let named = |name| known.get(name).and_then(Value::as_str).unwrap_or_default();
            let (program, partner) = (named("program_id"), named("partner_id"));
            Holder { enrollment: id, program, partner }.set(rows, &codes, now)?;
        }
        Ok(())
    });
    changed.await
}

fn enrolled_already(error: StoreError) -> Problem {
    if error.kind() == StoreErrorKind::Conflict {
        return Problem::conflict("ENROLLMENT_EXISTS", "This partner is enrolled in this program already.");
    }
    error.into()
}
