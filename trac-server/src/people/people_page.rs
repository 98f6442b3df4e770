//! `/dashboard/people`: the members of the workspace and its invitations. Owners change them; others read.

use askama::Template;
use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::Value;

use super::frame::{layout_of, respond};
use super::invitation::{INVITATIONS, invite, revoke_invitation};
use super::member::{PEOPLE, set_role};
use super::person::{self, Wrong};
use super::removal::remove_member;
use super::session::Session;
use crate::access::role::{Right, Role};
use crate::api::list::{Listing, NARROW};
use crate::problem::Problem;
use crate::store::rows::Rows;
use crate::trac::Trac;
use crate::web::{Layout, Moment};

pub(super) fn routes() -> Router<Trac> {
    Router::new().route("/dashboard/people", get(show).post(act))
}

#[derive(Template)]
#[template(path = "people/people.html")]
struct PeoplePage {
    layout: Layout,
    /// Whether the visitor may change people.
    is_owner: bool,
    people: Vec<Member>,
    invitations: Vec<Invitation>,
    roles: [Role; 5],
    /// The URL of an invitation that was just made.
    url: Option<String>,
    email: String,
    role: String,
    /// What is wrong with an action on the lists.
    alarm: Option<String>,
    wrong: Wrong,
    /// The member whose removal is to be confirmed.
    asked: Option<Member>,
}

/// A member, as the page shows it.
#[derive(Clone, Debug)]
struct Member {
    id: String,
    name: String,
    email: String,
    role: String,
    since: Option<Moment>,
    last_seen_at: Option<Moment>,
    has_second_factor: bool,
    is_self: bool,
}

/// An invitation that waits.
#[derive(Clone, Debug)]
struct Invitation {
    id: String,
    email: String,
    role: String,
    invited_by: String,
    expires_at: Option<Moment>,
}

fn text(row: &Value, name: &str) -> String {
    row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A time of the API, as pages show it; empty for none.
fn moment(row: &Value, name: &str) -> Option<Moment> {
    trac_core::time::Timestamp::parse_rfc3339(&text(row, name)).map(Moment)
}

/// The newest rows of a list: as many as the API returns at once.
fn newest(
    rows: Rows<'_>,
    trac: &Trac,
    of: &'static crate::api::list::Resource,
) -> Result<Vec<Value>, Problem> {
    let list = of.list(rows, trac, &Listing::newest(100))?;
    Ok(list.get("data").and_then(Value::as_array).cloned().unwrap_or_default())
}

/// What the page shows besides the lists.
#[derive(Default)]
struct Said {
    url: Option<String>,
    email: String,
    role: String,
    alarm: Option<String>,
    wrong: Wrong,
    /// The ID of the member whose removal is to be confirmed.
    asked: String,
}

async fn show(State(trac): State<Trac>, session: Session) -> Result<Response, Problem> {
    page(&trac, session, Said::default(), StatusCode::OK).await
}

async fn page(trac: &Trac, session: Session, said: Said, status: StatusCode) -> Result<Response, Problem> {
    let (of, scope) = (trac.clone(), session.scope.clone());
    let page = trac.store.query::<_, Problem, _>(&scope, NARROW, move |tx| {
        let rows = tx.within(&session.scope);
        let own = session.person.as_ref().map(|person| person.id.as_str());
        let people = newest(rows, &of, &PEOPLE)?.into_iter().rev().map(|row| Member {
            is_self: own == row.get("id").and_then(Value::as_str),
            id: text(&row, "id"),
            name: text(&row, "name"),
            email: text(&row, "email"),
            role: text(&row, "role"),
            since: moment(&row, "since"),
            last_seen_at: moment(&row, "last_seen_at"),
            has_second_factor: row.get("has_second_factor").is_some_and(|has| has == true),
        });
        let people: Vec<_> = people.collect();
        let pending = newest(rows, &of, &INVITATIONS)?;
        let pending = pending.into_iter().filter(|row| text(row, "status") == "pending");
        let invitations = pending.map(|row| Invitation {
            id: text(&row, "id"),
            email: text(&row, "email"),
            role: text(&row, "role"),
            invited_by: text(&row, "invited_by"),
            expires_at: moment(&row, "expires_at"),
        });
        Ok(PeoplePage {
            layout: layout_of(tx, &session, "People", "/people", "people")?,
            is_owner: session.role.may(Right::Own),
            asked: people.iter().find(|person| person.id == said.asked).cloned(),
            people,
            invitations: invitations.collect(),
            roles: Role::ALL,
            url: said.url,
            email: said.email,
            role: said.role,
            alarm: said.alarm,
            wrong: said.wrong,
        })
    });
    Ok(respond(&page.await?, status))
}

/// The fields of all forms of the page.
#[derive(Default, Deserialize)]
struct Fields {
    #[serde(default)]
    act: String,
    /// A person or an invitation.
    #[serde(default)]
    id: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    role: String,
    /// Whether the person has confirmed it.
    #[serde(default)]
    confirmed: String,
}

async fn act(
    State(trac): State<Trac>,
    session: Session,
    form: Result<Form<Fields>, FormRejection>,
) -> Result<Response, Problem> {
    session.role.must(Right::Own)?;
    let Fields { act, id, email, role, confirmed } = form.map(|Form(fields)| fields).unwrap_or_default();
    let caller = session.caller();
    let known = Role::from_word(&role);
    let done = match (act.as_str(), known) {
        ("invite", known) => {
            let mut wrong = Wrong::new();
            let address = person::email(&email, &mut wrong);
            if known.is_none() {
                wrong.insert("role", "must be one of the roles".to_owned());
            }
            let (Some(address), Some(known)) = (address, known) else {
                let said = Said { email, role, wrong, ..Said::default() };
                return page(&trac, session, said, StatusCode::UNPROCESSABLE_ENTITY).await;
            };
            match invite(&trac, caller, &address, known).await {
                Ok(made) => {
                    let said = Said { url: Some(text(&made, "url")), ..Said::default() };
                    return page(&trac, session, said, StatusCode::OK).await;
                }
                Err(problem) => Err(problem),
            }
        }
        ("role", Some(role)) => set_role(&trac, caller, id, Some(role)).await,
        ("remove", _) if confirmed.is_empty() => {
            return page(&trac, session, Said { asked: id, ..Said::default() }, StatusCode::OK).await;
        }
        ("remove", _) => remove_member(&trac, caller, id).await,
        ("revoke", _) => revoke_invitation(&trac, caller, id).await,
        _ => return Err(Problem::not_found("action")),
    };
    match done {
        Ok(_) => Ok(Redirect::to("people").into_response()),
        Err(problem) if matches!(problem.status(), StatusCode::CONFLICT | StatusCode::NOT_FOUND) => {
            let said = Said { email, role, alarm: Some(problem.message().to_owned()), ..Said::default() };
            page(&trac, session, said, problem.status()).await
        }
        Err(problem) => Err(problem),
    }
}
