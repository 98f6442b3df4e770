//! Programs and their terms.

use axum::http::Method;
use serde_json::Value;
use trac_core::money::Currency;

use super::super::act::{About, Act, Then};
use super::super::value::{at, list, number, text};
use crate::web::{Field, Form, Input, Trial, Wire, as_decimal};

pub(in super::super) static CREATE: Act = Act {
    name: "program-create",
    label: "Create a program",
    title: "Create a program",
    tab: "programs",
    method: Method::POST,
    call: "/programs",
    about: "",
    form: |about| {
        let mut fields = vec![Field::text("name", "Name").hint("Partners see it.").required()];
        fields.extend(commission_fields(about));
        fields.push(recurring(about));
        fields.push(days(about, "attribution_window_days", "Days from click to sale", "30"));
        fields.push(days(about, "hold_days.sale", "Days until a sale's commission may be paid", "30"));
        Form { fields, submit: "Create the program", ..Form::default() }
    },
    then: Then::Page("programs/{id}"),
    done: "The program was created. Next, add partners to it.",
};

pub(in super::super) static CHANGE: Act = Act {
    name: "program-change",
    label: "Edit",
    title: "Edit a program",
    tab: "programs",
    method: Method::PATCH,
    call: "/programs/{id}",
    about: "/programs/{id}",
    form: change,
    then: Then::Page("programs/{id}"),
    done: "The program was changed.",
};

pub(in super::super) static DELETE: Act = Act {
    name: "program-delete",
    label: "Delete",
    title: "Delete a program",
    tab: "programs",
    method: Method::DELETE,
    call: "/programs/{id}",
    about: "/programs/{id}",
    form: |about| Form {
        submit: "Delete the program",
        is_danger: true,
        consequences: vec![
            format!("{} is deleted. This cannot be undone.", about.text("name")),
            "A program with partners, links, clicks or commissions cannot be deleted, only archived."
                .to_owned(),
        ],
        cancel: Some(format!("programs/{}", about.text("id"))),
        ..Form::default()
    },
    then: Then::Page("programs"),
    done: "The program was deleted.",
};

fn change(about: &About) -> Form {
    let mut fields = vec![
        Field::text("name", "Name").value(about.text("name")).required(),
        Field::select(
            "status",
            "Status",
            &[
                ("active", "active: sales earn"),
                ("paused", "paused: only renewals of subscriptions that were credited before earn"),
                ("draft", "draft: nothing earns yet"),
                ("archived", "archived: nothing earns any more"),
            ],
        )
        .value(about.text("status")),
        Field::heading("What a sale earns"),
    ];
    fields.extend(commission_fields(about));
    fields.extend(base_fields(about));
    fields.extend(click_fields(about));
    fields.extend(hold_fields(about));
    fields.extend(lead_fields(about));
    fields.extend([
        Field::heading("Addresses"),
        Field::text("slug", "Name in addresses").value(about.text("slug")),
        Field::text("tracking_domain", "Domain of its links")
            .value(about.text("tracking_domain"))
            .wire(Wire::Nullable)
            .hint("One of the domains that this server was started with. Empty: the server's own."),
    ]);
    Form {
        fields,
        submit: "Save",
        trial: Some(Trial {
            name: "preview",
            label: "Show what would change",
            call: "/programs/{id}/preview",
        }),
        consequences: vec![
            "The new terms are a new version, for payments from now on. No earlier payment is priced again."
                .to_owned(),
            "Commissions that were paid out never change.".to_owned(),
        ],
        ..Form::default()
    }
}

fn flag(about: &About, name: &'static str, label: &'static str) -> Field {
    Field::check(name, label, at(&about.object, name) == true)
}

/// Which payments earn, and from which amount.
fn base_fields(about: &About) -> [Field; 5] {
    let products: Vec<_> = list(&about.object, "products").iter().filter_map(Value::as_str).collect();
    [
        recurring(about),
        Field::select(
            "base",
            "Counted from",
            &[("net", "the amount without tax"), ("gross", "the amount with tax")],
        )
        .value(about.text("base")),
        flag(about, "include_shipping", "Shipping counts, too"),
        flag(about, "count_out_of_band", "Invoices paid outside of Stripe count, too"),
        Field::text("products", "Only these products")
            .input(Input::Area)
            .wire(Wire::Lines)
            .value(&products.join("\n"))
            .hint("IDs from Stripe, prod_…, price_… or plink_…, one per line. Empty: all products."),
    ]
}

/// Which click is credited.
fn click_fields(about: &About) -> [Field; 5] {
    [
        Field::heading("Which click is credited"),
        days(about, "attribution_window_days", "Days from click to sale", ""),
        Field::select(
            "attribution_model",
            "If there are several clicks",
            &[("last_click", "the last one"), ("first_click", "the first one")],
        )
        .value(about.text("attribution_model")),
        flag(about, "attribute_by_customer", "A known customer's later purchases are credited, too"),
        flag(about, "block_self_referral", "Partners' own purchases earn nothing"),
    ]
}

/// When a commission may be paid.
fn hold_fields(about: &About) -> [Field; 5] {
    [
        Field::heading("When it may be paid"),
        days(about, "hold_days.sale", "Days until a sale's commission may be paid", ""),
        days(about, "hold_days.recurring", "Days until a renewal's commission may be paid", ""),
        days(about, "hold_days.lead", "Days until a lead's commission may be paid", ""),
        Field::select(
            "cancel_policy",
            "When a subscription is cancelled",
            &[
                ("void_unused", "payments for the time after the end earn nothing"),
                ("void_pending", "everything that is still pending earns nothing"),
                ("keep", "everything stays"),
            ],
        )
        .value(about.text("cancel_policy")),
    ]
}

/// What a lead earns.
fn lead_fields(about: &About) -> [Field; 4] {
    [
        Field::heading("Leads"),
        Field::text("lead_amount_minor", "Commission for a lead")
            .input(Input::Number)
            .wire(Wire::Amount("lead_currency"))
            .value(&amount(about, "lead_amount_minor", "lead_currency"))
            .hint("0: leads earn nothing."),
        Field::text("lead_currency", "Currency of leads").value(about.text("lead_currency")),
        Field::text("client_lead_days", "Days in which a lead from a page may tie a customer to a click")
            .input(Input::Number)
            .wire(Wire::Integer)
            .value(&whole(about, "client_lead_days")),
    ]
}

/// The fields of a commission: a percentage or an amount.
pub(super) fn commission_fields(about: &About) -> Vec<Field> {
    let rate = at(&about.object, "commission.rate_bps").as_i64();
    vec![
        Field::select(
            "commission.type",
            "Commission",
            &[("percentage", "a percentage of the sale"), ("fixed", "a fixed amount for each sale")],
        )
        .value(about.text("commission.type")),
        Field::text("commission.rate_bps", "Percentage")
            .input(Input::Number)
            .wire(Wire::Percent)
            .value(&rate.map(|rate| as_decimal(rate, 2, true)).unwrap_or_default())
            .hint("Such as 20 or 12.5. Leave it empty for a fixed amount."),
        Field::text("commission.amount_minor", "Amount")
            .input(Input::Number)
            .wire(Wire::Amount("commission.currency"))
            .value(&amount(about, "commission.amount_minor", "commission.currency"))
            .hint("Such as 25.00. Leave it empty for a percentage."),
        Field::text("commission.currency", "Currency")
            .value(about.text("commission.currency"))
            .hint("Such as usd. Only for a fixed amount."),
        Field::check(
            "commission.cap_at_sale",
            "A fixed amount is never more than the sale",
            at(&about.object, "commission.cap_at_sale") != false,
        )
        .wire(Wire::FlagIf("commission.type", "fixed")),
    ]
}

fn recurring(about: &About) -> Field {
    let months = number(&about.object, "recurring.months");
    let value = if months > 0 { months.to_string() } else { about.text("recurring").to_owned() };
    let mut options: Vec<(String, String)> =
        [("lifetime", "every payment, as long as it lasts"), ("first_payment", "only the first payment")]
            .map(|(value, label)| (value.to_owned(), label.to_owned()))
            .into();
    let mut offered = vec![3, 6, 12, 24];
    if months > 0 && !offered.contains(&months) {
        offered.push(months);
    }
    options.extend(
        offered.into_iter().map(|months| (months.to_string(), format!("the payments of {months} months"))),
    );
    Field {
        input: Input::Select(options),
        wire: Wire::Recurring,
        ..Field::text("recurring", "Subscription payments that earn")
    }
    .value(&value)
}

fn days(about: &About, name: &'static str, label: &'static str, value: &str) -> Field {
    let known = whole(about, name);
    Field::text(name, label).input(Input::Number).wire(Wire::Integer).value(if known.is_empty() {
        value
    } else {
        &known
    })
}

fn whole(about: &About, path: &str) -> String {
    at(&about.object, path).as_i64().map(|number| number.to_string()).unwrap_or_default()
}

/// An amount as a decimal of its currency.
fn amount(about: &About, minor: &str, currency: &str) -> String {
    let minor = at(&about.object, minor).as_i64().filter(|minor| *minor != 0);
    let currency = Currency::parse(text(&about.object, currency)).ok();
    match (minor, currency) {
        (Some(minor), Some(currency)) => as_decimal(minor, currency.exponent(), false),
        _ => String::new(),
    }
}
