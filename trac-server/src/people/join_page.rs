//! `/dashboard/join`: accepting an invitation. A new person chooses a name and a password; a person who has an account on
//! this server signs in.

use askama::Template;
use axum::Router;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use super::entry::{self, Visitor};
use super::frame::{bare, respond, wait};
use super::invitation::Open;
use super::person::{self, NewPerson, Person, Wrong, change_people};
use super::session::Session;
use super::sign_in::{count_attempt, no_invitation, signed_in, visitor};
use crate::problem::Problem;
use crate::trac::Trac;
use crate::trac::passwords::Source;
use crate::web::Layout;

pub(super) fn routes() -> Router<Trac> {
    Router::new().route("/dashboard/join", get(show).post(join))
}

/// What the invited person has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Way {
    /// Choose a name and a password.
    New,
    /// Sign in to the account.
    SignIn,
    /// Confirm: the person is signed in.
    Confirm,
    /// Sign out: another person is signed in, by this address.
    Other(String),
    /// Use the link in the mail. Who is not signed in proves by it to be the reader of the address's mails: the inviter
    /// has the other link, and must neither make an account for somebody else's address nor learn whether there is one.
    Mail,
}

#[derive(Template)]
#[template(path = "people/join.html")]
struct JoinPage {
    layout: Layout,
    invitation: Open,
    token: String,
    way: Way,
    name: String,
    wrong: Wrong,
}

#[derive(Default, Deserialize)]
struct JoinForm {
    #[serde(default)]
    token: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
}

async fn show(
    State(trac): State<Trac>,
    request: Parts,
    query: Result<Query<JoinForm>, QueryRejection>,
) -> Result<Response, Problem> {
    let token = query.map(|Query(form)| form.token).unwrap_or_default();
    let Some((invitation, way)) = look(&trac, &request, &token).await? else {
        return Ok(no_invitation(&request.headers));
    };
    let layout = bare(&request.headers);
    let page = JoinPage { layout, invitation, token, way, name: String::new(), wrong: Wrong::new() };
    Ok(respond(&page, StatusCode::OK))
}

/// The invitation of a token, and what is left to do.
async fn look(trac: &Trac, request: &Parts, token: &str) -> Result<Option<(Open, Way)>, Problem> {
    let session = Session::if_any(trac, &request.headers).await?;
    let (token, now, sends_mails) = (token.to_owned(), trac.clock.now(), trac.carrier.is_connected());
    let read = trac.store.read(move |tx| {
        let Some(open) = Open::of_token(tx, &token, now)? else { return Ok(None) };
        let way = match session.and_then(|session| session.person) {
            Some(person) if person.email == open.email => Way::Confirm,
            Some(person) => Way::Other(person.email),
            None if sends_mails && !open.is_mailed => Way::Mail,
            None if Person::of_email(tx, &open.email)?.is_some() => Way::SignIn,
            None => Way::New,
        };
        Ok(Some((open, way)))
    });
    Ok(read.await?)
}

async fn join(
    State(trac): State<Trac>,
    request: Parts,
    form: Result<Form<JoinForm>, FormRejection>,
) -> Result<Response, Problem> {
    if let Err(secs) = count_attempt(&trac, &request) {
        return Ok(wait(&trac, &request.headers, secs));
    }
    let JoinForm { token, name, password } = form.map(|Form(form)| form).unwrap_or_default();
    let Some((invitation, way)) = look(&trac, &request, &token).await? else {
        return Ok(no_invitation(&request.headers));
    };
    let visitor = visitor(&trac, &request, &token);
    let (status, wrong) = match way {
        Way::Confirm => return accept(&trac, &request, visitor, invitation).await,
        Way::Other(_) | Way::Mail => (StatusCode::FORBIDDEN, Wrong::new()),
        Way::SignIn => (StatusCode::CONFLICT, Wrong::new()),
        Way::New => {
            let mut wrong = Wrong::new();
            let fine = (
                person::name(&name, &mut wrong),
                person::new_password(&password, &invitation.email, &mut wrong),
            );
            if let (Some(name), Some(password)) = fine {
                return join_as_new(&trac, &request, visitor, invitation, name, password).await;
            }
            (StatusCode::UNPROCESSABLE_ENTITY, wrong)
        }
    };
    let layout = bare(&request.headers);
    Ok(respond(&JoinPage { layout, invitation, token, way, name, wrong }, status))
}

/// Accepts the invitation for the person who is signed in, whose session goes on in the new workspace.
async fn accept(
    trac: &Trac,
    request: &Parts,
    visitor: Visitor,
    invitation: Open,
) -> Result<Response, Problem> {
    let scope = invitation.scope(trac).await?;
    let of = trac.clone();
    let accepted = change_people(trac, &scope, move |tx, scope| {
        let Some(person) = Person::of_email(tx, &invitation.email)? else { return Ok(None) };
        let rows = tx.within(scope);
        if !invitation.accept(rows, &of, &person.id, &person.actor())? {
            return Ok(None);
        }
        Ok(Some(entry::begin_for(rows, &of, visitor, &person, "invitation")?))
    });
    Ok(match accepted.await? {
        Some(token) => signed_in(trac, &token),
        None => no_invitation(&request.headers),
    })
}

/// Makes an account for the invited person, and begins its session.
async fn join_as_new(
    trac: &Trac,
    request: &Parts,
    visitor: Visitor,
    invitation: Open,
    name: String,
    password: String,
) -> Result<Response, Problem> {
    let scope = invitation.scope(trac).await?;
    let password = trac.passwords.hash(password, Source::Stranger).await?;
    let new = NewPerson { email: invitation.email.clone(), name, password };
    let of = trac.clone();
    let joined = change_people(trac, &scope, move |tx, scope| {
        let rows = tx.within(scope);
        // Of two requests at once, the later one finds the invitation accepted.
        let Some(invitation) = Open::of_token(tx, &visitor.invitation, of.clock.now())? else {
            return Ok(None);
        };
        let id = new.insert(tx, &of)?;
        let Some(person) = Person::of_id(tx, &id)? else { return Ok(None) };
        invitation.accept(rows, &of, &person.id, &person.actor())?;
        Ok(Some(entry::begin_for(rows, &of, visitor, &person, "invitation")?))
    });
    Ok(match joined.await? {
        Some(token) => signed_in(trac, &token),
        None => no_invitation(&request.headers),
    })
}
