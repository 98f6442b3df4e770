//! `trac workspace go-live` and `/api/v1/go-live`: copies the setup of test mode to live mode.
//!
//! Programs, partners, enrollments and links are copied in their current state, in one transaction. Clicks,
//! payments and commissions are not copied: test money never becomes real. The column `copied_from` of a live
//! row names its test row, so no row is copied twice, and later changes in live mode stay. Every run lists the
//! live programs whose commissions can be paid out before a refund arrives.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use trac_core::checkout::link::is_payment_link;
use trac_core::program::{EnrollmentTerms, HoldDays, Mode, ProgramStatus, ProgramTerms, Version};
use trac_core::time::Timestamp;

use super::must_be_known;
use crate::access::{Actor, ActorKind, Merchant};
use crate::api::activity::{Change, record};
use crate::api::fields::Fields;
use crate::api::parameters::Parameters;
use crate::click::LINKS;
use crate::id::{Ids, Kind};
use crate::problem::Problem;
use crate::program::addresses;
use crate::program::versions::{OF_ENROLLMENTS, OF_PROGRAMS};
use crate::program::{ENROLLMENTS, PARTNERS, PROGRAMS};
use crate::store::rows::{Row, Rows, args};
use crate::store::{Everywhere, Priority, Scope, StoreError, lease};
use crate::trac::Trac;

/// Copies a workspace's setup of test mode to live mode, or lists what would be copied.
///
/// # Wire form
/// `{"workspace_id","dry_run","copied","left_out","look_at"}`: lists of `{"kind","id","name",…}`; `copied` has
/// `copied_from`, the other two `why`. `look_at` lists what to change in live mode: copied rows, such as a link
/// to a test Payment Link, and, on every run, live programs without a hold. A dry run writes nothing, so rows
/// that it would copy have no `id`.
///
/// # Errors
/// [`StoreError`] if there is no such workspace, or nothing can be written.
pub async fn go_live(trac: &Trac, workspace_id: &str, dry_run: bool) -> Result<Value, StoreError> {
    copy(trac, workspace_id, dry_run, Actor::system("trac workspace go-live")).await
}

/// `GET` and `POST /api/v1/go-live`.
pub(super) fn routes() -> Router<Trac> {
    Router::new().route("/go-live", get(show).post(execute))
}

async fn show(
    State(trac): State<Trac>,
    caller: Merchant,
    parameters: Parameters,
) -> Result<Json<Value>, Problem> {
    parameters.finish()?;
    must_reach_live(&caller)?;
    Ok(Json(copy(&trac, caller.scope.workspace_id(), true, caller.actor).await?))
}

async fn execute(
    State(trac): State<Trac>,
    caller: Merchant,
    parameters: Parameters,
    fields: Fields,
) -> Result<Json<Value>, Problem> {
    parameters.finish()?;
    fields.finish()?;
    must_reach_live(&caller)?;
    Ok(Json(copy(&trac, caller.scope.workspace_id(), false, caller.actor).await?))
}

/// Refuses a key of test mode: such keys are kept with less care, and may neither read nor change what earns real money.
/// A person has both modes.
fn must_reach_live(caller: &Merchant) -> Result<(), Problem> {
    if caller.actor.kind != ActorKind::Key || caller.scope.mode_str() == Mode::Live.as_str() {
        return Ok(());
    }
    let message = "This changes live mode. Call it with a secret key of live mode, sk_live_…, or sign in to the dashboard as a person.";
    Err(Problem::new(StatusCode::FORBIDDEN, "FORBIDDEN", message))
}

/// Copies, or lists what would be copied; `actor` is recorded with each copy.
async fn copy(trac: &Trac, workspace_id: &str, dry_run: bool, actor: Actor) -> Result<Value, StoreError> {
    let (trac, workspace_id) = (trac.clone(), workspace_id.to_owned());
    let store = trac.store.clone();
    let result = store.try_write(Priority::Api, move |tx| {
        lock_modes(tx, &workspace_id)?;
        must_be_known(tx, &workspace_id)?;
        let mut copying = Copying::new(tx, &trac.ids, trac.clock.now(), &workspace_id);
        copying.all()?;
        if !dry_run {
            copying.record(&trac, &actor)?;
        }
        let result = copying.into_result(dry_run);
        if dry_run { Err(NotWritten::Dry(result)) } else { Ok(result) }
    });
    match result.await {
        Ok(result) | Err(NotWritten::Dry(result)) => Ok(result),
        Err(NotWritten::Failed(error)) => Err(error),
    }
}

/// Locks both modes, in the order in which every job of several scopes does.
fn lock_modes(tx: Everywhere<'_>, workspace_id: &str) -> Result<(), StoreError> {
    let both = [Mode::Live, Mode::Test].map(|mode| Scope::new(workspace_id, mode));
    lease::lock(tx, both.iter())
}

/// Why a transaction is rolled back.
enum NotWritten {
    /// A dry run; contains its result.
    Dry(Value),
    Failed(StoreError),
}

impl From<StoreError> for NotWritten {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

struct Copying<'a> {
    tx: Everywhere<'a>,
    ids: &'a Ids,
    now: Timestamp,
    test: Scope,
    live: Scope,
    copied: Vec<Value>,
    left_out: Vec<Value>,
    look_at: Vec<Value>,
}

/// A row, as it is reported.
#[derive(Clone, Copy)]
struct Thing<'a> {
    kind: &'static str,
    id: &'a str,
    name: &'a str,
}

impl Thing<'_> {
    fn with(self, field: &str, value: &str) -> Value {
        json!({ "kind": self.kind, "id": self.id, "name": self.name, field: value })
    }
}

impl<'a> Copying<'a> {
    fn new(tx: Everywhere<'a>, ids: &'a Ids, now: Timestamp, workspace_id: &str) -> Self {
        let (test, live) = (Scope::new(workspace_id, Mode::Test), Scope::new(workspace_id, Mode::Live));
        Self { tx, ids, now, test, live, copied: Vec::new(), left_out: Vec::new(), look_at: Vec::new() }
    }

    const fn test_rows(&self) -> Rows<'_> {
        self.tx.within(&self.test)
    }

    const fn live_rows(&self) -> Rows<'_> {
        self.tx.within(&self.live)
    }

    fn all(&mut self) -> Result<(), StoreError> {
        self.programs()?;
        self.partners()?;
        self.enrollments()?;
        self.links()?;
        self.holds()
    }

    /// Records each row that was copied, as one that was created in live mode.
    fn record(&self, trac: &Trac, actor: &Actor) -> Result<(), StoreError> {
        let text = |row: &Value, name: &str| row.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
        for copied in &self.copied {
            let (Some(id), Some(from)) = (text(copied, "id"), text(copied, "copied_from")) else { continue };
            let resources = [&PROGRAMS, &PARTNERS, &ENROLLMENTS, &LINKS];
            let resource =
                resources.into_iter().find(|one| text(copied, "kind").as_deref() == Some(one.name));
            let Some(resource) = resource else { continue };
            let mut row = resource.one(self.live_rows(), trac, &id)?.unwrap_or_default();
            if let Some(row) = row.as_object_mut() {
                row.insert("copied_from".to_owned(), from.into());
            }
            let kind = resource.name;
            let change = Change { kind, id: &id, verb: "created", before: None, after: Some(&row) };
            record(self.live_rows(), trac, actor, &change)?;
        }
        Ok(())
    }

    fn into_result(mut self, dry_run: bool) -> Value {
        if dry_run {
            // Rows that were rolled back have no ID.
            let id = |row: &Value| row.get("id").cloned();
            let made: Vec<_> = self.copied.iter().filter_map(id).collect();
            let rolled_back = self.copied.iter_mut().chain(&mut self.look_at);
            let rolled_back = rolled_back.filter(|row| id(row).is_some_and(|id| made.contains(&id)));
            rolled_back.filter_map(Value::as_object_mut).for_each(|row| {
                row.remove("id");
            });
        }
        json!({
            "workspace_id": self.live.workspace_id(),
            "dry_run": dry_run,
            "copied": self.copied,
            "left_out": self.left_out,
            "look_at": self.look_at,
        })
    }

    fn programs(&mut self) -> Result<(), StoreError> {
        let rows = self.rows("SELECT id, name, slug, tracking_domain FROM program", four)?;
        for [id, name, slug, domain] in rows {
            let thing = Thing { kind: "program", id: &id, name: &name };
            let Some(Version { terms, .. }) = OF_PROGRAMS.newest::<ProgramTerms>(self.test_rows(), &id)?
            else {
                continue;
            };
            if self.is_copied("program", &id)? {
                continue;
            }
            if terms.status == ProgramStatus::Archived {
                self.left_out.push(thing.with("why", "it is archived"));
                continue;
            }
            let taken = "SELECT 1 FROM program WHERE slug IS NOT NULL AND lower(slug) = lower(?1) AND mode = ?2 LIMIT 1";
            let is_taken = self.tx.exists(taken, args![slug, self.live.mode_str()])?;
            let made = self.ids.make(Kind::Program);
            self.live_rows().write(
                "INSERT INTO program (workspace_id, mode, id, name, slug, tracking_domain, created_at, copied_from) \
                 VALUES (?1, ?2, ?3, ?4, nullif(?5, ''), nullif(?6, ''), ?7, ?8)",
                args![made, name, if is_taken { "" } else { &slug }, domain, self.now, id],
            )?;
            OF_PROGRAMS.add(self.live_rows(), &made, 1, self.now, &terms)?;
            let live = Thing { id: &made, ..thing };
            self.copied.push(live.with("copied_from", &id));
            if is_taken {
                self.look_at.push(live.with(
                    "why",
                    &format!("its slug, {slug}, belongs to another live program: set another (slug)"),
                ));
            }
            if !terms.products.is_empty() {
                let why = "its products are those of Stripe's test mode: replace them with the live ones (products)";
                self.look_at.push(live.with("why", why));
            }
        }
        Ok(())
    }

    /// Lists the live programs whose commissions can be paid out before a refund arrives, copied or not.
    fn holds(&mut self) -> Result<(), StoreError> {
        let sql = "SELECT id, name FROM program WHERE workspace_id = ?1 AND mode = ?2 ORDER BY id";
        let programs =
            self.live_rows().all(sql, &[], |row| Ok((row.get::<String>(0)?, row.get::<String>(1)?)))?;
        for (id, name) in programs {
            let newest = OF_PROGRAMS.newest::<ProgramTerms>(self.live_rows(), &id)?;
            let terms = newest.map(|version| version.terms);
            let in_force = terms.filter(|terms| terms.status != ProgramStatus::Archived);
            if let Some(why) = in_force.and_then(|terms| no_hold(terms.hold_days)) {
                let thing = Thing { kind: "program", id: &id, name: &name };
                self.look_at.push(thing.with("why", &why));
            }
        }
        Ok(())
    }

    fn partners(&mut self) -> Result<(), StoreError> {
        let rows = self.rows("SELECT id, name, email, code FROM partner", four)?;
        for [id, name, email, code] in rows {
            let thing = Thing { kind: "partner", id: &id, name: &name };
            if self.is_copied("partner", &id)? {
                continue;
            }
            if let Some(known) = self.same_partner(&email, &code)? {
                let update =
                    "UPDATE partner SET copied_from = ?4 WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
                self.live_rows().write(update, args![known, id])?;
                continue;
            }
            let taken = "SELECT 1 FROM partner WHERE workspace_id = ?1 AND mode = ?2 AND code = ?3 LIMIT 1";
            if self.live_rows().exists(taken, args![code])? {
                self.left_out.push(thing.with("why", &format!("another live partner has the code {code}")));
                continue;
            }
            let made = self.ids.make(Kind::Partner);
            self.live_rows().write(
                "INSERT INTO partner (workspace_id, mode, id, name, email, code, created_at, copied_from) \
                 VALUES (?1, ?2, ?3, ?4, nullif(?5, ''), ?6, ?7, ?8)",
                args![made, name, email, code, self.now, id],
            )?;
            addresses::copy(self.tx, (&self.test, &id), (&self.live, &made))?;
            self.copied.push(Thing { id: &made, ..thing }.with("copied_from", &id));
        }
        Ok(())
    }

    /// The live partner that is the same as a test partner: with the same e-mail address, or, if neither has
    /// one, with the same code. It must not be a copy of another test partner.
    fn same_partner(&self, email: &str, code: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT id FROM partner WHERE workspace_id = ?1 AND mode = ?2 AND copied_from IS NULL \
                   AND CASE WHEN ?3 <> '' THEN lower(email) = lower(?3) ELSE email IS NULL AND code = ?4 END \
                   ORDER BY code = ?4 DESC NULLS LAST, id LIMIT 1";
        self.live_rows().one(sql, args![email, code], |row| row.get(0))
    }

    fn enrollments(&mut self) -> Result<(), StoreError> {
        let rows = self.rows("SELECT id, program_id, partner_id, '' FROM enrollment", four)?;
        for [id, program, partner, _] in rows {
            let Some(Version { terms, .. }) =
                OF_ENROLLMENTS.newest::<EnrollmentTerms>(self.test_rows(), &id)?
            else {
                continue;
            };
            let both = (self.copy_of("program", &program)?, self.copy_of("partner", &partner)?);
            let (Some(program), Some(partner)) = both else { continue };
            let pair = "SELECT 1 FROM enrollment \
                        WHERE workspace_id = ?1 AND mode = ?2 AND program_id = ?3 AND partner_id = ?4 LIMIT 1";
            if self.is_copied("enrollment", &id)? || self.live_rows().exists(pair, args![program, partner])? {
                continue;
            }
            let made = self.ids.make(Kind::Enrollment);
            self.live_rows().write(
                "INSERT INTO enrollment (workspace_id, mode, id, program_id, partner_id, created_at, copied_from) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                args![made, program, partner, self.now, id],
            )?;
            OF_ENROLLMENTS.add(self.live_rows(), &made, 1, self.now, &terms)?;
            let name = self.name_of("partner", &partner)?;
            let live = Thing { kind: "enrollment", id: &made, name: &name };
            self.copied.push(live.with("copied_from", &id));
            let codes = "SELECT 1 FROM promotion_code \
                         WHERE workspace_id = ?1 AND mode = ?2 AND enrollment_id = ?3 AND taken_at IS NULL LIMIT 1";
            if self.test_rows().exists(codes, args![id])? {
                let why = "its promotion codes are those of Stripe's test mode: set the live ones (promotion_codes)";
                self.look_at.push(live.with("why", why));
            }
        }
        Ok(())
    }

    fn links(&mut self) -> Result<(), StoreError> {
        let rows = self.rows(
            "SELECT id, program_id, partner_id, slug || ' ' || destination FROM link \
             WHERE deleted_at IS NULL AND archived_at IS NULL AND purged_at IS NULL",
            four,
        )?;
        for [id, program, partner, text] in rows {
            let (slug, destination) = text.split_once(' ').unwrap_or_default();
            let both = (self.copy_of("program", &program)?, self.copy_of("partner", &partner)?);
            if self.is_copied("link", &id)? {
                continue;
            }
            let thing = Thing { kind: "link", id: &id, name: slug };
            let (Some(program), Some(partner)) = both else {
                self.left_out.push(thing.with("why", "its program or partner is not in live mode"));
                continue;
            };
            let taken = "SELECT 1 FROM link \
                         WHERE lower(slug) = lower(?1) AND deleted_at IS NULL AND mode = ?2 LIMIT 1";
            if self.tx.exists(taken, args![slug, self.live.mode_str()])? {
                let why = "another live link has this slug: make the link by hand, with another slug";
                self.left_out.push(thing.with("why", why));
                continue;
            }
            let made = self.ids.make(Kind::Link);
            self.live_rows().write(
                "INSERT INTO link (workspace_id, mode, id, program_id, partner_id, slug, destination, created_at, \
                 copied_from) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                args![made, program, partner, slug, destination, self.now, id],
            )?;
            let live = Thing { id: &made, ..thing };
            self.copied.push(live.with("copied_from", &id));
            if is_payment_link(destination, "") && destination.contains("/test_") {
                let why = format!(
                    "it leads to a Payment Link of test mode, {destination}: set the live one (destination)"
                );
                self.look_at.push(live.with("why", &why));
            }
        }
        Ok(())
    }

    /// The rows of test mode, the oldest first. `select` may end in a condition.
    fn rows<T>(
        &self,
        select: &str,
        read: fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let and = if select.contains(" WHERE ") { "AND" } else { "WHERE" };
        let sql = format!("{select} {and} workspace_id = ?1 AND mode = ?2 ORDER BY id");
        self.test_rows().all(&sql, &[], read)
    }

    fn is_copied(&self, table: &str, id: &str) -> Result<bool, StoreError> {
        Ok(self.copy_of(table, id)?.is_some())
    }

    /// The live row that was copied from this row of test mode.
    fn copy_of(&self, table: &str, id: &str) -> Result<Option<String>, StoreError> {
        let sql =
            format!("SELECT id FROM {table} WHERE workspace_id = ?1 AND mode = ?2 AND copied_from = ?3");
        self.live_rows().one(&sql, args![id], |row| row.get(0))
    }

    fn name_of(&self, table: &str, id: &str) -> Result<String, StoreError> {
        let sql = format!("SELECT name FROM {table} WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3");
        let found = self.live_rows().one(&sql, args![id], |row| row.get(0))?;
        found.ok_or_else(|| StoreError::internal(format!("there is no such {table}")))
    }
}

/// The warning about a program whose commissions can be paid out before a refund arrives.
fn no_hold(days: HoldDays) -> Option<String> {
    let kinds = match (days.sale, days.recurring) {
        (0, 0) => "sale and recurring",
        (0, _) => "sale",
        (_, 0) => "recurring",
        _ => return None,
    };
    Some(format!(
        "its hold_days are 0 for {kinds}, so that commissions can be paid out before a refund arrives: set a longer hold (hold_days)"
    ))
}

/// Reads four columns of text; a `NULL` becomes empty.
fn four(row: &Row<'_>) -> Result<[String; 4], StoreError> {
    let text = |at: usize| row.get::<Option<String>>(at).map(Option::unwrap_or_default);
    Ok([text(0)?, text(1)?, text(2)?, text(3)?])
}

/// The result of [`go_live`] as text for people.
#[must_use]
pub fn as_text(result: &Value) -> String {
    let empty = Map::new();
    let result = result.as_object().unwrap_or(&empty);
    let list = |name: &str| result.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let dry = result.get("dry_run").is_some_and(|dry| dry == true);
    let line = |row: &Value| {
        let text = |name: &str| row.get(name).and_then(Value::as_str);
        let id = text("id").map_or_else(String::new, |id| format!(" ({id})"));
        let why = text("why").map_or_else(String::new, |why| format!(": {why}"));
        format!("  {} {}{id}{why}\n", text("kind").unwrap_or_default(), text("name").unwrap_or_default())
    };
    let mut text = String::new();
    for (name, title) in [
        ("copied", if dry { "Would be copied to live mode" } else { "Copied to live mode" }),
        ("left_out", "Left out"),
        ("look_at", if dry { "To be changed in live mode afterwards" } else { "To be changed in live mode" }),
    ] {
        let rows = list(name);
        if name == "copied" || !rows.is_empty() {
            let nothing = if rows.is_empty() { " nothing" } else { "" };
            text = format!("{text}{title}:{nothing}\n{}\n", rows.iter().map(line).collect::<String>());
        }
    }
    text
}

#[cfg(test)]
mod tests;
