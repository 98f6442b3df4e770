//! Which invoice did this `PaymentIntent` pay?
//!
//! Since API version 2025-03-31.basil, charges and invoices no longer name each other. If the merchant has
//! not selected `invoice_payment.paid`, refunds and disputes of renewals have no payment (`payment_unlinked`,
//! `payment_unknown`).
//!
//! # Wire form
//! `GET /v1/invoice_payments?payment[type]=payment_intent&payment[payment_intent]=pi_…`.
//! Source: <https://docs.stripe.com/api/invoice-payment/list>.

use serde_json::Value;
use trac_core::program::Mode;

use super::account::Account;
use super::answer::{Answer, Fact, NOTHING_TRIES, Reply};
use super::stripe::{Stripe, is_of_mode};

/// The `PaymentIntent`s of refunds and disputes that belong to no known payment.
pub(super) const OPEN: &str = "SELECT o.stripe_id, e.endpoint_id, e.received_at AS since FROM event AS e \
     JOIN payment_object AS o ON o.workspace_id = e.workspace_id AND o.mode = e.mode AND o.payment_id = e.subject_id \
     WHERE e.workspace_id = ?1 AND e.mode = ?2 AND e.outcome = 'deferred' \
     AND e.reason IN ('payment_unlinked', 'payment_unknown') AND o.stripe_id LIKE 'pi\\_%' ESCAPE '\\' \
     AND NOT EXISTS (SELECT 1 FROM payment_object AS n WHERE n.workspace_id = e.workspace_id \
     AND n.mode = e.mode AND n.payment_id = e.subject_id AND n.stripe_id LIKE 'in\\_%' ESCAPE '\\')";
/// The permission that the key needs.
const PERMISSION: &str = "Invoices: read";

/// Asks which invoices a `PaymentIntent` paid.
pub(super) async fn ask(stripe: &Stripe, account: &Account, payment_intent: &str) -> Reply {
    let path = format!(
        "/v1/invoice_payments?payment%5Btype%5D=payment_intent&payment%5Bpayment_intent%5D={payment_intent}&limit=10"
    );
    let page = stripe.list(account, PERMISSION, &path).await?;
    let mode = account.scope.mode();
    let links = page.data.into_iter().filter(|link| is_link(link, mode, payment_intent));
    let facts: Vec<Fact> = links.map(fact).collect();
    Ok(if facts.is_empty() {
        let why = "Stripe lists no invoice that this PaymentIntent paid.".to_owned();
        Answer::Nothing { name: "no_invoice", why, tries_max: NOTHING_TRIES }
    } else {
        Answer::Facts { name: "invoice", facts }
    })
}

/// The fact of an invoice payment: it links payments, and nothing else of it is used.
fn fact(link: Value) -> Fact {
    let invoice = invoice_of(&link);
    let summary = format!("named the invoice {invoice}");
    Fact { kind: "invoice_payment.paid", object: link, invoice, summary }
}

/// Whether an invoice payment was requested: it is paid, of this mode, with this `PaymentIntent` and of an
/// invoice.
fn is_link(link: &Value, mode: Mode, payment_intent: &str) -> bool {
    let paid_by = link.pointer("/payment/payment_intent");
    let paid_by = paid_by.and_then(|id| id.as_str().or_else(|| id.get("id")?.as_str()));
    let paid = link.get("status").and_then(Value::as_str).is_none_or(|status| status == "paid");
    paid_by == Some(payment_intent) && is_of_mode(link, mode) && paid && invoice_of(link).starts_with("in_")
}

/// `in_…` of an invoice payment, whether its `invoice` is an ID or an expanded object.
fn invoice_of(link: &Value) -> String {
    let invoice = link.get("invoice");
    let id = invoice.and_then(|invoice| invoice.as_str().or_else(|| invoice.get("id")?.as_str()));
    id.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_paid_invoice_payment_of_the_same_intent_and_mode_is_a_link() {
        let check = |change: Value, mode, want: bool| {
            let mut link = json!({ "object": "invoice_payment", "invoice": "in_1", "status": "paid", "livemode": false,
                "payment": { "type": "payment_intent", "payment_intent": "pi_1" } });
            link.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            assert_eq!(is_link(&link, mode, "pi_1"), want, "{link}");
        };
        check(json!({}), Mode::Test, true);
        check(json!({}), Mode::Live, false);
        check(json!({ "livemode": true }), Mode::Test, false);
        check(json!({ "livemode": null }), Mode::Live, true);
        check(json!({ "status": "open" }), Mode::Test, false);
        check(json!({ "status": "canceled" }), Mode::Test, false);
        check(json!({ "invoice": { "id": "in_1" } }), Mode::Test, true);
        check(json!({ "invoice": "pi_1" }), Mode::Test, false);
        check(json!({ "invoice": null }), Mode::Test, false);
        check(json!({ "payment": { "payment_intent": "pi_2" } }), Mode::Test, false);
        check(json!({ "payment": { "payment_intent": { "id": "pi_1" } } }), Mode::Test, true);
        check(
            json!({ "payment": { "type": "payment_record", "payment_record": "pr_1" } }),
            Mode::Test,
            false,
        );
    }
}
