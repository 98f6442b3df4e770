//! `/dashboard`: the flow from click to commission on one page, and the changing part of the page, for its script.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use trac_core::time::Timestamp;

use super::changes;
use super::layout::{Layout, render};
use super::queries::{self, Balance, Click, Commission, Counts, Event};
use super::session::Session;
use crate::problem::Problem;
use crate::store::StoreError;
use crate::store::rows::Rows;
use crate::trac::Trac;

pub(super) fn routes() -> Router<Trac> {
    Router::new().route("/dashboard", get(page)).route("/dashboard/live", get(live))
}

#[derive(Template)]
#[template(path = "dashboard/flow.html")]
struct FlowPage {
    layout: Layout,
    /// The number that the script compares with the one it requests.
    changes: u64,
    flow: Flow,
}

#[derive(Template)]
#[template(path = "dashboard/live.html")]
struct LivePart {
    flow: Flow,
}

/// The changing part of the page.
struct Flow {
    counts: Counts,
    balances: Vec<Balance>,
    has_more_balances: bool,
    clicks: Vec<Click>,
    events: Vec<Event>,
    commissions: Vec<Commission>,
}

/// The advice in the error for a page that takes too long.
const NARROW: &str =
    "Try again in a moment, or request the lists under /api/v1 one by one, each with a filter.";

async fn page(State(trac): State<Trac>, Session(scope): Session) -> Result<Response, Problem> {
    let (now, caller) = (trac.clock.now(), scope.clone());
    let page = trac.store.query::<_, StoreError, _>(&caller, NARROW, move |tx| {
        let rows = tx.within(&scope);
        // Read from the same snapshot as the rows that are shown, so that any later change changes the number.
        let changes = changes::number(rows, now)?;
        render(&FlowPage { layout: Layout::of(rows, "dashboard")?, changes, flow: Flow::read(rows, now)? })
    });
    Ok(Html(page.await?).into_response())
}

/// The header with the number of the changing part. All open pages of a scope share a part for a second; it may be older
/// than the number that the script read before, and then the script requests it once more.
const NUMBER: &str = "x-changes";

/// Serves the changing part alone, for the script.
async fn live(State(trac): State<Trac>, Session(scope): Session) -> Result<Response, Problem> {
    let (now, caller) = (trac.clock.now(), scope.clone());
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
    Ok((headers, part.to_string()).into_response())
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
