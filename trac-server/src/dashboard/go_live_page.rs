//! `/dashboard/go-live`: what a copy of test mode to live mode copies, what live mode still needs, and the button.

use axum::Router;
use axum::extract::Form as FormOf;
use axum::extract::rejection::FormRejection;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use serde_json::Value;
use trac_core::program::Mode;

use super::api::{Call, Failure, query_of};
use super::desk::{Desk, notice};
use super::setup_page::TITLES;
use super::value::{list, text};
use crate::access::role::Right;
use crate::store::Scope;
use crate::trac::Trac;
use crate::web::{Block, Cell, Form, Link, Page, Table, Tone};

pub(super) fn routes() -> Router<Trac> {
    Router::new().route("/dashboard/go-live", get(serve).post(copy))
}

const TAB: &str = "setup";

/// The steps of live mode that a copy takes no part in.
const NEEDED: [&str; 6] =
    ["public_url", "endpoint", "signing_secret", "first_event", "event_types", "script"];

async fn serve(desk: Desk) -> Response {
    match page(&desk).await {
        Ok(page) => page.respond(StatusCode::OK),
        Err(failure) => desk.failed(&failure, TAB),
    }
}

async fn page(desk: &Desk) -> Result<Page, Failure> {
    let shown = desk.get("/go-live").await?;
    let mut page = desk.page("Go live", TAB);
    "Programs, partners, enrollments and links are copied from test mode to live mode. Clicks, sales and commissions are not: test money \
     never becomes real."
        .clone_into(&mut page.intro);
    if let Some(count) = desk.query.get("copied").and_then(|count| count.parse::<u64>().ok()) {
        page.blocks.push(notice(Tone::Good, desk.say("The copy was made.")));
        page.blocks.push(Block::Facts {
            title: "",
            facts: vec![("Copied to live mode", Cell::Text(count.to_string()))],
        });
    }
    let copied = list(&shown, "copied");
    let mut will = Table::of(
        "copied",
        "What will be copied",
        &[("Kind", false), ("Name", false)],
        "Nothing: all of it is in live mode already.",
    );
    for row in copied {
        will.push("", vec![Cell::word(text(row, "kind")), Cell::text(text(row, "name"))]);
    }
    page.blocks.push(Block::Table(will));
    for (id, title) in [("left_out", "What will not be copied"), ("look_at", "What to change in live mode")] {
        let rows = list(&shown, id);
        if !rows.is_empty() {
            page.blocks.push(Block::Table(with_reasons(id, title, rows)));
        }
    }
    page.blocks.push(Block::Table(needed(desk).await?));
    page.blocks.push(Block::Text {
        title: "Keys of live mode",
        text: "Your servers call the API with a secret key that begins with sk_live_. Where your script tag has data-key, put the key that begins \
               with pk_live_ there. Keys of live mode are made on the page API keys, in live mode."
            .to_owned(),
    });
    if !copied.is_empty() && desk.may(Right::Manage) {
        page.blocks.push(Block::Form(form(desk)));
    } else {
        page.blocks.push(Block::Actions(vec![Link::new("Back to the set-up", "setup")]));
    }
    Ok(page)
}

fn form(desk: &Desk) -> Form {
    Form {
        action: "go-live".to_owned(),
        fields: vec![desk.mode_field()],
        submit: "Copy to live mode",
        consequences: vec![
            "The copies are in force at once: the links of your partners lead to live mode, and live sales earn.".to_owned(),
            "What was copied before is not copied again, and what you changed in live mode stays.".to_owned(),
        ],
        cancel: Some(TAB.to_owned()),
        ..Form::default()
    }
}

/// Rows of the answer that say why.
fn with_reasons(id: &'static str, title: &'static str, rows: &[Value]) -> Table {
    let mut table = Table::of(id, title, &[("Kind", false), ("Name", false), ("Reason", false)], "");
    for row in rows {
        let cells = [text(row, "name"), text(row, "why")].map(Cell::text);
        table.push("", [Cell::word(text(row, "kind"))].into_iter().chain(cells).collect());
    }
    table
}

/// The steps of the set-up of live mode that are not done.
async fn needed(desk: &Desk) -> Result<Table, Failure> {
    let mut live = desk.caller.clone();
    live.scope = Scope::new(live.scope.workspace_id(), Mode::Live);
    let setup = desk.api.get(&live, "/setup").await?;
    let mut table = Table::of(
        "needed",
        "What live mode still needs",
        &[("Step", false), ("What to do", false)],
        "Nothing: Stripe sends live events, and the script is on your pages.",
    );
    for step in list(&setup, "steps") {
        let id = text(step, "id");
        if text(step, "status") == "done" || !NEEDED.contains(&id) {
            continue;
        }
        let title = TITLES.iter().find(|(known, _)| *known == id).map_or(id, |(_, title)| title);
        let remedy = Some(text(step, "remedy")).filter(|remedy| !remedy.is_empty());
        table.push("", vec![Cell::word(title), Cell::text(remedy.unwrap_or_else(|| text(step, "what")))]);
    }
    Ok(table)
}

async fn copy(desk: Desk, submitted: Result<FormOf<Vec<(String, String)>>, FormRejection>) -> Response {
    let given = submitted.map(|FormOf(pairs)| pairs.into_iter().collect()).unwrap_or_default();
    if let Err(failure) = desk.must_be_of_mode(&given) {
        return desk.failed(&failure, TAB);
    }
    let call = Call { method: Method::POST, path: "/go-live".to_owned(), body: None, once: None };
    match desk.api.call(&desk.caller, call).await {
        Ok(answer) => {
            let count = list(&answer, "copied").len().to_string();
            Redirect::to(&format!("go-live{}", query_of([("copied", count.as_str())]))).into_response()
        }
        Err(failure) => desk.failed(&failure, TAB),
    }
}
