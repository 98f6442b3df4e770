//! Coming in and going out: by a secret key typed into a form, or by the link a new workspace was given.

use askama::Template;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use serde::Deserialize;

use super::session;
use crate::access::secret_key_scope;
use crate::problem::Problem;
use crate::store::{Scope, StoreError};
use crate::trac::Trac;

pub(super) fn routes() -> Router<Trac> {
    Router::new()
        .route("/dashboard/login", get(async || page(Door::Key, StatusCode::OK)).post(log_in))
        .route("/dashboard/enter", get(show_link).post(enter))
        .route("/dashboard/logout", post(log_out))
        .layer(middleware::from_fn(own_forms_only))
}

/// What the visitor is asked for.
#[derive(Debug)]
enum Door {
    /// A secret key.
    Key,
    /// A key, after a wrong one.
    WrongKey,
    /// A key, after a link that was used or is too old.
    UsedLink,
    /// A press of the button, with a link's token.
    Link(String),
}

#[derive(Template)]
#[template(path = "dashboard/door.html")]
struct DoorPage {
    door: Door,
}

fn page(door: Door, status: StatusCode) -> Response {
    match (DoorPage { door }).render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => Problem::from(StoreError::internal(error.to_string())).into_response(),
    }
}

/// Lets a POST through only if the page it comes from is this server's own.
///
/// Browsers say so in `Sec-Fetch-Site`, older ones in `Origin`; whoever sends neither is no browser and carries no
/// one else's cookie.
pub(super) async fn own_forms_only(request: axum::extract::Request, next: middleware::Next) -> Response {
    let headers = request.headers();
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_own = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let host = origin.parse::<Uri>().ok();
            host.as_ref().and_then(Uri::authority).map(http::uri::Authority::as_str) == text("host")
        }
        (None, None) => true,
    };
    if request.method() == http::Method::POST && !is_own {
        return Problem::new(StatusCode::FORBIDDEN, "FORBIDDEN", "This form was sent from another site.")
            .into_response();
    }
    next.run(request).await
}

#[derive(Deserialize)]
struct KeyForm {
    key: String,
}

async fn log_in(
    State(trac): State<Trac>,
    form: Result<Form<KeyForm>, FormRejection>,
) -> Result<Response, Problem> {
    let Ok(Form(form)) = form else { return Ok(page(Door::WrongKey, StatusCode::UNAUTHORIZED)) };
    let key = form.key.trim().to_owned();
    match secret_key_scope(&trac, key).await? {
        Some(scope) => welcome(&trac, scope).await,
        None => Ok(page(Door::WrongKey, StatusCode::UNAUTHORIZED)),
    }
}

#[derive(Deserialize)]
struct LinkForm {
    token: String,
}

/// A link shows a button and does nothing yet: programs that look at links must not use it up.
async fn show_link(link: Result<Query<LinkForm>, QueryRejection>) -> Response {
    match link {
        Ok(Query(link)) => page(Door::Link(link.token), StatusCode::OK),
        Err(_) => page(Door::Key, StatusCode::OK),
    }
}

async fn enter(
    State(trac): State<Trac>,
    form: Result<Form<LinkForm>, FormRejection>,
) -> Result<Response, Problem> {
    let Ok(Form(form)) = form else { return Ok(page(Door::UsedLink, StatusCode::UNAUTHORIZED)) };
    match session::redeem(&trac, form.token).await? {
        Some(scope) => welcome(&trac, scope).await,
        None => Ok(page(Door::UsedLink, StatusCode::UNAUTHORIZED)),
    }
}

async fn welcome(trac: &Trac, scope: Scope) -> Result<Response, Problem> {
    let token = session::begin(trac, scope).await?;
    Ok(leave_with(trac, &token, "../dashboard"))
}

async fn log_out(State(trac): State<Trac>, headers: HeaderMap) -> Result<Response, Problem> {
    if let Some(token) = session::token(&headers) {
        session::end(&trac, token).await?;
    }
    Ok(leave_with(&trac, "", "login"))
}

fn leave_with(trac: &Trac, token: &str, to: &str) -> Response {
    let mut response = Redirect::to(to).into_response();
    if let Some(cookie) = session::cookie(trac, token) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}
