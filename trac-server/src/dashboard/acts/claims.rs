//! What pages claimed and a merchant decides, and refunds that Stripe does not know.

use axum::http::Method;

use super::super::act::{About, Act, Then};
use super::super::value::{list, text};
use crate::web::{Field, Form, Input, Wire};

const fn judge(
    name: &'static str,
    label: &'static str,
    title: &'static str,
    form: fn(&About) -> Form,
    done: &'static str,
) -> Act {
    Act {
        name,
        label,
        title,
        tab: "conversions",
        method: Method::PATCH,
        call: "/conversions/{id}",
        about: "/conversions/{id}",
        form,
        then: Then::Page("conversions/{id}"),
        done,
    }
}

pub(in super::super) static APPROVE: Act = judge(
    "claim-approve",
    "Approve the claim",
    "Approve a claim",
    |about| {
        verdict(
            about,
            "approved",
            "Approve",
            false,
            "The sale is credited to the claimed click, and its commission is no longer held.",
        )
    },
    "The claim was approved.",
);

pub(in super::super) static REJECT: Act = judge(
    "claim-reject",
    "Reject the claim",
    "Reject a claim",
    |about| verdict(about, "rejected", "Reject", true, "The claim earns nothing. You can approve it later."),
    "The claim was rejected.",
);

/// The decision about a claim; where several clicks were claimed, the one to decide about is chosen.
fn verdict(about: &About, word: &str, submit: &'static str, is_danger: bool, effect: &str) -> Form {
    let mut fields = vec![Field::hidden("status", word)];
    let claims: Vec<_> = list(&about.object, "claims").iter().map(|claim| text(claim, "click_id")).collect();
    if claims.len() > 1 {
        let options: Vec<_> = claims.iter().map(|click| (*click, *click)).collect();
        fields.push(Field::select("click_id", "Claimed click", &options));
    }
    Form { fields, submit, is_danger, consequences: vec![effect.to_owned()], ..Form::default() }
}

pub(in super::super) static REFUND: Act = judge(
    "conversion-refund",
    "Record a refund",
    "Record a refund",
    |about| Form {
        fields: vec![
            Field { wire: Wire::Nowhere, ..Field::hidden("currency", about.text("currency")) },
            Field::text("refunded_cents", "Refunded in total")
                .input(Input::Number)
                .wire(Wire::Amount("currency"))
                .hint("Everything that went back so far, in the currency of the sale.")
                .required(),
        ],
        submit: "Record the refund",
        is_danger: true,
        consequences: vec![
            "Only for a sale that your own server reported: refunds of Stripe's payments come from Stripe."
                .to_owned(),
            "The same share of the commission is taken back.".to_owned(),
        ],
        ..Form::default()
    },
    "The refund was recorded.",
);

const fn judge_lead(
    name: &'static str,
    label: &'static str,
    title: &'static str,
    form: fn(&About) -> Form,
    done: &'static str,
) -> Act {
    Act {
        name,
        label,
        title,
        tab: "conversions",
        method: Method::PATCH,
        call: "/leads/{id}",
        about: "/leads/{id}",
        form,
        then: Then::Page("conversions"),
        done,
    }
}

pub(in super::super) static APPROVE_LEAD: Act = judge_lead(
    "lead-approve",
    "Approve the lead",
    "Approve a lead",
    |_| Form {
        fields: vec![Field::hidden("status", "approved")],
        submit: "Approve",
        consequences: vec![
            "The lead counts as if your own server had reported it, and its commission is no longer held."
                .to_owned(),
        ],
        ..Form::default()
    },
    "The lead was approved.",
);

pub(in super::super) static REJECT_LEAD: Act = judge_lead(
    "lead-reject",
    "Reject the lead",
    "Reject a lead",
    |_| Form {
        fields: vec![Field::hidden("status", "rejected")],
        submit: "Reject",
        is_danger: true,
        consequences: vec![
            "The lead earns nothing, and no sale is credited because of it. You can approve it later."
                .to_owned(),
        ],
        ..Form::default()
    },
    "The lead was rejected.",
);
