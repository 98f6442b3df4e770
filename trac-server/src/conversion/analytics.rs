//! `/api/v1/analytics`: the clicks, leads, sales and revenue of partners, in total and by day (UTC).
//!
//! Clicks are visits; leads and sales are those credited to a click; revenue is the amount paid for these
//! sales less the amount that went back, by currency; pages' claims count once they are approved. Rates are
//! in hundredths of a percent. `group_by` adds the same figures for each partner, program, link or currency.

mod groups;

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use trac_core::time::{DAY_SECS, Timestamp};

use crate::access::Merchant;
use crate::api::parameters::Parameters;
use crate::problem::Problem;
use crate::store::StoreError;
use crate::store::rows::{Row, Rows, args};
use crate::trac::Trac;
use groups::Dimension;

/// The parameters of the request.
#[derive(Debug, Default)]
pub(super) struct Query {
    interval: Option<String>,
    start: Option<String>,
    end: Option<String>,
    program_id: Option<String>,
    partner_id: Option<String>,
    group_by: Option<Dimension>,
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
            group_by: take("group_by")?.as_deref().map(Dimension::read).transpose()?,
        };
        match parameters.into_rest().into_keys().next() {
            None => Ok(query),
            Some(name) => Err(Problem::field(
                &name,
                "must be one of interval, start, end, program_id, partner_id, group_by",
            )),
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
    commission: BTreeMap<String, i64>,
}

impl Figures {
    /// Reads a currency and sums of `sale_day`: leads, sales, revenue, commission, from this column on.
    fn of_conversions(row: &Row<'_>, first: usize) -> Result<Self, StoreError> {
        let at = |offset: usize| first.saturating_add(offset);
        let currency: String = row.get(first)?;
        let money = |minor: i64, any: bool| any.then(|| (currency.clone(), minor)).into_iter().collect();
        let (leads, sales) = (row.get(at(1))?, row.get(at(2))?);
        let (revenue, commission) = (row.get(at(3))?, row.get(at(4))?);
        Ok(Self {
            leads,
            sales,
            revenue: money(revenue, sales > 0 || revenue != 0),
            commission: money(commission, commission != 0),
            ..Self::default()
        })
    }

    fn are_zero(&self) -> bool {
        let sums = [&self.revenue, &self.commission];
        [self.clicks, self.leads, self.sales] == [0; 3]
            && sums.iter().all(|sums| sums.values().all(|minor| *minor == 0))
    }

    fn add(&mut self, other: &Self) {
        self.clicks = self.clicks.saturating_add(other.clicks);
        self.unique_clicks = self.unique_clicks.saturating_add(other.unique_clicks);
        self.leads = self.leads.saturating_add(other.leads);
        self.sales = self.sales.saturating_add(other.sales);
        add(&mut self.revenue, &other.revenue);
        add(&mut self.commission, &other.commission);
    }

    fn to_json(&self) -> Value {
        let list = |sums: &BTreeMap<String, i64>| -> Vec<Value> {
            sums.iter()
                .map(|(currency, minor)| json!({ "currency": currency, "amount_minor": minor }))
                .collect()
        };
        json!({ "clicks": self.clicks, "unique_clicks": self.unique_clicks, "leads": self.leads, "sales": self.sales,
            "revenue": list(&self.revenue), "commission": list(&self.commission) })
    }

    fn rates(&self) -> Value {
        json!({
            "click_to_lead_bps": rate_bps(self.leads, self.clicks),
            "click_to_sale_bps": rate_bps(self.sales, self.clicks),
            "lead_to_sale_bps": rate_bps(self.sales, self.leads),
        })
    }
}

/// Adds amounts by currency.
fn add(sums: &mut BTreeMap<String, i64>, amounts: &BTreeMap<String, i64>) {
    for (currency, minor) in amounts {
        let sum = sums.entry(currency.clone()).or_default();
        *sum = sum.saturating_add(*minor);
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
    let read = trac.store.query(&of, NARROW, move |tx| {
        let rows = tx.within(&scope);
        let groups = query.group_by.map(|dimension| dimension.groups(rows, days, &query)).transpose()?;
        Ok::<_, StoreError>((count(rows, days, &query)?, groups))
    });
    let (counted, groups) = read.await?;
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
        object.insert("rates".to_owned(), total.rates());
        object.insert("start".to_owned(), date(days.first).into());
        object.insert("end".to_owned(), date(days.last.saturating_add(1)).into());
        object.insert("timeseries".to_owned(), timeseries.into());
        if let Some(groups) = groups {
            object.insert("groups".to_owned(), groups.into());
        }
    }
    Ok(Json(answer))
}

/// The advice for a request that takes too long.
const NARROW: &str = "Ask for fewer days by start and end, or for one program_id or partner_id.";

/// Visits: clicks without those that represent promotion codes.
const CLICKS: &str = "SELECT day, sum(visits), sum(unique_visits) FROM click_day \
    WHERE scope = (SELECT no FROM scope WHERE workspace_id = ?1 AND mode = ?2) \
    AND key = CASE WHEN ?5 IS NULL THEN 0 ELSE (SELECT no FROM name WHERE id = ?5) END \
    AND day >= ?3 AND day <= ?4 GROUP BY day";

/// Credited leads and sales. They are added up here: to group them, SQLite would sort them first.
const CONVERSIONS: &str = "SELECT day, currency, leads, sales, revenue_minor, commission_minor \
    FROM sale_day WHERE workspace_id = ?1 AND mode = ?2 AND day >= ?3 AND day <= ?4 AND (?5 IS NULL OR program_id = ?5)";

/// [`CONVERSIONS`] of one partner.
const CONVERSIONS_OF_PARTNER: &str = "SELECT day, currency, leads, sales, revenue_minor, commission_minor \
    FROM sale_day WHERE workspace_id = ?1 AND mode = ?2 AND day >= ?3 AND day <= ?4 AND (?5 IS NULL OR program_id = ?5) \
    AND partner_id = ?6";

/// The figures of each day that has clicks or conversions.
fn count(rows: Rows<'_>, days: Days, query: &Query) -> Result<BTreeMap<i64, Figures>, StoreError> {
    let Query { program_id, partner_id, .. } = query;
    let key = match (program_id, partner_id) {
        (Some(program_id), Some(partner_id)) => Some(format!("{program_id}/{partner_id}")),
        (one, other) => one.clone().or_else(|| other.clone()),
    };
    // A number in `click_day` does not show its kind: an ID of another kind matches nothing.
    let is_of = |id: &Option<String>, prefix: &str| {
        id.as_ref().is_none_or(|id| id.starts_with(prefix) && !id.contains('/'))
    };
    let key =
        if is_of(program_id, "prog_") && is_of(partner_id, "part_") { key } else { Some(String::new()) };
    let mut counted: BTreeMap<i64, Figures> = BTreeMap::new();
    rows.each(CLICKS, args![days.first, days.last, key], |row| {
        let (day, clicks, unique_clicks) = (row.get(0)?, row.get(1)?, row.get(2)?);
        counted.entry(day).or_default().add(&Figures { clicks, unique_clicks, ..Figures::default() });
        Ok(())
    })?;
    let mut read = |row: &Row<'_>| {
        counted.entry(row.get(0)?).or_default().add(&Figures::of_conversions(row, 1)?);
        Ok(())
    };
    match partner_id {
        None => rows.each(CONVERSIONS, args![days.first, days.last, program_id], &mut read)?,
        Some(partner_id) => {
            let args = args![days.first, days.last, program_id, partner_id];
            rows.each(CONVERSIONS_OF_PARTNER, args, &mut read)?;
        }
    }
    Ok(counted)
}
