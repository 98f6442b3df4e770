//! `trac workspace go-live`: copies the setup of test mode to live mode.
//!
//! Programs, partners, enrollments and links are copied in their current state, in one transaction. Clicks,
//! payments and commissions are not copied: test money never becomes real. The column `copied_from` of a live
//! row names its test row, so no row is copied twice, and later changes in live mode stay. Every run lists the
//! live programs whose commissions can be paid out before a refund arrives.

use serde_json::{Map, Value, json};
use trac_core::checkout::link::is_payment_link;
use trac_core::program::{EnrollmentTerms, HoldDays, Mode, ProgramStatus, ProgramTerms, Version};
use trac_core::time::Timestamp;

use super::must_be_known;
use crate::access::Actor;
use crate::api::activity::{Change, record};
use crate::click::LINKS;
use crate::id::{Ids, Kind};
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
    let (trac, workspace_id) = (trac.clone(), workspace_id.to_owned());
    let store = trac.store.clone();
    let result = store.try_write(Priority::Api, move |tx| {
        lock_modes(tx, &workspace_id)?;
        must_be_known(tx, &workspace_id)?;
        let mut copying = Copying::new(tx, &trac.ids, trac.clock.now(), &workspace_id);
        copying.all()?;
        if !dry_run {
            copying.record(&trac)?;
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
    fn record(&self, trac: &Trac) -> Result<(), StoreError> {
        let actor = Actor::system("trac workspace go-live");
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
            record(self.live_rows(), trac, &actor, &change)?;
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
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::app::App;

    fn names(result: &Value, list: &str) -> Vec<String> {
        let rows = result[list].as_array().unwrap().iter();
        rows.map(|row| format!("{} {}", row["kind"].as_str().unwrap(), row["name"].as_str().unwrap()))
            .collect()
    }

    #[tokio::test]
    async fn the_setup_of_test_mode_is_copied_once() {
        let app = App::new();
        let (test, live) = app.both_modes().await;
        let (program, partner) = test.program_and_partner().await;
        test.patch(&format!("/programs/{program}"), json!({ "slug": "friends", "products": ["prod_1"] }))
            .await;
        let to = |slug: &str, page: &str| json!({ "program_id": program, "partner_id": partner, "slug": slug, "destination": page });
        test.make("/links", to("ada", "https://shop.example/")).await;
        test.make("/links", to("pay", "https://buy.stripe.com/test_1")).await;
        let gone = test.make("/links", to("gone", "https://shop.example/")).await;
        test.patch(&format!("/links/{gone}"), json!({ "archived": true })).await;
        let old = json!({ "name": "Old", "status": "archived", "commission": { "type": "percentage", "rate_bps": 1 } });
        test.make("/programs", old).await;
        let dry = go_live(&app.trac, &test.workspace_id, true).await.unwrap();
        assert_eq!(live.get("/programs").await.number("/meta/total"), 0, "a dry run writes nothing");
        let shown = dry["copied"].as_array().unwrap().iter().chain(dry["look_at"].as_array().unwrap());
        assert!(shown.clone().all(|row| row.get("id").is_none()), "no row has an ID yet: {dry:#}");
        assert!(as_text(&dry).contains("  link ada\n"), "{}", as_text(&dry));
        let result = go_live(&app.trac, &test.workspace_id, false).await.unwrap();
        let want = ["program Friends", "partner Ada", "enrollment Ada", "link ada", "link pay"];
        assert_eq!(
            (names(&dry, "copied"), names(&result, "copied")),
            (want.map(str::to_owned).to_vec(), want.map(str::to_owned).to_vec())
        );
        assert_eq!(names(&result, "left_out"), ["program Old"]);
        assert_eq!(names(&result, "look_at"), ["program Friends", "link pay"]);
        assert!(as_text(&result).contains("  link pay ("), "{}", as_text(&result));

        let made = live.get("/programs").await;
        assert_eq!((made.text("/data/0/slug"), made.number("/data/0/version")), ("friends".to_owned(), 1));
        assert_ne!(made.text("/data/0/id"), program);
        assert_eq!(live.get("/enrollments?status=approved").await.number("/meta/total"), 1);
        // A visit to the same address is now a live click.
        assert_eq!(app.visit("/s/ada", &[]).await.status, 302);
        assert_eq!(app.visit("/s/friends/ada", &[]).await.status, 302);
        assert_eq!(app.visit("/t/friends/ada", &[]).await.status, 302);
        assert_eq!(
            (
                live.get("/clicks").await.number("/meta/total"),
                test.get("/clicks").await.number("/meta/total")
            ),
            (2, 1)
        );

        // A second run copies no row twice, even if it was changed in live mode; new rows are copied.
        let partner_path = format!("/partners/{}", live.get("/partners").await.text("/data/0/id"));
        live.patch(&partner_path, json!({ "name": "Ada L.", "code": "lovelace" })).await;
        test.make("/links", to("new", "https://shop.example/")).await;
        let again = go_live(&app.trac, &test.workspace_id, false).await.unwrap();
        assert_eq!(names(&again, "copied"), ["link new"]);
        assert_eq!(live.get(&partner_path).await.text("/name"), "Ada L.");
        let idle = go_live(&app.trac, &test.workspace_id, false).await.unwrap();
        assert_eq!(as_text(&idle).lines().next(), Some("Copied to live mode: nothing"));
    }

    #[tokio::test]
    async fn a_live_program_without_a_hold_is_listed_under_look_at() {
        let app = App::new();
        let (test, live) = app.both_modes().await;
        let made = json!({ "commission": { "type": "percentage", "rate_bps": 1 } });
        for (name, hold_days) in [
            ("Neither", json!({ "lead": 0, "sale": 1, "recurring": 1 })),
            ("Sale", json!({ "sale": 0, "recurring": 1 })),
            ("Both", json!({ "sale": 0, "recurring": 0 })),
        ] {
            let mut program = made.clone();
            program["name"] = name.into();
            program["hold_days"] = hold_days;
            test.make("/programs", program).await;
        }
        let result = go_live(&app.trac, &test.workspace_id, true).await.unwrap();
        assert_eq!(names(&result, "look_at"), ["program Sale", "program Both"]);
        let printed = as_text(&result);
        assert!(
            printed.contains("are 0 for sale,") && printed.contains("are 0 for sale and recurring,"),
            "{printed}"
        );
        // Every run lists them, including programs that were created in live mode.
        let mut own = made.clone();
        own["name"] = "Own".into();
        own["hold_days"] = json!({ "sale": 0 });
        let own = live.make("/programs", own).await;
        for (dry_run, is_made) in [(true, false), (false, true), (false, true), (true, true)] {
            let result = go_live(&app.trac, &test.workspace_id, dry_run).await.unwrap();
            let mut found = names(&result, "look_at");
            found.sort_unstable();
            assert_eq!(found, ["program Both", "program Own", "program Sale"]);
            let ids: Vec<_> = result["look_at"].as_array().unwrap().iter().map(|row| row.get("id")).collect();
            assert!(ids.contains(&Some(&json!(own))), "the live program is listed: {result:#}");
            assert_eq!(ids.iter().all(Option::is_some), is_made, "{result:#}");
        }
        for program in live.get("/programs").await.column("id") {
            let path = format!("/programs/{}", program.as_str().unwrap());
            let hold = json!({ "hold_days": { "lead": 0, "sale": 30, "recurring": 30 } });
            assert_eq!(live.patch(&path, hold).await.status, 200);
        }
        let result = go_live(&app.trac, &test.workspace_id, false).await.unwrap();
        assert_eq!(result["look_at"], json!([]));
    }

    #[tokio::test]
    async fn a_live_partner_with_the_same_address_is_used_and_rows_with_a_taken_code_or_slug_are_left_out() {
        let app = App::new();
        let (test, live) = app.both_modes().await;
        let partner =
            |name: &str, email: &str, code: &str| json!({ "name": name, "email": email, "code": code });
        let (program, _) = test.program_and_partner().await;
        let own = test.make("/partners", partner("Bea", "bea@example.com", "bea")).await;
        test.make("/enrollments", json!({ "program_id": program, "partner_id": own })).await;
        test.make("/partners", partner("Cora", "cora@example.com", "cora")).await;
        let link = |slug: &str| json!({ "program_id": program, "partner_id": own, "slug": slug, "destination": "https://shop.example/" });
        test.make("/links", link("bea")).await;
        let known = live.make("/partners", partner("Beatrice", "BEA@example.com", "b")).await;
        live.make("/partners", partner("Another", "another@example.com", "cora")).await;
        let (other, other_live) = app.both_modes().await;
        drop(other);
        let (their_program, their_partner) = other_live.program_and_partner().await;
        let theirs = json!({ "program_id": their_program, "partner_id": their_partner, "slug": "BEA",
            "destination": "https://other.example/" });
        other_live.make("/links", theirs).await;
        let result = go_live(&app.trac, &test.workspace_id, false).await.unwrap();
        assert_eq!(
            names(&result, "copied"),
            ["program Friends", "partner Ada", "enrollment Ada", "enrollment Beatrice"]
        );
        assert_eq!(names(&result, "left_out"), ["partner Cora", "link bea"]);
        assert_eq!(live.get(&format!("/enrollments?partner_id={known}")).await.number("/meta/total"), 1);
        let missing = go_live(&app.trac, "ws_0", false).await.unwrap_err();
        assert!(missing.to_string().contains("ws_0"), "{missing}");
    }
}
