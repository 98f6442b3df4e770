//! Payouts.

use axum::http::Method;

use super::super::act::{Act, Then};
use super::enrollments::partner;
use crate::web::{Field, Form};

pub(in super::super) static CREATE: Act = Act {
    name: "payout-create",
    label: "Record a payout",
    title: "Record a payout",
    tab: "payouts",
    method: Method::POST,
    call: "/payouts",
    about: "",
    form: |about| {
        Form {
        fields: vec![
            partner(about),
            Field::text("currency", "Currency").value(about.given("currency")).hint("Such as usd.").required(),
            Field::check("anyway", "Pay also what a banned partner earned", false),
        ],
        submit: "Record the payout",
        consequences: vec![
            "Everything that is due to the partner in this currency counts as paid: approved commissions, less what was taken back after earlier payouts.".to_owned(),
            "trac moves no money. Send the amount by your bank, PayPal or Wise.".to_owned(),
            "A payout cannot be undone.".to_owned(),
        ],
        ..Form::default()
    }
    },
    then: Then::Page("payouts/{id}"),
    done: "The payout was recorded. Send the amount to the partner now.",
};
