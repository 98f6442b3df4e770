//! `/dashboard/welcome`: the first account of a workspace. The visitor came by a login link or a secret key, and becomes
//! the owner.

use askama::Template;
use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::Value;

use super::entry::{self, Visitor};
use super::frame::{bare, respond};
use super::invitation::invite;
use super::member::{has_people, join};
use super::person::{self, NewPerson, Person, Wrong, change_people};
use super::session::Session;
use super::sign_in::{signed_in_to, visitor};
use crate::access::role::Role;
use crate::api::activity::{Change, record};
use crate::problem::Problem;
use crate::trac::Trac;
use crate::trac::passwords::Source;
use crate::web::Layout;

pub(super) fn routes() -> Router<Trac> {
    Router::new().route("/dashboard/welcome", get(show).post(create))
}

#[derive(Template)]
#[template(path = "people/welcome.html")]
struct WelcomePage {
    layout: Layout,
    form: AccountForm,
    wrong: Wrong,
}

#[derive(Default, Deserialize)]
struct AccountForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
}

async fn show(session: Session, request: Parts) -> Response {
    if session.person.is_some() {
        return Redirect::to("../dashboard").into_response();
    }
    let (form, wrong) = (AccountForm::default(), Wrong::new());
    respond(&WelcomePage { layout: bare(&request.headers), form, wrong }, StatusCode::OK)
}

async fn create(
    State(trac): State<Trac>,
    session: Session,
    request: Parts,
    form: Result<Form<AccountForm>, FormRejection>,
) -> Result<Response, Problem> {
    if session.person.is_some() {
        return Ok(Redirect::to("../dashboard").into_response());
    }
    let form = form.map(|Form(form)| form).unwrap_or_default();
    let mut wrong = Wrong::new();
    let (name, email) = (person::name(&form.name, &mut wrong), person::email(&form.email, &mut wrong));
    let password = person::new_password(&form.password, email.as_deref().unwrap_or_default(), &mut wrong);
    let (Some(name), Some(email), Some(password)) = (name, email, password) else {
        let page = WelcomePage { layout: bare(&request.headers), form, wrong };
        return Ok(respond(&page, StatusCode::UNPROCESSABLE_ENTITY));
    };
    let wanted = email.clone();
    if trac.store.read(move |tx| Person::of_email(tx, &wanted)).await?.is_some() {
        // The account is that of a person of another workspace, who signs in to accept.
        let made = invite(&trac, session.caller(), &email, Role::Owner).await?;
        let url = made.get("url").and_then(Value::as_str).unwrap_or_default();
        let token = url.split_once("?token=").map_or("", |(_, token)| token);
        return Ok(Redirect::to(&format!("join?token={token}")).into_response());
    }
    let password = trac.passwords.hash(password, Source::Known).await?;
    let visitor = visitor(&trac, &request, "");
    let begun = begin(&trac, session, NewPerson { email, name, password }, visitor).await?;
    Ok(match begun {
        // The next thing that an owner does.
        Some(token) => signed_in_to(&trac, &token, "setup"),
        None => Redirect::to("login").into_response(),
    })
}

/// Makes the owner and begins the owner's session. `None` if another person was first.
async fn begin(
    trac: &Trac,
    session: Session,
    new: NewPerson,
    visitor: Visitor,
) -> Result<Option<String>, Problem> {
    let (of, scope) = (trac.clone(), session.scope.clone());
    let begun = change_people(trac, &scope, move |tx, scope| {
        if has_people(tx, scope.workspace_id())? {
            return Ok(None);
        }
        let rows = tx.within(scope);
        let id = new.insert(tx, &of)?;
        let Some(person) = Person::of_id(tx, &id)? else { return Ok(None) };
        let after = join(rows, &of, &id, Role::Owner)?;
        let change = Change { kind: "person", id: &id, verb: "joined", before: None, after: Some(&after) };
        record(rows, &of, &session.actor, &change)?;
        Ok(Some(entry::begin_for(rows, &of, visitor, &person, "first account")?))
    });
    begun.await
}
