//! Reports of `/analytics` as figures, charts and tables.

use serde_json::Value;
use trac_core::time::{DAY_SECS, Timestamp};

use super::value::{at, list, number, text};
use crate::web::{Amount, Bar, Cell, Chart, Figure, Tone};

/// The sum of a report in the currency with the most of it; `None` without any.
pub(super) fn largest<'v>(report: &'v Value, field: &str) -> Option<(&'v str, i64)> {
    let sums = list(report, field).iter().map(|sum| (text(sum, "currency"), number(sum, "amount_minor")));
    sums.max_by_key(|(_, minor)| *minor)
}

/// The sum in one currency.
pub(super) fn sum_in(report: &Value, field: &str, currency: &str) -> i64 {
    let sum = list(report, field).iter().find(|sum| text(sum, "currency") == currency);
    sum.map_or(0, |sum| number(sum, "amount_minor"))
}

/// The sums of all currencies as text.
pub(super) fn sums(report: &Value, field: &str) -> String {
    let sums = list(report, field).iter();
    let sums: Vec<_> =
        sums.map(|sum| Amount::new(number(sum, "amount_minor"), text(sum, "currency")).to_string()).collect();
    if sums.is_empty() { "0".to_owned() } else { sums.join(" · ") }
}

/// The sums of all currencies as a cell.
pub(super) fn sums_cell(report: &Value, field: &str) -> Cell {
    let sums = list(report, field).iter();
    let cells: Vec<_> = sums
        .map(|sum| Cell::Amount(Amount::new(number(sum, "amount_minor"), text(sum, "currency"))))
        .collect();
    if cells.is_empty() { Cell::Nothing } else { Cell::Several(cells) }
}

/// The change from one number to another: `+12 %`, and its tone.
pub(super) fn change(before: i64, now: i64) -> (String, Tone) {
    let tone = if now >= before { Tone::Good } else { Tone::Bad };
    if before == 0 {
        let text = if now == 0 { "0 %" } else { "new" };
        return (text.to_owned(), Tone::Calm);
    }
    let (before, now) = (i128::from(before), i128::from(now));
    let percent = now.saturating_sub(before).saturating_mul(100).checked_div(before.saturating_abs());
    let percent = percent.unwrap_or_default();
    let sign = if percent > 0 { "+" } else { "" };
    (format!("{sign}{percent} %"), if percent == 0 { Tone::Calm } else { tone })
}

/// The figures of a report, each with its change against the report of the time before.
pub(super) fn figures(now: &Value, before: &Value, versus: &str) -> Vec<Figure> {
    let count = |label, field: &str, to: &str| {
        let (change, tone) = change(number(before, field), number(now, field));
        Figure {
            label,
            value: number(now, field).to_string(),
            note: format!("{change} {versus}"),
            tone,
            to: Some(to.to_owned()),
        }
    };
    let sum = |label, field: &str, to: &str| {
        let (change, tone) = match largest(now, field) {
            Some((currency, minor)) => change(sum_in(before, field, currency), minor),
            None => change(0, 0),
        };
        Figure {
            label,
            value: sums(now, field),
            note: format!("{change} {versus}"),
            tone,
            to: Some(to.to_owned()),
        }
    };
    vec![
        count("Clicks", "clicks", "clicks"),
        count("Leads", "leads", "leads"),
        count("Sales", "sales", "conversions?attributed=true"),
        sum("Revenue", "revenue", "conversions?attributed=true"),
        sum("Commission", "commission", "commissions"),
    ]
}

/// The chart of a field of a report by day: a number, or the sum in the currency with the most.
pub(super) fn chart(report: &Value, title: &'static str, field: &str) -> Chart {
    let days = list(report, "timeseries").iter();
    let currency = largest(report, field).map(|(currency, _)| currency);
    let bar = |day: &Value| {
        let (value, text_of) = if let Some(currency) = currency {
            let minor = sum_in(day, field, currency);
            (minor, Amount::new(minor, currency).to_string())
        } else {
            let count = at(day, field).as_i64().unwrap_or_default();
            (count, count.to_string())
        };
        Bar { label: text(day, "date").to_owned(), text: text_of, value }
    };
    Chart { title, bars: days.map(bar).collect() }
}

/// The query of a report of `days` days that ended `back` days ago.
pub(super) fn days_before(now: Timestamp, days: i64, back: i64) -> String {
    let date = |ago: i64| {
        let day = now.day().saturating_sub(ago);
        let text = Timestamp::from_unix_secs(day.saturating_mul(DAY_SECS)).to_rfc3339();
        text.split('T').next().unwrap_or_default().to_owned()
    };
    format!("start={}&end={}", date(back.saturating_add(days).saturating_sub(1)), date(back))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_a_percentage_of_the_time_before() {
        let check = |before, now, want: (&str, Tone)| {
            let (text, tone) = change(before, now);
            assert_eq!((text.as_str(), tone), want, "{before} {now}");
        };
        check(100, 112, ("+12 %", Tone::Good));
        check(100, 50, ("-50 %", Tone::Bad));
        check(100, 100, ("0 %", Tone::Calm));
        check(0, 5, ("new", Tone::Calm));
        check(0, 0, ("0 %", Tone::Calm));
        check(-100, 50, ("+150 %", Tone::Good));
        check(i64::MIN, i64::MAX, ("+199 %", Tone::Good));
    }

    #[test]
    fn days_are_counted_back_from_today() {
        let now = Timestamp::from_unix_secs(1_795_248_000);
        assert_eq!(days_before(now, 30, 0), "start=2026-10-23&end=2026-11-21");
        assert_eq!(days_before(now, 30, 30), "start=2026-09-23&end=2026-10-22");
    }
}
