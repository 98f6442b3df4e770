//! The step `event_types`: whether Stripe sends the events that sales, refunds and disputes need.
//!
//! The types that trac selected itself are known. Otherwise the events that arrived show which types are missing: an
//! invoice that was paid by an unknown payment, a refund without its charge.

use trac_core::reason::Reason;
use trac_core::time::Timestamp;

use super::arrivals::{Arrivals, INVOICE_PAYMENT};
use super::connection::Endpoint;
use super::step::{Step, listed};
use crate::store::StoreError;
use crate::store::rows::Rows;
use crate::webhook::EVENT_TYPES;

const ID: &str = "event_types";

/// The first API version in which an invoice does not name its payments.
/// Source: <https://docs.stripe.com/changelog/basil/2025-03-31/add-support-for-multiple-partial-payments-on-invoices>.
const INVOICES_WITHOUT_PAYMENTS: &str = "2025-03-31.basil";

/// How long an event may be later than the one that shows that it should come.
const GRACE_SECS: i64 = 300;
/// The same, for payments that take days.
const DELAYED_SECS: i64 = 14 * 86_400;

/// A type that is missing, and what shows it.
struct Missing {
    kind: &'static str,
    /// The rest of the sentence “Stripe does not send `kind`, although …”.
    although: &'static str,
    /// Whether money is wrong without it.
    is_needed: bool,
}

/// What shows that events of a type should come.
struct Rule {
    missing: Missing,
    /// Types of which one is enough.
    any_of: &'static [&'static str],
    /// Whether an event shows it, by its type, API version and reason.
    shown_by: fn(&str, &str, &str) -> bool,
    /// How much later the missing event may come.
    grace_secs: i64,
}

/// All rules, those about types that are needed first.
const RULES: [Rule; 6] = [
    Rule {
        missing: Missing {
            kind: "invoice.paid",
            although: "you sell subscriptions or send invoices",
            is_needed: true,
        },
        any_of: &["invoice.paid"],
        shown_by: |kind, _, _| matches!(kind, INVOICE_PAYMENT | "invoice.payment_succeeded"),
        grace_secs: GRACE_SECS,
    },
    Rule {
        missing: Missing {
            kind: INVOICE_PAYMENT,
            although: "invoices are paid, and only this type says by which payment",
            is_needed: true,
        },
        any_of: &[INVOICE_PAYMENT],
        shown_by: |kind, version, _| kind == "invoice.paid" && version >= INVOICES_WITHOUT_PAYMENTS,
        grace_secs: GRACE_SECS,
    },
    Rule {
        missing: Missing { kind: "charge.refunded", although: "there are refunds", is_needed: true },
        any_of: &["charge.refunded"],
        shown_by: |kind, _, _| kind.starts_with("refund.") || kind == "charge.refund.updated",
        grace_secs: GRACE_SECS,
    },
    Rule {
        missing: Missing {
            kind: "checkout.session.completed",
            although: "customers pay; it names the click of a sale through Payment Links and Checkout",
            is_needed: true,
        },
        any_of: &["checkout.session.completed", "invoice.paid"],
        shown_by: |kind, _, _| matches!(kind, "charge.succeeded" | "payment_intent.succeeded"),
        grace_secs: GRACE_SECS,
    },
    Rule {
        missing: Missing {
            kind: "refund.created",
            although: "there are refunds, and a refund can fail later",
            is_needed: false,
        },
        any_of: &["refund.created", "refund.updated", "refund.failed", "charge.refund.updated"],
        shown_by: |kind, _, _| kind == "charge.refunded",
        grace_secs: GRACE_SECS,
    },
    Rule {
        missing: Missing {
            kind: "checkout.session.async_payment_succeeded",
            although: "customers use bank debits or vouchers, which are paid days later",
            is_needed: false,
        },
        any_of: &["checkout.session.async_payment_succeeded", "checkout.session.async_payment_failed"],
        shown_by: |kind, _, reason| {
            kind == "checkout.session.completed" && reason == Reason::UnpaidSession.as_str()
        },
        grace_secs: DELAYED_SECS,
    },
];

/// The step.
pub(super) fn step(
    rows: Rows<'_>,
    endpoints: &[Endpoint],
    arrivals: &Arrivals,
    now: Timestamp,
) -> Result<Step, StoreError> {
    let in_stripe = "In Stripe, open the destination, choose “Edit destination”, and select";
    let set_up =
        endpoints.iter().find_map(|endpoint| Some((endpoint.selected.as_ref()?, endpoint.set_up_at)));
    if let Some((selected, at)) = set_up {
        let left_out =
            EVENT_TYPES.iter().filter(|kind| !selected.iter().any(|one| one == *kind || one == "*"));
        let left_out: Vec<_> = left_out.copied().collect();
        return Ok(if left_out.is_empty() {
            Step::done(ID, at, format!("All {} event types are selected in Stripe.", EVENT_TYPES.len()))
        } else {
            let what = format!("{} are not selected in Stripe.", listed(&left_out));
            Step::waiting(ID, what, "Paste the restricted key again: the missing types are added.")
        });
    }
    let missing = missing(rows, arrivals, now)?;
    let names: Vec<_> = missing.iter().map(|one| one.kind).collect();
    let remedy = format!("{in_stripe} {}.", listed(&names));
    if let Some(first) = missing.first() {
        let what = format!("Stripe does not send {}, although {}.", first.kind, first.although);
        return Ok(if missing.iter().any(|one| one.is_needed) {
            Step::failed(ID, None, what, remedy)
        } else {
            Step::waiting(ID, what, remedy)
        });
    }
    let kinds = arrivals.kinds();
    let known: Vec<_> = EVENT_TYPES.iter().copied().filter(|kind| kinds.contains(kind)).collect();
    if known.is_empty() {
        let remedy = format!("{in_stripe} the {} types that are listed here.", EVENT_TYPES.len());
        return Ok(Step::waiting(ID, "No event about a payment has arrived yet.", remedy));
    }
    Ok(Step::done(
        ID,
        arrivals.first_at(rows)?,
        format!("No type is missing so far. Stripe has sent {}.", listed(&known)),
    ))
}

/// The types that should have arrived, those that are needed first.
fn missing(rows: Rows<'_>, arrivals: &Arrivals, now: Timestamp) -> Result<Vec<&'static Missing>, StoreError> {
    let mut found = Vec::new();
    for Rule { missing, any_of, shown_by, grace_secs } in &RULES {
        if any_of.iter().any(|kind| arrivals.has(kind)) {
            continue;
        }
        let shown_at = arrivals.first_where(rows, shown_by)?;
        if shown_at.is_some_and(|at| at <= now.plus_secs(grace_secs.saturating_neg())) {
            found.push(missing);
        }
    }
    Ok(found)
}
