//! Partners in programs: approve, reject, suspend, ban, and terms of their own.

use axum::http::Method;

use super::super::act::{About, Act, Then};
use super::super::value::{at, list};
use super::programs::commission_fields;
use crate::web::{Field, Form, Input, Wire};

pub(in super::super) static CREATE: Act = Act {
    name: "enrollment-create",
    label: "Add to a program",
    title: "Add a partner to a program",
    tab: "partners",
    method: Method::POST,
    call: "/enrollments",
    about: "",
    form: |about| {
        let mut fields = vec![partner(about)];
        fields.push(program(about));
        fields.push(Field::select(
            "status",
            "Status",
            &[("approved", "approved: earns from now on"), ("pending", "pending: an application to decide")],
        ));
        fields.push(promotion_codes(""));
        Form { fields, submit: "Add to the program", ..Form::default() }
    },
    then: Then::Page("partners"),
    done: "The partner takes part in the program. Next, make a link.",
};

/// The partner of a form: known from the page that led here, else to be entered.
pub(super) fn partner(about: &About) -> Field {
    match &about.partner {
        Some((id, name)) => Field::select("partner_id", "Partner", &[(id, name)]).required(),
        None => Field::text("partner_id", "Partner")
            .hint("The partner's name, e-mail address, code or ID.")
            .required(),
    }
}

/// The program of a form.
pub(super) fn program(about: &About) -> Field {
    let options = about.programs.clone();
    Field { input: Input::Select(options), ..Field::text("program_id", "Program") }
        .value(about.given("program_id"))
        .required()
}

fn promotion_codes(codes: &str) -> Field {
    Field::text("promotion_codes", "Promotion codes").input(Input::Area).wire(Wire::Lines).value(codes).hint(
        "IDs of Stripe's promotion codes, promo_…, one per line. A sale with such a code is the partner's.",
    )
}

/// An action that sets the status, with the reason that the partner reads.
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
        tab: "applications",
        method: Method::PATCH,
        call: "/enrollments/{id}",
        about: "/enrollments/{id}",
        form,
        then: Then::Page("applications"),
        done,
    }
}

pub(in super::super) static APPROVE: Act = judge(
    "enrollment-approve",
    "Approve",
    "Approve a partner",
    |about| {
        status(
            about,
            "approved",
            "Approve",
            false,
            "Sales that the partner refers from now on earn a commission.",
        )
    },
    "The partner was approved.",
);

pub(in super::super) static REJECT: Act = judge(
    "enrollment-reject",
    "Reject",
    "Reject an application",
    |about| {
        status(
            about,
            "rejected",
            "Reject",
            true,
            "The partner's links go on leading visitors to your shop, and earn nothing.",
        )
    },
    "The application was rejected.",
);

pub(in super::super) static SUSPEND: Act = judge(
    "enrollment-suspend",
    "Suspend",
    "Suspend a partner",
    |about| {
        status(
            about,
            "suspended",
            "Suspend",
            true,
            "New sales earn nothing until you approve the partner again. What was earned so far stays.",
        )
    },
    "The partner was suspended.",
);

pub(in super::super) static BAN: Act = judge(
    "enrollment-ban",
    "Ban",
    "Ban a partner",
    |about| {
        status(
            about,
            "banned",
            "Ban",
            true,
            "New sales earn nothing, and what is due is not paid unless you say so at the payout.",
        )
    },
    "The partner was banned.",
);

fn status(about: &About, word: &str, submit: &'static str, is_danger: bool, effect: &str) -> Form {
    let name = about.partner.as_ref().map_or("", |(_, name)| name.as_str());
    Form {
        fields: vec![
            Field::hidden("status", word),
            Field::text("note", "Reason")
                .input(Input::Area)
                .wire(Wire::Nullable)
                .hint("The partner reads it. Leave it empty to give no reason."),
        ],
        submit,
        is_danger,
        consequences: vec![format!("{name}: {} → {word}", about.text("status")), effect.to_owned()],
        ..Form::default()
    }
}

pub(in super::super) static TERMS: Act = Act {
    name: "enrollment-terms",
    label: "Own terms",
    title: "Terms of one partner",
    tab: "partners",
    method: Method::PATCH,
    call: "/enrollments/{id}",
    about: "/enrollments/{id}",
    form: |about| {
        let mut fields = commission_fields(about);
        let has_own = !at(&about.object, "commission").is_null();
        if let (false, Some(Input::Select(options))) =
            (has_own, fields.first_mut().map(|field| &mut field.input))
        {
            options.insert(0, (String::new(), "the program's commission".to_owned()));
        }
        let codes: Vec<_> =
            list(&about.object, "promotion_codes").iter().filter_map(serde_json::Value::as_str).collect();
        fields.push(promotion_codes(&codes.join("\n")));
        Form {
            fields,
            submit: "Save",
            consequences: vec![
                "This commission takes the place of the program's, for payments from now on. No earlier payment is priced again."
                    .to_owned(),
            ],
            cancel: Some(format!("partners/{}", about.text("partner_id"))),
            ..Form::default()
        }
    },
    then: Then::Page("partners"),
    done: "The partner's terms were changed.",
};

pub(in super::super) static PROGRAM_TERMS: Act = Act {
    name: "enrollment-program-terms",
    label: "Use the program's terms",
    title: "Remove the terms of one partner",
    tab: "partners",
    method: Method::PATCH,
    call: "/enrollments/{id}",
    about: "/enrollments/{id}",
    form: |about| Form {
        fields: vec![Field::hidden("commission", "").wire(Wire::Nullable)],
        submit: "Use the program's terms",
        consequences: vec![
            "The program's commission holds for payments from now on. No earlier payment is priced again."
                .to_owned(),
        ],
        cancel: Some(format!("partners/{}", about.text("partner_id"))),
        ..Form::default()
    },
    then: Then::Page("partners"),
    done: "The program's terms hold for the partner.",
};

pub(in super::super) static DELETE: Act = Act {
    name: "enrollment-delete",
    label: "Remove from the program",
    title: "Remove a partner from a program",
    tab: "partners",
    method: Method::DELETE,
    call: "/enrollments/{id}",
    about: "/enrollments/{id}",
    form: |about| {
        Form {
        submit: "Remove",
        is_danger: true,
        consequences: vec![
            "This works only while nothing refers to it: no link, click or commission. Otherwise, suspend the partner.".to_owned(),
        ],
        cancel: Some(format!("partners/{}", about.text("partner_id"))),
        ..Form::default()
    }
    },
    then: Then::Page("partners"),
    done: "The partner was removed from the program.",
};
