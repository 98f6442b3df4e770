//! `POST /api/v1/conversions` and `POST /api/track/conversion`: the merchant's server or a page reports a
//! payment.
//!
//! A report of the merchant's server counts. A page's report is a claim, held until the merchant approves it
//! or its click is also on the payment. A report whose transaction ID is a Stripe ID (`cs_`, `pi_`, `ch_`,
//! `in_`) becomes part of the payment with that ID, and Stripe's amount takes precedence. The merchant
//! reports a transaction once; a repeat may only add what the first report lacked. Pages claim a transaction
//! once for each click.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use trac_core::click::ClickId;
use trac_core::conversion::world::CLOCK_SKEW_SECS;
use trac_core::money::Currency;
use trac_core::reason::Reason;
use trac_core::time::Timestamp;
use trac_core::webhook::facts::{Facts, Topic};
use trac_core::webhook::join::Latest;
use trac_core::webhook::report::{Report, transaction_id};

use super::{Considered, any_text, facts_of, limits};
use crate::access::{Merchant, Tracker};
use crate::api::fields::{AMOUNT_MAX, Fields, currency, external_id, integer, moment, text};
use crate::click::{click_by_promo_code, is_known};
use crate::conversion::{CONVERSIONS, conversion_id, find_conversion};
use crate::id::{Kind, random_hex};
use crate::problem::Problem;
use crate::store::apply::Writing;
use crate::store::rows::{Rows, args};
use crate::store::{Priority, StoreError};
use crate::trac::Trac;

/// The route that pages call.
pub(super) fn routes() -> Router<Trac> {
    Router::new().route("/api/track/conversion", post(claim))
}

/// The route that the merchant's server calls, under `/api/v1`.
pub(super) fn api_routes() -> Router<Trac> {
    Router::new().route("/conversions", post(report))
}

/// The body of a report or a claim.
struct ReportBody {
    transaction: String,
    event_type: String,
    at: Timestamp,
    amount: Option<(i64, Currency)>,
    customer: Option<String>,
    email: Option<String>,
    click: Option<ClickId>,
    promo_code: Option<String>,
    by_merchant: bool,
}

impl ReportBody {
    /// Reads a report of the merchant's server, with the field names of the management API.
    fn report(mut fields: Fields, now: Timestamp) -> Result<Self, Problem> {
        let body = Self {
            transaction: fields.need("external_transaction_id", external_id).unwrap_or_default(),
            event_type: fields.need("event_type", text(1..=100)).unwrap_or_default(),
            at: fields.take("occurred_at", moment).unwrap_or(now),
            amount: amount(&mut fields, "amount_cents"),
            customer: fields.take("customer_external_id", external_id),
            email: fields.take("customer_email", text(1..=254)),
            click: fields.take("click_id", any_text).and_then(|id| ClickId::parse(&id).ok()),
            promo_code: fields.take("promo_code", text(1..=100)),
            by_merchant: true,
        };
        if body.at.secs_since(now) > CLOCK_SKEW_SECS {
            fields.note("occurred_at", "must not be in the future");
        }
        fields.finish()?;
        Ok(body)
    }

    /// Reads a claim, with the field names of the script.
    fn claim(mut fields: Fields, now: Timestamp, by_merchant: bool) -> Result<Self, Problem> {
        let transaction = fields.take("externalTransactionId", external_id);
        if !fields.has("amount") || fields.is_null("amount") {
            fields.note("amount", "is required");
        }
        let body = Self {
            transaction: transaction.unwrap_or_else(|| format!("untold {}", random_hex::<16>())),
            event_type: fields.take("eventName", text(1..=100)).unwrap_or_else(|| "conversion".to_owned()),
            at: now,
            amount: amount(&mut fields, "amount"),
            customer: fields.take("customerExternalId", external_id),
            email: fields.take("customerEmail", text(0..=254)).filter(|email| !email.is_empty()),
            click: fields.take("clickId", any_text).and_then(|id| ClickId::parse(&id).ok()),
            promo_code: None,
            by_merchant,
        };
        fields.finish()?;
        Ok(body)
    }

    /// The known click of a page's claim, which distinguishes claims of one transaction. Empty if there is no
    /// such click, and for a report of the merchant's.
    fn claimed_click(&self, rows: Rows<'_>) -> Result<String, StoreError> {
        let Some(click) = self.click.as_ref().filter(|_| !self.by_merchant) else { return Ok(String::new()) };
        Ok(if is_known(rows, click.as_str())? { click.as_str().to_owned() } else { String::new() })
    }

    /// The click of the body, by its ID or by a partner's code.
    fn click_of(&self, rows: Rows<'_>) -> Result<Option<ClickId>, StoreError> {
        match (&self.click, &self.promo_code) {
            (None, Some(code)) => click_by_promo_code(rows, code, self.at),
            // An unknown click of a page is ignored.
            (Some(click), _) if !self.by_merchant && !is_known(rows, click.as_str())? => Ok(None),
            (click, _) => Ok(click.clone()),
        }
    }

    fn facts(&self, click: Option<ClickId>) -> Report {
        Report {
            transaction: transaction_id(&self.transaction),
            event_type: self.event_type.clone(),
            at: Some(self.at),
            amount: Latest::stated(self.at, self.amount),
            customer: self.customer.clone(),
            click: click.map(|click| click.as_str().to_owned()),
            by_merchant: self.by_merchant,
            emails: self.email.iter().cloned().collect(),
            ..Report::default()
        }
    }
}

/// An amount and its currency, which is required if there is an amount.
fn amount(fields: &mut Fields, name: &str) -> Option<(i64, Currency)> {
    let amount = fields.take(name, integer(0..=AMOUNT_MAX));
    if amount.is_none() && !fields.is_wrong(name) {
        fields.take("currency", currency);
        return None;
    }
    let currency = fields.need("currency", currency);
    amount.zip(currency)
}

async fn report(
    State(trac): State<Trac>,
    Merchant { scope, .. }: Merchant,
    fields: Fields,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let body = ReportBody::report(fields, trac.clock.now())?;
    let store = trac.store.clone();
    let recorded = store.try_write_in(&scope, Priority::Api, move |rows| {
        let Some(first) = First::of(rows, &body, "")? else {
            let id = record(rows, &trac, &body, "")?;
            return Ok((StatusCode::CREATED, Json(find_conversion(rows, &trac, &id)?)));
        };
        if first.complete(rows, &trac, &body)? {
            return Ok((StatusCode::OK, Json(find_conversion(rows, &trac, &first.conversion_id)?)));
        }
        let id = first.conversion_id;
        let message = format!("This transaction was reported before; see conversion {id}.");
        Err(Problem::conflict("CONVERSION_DUPLICATE", message).about("conversion_id", &id))
    });
    recorded.await
}

async fn claim(
    State(trac): State<Trac>,
    tracker: Tracker,
    fields: Fields,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let body = ReportBody::claim(fields, trac.clock.now(), tracker.is_merchant)?;
    tracker.count(&trac, "conversion").await?;
    let store = trac.store.clone();
    let recorded = store.try_write_in(&tracker.scope, Priority::Api, move |rows| {
        let claimed_click = body.claimed_click(rows)?;
        let first = First::of(rows, &body, &claimed_click)?;
        let status = if first.is_some() { StatusCode::OK } else { StatusCode::CREATED };
        let id = match first {
            Some(first) => {
                if body.by_merchant {
                    first.complete(rows, &trac, &body)?;
                }
                first.conversion_id
            }
            None if limits::records_claim(rows, &body.transaction)? => {
                record(rows, &trac, &body, &claimed_click)?
            }
            None => {
                let message =
                    "Pages claimed this transaction with too many clicks: report it from your server.";
                return Err(Problem::conflict("TOO_MANY_CLAIMS", message));
            }
        };
        let answer = outcome(rows, &trac, &body, &id)?;
        Ok::<_, Problem>((status, Json(answer)))
    });
    recorded.await
}

/// The response to a claim. A page gets no information about a click that it did not name, and about its own
/// click only whether it is credited: facts from Stripe are not disclosed to pages.
fn outcome(rows: Rows<'_>, trac: &Trac, body: &ReportBody, id: &str) -> Result<Value, StoreError> {
    // The payment may have been merged into another one since. A payment that was reported is always listed as
    // a conversion, so the row is found.
    let merged_into = conversion_id(rows, id)?;
    let conversion = CONVERSIONS.one(rows, trac, merged_into.as_deref().unwrap_or(id))?.unwrap_or_default();
    let click = body.click.as_ref().map(ClickId::as_str);
    let is_own = click.is_some_and(|click| conversion.get("click_id").is_some_and(|found| found == click));
    let reason = conversion.get("reason").and_then(Value::as_str).and_then(Reason::from_code);
    let is_disclosed = matches!(reason, Some(Reason::Ok | Reason::OkCapped | Reason::RejectedByMerchant));
    if !body.by_merchant && !(is_own && (is_disclosed || reason == Some(Reason::ClientReported))) {
        let reason = Reason::ClientReported.as_str();
        return Ok(
            json!({ "id": id, "attributed": false, "reason": reason, "click_id": null, "commission_id": null }),
        );
    }
    let mut answer = Map::from_iter([("id".to_owned(), id.into())]);
    for name in ["attributed", "reason", "click_id", "commission_id"] {
        answer.insert(name.to_owned(), conversion.get(name).cloned().unwrap_or_default());
    }
    Ok(answer.into())
}

/// The first report of a transaction by the merchant, or the first claim of it by pages with the same click.
struct First {
    id: String,
    /// The conversion that was in the response to it.
    conversion_id: String,
}

impl First {
    fn of(rows: Rows<'_>, body: &ReportBody, claimed_click: &str) -> Result<Option<Self>, StoreError> {
        let sql = "SELECT id, conversion_id FROM report \
                   WHERE workspace_id = ?1 AND mode = ?2 AND transaction_id = ?3 AND by_merchant = ?4 AND claimed_click = ?5";
        rows.one(sql, args![transaction_id(&body.transaction), body.by_merchant, claimed_click], |row| {
            Ok(Self { id: row.get(0)?, conversion_id: row.get(1)? })
        })
    }

    /// Adds the amount, click or customer that the merchant's first report lacked. `false` if the repeat adds
    /// none of them.
    fn complete(&self, rows: Rows<'_>, trac: &Trac, body: &ReportBody) -> Result<bool, StoreError> {
        let named = conversion_id(rows, &self.conversion_id)?;
        let facts = facts_of(rows, named.as_deref().unwrap_or(&self.conversion_id))?;
        let reports = facts.ok_or_else(|| StoreError::internal("there is no such payment"))?.reports;
        let Some(first) = reports.get(&self.id) else { return Ok(false) };
        let mut added = Report {
            transaction: first.transaction.clone(),
            event_type: first.event_type.clone(),
            by_merchant: true,
            ..Report::default()
        };
        let now = trac.clock.now();
        if first.amount.is_none() {
            added.amount = Latest::stated(now, body.amount);
        }
        if first.click.is_none() {
            let click = body.click_of(rows)?.map(|click| click.as_str().to_owned());
            let is_known = click.as_deref().map(|click| is_known(rows, click)).transpose()?;
            added.click = click.filter(|_| is_known == Some(true));
        }
        if first.customer.is_none() {
            added.customer.clone_from(&body.customer);
        }
        if added.amount.is_none() && added.click.is_none() && added.customer.is_none() {
            return Ok(false);
        }
        let writing = Writing { rows, ids: &trac.ids, now, event_id: Some(&self.id) };
        let facts = Facts { reports: [(self.id.clone(), added)].into(), ..Facts::default() };
        Considered::of(&writing, Topic::Sale, facts)?.write(&writing)?;
        Ok(true)
    }
}

/// Records a report or claim, and returns the ID of its conversion. `claimed_click` is from
/// [`ReportBody::claimed_click`].
fn record(rows: Rows<'_>, trac: &Trac, body: &ReportBody, claimed_click: &str) -> Result<String, StoreError> {
    let (id, now) = (trac.ids.make(Kind::Report), trac.clock.now());
    let writing = Writing { rows, ids: &trac.ids, now, event_id: Some(&id) };
    let report = body.facts(body.click_of(rows)?);
    let facts = Facts { reports: [(id.clone(), report)].into(), ..Facts::default() };
    let considered = Considered::of(&writing, Topic::Sale, facts)?;
    considered.write(&writing)?;
    let conversion_id = considered.admitted.payment_id.clone();
    let conversion_id = conversion_id.ok_or_else(|| StoreError::internal("a report has no payment"))?;
    rows.write(
        "INSERT INTO report (workspace_id, mode, id, transaction_id, by_merchant, conversion_id, created_at, claimed_click) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        args![
            id,
            transaction_id(&body.transaction),
            body.by_merchant,
            conversion_id,
            now,
            claimed_click
        ],
    )?;
    Ok(conversion_id)
}

#[cfg(test)]
mod tests;
