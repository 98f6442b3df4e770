//! `/dashboard/setup`: the steps of the set-up, which tick themselves, and a test sale, hop by hop.

use std::collections::BTreeMap;

use askama::Template;
use axum::Router;
use axum::extract::Form as FormOf;
use axum::extract::rejection::FormRejection;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::acts::{endpoints, links, partners};
use super::api::{Call, Failure};
use super::desk::{Desk, notice};
use super::extra;
use super::first_link::{self, Sent};
use super::value::{list, moment, text};
use crate::access::ActorKind;
use crate::access::role::Right;
use crate::trac::Trac;
use crate::web::{Block, Field, Form, Input, Layout, Link, Page, Step, Tone, Wire, render};

pub(super) fn routes() -> Router<Trac> {
    Router::new()
        .route("/dashboard/setup", get(serve))
        .route("/dashboard/setup/stripe", post(connect))
        .route("/dashboard/setup/script", post(check_script))
        .route("/dashboard/setup/first-link", post(create_first_link))
}

const TAB: &str = "setup";

/// The titles of the steps.
pub(super) const TITLES: [(&str, &str); 11] = [
    ("public_url", "Your server can be reached"),
    ("endpoint", "An address for Stripe's events"),
    ("signing_secret", "Stripe's signature can be checked"),
    ("first_event", "Stripe has sent an event"),
    ("event_types", "Stripe sends all that is needed"),
    ("script", "The script is on your pages"),
    ("program", "A program says what partners earn"),
    ("partner", "A partner takes part"),
    ("link", "The partner has a link"),
    ("first_click", "A visitor came through a link"),
    ("first_sale", "A sale was credited"),
];

async fn serve(desk: Desk) -> Response {
    match page(&desk, None).await {
        Ok(page) => page.respond(StatusCode::OK),
        Err(failure) => desk.failed(&failure, TAB),
    }
}

/// The page, with a form that was sent and has errors.
async fn page(desk: &Desk, sent: Option<&Form>) -> Result<Page, Failure> {
    let answer = desk.get("/setup").await?;
    let mut page = desk.page("Set-up", TAB);
    let steps = list(&answer, "steps");
    let left = steps.iter().filter(|step| text(step, "status") != "done").count();
    if left == 0 {
        page.blocks
            .push(notice(Tone::Good, "Everything is set up: sales of your partners' visitors are credited."));
    } else {
        "Every step ticks itself as soon as trac sees that it is done.".clone_into(&mut page.intro);
    }
    if desk.caller.scope.mode_str() == "test" && left == 0 {
        page.blocks.push(notice(
            Tone::Calm,
            "This is test mode. When your test sales are as they should be, go live.",
        ));
        // A key of test mode has no part in live mode.
        if desk.caller.actor.kind != ActorKind::Key {
            page.blocks.push(Block::Actions(vec![Link::main("Go live", "go-live")]));
        }
    }
    let endpoint = first(desk, "/webhook-endpoints").await?;
    let endpoint = text(&endpoint, "id").to_owned();
    let mut shown = Vec::new();
    for step in steps {
        shown.push(self::step(desk, step, &endpoint, sent));
    }
    page.blocks.push(Block::Steps(shown));
    page.blocks.push(desk.script_line());
    page.blocks.push(test_sale(desk).await?);
    Ok(page)
}

/// The newest row of a list; `null` without any.
async fn first(desk: &Desk, path: &str) -> Result<Value, Failure> {
    let listed = desk.get(&format!("{path}?limit=1")).await?;
    Ok(list(&listed, "data").first().cloned().unwrap_or_default())
}

/// A step with what can be done about it here.
fn step(desk: &Desk, step: &Value, endpoint: &str, sent: Option<&Form>) -> Step {
    let (id, title) = TITLES.iter().find(|(id, _)| *id == text(step, "id")).copied().unwrap_or(("", ""));
    let status = match text(step, "status") {
        "done" => "done",
        "failed" => "failed",
        _ => "waiting",
    };
    let (mut links, mut form) = (Vec::new(), None);
    if status != "done" && desk.may(Right::Manage) {
        match id {
            "endpoint" | "signing_secret" => {
                if id == "signing_secret" {
                    form = Some(stripe_form(desk));
                }
                links = desk.offered(&[&endpoints::SECRETS], endpoint);
                links.push(Link::new("The six fields for Stripe", &format!("endpoints/{endpoint}")));
            }
            "first_event" | "event_types" => links = vec![Link::new("The webhook log", "webhooks")],
            "script" => form = Some(script_form(desk)),
            "program" => form = Some(first_link::form(desk)),
            "partner" => links = desk.offered(&[&partners::CREATE], ""),
            "link" => links = desk.offered(&[&links::CREATE], ""),
            "first_click" => links = vec![Link::new("Your links", "links")],
            "first_sale" => links = vec![Link::new("Why?", "why")],
            _ => {}
        }
    }
    // A form that was sent and has errors is shown again, also if a part of it took effect.
    let is_sent = |action: &str| sent.filter(|sent| sent.action == action).cloned();
    let form = match (form, id) {
        (Some(form), _) => Some(is_sent(&form.action).unwrap_or(form)),
        (None, "program") => is_sent(first_link::ACTION),
        (None, _) => None,
    };
    let remedy = text(step, "remedy");
    Step {
        id,
        title,
        status,
        text: text(step, "what").to_owned(),
        remedy: (!remedy.is_empty()).then(|| remedy.to_owned()),
        at: moment(step, "at"),
        links,
        form,
    }
}

fn stripe_form(desk: &Desk) -> Form {
    Form {
        action: "setup/stripe".to_owned(),
        fields: vec![
            Field::text("restricted_key", "Restricted key")
                .input(Input::Secret)
                .hint("In Stripe: Developers, API keys, Create restricted key, with write access to Webhook Endpoints and read access to Invoices. It begins with rk_.")
                .required(),
            desk.mode_field(),
        ],
        submit: "Connect Stripe",
        ..Form::default()
    }
}

fn script_form(desk: &Desk) -> Form {
    Form {
        action: "setup/script".to_owned(),
        fields: vec![
            Field::text("page", "A page of your shop")
                .wire(Wire::Text)
                .hint("Its address, such as https://shop.example.com/. It opens with a note that says what the script found.")
                .required(),
            desk.mode_field(),
        ],
        submit: "Check this page",
        ..Form::default()
    }
}

/// The story of the newest click: a test sale, drawn as it happens.
#[derive(Template)]
#[template(path = "dashboard/test_sale.html")]
struct TestSale<'a> {
    layout: &'a Layout,
    /// The newest link.
    link: Option<&'a str>,
    /// HTML.
    story: String,
}

async fn test_sale(desk: &Desk) -> Result<Block, Failure> {
    let (click, link) = (first(desk, "/clicks").await?, first(desk, "/links").await?);
    let story = match text(&click, "id") {
        "" => String::new(),
        id => extra::story(desk, id).await?,
    };
    let layout = desk.layout("", "");
    let link = Some(text(&link, "url")).filter(|url| !url.is_empty());
    let part = TestSale { layout: &layout, link, story };
    render(&part).map(Block::Html).map_err(Failure::of_store)
}

type Submitted = Result<FormOf<Vec<(String, String)>>, FormRejection>;

async fn connect(desk: Desk, submitted: Submitted) -> Response {
    let given = match given(&desk, submitted) {
        Ok(given) => given,
        Err(failure) => return desk.failed(&failure, TAB),
    };
    let body = Some(json!({ "restricted_key": value(&given, "restricted_key") }));
    let call = Call { method: Method::POST, path: "/setup/stripe".to_owned(), body, once: None };
    match desk.api.call(&desk.caller, call).await {
        Ok(_) => Redirect::to("../setup").into_response(),
        Err(failure) => with_error(&desk, stripe_form(&desk), failure).await,
    }
}

async fn check_script(desk: Desk, submitted: Submitted) -> Response {
    let given = match given(&desk, submitted) {
        Ok(given) => given,
        Err(failure) => return desk.failed(&failure, TAB),
    };
    let body = Some(json!({ "page": value(&given, "page") }));
    let call = Call { method: Method::POST, path: "/setup/script-check".to_owned(), body, once: None };
    match desk.api.call(&desk.caller, call).await {
        Ok(answer) => match text(&answer, "url") {
            "" => Redirect::to("../setup").into_response(),
            url => opened(&desk, url).respond(StatusCode::OK),
        },
        Err(failure) => {
            let mut form = script_form(&desk);
            form.fill(&given);
            with_error(&desk, form, failure).await
        }
    }
}

/// The page with the link to the merchant's page. A form may only lead to this server, so the person follows a link.
fn opened(desk: &Desk, url: &str) -> Page {
    let mut page = desk.page("Check the script", TAB);
    "Open your page by this link. A note on it says what the script found. Then come back: the step has ticked itself."
        .clone_into(&mut page.intro);
    page.blocks.push(Block::Away { text: "Open your page", url: url.to_owned() });
    page.blocks.push(Block::Actions(vec![Link::new("Back to the set-up", "setup")]));
    page
}

async fn create_first_link(desk: Desk, submitted: Submitted) -> Response {
    let given = match given(&desk, submitted) {
        Ok(given) => given,
        Err(failure) => return desk.failed(&failure, TAB),
    };
    match first_link::create(&desk, &given).await {
        Ok(()) => Redirect::to("../setup").into_response(),
        Err(Sent { form, status }) => with_form(&desk, &form, status).await,
    }
}

async fn with_error(desk: &Desk, mut form: Form, failure: Failure) -> Response {
    form.note(&failure.message, &failure.fields);
    with_form(desk, &form, failure.status).await
}

/// The page with a form that was sent and has errors.
async fn with_form(desk: &Desk, sent: &Form, status: StatusCode) -> Response {
    match page(desk, Some(sent)).await {
        Ok(page) => page.respond(status),
        Err(failure) => desk.failed(&failure, TAB),
    }
}

/// The fields of a submitted form.
///
/// # Errors
/// `409` if the mode was switched after the form was opened.
fn given(desk: &Desk, submitted: Submitted) -> Result<BTreeMap<String, String>, Failure> {
    let given: BTreeMap<_, _> =
        submitted.map(|FormOf(pairs)| pairs.into_iter().collect()).unwrap_or_default();
    desk.must_be_of_mode(&given)?;
    Ok(given)
}

fn value<'a>(given: &'a BTreeMap<String, String>, name: &str) -> &'a str {
    given.get(name).map_or("", |value| value.trim())
}
