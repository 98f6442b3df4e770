//! Tracked links.

use axum::http::Method;

use super::super::act::{About, Act, Then};
use super::enrollments::{partner, program};
use crate::web::{Field, Form, Wire};

pub(in super::super) static CREATE: Act = Act {
    name: "link-create",
    label: "Create a link",
    title: "Create a link",
    tab: "links",
    method: Method::POST,
    call: "/links",
    about: "",
    form: |about| Form {
        fields: vec![
            partner(about),
            program(about),
            Field::text("destination", "Where it leads")
                .hint("A page of your shop, or a Stripe Payment Link, such as https://shop.example.com/")
                .value(about.given("destination"))
                .required(),
            Field::text("slug", "Name in the address").hint("Left empty, one is generated."),
        ],
        submit: "Create the link",
        ..Form::default()
    },
    then: Then::Page("links/{id}"),
    done: "The link was created. Open it once to see that it leads to the right page.",
};

pub(in super::super) static CHANGE: Act = Act {
    name: "link-change",
    label: "Edit",
    title: "Edit a link",
    tab: "links",
    method: Method::PATCH,
    call: "/links/{id}",
    about: "/links/{id}",
    form: |about| Form {
        fields: vec![
            Field::text("destination", "Where it leads").value(about.text("destination")).required(),
            Field::text("slug", "Name in the address").value(about.text("slug")),
        ],
        submit: "Save",
        consequences: vec![
            "The address that partners have published changes with the name. The old address ends."
                .to_owned(),
        ],
        ..Form::default()
    },
    then: Then::Page("links/{id}"),
    done: "The link was changed.",
};

pub(in super::super) static ARCHIVE: Act = Act {
    name: "link-archive",
    label: "Archive",
    title: "Archive a link",
    tab: "links",
    method: Method::PATCH,
    call: "/links/{id}",
    about: "/links/{id}",
    form: |_| Form {
        fields: vec![Field { wire: Wire::Flag, ..Field::hidden("archived", "true") }],
        submit: "Archive the link",
        consequences: vec![
            "Visitors are still sent on, but none is counted and no new sale is credited to it.".to_owned(),
        ],
        ..Form::default()
    },
    then: Then::Page("links/{id}"),
    done: "The link was archived.",
};

pub(in super::super) static REOPEN: Act = Act {
    name: "link-reopen",
    label: "Open again",
    title: "Open an archived link again",
    tab: "links",
    method: Method::PATCH,
    call: "/links/{id}",
    about: "/links/{id}",
    form: |_| Form {
        fields: vec![Field { wire: Wire::Flag, ..Field::hidden("archived", "false") }],
        submit: "Open the link again",
        consequences: vec!["Visitors are counted again from now on.".to_owned()],
        ..Form::default()
    },
    then: Then::Page("links/{id}"),
    done: "The link counts visitors again.",
};

pub(in super::super) static DELETE: Act = Act {
    name: "link-delete",
    label: "Delete",
    title: "Delete a link",
    tab: "links",
    method: Method::DELETE,
    call: "/links/{id}",
    about: "/links/{id}",
    form: |about| {
        danger(
            about,
            "Delete the link",
            "A link that was ever visited is archived instead: its visitors are still sent on.",
        )
    },
    then: Then::Page("links"),
    done: "The link was deleted, or archived because it was visited.",
};

pub(in super::super) static PURGE: Act = Act {
    name: "link-purge",
    label: "End its address",
    title: "End a link's address for good",
    tab: "links",
    method: Method::DELETE,
    call: "/links/{id}",
    about: "/links/{id}",
    form: |about| {
        let mut form = danger(
            about,
            "End the address",
            "Visitors get “not found”, or are sent to the workspace's fallback address. The name is never used again.",
        );
        form.fields.push(Field { wire: Wire::Query, ..Field::hidden("purge", "1") });
        form
    },
    then: Then::Page("links"),
    done: "The link's address has ended.",
};

fn danger(about: &About, submit: &'static str, effect: &str) -> Form {
    Form {
        submit,
        is_danger: true,
        consequences: vec![about.text("url").to_owned(), effect.to_owned()],
        cancel: Some(format!("links/{}", about.text("id"))),
        ..Form::default()
    }
}
