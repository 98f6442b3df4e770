//! Signing in and out: with an e-mail address and a password, then the second factor; with a login link; and while a
//! workspace has no people yet, with a secret key.

use askama::Template;
use axum::Router;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;

use super::device::Device;
use super::entry::{self, Step, Visitor};
use super::frame::{bare, message, respond, wait};
use super::session::{self, redirect_with};
use crate::access::{Key, key_refusal, secret_key};
use crate::problem::Problem;
use crate::trac::Trac;
use crate::web::Layout;

pub(super) fn routes() -> Router<Trac> {
    Router::new()
        .route("/dashboard/login", get(show).post(log_in))
        .route("/dashboard/second-factor", get(async || Redirect::to("login")).post(second_factor))
        .route("/dashboard/enter", get(show_link).post(enter))
        .route("/dashboard/logout", post(log_out))
}

/// The login page.
#[derive(Template)]
#[template(path = "people/sign_in.html")]
struct SignInPage {
    layout: Layout,
    /// What is wrong with what was entered.
    alarm: Option<Alarm>,
    email: String,
    /// The token of the invitation that the person accepts by signing in; empty for none.
    invitation: String,
    /// Whether nobody has an account on this server, so that a secret key is the way in.
    is_new: bool,
    /// Whether a link can be asked for by mail.
    sends_mails: bool,
    /// The name of the provider by which people may sign in.
    provider: Option<String>,
}

/// What is wrong on the login page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alarm {
    WrongPassword,
    WrongKey,
    /// A right key of a workspace that has people.
    KeyOfPeople,
    UsedLink,
    /// The second factor was not entered within five minutes.
    Over,
    NoWorkspace,
}

/// The page that asks for the second factor.
#[derive(Template)]
#[template(path = "people/second_factor.html")]
struct SecondFactorPage {
    layout: Layout,
    token: String,
    invitation: String,
    is_wrong: bool,
}

/// The page of a login link: a button, because programs that preview links would use up a link that a GET redeems.
#[derive(Template)]
#[template(path = "people/link.html")]
pub(super) struct LinkPage {
    pub(super) layout: Layout,
    pub(super) token: String,
}

#[derive(Default, Deserialize)]
struct SignInForm {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    invitation: String,
    #[serde(default)]
    key: String,
}

async fn show(State(trac): State<Trac>, headers: HeaderMap) -> Result<Response, Problem> {
    page(&trac, &headers, None, SignInForm::default(), StatusCode::OK).await
}

async fn page(
    trac: &Trac,
    headers: &HeaderMap,
    alarm: Option<Alarm>,
    form: SignInForm,
    status: StatusCode,
) -> Result<Response, Problem> {
    let is_new = trac.store.read(|tx| Ok(!tx.exists("SELECT 1 FROM member LIMIT 1", &[])?)).await?;
    let SignInForm { email, invitation, .. } = form;
    let (layout, sends_mails) = (bare(headers), trac.carrier.is_connected());
    let provider = trac.provider.as_ref().map(|provider| provider.name().to_owned());
    Ok(respond(&SignInPage { layout, alarm, email, invitation, is_new, sends_mails, provider }, status))
}

/// Counts an attempt of an address to sign in; `Err` is how many seconds to wait.
pub(super) fn count_attempt(trac: &Trac, request: &Parts) -> Result<(), u32> {
    let counted = trac.limits.sign_ins.count_any(trac.proxies.caller(request), trac.clock.unix_millis());
    counted.inspect_err(|_| count_failure(trac, "limit"))
}

/// Counts a failed sign-in, and logs the 1st, 2nd, 4th, 8th …, so that endless attempts do not fill the log.
fn count_failure(trac: &Trac, why: &'static str) {
    let tries = trac.metrics.sign_in(why);
    if tries.is_power_of_two() {
        tracing::warn!(why, tries, "a sign-in to the dashboard failed");
    }
}

/// The browser of a request that signs in.
pub(super) fn visitor(trac: &Trac, request: &Parts, invitation: &str) -> Visitor {
    Visitor {
        device: Device::of(trac, request),
        before: session::token(trac, &request.headers),
        invitation: invitation.to_owned(),
    }
}

async fn log_in(
    State(trac): State<Trac>,
    request: Parts,
    form: Result<Form<SignInForm>, FormRejection>,
) -> Result<Response, Problem> {
    if let Err(secs) = count_attempt(&trac, &request) {
        return Ok(wait(&trac, &request.headers, secs));
    }
    let form = form.map(|Form(form)| form).unwrap_or_default();
    if !form.key.is_empty() {
        return log_in_with_key(&trac, &request, &form.key).await;
    }
    let visitor = visitor(&trac, &request, &form.invitation);
    let step = entry::with_password(&trac, visitor, &form.email, form.password.clone()).await?;
    answer(&trac, &request.headers, step, form).await
}

/// The response to a step of a sign-in.
async fn answer(trac: &Trac, headers: &HeaderMap, step: Step, form: SignInForm) -> Result<Response, Problem> {
    let refused = match step {
        Step::Session(token) => return Ok(signed_in(trac, &token)),
        Step::SecondFactor(token) => {
            let page = SecondFactorPage {
                layout: bare(headers),
                token,
                invitation: form.invitation,
                is_wrong: false,
            };
            return Ok(respond(&page, StatusCode::OK));
        }
        Step::Wait(secs) => {
            count_failure(trac, "limit");
            return Ok(wait(trac, headers, secs));
        }
        Step::Wrong => Alarm::WrongPassword,
        Step::NoWorkspace => Alarm::NoWorkspace,
        Step::Over => Alarm::Over,
    };
    count_failure(trac, "password");
    page(trac, headers, Some(refused), form, StatusCode::UNAUTHORIZED).await
}

/// The redirect into the dashboard after a sign-in.
pub(super) fn signed_in(trac: &Trac, token: &str) -> Response {
    signed_in_to(trac, token, "../dashboard")
}

/// The redirect to a page, relative to those of the sign-in, after a sign-in.
pub(super) fn signed_in_to(trac: &Trac, token: &str, page: &str) -> Response {
    trac.metrics.sign_in("ok");
    redirect_with(trac, token, page)
}

async fn log_in_with_key(trac: &Trac, request: &Parts, key: &str) -> Result<Response, Problem> {
    let key = key.trim().to_owned();
    let headers = &request.headers;
    let alarm = if let Some(found) = secret_key(trac, key.clone()).await? {
        let (actor, Key { scope, hash, .. }) = (found.actor(), found);
        match entry::with_key(trac, visitor(trac, request, ""), scope, actor, hash).await? {
            Some(token) => return Ok(signed_in(trac, &token)),
            None => Alarm::KeyOfPeople,
        }
    } else {
        key_refusal(trac, "/dashboard/login", Some(key), "secret").await?;
        Alarm::WrongKey
    };
    count_failure(trac, "key");
    page(trac, headers, Some(alarm), SignInForm::default(), StatusCode::UNAUTHORIZED).await
}

#[derive(Default, Deserialize)]
struct CodeForm {
    #[serde(default)]
    token: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    invitation: String,
}

async fn second_factor(
    State(trac): State<Trac>,
    request: Parts,
    form: Result<Form<CodeForm>, FormRejection>,
) -> Result<Response, Problem> {
    if let Err(secs) = count_attempt(&trac, &request) {
        return Ok(wait(&trac, &request.headers, secs));
    }
    let CodeForm { token, code, invitation } = form.map(|Form(form)| form).unwrap_or_default();
    let visitor = visitor(&trac, &request, &invitation);
    let step = entry::with_code(&trac, visitor, token.clone(), code).await?;
    if step == Step::Wrong {
        count_failure(&trac, "code");
        let page = SecondFactorPage { layout: bare(&request.headers), token, invitation, is_wrong: true };
        return Ok(respond(&page, StatusCode::UNAUTHORIZED));
    }
    let form = SignInForm { invitation, ..SignInForm::default() };
    answer(&trac, &request.headers, step, form).await
}

#[derive(Deserialize)]
struct LinkForm {
    token: String,
}

/// Shows a button and does not redeem the link yet.
async fn show_link(
    State(trac): State<Trac>,
    headers: HeaderMap,
    link: Result<Query<LinkForm>, QueryRejection>,
) -> Result<Response, Problem> {
    match link {
        Ok(Query(LinkForm { token })) => {
            Ok(respond(&LinkPage { layout: bare(&headers), token }, StatusCode::OK))
        }
        Err(_) => page(&trac, &headers, None, SignInForm::default(), StatusCode::OK).await,
    }
}

async fn enter(
    State(trac): State<Trac>,
    request: Parts,
    form: Result<Form<LinkForm>, FormRejection>,
) -> Result<Response, Problem> {
    // A valid link is never refused: it is the way in while a stranger uses up the limits. Its token cannot be guessed.
    let is_valid = match &form {
        Ok(Form(LinkForm { token })) => entry::is_link(&trac, token).await?,
        Err(_) => false,
    };
    if let (false, Err(secs)) = (is_valid, count_attempt(&trac, &request)) {
        return Ok(wait(&trac, &request.headers, secs));
    }
    let step = match form {
        Ok(Form(LinkForm { token })) => entry::with_link(&trac, visitor(&trac, &request, ""), token).await?,
        Err(_) => Step::Over,
    };
    match step {
        Step::Over | Step::NoWorkspace => {
            count_failure(&trac, "link");
            let form = SignInForm::default();
            page(&trac, &request.headers, Some(Alarm::UsedLink), form, StatusCode::UNAUTHORIZED).await
        }
        step => answer(&trac, &request.headers, step, SignInForm::default()).await,
    }
}

async fn log_out(State(trac): State<Trac>, headers: HeaderMap) -> Result<Response, Problem> {
    session::end(&trac, &headers).await?;
    Ok(redirect_with(&trac, "", "login"))
}

/// `410` for an invitation that is used, revoked, expired or unknown.
pub(super) fn no_invitation(headers: &HeaderMap) -> Response {
    message(
        headers,
        StatusCode::GONE,
        "This invitation is not valid",
        "It was used, replaced or revoked, or it is older than seven days. Ask for another one.",
    )
}
