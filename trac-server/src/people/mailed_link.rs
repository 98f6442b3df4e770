//! `/dashboard/mailed-link`: a person asks for a link by mail, in place of the password.
//!
//! The response is the same whether an account has the address or not. A link is the first factor: a second one is asked
//! for where it is turned on.

use askama::Template;
use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use super::entry::MAILED_LINK_SECS;
use super::frame::{bare, respond, wait};
use super::person::Person;
use super::sign_in::count_attempt;
use crate::mail::{MailKind, queue, recent};
use crate::store::{Priority, StoreError};
use crate::trac::Trac;
use crate::web::Layout;

/// How many links a person is sent within the time that one is valid.
const MOST: i64 = 3;

pub(super) fn routes() -> Router<Trac> {
    Router::new().route("/dashboard/mailed-link", get(show).post(ask))
}

#[derive(Template)]
#[template(path = "people/mailed_link.html")]
struct MailedLinkPage {
    layout: Layout,
    is_sent: bool,
}

#[derive(Default, Deserialize)]
struct EmailForm {
    #[serde(default)]
    email: String,
}

async fn show(headers: HeaderMap) -> Response {
    respond(&MailedLinkPage { layout: bare(&headers), is_sent: false }, StatusCode::OK)
}

async fn ask(
    State(trac): State<Trac>,
    request: Parts,
    form: Result<Form<EmailForm>, FormRejection>,
) -> Response {
    if let Err(secs) = count_attempt(&trac, &request) {
        return wait(&trac, &request.headers, secs);
    }
    let email = form.map(|Form(form)| form.email.trim().to_lowercase()).unwrap_or_default();
    if (1..=254).contains(&email.len()) {
        let of = trac.clone();
        // The response does not wait for it, so that it takes as long for an account that does not exist.
        tokio::spawn(async move {
            if let Err(error) = send(&of, email).await {
                tracing::error!(%error, "a link that a person asked for could not be sent");
            }
        });
    }
    respond(&MailedLinkPage { layout: bare(&request.headers), is_sent: true }, StatusCode::OK)
}

/// Writes the mail, if an account has the address.
async fn send(trac: &Trac, email: String) -> Result<(), StoreError> {
    let Some((person, home)) = Person::at_home(trac, email).await? else { return Ok(()) };
    let of = trac.clone();
    let queued = trac.store.write_in(&home, Priority::Api, move |rows| {
        let since = of.clock.now().plus_secs(-MAILED_LINK_SECS);
        if recent(rows, MailKind::SignInLink, &person.id, since)? < MOST {
            queue(rows, &of, MailKind::SignInLink, &person.email, &person.id)?;
        }
        Ok(())
    });
    queued.await
}
