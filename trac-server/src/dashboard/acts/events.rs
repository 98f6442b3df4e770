//! Events from Stripe: link an unlinked refund, decide again.

use axum::http::Method;

use super::super::act::{Act, Then};
use crate::web::{Field, Form, Wire};

pub(in super::super) static LINK: Act = Act {
    name: "event-link",
    label: "Link to a payment",
    title: "Link a refund to its payment",
    tab: "webhooks",
    method: Method::POST,
    call: "/events/{id}/link",
    about: "/events/{id}",
    form: |_| Form {
        fields: vec![
            Field::text("payment", "Payment")
                .hint("The ID of the payment that the money went back from: cs_…, pi_…, ch_… or in_…")
                .required(),
        ],
        submit: "Link the refund",
        consequences: vec![
            "The refund is taken from that payment's commission, also if it was paid out.".to_owned(),
        ],
        ..Form::default()
    },
    then: Then::Page("webhooks/{id}"),
    done: "The event is linked to the payment.",
};

const fn replay(
    name: &'static str,
    label: &'static str,
    title: &'static str,
    form: fn(&super::super::act::About) -> Form,
) -> Act {
    Act {
        name,
        label,
        title,
        tab: "webhooks",
        method: Method::POST,
        call: "/events/{id}/replay",
        about: "/events/{id}",
        form,
        then: Then::Page("webhooks/{id}"),
        done: "The event was decided again.",
    }
}

pub(in super::super) static REPLAY: Act =
    replay("event-replay", "Replay", "Decide an event again", |_| Form {
        fields: vec![Field { wire: Wire::Query, ..Field::hidden("rules", "then") }],
        submit: "Decide again",
        consequences: vec![
            "The event is decided again by the terms of its time. Where nothing was wrong, nothing changes."
                .to_owned(),
            "The page of the event shows beforehand what would change.".to_owned(),
        ],
        ..Form::default()
    });

pub(in super::super) static REPLAY_NOW: Act = replay(
    "event-replay-now",
    "Replay by today's terms",
    "Decide an event again by today's terms",
    |_| {
        Form {
        fields: vec![Field { wire: Wire::Query, ..Field::hidden("rules", "now") }],
        submit: "Decide again",
        is_danger: true,
        consequences: vec![
            "The event is decided by today's terms instead of those of its time. Commissions that were paid out stay.".to_owned(),
        ],
        ..Form::default()
    }
    },
);
