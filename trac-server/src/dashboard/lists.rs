//! The pages with lists: columns, filters, and what to do next where there are no rows.

use super::act::Act;
use super::acts::{commissions, endpoints, keys, links, partners, payouts, programs};
use super::column::Show::{
    Flag, Id, List, Money, Name, Number, Other, Own, Reason, Status, Subject, Text, Time, To, Word,
};
use super::column::{Column, column};
use super::listing::Of::{Partner, Program, Text as Any, Words};
use super::listing::{Filter, ListPage, filter};
use super::rows::Section;
use super::value::{at, text};
use crate::web::Cell;

/// Every page with a list.
pub(super) static LISTS: &[&ListPage] = &[
    &COMMISSIONS,
    &CONVERSIONS,
    &CUSTOMERS,
    &LEADS,
    &PARTNERS,
    &APPLICATIONS,
    &PROGRAMS,
    &LINKS,
    &CLICKS,
    &PAYOUTS,
    &BALANCES,
    &EVENTS,
    &REFUSALS,
    &ATTRIBUTIONS,
    &KEYS,
    &MAILS,
    &ACTIVITY,
];

const NO_ACTS: &[&Act] = &[];
const NOTHING: &[Section] = &[];

pub(super) const COMMISSION_COLUMNS: &[Column] = &[
    column("Commission", Own("commissions", "id")),
    column("Partner", Name("partner_id")),
    column("Status", Status("status")),
    column("Net", Money("net_minor", "currency")),
    column("Counted from", Money("base_minor", "currency")),
    column("Kind", Word("source")),
    column("Reason", Reason("reason")),
    column("Matures", Time("matures_at")),
    column("Created", Time("created_at")),
];

static COMMISSIONS: ListPage = ListPage {
    path: "commissions",
    title: "Commissions",
    intro: "What partners earned. Every row leads to its entries and its reason.",
    api: "/commissions",
    always: &[],
    columns: COMMISSION_COLUMNS,
    filters: &[
        filter("status", "Status", Words("commission")),
        filter("partner_id", "Partner", Partner),
        filter("program_id", "Program", Program),
        filter("source", "Kind", Words("commission")),
        filter("currency", "Currency", Any),
    ],
    above: NOTHING,
    empty: (
        "There are no commissions yet. One appears when a payment is credited to a partner's click.",
        Some(("Continue the set-up", "setup")),
    ),
    acts: &[&commissions::ADJUST],
};

pub(super) const CONVERSION_COLUMNS: &[Column] = &[
    column("Sale or lead", Own("conversions", "id")),
    column("Kind", Word("source")),
    column("Amount", Money("amount_minor", "currency")),
    column("Credited", Other(credited)),
    column("Reason", Reason("reason")),
    column("Commission", To("commissions", "commission_id")),
    column("Created", Time("created_at")),
];

fn credited(row: &serde_json::Value) -> Cell {
    if at(row, "attributed") == true { Cell::status("credited") } else { Cell::word("no") }
}

static CONVERSIONS: ListPage = ListPage {
    path: "conversions",
    title: "Sales and leads",
    intro: "Every payment and lead that trac knows, credited or not, with the reason.",
    api: "/conversions",
    always: &[],
    columns: CONVERSION_COLUMNS,
    filters: &[
        filter("attributed", "Credited", Words("conversion")),
        filter("source", "Kind", Words("conversion")),
        filter("reason", "Reason", Words("conversion")),
        filter("partner_id", "Partner", Partner),
        filter("program_id", "Program", Program),
        filter("currency", "Currency", Any),
    ],
    above: NOTHING,
    empty: ("No payment or lead has been received yet.", Some(("Continue the set-up", "setup"))),
    acts: NO_ACTS,
};

static CUSTOMERS: ListPage = ListPage {
    path: "customers",
    title: "Customers",
    intro: "Buyers and leads, and whether they belong to a partner.",
    api: "/customers",
    always: &[],
    columns: &[
        column("Customer", Own("customers", "id")),
        column("E-mail address", Text("email")),
        column("Name", Text("name")),
        column("Stripe customer", Id("stripe_customer_id")),
        column("Credited", Other(credited)),
        column("First seen", Time("created_at")),
    ],
    filters: &[
        filter("external_id", "Your own ID", Any),
        filter("stripe_customer_id", "Stripe customer", Any),
    ],
    above: NOTHING,
    empty: ("No customer is known yet. A customer appears with the first payment or lead.", None),
    acts: NO_ACTS,
};

static LEADS: ListPage = ListPage {
    path: "leads",
    title: "Leads",
    intro: "Sign-ups that pages or your server reported. A page's lead waits for your approval, or for the first payment.",
    api: "/leads",
    always: &[],
    columns: &[
        column("Lead", To("leads", "id")),
        column("Event", Text("event_name")),
        column("Customer", Text("customer_external_id")),
        column("E-mail address", Text("customer_email")),
        column("Status", Status("status")),
        column("Credited", Other(credited)),
        column("Reason", Reason("reason")),
        column("Created", Time("created_at")),
    ],
    filters: &[
        filter("status", "Status", Words("lead")),
        filter("event_name", "Event", Any),
        filter("customer_external_id", "Customer", Any),
        filter("deferred", "Attribution only", Words("lead")),
    ],
    above: NOTHING,
    empty: ("No lead has been reported yet.", None),
    acts: NO_ACTS,
};

static PARTNERS: ListPage = ListPage {
    path: "partners",
    title: "Partners",
    intro: "Everybody who refers customers to you.",
    api: "/partners",
    always: &[],
    columns: &[
        column("Name", Own("partners", "name")),
        column("E-mail address", Text("email")),
        column("Code", Text("code")),
        column("Since", Time("created_at")),
    ],
    filters: &[
        filter("name", "Name", Any),
        filter("email", "E-mail address", Any),
        filter("code", "Code", Any),
    ],
    above: NOTHING,
    empty: ("There are no partners yet.", Some(("Add a partner", "do/partner-create"))),
    acts: &[&partners::CREATE],
};

pub(super) const ENROLLMENT_COLUMNS: &[Column] = &[
    column("Partner", Name("partner_id")),
    column("Program", Name("program_id")),
    column("Status", Status("status")),
    column("Own terms", Other(|row| super::terms::commission(at(row, "commission")))),
    column("Promotion codes", List("promotion_codes")),
    column("Note", Text("note")),
    column("Since", Time("valid_from")),
    column("Decide", Other(decide)),
];

/// The page that decides about an enrollment.
fn decide(row: &serde_json::Value) -> Cell {
    let id = text(row, "id");
    Cell::link("Open", &format!("applications/{id}"))
}

static APPLICATIONS: ListPage = ListPage {
    path: "applications",
    title: "Applications",
    intro: "Partners in programs: applications to decide, and who takes part.",
    api: "/enrollments",
    always: &[],
    columns: ENROLLMENT_COLUMNS,
    filters: &[
        filter("status", "Status", Words("enrollment")),
        filter("program_id", "Program", Program),
        filter("partner_id", "Partner", Partner),
    ],
    above: NOTHING,
    empty: ("Nobody takes part in a program yet.", Some(("Add a partner", "do/partner-create"))),
    acts: NO_ACTS,
};

static PROGRAMS: ListPage = ListPage {
    path: "programs",
    title: "Programs",
    intro: "The terms on which partners earn.",
    api: "/programs",
    always: &[],
    columns: &[
        column("Name", Own("programs", "name")),
        column("Status", Status("status")),
        column("Commission", Other(|row| super::terms::commission(at(row, "commission")))),
        column("Subscriptions", Other(|row| Cell::word(&super::terms::recurring(at(row, "recurring"))))),
        column("Days from click to sale", Number("attribution_window_days")),
        column("In force since", Time("valid_from")),
    ],
    filters: &[filter("status", "Status", Words("program")), filter("name", "Name", Any)],
    above: NOTHING,
    empty: ("There is no program yet.", Some(("Create a program", "do/program-create"))),
    acts: &[&programs::CREATE],
};

pub(super) const LINK_COLUMNS: &[Column] = &[
    column("Name", Own("links", "slug")),
    column("Address", Other(|row| Cell::Address(text(row, "url").to_owned()))),
    column("Partner", Name("partner_id")),
    column("Program", Name("program_id")),
    column("Leads to", Other(|row| Cell::Address(text(row, "destination").to_owned()))),
    column("Archived", Flag("archived")),
    column("Created", Time("created_at")),
];

static LINKS: ListPage = ListPage {
    path: "links",
    title: "Links",
    intro: "The addresses that partners publish.",
    api: "/links",
    always: &[],
    columns: LINK_COLUMNS,
    filters: &[
        filter("partner_id", "Partner", Partner),
        filter("program_id", "Program", Program),
        filter("slug", "Name", Any),
        filter("archived", "Archived", Words("link")),
    ],
    above: NOTHING,
    empty: ("There are no links yet.", Some(("Create a link", "do/link-create"))),
    acts: &[&links::CREATE],
};

pub(super) const CLICK_COLUMNS: &[Column] = &[
    column("Click", Id("id")),
    column("Partner", Name("partner_id")),
    column("Link", Name("link_id")),
    column("First visit", Flag("unique")),
    column("Came from", Text("referrer")),
    column("Time", Time("clicked_at")),
    column("Why?", Other(|row| Cell::link("Why?", &format!("why?id={}", text(row, "id"))))),
];

static CLICKS: ListPage = ListPage {
    path: "clicks",
    title: "Clicks",
    intro: "Visits through partners' links.",
    api: "/clicks",
    always: &[],
    columns: CLICK_COLUMNS,
    filters: &[
        filter("partner_id", "Partner", Partner),
        filter("program_id", "Program", Program),
        filter("unique", "First visit", Words("click")),
    ],
    above: NOTHING,
    empty: (
        "No visit through a partner's link has been recorded yet.",
        Some(("Create a link", "do/link-create")),
    ),
    acts: NO_ACTS,
};

pub(super) const PAYOUT_COLUMNS: &[Column] = &[
    column("Payout", Own("payouts", "id")),
    column("Partner", Name("partner_id")),
    column("Amount", Money("amount_minor", "currency")),
    column("Created", Time("created_at")),
];

static PAYOUTS: ListPage = ListPage {
    path: "payouts",
    title: "Payouts",
    intro: "What was paid. What is due is on the page of balances.",
    api: "/payouts",
    always: &[],
    columns: PAYOUT_COLUMNS,
    filters: &[filter("partner_id", "Partner", Partner), filter("currency", "Currency", Any)],
    above: NOTHING,
    empty: ("Nothing has been paid yet.", Some(("See what is due", "balances"))),
    acts: &[&payouts::CREATE],
};

pub(super) const BALANCE_COLUMNS: &[Column] = &[
    column("Partner", Name("partner_id")),
    column("Due", Money("owed_minor", "currency")),
    column("Pending", Money("pending_minor", "currency")),
    column("Reported by pages", Money("claimed_minor", "currency")),
    column("Approved", Money("approved_minor", "currency")),
    column("Paid", Money("paid_minor", "currency")),
    column("Pay", Other(pay)),
];

/// The action that pays a balance.
fn pay(row: &serde_json::Value) -> Cell {
    if at(row, "owed_minor").as_i64().is_none_or(|owed| owed <= 0) {
        return Cell::Nothing;
    }
    let to =
        format!("do/payout-create?partner_id={}&currency={}", text(row, "partner_id"), text(row, "currency"));
    Cell::link("Record a payout", &to)
}

static BALANCES: ListPage = ListPage {
    path: "balances",
    title: "Balances",
    intro: "What each partner has earned, was paid and is owed, by currency.",
    api: "/balances",
    always: &[],
    columns: BALANCE_COLUMNS,
    filters: &[filter("partner_id", "Partner", Partner), filter("currency", "Currency", Any)],
    above: NOTHING,
    empty: ("No partner has earned anything yet.", Some(("Continue the set-up", "setup"))),
    acts: NO_ACTS,
};

pub(super) const EVENT_COLUMNS: &[Column] = &[
    column("Event", Own("webhooks", "type")),
    column("Outcome", Status("outcome")),
    column("Reason", Text("message")),
    column("Deliveries", Number("deliveries")),
    column("About", Subject("subject_id")),
    column("Received", Time("created_at")),
];

pub(super) const EVENT_FILTERS: &[Filter] = &[
    filter("outcome", "Outcome", Words("event")),
    filter("type", "Type", Any),
    filter("reason", "Reason", Words("event")),
    filter("stripe_event_id", "Stripe's ID", Any),
];

/// The endpoints, above the log.
const ENDPOINTS: &[Section] = &[Section {
    id: "endpoints",
    title: "Endpoints",
    api: "/webhook-endpoints",
    columns: &[
        column("Endpoint", Own("endpoints", "id")),
        column("Address for Stripe", Other(|row| Cell::Address(text(row, "url").to_owned()))),
        column("Signing secrets", Number("signing_secret_count")),
        column("Restricted key", Id("stripe_api_key")),
        column("What is wrong with the key", Text("stripe_api_key_problem")),
    ],
    empty: "There is no endpoint.",
    more: "",
}];

pub(super) static EVENTS: ListPage = ListPage {
    path: "webhooks",
    title: "Webhooks",
    intro: "Everything that Stripe sent, what came of it, and why.",
    api: "/events",
    always: &[],
    columns: EVENT_COLUMNS,
    filters: EVENT_FILTERS,
    above: ENDPOINTS,
    empty: ("Stripe has not sent anything yet.", Some(("Continue the set-up", "setup"))),
    acts: &[&endpoints::CREATE],
};

static REFUSALS: ListPage = ListPage {
    path: "refusals",
    title: "Refused calls",
    intro: "Calls of your pages and servers that were refused, and what to change.",
    api: "/refusals",
    always: &[],
    columns: &[
        column("Cause", Text("message")),
        column("What to do", Text("remedy")),
        column("Address", Id("route")),
        column("Calls", Number("calls")),
        column("First", Time("created_at")),
        column("Last", Time("last_at")),
    ],
    filters: &[filter("cause", "Cause", Words("refusal")), filter("route", "Address", Any)],
    above: NOTHING,
    empty: ("No call has been refused.", None),
    acts: NO_ACTS,
};

static ATTRIBUTIONS: ListPage = ListPage {
    path: "attributions",
    title: "Decisions",
    intro: "The audit log of attribution: every decision about every payment, with the rule that decided.",
    api: "/attributions",
    always: &[],
    columns: &[
        column("Decision", To("attributions", "id")),
        column("Sale or lead", Subject("payment_id")),
        column("Rule", Word("rule")),
        column("Click", Id("click_id")),
        column("Reason", Reason("reason")),
        column(
            "Candidates",
            Other(|row| {
                Cell::Number(i64::try_from(super::value::list(row, "candidates").len()).unwrap_or_default())
            }),
        ),
        column("Caused by", Subject("event_id")),
        column("Created", Time("created_at")),
    ],
    filters: &[filter("payment_id", "Sale or lead", Any), filter("event_id", "Event", Any)],
    above: NOTHING,
    empty: ("Nothing has been decided yet.", None),
    acts: NO_ACTS,
};

static KEYS: ListPage = ListPage {
    path: "keys",
    title: "API keys",
    intro: "Publishable keys are for pages, secret keys for your servers.",
    api: "/api-keys",
    always: &[],
    columns: &[
        column("Key", Own("keys", "hint")),
        column("Kind", Word("kind")),
        column("Name", Text("name")),
        column("Status", Status("status")),
        column("Allowed sites", List("allowed_origins")),
        column("Last used", Time("last_used_at")),
        column("Created", Time("created_at")),
    ],
    filters: &[filter("kind", "Kind", Words("API key"))],
    above: NOTHING,
    empty: ("There are no keys.", Some(("Create a key", "do/key-create"))),
    acts: &[&keys::CREATE],
};

static MAILS: ListPage = ListPage {
    path: "mails",
    title: "Mails",
    intro: "What was sent, or will be, and to whom. Without a mail server (TRAC_SMTP_URL), mails are written to the server's log.",
    api: "/mails",
    always: &[],
    columns: &[
        column("Mail", Own("mails", "subject")),
        column("Kind", Word("kind")),
        column("To", Text("to")),
        column("Status", Status("status")),
        column("Error", Text("error")),
        column("Sent", Time("sent_at")),
        column("Created", Time("created_at")),
    ],
    filters: &[
        filter("kind", "Kind", Words("mail")),
        filter("status", "Status", Words("mail")),
        filter("to", "To", Any),
    ],
    above: NOTHING,
    empty: ("No mail was written yet: invitations and links to sign in are sent by mail.", None),
    acts: NO_ACTS,
};

static ACTIVITY: ListPage = ListPage {
    path: "activity",
    title: "Activity",
    intro: "Everything that a person or a key changed.",
    api: "/activity",
    always: &[],
    columns: &[
        column("Change", Own("activity", "action")),
        column("By", Text("actor.name")),
        column("As", Word("actor.kind")),
        column("Object", Subject("object.id")),
        column("Time", Time("at")),
    ],
    filters: &[
        filter("action", "Change", Any),
        filter("object_id", "Object", Any),
        filter("object_kind", "Kind", Any),
        filter("actor_id", "Person or key", Any),
    ],
    above: NOTHING,
    empty: ("Nothing has been changed yet.", None),
    acts: NO_ACTS,
};
