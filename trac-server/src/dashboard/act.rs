//! Actions: forms that call the management API.
//!
//! Every action is a page of its own, `/dashboard/do/{name}?id=…`, with what follows from it, so that it works without
//! JavaScript. A form that is submitted twice takes effect once.

use std::collections::BTreeMap;

use axum::extract::rejection::FormRejection;
use axum::extract::{Form as FormOf, Path};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde_json::Value;

use super::acts::ACTS;
use super::api::{Call, Failure, encoded, query_of};
use super::desk::{Desk, notice};
use super::value::text;
use crate::access::role::right_of;
use crate::id::random_hex;
use crate::web::{Block, Field, Form, Link, Secret, Tone};

/// An action.
pub(super) struct Act {
    /// Its name in URLs.
    pub(super) name: &'static str,
    /// The label of the link that leads to it.
    pub(super) label: &'static str,
    /// The heading of its page.
    pub(super) title: &'static str,
    /// The tab that it belongs to.
    pub(super) tab: &'static str,
    pub(super) method: Method,
    /// The path of the call, with `{id}` for the object's ID.
    pub(super) call: &'static str,
    /// The path that the object is read from, with `{id}`; empty if the action needs none.
    pub(super) about: &'static str,
    /// The form, from the object.
    pub(super) form: fn(&About) -> Form,
    /// The page that shows the result.
    pub(super) then: Then,
    /// The message on that page.
    pub(super) done: &'static str,
}

/// Where a person is led after an action.
#[derive(Clone, Copy, Debug)]
pub(super) enum Then {
    /// To a page, with `{id}` for the ID in the response, else that of the object.
    Page(&'static str),
    /// To a page with a secret of the response, which is shown this once: the field, its title and a note.
    Secret(&'static str, &'static str, &'static str),
}

/// What a form is made from.
pub(super) struct About {
    /// The object; `null` for an action that creates one.
    pub(super) object: Value,
    /// The query of the page, with values to begin with.
    pub(super) query: BTreeMap<String, String>,
    /// Programs to choose from: ID and name.
    pub(super) programs: Vec<(String, String)>,
    /// The partner that `partner_id` in the query names: ID and name.
    pub(super) partner: Option<(String, String)>,
}

impl About {
    /// A field of the object as text.
    pub(super) fn text(&self, path: &str) -> &str {
        text(&self.object, path)
    }

    /// A value of the query.
    pub(super) fn given(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }
}

/// The message of an action that was done.
pub(super) fn done(name: &str) -> Option<&'static str> {
    ACTS.iter().find(|act| act.name == name).map(|act| act.done)
}

/// Links to these actions for an object, without those that the person may not do.
pub(super) fn offered(desk: &Desk, acts: &[&'static Act], id: &str) -> Vec<Link> {
    let may = |act: &&&'static Act| desk.may(right_of(&act.method, act.call, None));
    let link = |(index, act): (usize, &&'static Act)| {
        let to = act.to(id);
        if index == 0 { Link::main(act.label, &to) } else { Link::new(act.label, &to) }
    };
    acts.iter().filter(may).enumerate().map(link).collect()
}

impl Act {
    /// The page of the action for an object.
    pub(super) fn to(&self, id: &str) -> String {
        if id.is_empty() {
            format!("do/{}", self.name)
        } else {
            format!("do/{}?id={}", self.name, encoded(id))
        }
    }

    fn find(name: &str) -> Option<&'static Self> {
        ACTS.iter().find(|act| act.name == name).copied()
    }

    /// The form for the object of this request.
    async fn form_of(&self, desk: &Desk, query: &BTreeMap<String, String>) -> Result<(Form, About), Failure> {
        let id = query.get("id").map_or("", String::as_str);
        let object = match self.about {
            "" => Value::Null,
            about => desk.get(&about.replace("{id}", &encoded(id))).await?,
        };
        let programs = super::listing::programs(desk).await?;
        let partner = match query
            .get("partner_id")
            .map(String::as_str)
            .or_else(|| object.get("partner_id")?.as_str())
        {
            Some(id) => {
                let partner = desk.get(&format!("/partners/{}", encoded(id))).await?;
                Some((text(&partner, "id").to_owned(), text(&partner, "name").to_owned()))
            }
            None => None,
        };
        let about = About { object, query: query.clone(), programs, partner };
        let mut form = (self.form)(&about);
        form.action = format!("do/{}{}", self.name, query_of((!id.is_empty()).then_some(("id", id))));
        if form.cancel.is_none() {
            form.cancel = Some(self.back(id));
        }
        Ok((form, about))
    }

    /// The page that a person came from.
    fn back(&self, id: &str) -> String {
        match self.then {
            Then::Page(page) if page.contains("{id}") && id.is_empty() => self.tab.to_owned(),
            Then::Page(page) => page.replace("{id}", &encoded(id)),
            Then::Secret(..) => self.tab.to_owned(),
        }
    }

    /// The page with the form.
    fn page(&self, desk: &Desk, mut form: Form, once: &str, status: StatusCode) -> Response {
        form.fields.push(Field::hidden("once", once));
        // A form of the other mode must not change this one, if the mode was switched in another tab.
        form.fields.push(Field::hidden("mode", desk.caller.scope.mode_str()));
        let mut page = desk.page(self.title, self.tab);
        if form.error.is_none() && form.fields.iter().any(|field| field.error.is_some()) {
            form.error = Some(desk.say("Some fields need a correction.").to_owned());
        }
        page.blocks.push(Block::Form(form));
        page.respond(status)
    }
}

/// Shows the form of an action.
pub(super) async fn show(Path(name): Path<String>, desk: Desk) -> Response {
    let Some(act) = Act::find(&name) else { return desk.failed(&unknown(), "") };
    if let Err(failure) = allowed(&desk, act) {
        return desk.failed(&failure, act.tab);
    }
    match act.form_of(&desk, &desk.query).await {
        Ok((mut form, _)) => {
            let given: BTreeMap<_, _> = desk
                .query
                .iter()
                .filter(|(name, _)| name.as_str() != "id")
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            form.prefill(&given);
            act.page(&desk, form, &random_hex::<16>(), StatusCode::OK)
        }
        Err(failure) => desk.failed(&failure, act.tab),
    }
}

/// Executes a submitted form.
pub(super) async fn submit(
    Path(name): Path<String>,
    desk: Desk,
    submitted: Result<FormOf<Vec<(String, String)>>, FormRejection>,
) -> Response {
    let Some(act) = Act::find(&name) else { return desk.failed(&unknown(), "") };
    let Ok(FormOf(pairs)) = submitted else { return desk.failed(&unreadable(), act.tab) };
    let given: BTreeMap<String, String> = pairs.into_iter().collect();
    let outcome = execute(act, &desk, &given).await;
    outcome.unwrap_or_else(|failure| desk.failed(&failure, act.tab))
}

async fn execute(
    act: &'static Act,
    desk: &Desk,
    given: &BTreeMap<String, String>,
) -> Result<Response, Failure> {
    allowed(desk, act)?;
    let mode = desk.caller.scope.mode_str();
    if given.get("mode").is_none_or(|of_form| of_form != mode) {
        return Err(other_mode(mode));
    }
    let mut query = desk.query.clone();
    for name in ["partner_id", "program_id"] {
        if let Some(value) = given.get(name).filter(|value| !value.is_empty()) {
            query.insert(name.to_owned(), value.clone());
        }
    }
    let (mut form, about) = act.form_of(desk, &query).await?;
    form.fill(given);
    let once = given.get("once").filter(|once| !once.is_empty()).cloned().unwrap_or_else(random_hex::<16>);
    let Some(call) = form.submitted() else {
        return Ok(act.page(desk, form, &once, StatusCode::UNPROCESSABLE_ENTITY));
    };
    let id = desk.query.get("id").map_or("", String::as_str);
    let path = format!(
        "{}{}",
        act.call.replace("{id}", &encoded(id)),
        query_of(call.query.iter().map(|(name, value)| (*name, value.as_str())))
    );
    let body = (!call.body.is_empty()).then_some(Value::Object(call.body));
    let is_post = act.method == Method::POST;
    let call = Call { method: act.method.clone(), path, body, once: is_post.then(|| once.clone()) };
    match desk.api.call(&desk.caller, call).await {
        Ok(answer) => Ok(act.led(desk, &about, &answer)),
        Err(failure) if failure.status.is_client_error() && failure.status != StatusCode::NOT_FOUND => {
            form.note(&failure.message, &failure.fields);
            // The error may be about a call that did take effect; the same key finds its answer.
            Ok(act.page(desk, form, &once, StatusCode::UNPROCESSABLE_ENTITY))
        }
        Err(failure) => Err(failure),
    }
}

impl Act {
    /// Leads to the result.
    fn led(&self, desk: &Desk, about: &About, answer: &Value) -> Response {
        match self.then {
            Then::Page(page) => {
                let id = Some(text(answer, "id")).filter(|id| !id.is_empty());
                let id = id.unwrap_or_else(|| about.text("id"));
                let page = page.replace("{id}", &encoded(id));
                let join = if page.contains('?') { '&' } else { '?' };
                // The form is at `dashboard/do/{name}`.
                let page = if page.is_empty() { "../../dashboard".to_owned() } else { format!("../{page}") };
                Redirect::to(&format!("{page}{join}done={}", self.name)).into_response()
            }
            Then::Secret(field, title, note) => {
                let mut page = desk.page(self.title, self.tab);
                page.blocks.push(notice(Tone::Good, self.done));
                page.blocks.push(Block::Secret(Secret { title, text: text(answer, field).to_owned(), note }));
                page.blocks.push(Block::Actions(vec![Link::main("I have stored it", self.tab)]));
                page.respond(StatusCode::OK)
            }
        }
    }
}

fn allowed(desk: &Desk, act: &Act) -> Result<(), Failure> {
    let right = right_of(&act.method, act.call, None);
    desk.caller.role.must(right).map_err(|problem| Failure {
        status: StatusCode::FORBIDDEN,
        code: "FORBIDDEN".to_owned(),
        message: problem.message().to_owned(),
        fields: serde_json::Map::new(),
    })
}

fn failure(status: StatusCode, code: &str, message: &str) -> Failure {
    Failure { status, code: code.to_owned(), message: message.to_owned(), fields: serde_json::Map::new() }
}

fn unknown() -> Failure {
    failure(StatusCode::NOT_FOUND, "NOT_FOUND", "There is no such action.")
}

fn unreadable() -> Failure {
    failure(
        StatusCode::BAD_REQUEST,
        "VALIDATION_FAILED",
        "The form cannot be read. Go back and send it again.",
    )
}

fn other_mode(mode: &str) -> Failure {
    let message = format!(
        "The dashboard was switched to {mode} mode after this form was opened. Nothing was changed. Open the form again."
    );
    failure(StatusCode::CONFLICT, "OTHER_MODE", &message)
}
