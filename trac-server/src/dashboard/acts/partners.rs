//! Partners.

use axum::http::Method;

use super::super::act::{About, Act, Then};
use crate::web::{Field, Form, Input, Wire};

pub(in super::super) static CREATE: Act = Act {
    name: "partner-create",
    label: "Add a partner",
    title: "Add a partner",
    tab: "partners",
    method: Method::POST,
    call: "/partners",
    about: "",
    form: |about| Form { fields: fields(about, Wire::Text), submit: "Add the partner", ..Form::default() },
    then: Then::Page("partners/{id}"),
    done: "The partner was added. Next, let the partner join a program.",
};

pub(in super::super) static CHANGE: Act = Act {
    name: "partner-change",
    label: "Edit",
    title: "Edit a partner",
    tab: "partners",
    method: Method::PATCH,
    call: "/partners/{id}",
    about: "/partners/{id}",
    form: |about| Form {
        fields: fields(about, Wire::Nullable),
        submit: "Save",
        consequences: vec![
            "A new e-mail address counts for self-referral from now on; no earlier sale is judged again."
                .to_owned(),
        ],
        ..Form::default()
    },
    then: Then::Page("partners/{id}"),
    done: "The partner was changed.",
};

pub(in super::super) static DELETE: Act = Act {
    name: "partner-delete",
    label: "Delete",
    title: "Delete a partner",
    tab: "partners",
    method: Method::DELETE,
    call: "/partners/{id}",
    about: "/partners/{id}",
    form: |about| {
        Form {
        submit: "Delete the partner",
        is_danger: true,
        consequences: vec![
            format!("{} is deleted. This cannot be undone.", about.text("name")),
            "A partner with clicks, links, commissions or payouts cannot be deleted, only suspended or banned.".to_owned(),
        ],
        cancel: Some(format!("partners/{}", about.text("id"))),
        ..Form::default()
    }
    },
    then: Then::Page("partners"),
    done: "The partner was deleted.",
};

fn fields(about: &About, email: Wire) -> Vec<Field> {
    vec![
        Field::text("name", "Name").value(about.text("name")).required(),
        Field::text("email", "E-mail address")
            .input(Input::Email)
            .wire(email)
            .value(about.text("email"))
            .hint("Sales to this address are the partner's own and earn nothing, if the program says so."),
        Field::text("code", "Code")
            .value(about.text("code"))
            .hint("The partner's code in links such as ?via=code. Left empty, one is generated."),
        Field::check("anyway", "Another partner may have the same e-mail address", false),
    ]
}
