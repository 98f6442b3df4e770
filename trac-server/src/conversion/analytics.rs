//! `/api/v1/analytics`: the clicks, leads, sales and revenue of partners, in total and by day (UTC).
//!
//! Clicks are visits; leads and sales are those credited to a click; revenue is the amount paid for these
//! sales less the amount that went back, by currency; pages' claims count once they are approved. Rates are
//! in hundredths of a percent. `group_by` adds the same figures for each partner, program, link or currency.

mod figures;
mod groups;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use trac_core::time::{DAY_SECS, Timestamp};

use crate::access::Merchant;
use crate::api::parameters::Parameters;
use crate::problem::Problem;
use crate::store::StoreError;
use crate::store::rows::{Rows, args};
use crate::trac::Trac;
use figures::{Figures, Rates, Shown};
use groups::{Dimension, ShownGroup};

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

/// The days that a report can begin and end with: 1900-01-01 to 9999-12-29. The end of a report is the first second
/// after its last day, and the first second of 9999-12-31 is not a moment of RFC 3339 in all time zones.
const DATES: RangeInclusive<i64> = -25_567..=2_932_894;
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
            let day = midnight.or_else(|| Timestamp::parse_rfc3339(text)).map(Timestamp::day);
            let wrong =
                || Problem::field(name, "must be a date from 1900-01-01 to 9999-12-29, such as 2026-11-21");
            day.filter(|day| DATES.contains(day)).ok_or_else(wrong)
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

pub(super) async fn report(
    State(trac): State<Trac>,
    Merchant { scope, .. }: Merchant,
    parameters: Parameters,
) -> Result<Json<Report>, Problem> {
    let query = Query::read(parameters)?;
    let days = Days::read(&query, trac.clock.now())?;
    let of = scope.clone();
    let read = trac.store.query(&of, NARROW, move |tx| {
        let rows = tx.within(&scope);
        let counted = count(rows, days, &query)?;
        let mut total = Figures::default();
        for figures in counted.values() {
            total.add(figures);
        }
        let groups =
            query.group_by.map(|dimension| dimension.groups(rows, days, &query, &total)).transpose()?;
        Ok::<_, StoreError>((counted, total, groups))
    });
    let (counted, total, groups) = read.await?;
    let midnight = |day: i64| Timestamp::from_unix_secs(day.saturating_mul(DAY_SECS)).to_rfc3339();
    let of_days = (days.first..=days.last).map(|day| OfDay {
        date: midnight(day).split('T').next().unwrap_or_default().to_owned(),
        figures: counted.get(&day).cloned().unwrap_or_default().shown(),
    });
    Ok(Json(Report {
        start: midnight(days.first),
        end: midnight(days.last.saturating_add(1)),
        figures: total.shown(),
        rates: total.rates(),
        timeseries: of_days.collect(),
        groups,
    }))
}

/// The response: the figures of all days, of each day, and of each group.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// The first second of the first day.
    start: String,
    /// The first second after the last day.
    end: String,
    #[serde(flatten)]
    figures: Shown,
    rates: Rates,
    timeseries: Vec<OfDay>,
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<ShownGroup>>,
}

#[derive(Debug, Serialize)]
struct OfDay {
    /// As `2026-11-21`.
    date: String,
    #[serde(flatten)]
    figures: Shown,
}

/// The advice for a request that takes too long.
const NARROW: &str = "Ask for fewer days by start and end, or for one program_id or partner_id.";

/// Which rows of `click_day` and `sale_day` are those of a report.
const WITHIN: &str = "scope = (SELECT no FROM scope WHERE workspace_id = ?1 AND mode = ?2) \
    AND key = CASE WHEN CAST(?5 AS TEXT) IS NULL THEN 0 ELSE (SELECT no FROM name WHERE id = ?5) END AND day >= ?3 AND day <= ?4";

/// The figures of each day that has clicks or conversions.
fn count(rows: Rows<'_>, days: Days, query: &Query) -> Result<BTreeMap<i64, Figures>, StoreError> {
    let Query { program_id, partner_id, .. } = query;
    let key = match (program_id, partner_id) {
        (Some(program_id), Some(partner_id)) => Some(format!("{program_id}/{partner_id}")),
        (one, other) => one.clone().or_else(|| other.clone()),
    };
    // A number does not show the kind of its ID: an ID of another kind matches nothing.
    let is_of = |id: &Option<String>, prefix: &str| {
        id.as_ref().is_none_or(|id| id.starts_with(prefix) && !id.contains('/'))
    };
    let key =
        if is_of(program_id, "prog_") && is_of(partner_id, "part_") { key } else { Some(String::new()) };
    let mut counted: BTreeMap<i64, Figures> = BTreeMap::new();
    // Visits: clicks without those that represent promotion codes.
    let clicks = format!("SELECT day, visits, unique_visits FROM click_day WHERE {WITHIN}");
    rows.each(&clicks, args![days.first, days.last, key], |row| {
        counted.entry(row.get(0)?).or_default().add_clicks(row)
    })?;
    let sales = format!(
        "SELECT day, currency, leads, sales, revenue_minor, commission_minor FROM sale_day WHERE {WITHIN}"
    );
    rows.each(&sales, args![days.first, days.last, key], |row| {
        counted.entry(row.get(0)?).or_default().add_sales(row)
    })?;
    Ok(counted)
}
