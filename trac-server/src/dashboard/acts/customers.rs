//! Who earns from a customer's payments, as the merchant decides.

use axum::http::Method;

use super::super::act::{About, Act, Then};
use super::enrollments::partner;
use crate::web::{Field, Form, Input, Wire};

const fn decide(
    name: &'static str,
    label: &'static str,
    title: &'static str,
    method: Method,
    form: fn(&About) -> Form,
    done: &'static str,
) -> Act {
    Act {
        name,
        label,
        title,
        tab: "customers",
        method,
        call: "/customers/{id}/reassign",
        about: "/customers/{id}",
        form,
        then: Then::Page("customers/{id}"),
        done,
    }
}

pub(in super::super) static ASSIGN: Act = decide(
    "customer-assign",
    "Assign to a partner",
    "Assign a customer to a partner",
    Method::POST,
    |about| {
        let only = ("", "The only one that the partner is in");
        let programs = about.programs.iter().map(|(id, name)| (id.as_str(), name.as_str()));
        let programs: Vec<_> = [only].into_iter().chain(programs).collect();
        Form {
            fields: vec![
                partner(about),
                Field::select("program_id", "Program", &programs).value(about.given("program_id")),
                from(),
            ],
            submit: "Assign",
            consequences: vec![
                "Every payment of this customer from that time on is the partner's, whatever click it carries.".to_owned(),
                MOVED.to_owned(),
            ],
            ..Form::default()
        }
    },
    "The customer was assigned.",
);

pub(in super::super) static NOBODY: Act = decide(
    "customer-nobody",
    "Nobody earns",
    "Let nobody earn from a customer",
    Method::POST,
    |_| Form {
        fields: vec![Field::hidden("partner_id", "").wire(Wire::Nullable), from()],
        submit: "Let nobody earn",
        is_danger: true,
        consequences: vec![
            "No payment of this customer from that time on earns anything for anybody.".to_owned(),
            MOVED.to_owned(),
        ],
        ..Form::default()
    },
    "Nobody earns from this customer.",
);

pub(in super::super) static UNDO: Act = decide(
    "customer-rules",
    "Let the rules decide",
    "Let the rules decide about a customer",
    Method::DELETE,
    |_| {
        Form {
        submit: "Let the rules decide",
        consequences: vec![
            "All decisions about this customer are taken back: each payment is credited by the click that it carries or inherits.".to_owned(),
            MOVED.to_owned(),
        ],
        ..Form::default()
    }
    },
    "The rules decide about this customer.",
);

/// What a decision does to earlier commissions.
const MOVED: &str = "Commissions that are not paid out yet move. Those that were paid out stay.";

fn from() -> Field {
    Field::text("from", "From")
        .input(Input::Text)
        .hint("A time in UTC, such as 2026-11-21T08:00:00Z. A time in the past decides later payments again. Empty: from now on.")
}
