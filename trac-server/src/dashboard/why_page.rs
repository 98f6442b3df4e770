//! `/dashboard/why`: the story of any ID or e-mail address, which answers "where is my commission?".
//!
//! The form posts, so that an e-mail address does not appear in URLs, browser histories and proxy logs. Links on
//! other pages have trac's IDs in the query.

use askama::Template;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use axum::{Router, middleware};
use serde::Deserialize;

use super::layout::{Layout, render};
use super::session::Session;
use super::sign_in::own_forms_only;
use super::story::Answer;
use crate::explain::{self, NARROW, OTHER_IDS};
use crate::problem::Problem;
use crate::store::{Scope, StoreError};
use crate::trac::Trac;

pub(super) fn routes(trac: &Trac) -> Router<Trac> {
    let own_forms_only = middleware::from_fn_with_state(trac.clone(), own_forms_only);
    Router::new().route("/dashboard/why", get(linked).post(asked)).layer(own_forms_only)
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

async fn linked(
    trac: State<Trac>,
    session: Session,
    question: Result<Query<Question>, QueryRejection>,
) -> Result<Response, Problem> {
    answer(trac, session, question.map(|Query(question)| question).unwrap_or_default()).await
}

async fn asked(
    trac: State<Trac>,
    session: Session,
    question: Result<Form<Question>, FormRejection>,
) -> Result<Response, Problem> {
    answer(trac, session, question.map(|Form(question)| question).unwrap_or_default()).await
}

async fn answer(
    State(trac): State<Trac>,
    Session(scope): Session,
    question: Question,
) -> Result<Response, Problem> {
    let (now, id) = (trac.clock.now(), question.id.trim().to_owned());
    let caller = scope.clone();
    let page = trac.store.query::<_, StoreError, _>(&caller, NARROW, move |tx| {
        let rows = tx.within(&scope);
        let layout = Layout::of(rows, "dashboard/why")?;
        let answer = if id.is_empty() {
            None
        } else {
            let story = explain::story_of(rows, now, &id)?;
            Some(story.map_or_else(|| Ok(nothing_known(&scope)), |story| Answer::deserialize(&story))?)
        };
        Ok(WhyPage { layout, id, answer })
    });
    let page = page.await?;
    let status = match &page.answer {
        Some(answer) if answer.stories.is_empty() => StatusCode::NOT_FOUND,
        _ => StatusCode::OK,
    };
    Ok((status, Html(render(&page)?)).into_response())
}

fn nothing_known(scope: &Scope) -> Answer {
    let summary = format!("Nothing was found for this in {} mode.", scope.mode_str());
    let remedy =
        format!("{OTHER_IDS} The other mode has its own dashboard: sign in with a key of that mode.");
    Answer::of_nothing(summary, remedy)
}
