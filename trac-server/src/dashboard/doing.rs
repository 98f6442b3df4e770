//! Pages of actions: the form, and what follows when it is submitted.
//!
//! Every action is a page of its own, `/dashboard/do/{name}?id=…`, with what follows from it, so that it works without
//! JavaScript. A form that is submitted twice takes effect once.

use std::collections::BTreeMap;

use axum::extract::rejection::FormRejection;
use axum::extract::{Form as FormOf, Path};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde_json::{Map, Value};

use super::act::{About, Act, Then};
use super::acts;
use super::api::{Call, Failure, encoded, query_of};
use super::choices::{partner_id, programs};
use super::desk::{Desk, notice};
use super::preview;
use super::value::text;
use crate::id::random_hex;
use crate::problem::Problem;
use crate::web::{Block, Field, Form, Link, Secret, Tone};

impl Act {
    /// The form for the object of this request.
    async fn form_of(&self, desk: &Desk, query: &BTreeMap<String, String>) -> Result<(Form, About), Failure> {
        let id = query.get("id").map_or("", String::as_str);
        let object = match self.about {
            "" => Value::Null,
            about => desk.get(&about.replace("{id}", &encoded(id))).await?,
        };
        let programs = programs(desk).await?;
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
        form.fields.push(desk.mode_field());
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
    let Some(act) = acts::find(&name) else { return desk.failed(&unknown(), "") };
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
    let Some(act) = acts::find(&name) else { return desk.failed(&unknown(), "") };
    let Ok(FormOf(pairs)) = submitted else { return desk.failed(&unreadable(), act.tab) };
    let outcome = execute(act, &desk, pairs.into_iter().collect()).await;
    outcome.unwrap_or_else(|failure| desk.failed(&failure, act.tab))
}

async fn execute(
    act: &'static Act,
    desk: &Desk,
    mut given: BTreeMap<String, String>,
) -> Result<Response, Failure> {
    allowed(desk, act)?;
    desk.must_be_of_mode(&given)?;
    let once = given.get("once").filter(|once| !once.is_empty()).cloned().unwrap_or_else(random_hex::<16>);
    if let Some(named) = given.get("partner_id").filter(|named| !named.trim().is_empty()) {
        match partner_id(desk, named.trim()).await {
            Ok(id) => given.insert("partner_id".to_owned(), id),
            Err(failure) if failure.status == StatusCode::NOT_FOUND => {
                let (mut form, _) = act.form_of(desk, &desk.query).await?;
                form.fill(&given);
                form.note("", &Map::from_iter([("partner_id".to_owned(), failure.message.into())]));
                return Ok(act.page(desk, form, &once, StatusCode::UNPROCESSABLE_ENTITY));
            }
            Err(failure) => return Err(failure),
        };
    }
    let mut query = desk.query.clone();
    for name in ["partner_id", "program_id"] {
        if let Some(value) = given.get(name).filter(|value| !value.is_empty()) {
            query.insert(name.to_owned(), value.clone());
        }
    }
    let (mut form, about) = act.form_of(desk, &query).await?;
    form.fill(&given);
    let Some(call) = form.submitted() else {
        return Ok(act.page(desk, form, &once, StatusCode::UNPROCESSABLE_ENTITY));
    };
    let id = desk.query.get("id").map_or("", String::as_str);
    if let Some(trial) = form.trial.filter(|trial| given.contains_key(trial.name)) {
        let path = trial.call.replace("{id}", &encoded(id));
        let call = Call { method: Method::POST, path, body: Some(Value::Object(call.body)), once: None };
        let status = match desk.api.call(&desk.caller, call).await {
            Ok(answer) => {
                form.tried = preview::shown(desk, &answer).await?;
                StatusCode::OK
            }
            Err(failure) => wrong(&mut form, failure)?,
        };
        return Ok(act.page(desk, form, &once, status));
    }
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
        Err(failure) => {
            let status = wrong(&mut form, failure)?;
            // The call may have taken effect all the same; the same key finds its answer.
            Ok(act.page(desk, form, &once, status))
        }
    }
}

/// Shows an error of the API in the form, and returns the status of the page.
///
/// # Errors
/// The same error, if there is no object to show the form of.
fn wrong(form: &mut Form, failure: Failure) -> Result<StatusCode, Failure> {
    if failure.status == StatusCode::NOT_FOUND {
        return Err(failure);
    }
    form.note(&failure.message, &failure.fields);
    let is_of_caller = failure.status.is_client_error();
    Ok(if is_of_caller { StatusCode::UNPROCESSABLE_ENTITY } else { failure.status })
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
    let refused = |problem: Problem| Failure::new(StatusCode::FORBIDDEN, "FORBIDDEN", problem.message());
    desk.caller.role.must(act.right()).map_err(refused)
}

fn unknown() -> Failure {
    Failure::new(StatusCode::NOT_FOUND, "NOT_FOUND", "There is no such action.")
}

fn unreadable() -> Failure {
    let message = "The form cannot be read. Go back and send it again.";
    Failure::new(StatusCode::BAD_REQUEST, "VALIDATION_FAILED", message)
}
