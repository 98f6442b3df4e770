//! `/dashboard/why`: the story of any ID or e-mail address, which answers "where is my commission?".
//!
//! The form posts, so that an e-mail address does not appear in URLs, browser histories and proxy logs. Links on
//! other pages have trac's IDs in the query.

use askama::Template;
use axum::Router;
use axum::extract::Form;
use axum::extract::rejection::FormRejection;
use axum::http::{Method, StatusCode};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::json;

use super::api::{Call, Failure};
use super::desk::Desk;
use super::story::Answer;
use crate::explain::OTHER_IDS;
use crate::trac::Trac;
use crate::web::{Layout, render};

pub(super) fn routes() -> Router<Trac> {
    Router::new().route("/dashboard/why", get(linked).post(asked))
}

/// The ID or e-mail address to look up.
#[derive(Default, Deserialize)]
struct Question {
    #[serde(default)]
    id: String,
}

#[derive(Template)]
#[template(path = "dashboard/why.html")]
struct WhyPage {
    layout: Layout,
    id: String,
    /// `None` if nothing was looked up.
    answer: Option<Answer>,
}

async fn linked(desk: Desk) -> Response {
    let id = desk.query.get("id").cloned().unwrap_or_default();
    answer(desk, id).await
}

async fn asked(desk: Desk, question: Result<Form<Question>, FormRejection>) -> Response {
    let id = question.map(|Form(question)| question.id).unwrap_or_default();
    answer(desk, id).await
}

async fn answer(desk: Desk, id: String) -> Response {
    match page(&desk, id.trim()).await {
        Ok((status, html)) => (status, Html(html)).into_response(),
        Err(failure) => desk.failed(&failure, "why"),
    }
}

async fn page(desk: &Desk, id: &str) -> Result<(StatusCode, String), Failure> {
    let answer = if id.is_empty() { None } else { Some(look_up(desk, id).await?) };
    let status = match &answer {
        Some(answer) if answer.stories.is_empty() => StatusCode::NOT_FOUND,
        _ => StatusCode::OK,
    };
    let page = WhyPage { layout: desk.page("Why?", "why").layout, id: id.to_owned(), answer };
    Ok((status, render(&page).map_err(Failure::of_store)?))
}

async fn look_up(desk: &Desk, id: &str) -> Result<Answer, Failure> {
    let (method, path) = (Method::POST, "/explain".to_owned());
    let call = Call { method, path, body: Some(json!({ "query": id })), once: None };
    match desk.api.call(&desk.caller, call).await {
        Ok(story) => Answer::deserialize(&story).map_err(|error| Failure::of_store(error.into())),
        Err(failure) if failure.status == StatusCode::NOT_FOUND => {
            let mode = desk.caller.scope.mode_str();
            let summary = format!("Nothing was found for this in {mode} mode.");
            let remedy =
                format!("{OTHER_IDS} The other mode has its own rows: switch to it at the top of the page.");
            Ok(Answer::of_nothing(summary, remedy))
        }
        Err(failure) => Err(failure),
    }
}
