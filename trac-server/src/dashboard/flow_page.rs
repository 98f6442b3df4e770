//! `/dashboard`: the flow from click to commission on one page, and the part of it that changes, for its script.

use std::collections::BTreeMap;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use serde_json::Value;

use super::session::Session;
use super::words::{money, number, reason, signed_money, text, time};
use super::workspace_name;
use crate::api::list::{Listing, Resource};
use crate::click::{CLICKS, link_path};
use crate::commission::{BALANCES, COMMISSIONS, ENTRIES};
use crate::problem::Problem;
use crate::store::StoreError;
use crate::store::rows::{Rows, args};
use crate::trac::Trac;
use crate::webhook::EVENTS;

pub(super) fn routes() -> Router<Trac> {
    Router::new().route("/dashboard", get(whole)).route("/dashboard/live", get(live))
}

/// How many rows of each kind the page shows.
const ROWS: u32 = 30;

#[derive(Template)]
#[template(path = "dashboard/flow.html")]
struct WholePage {
    workspace: String,
    mode: &'static str,
    flow: Flow,
}

#[derive(Template)]
#[template(path = "dashboard/live.html")]
struct LivePart {
    flow: Flow,
}

/// Everything on the page that changes.
struct Flow {
    counts: Counts,
    balances: Vec<BalanceRow>,
    clicks: Vec<ClickRow>,
    events: Vec<EventRow>,
    commissions: Vec<CommissionRow>,
}

struct Counts {
    clicks: i64,
    events: i64,
    /// Those that are credited to a click.
    conversions: i64,
    /// Payments and leads that are credited to none.
    uncredited: i64,
    commissions: i64,
}

struct BalanceRow {
    partner: String,
    pending: String,
    claimed: String,
    approved: String,
    paid: String,
    owed: String,
}

struct ClickRow {
    id: String,
    at: String,
    partner: String,
    /// The path of the link that was followed; empty without one.
    path: String,
    referrer: String,
    is_repeat: bool,
}

struct EventRow {
    id: String,
    at: String,
    kind: String,
    stripe_event_id: String,
    outcome: String,
    code: String,
    words: String,
    deliveries: i64,
}

struct CommissionRow {
    id: String,
    at: String,
    partner: String,
    source: String,
    month: i64,
    status: String,
    net: String,
    base: String,
    reversed: String,
    is_reversed: bool,
    matures_at: String,
    code: String,
    words: String,
    click_id: String,
    stripe: Vec<(String, String)>,
    entries: Vec<EntryRow>,
}

struct EntryRow {
    at: String,
    kind: String,
    amount: String,
    is_negative: bool,
    words: String,
    is_paid: bool,
}

/// What is asked instead of a page that takes too long.
const NARROW: &str =
    "Try again in a moment, or ask for the lists under /api/v1 one by one, each narrowed by a filter.";

async fn whole(State(trac): State<Trac>, Session(scope): Session) -> Result<Response, Problem> {
    let (store, of) = (trac.store.clone(), scope.clone());
    let page = store.query(&of, NARROW, move |tx| {
        let rows = tx.within(&scope);
        let workspace = workspace_name(rows)?;
        let (mode, flow) = (scope.mode_str(), Flow::read(rows, &trac)?);
        render(&WholePage { workspace, mode, flow })
    });
    Ok(Html(page.await?).into_response())
}

/// The changing part alone. A visitor whose session ended is told so, not sent to a page.
async fn live(State(trac): State<Trac>, Session(scope): Session) -> Result<Response, Problem> {
    let (store, of) = (trac.store.clone(), scope.clone());
    let part =
        store.query(&of, NARROW, move |tx| render(&LivePart { flow: Flow::read(tx.within(&scope), &trac)? }));
    Ok(([(header::CONTENT_TYPE, "text/html; charset=utf-8")], part.await?).into_response())
}

fn render(page: &impl Template) -> Result<String, Problem> {
    Ok(page.render().map_err(|error| StoreError::internal(error.to_string()))?)
}

impl Flow {
    fn read(rows: Rows<'_>, trac: &Trac) -> Result<Self, Problem> {
        let list = |resource: &Resource, listing: Listing| resource.list(rows, trac, &listing);
        let clicks = list(&CLICKS, Listing::newest(ROWS))?;
        let events = list(&EVENTS, Listing::newest(ROWS))?;
        let commissions = list(&COMMISSIONS, Listing::newest(ROWS))?;
        let (credited, conversions) = conversions(rows)?;
        let balances = list(&BALANCES, Listing::newest(ROWS))?;
        let mut names = Names::new(rows);
        let mut commission_rows = Vec::new();
        for row in data(&commissions) {
            let entries = list(&ENTRIES, Listing::newest(100).only("commission_id", &text(row, "id")))?;
            commission_rows.push(CommissionRow::read(row, &entries, &mut names)?);
        }
        let mut click_rows = Vec::new();
        for row in data(&clicks) {
            click_rows.push(ClickRow::read(row, &mut names)?);
        }
        let mut balance_rows = Vec::new();
        for row in data(&balances) {
            balance_rows.push(BalanceRow::read(row, &mut names)?);
        }
        Ok(Self {
            counts: Counts {
                clicks: total(&clicks),
                events: total(&events),
                conversions: credited,
                uncredited: conversions.saturating_sub(credited),
                commissions: total(&commissions),
            },
            balances: balance_rows,
            clicks: click_rows,
            events: data(&events).iter().map(EventRow::read).collect(),
            commissions: commission_rows,
        })
    }
}

/// How many conversions are credited to a click, and how many there are.
fn conversions(rows: Rows<'_>) -> Result<(i64, i64), StoreError> {
    let sql = "SELECT count(*) FILTER (WHERE is_credited), count(*) FROM payment \
               WHERE workspace_id = ?1 AND mode = ?2 AND is_conversion";
    Ok(rows.one(sql, &[], |row| Ok((row.get(0)?, row.get(1)?)))?.unwrap_or_default())
}

fn data(list: &Value) -> &[Value] {
    list.get("data").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn total(list: &Value) -> i64 {
    list.get("meta").map(|meta| number(meta, "total")).unwrap_or_default()
}

impl BalanceRow {
    fn read(row: &Value, names: &mut Names<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            partner: names.partner(&text(row, "partner_id"))?,
            pending: money(row, "pending_minor"),
            claimed: money(row, "claimed_minor"),
            approved: money(row, "approved_minor"),
            paid: money(row, "paid_minor"),
            owed: money(row, "owed_minor"),
        })
    }
}

impl ClickRow {
    fn read(row: &Value, names: &mut Names<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: text(row, "id"),
            at: time(row, "clicked_at"),
            partner: names.partner(&text(row, "partner_id"))?,
            path: names.link_path(&text(row, "link_id"))?,
            referrer: text(row, "referrer"),
            is_repeat: row.get("unique") == Some(&Value::Bool(false)),
        })
    }
}

impl EventRow {
    fn read(row: &Value) -> Self {
        let kind = text(row, "type");
        Self {
            id: text(row, "id"),
            at: time(row, "created_at"),
            kind: if kind.is_empty() { "a delivery".to_owned() } else { kind },
            stripe_event_id: text(row, "stripe_event_id"),
            outcome: text(row, "outcome"),
            code: text(row, "reason"),
            words: reason(row),
            deliveries: number(row, "deliveries"),
        }
    }
}

impl CommissionRow {
    fn read(row: &Value, entries: &Value, names: &mut Names<'_>) -> Result<Self, StoreError> {
        let ids = row.get("stripe").and_then(Value::as_object);
        let ids = ids.into_iter().flatten().filter_map(|(name, id)| Some((name, id.as_str()?)));
        Ok(Self {
            id: text(row, "id"),
            at: time(row, "created_at"),
            partner: names.partner(&text(row, "partner_id"))?,
            source: text(row, "source"),
            month: number(row, "recurring_month"),
            status: text(row, "status"),
            net: money(row, "net_minor"),
            base: money(row, "base_minor"),
            reversed: money(row, "reversed_minor"),
            is_reversed: number(row, "reversed_minor") != 0,
            matures_at: time(row, "matures_at"),
            code: text(row, "reason"),
            words: reason(row),
            click_id: text(row, "click_id"),
            stripe: ids.map(|(name, id)| (name.replace('_', " "), id.to_owned())).collect(),
            entries: data(entries).iter().map(EntryRow::read).collect(),
        })
    }
}

impl EntryRow {
    fn read(row: &Value) -> Self {
        Self {
            at: time(row, "at"),
            kind: text(row, "kind"),
            amount: signed_money(row, "amount_minor"),
            is_negative: number(row, "amount_minor") < 0,
            words: reason(row),
            is_paid: row.get("payout_id").is_some_and(|id| !id.is_null()),
        }
    }
}

/// The names behind IDs, each looked up once.
struct Names<'a> {
    rows: Rows<'a>,
    known: BTreeMap<String, String>,
}

impl<'a> Names<'a> {
    const fn new(rows: Rows<'a>) -> Self {
        Self { rows, known: BTreeMap::new() }
    }

    fn partner(&mut self, id: &str) -> Result<String, StoreError> {
        self.look_up(id, "SELECT name FROM partner WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3")
    }

    fn link_path(&mut self, id: &str) -> Result<String, StoreError> {
        let slug = "SELECT slug FROM link WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
        let slug = self.look_up(id, slug)?;
        Ok(if slug.is_empty() { slug } else { link_path(self.rows.scope().mode(), &slug) })
    }

    fn look_up(&mut self, id: &str, sql: &str) -> Result<String, StoreError> {
        if let Some(name) = self.known.get(id) {
            return Ok(name.clone());
        }
        let name = self.rows.one(sql, args![id], |row| row.get::<String>(0))?.unwrap_or_default();
        self.known.insert(id.to_owned(), name);
        Ok(self.known.get(id).cloned().unwrap_or_default())
    }
}
