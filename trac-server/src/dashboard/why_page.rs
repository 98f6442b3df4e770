//! `/dashboard/why`: the story of any ID or e-mail address, for whoever asks "where is my commission?".
//!
//! The form posts, so that an e-mail address stays out of addresses, histories and logs of proxies. Links on other
//! pages name IDs of ours in the query.

use askama::Template;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use axum::{Router, middleware};
use serde::Deserialize;
use serde_json::Value;

use super::door::own_forms_only;
use super::session::Session;
use super::words::{signed_money, text, time};
use super::workspace_name;
use crate::explain::{self, NARROW};
use crate::problem::Problem;
use crate::store::{Scope, StoreError};
use crate::trac::Trac;

pub(super) fn routes(trac: &Trac) -> Router<Trac> {
    let own_forms_only = middleware::from_fn_with_state(trac.clone(), own_forms_only);
    Router::new().route("/dashboard/why", get(linked).post(asked)).layer(own_forms_only)
}

/// What is asked about.
#[derive(Default, Deserialize)]
struct Question {
    #[serde(default)]
    id: String,
}

#[derive(Template)]
#[template(path = "dashboard/why.html")]
struct WhyPage {
    workspace: String,
    mode: &'static str,
    id: String,
    told: Option<Told>,
}

/// The answer, as the page shows it.
struct Told {
    kind: String,
    summary: String,
    is_whole: bool,
    remedy: String,
    stories: Vec<Story>,
}

struct Story {
    payment_id: String,
    hops: Vec<Hop>,
}

struct Hop {
    name: String,
    status: String,
    word: &'static str,
    what: String,
    reason: String,
    remedy: String,
    /// What else may have led to it, each with its remedy.
    others: Vec<(String, String)>,
    entries: Vec<Entry>,
}

struct Entry {
    at: String,
    kind: String,
    amount: String,
    is_negative: bool,
    reason: String,
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
    let of = scope.clone();
    let page = trac.store.query::<_, StoreError, _>(&of, NARROW, move |tx| {
        let rows = tx.within(&scope);
        let workspace = workspace_name(rows)?;
        let told = if id.is_empty() {
            None
        } else {
            let story = explain::tell(rows, now, &id)?;
            Some(story.map_or_else(|| nothing_known(&scope), |story| Told::read(&story)))
        };
        Ok(WhyPage { workspace, mode: scope.mode_str(), id, told })
    });
    let page = page.await?;
    let status = match &page.told {
        Some(told) if told.stories.is_empty() => StatusCode::NOT_FOUND,
        _ => StatusCode::OK,
    };
    let html = page.render().map_err(|error| StoreError::internal(error.to_string()))?;
    Ok((status, Html(html)).into_response())
}

fn nothing_known(scope: &Scope) -> Told {
    Told {
        kind: String::new(),
        summary: format!("Nothing in {} mode goes by this.", scope.mode_str()),
        is_whole: false,
        remedy: "Look for it by another name: the Checkout Session (cs_…), the invoice (in_…), the buyer's e-mail address, \
                 the partner's code. The other mode has a dashboard of its own, opened by its secret key."
            .to_owned(),
        stories: Vec::new(),
    }
}

fn rows<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

impl Told {
    fn read(story: &Value) -> Self {
        Self {
            kind: text(story, "kind"),
            summary: text(story, "summary"),
            is_whole: story.get("first_missing_hop").is_none_or(Value::is_null),
            remedy: text(story, "remedy"),
            stories: rows(story, "stories").map(Story::read).collect(),
        }
    }
}

impl Story {
    fn read(story: &Value) -> Self {
        Self { payment_id: text(story, "payment_id"), hops: rows(story, "hops").map(Hop::read).collect() }
    }
}

impl Hop {
    fn read(hop: &Value) -> Self {
        let (status, name) = (text(hop, "status"), text(hop, "hop"));
        let commissions = hop.get("details").and_then(Value::as_array).filter(|_| name == "entries");
        let entries = commissions.into_iter().flatten().flat_map(|commission| rows(commission, "entries"));
        let causes = hop.get("details").map(|details| rows(details, "causes").skip(1));
        let others = causes.into_iter().flatten().map(|cause| (text(cause, "what"), text(cause, "remedy")));
        let word = match status.as_str() {
            "ok" => "yes",
            "waiting" => "waiting",
            "refused" => "stopped",
            _ => "missing",
        };
        Self {
            word,
            what: text(hop, "what"),
            reason: if status == "ok" { String::new() } else { text(hop, "reason") },
            remedy: text(hop, "remedy"),
            others: others.collect(),
            entries: entries.map(Entry::read).collect(),
            name,
            status,
        }
    }
}

impl Entry {
    fn read(entry: &Value) -> Self {
        Self {
            at: time(entry, "at"),
            kind: text(entry, "kind"),
            amount: signed_money(entry, "amount_minor"),
            is_negative: entry.get("amount_minor").and_then(Value::as_i64).is_some_and(i64::is_negative),
            reason: super::words::reason(entry),
        }
    }
}
