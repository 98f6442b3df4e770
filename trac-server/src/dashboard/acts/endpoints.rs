//! Webhook endpoints and the key for Stripe's API.

use axum::http::Method;

use super::super::act::{Act, Then};
use crate::web::{Field, Form, Input, Wire};

pub(in super::super) static CREATE: Act = Act {
    name: "endpoint-create",
    label: "Add an endpoint",
    title: "Add a webhook endpoint",
    tab: "webhooks",
    method: Method::POST,
    call: "/webhook-endpoints",
    about: "",
    form: |_| Form {
        fields: vec![secret(), account("")],
        submit: "Add the endpoint",
        consequences: vec![
            "A second endpoint is for a second Stripe account. One account needs one endpoint.".to_owned(),
        ],
        ..Form::default()
    },
    then: Then::Page("webhooks"),
    done: "The endpoint was added. Enter its address in Stripe.",
};

pub(in super::super) static SECRETS: Act = Act {
    name: "endpoint-secret",
    label: "Set the signing secret",
    title: "Set the signing secret",
    tab: "webhooks",
    method: Method::PATCH,
    call: "/webhook-endpoints/{id}",
    about: "/webhook-endpoints/{id}",
    form: |_| {
        Form {
        fields: vec![secret().required()],
        submit: "Save",
        consequences: vec![
            "The secrets that you enter take the place of all earlier ones. While you roll a secret in Stripe, enter the new and the old one.".to_owned(),
        ],
        ..Form::default()
    }
    },
    then: Then::Page("webhooks"),
    done: "The signing secret was stored.",
};

pub(in super::super) static STRIPE_KEY: Act = Act {
    name: "endpoint-key",
    label: "Set the restricted key",
    title: "Set the restricted key for Stripe's API",
    tab: "webhooks",
    method: Method::PATCH,
    call: "/webhook-endpoints/{id}",
    about: "/webhook-endpoints/{id}",
    form: |_| {
        Form {
        fields: vec![
            Field::text("stripe_api_key", "Restricted key")
                .input(Input::Secret)
                .wire(Wire::Nullable)
                .hint("rk_…, with read access to invoices, charges, payment intents and Checkout Sessions. Empty: remove the key."),
        ],
        submit: "Save",
        consequences: vec!["With the key, trac asks Stripe for what an event does not say, such as all lines of a long invoice.".to_owned()],
        ..Form::default()
    }
    },
    then: Then::Page("webhooks"),
    done: "The restricted key was stored.",
};

pub(in super::super) static ACCOUNT: Act = Act {
    name: "endpoint-account",
    label: "Set the Stripe account",
    title: "Set the Stripe account of an endpoint",
    tab: "webhooks",
    method: Method::PATCH,
    call: "/webhook-endpoints/{id}",
    about: "/webhook-endpoints/{id}",
    form: |about| Form {
        fields: vec![Field { wire: Wire::Nullable, ..account(about.text("stripe_account")) }],
        submit: "Save",
        ..Form::default()
    },
    then: Then::Page("webhooks"),
    done: "The Stripe account was set.",
};

fn secret() -> Field {
    Field::text("signing_secrets", "Signing secret")
        .input(Input::Area)
        .wire(Wire::LinesIfAny)
        .hint("whsec_…, from the endpoint's page in Stripe. One per line.")
}

fn account(value: &str) -> Field {
    Field::text("stripe_account", "Connected account")
        .value(value)
        .hint("acct_…, only for events of a connected account. Empty for your own account.")
}
