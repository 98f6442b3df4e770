//! `/dashboard/settings` and `/dashboard/data`: the workspace, how it is reached, what is kept, and how to take the data out.

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;

use super::acts::workspace;
use super::api::Failure;
use super::desk::Desk;
use super::lists::LISTS;
use super::value::{id, text, time};
use crate::trac::Trac;
use crate::web::{Block, Cell, Link, Table};

pub(super) fn routes() -> Router<Trac> {
    Router::new()
        .route("/dashboard/settings", get(async |desk: Desk| shown(&desk, settings(&desk).await, "settings")))
        .route("/dashboard/data", get(async |desk: Desk| shown(&desk, Ok(data(&desk)), "data")))
}

fn shown(desk: &Desk, page: Result<crate::web::Page, Failure>, tab: &'static str) -> Response {
    match page {
        Ok(page) => page.respond(StatusCode::OK),
        Err(failure) => desk.failed(&failure, tab),
    }
}

async fn settings(desk: &Desk) -> Result<crate::web::Page, Failure> {
    let found = desk.get("/workspace").await?;
    let mut page = desk.page("Settings", "settings");
    page.actions = desk.offered(&[&workspace::CHANGE], "");
    page.blocks.push(Block::Facts {
        title: "Workspace",
        facts: vec![
            ("Name", Cell::text(text(&found, "name"))),
            ("ID", id(&found, "id")),
            ("Fallback address for ended links", Cell::text(text(&found, "fallback_url"))),
            ("Created", time(&found, "created_at")),
        ],
    });
    let url = &desk.trac.public_url;
    page.blocks.push(Block::Facts {
        title: "Server",
        facts: vec![
            ("Public address", Cell::Address(url.to_string())),
            ("Version", Cell::text(env!("CARGO_PKG_VERSION"))),
        ],
    });
    let mut kept = Vec::new();
    let retention = desk.trac.retention;
    for (name, days) in [
        ("Bodies of events", retention.bodies_days),
        ("Clicks that nothing refers to", retention.clicks_days),
        ("Events without effect", retention.log_days),
        ("Refused calls", retention.refusals_days),
    ] {
        let kept_for =
            if days == 0 { desk.say("for ever").to_owned() } else { format!("{days} {}", desk.say("days")) };
        kept.push((name, Cell::text(&kept_for)));
    }
    page.blocks.push(Block::Facts { title: "How long records are kept", facts: kept });
    page.blocks.push(Block::Text {
        title: "",
        text: "These times are options of the server: see docs/operations.md. Records behind amounts of money are never deleted.".to_owned(),
    });
    page.blocks.push(desk.script_line());
    Ok(page)
}

/// All lists as files.
fn data(desk: &Desk) -> crate::web::Page {
    let mut page = desk.page("Data", "data");
    "Your data belongs to you: every list can be downloaded, and everything can be moved to another server."
        .clone_into(&mut page.intro);
    let mut table = Table::of("files", "Lists as CSV", &[("List", false), ("File", false)], "");
    for list in LISTS {
        let file = Cell::link(desk.say("Download as CSV"), &format!("{}?format=csv", list.path));
        table.push("", vec![Cell::link(desk.say(list.title), list.path), file]);
    }
    page.blocks.push(Block::Table(table));
    page.blocks.push(Block::Text {
        title: "Everything in one file",
        text: "On the server, trac export FILE writes the whole workspace, and trac import FILE reads it on another server. trac backup FILE \
               copies the whole database while the server runs."
            .to_owned(),
    });
    page.blocks.push(Block::Actions(vec![Link::new("What was changed", "activity")]));
    page
}
