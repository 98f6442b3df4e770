//! What the merchant decides about a commission, and amounts given or taken back by hand.

use axum::http::Method;

use super::super::act::{About, Act, Then};
use super::enrollments::{partner, program};
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
        tab: "commissions",
        method: Method::PATCH,
        call: "/commissions/{id}",
        about: "/commissions/{id}",
        form,
        then: Then::Page("commissions/{id}"),
        done,
    }
}

/// The form of a decision, with the reason for it.
fn decision(status: &'static str, submit: &'static str, is_danger: bool, effects: &[&str]) -> Form {
    let reason = Field::text("reason", "Reason").hint("For your records: it is shown with the commission.");
    let needs_reason = matches!(status, "held" | "rejected");
    let reason = if needs_reason { reason.required() } else { reason };
    Form {
        fields: vec![Field::hidden("status", status), reason],
        submit,
        is_danger,
        consequences: effects.iter().map(|effect| (*effect).to_owned()).collect(),
        ..Form::default()
    }
}

pub(in super::super) static HOLD: Act = judge(
    "commission-hold",
    "Hold",
    "Hold a commission",
    |_| {
        decision(
            "held",
            "Hold",
            false,
            &["The commission is not paid, however old it is, until you approve it."],
        )
    },
    "The commission is held.",
);

pub(in super::super) static APPROVE: Act = judge(
    "commission-approve",
    "Approve now",
    "Approve a commission now",
    |_| {
        let effects = [
            "The commission is due now, and the next payout pays it, even if its hold has not ended.",
            "A later refund still takes its part back.",
        ];
        decision("approved", "Approve now", false, &effects)
    },
    "The commission is due now.",
);

pub(in super::super) static REJECT: Act = judge(
    "commission-reject",
    "Reject",
    "Reject a commission",
    |about| {
        let effect = if about.text("status") == "paid" {
            "The commission was paid out: all of it is taken back from the next payout. You can restore it later."
        } else {
            "The partner earns nothing from this sale. You can restore the commission later."
        };
        decision("rejected", "Reject", true, &[effect])
    },
    "The commission was rejected.",
);

pub(in super::super) static RESTORE: Act = judge(
    "commission-restore",
    "Restore",
    "Restore a commission",
    |_| {
        let effect = "Your decision is taken back: the commission is again what the program's terms make it.";
        decision("restored", "Restore", false, &[effect])
    },
    "The decision about the commission was taken back.",
);

pub(in super::super) static ADJUST: Act = Act {
    name: "adjust",
    label: "Adjust",
    title: "Adjust a partner's balance",
    tab: "commissions",
    method: Method::POST,
    call: "/adjustments",
    about: "",
    form: |about| {
        Form {
        fields: vec![
            partner(about),
            program(about),
            Field::text("currency", "Currency").value(about.given("currency")).hint("Such as usd.").required(),
            Field::text("amount_minor", "Amount")
                .input(Input::Number)
                .wire(Wire::Amount("currency"))
                .hint("Below zero, such as -12.50, to take money back.")
                .required(),
            Field::text("reason", "Reason").hint("Such as a bonus, or the correction of a mistake.").required(),
        ],
        submit: "Adjust the balance",
        consequences: vec![
            "The amount is added to what the partner is owed, as a commission of its own, and the next payout includes it."
                .to_owned(),
        ],
        ..Form::default()
    }
    },
    then: Then::Page("commissions/{id}"),
    done: "The partner's balance was adjusted.",
};
