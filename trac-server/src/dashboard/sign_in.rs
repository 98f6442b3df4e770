//! Signing in and out: with a secret key typed into a form, or with a login link.

use askama::Template;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use serde::Deserialize;

use super::layout::{Layout, render};
use super::session;
use crate::access::{Key, key_refusal, secret_key};
use crate::problem::Problem;
use crate::store::Scope;
use crate::trac::Trac;

pub(super) fn routes(trac: &Trac) -> Router<Trac> {
    Router::new()
        .route("/dashboard/login", get(async || page(SignIn::Key, StatusCode::OK)).post(log_in))
        .route("/dashboard/enter", get(show_link).post(enter))
        .route("/dashboard/logout", post(log_out))
        .layer(middleware::from_fn_with_state(trac.clone(), own_forms_only))
}

/// The content of the login page.
#[derive(Debug)]
enum SignIn {
    /// The form for a secret key.
    Key,
    /// The form, after a wrong key.
    WrongKey,
    /// The form, after a link that was used or has expired.
    UsedLink,
    /// A button, with the token of a link.
    Link(String),
}

#[derive(Template)]
#[template(path = "dashboard/sign_in.html")]
struct SignInPage {
    layout: Layout,
    sign_in: SignIn,
}

fn page(sign_in: SignIn, status: StatusCode) -> Response {
    match render(&SignInPage { layout: Layout::of_sign_in(), sign_in }) {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => Problem::from(error).into_response(),
    }
}

/// Accepts a POST only from a page of this server.
///
/// Browsers send the origin of the page: in `Sec-Fetch-Site`, or over plain http and in older browsers in
/// `Origin`, which must be that of the public URL or of the request's host. A caller that sends neither is not
/// a browser, so it carries no other visitor's cookie.
pub(super) async fn own_forms_only(
    State(trac): State<Trac>,
    request: axum::extract::Request,
    next: middleware::Next,
) -> Response {
    let headers = request.headers();
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let is_own = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let authority =
                |url: &str| Some(url.parse::<Uri>().ok()?.authority()?.as_str().to_ascii_lowercase());
            let here = [authority(&trac.public_url), text("host").map(str::to_ascii_lowercase)];
            authority(origin).is_some_and(|from| here.contains(&Some(from)))
        }
        (None, None) => true,
    };
    if request.method() == axum::http::Method::POST && !is_own {
        return Problem::new(StatusCode::FORBIDDEN, "FORBIDDEN", "This form was sent from another site.")
            .into_response();
    }
    next.run(request).await
}

/// Counts an attempt to sign in, or rejects it.
fn within_limit(trac: &Trac, request: &Parts) -> Result<(), Problem> {
    let counted = trac.limits.sign_ins.count_any(trac.proxies.caller(request), trac.clock.unix_millis());
    counted.map_err(|secs| {
        count_failure(trac, "limit");
        Problem::too_many_calls(secs)
    })
}

/// Counts a failed sign-in, and logs the 1st, 2nd, 4th, 8th …, so that endless attempts do not fill the log.
fn count_failure(trac: &Trac, why: &'static str) {
    let tries = trac.metrics.sign_in(why);
    if tries.is_power_of_two() {
        tracing::warn!(why, tries, "a sign-in to the dashboard failed");
    }
}

#[derive(Deserialize)]
struct KeyForm {
    key: String,
}

async fn log_in(
    State(trac): State<Trac>,
    request: Parts,
    form: Result<Form<KeyForm>, FormRejection>,
) -> Result<Response, Problem> {
    within_limit(&trac, &request)?;
    let Ok(Form(form)) = form else { return Ok(page(SignIn::WrongKey, StatusCode::UNAUTHORIZED)) };
    let key = form.key.trim().to_owned();
    if let Some(Key { scope, hash, .. }) = secret_key(&trac, key.clone()).await? {
        return begin_session(&trac, scope, Some(hash)).await;
    }
    count_failure(&trac, "key");
    key_refusal(&trac, "/dashboard/login", Some(key), "secret").await?;
    Ok(page(SignIn::WrongKey, StatusCode::UNAUTHORIZED))
}

#[derive(Deserialize)]
struct LinkForm {
    token: String,
}

/// Shows a button and does not redeem the link yet, because programs that preview links would use it up.
async fn show_link(link: Result<Query<LinkForm>, QueryRejection>) -> Response {
    match link {
        Ok(Query(link)) => page(SignIn::Link(link.token), StatusCode::OK),
        Err(_) => page(SignIn::Key, StatusCode::OK),
    }
}

async fn enter(
    State(trac): State<Trac>,
    request: Parts,
    form: Result<Form<LinkForm>, FormRejection>,
) -> Result<Response, Problem> {
    within_limit(&trac, &request)?;
    let Ok(Form(form)) = form else { return Ok(page(SignIn::UsedLink, StatusCode::UNAUTHORIZED)) };
    if let Some(scope) = session::redeem(&trac, form.token).await? {
        return begin_session(&trac, scope, None).await;
    }
    count_failure(&trac, "link");
    Ok(page(SignIn::UsedLink, StatusCode::UNAUTHORIZED))
}

async fn begin_session(trac: &Trac, scope: Scope, key: Option<[u8; 32]>) -> Result<Response, Problem> {
    trac.metrics.sign_in("ok");
    let (workspace, mode) = (scope.workspace_id(), scope.mode_str());
    tracing::info!(
        workspace,
        mode,
        by = if key.is_some() { "key" } else { "link" },
        "signed in to the dashboard"
    );
    let token = session::begin(trac, scope, key).await?;
    Ok(redirect_with(trac, &token, "../dashboard"))
}

async fn log_out(State(trac): State<Trac>, headers: HeaderMap) -> Result<Response, Problem> {
    if let Some(token) = session::token(&trac, &headers) {
        session::end(&trac, token).await?;
    }
    Ok(redirect_with(&trac, "", "login"))
}

fn redirect_with(trac: &Trac, token: &str, to: &str) -> Response {
    let mut response = Redirect::to(to).into_response();
    if let Some(cookie) = session::cookie(trac, token) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}
