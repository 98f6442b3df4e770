//! API keys.

use axum::http::Method;

use super::super::act::{About, Act, Then};
use super::super::value::list;
use crate::web::{Field, Form, Input, Wire};

const ONCE: &str = "It is shown only this once. Store it where your server reads its secrets.";

pub(in super::super) static CREATE: Act = Act {
    name: "key-create",
    label: "Create a key",
    title: "Create an API key",
    tab: "keys",
    method: Method::POST,
    call: "/api-keys",
    about: "",
    form: |_| Form {
        fields: vec![
            Field::select(
                "kind",
                "Kind",
                &[
                    ("publishable", "publishable: for pages, may report clicks and leads"),
                    ("secret", "secret: for servers, may do everything"),
                ],
            ),
            Field::text("name", "Name").hint("Where the key is used."),
            origins(""),
        ],
        submit: "Create the key",
        ..Form::default()
    },
    then: Then::Secret("key", "The new key", ONCE),
    done: "The key was created.",
};

pub(in super::super) static CHANGE: Act = Act {
    name: "key-change",
    label: "Edit",
    title: "Edit an API key",
    tab: "keys",
    method: Method::PATCH,
    call: "/api-keys/{id}",
    about: "/api-keys/{id}",
    form: |about| {
        let mut fields = vec![Field::text("name", "Name").wire(Wire::Nullable).value(about.text("name"))];
        if about.text("kind") == "publishable" {
            let known: Vec<_> =
                list(&about.object, "allowed_origins").iter().filter_map(serde_json::Value::as_str).collect();
            fields.push(Field { wire: Wire::LinesOrNull, ..origins(&known.join("\n")) });
        }
        Form { fields, submit: "Save", ..Form::default() }
    },
    then: Then::Page("keys"),
    done: "The key was changed.",
};

pub(in super::super) static ROLL: Act = Act {
    name: "key-roll",
    label: "Roll",
    title: "Roll an API key",
    tab: "keys",
    method: Method::POST,
    call: "/api-keys/{id}/roll",
    about: "/api-keys/{id}",
    form: |about| Form {
        fields: vec![
            Field::text("overlap_hours", "Hours in which the old key still works")
                .input(Input::Number)
                .wire(Wire::Integer)
                .value("24"),
        ],
        submit: "Create the new key",
        consequences: vec![format!("{} stops working after these hours.", about.text("hint"))],
        ..Form::default()
    },
    then: Then::Secret("key", "The new key", ONCE),
    done: "The key was rolled.",
};

pub(in super::super) static REVOKE: Act = Act {
    name: "key-revoke",
    label: "Revoke",
    title: "Revoke an API key",
    tab: "keys",
    method: Method::DELETE,
    call: "/api-keys/{id}",
    about: "/api-keys/{id}",
    form: |about: &About| Form {
        submit: "Revoke the key",
        is_danger: true,
        consequences: vec![
            format!("{} stops working at once, and cannot be brought back.", about.text("hint")),
            format!(
                "It was last used: {}.",
                if about.text("last_used_at").is_empty() { "never" } else { about.text("last_used_at") }
            ),
        ],
        ..Form::default()
    },
    then: Then::Page("keys"),
    done: "The key was revoked.",
};

pub(in super::super) static TOKEN_SECRET: Act = Act {
    name: "key-token-secret",
    label: "Create a token secret",
    title: "Create a token secret",
    tab: "keys",
    method: Method::POST,
    call: "/api-keys/{id}/token-secret",
    about: "/api-keys/{id}",
    form: |_| Form {
        submit: "Create the token secret",
        consequences: vec![
            "Your server signs customers' IDs with it, so that a page's lead counts as your own report."
                .to_owned(),
            "It takes the place of an earlier token secret of this key.".to_owned(),
        ],
        ..Form::default()
    },
    then: Then::Secret("token_secret", "The token secret", ONCE),
    done: "The token secret was created.",
};

fn origins(value: &str) -> Field {
    Field::text("allowed_origins", "Allowed sites")
        .input(Input::Area)
        .wire(Wire::LinesIfAny)
        .value(value)
        .hint("Such as https://shop.example.com, one per line. Only for publishable keys. Empty: from all sites.")
}
