//! `/api/v1/analytics`: the clicks, leads, sales and revenue of partners, in total and by day (UTC).
//!
//! Clicks are visits; leads and sales are those credited to a click; revenue is the amount paid for these
//! sales less the amount that went back, by currency; pages' claims count once they are approved. Rates are
//! in hundredths of a percent.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use trac_core::time::{DAY_SECS, Timestamp};

use crate::access::Merchant;
use crate::api::parameters::Parameters;
use crate::problem::Problem;
use crate::store::StoreError;
use crate::store::rows::{Rows, args};
use crate::trac::Trac;

/// The parameters of the request.
#[derive(Debug, Default)]
pub(super) struct Query {
    interval: Option<String>,
    start: Option<String>,
    end: Option<String>,
    program_id: Option<String>,
    partner_id: Option<String>,
}

impl Query {
    fn read(mut parameters: Parameters) -> Result<Self, Problem> {
        let mut take = |name: &str| match parameters.take(name) {
            Some(value) if value.is_empty() => Err(Problem::field(name, "must not be empty")),
            value => Ok(value),
        };
        let query = Self {
            interval: take("interval")?,
            start: take("start")?,
            end: take("end")?,
            program_id: take("program_id")?,
            partner_id: take("partner_id")?,
        };
        match parameters.into_rest().into_keys().next() {
            None => Ok(query),
            Some(name) => {
                Err(Problem::field(&name, "must be one of interval, start, end, program_id, partner_id"))
            }
        }
    }
}

/// The most days of a report.
const DAYS_MAX: i64 = 366;

/// Whole days: from the first second of `first` to the last second of `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Days {
    first: i64,
    last: i64,
}

impl Days {
    fn read(query: &Query, now: Timestamp) -> Result<Self, Problem> {
        let today = now.day();
        let day = |name: &str, text: &str| {
            let midnight = Timestamp::parse_rfc3339(&format!("{text}T00:00:00Z"));
            let midnight = midnight.or_else(|| Timestamp::parse_rfc3339(text));
            let wrong = || Problem::field(name, "must be a date such as 2026-11-21");
            midnight.map(Timestamp::day).ok_or_else(wrong)
        };
        let length = match query.interval.as_deref() {
            None | Some("30d") => 30,
            Some("7d") => 7,
            Some("90d") => 90,
            Some(_) => return Err(Problem::field("interval", "must be one of 7d, 30d, 90d")),
        };
        let last = query.end.as_deref().map(|text| day("end", text)).transpose()?.unwrap_or(today);
        let first = match query.start.as_deref() {
            Some(text) => day("start", text)?,
            None => last.saturating_sub(length).saturating_add(1),
        };
        if query.start.is_some() && query.interval.is_some() {
            return Err(Problem::field("interval", "must be sent without start"));
        }
        if !(0..DAYS_MAX).contains(&last.saturating_sub(first)) {
            return Err(Problem::field("start", "must be before end, by at most 366 days"));
        }
        Ok(Self { first, last })
    }
}

/// The figures of one day, or of all days.
#[derive(Clone, Debug, Default)]
struct Figures {
    clicks: i64,
    unique_clicks: i64,
    leads: i64,
    sales: i64,
    revenue: BTreeMap<String, i64>,
}

impl Figures {
    fn add(&mut self, other: &Self) {
        self.clicks = self.clicks.saturating_add(other.clicks);
        self.unique_clicks = self.unique_clicks.saturating_add(other.unique_clicks);
        self.leads = self.leads.saturating_add(other.leads);
        self.sales = self.sales.saturating_add(other.sales);
        for (currency, amount) in &other.revenue {
            let sum = self.revenue.entry(currency.clone()).or_default();
            *sum = sum.saturating_add(*amount);
        }
    }

    fn to_json(&self) -> Value {
        let revenue = self.revenue.iter();
        let revenue: Vec<_> = revenue
            .map(|(currency, amount)| json!({ "currency": currency, "amount_minor": amount }))
            .collect();
        json!({ "clicks": self.clicks, "unique_clicks": self.unique_clicks, "leads": self.leads, "sales": self.sales,
            "revenue": revenue })
    }
}

/// A share in hundredths of a percent; `None` if `whole` is 0.
fn rate_bps(part: i64, whole: i64) -> Option<i64> {
    part.saturating_mul(10_000).checked_div(whole)
}

pub(super) async fn report(
    State(trac): State<Trac>,
    Merchant(scope): Merchant,
    parameters: Parameters,
) -> Result<Json<Value>, Problem> {
    let query = Query::read(parameters)?;
    let days = Days::read(&query, trac.clock.now())?;
    let of = scope.clone();
    let counted = trac.store.query(&of, NARROW, move |tx| count(tx.within(&scope), days, &query));
    let counted = counted.await?;
    let mut total = Figures::default();
    for figures in counted.values() {
        total.add(figures);
    }
    let date = |day: i64| Timestamp::from_unix_secs(day.saturating_mul(DAY_SECS)).to_rfc3339();
    let dates = (days.first..=days.last).map(|day| {
        let mut figures = counted.get(&day).cloned().unwrap_or_default().to_json();
        if let Some(object) = figures.as_object_mut() {
            let date = date(day);
            object.insert("date".to_owned(), date.split('T').next().unwrap_or_default().into());
        }
        figures
    });
    let timeseries: Vec<_> = dates.collect();
    let mut answer = total.to_json();
    if let Some(object) = answer.as_object_mut() {
        let rates = json!({
            "click_to_lead_bps": rate_bps(total.leads, total.clicks),
            "click_to_sale_bps": rate_bps(total.sales, total.clicks),
            "lead_to_sale_bps": rate_bps(total.sales, total.leads),
        });
        object.insert("rates".to_owned(), rates);
        object.insert("start".to_owned(), date(days.first).into());
        object.insert("end".to_owned(), date(days.last.saturating_add(1)).into());
        object.insert("timeseries".to_owned(), timeseries.into());
    }
    Ok(Json(answer))
}

/// The advice for a request that takes too long.
const NARROW: &str = "Ask for fewer days by start and end, or for one program_id or partner_id.";

/// Clicks that are visits: the click of a promo code is not a visit.
const CLICKS: &str = "SELECT clicked_at / 86400 AS day, count(*), count(*) FILTER (WHERE is_unique) FROM click \
    WHERE workspace_id = ?1 AND mode = ?2 AND clicked_at >= ?3 AND clicked_at < ?4 \
    AND is_visit AND (?5 IS NULL OR program_id = ?5) AND (?6 IS NULL OR partner_id = ?6) \
    GROUP BY day";

/// Leads, and payments with an amount. Not sales: payments that failed or are still open, claims that are not
/// approved, and payments that may be the same money as another payment.
const CONVERSIONS: &str = "SELECT p.happened_at / 86400 AS day, p.lead_id IS NOT NULL AS is_lead, p.currency, count(*), \
    sum_minor(coalesce(p.gross_minor, 0) - coalesce(p.lost_minor, 0)) \
    FROM payment AS p JOIN click AS k ON k.workspace_id = p.workspace_id AND k.mode = p.mode AND k.id = p.click_id \
    WHERE p.workspace_id = ?1 AND p.mode = ?2 AND p.is_conversion \
    AND (p.lead_id IS NOT NULL OR (p.gross_minor IS NOT NULL AND NOT p.is_claimed \
    AND p.reason NOT IN ('client_reported', 'rejected_by_merchant', 'payment_unlinked', 'duplicate_payment'))) \
    AND p.happened_at >= ?3 AND p.happened_at < ?4 \
    AND (?5 IS NULL OR k.program_id = ?5) AND (?6 IS NULL OR k.partner_id = ?6) \
    GROUP BY day, is_lead, p.currency";

/// The figures of each day that has clicks or conversions.
fn count(rows: Rows<'_>, days: Days, query: &Query) -> Result<BTreeMap<i64, Figures>, StoreError> {
    let from = days.first.saturating_mul(DAY_SECS);
    let until = days.last.saturating_add(1).saturating_mul(DAY_SECS);
    let bound = args![from, until, query.program_id, query.partner_id];
    let mut counted: BTreeMap<i64, Figures> = BTreeMap::new();
    rows.each(CLICKS, bound, |row| {
        let (day, clicks, unique_clicks) = (row.get(0)?, row.get(1)?, row.get(2)?);
        counted.entry(day).or_default().add(&Figures { clicks, unique_clicks, ..Figures::default() });
        Ok(())
    })?;
    rows.each(CONVERSIONS, bound, |row| {
        let (is_lead, currency): (bool, Option<String>) = (row.get(1)?, row.get(2)?);
        let (count, amount): (i64, i64) = (row.get(3)?, row.get(4)?);
        let revenue = currency.filter(|_| !is_lead).map(|currency| (currency, amount)).into_iter().collect();
        let (leads, sales) = if is_lead { (count, 0) } else { (0, count) };
        let figures = Figures { leads, sales, revenue, ..Figures::default() };
        counted.entry(row.get(0)?).or_default().add(&figures);
        Ok(())
    })?;
    Ok(counted)
}
