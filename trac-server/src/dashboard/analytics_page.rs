//! `/dashboard/analytics`: clicks, leads, sales and revenue over time, and by partner, program, link or currency.

use std::collections::BTreeSet;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde_json::Value;

use super::api::{Failure, query_of};
use super::choices::{partner_id, programs};
use super::desk::{Desk, notice};
use super::names::Names;
use super::report::{chart, days_before, figures, sums, sums_cell};
use super::value::{at, list, number, text};
use crate::api::csv;
use crate::trac::Trac;
use crate::web::{Block, Cell, Choice, Filters, Table, Tone};

pub(super) fn routes() -> Router<Trac> {
    Router::new().route("/dashboard/analytics", get(serve))
}

const TAB: &str = "analytics";

/// The lengths of a report: the API's word, the number of days, and the label.
const INTERVALS: [(&str, i64, &str); 3] =
    [("7d", 7, "7 days"), ("30d", 30, "30 days"), ("90d", 90, "90 days")];
/// The groups of a report: the API's word, the field with the ID, and the label.
const GROUPS: [(&str, &str, &str); 4] = [
    ("partner", "partner_id", "Partner"),
    ("program", "program_id", "Program"),
    ("link", "link_id", "Link"),
    ("currency", "currency", "Currency"),
];
/// The most groups that the page shows. The file has all.
const SHOWN: usize = 50;

async fn serve(desk: Desk) -> Response {
    match page(&desk).await {
        Ok(response) => response,
        Err(failure) if failure.status == StatusCode::UNPROCESSABLE_ENTITY => {
            let mut page = desk.page("Analytics", TAB);
            let wrong = failure
                .fields
                .iter()
                .map(|(name, wrong)| format!("{name} {}", wrong.as_str().unwrap_or_default()));
            page.blocks.push(notice(Tone::Bad, &wrong.collect::<Vec<_>>().join("; ")));
            page.respond(failure.status)
        }
        Err(failure) => desk.failed(&failure, TAB),
    }
}

async fn page(desk: &Desk) -> Result<Response, Failure> {
    let given = |name: &str| desk.query.get(name).map_or("", String::as_str);
    let (word, length, _) =
        INTERVALS.iter().find(|(word, ..)| *word == given("interval")).unwrap_or(&("30d", 30, ""));
    let group = GROUPS.iter().find(|(word, ..)| *word == given("group_by")).copied().unwrap_or((
        "partner",
        "partner_id",
        "Partner",
    ));
    let partner = match given("partner_id") {
        "" => String::new(),
        partner => partner_id(desk, partner).await?,
    };
    let (start, end) = (given("start"), given("end"));
    let mut narrow = vec![("program_id", given("program_id")), ("partner_id", partner.as_str())];
    narrow.retain(|(_, value)| !value.is_empty());
    let mut of_now = narrow.clone();
    of_now.push(("group_by", group.0));
    let dates = [("start", start), ("end", end)].into_iter().filter(|(_, value)| !value.is_empty());
    of_now.extend(dates);
    if start.is_empty() {
        of_now.push(("interval", word));
    }
    let report = desk.get(&format!("/analytics{}", query_of(of_now))).await?;
    if given("format") == "csv" {
        return file(desk, &report, group).await;
    }
    let mut page = desk.page("Analytics", TAB);
    "What partners brought, by day in UTC. A refund changes the day of its sale.".clone_into(&mut page.intro);
    page.blocks.push(Block::Table(filters(desk, (word, group.0)).await?));
    let shown = if start.is_empty() && end.is_empty() {
        let before = query_of(narrow.iter().copied());
        let join = if before.is_empty() { "?" } else { "&" };
        let days = days_before(desk.trac.clock.now(), *length, *length);
        let before = desk.get(&format!("/analytics{before}{join}{days}")).await?;
        figures(&report, &before, desk.say("against the days before"))
    } else {
        let mut figures = figures(&report, &Value::Null, "");
        for figure in &mut figures {
            figure.note.clear();
        }
        figures
    };
    page.blocks.push(Block::Figures { title: "", figures: shown });
    page.blocks.push(Block::Chart(chart(&report, "Clicks by day", "clicks")));
    page.blocks.push(Block::Chart(chart(&report, "Revenue by day", "revenue")));
    page.blocks.push(Block::Table(groups(desk, &report, group).await?));
    Ok(page.respond(StatusCode::OK))
}

/// The choices above the report.
async fn filters(desk: &Desk, (interval, group): (&str, &str)) -> Result<Table, Failure> {
    let given = |name: &str| desk.query.get(name).cloned().unwrap_or_default();
    let labelled = |pairs: Vec<(&str, &str)>| {
        pairs.into_iter().map(|(value, label)| (value.to_owned(), label.to_owned())).collect::<Vec<_>>()
    };
    let choice = |name, label, value: String, options| Choice { name, label, value, options };
    let mut table = Table::of("filters", "", &[], "");
    table.filters = Filters {
        choices: vec![
            choice(
                "interval",
                "Period",
                interval.to_owned(),
                labelled(INTERVALS.map(|(word, _, label)| (word, label)).to_vec()),
            ),
            choice("start", "From", given("start"), Vec::new()),
            choice("end", "Until", given("end"), Vec::new()),
            choice("program_id", "Program", given("program_id"), programs(desk).await?),
            choice("partner_id", "Partner", given("partner_id"), Vec::new()),
            choice(
                "group_by",
                "Group by",
                group.to_owned(),
                labelled(GROUPS.map(|(word, _, label)| (word, label)).to_vec()),
            ),
        ],
    };
    table.is_bare = true;
    Ok(table)
}

/// The names of the groups of a report.
async fn names(desk: &Desk, report: &Value, field: &str) -> Result<Names, Failure> {
    let ids: BTreeSet<_> = list(report, "groups").iter().map(|group| text(group, field).to_owned()).collect();
    Names::of(&desk.trac, &desk.caller.scope, ids).await.map_err(Failure::of_store)
}

async fn groups(
    desk: &Desk,
    report: &Value,
    (_, field, label): (&str, &str, &'static str),
) -> Result<Table, Failure> {
    let heads = [
        (label, false),
        ("Clicks", true),
        ("First visits", true),
        ("Leads", true),
        ("Sales", true),
        ("Clicks that became sales", false),
        ("Revenue", true),
        ("Commission", true),
    ];
    let mut table = Table::of("groups", "", &heads, "Nothing in this time.");
    let names = names(desk, report, field).await?;
    for group in list(report, "groups").iter().take(SHOWN) {
        let count = |field: &str| at(group, field).as_i64().map_or(Cell::Nothing, Cell::Number);
        let id = text(group, field);
        let own = match (id, field) {
            ("", _) => Cell::text(desk.say("without a link")),
            (code, "currency") => Cell::text(&code.to_uppercase()),
            (id, _) => names.cell(id),
        };
        table.push(
            "",
            vec![
                own,
                count("clicks"),
                count("unique_clicks"),
                count("leads"),
                count("sales"),
                rate(group),
                sums_cell(group, "revenue"),
                sums_cell(group, "commission"),
            ],
        );
    }
    let pairs = desk.query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    table.csv = (!table.lines.is_empty()).then(|| query_of(pairs.chain([("format", "csv")])));
    Ok(table)
}

/// The share of clicks that became sales.
fn rate(group: &Value) -> Cell {
    match at(group, "rates.click_to_sale_bps").as_i64() {
        Some(hundredths) => Cell::text(&format!("{} %", crate::web::as_decimal(hundredths, 2, true))),
        None => Cell::Nothing,
    }
}

/// The groups as comma-separated values.
async fn file(
    desk: &Desk,
    report: &Value,
    (_, field, label): (&str, &str, &'static str),
) -> Result<Response, Failure> {
    let names = names(desk, report, field).await?;
    let mut lines = vec![
        [label, "Clicks", "Leads", "Sales", "Revenue", "Commission"]
            .map(|head| csv::cell(&desk.say(head).into()))
            .join(","),
    ];
    for group in list(report, "groups") {
        let count = |field: &str| number(group, field).to_string();
        let cells = [
            names.name(text(group, field)).to_owned(),
            count("clicks"),
            count("leads"),
            count("sales"),
            sums(group, "revenue"),
            sums(group, "commission"),
        ];
        lines.push(cells.map(|cell| csv::cell(&cell.into())).join(","));
    }
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"trac-analytics.csv\""),
    ];
    Ok((headers, lines.join("\r\n") + "\r\n").into_response())
}
