//! `/dashboard/account`: a person's own name, language, password, second factor and sessions. Every form posts here; its
//! button is the action.

use askama::Template;
use axum::Router;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};

use super::attempts::{self, Tried};
use super::device::Device;
use super::entry::check_password;
use super::frame::{layout_of, respond, wait};
use super::person::{self, Person, Wrong};
use super::second_factor::{self, Setup};
use super::session::{OwnSession, Session, SignedIn, revoke, revoke_others, sessions_of};
use crate::api::activity::{Change, record};
use crate::problem::Problem;
use crate::store::rows::args;
use crate::store::{Everywhere, Priority, StoreError};
use crate::trac::Trac;
use crate::trac::passwords::Source;
use crate::web::{Language, Layout, Moment};

pub(super) fn routes() -> Router<Trac> {
    Router::new().route("/dashboard/account", get(show).post(act))
}

#[derive(Template)]
#[template(path = "people/account.html")]
struct AccountPage {
    layout: Layout,
    /// What was done.
    done: &'static str,
    email: String,
    name: String,
    /// The language's code, and the languages to choose from.
    language: &'static str,
    languages: [(&'static str, &'static str); 2],
    /// Whether the old password and the code are not asked for.
    is_rescue: bool,
    second_factor: SecondFactor,
    sessions: Vec<OwnSession>,
    /// The ID of this session.
    own: String,
    wrong: Wrong,
}

/// The state of the second factor.
#[derive(Clone, Debug)]
enum SecondFactor {
    Off,
    /// A code of the app is still to be entered.
    Begun(Setup),
    On {
        codes_left: i64,
    },
}

/// The page that shows recovery codes once.
#[derive(Template)]
#[template(path = "people/recovery_codes.html")]
struct CodesPage {
    layout: Layout,
    codes: Vec<String>,
}

#[derive(Default, Deserialize)]
struct Shown {
    #[serde(default)]
    done: String,
}

/// The messages after an action, by the word in the URL.
const DONE: [(&str, &str); 6] = [
    ("profile", "Your name and language are stored."),
    ("password", "Your password is changed. All your other sessions have ended."),
    ("begun", "Scan the code with your app, then enter what the app shows."),
    ("off", "The second factor is off."),
    ("session", "The session has ended."),
    ("sessions", "All your other sessions have ended."),
];

/// The person of a session; without one, the page that creates the first account.
#[expect(clippy::result_large_err, reason = "the error is the response")]
fn person_of(session: &Session) -> Result<SignedIn, Response> {
    session.person.clone().ok_or_else(|| Redirect::to("welcome").into_response())
}

async fn show(
    State(trac): State<Trac>,
    session: Session,
    shown: Result<Query<Shown>, QueryRejection>,
) -> Result<Response, Problem> {
    let done = shown.map(|Query(shown)| shown.done).unwrap_or_default();
    let done = DONE.iter().find(|(word, _)| *word == done).map_or("", |(_, text)| *text);
    page(&trac, session, done, Wrong::new(), StatusCode::OK).await
}

async fn page(
    trac: &Trac,
    session: Session,
    done: &'static str,
    wrong: Wrong,
    status: StatusCode,
) -> Result<Response, Problem> {
    let person = match person_of(&session) {
        Ok(person) => person,
        Err(redirect) => return Ok(redirect),
    };
    let (vault, now) = (trac.store.vault(), trac.clock.now());
    let page = trac.store.read(move |tx| {
        let has_second_factor = Person::of_id(tx, &person.id)?.is_some_and(|person| person.has_second_factor);
        let second_factor = if has_second_factor {
            SecondFactor::On { codes_left: second_factor::codes_left(tx, &person.id)? }
        } else {
            let setup = second_factor::setup(tx, &vault, &person.id, &person.email)?;
            setup.map_or(SecondFactor::Off, SecondFactor::Begun)
        };
        Ok(AccountPage {
            layout: layout_of(tx, &session, "Your account", "/account", "account")?,
            done,
            email: person.email,
            name: person.name,
            language: session.language.as_str(),
            languages: Language::ALL.map(|(language, name)| (language.as_str(), name)),
            is_rescue: session.is_rescue(now),
            second_factor,
            sessions: sessions_of(tx, &person.id, now)?,
            own: session.id,
            wrong,
        })
    });
    Ok(respond(&page.await?, status))
}

/// The fields of all forms of the page.
#[derive(Default, Deserialize)]
struct Fields {
    #[serde(default)]
    act: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    language: String,
    /// The old password, or the password that confirms an action.
    #[serde(default)]
    current: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    code: String,
    /// A session.
    #[serde(default)]
    id: String,
}

/// What an action leads to.
enum Outcome {
    /// The page again, with a message: a word of [`DONE`].
    Done(&'static str),
    Codes(Vec<String>),
    Wrong(Wrong),
    /// Too many attempts failed.
    Wait(u32),
}

async fn act(
    State(trac): State<Trac>,
    session: Session,
    request: Parts,
    form: Result<Form<Fields>, FormRejection>,
) -> Result<Response, Problem> {
    let person = match person_of(&session) {
        Ok(person) => person,
        Err(redirect) => return Ok(redirect),
    };
    let fields = form.map(|Form(fields)| fields).unwrap_or_default();
    let actor =
        Acting { trac: trac.clone(), session: session.clone(), person, device: Device::of(&trac, &request) };
    let outcome = match fields.act.as_str() {
        "profile" => actor.set_profile(&fields).await?,
        "password" => actor.set_password(fields).await?,
        "second-factor" => actor.begin_second_factor(&fields.current).await?,
        "cancel" => actor.cancel_second_factor().await?,
        "confirm" => actor.confirm_second_factor(fields.code).await?,
        "codes" => actor.new_codes(fields).await?,
        "off" => actor.turn_off(fields).await?,
        "session" => actor.revoke(fields.id).await?,
        "sessions" => actor.revoke_others().await?,
        _ => return Err(Problem::not_found("action")),
    };
    match outcome {
        Outcome::Done(word) => Ok(Redirect::to(&format!("account?done={word}")).into_response()),
        Outcome::Wrong(wrong) => page(&trac, session, "", wrong, StatusCode::UNPROCESSABLE_ENTITY).await,
        Outcome::Wait(secs) => Ok(wait(&trac, &request.headers, secs)),
        Outcome::Codes(codes) => {
            let layout =
                trac.store.read(move |tx| layout_of(tx, &session, "Recovery codes", "/account", "account"));
            Ok(respond(&CodesPage { layout: layout.await?, codes }, StatusCode::OK))
        }
    }
}

/// A person who changes their own account.
struct Acting {
    trac: Trac,
    session: Session,
    person: SignedIn,
    device: Device,
}

impl Acting {
    /// Runs a job with the record of what it does, if it does anything.
    async fn write<T, F>(&self, verb: &'static str, job: F) -> Result<Option<T>, Problem>
    where
        T: Send + 'static,
        F: FnOnce(Everywhere<'_>, &str) -> Result<Option<T>, Problem> + Send + 'static,
    {
        let (trac, session, person) = (self.trac.clone(), self.session.clone(), self.person.clone());
        let scope = session.scope.clone();
        let written = self.trac.store.try_write_in(&scope, Priority::Api, move |rows| {
            let done = job(rows.everywhere(), &person.id)?;
            if done.is_some() {
                let change = Change { kind: "person", id: &person.id, verb, before: None, after: None };
                record(rows, &trac, &session.actor, &change)?;
            }
            Ok::<_, Problem>(done)
        });
        written.await
    }

    async fn set_profile(&self, fields: &Fields) -> Result<Outcome, Problem> {
        let mut wrong = Wrong::new();
        let name = person::name(&fields.name, &mut wrong);
        let language = Language::ALL.into_iter().find(|(language, _)| language.as_str() == fields.language);
        if language.is_none() {
            wrong.insert("language", "must be one of en, de".to_owned());
        }
        let (Some(name), Some((language, _))) = (name, language) else { return Ok(Outcome::Wrong(wrong)) };
        let (trac, session, person) = (self.trac.clone(), self.session.clone(), self.person.clone());
        let scope = session.scope.clone();
        let written = self.trac.store.write_in(&scope, Priority::Api, move |rows| {
            let tx = rows.everywhere();
            let state = |tx: Everywhere<'_>| -> Result<Value, StoreError> {
                let sql = "SELECT name, language FROM person WHERE id = ?1";
                let found = tx.one(sql, args![person.id], |row| {
                    Ok(json!({ "name": row.get::<String>(0)?, "language": row.get::<Option<String>>(1)? }))
                })?;
                Ok(found.unwrap_or_default())
            };
            let before = state(tx)?;
            let sql = "UPDATE person SET name = ?2, language = ?3 WHERE id = ?1";
            tx.write(sql, args![person.id, name, language.as_str()])?;
            let after = state(tx)?;
            let change = Change {
                kind: "person",
                id: &person.id,
                verb: "changed",
                before: Some(&before),
                after: Some(&after),
            };
            record(rows, &trac, &session.actor, &change)
        });
        written.await?;
        Ok(Outcome::Done("profile"))
    }

    /// Checks the password that confirms an action. In the first minutes after a sign-in by a link of the command line,
    /// it is not asked for.
    async fn confirm(&self, password: &str) -> Result<Result<(), Outcome>, Problem> {
        if self.session.is_rescue(self.trac.clock.now()) {
            return Ok(Ok(()));
        }
        let id = self.person.id.clone();
        let person = self.trac.store.read(move |tx| Person::of_id(tx, &id)).await?;
        let is_right = if person::may_be_password(password) {
            let email = &self.person.email;
            let password = password.to_owned();
            match check_password(&self.trac, &self.device, email, person.as_ref(), password).await? {
                Ok(hash) => hash.is_some(),
                Err(secs) => return Ok(Err(Outcome::Wait(secs))),
            }
        } else {
            false
        };
        let wrong = || Wrong::from([("current", "is not your password".to_owned())]);
        Ok(if is_right { Ok(()) } else { Err(Outcome::Wrong(wrong())) })
    }

    async fn set_password(&self, fields: Fields) -> Result<Outcome, Problem> {
        let mut wrong = Wrong::new();
        let new = person::new_password(&fields.password, &self.person.email, &mut wrong);
        let Some(new) = new else { return Ok(Outcome::Wrong(wrong)) };
        if let Err(outcome) = self.confirm(&fields.current).await? {
            return Ok(outcome);
        }
        let (hash, own) = (self.trac.passwords.hash(new, Source::Known).await?, self.session.hash);
        let (device, now) = (self.device.clone(), self.trac.clock.now());
        let changed = self.write("password_changed", move |tx, person| {
            // A session that was ended while the password was hashed changes nothing.
            let sql = "UPDATE person SET password = ?2 WHERE id = ?1 \
                       AND EXISTS (SELECT 1 FROM dashboard_token AS t WHERE t.hash = ?3 AND t.person_id = ?1)";
            if tx.write(sql, args![person, hash, own])? == 0 {
                return Ok(None);
            }
            attempts::know_only(tx, &device, person, now)?;
            revoke_others(tx, person, own)?;
            Ok(Some(()))
        });
        Ok(match changed.await? {
            Some(()) => Outcome::Done("password"),
            None => Outcome::Wrong(Wrong::from([(
                "password",
                "was not changed: this session has ended".to_owned(),
            )])),
        })
    }

    async fn begin_second_factor(&self, password: &str) -> Result<Outcome, Problem> {
        if let Err(outcome) = self.confirm(password).await? {
            return Ok(outcome);
        }
        let (store, id) = (self.trac.store.clone(), self.person.id.clone());
        let vault = store.vault();
        store.write(Priority::Api, move |tx| second_factor::begin(tx, &vault, &id)).await?;
        Ok(Outcome::Done("begun"))
    }

    async fn cancel_second_factor(&self) -> Result<Outcome, Problem> {
        let id = self.person.id.clone();
        self.trac.store.write(Priority::Api, move |tx| second_factor::cancel(tx, &id)).await?;
        Ok(Outcome::Done(""))
    }

    /// Runs a job that a code of the app, or a recovery code, confirms.
    async fn with_code<F>(
        &self,
        verb: &'static str,
        code: String,
        job: F,
    ) -> Result<Result<Vec<String>, Outcome>, Problem>
    where
        F: FnOnce(Everywhere<'_>, &str) -> Result<Option<Vec<String>>, StoreError> + Send + 'static,
    {
        let id = self.person.id.clone();
        let person = self.trac.store.read(move |tx| Person::of_id(tx, &id)).await?;
        let (trac, email) = (&self.trac, &self.person.email);
        let attempt = match attempts::begin(trac, &self.device, Tried::Code, email, person.as_ref()).await? {
            Ok(attempt) => attempt,
            Err(secs) => return Ok(Err(Outcome::Wait(secs))),
        };
        let (vault, now) = (trac.store.vault(), trac.clock.now());
        let done = self.write(verb, move |tx, person| {
            let is_right = second_factor::accept_code(tx, &vault, person, &code, now)?
                || second_factor::accept_recovery_code(tx, person, &code, now)?;
            Ok(if is_right { job(tx, person)? } else { None })
        });
        let Some(done) = done.await? else {
            let message = "is wrong, or was used already: wait for the next code";
            return Ok(Err(Outcome::Wrong(Wrong::from([("code", message.to_owned())]))));
        };
        attempt.withdraw(&self.trac).await?;
        Ok(Ok(done))
    }

    async fn confirm_second_factor(&self, code: String) -> Result<Outcome, Problem> {
        let (now, own) = (self.trac.clock.now(), self.session.hash);
        let turned_on = self.with_code("second_factor_turned_on", code, move |tx, person| {
            let codes = second_factor::turn_on(tx, person, now)?;
            revoke_others(tx, person, own)?;
            Ok(codes)
        });
        Ok(turned_on.await?.map_or_else(|outcome| outcome, Outcome::Codes))
    }

    async fn new_codes(&self, fields: Fields) -> Result<Outcome, Problem> {
        if let Err(outcome) = self.confirm(&fields.current).await? {
            return Ok(outcome);
        }
        let made = self.with_code("recovery_codes_made", fields.code, |tx, person| {
            second_factor::new_recovery_codes(tx, person).map(Some)
        });
        Ok(made.await?.map_or_else(|outcome| outcome, Outcome::Codes))
    }

    async fn turn_off(&self, fields: Fields) -> Result<Outcome, Problem> {
        const VERB: &str = "second_factor_turned_off";
        if let Err(outcome) = self.confirm(&fields.current).await? {
            return Ok(outcome);
        }
        if self.session.is_rescue(self.trac.clock.now()) {
            let turn_off = |tx: Everywhere<'_>, person: &str| Ok(Some(second_factor::turn_off(tx, person)?));
            self.write(VERB, turn_off).await?;
            return Ok(Outcome::Done("off"));
        }
        let turned_off = self.with_code(VERB, fields.code, |tx, person| {
            second_factor::turn_off(tx, person).map(|()| Some(Vec::new()))
        });
        Ok(turned_off.await?.map_or_else(|outcome| outcome, |_| Outcome::Done("off")))
    }

    async fn revoke(&self, id: String) -> Result<Outcome, Problem> {
        let revoked =
            self.write("session_revoked", move |tx, person| Ok(revoke(tx, person, &id)?.then_some(())));
        // A session that is not there has ended already.
        revoked.await?;
        Ok(Outcome::Done("session"))
    }

    async fn revoke_others(&self) -> Result<Outcome, Problem> {
        let own = self.session.hash;
        let revoked = self.write("sessions_revoked", move |tx, person| {
            revoke_others(tx, person, own)?;
            Ok(Some(()))
        });
        revoked.await?;
        Ok(Outcome::Done("sessions"))
    }
}
