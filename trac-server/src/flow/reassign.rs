//! `POST /api/v1/customers/{id}/reassign`: the merchant decides who earns from a customer's payments from a time
//! on. `DELETE` takes all of these decisions back.
//!
//! A decision is a fact about the customer, and is joined with all others: the payments that it covers are
//! settled again, and so is each later one.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::Value;
use trac_core::click::ClickId;
use trac_core::time::Timestamp;
use trac_core::webhook::assignment::{Assignee, Assignment};
use trac_core::webhook::facts::{Facts, Topic};

use super::{Considered, any_text};
use crate::access::Merchant;
use crate::api::activity::Change;
use crate::api::fields::{Fields, moment, text};
use crate::click::CLICKS;
use crate::conversion::{CUSTOMERS, reassigned};
use crate::id::random_bits;
use crate::problem::Problem;
use crate::program::{PARTNERS, PROGRAMS};
use crate::store::apply::Writing;
use crate::store::click::NewClick;
use crate::store::load;
use crate::store::rows::{Rows, args};
use crate::store::{Priority, StoreError, recorder};
use crate::trac::Trac;

pub(super) fn api_routes() -> Router<Trac> {
    Router::new().route("/customers/{id}/reassign", post(reassign).delete(undo))
}

/// Whom a body names.
enum Named {
    Nobody,
    Click(String),
    Partner { partner_id: String, program_id: Option<String> },
}

/// The body of a decision.
struct Body {
    to: Named,
    from: Option<Timestamp>,
}

impl Body {
    fn read(mut fields: Fields) -> Result<Self, Problem> {
        let has = ["partner_id", "click_id"].map(|name| fields.has(name));
        let partner = fields.take_nullable("partner_id", text(1..=64)).flatten();
        let click = fields.take_nullable("click_id", any_text).flatten();
        let program_id = fields.take("program_id", text(1..=64));
        let from = fields.take("from", moment);
        match has {
            [true, true] => fields.note("click_id", "must be sent alone: it names program and partner"),
            [false, false] => fields.note("partner_id", "is required, or click_id; null means nobody"),
            _ => {}
        }
        if program_id.is_some() && partner.is_none() && !fields.is_wrong("partner_id") {
            fields.note("program_id", "can be sent with partner_id only");
        }
        fields.finish()?;
        let to = match (partner, click) {
            (Some(partner_id), _) => Named::Partner { partner_id, program_id },
            (None, Some(click)) => Named::Click(click),
            (None, None) => Named::Nobody,
        };
        Ok(Self { to, from })
    }
}

async fn reassign(
    State(trac): State<Trac>,
    caller: Merchant,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Json<Value>, Problem> {
    let (store, scope) = (trac.store.clone(), caller.scope.clone());
    let reassigned = store.try_write_in(&scope, Priority::Api, move |rows| {
        let customer = Customer::find(rows, &trac, &id)?;
        let body = Body::read(fields)?;
        let from = body.from.unwrap_or_else(|| trac.clock.now());
        let to = customer.assignee(rows, &trac, body.to)?;
        customer.state(rows, &trac, &caller, from, to)
    });
    reassigned.await.map(Json)
}

async fn undo(
    State(trac): State<Trac>,
    caller: Merchant,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Json<Value>, Problem> {
    let (store, scope) = (trac.store.clone(), caller.scope.clone());
    let undone = store.try_write_in(&scope, Priority::Api, move |rows| {
        let customer = Customer::find(rows, &trac, &id)?;
        fields.finish()?;
        let always = Timestamp::from_unix_secs(i64::MIN);
        customer.state(rows, &trac, &caller, always, Assignee::Usual)
    });
    undone.await.map(Json)
}

/// A customer, and what the merchant decided about it so far.
struct Customer {
    id: String,
    shown: Value,
    stated: BTreeSet<Assignment>,
}

impl Customer {
    /// Finds a customer by the ID of lists, or by any of Stripe's.
    fn find(rows: Rows<'_>, trac: &Trac, id: &str) -> Result<Self, Problem> {
        let shown = match CUSTOMERS.one(rows, trac, id)? {
            Some(shown) => shown,
            None => match listed_as(rows, id)? {
                Some(own) => CUSTOMERS.find(rows, trac, &own)?,
                None => return Err(CUSTOMERS.missing(rows, trac, id)),
            },
        };
        let ids = ["id", "stripe_customer_id"].map(|name| shown.get(name).and_then(Value::as_str));
        let id = ids.into_iter().flatten().next().unwrap_or(id).to_owned();
        // What was stated about any ID of the customer: they may have been tied to each other later.
        let named = ids.into_iter().flatten().map(|id| (id.to_owned(), BTreeSet::new())).collect();
        let around = load::neighbourhood(rows, &Facts { assignments: named, ..Facts::default() })?;
        let stated = around.world.holders.assignments.into_values().flatten().collect();
        let shown = showing(shown, &stated);
        Ok(Self { id, shown, stated })
    }

    /// Whom a body names, with a click of theirs.
    fn assignee(&self, rows: Rows<'_>, trac: &Trac, named: Named) -> Result<Assignee, Problem> {
        match named {
            Named::Nobody => Ok(Assignee::Nobody),
            Named::Click(id) => {
                let click = CLICKS.find(rows, trac, &id)?;
                let of = |name| click.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
                Ok(Assignee::Click {
                    click_id: of("id"),
                    program_id: of("program_id"),
                    partner_id: of("partner_id"),
                })
            }
            Named::Partner { partner_id, program_id } => {
                PARTNERS.find(rows, trac, &partner_id)?;
                let program_id = match program_id {
                    Some(id) => enrolled(rows, trac, &partner_id, id)?,
                    None => only_program(rows, &partner_id)?,
                };
                Ok(self.partner(rows, trac, program_id, partner_id)?)
            }
        }
    }

    /// A partner in a program, by the click of an earlier decision about this customer, or by a new click that
    /// represents the partner.
    fn partner(
        &self,
        rows: Rows<'_>,
        trac: &Trac,
        program_id: String,
        partner_id: String,
    ) -> Result<Assignee, Problem> {
        let is_same = |to: &&Assignee| match to {
            Assignee::Click { program_id: program, partner_id: partner, .. } => {
                (program, partner) == (&program_id, &partner_id)
            }
            Assignee::Usual | Assignee::Nobody => false,
        };
        if let Some(known) = self.stated.iter().rev().map(|stated| &stated.to).find(is_same) {
            return Ok(known.clone());
        }
        let now = trac.clock.now();
        let click = NewClick {
            id: ClickId::new(now.unix_secs(), random_bits()),
            program_id: program_id.as_str().into(),
            partner_id: partner_id.as_str().into(),
            link_id: None,
            clicked_at: now,
            is_unique: Some(false),
            visitor: None,
            last_click: None,
            referrer: None,
            landing_url: None,
        };
        recorder::insert(rows, &click)?;
        Ok(Assignee::Click { click_id: click.id.as_str().to_owned(), program_id, partner_id })
    }

    /// States who earns from a time on, unless the latest statement says so already, and settles everything that
    /// this covers.
    fn state(
        &self,
        rows: Rows<'_>,
        trac: &Trac,
        caller: &Merchant,
        from: Timestamp,
        to: Assignee,
    ) -> Result<Value, Problem> {
        let now = trac.clock.now();
        let is_known = match self.stated.last() {
            Some(latest) => latest.to == to && latest.from <= from,
            None => to == Assignee::Usual,
        };
        if is_known {
            return Ok(self.shown.clone());
        }
        // After every earlier statement, so that it is the latest.
        let at = self.stated.last().map_or(now, |latest| now.max(latest.at.plus_secs(1)));
        let assignment = Assignment { at, from, to };
        let mut all = self.stated.clone();
        all.insert(assignment.clone());
        let stated = BTreeSet::from([assignment]);
        let news = Facts { assignments: [(self.id.clone(), stated)].into(), ..Facts::default() };
        let writing = Writing { rows, ids: &trac.ids, now, event_id: None };
        Considered::of(&writing, Topic::Holder, news)?.write(&writing)?;
        let after = showing(CUSTOMERS.find(rows, trac, &self.id)?, &all);
        let (kind, id, verb) = (CUSTOMERS.name, self.id.as_str(), "reassigned");
        let change = Change { kind, id, verb, before: Some(&self.shown), after: Some(&after) };
        caller.record(rows, trac, &change)?;
        Ok(after)
    }
}

/// A customer with the latest of these statements.
fn showing(mut customer: Value, stated: &BTreeSet<Assignment>) -> Value {
    if let Some(shown) = customer.as_object_mut() {
        shown.insert("reassigned".to_owned(), reassigned(stated));
    }
    customer
}

/// The ID under which lists show the customer of one of Stripe's IDs.
fn listed_as(rows: Rows<'_>, stripe_id: &str) -> Result<Option<String>, StoreError> {
    for sql in [
        "SELECT id FROM customer WHERE workspace_id = ?1 AND mode = ?2 AND stripe_customer_id = ?3 ORDER BY id LIMIT 1",
        "SELECT customer_external_id FROM external_customer WHERE workspace_id = ?1 AND mode = ?2 AND named_by = ?3 \
         ORDER BY customer_external_id LIMIT 1",
        "SELECT e.customer_external_id FROM payment AS p JOIN external_customer AS e ON e.workspace_id = p.workspace_id \
         AND e.mode = p.mode AND e.named_by = p.id WHERE p.workspace_id = ?1 AND p.mode = ?2 AND p.customer_id = ?3 \
         ORDER BY e.customer_external_id LIMIT 1",
    ] {
        if let Some(id) = rows.one(sql, args![stripe_id], |row| row.get::<String>(0))? {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// The program, if the partner is enrolled in it.
fn enrolled(rows: Rows<'_>, trac: &Trac, partner_id: &str, program_id: String) -> Result<String, Problem> {
    PROGRAMS.find(rows, trac, &program_id)?;
    let sql = "SELECT 1 FROM enrollment WHERE workspace_id = ?1 AND mode = ?2 AND program_id = ?3 AND partner_id = ?4";
    if rows.exists(sql, args![program_id, partner_id])? {
        return Ok(program_id);
    }
    Err(Problem::field("program_id", "must be a program in which the partner is enrolled"))
}

/// The only program in which the partner is enrolled.
fn only_program(rows: Rows<'_>, partner_id: &str) -> Result<String, Problem> {
    let sql =
        "SELECT program_id FROM enrollment WHERE workspace_id = ?1 AND mode = ?2 AND partner_id = ?3 LIMIT 2";
    let mut programs = rows.all(sql, args![partner_id], |row| row.get::<String>(0))?;
    match (programs.pop(), programs.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some(_), false) => {
            Err(Problem::field("program_id", "is required: the partner is enrolled in several programs"))
        }
        (None, _) => Err(Problem::field("partner_id", "must be a partner who is enrolled in a program")),
    }
}

#[cfg(test)]
mod tests;
