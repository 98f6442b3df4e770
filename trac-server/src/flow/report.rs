//! `POST /api/v1/conversions` and `POST /api/track/conversion`: others than Stripe tell of a payment.
//!
//! What the merchant's server tells counts; what a page tells is a claim, held until the merchant approves it or Stripe
//! tells of the same payment. A transaction ID of Stripe's (`cs_`, `pi_`, `ch_`, `in_`) joins that payment, and Stripe's
//! amount wins. A transaction is told once.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::{Map, Value};
use trac_core::click::ClickId;
use trac_core::conversion::reason::Reason;
use trac_core::conversion::world::CLOCK_SKEW_SECS;
use trac_core::money::Currency;
use trac_core::time::Timestamp;
use trac_core::webhook::facts::{Facts, Topic};
use trac_core::webhook::join::Latest;
use trac_core::webhook::report::{Report, transaction_id};

use super::{Considered, any_text};
use crate::access::{Merchant, Tracker};
use crate::click::click_by_promo_code;
use crate::conversion::find_conversion;
use crate::fields::{AMOUNT_MAX, Fields, currency, external_id, integer, moment, text};
use crate::id::{Kind, random_hex};
use crate::problem::Problem;
use crate::store::apply::Writing;
use crate::store::{Priority, Scope, StoreError};
use crate::trac::Trac;

/// What pages call.
pub(super) fn routes() -> Router<Trac> {
    Router::new().route("/api/track/conversion", post(claim))
}

/// What the merchant's server calls, under `/api/v1`.
pub(super) fn api_routes() -> Router<Trac> {
    Router::new().route("/conversions", post(report))
}

/// What is told.
struct Told {
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

impl Told {
    /// What the merchant's server tells, in the words of the management API.
    fn report(mut fields: Fields, now: Timestamp) -> Result<Self, Problem> {
        let told = Self {
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
        if told.at.secs_since(now) > CLOCK_SKEW_SECS {
            fields.note("occurred_at", "must not lie in the future");
        }
        fields.finish()?;
        Ok(told)
    }

    /// What a page tells, in the words of the script.
    fn claim(mut fields: Fields, now: Timestamp, by_merchant: bool) -> Result<Self, Problem> {
        let transaction = fields.take("externalTransactionId", external_id);
        if !fields.has("amount") || fields.is_null("amount") {
            fields.note("amount", "is required");
        }
        let told = Self {
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
        Ok(told)
    }

    fn facts(&self, click: Option<ClickId>) -> Report {
        Report {
            transaction: transaction_id(&self.transaction),
            event_type: self.event_type.clone(),
            at: Some(self.at),
            amount: Latest::said(self.at, self.amount),
            customer: self.customer.clone(),
            click: click.map(|click| click.as_str().to_owned()),
            by_merchant: self.by_merchant,
            emails: self.email.iter().cloned().collect(),
            ..Report::default()
        }
    }
}

/// An amount and its currency, which is required beside it.
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
    Merchant(scope): Merchant,
    fields: Fields,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let told = Told::report(fields, trac.clock.now())?;
    let store = trac.store.clone();
    let taken = store.try_write(Priority::Api, move |tx| {
        if let Some(first) = known(tx, &scope, &told)? {
            let message = format!("This transaction was told before; see conversion {first}.");
            return Err(Problem::conflict("CONVERSION_DUPLICATE", message).about("conversion_id", &first));
        }
        let id = take(tx, &trac, &scope, &told)?;
        Ok((StatusCode::CREATED, Json(find_conversion(tx, &trac, &scope, &id)?)))
    });
    taken.await
}

async fn claim(
    State(trac): State<Trac>,
    tracker: Tracker,
    fields: Fields,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let told = Told::claim(fields, trac.clock.now(), tracker.is_merchant)?;
    tracker.count(&trac, "conversion").await?;
    let (store, scope) = (trac.store.clone(), tracker.scope);
    let taken = store.try_write(Priority::Api, move |tx| {
        let first = known(tx, &scope, &told)?;
        let status = if first.is_some() { StatusCode::OK } else { StatusCode::CREATED };
        let id = if let Some(first) = first { first } else { take(tx, &trac, &scope, &told)? };
        let conversion = find_conversion(tx, &trac, &scope, &id)?;
        // A page is answered what became of its claim, and nothing of what Stripe says of the payment or of another's click.
        let is_own = told.by_merchant
            || told
                .click
                .as_ref()
                .is_some_and(|click| conversion.get("click_id").is_some_and(|found| found == click.as_str()));
        let names = ["attributed", "reason", "click_id", "commission_id"];
        let mut told: Map<String, Value> = names
            .map(|name| (name.to_owned(), conversion.get(name).cloned().unwrap_or_default()))
            .into_iter()
            .collect();
        if !is_own {
            told.insert("attributed".to_owned(), false.into());
            told.insert("reason".to_owned(), Reason::ClientReported.as_str().into());
            told.insert("click_id".to_owned(), Value::Null);
            told.insert("commission_id".to_owned(), Value::Null);
        }
        let answer = [("id".to_owned(), Value::String(id))].into_iter().chain(told);
        Ok::<_, Problem>((status, Json(Value::Object(answer.collect()))))
    });
    taken.await
}

/// The conversion that the same transaction was answered with before.
fn known(tx: &Connection, scope: &Scope, told: &Told) -> Result<Option<String>, StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT conversion_id FROM report \
         WHERE workspace_id = ?1 AND mode = ?2 AND transaction_id = ?3 AND by_merchant = ?4",
    )?;
    let transaction = transaction_id(&told.transaction);
    let key = params![scope.workspace_id(), scope.mode_str(), transaction, told.by_merchant];
    Ok(statement.query_row(key, |row| row.get(0)).optional()?)
}

/// Takes a report in and answers the conversion it is about.
fn take(tx: &Connection, trac: &Trac, scope: &Scope, told: &Told) -> Result<String, StoreError> {
    let (id, now) = (trac.ids.make(Kind::Report), trac.clock.now());
    let click = match (&told.click, &told.promo_code) {
        (None, Some(code)) => click_by_promo_code(tx, scope, code, told.at)?,
        (click, _) => click.clone(),
    };
    let writing = Writing { tx, scope, ids: &trac.ids, now, event_id: Some(&id) };
    let facts = Facts { reports: [(id.clone(), told.facts(click))].into(), ..Facts::default() };
    let considered = Considered::of(&writing, Topic::Sale, facts)?;
    considered.keep(&writing)?;
    let conversion_id = considered.admitted.payment_id.clone();
    let conversion_id = conversion_id.ok_or_else(|| StoreError::internal("a report is about no payment"))?;
    let mut insert = tx.prepare_cached(
        "INSERT INTO report (workspace_id, mode, id, transaction_id, by_merchant, conversion_id, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    insert.execute(params![
        scope.workspace_id(),
        scope.mode_str(),
        id,
        transaction_id(&told.transaction),
        told.by_merchant,
        conversion_id,
        now.unix_secs()
    ])?;
    Ok(conversion_id)
}

#[cfg(test)]
mod tests;
