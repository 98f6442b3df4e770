//! `PATCH /api/v1/commissions/{id}`: the merchant's decision about a commission: held, approved, rejected, or
//! restored, which takes the decision back.
//!
//! A decision is a fact about the payment and the click that earns from it. It is joined to the payment's other facts,
//! so a replay, a repeat or a late event keeps it; the latest decision applies. If the payment is credited to another
//! click later, that click's commission is new and not judged yet.

use axum::extract::{Path, State};
use axum::routing::patch;
use axum::{Json, Router};
use serde_json::Value;
use trac_core::conversion::payment;
use trac_core::reason::Reason;
use trac_core::time::Timestamp;
use trac_core::webhook::facts::{Facts, Topic};
use trac_core::webhook::join::Latest;
use trac_core::webhook::verdict::{Ruling, Verdict, Verdicts};

use super::{Considered, facts_of};
use crate::access::Merchant;
use crate::api::activity::Change;
use crate::api::fields::{Fields, Wrong, flag, text};
use crate::commission::COMMISSIONS;
use crate::problem::Problem;
use crate::store::apply::Writing;
use crate::store::rows::{Rows, args};
use crate::store::{Priority, StoreError};
use crate::trac::Trac;

pub(super) fn api_routes() -> Router<Trac> {
    Router::new().route("/commissions/{id}", patch(judge))
}

/// The longest reason, in characters.
pub(super) const REASON_MAX: usize = 500;

/// The body: `{"status", "reason"}`, or `{"restore": true}` in place of the status `restored`.
struct Body {
    ruling: Ruling,
    reason: String,
}

impl Body {
    fn read(mut fields: Fields) -> Result<Self, Problem> {
        let restores = fields.take("restore", flag).unwrap_or_default();
        let ruling = if restores {
            if fields.has("status") {
                fields.note("restore", "must not be sent with status");
            }
            Some(Ruling::Restored)
        } else {
            fields.need("status", ruling)
        };
        let needs_reason = matches!(ruling, Some(Ruling::Held | Ruling::Rejected));
        let reason = if needs_reason {
            fields.need("reason", text(1..=REASON_MAX))
        } else {
            fields.take("reason", text(1..=REASON_MAX))
        };
        fields.finish()?;
        let ruling = ruling.ok_or_else(|| Problem::field("status", "is required"))?;
        Ok(Self { ruling, reason: reason.unwrap_or_default() })
    }
}

fn ruling(value: &Value) -> Result<Ruling, Wrong> {
    let named = value.as_str().and_then(Ruling::from_name);
    named.ok_or_else(|| "must be held, approved, rejected or restored".to_owned())
}

/// The commission that a decision is about.
struct Judged {
    payment_id: String,
    click_id: String,
    is_closed: bool,
    is_paid: bool,
    is_claimed: bool,
}

impl Judged {
    fn find(rows: Rows<'_>, id: &str) -> Result<Option<Self>, StoreError> {
        let sql = "SELECT payment_id, click_id, closed, is_paid, reason FROM commission \
                   WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
        rows.one(sql, args![id], |row| {
            Ok(Self {
                payment_id: row.get(0)?,
                click_id: row.get(1)?,
                is_closed: row.get(2)?,
                is_paid: row.get(3)?,
                is_claimed: row.get::<String>(4)? == Reason::ClientReported.as_str(),
            })
        })
    }

    /// Refuses a decision that would change nothing.
    fn may_be(&self, ruling: Ruling) -> Result<(), Problem> {
        if self.is_closed {
            let message = "Another commission took the place of this one: decide about that one.";
            return Err(Problem::conflict("COMMISSION_CLOSED", message));
        }
        if self.is_paid && matches!(ruling, Ruling::Held | Ruling::Approved) {
            let message =
                "The commission was paid out already. It can be rejected: the next payout is then smaller.";
            return Err(Problem::conflict("COMMISSION_PAID", message));
        }
        if self.is_claimed && ruling == Ruling::Approved {
            let message = format!(
                "Only a page reported this. Approve the report itself: PATCH /conversions/{} with status approved.",
                self.payment_id
            );
            return Err(Problem::conflict("CLAIM_NOT_APPROVED", message));
        }
        Ok(())
    }
}

async fn judge(
    State(trac): State<Trac>,
    caller: Merchant,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Json<Value>, Problem> {
    let (store, scope) = (trac.store.clone(), caller.scope.clone());
    let judged = store.try_write_in(&scope, Priority::Api, move |rows| {
        let before = COMMISSIONS.find(rows, &trac, &id)?;
        let body = Body::read(fields)?;
        let judged = Judged::find(rows, &id)?.ok_or_else(|| Problem::not_found("commission"))?;
        judged.may_be(body.ruling)?;
        let facts = facts_of(rows, &judged.payment_id)?.ok_or_else(|| Problem::not_found("conversion"))?;
        let Some(news) = verdict(&facts, &judged.click_id, &body, trac.clock.now())? else {
            return Ok(before);
        };
        let writing = Writing { rows, ids: &trac.ids, now: trac.clock.now(), event_id: Some(&id) };
        Considered::of(&writing, Topic::Verdict, news)?.write(&writing)?;
        let after = COMMISSIONS.find(rows, &trac, &id)?;
        let (kind, id, verb) = (COMMISSIONS.name, id.as_str(), body.ruling.as_str());
        caller.record(rows, &trac, &Change { kind, id, verb, before: Some(&before), after: Some(&after) })?;
        Ok::<_, Problem>(after)
    });
    judged.await.map(Json)
}

/// The fact that a decision is, later than every decision before it; `None` if it repeats the one in force.
fn verdict(facts: &Facts, click_id: &str, body: &Body, now: Timestamp) -> Result<Option<Facts>, StoreError> {
    let of_click = facts.verdicts.values().filter_map(|verdicts| verdicts.0.get(click_id));
    let before = of_click.max();
    let is_repeated = match before {
        Some(Latest { value, .. }) => {
            let is_same = value.ruling == body.ruling && value.reason == body.reason;
            is_same || (value.ruling == Ruling::Restored && body.ruling == Ruling::Restored)
        }
        None => body.ruling == Ruling::Restored,
    };
    if is_repeated {
        return Ok(None);
    }
    let object = facts.of_invoice.as_deref().or_else(|| payment::named_by(facts));
    let object = object.ok_or_else(|| StoreError::internal("a commission's payment has no object"))?;
    let at = before.map_or(now, |verdict| now.max(verdict.at.plus_secs(1)));
    let value = Verdict { ruling: body.ruling, made_at: now, reason: body.reason.clone() };
    let verdicts = Verdicts([(click_id.to_owned(), Latest { at, value })].into());
    Ok(Some(Facts { verdicts: [(object.to_owned(), verdicts)].into(), ..Facts::default() }))
}

#[cfg(test)]
mod tests;
