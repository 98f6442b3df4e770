//! `/dashboard`: what needs attention, what is due, the figures of the last 30 days, and the flow from click to
//! commission, which refreshes itself.

use std::collections::BTreeSet;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use serde_json::Value;
use trac_core::time::Timestamp;

use super::api::{Failure, encoded};
use super::changes;
use super::desk::Desk;
use super::names::Names;
use super::queries::{self, Balance, Click, Commission, Counts, Event};
use super::report::{chart, days_before, figures, sums_cell};
use super::value::{at, list, moment, number, text};
use crate::people::Session;
use crate::problem::Problem;
use crate::store::StoreError;
use crate::store::rows::Rows;
use crate::trac::Trac;
use crate::web::{Amount, Block, Cell, Figure, Link, Notice, Table, Tone, render};

pub(super) fn routes() -> Router<Trac> {
    Router::new().route("/dashboard", get(serve)).route("/dashboard/live", get(live))
}

#[derive(Template)]
#[template(path = "dashboard/flow.html")]
struct FlowPart {
    /// The number that the script compares with the one it requests.
    changes: u64,
    flow: Flow,
}

#[derive(Template)]
#[template(path = "dashboard/live.html")]
struct LivePart {
    flow: Flow,
}

/// The part of the page that refreshes itself.
struct Flow {
    counts: Counts,
    balances: Vec<Balance>,
    has_more_balances: bool,
    clicks: Vec<Click>,
    events: Vec<Event>,
    commissions: Vec<Commission>,
}

/// The advice in the error for a page that takes too long.
const NARROW: &str = "Try again in a moment, or open the lists one by one, each with a filter.";

async fn serve(desk: Desk) -> Response {
    match page(&desk).await {
        Ok(page) => page.respond(StatusCode::OK),
        Err(failure) => desk.failed(&failure, ""),
    }
}

async fn page(desk: &Desk) -> Result<crate::web::Page, Failure> {
    let now = desk.trac.clock.now();
    let mut page = desk.page("Overview", "");
    let steps = desk.get("/setup").await?;
    let left = list(&steps, "steps").iter().filter(|step| text(step, "status") != "done").count();
    if left > 0 {
        let all = list(&steps, "steps").len();
        let text = format!("{}: {left}/{all} {}", desk.say("Set-up"), desk.say("steps are left."));
        page.blocks.push(Block::Notice(Notice {
            tone: Tone::Calm,
            text,
            links: vec![Link::new("Continue the set-up", "setup")],
        }));
    }
    page.blocks.extend(attention(desk).await?.into_iter().map(Block::Notice));
    page.blocks.push(Block::Figures { title: "Due now", figures: due(desk).await? });
    let report = desk.get("/analytics?interval=30d&group_by=partner").await?;
    let before = desk.get(&format!("/analytics?{}", days_before(now, 30, 30))).await?;
    let versus = desk.say("against the 30 days before");
    page.blocks
        .push(Block::Figures { title: "The last 30 days", figures: figures(&report, &before, versus) });
    page.blocks.push(Block::Chart(chart(&report, "Revenue by day", "revenue")));
    page.blocks.push(Block::Table(best_partners(desk, &report).await?));
    let (caller, scope) = (desk.caller.scope.clone(), desk.caller.scope.clone());
    let flow = desk.trac.store.query::<_, StoreError, _>(&caller, NARROW, move |tx| {
        let rows = tx.within(&scope);
        // Read from the same snapshot as the rows that are shown, so that any later change changes the number.
        let changes = changes::number(rows, now)?;
        render(&FlowPart { changes, flow: Flow::read(rows, now)? })
    });
    page.blocks.push(Block::Html(flow.await.map_err(Failure::of_store)?));
    page.refreshes = true;
    Ok(page)
}

/// What waits for the merchant, the most urgent first.
async fn attention(desk: &Desk) -> Result<Vec<Notice>, Failure> {
    let mut notices = Vec::new();
    for (path, tone, what, to) in [
        (
            "/events?reason=payment_unlinked&limit=1",
            Tone::Bad,
            "Refunds or charges without a known payment",
            "webhooks?reason=payment_unlinked",
        ),
        (
            "/events?outcome=failed&limit=1",
            Tone::Bad,
            "Events that could not be read",
            "webhooks?outcome=failed",
        ),
        ("/commissions?status=held&limit=1", Tone::Wait, "Held commissions", "commissions?status=held"),
        (
            "/enrollments?status=pending&limit=1",
            Tone::Wait,
            "Applications to decide",
            "applications?status=pending",
        ),
    ] {
        let listed = desk.get(path).await?;
        let total = number(&listed, "meta.total");
        if total > 0 {
            let links = vec![Link::new("Show them", to)];
            notices.push(Notice { tone, text: format!("{}: {total}", desk.say(what)), links });
        }
    }
    let refused = desk.get("/refusals?limit=1").await?;
    if let Some(newest) = list(&refused, "data").first()
        && moment(newest, "last_at").is_some_and(|last| desk.trac.clock.now().secs_since(last.0) < DAY)
    {
        let text =
            format!("{} {}", desk.say("A call was refused in the last 24 hours:"), text(newest, "message"));
        notices.push(Notice { tone: Tone::Wait, text, links: vec![Link::new("Show them", "refusals")] });
    }
    let endpoints = desk.get("/webhook-endpoints").await?;
    for endpoint in list(&endpoints, "data") {
        let problem = text(endpoint, "stripe_api_key_problem");
        if !problem.is_empty() {
            let links = vec![Link::new("Open", &format!("endpoints/{}", encoded(text(endpoint, "id"))))];
            notices.push(Notice {
                tone: Tone::Bad,
                text: format!("{} {problem}", desk.say("The restricted key does not work:")),
                links,
            });
        }
        notices.extend(silence(desk, text(endpoint, "id")).await?);
    }
    Ok(notices)
}

/// A day in seconds.
const DAY: i64 = trac_core::time::DAY_SECS;
/// After how many days without an event an endpoint that has received some is silent.
const SILENT_DAYS: i64 = 7;

/// The notice about an endpoint to which Stripe has sent nothing for days.
async fn silence(desk: &Desk, endpoint: &str) -> Result<Option<Notice>, Failure> {
    let newest = desk.get(&format!("/events?endpoint_id={}&limit=1", encoded(endpoint))).await?;
    let Some(last) = list(&newest, "data").first().and_then(|event| moment(event, "created_at")) else {
        return Ok(None);
    };
    let days = desk.trac.clock.now().secs_since(last.0).div_euclid(DAY);
    let notice = || {
        let text = desk
            .say("Stripe has sent nothing for {days} days. In Stripe, look whether the destination is active and its deliveries succeed.")
            .replace("{days}", &days.to_string());
        let links = vec![Link::new("Open", &format!("endpoints/{}", encoded(endpoint)))];
        Notice { tone: Tone::Wait, text, links }
    };
    Ok((days >= SILENT_DAYS).then(notice))
}

/// What is due to all partners, by currency.
async fn due(desk: &Desk) -> Result<Vec<Figure>, Failure> {
    let (caller, scope, now) = (desk.caller.scope.clone(), desk.caller.scope.clone(), desk.trac.clock.now());
    let due = desk
        .trac
        .store
        .query::<_, StoreError, _>(&caller, NARROW, move |tx| queries::due(tx.within(&scope), now));
    let due = due.await.map_err(Failure::of_store)?;
    let figure = |of: queries::Due| Figure {
        label: "Due to partners",
        value: Amount::new(of.owed_minor, &of.currency).to_string(),
        note: format!("{} {}", Amount::new(of.pending_minor, &of.currency), desk.say("more is pending")),
        tone: Tone::Calm,
        to: Some(format!("balances?currency={}", of.currency)),
    };
    let figures: Vec<_> = due.into_iter().map(figure).collect();
    if !figures.is_empty() {
        return Ok(figures);
    }
    let nothing = Figure {
        label: "Due to partners",
        value: "0".to_owned(),
        note: String::new(),
        tone: Tone::Calm,
        to: Some("balances".to_owned()),
    };
    Ok(vec![nothing])
}

/// The partners with the most sales.
async fn best_partners(desk: &Desk, report: &Value) -> Result<Table, Failure> {
    let heads =
        [("Partner", false), ("Clicks", true), ("Sales", true), ("Revenue", true), ("Commission", true)];
    let mut table =
        Table::of("best-partners", "Best partners", &heads, "No partner has referred anybody yet.");
    let best: Vec<_> = list(report, "groups").iter().take(5).collect();
    let ids: BTreeSet<_> = best.iter().map(|group| text(group, "partner_id").to_owned()).collect();
    let names = Names::of(&desk.trac, &desk.caller.scope, ids).await.map_err(Failure::of_store)?;
    for group in best {
        let count = |field: &str| at(group, field).as_i64().map_or(Cell::Nothing, Cell::Number);
        let cells = vec![
            names.cell(text(group, "partner_id")),
            count("clicks"),
            count("sales"),
            sums_cell(group, "revenue"),
            sums_cell(group, "commission"),
        ];
        table.push("", cells);
    }
    table.more = Some(Link::new("Analytics", "analytics"));
    Ok(table)
}

/// The header with the number of the changing part. All open pages of a scope share a part for a second; it may be older
/// than the number that the script read before, and then the script requests it once more.
const NUMBER: &str = "x-changes";

/// Serves the changing part alone, for the script.
async fn live(State(trac): State<Trac>, session: Session) -> Result<Response, Problem> {
    let (now, caller) = (trac.clock.now(), session.scope.clone());
    let scope = caller.clone();
    let part = trac.store.query::<_, StoreError, _>(&caller, NARROW, move |tx| {
        let rows = tx.within(&scope);
        let changes = changes::number(rows, now)?;
        Ok((changes, render(&LivePart { flow: Flow::read(rows, now)? })?.into()))
    });
    let (number, part) = trac.live_part.get(&caller, part).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (HeaderName::from_static(NUMBER), number.to_string()),
    ];
    Ok((headers, Html(part.to_string())).into_response())
}

impl Flow {
    fn read(rows: Rows<'_>, now: Timestamp) -> Result<Self, StoreError> {
        let (balances, has_more_balances) = queries::balances(rows, now)?;
        Ok(Self {
            counts: queries::counts(rows)?,
            balances,
            has_more_balances,
            clicks: queries::clicks(rows)?,
            events: queries::events(rows, now)?,
            commissions: queries::commissions(rows, now)?,
        })
    }
}
