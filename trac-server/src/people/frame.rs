//! What the pages of this module share.

use askama::Template;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse as _, Response};

use super::member::workspaces_of;
use super::session::Session;
use crate::problem::Problem;
use crate::store::rows::args;
use crate::store::{Everywhere, StoreError};
use crate::trac::Trac;
use crate::web::{Language, Layout, Moment, Visitor, render};

/// The header of a page: the workspace and mode, the person, and the person's other workspaces.
///
/// # Errors
/// The store's.
pub(crate) fn visitor_of(tx: Everywhere<'_>, session: &Session) -> Result<Visitor, StoreError> {
    let id = session.scope.workspace_id();
    let name = tx.one("SELECT name FROM workspace WHERE id = ?1", args![id], |row| row.get(0))?;
    let mut others = match &session.person {
        Some(person) => workspaces_of(tx, &person.id)?,
        None => Vec::new(),
    };
    others.retain(|(other, _)| other != id);
    Ok(Visitor {
        workspace: name.unwrap_or_default(),
        mode: session.scope.mode_str(),
        person: session.person.as_ref().map(|person| person.name.clone()),
        role: session.role.as_str(),
        others,
        // A session without a person ends when the first person joins.
        is_first: session.person.is_none(),
        may_switch: session.may_switch_mode(),
    })
}

/// The layout of a page inside of a session; `path` begins after `dashboard`.
pub(super) fn layout_of(
    tx: Everywhere<'_>,
    session: &Session,
    title: &str,
    path: &str,
    current: &'static str,
) -> Result<Layout, StoreError> {
    let layout = Layout::new(session.language.say(title), path, current, Some(visitor_of(tx, session)?));
    Ok(layout.in_language(session.language))
}

/// The layout of a page outside of a session, which is directly under `dashboard`.
pub(super) fn bare(headers: &HeaderMap) -> Layout {
    Layout::new("", "/login", "", None).in_language(Language::of_headers(headers))
}

/// The response with a page.
pub(super) fn respond(page: &impl Template, status: StatusCode) -> Response {
    match render(page) {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => Problem::from(error).into_response(),
    }
}

#[derive(Template)]
#[template(path = "people/wait.html")]
struct WaitPage {
    layout: Layout,
    /// The earliest time at which the next attempt is answered.
    until: Moment,
}

/// `429` with a page that says when to try again.
pub(super) fn wait(trac: &Trac, headers: &HeaderMap, secs: u32) -> Response {
    let until = Moment(trac.clock.now().plus_secs(secs.into()));
    let mut response = respond(&WaitPage { layout: bare(headers), until }, StatusCode::TOO_MANY_REQUESTS);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(secs));
    response
}

#[derive(Template)]
#[template(path = "people/message.html")]
struct MessagePage {
    layout: Layout,
    heading: &'static str,
    text: &'static str,
}

/// A page outside of a session with a message and the way to the login page.
pub(super) fn message(
    headers: &HeaderMap,
    status: StatusCode,
    heading: &'static str,
    text: &'static str,
) -> Response {
    respond(&MessagePage { layout: bare(headers), heading, text }, status)
}
