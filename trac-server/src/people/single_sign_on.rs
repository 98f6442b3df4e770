//! `/dashboard/sso`: a person signs in by a provider of OpenID Connect.
//!
//! The provider says whose e-mail address it is; the person must have an account with this address here. What the browser
//! keeps for the way back is a cookie of ten minutes. The way back ends at the page of a login link, whose button begins
//! the session, because the session's cookie is not sent along with a request that another site caused.

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;

use super::entry;
use super::frame::{bare, message, respond, wait};
use super::person::Person;
use super::session::{Origin, cookie_value};
use super::sign_in::{LinkPage, count_attempt};
use crate::http::oidc::{Failure, Provider, Trip};
use crate::id::random_hex;
use crate::problem::Problem;
use crate::store::Priority;
use crate::trac::Trac;

/// How long the way to the provider and back may take.
const TRIP_SECS: i64 = 600;
/// How long the button may be used that begins the session.
const LINK_SECS: i64 = 120;
const COOKIE: &str = "trac_sso";

pub(super) fn routes() -> Router<Trac> {
    Router::new().route("/dashboard/sso", get(leave)).route("/dashboard/sso/done", get(come_back))
}

/// The address that the provider sends a browser back to; it must be registered there.
fn back(trac: &Trac) -> String {
    format!("{}/dashboard/sso/done", trac.public_url)
}

/// Sends the browser to the provider.
async fn leave(State(trac): State<Trac>, request: Parts) -> Response {
    let Some(provider) = trac.provider.clone() else { return none(&request.headers) };
    if let Err(secs) = count_attempt(&trac, &request) {
        return wait(&trac, &request.headers, secs);
    }
    let trip = Trip { state: random_hex::<16>(), nonce: random_hex::<16>(), verifier: random_hex::<32>() };
    match provider.way_there(&trip, &back(&trac), trac.clock.now()).await {
        Ok(url) => with_cookie(&trac, Redirect::to(&url).into_response(), Some(&trip)),
        Err(failure) => failed(&request.headers, &failure),
    }
}

#[derive(Default, Deserialize)]
struct Found {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    error: String,
}

/// Receives the browser from the provider.
async fn come_back(
    State(trac): State<Trac>,
    request: Parts,
    found: Result<Query<Found>, QueryRejection>,
) -> Result<Response, Problem> {
    let headers = &request.headers;
    let Some(provider) = trac.provider.clone() else { return Ok(none(headers)) };
    if let Err(secs) = count_attempt(&trac, &request) {
        return Ok(wait(&trac, headers, secs));
    }
    let Found { code, state, error } = found.map(|Query(found)| found).unwrap_or_default();
    let response = match trip_of(&trac, headers).filter(|trip| trip.state == state) {
        None => message(
            headers,
            StatusCode::UNAUTHORIZED,
            "This sign-in is over",
            "It took longer than ten minutes, or it began in another browser. Please sign in again.",
        ),
        Some(_) if !error.is_empty() || code.is_empty() => message(
            headers,
            StatusCode::UNAUTHORIZED,
            "You were not signed in",
            "The provider did not confirm who you are. Please sign in again.",
        ),
        Some(trip) => enter(&trac, &provider, headers, &code, &trip).await?,
    };
    Ok(with_cookie(&trac, response, None))
}

async fn enter(
    trac: &Trac,
    provider: &Provider,
    headers: &HeaderMap,
    code: &str,
    trip: &Trip,
) -> Result<Response, Problem> {
    let email = match provider.email(code, trip, &back(trac), trac.clock.now()).await {
        Ok(email) => email,
        Err(failure) => return Ok(failed(headers, &failure)),
    };
    let Some((person, home)) = Person::at_home(trac, email).await? else {
        return Ok(message(
            headers,
            StatusCode::FORBIDDEN,
            "There is no account for you",
            "Nobody on this server has your e-mail address. Ask an owner of the workspace for an invitation.",
        ));
    };
    let of = trac.clone();
    let token = trac.store.write_in(&home, Priority::Api, move |rows| {
        entry::new_token(rows, &of, LINK_SECS, Some(&person.id), Origin::SingleSignOn)
    });
    Ok(respond(&LinkPage { layout: bare(headers), token: token.await? }, StatusCode::OK))
}

/// `404` where no provider is configured.
fn none(headers: &HeaderMap) -> Response {
    let text = "This server has no provider for it. Sign in with your e-mail address.";
    message(headers, StatusCode::NOT_FOUND, "There is no single sign-on", text)
}

fn failed(headers: &HeaderMap, failure: &Failure) -> Response {
    match failure {
        Failure::Provider(why) => {
            tracing::warn!(why, "a single sign-on failed");
            let text = "The provider could not be asked. Try again later, or sign in with your password.";
            message(headers, StatusCode::BAD_GATEWAY, "You were not signed in", text)
        }
        Failure::NotVerified => {
            let text = "The provider has not verified your e-mail address.";
            message(headers, StatusCode::FORBIDDEN, "You were not signed in", text)
        }
    }
}

fn cookie_name(trac: &Trac) -> String {
    if trac.is_https() { format!("__Host-{COOKIE}") } else { COOKIE.to_owned() }
}

/// Keeps the trip in the browser; `None` removes it.
fn with_cookie(trac: &Trac, mut response: Response, trip: Option<&Trip>) -> Response {
    let secure = if trac.is_https() { "; Secure" } else { "" };
    let (value, secs) = match trip {
        Some(Trip { state, nonce, verifier }) => (format!("{state}.{nonce}.{verifier}"), TRIP_SECS),
        None => (String::new(), 0),
    };
    // `Lax`, because the way back is a request that another site causes.
    let line =
        format!("{}={value}; Path=/; Max-Age={secs}; HttpOnly; SameSite=Lax{secure}", cookie_name(trac));
    if let Ok(line) = HeaderValue::from_str(&line) {
        response.headers_mut().append(header::SET_COOKIE, line);
    }
    response
}

/// The trip that the browser kept.
fn trip_of(trac: &Trac, headers: &HeaderMap) -> Option<Trip> {
    let value = cookie_value(headers, &cookie_name(trac))?;
    let mut parts = value.split('.').filter(|part| !part.is_empty()).map(ToOwned::to_owned);
    Some(Trip { state: parts.next()?, nonce: parts.next()?, verifier: parts.next()? })
}
