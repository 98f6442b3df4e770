//! Mails.

use axum::http::Method;

use super::super::act::{Act, Then};
use crate::web::Form;

pub(in super::super) static RESEND: Act = Act {
    name: "mail-resend",
    label: "Send again",
    title: "Send the mail again",
    tab: "mails",
    method: Method::POST,
    call: "/mails/{id}/resend",
    about: "/mails/{id}",
    form: |_| Form {
        submit: "Send again",
        consequences: vec![
            "The mail is sent to the same address once more.".to_owned(),
            "If it has a link, the link is a new one.".to_owned(),
        ],
        ..Form::default()
    },
    then: Then::Page("mails/{id}"),
    done: "The mail is on its way.",
};
