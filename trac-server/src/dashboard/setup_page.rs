//! `/dashboard/setup`: the steps of the set-up, which tick themselves, and a test sale, hop by hop.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::Form as FormOf;
use axum::extract::rejection::FormRejection;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::act::offered;
use super::acts::{endpoints, links, partners, programs};
use super::api::{Call, Failure};
use super::desk::{Desk, notice};
use super::value::{list, moment, text};
use crate::access::role::Right;
use crate::trac::Trac;
use crate::web::{Block, Field, Form, Input, Link, Page, Payload, Step, Tone, Wire};

pub(super) fn routes() -> Router<Trac> {
    Router::new()
        .route("/dashboard/setup", get(serve))
        .route("/dashboard/setup/stripe", post(connect))
        .route("/dashboard/setup/script", post(check_script))
}

const TAB: &str = "setup";

/// The titles of the steps.
const TITLES: [(&str, &str); 11] = [
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
    match page(&desk, BTreeMap::new()).await {
        Ok(page) => page.respond(StatusCode::OK),
        Err(failure) => desk.failed(&failure, TAB),
    }
}

/// The page, with the errors of a form that was sent.
async fn page(desk: &Desk, failed: BTreeMap<&'static str, Failure>) -> Result<Page, Failure> {
    let answer = desk.get("/setup").await?;
    let mut page = desk.page("Set-up", TAB);
    let steps = list(&answer, "steps");
    let left = steps.iter().filter(|step| text(step, "status") != "done").count();
    if left == 0 {
        page.blocks
            .push(notice(Tone::Good, "Everything is set up: sales of your partners' visitors are credited."));
    } else {
        "Every step ticks itself as soon as trac sees that it is done. Reload the page to see the newest state."
            .clone_into(&mut page.intro);
    }
    if desk.caller.scope.mode_str() == "test" && left == 0 {
        page.blocks.push(notice(Tone::Calm, "This is test mode. On the server, trac workspace go-live copies programs, partners and links to live mode."));
    }
    let endpoint = first(desk, "/webhook-endpoints").await?;
    let endpoint = text(&endpoint, "id").to_owned();
    let mut shown = Vec::new();
    for step in steps {
        shown.push(self::step(desk, step, &endpoint, &failed));
    }
    page.blocks.push(Block::Steps(shown));
    page.blocks.push(script_line(desk));
    page.blocks.extend(test_sale(desk).await?);
    Ok(page)
}

/// The newest row of a list; `null` without any.
async fn first(desk: &Desk, path: &str) -> Result<Value, Failure> {
    let listed = desk.get(&format!("{path}?limit=1")).await?;
    Ok(list(&listed, "data").first().cloned().unwrap_or_default())
}

/// A step with what can be done about it here.
fn step(desk: &Desk, step: &Value, endpoint: &str, failed: &BTreeMap<&'static str, Failure>) -> Step {
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
                    form = Some(noted(stripe_form(), failed.get("stripe")));
                }
                links = offered(desk, &[&endpoints::SECRETS], endpoint);
                links.push(Link::new("The six fields for Stripe", &format!("endpoints/{endpoint}")));
            }
            "first_event" | "event_types" => links = vec![Link::new("The webhook log", "webhooks")],
            "script" => form = Some(noted(script_form(), failed.get("script"))),
            "program" => links = offered(desk, &[&programs::CREATE], ""),
            "partner" => links = offered(desk, &[&partners::CREATE], ""),
            "link" => links = offered(desk, &[&links::CREATE], ""),
            "first_click" => links = vec![Link::new("Your links", "links")],
            "first_sale" => links = vec![Link::new("Why?", "why")],
            _ => {}
        }
    }
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

fn noted(mut form: Form, failure: Option<&Failure>) -> Form {
    if let Some(failure) = failure {
        form.note(&failure.message, &failure.fields);
    }
    form
}

fn stripe_form() -> Form {
    Form {
        action: "setup/stripe".to_owned(),
        fields: vec![
            Field::text("restricted_key", "Restricted key")
                .input(Input::Secret)
                .hint("In Stripe: Developers, API keys, Create restricted key, with write access to Webhook Endpoints and read access to Invoices. It begins with rk_.")
                .required(),
        ],
        submit: "Connect Stripe",
        ..Form::default()
    }
}

fn script_form() -> Form {
    Form {
        action: "setup/script".to_owned(),
        fields: vec![
            Field::text("page", "A page of your shop")
                .wire(Wire::Text)
                .hint("Its address, such as https://shop.example.com/. It opens with a note that says what the script found.")
                .required(),
        ],
        submit: "Check this page",
        ..Form::default()
    }
}

/// The line for the merchant's pages.
fn script_line(desk: &Desk) -> Block {
    let url = desk.trac.public_url.trim_end_matches('/');
    Block::Payload(Payload {
        title: "The script for your pages",
        note: "Paste this line into the head of every page of your shop.",
        lines: vec![(format!("<script src=\"{url}/trac.js\" async></script>"), false)],
    })
}

/// The story of the newest click: a test sale, drawn as it happens.
async fn test_sale(desk: &Desk) -> Result<Vec<Block>, Failure> {
    let click = first(desk, "/clicks").await?;
    let id = text(&click, "id");
    let mut blocks = vec![Block::Text {
        title: "Try it: a test sale",
        text: "Open a partner's link, buy something with Stripe's test card 4242 4242 4242 4242, and watch the newest click become a commission \
               here, step by step."
            .to_owned(),
    }];
    if !id.is_empty() {
        blocks.extend(super::extra::story(desk, id).await?);
    }
    Ok(blocks)
}

async fn connect(desk: Desk, submitted: Result<FormOf<Vec<(String, String)>>, FormRejection>) -> Response {
    let key = given(submitted, "restricted_key");
    let body = Some(json!({ "restricted_key": key }));
    let call = Call { method: Method::POST, path: "/setup/stripe".to_owned(), body, once: None };
    match desk.api.call(&desk.caller, call).await {
        Ok(_) => Redirect::to("../setup").into_response(),
        Err(failure) => with_error(&desk, "stripe", failure).await,
    }
}

async fn check_script(
    desk: Desk,
    submitted: Result<FormOf<Vec<(String, String)>>, FormRejection>,
) -> Response {
    let body = Some(json!({ "page": given(submitted, "page") }));
    let call = Call { method: Method::POST, path: "/setup/script-check".to_owned(), body, once: None };
    match desk.api.call(&desk.caller, call).await {
        Ok(answer) => match text(&answer, "url") {
            "" => Redirect::to("../setup").into_response(),
            url => opened(&desk, url).respond(StatusCode::OK),
        },
        Err(failure) => with_error(&desk, "script", failure).await,
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

async fn with_error(desk: &Desk, form: &'static str, failure: Failure) -> Response {
    let status = failure.status;
    match page(desk, BTreeMap::from([(form, failure)])).await {
        Ok(page) => page.respond(status),
        Err(failure) => desk.failed(&failure, TAB),
    }
}

/// A field of a submitted form.
fn given(submitted: Result<FormOf<Vec<(String, String)>>, FormRejection>, name: &str) -> String {
    let pairs = submitted.map(|FormOf(pairs)| pairs).unwrap_or_default();
    pairs
        .into_iter()
        .find(|(field, _)| field == name)
        .map(|(_, value)| value.trim().to_owned())
        .unwrap_or_default()
}
