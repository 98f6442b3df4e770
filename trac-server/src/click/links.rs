//! `/api/v1/links`: tracked links, each a slug that redirects to a destination.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};
use trac_core::program::Mode;

use super::destination::destination;
use crate::access::Merchant;
use crate::api::activity::Change;
use crate::api::fields::{Fields, flag, text, token};
use crate::api::frame::Frame;
use crate::api::list::Filter::Is;
use crate::api::list::{Kept, Resource, time, word};
use crate::api::parameters::Parameters;
use crate::id::{Kind, random_word};
use crate::problem::Problem;
use crate::program::{PARTNERS, PROGRAMS};
use crate::store::rows::{Row, Rows, args};
use crate::store::{Priority, StoreError, StoreErrorKind};
use crate::trac::Trac;

/// Links that are neither deleted nor purged.
pub(crate) static LINKS: Resource = Resource {
    name: "link",
    columns: "l.id, l.program_id, l.partner_id, l.slug, l.destination, l.created_at, l.archived_at, \
        (SELECT tracking_domain FROM program AS p WHERE p.workspace_id = l.workspace_id AND p.mode = l.mode \
        AND p.id = l.program_id) AS tracking_domain, (SELECT string_agg(why || ' ' || count, '\n' ORDER BY why) \
        FROM (SELECT why, CAST(sum(count) AS text) AS count FROM visit_not_counted AS n WHERE n.workspace_id = l.workspace_id \
        AND n.mode = l.mode AND n.link_id = l.id GROUP BY why) AS w) AS not_counted, l.mode = 'test' AND EXISTS (SELECT 1 FROM link AS o \
        WHERE lower(o.slug) = lower(l.slug) AND o.deleted_at IS NULL AND o.mode = 'live') AS gives_way",
    from: "link AS l",
    within: "l.workspace_id = ?1 AND l.mode = ?2 AND l.deleted_at IS NULL AND l.purged_at IS NULL",
    id: "l.id",
    order: &["l.id"],
    filters: &[
        ("program_id", Is("l.program_id")),
        ("partner_id", Is("l.partner_id")),
        ("slug", Is("l.slug")),
        ("destination", Is("l.destination")),
        ("archived", Is("CASE WHEN l.archived_at IS NULL THEN 'false' ELSE 'true' END")),
    ],
    kept: Kept::Nothing,
    read,
};

/// The visits of a link that were not counted, by reason.
fn not_counted(row: &Row<'_>) -> Result<BTreeMap<String, i64>, StoreError> {
    let counts = row.words("not_counted")?;
    let counts = counts.iter().filter_map(|count| count.rsplit_once(' '));
    Ok(counts.filter_map(|(why, count)| Some((why.to_owned(), count.parse().ok()?))).collect())
}

/// The path that always leads to this link. Under `/s/` a link of test mode is found only while no live link
/// has its slug.
pub(crate) fn link_path(mode: Mode, slug: &str) -> String {
    match mode {
        Mode::Live => format!("/s/{slug}"),
        Mode::Test => format!("/t/{slug}"),
    }
}

fn read(row: &Row<'_>, trac: &Trac) -> Result<Value, StoreError> {
    let (slug, domain): (String, Option<String>) = (row.get("slug")?, row.get("tracking_domain")?);
    let base = trac.hosts.link_base(&trac.public_url, domain.as_deref());
    let mode = if row.get("gives_way")? { Mode::Test } else { Mode::Live };
    let path = link_path(mode, &slug);
    Ok(json!({
        "id": word(row, "id")?,
        "program_id": word(row, "program_id")?,
        "partner_id": word(row, "partner_id")?,
        "slug": slug,
        "destination": word(row, "destination")?,
        "url": format!("{base}{path}"),
        "archived": row.get::<Option<i64>>("archived_at")?.is_some(),
        "not_counted": not_counted(row)?,
        "created_at": time(row, "created_at")?,
    }))
}

pub(super) async fn create(
    State(trac): State<Trac>,
    caller: Merchant,
    mut fields: Fields,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let program_id = fields.need("program_id", text(1..=64)).unwrap_or_default();
    let partner_id = fields.need("partner_id", text(1..=64)).unwrap_or_default();
    let slug = fields.take("slug", token).unwrap_or_else(random_word::<10>);
    let destination = fields.need("destination", destination).unwrap_or_default();
    fields.finish()?;
    let frame = Frame { trac, caller, resource: &LINKS };
    let created = frame.create(move |rows, trac| {
        PROGRAMS.find(rows, trac, &program_id)?;
        PARTNERS.find(rows, trac, &partner_id)?;
        must_be_free(rows, &slug, "")?;
        let id = trac.ids.make(Kind::Link);
        let inserted = rows.write(
            "INSERT INTO link (workspace_id, mode, id, program_id, partner_id, slug, destination, created_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            args![id, program_id, partner_id, slug, destination, trac.clock.now()],
        );
        inserted.map_err(slug_taken)?;
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
    let slug = fields.take("slug", token);
    let destination = fields.take("destination", destination);
    let archived = fields.take("archived", flag);
    fields.finish()?;
    let frame = Frame { trac, caller, resource: &LINKS };
    let changed = frame.change(id, move |rows, trac, id| {
        if let Some(slug) = &slug {
            must_be_free(rows, slug, id)?;
        }
        let updated = rows.write(
            "UPDATE link SET slug = coalesce(?4, slug), destination = coalesce(?5, destination), \
             archived_at = CASE WHEN ?6 THEN coalesce(archived_at, ?7) WHEN NOT ?6 THEN NULL ELSE archived_at END \
             WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3",
            args![id, slug, destination, archived, trac.clock.now()],
        );
        updated.map_err(slug_taken)?;
        Ok(())
    });
    changed.await
}

/// Deletes a link that was never followed, and frees its slug. A link that was followed is archived instead,
/// because its address is published: its visitors are redirected and not counted, and the slug stays taken.
/// `purge` ends the address for good; the slug stays taken.
pub(super) async fn remove(
    State(trac): State<Trac>,
    caller: Merchant,
    Path(id): Path<String>,
    mut parameters: Parameters,
) -> Result<Json<Value>, Problem> {
    let purge = parameters.take_flag("purge")?;
    parameters.finish()?;
    let (store, scope) = (trac.store.clone(), caller.scope.clone());
    let removed = store.try_write_in(&scope, Priority::Api, move |rows| {
        let before = LINKS.find(rows, &trac, &id)?;
        let was_visited = had_visitors(rows, &id)?;
        let (column, verb) = match (purge, was_visited) {
            (true, _) => ("purged_at", "purged"),
            (false, true) => ("archived_at", "archived"),
            (false, false) => ("deleted_at", "deleted"),
        };
        let sql = format!(
            "UPDATE link SET {column} = coalesce({column}, ?4) WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3"
        );
        rows.write(&sql, args![id, trac.clock.now()])?;
        let (before, after) = (Some(&before), LINKS.one(rows, &trac, &id)?);
        let is_archived = after.is_some();
        let after = after.as_ref();
        caller.record(rows, &trac, &Change { kind: LINKS.name, id: &id, verb, before, after })?;
        Ok::<_, Problem>(json!({ "id": id, "deleted": !is_archived, "archived": is_archived }))
    });
    removed.await.map(Json)
}

/// Whether anyone followed the link, also if the clicks were deleted since, or the visits were not counted.
fn had_visitors(rows: Rows<'_>, id: &str) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM visit_not_counted WHERE workspace_id = ?1 AND mode = ?2 AND link_id = ?3 \
               UNION ALL SELECT 1 FROM click_day WHERE scope = (SELECT no FROM scope WHERE workspace_id = ?1 AND mode = ?2) \
               AND key = (SELECT no FROM name WHERE id = ?3) LIMIT 1";
    rows.exists(sql, args![id])
}

/// Rejects a slug that another link of the mode has, in any case: visitors who type a link ignore case.
fn must_be_free(rows: Rows<'_>, slug: &str, own_id: &str) -> Result<(), Problem> {
    let taken =
        "SELECT 1 FROM link WHERE lower(slug) = lower(?1) AND deleted_at IS NULL AND id <> ?2 AND mode = ?3";
    if rows.everywhere().exists(taken, args![slug, own_id, rows.scope().mode_str()])? {
        return Err(slug_taken(StoreError::new(StoreErrorKind::Conflict, "the slug is taken")));
    }
    Ok(())
}

fn slug_taken(error: StoreError) -> Problem {
    if error.kind() == StoreErrorKind::Conflict {
        let message = "Another link on this server has this slug, or had it until it was archived or purged.";
        return Problem::conflict("SLUG_TAKEN", message);
    }
    error.into()
}
