//! The pages of single objects.

use serde_json::Value;

use super::act::Act;
use super::acts::{
    claims, commissions, customers, endpoints, enrollments, events, keys, links, mails, partners, payouts,
    programs,
};
use super::column::Show::{
    Flag, Id, List, Money, Name, Number, Other, Reason, Status, Subject, Text, Time, To, Word,
};
use super::column::{Column, column};
use super::detail::Detail;
use super::extra::Extra;
use super::lists::{
    BALANCE_COLUMNS, CLICK_COLUMNS, COMMISSION_COLUMNS, CONVERSION_COLUMNS, ENROLLMENT_COLUMNS, LINK_COLUMNS,
    PAYOUT_COLUMNS,
};
use super::rows::Section;
use super::terms;
use super::value::{at, list, text};
use crate::web::{Cell, Link};

/// Every page of a single object.
pub(super) static DETAILS: &[&Detail] = &[
    &COMMISSION,
    &CONVERSION,
    &CUSTOMER,
    &LEAD,
    &PARTNER,
    &ENROLLMENT,
    &PROGRAM,
    &LINK,
    &PAYOUT,
    &EVENT,
    &ENDPOINT,
    &DECISION,
    &KEY,
    &MAIL,
    &CHANGE,
];

fn no_acts(_: &Value) -> Vec<&'static Act> {
    Vec::new()
}

fn no_links(_: &Value) -> Vec<Link> {
    Vec::new()
}

/// The link to the story of the object.
fn why(object: &Value) -> Vec<Link> {
    vec![Link::new("Why?", &format!("why?id={}", text(object, "id")))]
}

/// The kind and number of an object, as the heading.
fn own_id(object: &Value) -> String {
    text(object, "id").to_owned()
}

fn name_of(object: &Value) -> String {
    text(object, "name").to_owned()
}

/// The Stripe objects of a row.
fn stripe(object: &Value) -> Cell {
    let ids = at(object, "stripe").as_object().into_iter().flatten();
    let cells: Vec<_> = ids.filter_map(|(_, id)| id.as_str()).map(|id| Cell::Id(id.to_owned())).collect();
    if cells.is_empty() { Cell::Nothing } else { Cell::Several(cells) }
}

static COMMISSION: Detail = Detail {
    path: "commissions",
    tab: "commissions",
    parent: ("Commissions", "commissions"),
    api: "/commissions/{id}",
    heading: own_id,
    facts: &[
        column("Status", Status("status")),
        column("Net", Money("net_minor", "currency")),
        column("Earned", Money("amount_minor", "currency")),
        column("Taken back", Money("reversed_minor", "currency")),
        column("Counted from", Money("base_minor", "currency")),
        column("Reason", Reason("reason")),
        column("Partner", Name("partner_id")),
        column("Program", Name("program_id")),
        column("Kind", Word("source")),
        column("Month of the subscription", Number("recurring_month")),
        column("Matures", Time("matures_at")),
        column("Click", Id("click_id")),
        column("Sale", Other(sale)),
        column("At Stripe", Other(stripe)),
        column("Your decision", Other(decision)),
        column("Your reason", Other(own_reason)),
        column("Created", Time("created_at")),
    ],
    sections: &[
        Section {
            id: "entries",
            title: "Entries",
            api: "/commissions/{id}/entries",
            columns: &[
                column("Entry", Status("kind")),
                column("Amount", Money("amount_minor", "currency")),
                column("Reason", Reason("reason")),
                column("Caused by", Subject("event_id")),
                column("Payout", To("payouts", "payout_id")),
                column("Time", Time("at")),
            ],
            empty: "There are no entries.",
            more: "",
        },
        Section {
            id: "changes",
            title: "Changes by people",
            api: "/activity?object_id={id}",
            columns: ACTIVITY_COLUMNS,
            empty: "This commission has not been changed by hand.",
            more: "activity?object_id={id}",
        },
    ],
    acts: commission_acts,
    links: no_links,
    extra: Extra::Story,
};

/// The sale or lead that a commission is for. An adjustment has none.
fn sale(object: &Value) -> Cell {
    match text(object, "payment_id") {
        "" => Cell::Nothing,
        _ if text(object, "source") == "manual" => Cell::Nothing,
        id => Cell::link(id, &format!("conversions/{id}")),
    }
}

/// The merchant's decision about a commission.
fn decision(object: &Value) -> Cell {
    match text(object, "verdict.status") {
        "" => Cell::Nothing,
        word => Cell::status(word),
    }
}

/// The merchant's words about a commission: the reason for the decision, else for the adjustment.
fn own_reason(object: &Value) -> Cell {
    let reasons = ["verdict.reason", "note"].map(|field| text(object, field));
    Cell::text(reasons.into_iter().find(|reason| !reason.is_empty()).unwrap_or_default())
}

/// The decisions that would change a commission. One that was paid out can only be taken back; one that is zero because
/// the money went back has nothing to decide.
fn commission_acts(object: &Value) -> Vec<&'static Act> {
    let decided = text(object, "verdict.status");
    match (text(object, "status"), text(object, "reason")) {
        (_, "rejected_by_merchant") if decided == "rejected" => vec![&commissions::RESTORE],
        ("paid", _) if at(object, "net_minor") != 0 => vec![&commissions::REJECT],
        ("pending" | "held", _) if decided == "held" => {
            vec![&commissions::APPROVE, &commissions::REJECT, &commissions::RESTORE]
        }
        // A claim is decided at its sale or lead.
        ("held", "client_reported") => vec![&commissions::REJECT],
        ("pending" | "held", _) => vec![&commissions::APPROVE, &commissions::HOLD, &commissions::REJECT],
        ("approved", _) => vec![&commissions::HOLD, &commissions::REJECT],
        _ => Vec::new(),
    }
}

const ACTIVITY_COLUMNS: &[Column] = &[
    column("Change", To("activity", "id")),
    column("Action", Text("action")),
    column("By", Text("actor.name")),
    column("Time", Time("at")),
];

static CONVERSION: Detail = Detail {
    path: "conversions",
    tab: "conversions",
    parent: ("Sales and leads", "conversions"),
    api: "/conversions/{id}",
    heading: own_id,
    facts: &[
        column("Kind", Word("source")),
        column("Amount", Money("amount_minor", "currency")),
        column("Credited", Flag("attributed")),
        column("Reason", Reason("reason")),
        column("Click", Id("click_id")),
        column("Commission", To("commissions", "commission_id")),
        column("Partner", Name("partner_id")),
        column("Program", Name("program_id")),
        column("At Stripe", Other(stripe)),
        column("Created", Time("created_at")),
    ],
    sections: &[Section {
        id: "decisions",
        title: "Decisions",
        api: "/attributions?payment_id={id}",
        columns: &[
            column("Decision", To("attributions", "id")),
            column("Rule", Word("rule")),
            column("Click", Id("click_id")),
            column("Reason", Reason("reason")),
            column("Caused by", Subject("event_id")),
            column("Created", Time("created_at")),
        ],
        empty: "Nothing has been decided yet.",
        more: "attributions?payment_id={id}",
    }],
    acts: conversion_acts,
    links: no_links,
    extra: Extra::Story,
};

/// A claim is decided; a sale that the merchant's server reported can be refunded by hand.
fn conversion_acts(object: &Value) -> Vec<&'static Act> {
    if !list(object, "claims").is_empty() {
        return vec![&claims::APPROVE, &claims::REJECT];
    }
    if text(object, "external_transaction_id").is_empty() { Vec::new() } else { vec![&claims::REFUND] }
}

static CUSTOMER: Detail = Detail {
    path: "customers",
    tab: "customers",
    parent: ("Customers", "customers"),
    api: "/customers/{id}",
    heading: |object| {
        let name = ["name", "email", "external_id", "id"].map(|field| text(object, field));
        name.into_iter().find(|name| !name.is_empty()).unwrap_or_default().to_owned()
    },
    facts: &[
        column("Your own ID", Id("external_id")),
        column("Stripe customer", Id("stripe_customer_id")),
        column("E-mail address", Text("email")),
        column("Name", Text("name")),
        column("Credited", Flag("attributed")),
        column("Click", Id("click_id")),
        column(
            "Assigned",
            Other(|row| match at(row, "reassigned") {
                Value::Null => Cell::word("no"),
                to if text(to, "partner_id").is_empty() => Cell::word("to nobody"),
                _ => Cell::word("to a partner"),
            }),
        ),
        column("Assigned partner", Name("reassigned.partner_id")),
        column("Assigned from", Time("reassigned.from")),
        column("First seen", Time("created_at")),
    ],
    sections: &[],
    acts: |object| {
        let mut acts = vec![&customers::ASSIGN, &customers::NOBODY];
        if !at(object, "reassigned").is_null() {
            acts.push(&customers::UNDO);
        }
        acts
    },
    links: no_links,
    extra: Extra::Story,
};

static LEAD: Detail = Detail {
    path: "leads",
    tab: "conversions",
    parent: ("Leads", "leads"),
    api: "/leads/{id}",
    heading: own_id,
    facts: &[
        column("Event", Text("event_name")),
        column("Status", Status("status")),
        column("Customer", Text("customer_external_id")),
        column("E-mail address", Text("customer_email")),
        column("Name", Text("customer_name")),
        column("Credited", Flag("attributed")),
        column("Reason", Reason("reason")),
        column("Click", Id("click_id")),
        column("Commission", To("commissions", "commission_id")),
        column("Sale or lead", To("conversions", "conversion_id")),
        column("Attribution only", Flag("deferred")),
        column("Created", Time("created_at")),
    ],
    sections: &[],
    acts: |object| {
        if text(object, "conversion_id").is_empty() {
            Vec::new()
        } else {
            vec![&claims::APPROVE_LEAD, &claims::REJECT_LEAD]
        }
    },
    links: why,
    extra: Extra::Nothing,
};

static PARTNER: Detail = Detail {
    path: "partners",
    tab: "partners",
    parent: ("Partners", "partners"),
    api: "/partners/{id}",
    heading: name_of,
    facts: &[
        column("E-mail address", Text("email")),
        column("Code", Text("code")),
        column("ID", Id("id")),
        column("Since", Time("created_at")),
    ],
    sections: &[
        Section {
            id: "balances",
            title: "Balance",
            api: "/balances?partner_id={id}",
            columns: BALANCE_COLUMNS,
            empty: "The partner has earned nothing yet.",
            more: "",
        },
        Section {
            id: "programs",
            title: "Programs",
            api: "/enrollments?partner_id={id}",
            columns: ENROLLMENT_COLUMNS,
            empty: "The partner takes part in no program yet.",
            more: "applications?partner_id={id}",
        },
        Section {
            id: "links",
            title: "Links",
            api: "/links?partner_id={id}",
            columns: LINK_COLUMNS,
            empty: "The partner has no links yet.",
            more: "links?partner_id={id}",
        },
        Section {
            id: "commissions",
            title: "Commissions",
            api: "/commissions?partner_id={id}",
            columns: COMMISSION_COLUMNS,
            empty: "The partner has no commissions yet.",
            more: "commissions?partner_id={id}",
        },
        Section {
            id: "sales",
            title: "Sales and leads",
            api: "/conversions?partner_id={id}",
            columns: CONVERSION_COLUMNS,
            empty: "No sale has been credited to the partner yet.",
            more: "conversions?partner_id={id}",
        },
        Section {
            id: "clicks",
            title: "Clicks",
            api: "/clicks?partner_id={id}",
            columns: CLICK_COLUMNS,
            empty: "Nobody has followed a link of the partner yet.",
            more: "clicks?partner_id={id}",
        },
        Section {
            id: "payouts",
            title: "Payouts",
            api: "/payouts?partner_id={id}",
            columns: PAYOUT_COLUMNS,
            empty: "The partner has not been paid yet.",
            more: "payouts?partner_id={id}",
        },
        Section {
            id: "changes",
            title: "Changes by people",
            api: "/activity?object_id={id}",
            columns: ACTIVITY_COLUMNS,
            empty: "Nobody has changed the partner.",
            more: "activity?object_id={id}",
        },
    ],
    acts: |_| vec![&partners::CHANGE, &partners::DELETE],
    links: |object| {
        let of = |act: &Act| format!("{}?partner_id={}", act.to(""), text(object, "id"));
        vec![
            Link::new(enrollments::CREATE.label, &of(&enrollments::CREATE)),
            Link::new(links::CREATE.label, &of(&links::CREATE)),
            Link::new(payouts::CREATE.label, &of(&payouts::CREATE)),
            Link::new(commissions::ADJUST.label, &of(&commissions::ADJUST)),
        ]
    },
    extra: Extra::Nothing,
};

static ENROLLMENT: Detail = Detail {
    path: "applications",
    tab: "applications",
    parent: ("Applications", "applications"),
    api: "/enrollments/{id}",
    heading: own_id,
    facts: &[
        column("Partner", Name("partner_id")),
        column("Program", Name("program_id")),
        column("Status", Status("status")),
        column("Note", Text("note")),
        column("Own terms", Other(|row| terms::commission(at(row, "commission")))),
        column("Promotion codes", List("promotion_codes")),
        column("Version", Number("version")),
        column("In force since", Time("valid_from")),
        column("Since", Time("created_at")),
    ],
    sections: &[
        Section {
            id: "commissions",
            title: "Commissions",
            api: "/commissions?enrollment_id={id}",
            columns: COMMISSION_COLUMNS,
            empty: "There are no commissions yet.",
            more: "",
        },
        Section {
            id: "changes",
            title: "Changes by people",
            api: "/activity?object_id={id}",
            columns: ACTIVITY_COLUMNS,
            empty: "Nobody has changed this.",
            more: "activity?object_id={id}",
        },
    ],
    acts: |object| {
        let judged: &[&'static Act] = match text(object, "status") {
            "approved" => &[&enrollments::SUSPEND, &enrollments::BAN],
            "pending" => &[&enrollments::APPROVE, &enrollments::REJECT, &enrollments::BAN],
            _ => &[&enrollments::APPROVE, &enrollments::BAN],
        };
        let mut acts = judged.to_vec();
        acts.extend([&enrollments::TERMS, &enrollments::DELETE]);
        acts
    },
    links: no_links,
    extra: Extra::Nothing,
};

static PROGRAM: Detail = Detail {
    path: "programs",
    tab: "programs",
    parent: ("Programs", "programs"),
    api: "/programs/{id}",
    heading: name_of,
    facts: &[
        column("Status", Status("status")),
        column("Commission", Other(|row| terms::commission(at(row, "commission")))),
        column("Subscriptions", Other(|row| Cell::word(&terms::recurring(at(row, "recurring"))))),
        column("Days from click to sale", Number("attribution_window_days")),
        column("Only these products", List("products")),
        column("Name in addresses", Text("slug")),
        column("Domain of its links", Text("tracking_domain")),
        column("ID", Id("id")),
        column("Version", Number("version")),
        column("In force since", Time("valid_from")),
    ],
    sections: &[
        Section {
            id: "partners",
            title: "Partners",
            api: "/enrollments?program_id={id}",
            columns: ENROLLMENT_COLUMNS,
            empty: "No partner takes part yet.",
            more: "applications?program_id={id}",
        },
        Section {
            id: "commissions",
            title: "Commissions",
            api: "/commissions?program_id={id}",
            columns: COMMISSION_COLUMNS,
            empty: "There are no commissions yet.",
            more: "commissions?program_id={id}",
        },
        Section {
            id: "links",
            title: "Links",
            api: "/links?program_id={id}",
            columns: LINK_COLUMNS,
            empty: "There are no links yet.",
            more: "links?program_id={id}",
        },
        Section {
            id: "changes",
            title: "Changes by people",
            api: "/activity?object_id={id}",
            columns: ACTIVITY_COLUMNS,
            empty: "Nobody has changed the program.",
            more: "activity?object_id={id}",
        },
    ],
    acts: |_| vec![&programs::CHANGE, &programs::DELETE],
    links: no_links,
    extra: Extra::Terms,
};

static LINK: Detail = Detail {
    path: "links",
    tab: "links",
    parent: ("Links", "links"),
    api: "/links/{id}",
    heading: |object| text(object, "slug").to_owned(),
    facts: &[
        column("Address", Other(|row| Cell::Address(text(row, "url").to_owned()))),
        column("Leads to", Other(|row| Cell::Address(text(row, "destination").to_owned()))),
        column("Partner", Name("partner_id")),
        column("Program", Name("program_id")),
        column("Archived", Flag("archived")),
        column("Created", Time("created_at")),
    ],
    sections: &[Section {
        id: "clicks",
        title: "Clicks",
        api: "/clicks?link_id={id}",
        columns: CLICK_COLUMNS,
        empty: "Nobody has followed the link yet.",
        more: "",
    }],
    acts: |object| {
        let archive: &'static Act =
            if at(object, "archived") == true { &links::REOPEN } else { &links::ARCHIVE };
        vec![&links::CHANGE, archive, &links::DELETE, &links::PURGE]
    },
    links: no_links,
    extra: Extra::Link,
};

static PAYOUT: Detail = Detail {
    path: "payouts",
    tab: "payouts",
    parent: ("Payouts", "payouts"),
    api: "/payouts/{id}",
    heading: own_id,
    facts: &[
        column("Partner", Name("partner_id")),
        column("Amount", Money("amount_minor", "currency")),
        column("Commissions", Other(commissions_paid)),
        column("Created", Time("created_at")),
    ],
    sections: &[],
    acts: no_acts,
    links: why,
    extra: Extra::Nothing,
};

/// The commissions of a payout.
fn commissions_paid(object: &Value) -> Cell {
    let ids = list(object, "commission_ids").iter().filter_map(Value::as_str);
    Cell::Several(ids.map(|id| Cell::link(id, &format!("commissions/{id}"))).collect())
}

static EVENT: Detail = Detail {
    path: "webhooks",
    tab: "webhooks",
    parent: ("Webhooks", "webhooks"),
    api: "/events/{id}",
    heading: |object| {
        let kind = text(object, "type");
        if kind.is_empty() { "A delivery".to_owned() } else { kind.to_owned() }
    },
    facts: &[
        column("Outcome", Status("outcome")),
        column("Reason", Reason("reason")),
        column("Details", Text("message")),
        column("What to do", Text("remedy")),
        column("Deliveries", Number("deliveries")),
        column("Stripe's ID", Id("stripe_event_id")),
        column("API version", Text("api_version")),
        column("About", Subject("subject_id")),
        column("Settled by", Subject("settled_by")),
        column("Created at Stripe", Time("stripe_created_at")),
        column("Received", Time("created_at")),
    ],
    sections: &[Section {
        id: "decisions",
        title: "What it caused",
        api: "/attributions?event_id={id}",
        columns: &[
            column("Decision", To("attributions", "id")),
            column("Sale or lead", Subject("payment_id")),
            column("Reason", Reason("reason")),
            column("Click", Id("click_id")),
            column("Created", Time("created_at")),
        ],
        empty: "It changed no decision.",
        more: "attributions?event_id={id}",
    }],
    acts: |object| {
        let mut acts: Vec<&'static Act> = Vec::new();
        let is_unlinked = matches!(text(object, "reason"), "payment_unlinked" | "payment_unknown");
        if is_unlinked && text(object, "outcome") == "deferred" {
            acts.push(&events::LINK);
        }
        if !at(object, "payload").is_null() {
            acts.extend([&events::REPLAY, &events::REPLAY_NOW]);
        }
        acts
    },
    links: why,
    extra: Extra::Event,
};

static ENDPOINT: Detail = Detail {
    path: "endpoints",
    tab: "webhooks",
    parent: ("Webhooks", "webhooks"),
    api: "/webhook-endpoints/{id}",
    heading: own_id,
    facts: &[
        column("Address for Stripe", Other(|row| Cell::Address(text(row, "url").to_owned()))),
        column("Signing secrets", Number("signing_secret_count")),
        column("Restricted key", Id("stripe_api_key")),
        column("What is wrong with the key", Text("stripe_api_key_problem")),
        column("Connected account", Id("stripe_account")),
        column("Events to select", List("events")),
        column("Created", Time("created_at")),
    ],
    sections: &[Section {
        id: "events",
        title: "Events",
        api: "/events?endpoint_id={id}",
        columns: super::lists::EVENT_COLUMNS,
        empty: "Stripe has not sent anything to this endpoint yet.",
        more: "",
    }],
    acts: |_| vec![&endpoints::SECRETS, &endpoints::STRIPE_KEY, &endpoints::ACCOUNT],
    links: no_links,
    extra: Extra::Nothing,
};

static DECISION: Detail = Detail {
    path: "attributions",
    tab: "attributions",
    parent: ("Decisions", "attributions"),
    api: "/attributions/{id}",
    heading: own_id,
    facts: &[
        column("Sale or lead", Subject("payment_id")),
        column("Rule", Word("rule")),
        column("Click", Id("click_id")),
        column("Reason", Reason("reason")),
        column("Bound by", Word("bound_by")),
        column("Bound at", Time("bound_at")),
        column("Caused by", Subject("event_id")),
        column("At Stripe", Other(stripe)),
        column("Time of the payment", Time("occurred_at")),
        column("Created", Time("created_at")),
    ],
    sections: &[],
    acts: no_acts,
    links: no_links,
    extra: Extra::Nothing,
};

static KEY: Detail = Detail {
    path: "keys",
    tab: "keys",
    parent: ("API keys", "keys"),
    api: "/api-keys/{id}",
    heading: |object| text(object, "hint").to_owned(),
    facts: &[
        column("Kind", Word("kind")),
        column("Name", Text("name")),
        column("Status", Status("status")),
        column("Allowed sites", List("allowed_origins")),
        column("Has a token secret", Flag("has_token_secret")),
        column("Last used", Time("last_used_at")),
        column("Ends", Time("expires_at")),
        column("Revoked", Time("revoked_at")),
        column("Created", Time("created_at")),
    ],
    sections: &[Section {
        id: "changes",
        title: "What it changed",
        api: "/activity?actor_id={id}",
        columns: ACTIVITY_COLUMNS,
        empty: "Nothing was changed with this key.",
        more: "activity?actor_id={id}",
    }],
    acts: |object| {
        if !matches!(text(object, "status"), "active" | "expiring") {
            return Vec::new();
        }
        let mut acts: Vec<&'static Act> = vec![&keys::CHANGE, &keys::ROLL];
        if text(object, "kind") == "publishable" {
            acts.push(&keys::TOKEN_SECRET);
        }
        acts.push(&keys::REVOKE);
        acts
    },
    links: no_links,
    extra: Extra::Nothing,
};

static MAIL: Detail = Detail {
    path: "mails",
    tab: "mails",
    parent: ("Mails", "mails"),
    api: "/mails/{id}",
    heading: own_id,
    facts: &[
        column("Subject", Text("subject")),
        column("Kind", Word("kind")),
        column("To", Text("to")),
        column("Status", Status("status")),
        column("Tries", Number("attempts")),
        column("Error", Text("error")),
        column("Next try", Time("next_attempt_at")),
        column("Sent", Time("sent_at")),
        column("Created", Time("created_at")),
    ],
    sections: &[],
    acts: |object| match text(object, "status") {
        "canceled" | "queued" => Vec::new(),
        _ => vec![&mails::RESEND],
    },
    links: no_links,
    extra: Extra::Letter,
};

static CHANGE: Detail = Detail {
    path: "activity",
    tab: "activity",
    parent: ("Activity", "activity"),
    api: "/activity/{id}",
    heading: |object| text(object, "action").to_owned(),
    facts: &[
        column("By", Text("actor.name")),
        column("As", Word("actor.kind")),
        column("Object", Subject("object.id")),
        column("Time", Time("at")),
    ],
    sections: &[],
    acts: no_acts,
    links: no_links,
    extra: Extra::Change,
};
