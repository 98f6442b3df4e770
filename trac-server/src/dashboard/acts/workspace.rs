//! The workspace's settings.

use axum::http::Method;

use super::super::act::{Act, Then};
use crate::web::{Field, Form, Wire};

pub(in super::super) static CHANGE: Act = Act {
    name: "workspace-change",
    label: "Edit",
    title: "Edit the workspace",
    tab: "settings",
    method: Method::PATCH,
    call: "/workspace",
    about: "/workspace",
    form: |about| Form {
        fields: vec![
            Field::text("name", "Name").value(about.text("name")).required(),
            Field::text("fallback_url", "Fallback address for ended links")
                .wire(Wire::Nullable)
                .value(about.text("fallback_url"))
                .hint("A page of your shop. Empty: they get “not found”."),
        ],
        submit: "Save",
        consequences: vec!["These settings apply to test and live mode.".to_owned()],
        ..Form::default()
    },
    then: Then::Page("settings"),
    done: "The workspace was changed.",
};
