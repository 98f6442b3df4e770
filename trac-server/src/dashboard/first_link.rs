//! The first program, partner and link, from one form of the set-up.

use std::collections::BTreeMap;

use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::api::{Call, Failure};
use super::desk::Desk;
use super::value::{at, text};
use crate::access::key_hash;
use crate::id::{hex, random_hex};
use crate::web::{Field, Form, Input, Wire};

/// A form that was sent and has errors.
pub(super) struct Sent {
    pub(super) form: Form,
    pub(super) status: StatusCode,
}

/// The page that the form is posted to.
pub(super) const ACTION: &str = "setup/first-link";

/// The form.
pub(super) fn form(desk: &Desk) -> Form {
    Form {
        action: ACTION.to_owned(),
        fields: vec![
            Field::text("name", "Name of the program")
                .value(desk.say("Partner program"))
                .hint("Partners see it.")
                .required(),
            Field::text("commission.rate_bps", "Share of each sale in per cent")
                .input(Input::Number)
                .wire(Wire::Percent)
                .value("20")
                .required(),
            Field::text("partner.name", "Name of the first partner")
                .hint("To try it, take yourself with another e-mail address.")
                .required(),
            Field::text("partner.email", "The partner's e-mail address").input(Input::Email),
            Field::text("link.destination", "Where the partner's link leads")
                .hint("A page of your shop, or a Stripe Payment Link, such as https://shop.example.com/")
                .required(),
            Field::hidden("once", &random_hex::<16>()).wire(Wire::Nowhere),
            desk.mode_field(),
        ],
        submit: "Create the first link",
        ..Form::default()
    }
}

/// Creates program, partner, enrollment and link. A form that is sent again creates only what was not created.
///
/// # Errors
/// The form with the errors of the API.
pub(super) async fn create(desk: &Desk, given: &BTreeMap<String, String>) -> Result<(), Sent> {
    let mut form = form(desk);
    form.fill(given);
    let Some(call) = form.submitted() else {
        return Err(Sent { form, status: StatusCode::UNPROCESSABLE_ENTITY });
    };
    let once = given.get("once").map_or("", String::as_str);
    create_all(desk, once, &Value::Object(call.body)).await.map_err(|failure| {
        form.note(&failure.message, &failure.fields);
        Sent { form, status: failure.status }
    })
}

async fn create_all(desk: &Desk, once: &str, body: &Value) -> Result<(), Failure> {
    let share = at(body, "commission.rate_bps");
    let program = json!({
        "name": text(body, "name"),
        "commission": { "type": "percentage", "rate_bps": share },
    });
    let program = create_one(desk, once, "/programs", program).await?;
    let partner = body.get("partner").cloned().unwrap_or_else(|| json!({}));
    let partner =
        create_one(desk, once, "/partners", partner).await.map_err(|failure| within("partner", failure))?;
    let (program, partner) = (text(&program, "id"), text(&partner, "id"));
    create_one(desk, once, "/enrollments", json!({ "program_id": program, "partner_id": partner })).await?;
    let link = json!({
        "program_id": program,
        "partner_id": partner,
        "destination": text(body, "link.destination"),
    });
    create_one(desk, once, "/links", link).await.map_err(|failure| within("link", failure))?;
    Ok(())
}

/// Creates an object. The idempotency key depends on the body, so that a corrected form creates what it says.
async fn create_one(desk: &Desk, once: &str, path: &str, body: Value) -> Result<Value, Failure> {
    let once = hex(&key_hash(&format!("{once} {path} {body}")));
    let call = Call { method: Method::POST, path: path.to_owned(), body: Some(body), once: Some(once) };
    desk.api.call(&desk.caller, call).await
}

/// The error with the names of the form's fields, which are within an object.
fn within(object: &str, failure: Failure) -> Failure {
    let named = |(name, wrong)| (format!("{object}.{name}"), wrong);
    Failure { fields: failure.fields.into_iter().map(named).collect::<Map<_, _>>(), ..failure }
}
