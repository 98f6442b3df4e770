//! Every reason: a case that leads to it, and its response, log and explanation.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use trac_core::reason::Reason;

use super::rehearsal::{Row, row};
use crate::testing::shop::{DAY, charge, invoice, with};

#[tokio::test]
async fn every_reason_is_in_the_response_the_log_and_the_story() {
    let tables = [
        credited(),
        refused(),
        by_terms(),
        waiting(),
        reported(),
        repeats_and_links(),
        ignored(),
        signatures_and_holds(),
        refunds_and_disputes(),
    ];
    let rows: Vec<Row> = tables.into_iter().flatten().collect();
    for row in &rows {
        row.check().await;
    }
    let covered: BTreeSet<&str> = rows.iter().map(|row| row.name).collect();
    let all: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(covered, all, "a row for each reason, and a reason for each row");
}

fn by_click() -> Value {
    json!({ "metadata": { "tracClickId": "$click" } })
}

fn adjustment(amount_minor: i64) -> Value {
    json!({ "partner_id": "$partner", "program_id": "$program", "currency": "usd", "amount_minor": amount_minor,
        "reason": "a bonus" })
}

fn bought(product: &str) -> Value {
    with(by_click(), json!({ "lines": { "data": [{ "amount": 5_000, "price": { "product": product } }] } }))
}

fn intent(click: &str) -> Value {
    json!({ "id": "pi_1", "amount_received": 10_000, "currency": "usd", "metadata": { "tracClickId": click } })
}

/// Adds a click of a second partner.
fn with_bea(row: Row) -> Row {
    row.post("/partners", json!({ "name": "Bea", "code": "bea" }))
        .post("/enrollments", json!({ "program_id": "$program", "partner_id": "$id" }))
        .sql(
            "INSERT INTO click (workspace_id, mode, id, program_id, partner_id, clicked_at, is_unique, is_visit) \
             SELECT workspace_id, mode, 'click_of_bea', program_id, partner_id, 1795246000, 1, 1 FROM enrollment \
             WHERE id = '$id'",
        )
}

fn dispute(status: &str) -> Value {
    json!({ "id": "du_1", "amount": 10_000, "charge": "ch_1", "payment_intent": "pi_1", "currency": "usd",
        "status": status })
}

fn credited() -> Vec<Row> {
    let fixed = json!({ "type": "fixed", "amount_minor": 50_000, "currency": "usd", "cap_at_sale": true });
    let proration = json!({ "lines": { "data": [{ "amount": 900, "proration": true }] } });
    vec![
        row("ok").session(0, json!({})).answers("processed ok").explains(
            "cs_1",
            None,
            &[
                "metadata.tracClickId of cs_1",
                "100.00 USD was paid",
                "Ada earns in P",
                "20.00 USD for Ada, pending until",
            ],
        ),
        row("ok_recurring")
            .event("invoice.paid", 0, invoice("in_1", by_click()))
            .event("invoice.paid", 30 * DAY, invoice("in_2", json!({})))
            .answers("processed ok_recurring")
            .explains(
                "in_2",
                None,
                &["its subscription was tied to the click", "A further payment of a subscription"],
            ),
        row("ok_proration")
            .event("invoice.paid", 0, invoice("in_1", by_click()))
            .event("invoice.paid", 5 * DAY, invoice("in_2", proration))
            .answers("processed ok_proration")
            .explains("in_2", None, &["A change of plan"]),
        row("ok_customer_lookup")
            .event("invoice.paid", 0, invoice("in_1", by_click()))
            .event("invoice.paid", DAY, invoice("in_9", json!({ "parent": null })))
            .answers("processed ok_customer_lookup")
            .explains("in_9", None, &["its customer was tied to the click", "Credited through the customer"]),
        row("ok_capped")
            .terms(json!({ "commission": fixed }))
            .session(0, json!({}))
            .answers("processed ok_capped")
            .explains("pi_1", None, &["limited to the amount of the sale", "100.00 USD for Ada"]),
        with_bea(row("attribution_changed"))
            .event("payment_intent.succeeded", 0, intent("$click"))
            .session(1, json!({ "metadata": { "tracClickId": "click_of_bea" } }))
            .answers("processed ok")
            .explains(
                "cs_1",
                None,
                &["Bea earns in P", "adjust (attribution_changed)", "0.00 USD for Ada, reversed"],
            ),
        with_bea(row("attribution_frozen").terms(json!({ "hold_days": { "sale": 0 } })))
            .event("payment_intent.succeeded", 0, intent("$click"))
            .post("/payouts", json!({ "partner_id": "$partner", "currency": "usd" }))
            .session(1, json!({ "metadata": { "tracClickId": "click_of_bea" } }))
            .answers("duplicate duplicate_payment")
            .explains(
                "cs_1",
                Some("decision"),
                &["paid out already", "Settle the difference by hand", "for Ada, paid"],
            ),
    ]
}

fn refused() -> Vec<Row> {
    let later = json!({ "created": 1_795_248_030 });
    vec![
        row("zero_amount").session(0, json!({ "amount_total": 0 })).answers("skipped zero_amount").explains(
            "cs_1",
            Some("decision"),
            &["0.00 USD was paid", "the first payment with a positive amount earns"],
        ),
        row("click_expired")
            .terms(json!({ "attribution_window_days": 0 }))
            .session(0, json!({}))
            .answers("skipped click_expired")
            .explains(
                "cs_1",
                Some("decision"),
                &[
                    "at 2026-11-21T07:00:00Z, lies more than 0 days before",
                    "PATCH /programs/$program with a longer",
                ],
            ),
        row("partner_not_approved")
            .patch("/enrollments/$enrollment", json!({ "status": "suspended" }))
            .wait(60)
            .session(30, later)
            .answers("skipped partner_not_approved")
            .explains(
                "cs_1",
                Some("decision"),
                &[
                    "Ada's enrollment in P was suspended",
                    "PATCH /enrollments/$enrollment with status approved",
                ],
            ),
        row("program_inactive")
            .terms(json!({ "status": "paused" }))
            .session(0, json!({}))
            .answers("skipped program_inactive")
            .explains(
                "cs_1",
                Some("decision"),
                &["P was paused", "PATCH /programs/$program with status active"],
            ),
        row("self_referral")
            .session(0, json!({ "customer_details": { "email": "ADA@example.com" } }))
            .answers("skipped self_referral")
            .explains(
                "ada@example.com",
                Some("decision"),
                &[
                    "that of Ada, the partner",
                    "block_self_referral false. For this one too: PATCH /programs/$program with valid_from",
                    "POST /events/evl_",
                ],
            ),
        row("no_click")
            .session(0, json!({ "metadata": {} }))
            .wait(3 * DAY)
            .answers("")
            .logs("/events", "skipped no_click")
            .explains("cs_1", Some("reference"), &["cs_1 carries no click ID", "tracClickId"]),
    ]
}

fn by_terms() -> Vec<Row> {
    let zero = json!({ "type": "percentage", "rate_bps": 0 });
    let outside = with(by_click(), json!({ "amount_paid_off_stripe": 5_000 }));
    let later = || invoice("in_2", json!({}));
    vec![
        row("zero_commission")
            .terms(json!({ "commission": zero }))
            .session(0, json!({}))
            .answers("skipped zero_commission")
            .explains(
                "cs_1",
                Some("decision"),
                &["By the terms of P, the commission on this payment is zero"],
            ),
        row("product_not_covered")
            .terms(json!({ "products": ["prod_1"] }))
            .event("invoice.paid", 0, invoice("in_1", bought("prod_2")))
            .answers("skipped product_not_covered")
            .explains(
                "in_1",
                Some("decision"),
                &["P covers prod_1, and not prod_2", "PATCH /programs/$program with products"],
            ),
        row("recurring_not_covered")
            .terms(json!({ "recurring": "first_payment" }))
            .event("invoice.paid", 0, invoice("in_1", by_click()))
            .event("invoice.paid", 30 * DAY, later())
            .answers("skipped recurring_not_covered")
            .explains("in_2", Some("decision"), &["P pays for the first payment of a subscription only"]),
        row("recurring_window_ended")
            .terms(json!({ "recurring": { "months": 1 } }))
            .event("invoice.paid", 0, invoice("in_1", by_click()))
            .event("invoice.paid", 60 * DAY, later())
            .answers("skipped recurring_window_ended")
            .explains(
                "in_2",
                Some("decision"),
                &["the first month of a subscription; sub_1 has gone on for longer"],
            ),
        row("paid_out_of_band")
            .terms(json!({ "count_out_of_band": false }))
            .event("invoice.paid", 0, invoice("in_1", outside))
            .answers("skipped paid_out_of_band")
            .explains("in_1", Some("decision"), &["paid outside Stripe", "count_out_of_band true"]),
        row("products_unknown")
            .terms(json!({ "products": ["prod_1"] }))
            .session(0, json!({}))
            .answers("deferred products_unknown")
            .explains("cs_1", Some("decision"), &["no event says what was bought", "Select invoice.paid"]),
    ]
}

/// Reasons of payments and leads that only a page reported.
fn reported() -> Vec<Row> {
    let claim = json!({ "eventName": "Purchase", "clickId": "$click", "amount": 5_000, "currency": "usd",
        "externalTransactionId": "order 1" });
    let paying = json!({ "lead_amount_minor": 300, "lead_currency": "usd" });
    let lead =
        |event: &str| json!({ "eventName": event, "customerExternalId": "user_1", "clickId": "$click" });
    vec![
        row("lead_counted_before")
            .terms(paying.clone())
            .page("/api/track/lead", lead("Sign up"))
            .page("/api/track/lead", lead("Trial"))
            .answers("201 lead_counted_before")
            .logs("/leads", "lead_counted_before")
            .explains("$id", Some("decision"), &["Another lead of this customer earns", "lead_events"]),
        row("rejected_by_merchant")
            .terms(paying.clone())
            .page("/api/track/lead", lead("Sign up"))
            .patch("/leads/$id", json!({ "status": "rejected" }))
            .answers("200 rejected_by_merchant")
            .logs("/leads", "rejected rejected_by_merchant")
            .explains("$id", Some("decision"), &["The merchant rejected it", "with status approved"]),
        row("manual_adjustment")
            .post("/adjustments", adjustment(1_250))
            .answers("201 manual_adjustment")
            .logs("/commissions", "approved manual_adjustment")
            .explains(
                "$id",
                None,
                &["adjusted the partner's balance by 12.50 USD: a bonus", "12.50 USD for Ada, approved"],
            ),
        row("restored_by_merchant")
            .post("/adjustments", adjustment(1_250))
            .patch("/commissions/$id", json!({ "status": "rejected", "reason": "a mistake" }))
            .patch("/commissions/$id", json!({ "status": "restored" }))
            .answers("200 manual_adjustment")
            .logs("/commissions", "approved manual_adjustment")
            .explains(
                "$id",
                None,
                &["-12.50 USD reverse (rejected_by_merchant)", "+12.50 USD restore (restored_by_merchant)"],
            ),
        row("reassigned")
            .session(0, json!({ "customer": "cus_1" }))
            .post("/customers/cus_1/reassign", json!({ "partner_id": null, "from": "2026-11-01T00:00:00Z" }))
            .session(1, json!({ "id": "cs_2", "payment_intent": "pi_2", "customer": "cus_1" }))
            .answers("skipped reassigned")
            .explains(
                "cs_1",
                Some("reference"),
                &["that nobody earns from this customer's payments", "DELETE /customers/{id}/reassign"],
            ),
        row("client_reported")
            .page("/api/track/conversion", claim)
            .answers("201 client_reported")
            .logs("/conversions", "client_reported")
            .explains(
                "order%201",
                Some("decision"),
                &[
                    "A page claimed transaction order 1",
                    "PATCH /conversions/$id with status approved",
                    "held until the merchant or Stripe confirms it",
                ],
            ),
    ]
}

fn waiting() -> Vec<Row> {
    let stray = json!({ "id": "ch_9", "payment_intent": "pi_9", "customer": "cus_1", "amount": 77, "amount_captured": 77 });
    vec![
        row("setup_mode")
            .session(0, json!({ "mode": "setup", "amount_total": null }))
            .answers("skipped setup_mode")
            .explains("cs_1", Some("payment"), &["saves a payment method"]),
        row("unpaid_session")
            .session(0, json!({ "payment_status": "unpaid" }))
            .answers("deferred unpaid_session")
            .explains("cs_1", Some("payment"), &["async_payment_succeeded"]),
        row("uncaptured")
            .event("charge.succeeded", 0, charge(0, with(by_click(), json!({ "captured": false }))))
            .answers("deferred uncaptured")
            .explains("ch_1", Some("payment"), &["charge.captured"]),
        row("amount_unknown")
            .event(
                "payment_intent.succeeded",
                0,
                with(intent("$click"), json!({ "amount_received": null, "latest_charge": "ch_1" })),
            )
            .answers("deferred amount_unknown")
            .explains("pi_1", Some("payment"), &["does not say how much was paid", "charge.succeeded"]),
        row("payment_failed")
            .event("invoice.payment_failed", 0, json!({ "id": "in_1" }))
            .answers("skipped payment_failed")
            .explains("in_1", Some("event"), &["invoice.payment_failed", "Nothing is owed"]),
        row("no_attribution_yet")
            .session(0, json!({ "metadata": {} }))
            .answers("deferred no_attribution_yet")
            .explains(
                "cs_1",
                Some("reference"),
                &["cs_1 carries no click ID", "no_attribution_yet", "tracClickId"],
            ),
        row("payment_unknown")
            .event("charge.refunded", 0, charge(10_000, json!({})))
            .answers("deferred payment_unknown")
            .explains("ch_1", Some("payment"), &["checkout.session.completed"]),
        row("payment_unlinked")
            .event("invoice.paid", 0, invoice("in_1", by_click()))
            .event("charge.refunded", 9, charge(77, stray))
            .answers("deferred payment_unlinked")
            .explains(
                "ch_9",
                Some("payment"),
                &["no invoice_payment.paid", "Select invoice_payment.paid", "POST /events/evl_"],
            ),
    ]
}

fn repeats_and_links() -> Vec<Row> {
    vec![
        row("duplicate_event")
            .session(0, json!({}))
            .session(0, json!({}))
            .answers("duplicate duplicate_event")
            .logs("/events", "processed ok")
            .explains("evt_checkout.session.completed_0_cs_1", None, &["It was delivered 2 times"]),
        row("duplicate_object")
            .session(0, json!({}))
            .session(1, json!({}))
            .answers("duplicate duplicate_object")
            .explains(
                "evt_checkout.session.completed_1_cs_1",
                None,
                &["duplicate. Another event reported the same"],
            ),
        row("duplicate_payment")
            .session(0, json!({}))
            .event("charge.succeeded", 2, charge(0, json!({})))
            .answers("duplicate duplicate_payment")
            .explains(
                "evt_charge.succeeded_2_ch_1",
                None,
                &["the same money as a payment that is credited already"],
            ),
        row("stale")
            .session(0, json!({}))
            .event("charge.refunded", 9, charge(2_500, json!({})))
            .event("charge.refunded", 10, charge(2_500, json!({})))
            .answers("skipped stale")
            .explains("evt_charge.refunded_10_ch_1", None, &["skipped. A newer state of this object"]),
        row("linked")
            .event("invoice.paid", 0, invoice("in_1", by_click()))
            .event(
                "invoice_payment.paid",
                9,
                json!({ "id": "inpay_1", "invoice": "in_1", "payment": { "payment_intent": "pi_9" } }),
            )
            .answers("processed linked")
            .explains(
                "evt_invoice_payment.paid_9_inpay_1",
                None,
                &["Two IDs are now known to be the same money"],
            ),
        row("noted")
            .event("customer.updated", 0, json!({ "id": "cus_1" }))
            .answers("processed noted")
            .explains("evt_customer.updated_0_cus_1", None, &["processed. Recorded"]),
    ]
}

fn ignored() -> Vec<Row> {
    let paid = |change: Value| with(json!({ "id": "evt_1", "type": "invoice.paid" }), change);
    vec![
        row("mode_mismatch")
            .deliver(paid(json!({ "livemode": true })))
            .answers("ignored mode_mismatch")
            .explains("evt_1", Some("event"), &["of the other mode", "keys, of the same mode"]),
        row("account_mismatch")
            .deliver(paid(json!({ "account": "acct_1" })))
            .answers("ignored account_mismatch")
            .explains("evt_1", Some("event"), &["another Stripe account", "stripe_account"]),
        row("unsupported_event")
            .event("payout.paid", 0, json!({ "id": "po_1" }))
            .answers("ignored unsupported_event")
            .explains("evt_payout.paid_0_po_1", None, &["payout.paid", "Events of this type are not used"]),
        row("unsupported_thin_event")
            .deliver(json!({ "id": "evt_thin", "object": "v2.core.event" }))
            .answers("ignored unsupported_thin_event")
            .explains("evt_thin", Some("event"), &["snapshot payloads"]),
        row("use_invoice_paid")
            .event("invoice.payment_succeeded", 0, json!({ "id": "in_1" }))
            .answers("ignored use_invoice_paid")
            .explains("in_1", Some("event"), &["Select invoice.paid"]),
        row("unreadable").event("invoice.paid", 0, json!({})).answers("failed unreadable").explains(
            "evt_invoice.paid_0_",
            Some("event"),
            &["could not be read", "replay it after an update"],
        ),
    ]
}

fn signatures_and_holds() -> Vec<Row> {
    vec![
        row("signature_invalid")
            .forge("whsec_other", 0)
            .answers("401 SIGNATURE_INVALID")
            .logs("/events", "rejected signature_invalid")
            .explains("cs_1", Some("event"), &["Deliveries were rejected", "Copy whsec_…"]),
        row("timestamp_outside_tolerance")
            .forge("whsec_flow", 301)
            .answers("401 TIMESTAMP_OUTSIDE_TOLERANCE")
            .logs("/events", "rejected timestamp_outside_tolerance")
            .explains("$endpoint", Some("event"), &["too long ago", "This machine's clock"]),
        row("held")
            .session(0, json!({}))
            .event("charge.dispute.created", 13, with(dispute("needs_response"), json!({ "amount": 7_500 })))
            .answers("processed held")
            .explains("du_1", None, &["held while a dispute is open"]),
        row("released")
            .session(0, json!({}))
            .event("charge.dispute.created", 13, dispute("warning_needs_response"))
            .event("charge.dispute.closed", 16, dispute("warning_closed"))
            .answers("processed released")
            .explains(
                "evt_charge.dispute.closed_16_du_1",
                None,
                &["no longer held", "20.00 USD for Ada, pending"],
            ),
    ]
}

fn refunds_and_disputes() -> Vec<Row> {
    let refunded = |minor: i64| charge(minor, json!({}));
    let failed = json!({ "id": "re_1", "amount": 2_500, "status": "failed", "charge": "ch_1" });
    vec![
        row("refund_partial")
            .session(0, json!({}))
            .event("charge.refunded", 9, refunded(2_500))
            .answers("processed refund_partial")
            .explains(
                "ch_1",
                None,
                &["25.00 USD of it went back", "-5.00 USD reverse (refund_partial)", "15.00 USD for Ada"],
            ),
        row("refund_full")
            .session(0, json!({}))
            .event("charge.refunded", 9, refunded(10_000))
            .answers("processed refund_full")
            .explains("ch_1", None, &["-20.00 USD reverse (refund_full)", "0.00 USD for Ada, reversed"]),
        row("refund_failed")
            .session(0, json!({}))
            .event("charge.refunded", 9, refunded(2_500))
            .event("refund.failed", 10, failed)
            .answers("processed refund_failed")
            .explains("re_1", None, &["+5.00 USD restore (refund_failed)", "20.00 USD for Ada"]),
        row("dispute")
            .session(0, json!({}))
            .event("charge.dispute.funds_withdrawn", 9, dispute("needs_response"))
            .answers("processed dispute")
            .explains("du_1", None, &["-20.00 USD reverse (dispute)"]),
        row("dispute_won")
            .session(0, json!({}))
            .event("charge.dispute.funds_withdrawn", 9, dispute("needs_response"))
            .event("charge.dispute.closed", 15, dispute("won"))
            .answers("processed dispute_won")
            .explains("du_1", None, &["+20.00 USD restore (dispute_won)"]),
        row("subscription_canceled")
            .event("invoice.paid", 0, invoice("in_1", by_click()))
            .event("customer.subscription.deleted", DAY, json!({ "id": "sub_1" }))
            .answers("processed subscription_canceled")
            .explains("sub_1", None, &["reverse (subscription_canceled)"]),
    ]
}
