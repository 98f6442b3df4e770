//! "A sale went through, the partner swears they referred it, and nothing shows": reproduces each cause, and
//! checks that the log and explain name it with its remedy.

use serde_json::{Value, json};

use super::rehearsal::{Row, row};
use crate::testing::database::full_disk;
use crate::testing::shop::{DAY, charge, invoice, with};

#[tokio::test]
async fn every_cause_of_a_sale_that_does_not_show_is_named_with_its_remedy() {
    let tables = [
        webhooks(),
        refused_deliveries(),
        refunds(),
        disputes(),
        references(),
        pages(),
        terms(),
        decided_again(),
        programs(),
        changed_since(),
        repeats(),
        leads(),
        refused_leads(),
        leads_too_late(),
        leads_that_do_not_tie(),
        reported(),
        objects_of_the_merchant(),
    ];
    for row in tables.into_iter().flatten() {
        row.check().await;
    }
}

fn no_click() -> Value {
    json!({ "metadata": {} })
}

fn by_click() -> Value {
    json!({ "metadata": { "tracClickId": "$click" } })
}

fn webhooks() -> Vec<Row> {
    vec![
        row("the webhook was never fired").logs("/events", "").explains(
            "cs_1",
            Some("event"),
            &["webhook_never_arrived", "select the events listed there"],
        ),
        row("the event type is not selected").session(0, json!({})).answers("processed ok").explains(
            "in_1",
            Some("event"),
            &["event_type_not_selected", "Select invoice.paid for this endpoint"],
        ),
        row("only invoices are selected")
            .event("invoice.paid", 0, invoice("in_1", json!({})))
            .answers("deferred no_attribution_yet")
            .explains(
                "in_1",
                Some("reference"),
                &["event_type_not_selected", "Select checkout.session.completed"],
            ),
        row("this one event did not arrive").session(0, json!({})).answers("processed ok").explains(
            "cs_2",
            Some("event"),
            &["event_not_received", "resend it"],
        ),
    ]
}

/// Deliveries that were rejected.
fn refused_deliveries() -> Vec<Row> {
    let other = json!({ "id": "cs_2", "payment_intent": "pi_2" });
    vec![
        row("401: another secret")
            .forge("whsec_other", 0)
            .answers("401 SIGNATURE_INVALID")
            .logs("/events?outcome=rejected", "rejected signature_invalid")
            .explains("cs_1", Some("event"), &["Copy whsec_… of this very endpoint"]),
        row("401: no secret")
            .patch("/webhook-endpoints/$endpoint", json!({ "signing_secrets": [] }))
            .forge("whsec_flow", 0)
            .answers("401 SIGNATURE_INVALID")
            .logs("/events?outcome=rejected", "rejected signature_invalid")
            .explains("cs_1", Some("event"), &["has a signing secret", "PATCH /webhook-endpoints/{id}"]),
        row("401: an old signature")
            .forge("whsec_flow", 301)
            .answers("401 TIMESTAMP_OUTSIDE_TOLERANCE")
            .logs("/events?outcome=rejected", "rejected timestamp_outside_tolerance")
            .explains("cs_1", Some("event"), &["clock"]),
        row("404: another address")
            .call("/api/webhooks/we_nobody", "stripe-signature", "t=1,v1=0", json!({}))
            .answers("404 NOT_FOUND")
            .logs("/refusals", "endpoint_unknown")
            .explains("cs_1", Some("event"), &["endpoint_unknown", "set the endpoint's URL"]),
        row("5xx: the database is full")
            .sql(full_disk()[0])
            .session(0, json!({ "padding": (0..100_000).collect::<Vec<u32>>() }))
            .sql(full_disk()[1])
            .session(1, other)
            .answers("processed ok")
            .logs("/refusals", "store_unavailable")
            .explains("cs_1", Some("event"), &["store_unavailable", "retries the events for three days"]),
        row("the event was delivered to the endpoint of the other mode")
            .sql(
                "INSERT INTO event (workspace_id, mode, id, stripe_event_id, endpoint_id, type, object_id, received_at, \
                 outcome, reason, message) VALUES ('$workspace', 'live', 'evl_1', 'evt_1', 'we_1', \
                 'checkout.session.completed', 'cs_1', 1795248000, 'ignored', 'mode_mismatch', '')",
            )
            .logs("/events", "")
            .explains("cs_1", Some("event"), &["mode_mismatch", "the test endpoint", "resend the event"]),
        row("a live event was delivered to the test endpoint")
            .deliver(json!({ "id": "evt_1", "type": "invoice.paid", "livemode": true }))
            .answers("ignored mode_mismatch")
            .explains("evt_1", Some("event"), &["Use the endpoint, and the keys, of the same mode"]),
    ]
}

fn refunds() -> Vec<Row> {
    vec![
        row("the refund cannot be linked")
            .event("invoice.paid", 0, invoice("in_1", by_click()))
            .event("charge.refunded", 9, charge(77, stray_charge()))
            .answers("deferred payment_unlinked")
            .explains("pi_9", Some("payment"), &["Select invoice_payment.paid"]),
        row("the refund cannot be linked although invoice_payment.paid arrives")
            .event("invoice.paid", 0, invoice("in_1", by_click()))
            .event(
                "invoice_payment.paid",
                1,
                json!({ "id": "inpay_1", "invoice": "in_1", "payment": { "payment_intent": "pi_1" } }),
            )
            .event("charge.refunded", 9, charge(77, stray_charge()))
            .answers("deferred payment_unlinked")
            .explains("pi_9", Some("payment"), &["Resend the invoice_payment.paid", "POST /events/evl_"]),
    ]
}

/// Disputes that are over, one lost and one that moved no money.
fn disputes() -> Vec<Row> {
    let dispute = |status: &str| {
        json!({ "id": "du_1", "amount": 10_000, "charge": "ch_1", "payment_intent": "pi_1", "currency": "usd",
            "status": status })
    };
    let lost = || {
        row("a dispute that was lost")
            .session(0, json!({}))
            .event("charge.dispute.funds_withdrawn", 9, dispute("needs_response"))
            .event("charge.dispute.closed", 15, dispute("lost"))
            .answers("processed released")
    };
    let words = "The dispute was lost; the commission that was taken back is not restored.";
    vec![
        lost().explains("cs_1", None, &[words, "0.00 USD for Ada, reversed"]),
        lost().explains("evt_charge.dispute.closed_15_du_1", None, &["processed. The dispute was lost"]),
        row("an inquiry that was closed without a dispute")
            .session(0, json!({}))
            .event("charge.dispute.created", 13, dispute("warning_needs_response"))
            .event("charge.dispute.closed", 16, dispute("warning_closed"))
            .answers("processed released")
            .explains("evt_charge.dispute.closed_16_du_1", None, &["no longer held"])
            .without(&[words]),
    ]
}

fn stray_charge() -> Value {
    json!({ "id": "ch_9", "payment_intent": "pi_9", "customer": "cus_1", "amount": 77, "amount_captured": 77 })
}

fn references() -> Vec<Row> {
    let never = json!({ "metadata": { "aff_click_id": "clk_1760000000_0123456789abcdef" } });
    let own = json!({ "metadata": {}, "client_reference_id": "user_17" });
    let other_mode = json!({ "metadata": { "rd_click_id": "click_live" } });
    vec![
        row("no click ID in metadata")
            .session(0, no_click())
            .answers("deferred no_attribution_yet")
            .explains(
                "cs_1",
                Some("reference"),
                &["cs_1 carries no click ID", "nor in client_reference_id", "writes metadata.tracClickId"],
            ),
        row("the click was never recorded")
            .session(0, never)
            .answers("deferred no_attribution_yet")
            .explains(
                "cs_1",
                Some("click"),
                &[
                    "clk_1760000000_0123456789abcdef, in metadata.aff_click_id of cs_1",
                    "no such click was ever recorded",
                ],
            ),
        row("the reference is the merchant's own")
            .session(0, own)
            .answers("deferred no_attribution_yet")
            .explains(
                "cs_1",
                Some("click"),
                &["user_17, in client_reference_id of cs_1", "write the click ID in addition"],
            ),
        row("the click is of the other mode")
            .sql(
                "INSERT INTO click (workspace_id, mode, id, program_id, partner_id, clicked_at, is_unique, is_visit) \
                 VALUES ('$workspace', 'live', 'click_live', 'prog_1', 'part_1', 1795244400, 1, 1)",
            )
            .session(0, other_mode)
            .answers("deferred no_attribution_yet")
            .explains("cs_1", Some("click"), &["is a click of the other mode", "pk_test_…"]),
        row("the click is of the other mode, and an unrelated call of a page was rejected")
            .sql(
                "INSERT INTO click (workspace_id, mode, id, program_id, partner_id, clicked_at, is_unique, is_visit) \
                 VALUES ('$workspace', 'live', 'click_live', 'prog_1', 'part_1', 1795244400, 1, 1)",
            )
            .call("/api/track/lead", "x-publishable-key", "pk_test_nobodys", json!({}))
            .session(0, json!({ "metadata": { "rd_click_id": "click_live" } }))
            .answers("deferred no_attribution_yet")
            .explains("cs_1", Some("click"), &["is a click of the other mode", "refused_calls"])
            .without(&["Possible cause"]),
        row("the click came after the payment")
            .post(
                "/clicks",
                json!({ "program_id": "$program", "partner_id": "$partner", "click_id": "late",
                    "clicked_at": "2026-11-21T07:59:00Z" }),
            )
            .session(-DAY, json!({ "metadata": { "tracClickId": "late" }, "created": 1_795_161_600 }))
            .answers("skipped click_expired")
            .explains("cs_1", Some("decision"), &["is later than the payment or lead, at 2026-"]),
    ]
}

/// Pages whose calls were rejected: the click was not recorded, so the sale has none.
fn pages() -> Vec<Row> {
    let ada = || json!({ "ref": "ada" });
    let sold = |row: Row, cause: &'static str, remedy: &'static str| {
        row.session(0, no_click()).answers("deferred no_attribution_yet").logs("/refusals", cause).explains(
            "cs_1",
            Some("reference"),
            &["cs_1 carries no click ID", cause, remedy],
        )
    };
    let unknown_key = "pk_test_0000000000000000000000000000000000000000";
    let origin =
        "UPDATE api_key SET allowed_origins = '[\"https://shop.example.com\"]' WHERE kind = 'publishable'";
    vec![
        sold(
            row("a bad publishable key").call("/v1/clicks", "x-publishable-key", unknown_key, ada()),
            "key_unknown",
            "Copy the key again",
        ),
        sold(
            row("a secret key on the page").call("/v1/clicks", "x-publishable-key", "$secret", ada()),
            "key_of_other_kind",
            "must be revoked",
        ),
        sold(
            row("a revoked key")
                .sql("UPDATE api_key SET revoked_at = 1 WHERE kind = 'publishable'")
                .page("/api/track/lead", json!({ "eventName": "x", "customerExternalId": "y" })),
            "key_revoked",
            "Put the new key where the old one is",
        ),
        sold(
            row("a page of another origin").sql(origin).page("/v1/clicks", ada()),
            "origin_not_allowed",
            "with allowed_origins",
        ),
        sold(
            row("an unknown partner code").page("/v1/clicks", json!({ "via": "adda" })),
            "code_unknown",
            "Compare the code with GET /links and GET /partners",
        ),
        sold(
            row("a partner who is not approved yet")
                .patch("/enrollments/$enrollment", json!({ "status": "pending" }))
                .page("/v1/clicks", ada()),
            "code_unknown",
            "approve the partner's enrollment",
        ),
        sold(
            row("the rate limit").page("/v1/clicks", ada()).times(1_001),
            "rate_limited",
            "Call once for each visitor",
        ),
        sold(
            row("no key at all").call("/api/track/lead", "content-type", "application/json", json!({})),
            "key_missing",
            "put data-key",
        ),
    ]
}

fn terms() -> Vec<Row> {
    let taxed = json!({ "amount_total": 500, "total_details": { "amount_tax": 500, "amount_shipping": 0 } });
    let pending = || json!({ "status": "pending" });
    let at_30 = || json!({ "created": 1_795_248_030 });
    vec![
        row("nothing was paid")
            .session(0, json!({ "amount_total": 0 }))
            .answers("skipped zero_amount")
            .explains("cs_1", Some("decision"), &["(zero_amount)", "The attribution is kept"]),
        row("all that was paid is tax").session(0, taxed).answers("skipped zero_amount").explains(
            "cs_1",
            Some("decision"),
            &["5.00 USD was paid, and none of it counts", "/programs/$program"],
        ),
        row("the partner is not enrolled")
            .sql("DELETE FROM enrollment WHERE id = '$enrollment'")
            .session(0, json!({}))
            .answers("skipped partner_not_approved")
            .explains("cs_1", Some("decision"), &["Ada is not enrolled in P", "POST /enrollments"]),
        row("the partner was enrolled after all, and the event replayed")
            .sql("DELETE FROM enrollment WHERE id = '$enrollment'")
            .session(0, json!({}))
            .post("/enrollments", json!({ "program_id": "$program", "partner_id": "$partner" }))
            .post("/events/evt_checkout.session.completed_0_cs_1/replay", json!({}))
            .answers("200")
            .logs("/conversions", "ok")
            .explains("cs_1", None, &["20.00 USD for Ada"]),
        row("the enrollment was not approved")
            .patch("/enrollments/$enrollment", pending())
            .wait(60)
            .session(30, at_30())
            .answers("skipped partner_not_approved")
            .explains(
                "$partner",
                Some("enrollment"),
                &["Ada's enrollment in P is pending", "Approve it: PATCH"],
            ),
        row("the enrollment was approved later")
            .patch("/enrollments/$enrollment", pending())
            .wait(60)
            .patch("/enrollments/$enrollment", json!({ "status": "approved" }))
            .session(30, at_30())
            .answers("skipped partner_not_approved")
            .explains(
                "cs_1",
                Some("decision"),
                &[
                    "was pending when",
                    "It is approved now: payments from then on earn",
                    "then POST /events/evl_",
                    "/replay?rules=now.",
                ],
            )
            .without(&["{id}", "trac replay"]),
    ]
}

fn decided_again() -> Vec<Row> {
    let pending = || json!({ "status": "pending" });
    let at_30 = || json!({ "created": 1_795_248_030 });
    vec![
        row("the enrollment was approved later, and the approval backdated")
            .patch("/enrollments/$enrollment", pending())
            .wait(60)
            .session(30, at_30())
            .patch(
                "/enrollments/$enrollment",
                json!({ "status": "approved", "valid_from": "2026-11-21T08:00:00Z" }),
            )
            .post("/events/evt_checkout.session.completed_30_cs_1/replay", json!({}))
            .answers("200")
            .logs("/conversions", "ok")
            .explains("cs_1", None, &["20.00 USD for Ada"]),
        row("the enrollment was approved later, and the sale decided again by today's terms")
            .patch("/enrollments/$enrollment", pending())
            .wait(60)
            .session(30, at_30())
            .patch("/enrollments/$enrollment", json!({ "status": "approved" }))
            .post("/events/evt_checkout.session.completed_30_cs_1/replay?rules=now", json!({}))
            .answers("200")
            .logs("/events", "processed ok")
            .explains(
                "cs_1",
                None,
                &["20.00 USD for Ada", "decided again on 2026-11-21T08:01:00Z, by the terms"],
            ),
        row("the partner was suspended since, and the sale decided again by today's terms")
            .session(0, json!({}))
            .wait(60)
            .patch("/enrollments/$enrollment", json!({ "status": "suspended" }))
            .post("/events/evt_checkout.session.completed_0_cs_1/replay?rules=now", json!({}))
            .answers("200")
            .logs("/conversions", "partner_not_approved")
            .explains(
                "cs_1",
                Some("decision"),
                &["enrollment in P was suspended.", "decided again on 2026-11-21T08:01:00Z"],
            ),
    ]
}

fn programs() -> Vec<Row> {
    let lines = json!({ "lines": { "data": [{ "amount": 5_000, "price": { "product": "prod_2" } }] } });
    let at_30 = || json!({ "created": 1_795_248_030 });
    vec![
        row("the program was not active")
            .terms(json!({ "status": "draft" }))
            .session(0, json!({}))
            .answers("skipped program_inactive")
            .explains(
                "cs_1",
                Some("decision"),
                &["P was draft when", "PATCH /programs/$program with status active"],
            ),
        row("the program was active later")
            .terms(json!({ "status": "paused" }))
            .wait(60)
            .patch("/programs/$program", json!({ "status": "active" }))
            .session(30, at_30())
            .answers("skipped program_inactive")
            .explains("cs_1", Some("decision"), &["P was paused when", "It is active now"]),
        row("the product is not covered")
            .terms(json!({ "products": ["prod_1"] }))
            .event("invoice.paid", 0, invoice("in_1", with(by_click(), lines)))
            .answers("skipped product_not_covered")
            .explains("in_1", Some("decision"), &["P covers prod_1, and not prod_2"]),
        row("the window has passed")
            .terms(json!({ "attribution_window_days": 7 }))
            .session(30 * DAY, json!({ "created": 1_797_840_000 }))
            .answers("skipped click_expired")
            .explains("cs_1", Some("decision"), &["lies more than 7 days before", "attribution_window_days"]),
    ]
}

/// Sales that earn nothing by the terms of that time, but would earn by the current terms.
fn changed_since() -> Vec<Row> {
    vec![
        row("the program was activated within the second of the sale")
            .terms(json!({ "status": "paused" }))
            .session(0, json!({}))
            .patch("/programs/$program", json!({ "status": "active" }))
            .answers("200")
            .logs("/conversions", "program_inactive")
            .explains(
                "cs_1",
                Some("decision"),
                &["P was not active when this was decided", "Decide it again: POST /events/evl_"],
            )
            .without(&["was active"]),
        row("the partner was approved after the sale, with a valid_from before it")
            .patch("/enrollments/$enrollment", json!({ "status": "pending" }))
            .wait(60)
            .session(30, json!({ "created": 1_795_248_030 }))
            .patch(
                "/enrollments/$enrollment",
                json!({ "status": "approved", "valid_from": "2026-11-21T08:00:00Z" }),
            )
            .answers("200")
            .logs("/conversions", "partner_not_approved")
            .explains(
                "cs_1",
                Some("decision"),
                &[
                    "Ada's enrollment in P was not approved when this was decided",
                    "Decide it again: POST /events/evl_",
                ],
            ),
        row("the window was lengthened after the sale, with a valid_from before it")
            .terms(json!({ "attribution_window_days": 7 }))
            .session(30 * DAY, json!({ "created": 1_797_840_000 }))
            .patch(
                "/programs/$program",
                json!({ "attribution_window_days": 60, "valid_from": "2026-11-21T08:00:00Z" }),
            )
            .answers("200")
            .logs("/conversions", "click_expired")
            .explains(
                "cs_1",
                Some("decision"),
                &["outside the program's attribution window when this was decided"],
            ),
    ]
}

fn repeats() -> Vec<Row> {
    let order = || {
        json!({ "external_transaction_id": "order 1", "event_type": "purchase", "amount_cents": 5_000,
        "currency": "usd", "click_id": "$click" })
    };
    vec![
        row("the same event twice")
            .session(0, json!({}))
            .times(2)
            .answers("duplicate duplicate_event")
            .logs("/events", "processed ok")
            .explains("evt_checkout.session.completed_0_cs_1", None, &["a repeat changes nothing"]),
        row("the same transaction twice")
            .post("/conversions", order())
            .post("/conversions", order())
            .answers("409 CONVERSION_DUPLICATE")
            .logs("/conversions", "ok")
            .explains(
                "order%201",
                None,
                &["The merchant's server reported transaction order 1", "10.00 USD for Ada"],
            ),
    ]
}

fn leads() -> Vec<Row> {
    let lead =
        |change: Value| with(json!({ "eventName": "Sign up", "customerExternalId": "user_1" }), change);
    let clicked = || lead(json!({ "clickId": "$click" }));
    let paying = || json!({ "lead_amount_minor": 300, "lead_currency": "usd" });
    vec![
        row("a lead that a page reports")
            .terms(paying())
            .page("/api/track/lead", clicked())
            .answers("201 client_reported")
            .logs("/leads", "client_reported")
            .explains(
                "$id",
                Some("decision"),
                &["PATCH /leads/$id with status approved", "until the customer first pays"],
            ),
        row("a lead that earns")
            .terms(paying())
            .page("/api/track/lead", clicked())
            .patch("/leads/$id", json!({ "status": "approved" }))
            .answers("200 ok")
            .logs("/leads", "approved ok")
            .explains(
                "$id",
                None,
                &["clickId of the lead", "\\\"Sign up\\\" of customer user_1", "3.00 USD for Ada"],
            ),
        row("a lead without a click")
            .terms(paying())
            .page("/api/track/lead", lead(json!({})))
            .answers("201 no_click")
            .logs("/leads", "no_click")
            .explains(
                "user_1",
                Some("reference"),
                &["The lead was reported without a click ID", "trac.trackLead"],
            ),
        row("leads earn nothing")
            .page("/api/track/lead", clicked())
            .answers("201 zero_commission")
            .logs("/leads", "zero_commission")
            .explains("user_1", Some("decision"), &["P pays nothing for leads", "lead_amount_minor"]),
        row("a lead that waits")
            .terms(paying())
            .page("/api/track/lead", lead(json!({ "clickId": "$click", "mode": "deferred" })))
            .answers("201 noted")
            .logs("/leads", "noted")
            .explains("user_1", Some("decision"), &["reported with mode deferred", "without mode"]),
    ]
}

/// Leads that earn nothing because of the partner or the enrollment.
fn refused_leads() -> Vec<Row> {
    let paying = || json!({ "lead_amount_minor": 300, "lead_currency": "usd" });
    vec![
        row("a lead with the partner's e-mail address")
            .terms(paying())
            .call(
                "/api/track/lead",
                "authorization",
                "Bearer $secret",
                with(lead_of_page(), json!({ "customerEmail": "ada@example.com" })),
            )
            .answers("201 self_referral")
            .logs("/leads", "self_referral")
            .explains(
                "$id",
                Some("decision"),
                &[
                    "that of Ada, the partner",
                    "For this one too: PATCH /programs/$program with valid_from",
                    "trac replay --workspace $workspace --mode test --rules now",
                ],
            ),
        row("a lead whose partner is not approved")
            .terms(paying())
            .patch("/enrollments/$enrollment", json!({ "status": "banned" }))
            .wait(60)
            .page("/api/track/lead", lead_of_page())
            .answers("201 partner_not_approved")
            .logs("/leads", "partner_not_approved")
            .explains(
                "$id",
                Some("decision"),
                &["Ada's enrollment in P was banned when the lead was reported"],
            ),
    ]
}

/// A lead of a page, by this shop's click.
fn lead_of_page() -> Value {
    json!({ "eventName": "Sign up", "customerExternalId": "user_1", "clickId": "$click" })
}

/// A sale to the customer of [`lead_of_page`] that carries no click.
fn by_customer(id: &str, created: i64) -> Value {
    json!({ "id": id, "payment_intent": format!("pi_{id}"), "customer": "cus_1", "created": created,
        "metadata": { "tracCustomerExternalId": "user_1" } })
}

/// Leads of pages that do not tie their customer, because the customer was known before or paid too late.
/// Explain names the cause for the payment and for the lead.
fn leads_too_late() -> Vec<Row> {
    let paying = |more: Value| with(json!({ "lead_amount_minor": 300, "lead_currency": "usd" }), more);
    let known = || {
        row("a lead of a customer who had paid")
            .terms(paying(json!({})))
            .session(0, by_customer("cs_1", 1_795_248_000))
            .wait(60)
            .page("/api/track/lead", lead_of_page())
            .session(120, by_customer("cs_2", 1_795_248_120))
            .answers("deferred no_attribution_yet")
    };
    let late = || {
        row("a lead whose customer paid too late")
            .terms(paying(json!({ "client_lead_days": 1 })))
            .page("/api/track/lead", lead_of_page())
            .wait(2 * DAY)
            .session(2 * DAY, by_customer("cs_1", 1_795_420_800))
            .answers("deferred no_attribution_yet")
    };
    let paid = "does not tie the customer to a click: the customer had paid before the lead, at 2026-11-21T08:00:00Z";
    let held =
        "held until the merchant approves it. It does not tie the customer to a click: the customer had paid";
    let late_by = "first paid at 2026-11-23T08:00:00Z, more than 1 day (client_lead_days) after the lead";
    vec![
        known().explains("cs_2", Some("reference"), &[paid, "PATCH /leads/$id with"]),
        known().logs("/leads", "client_reported").explains("$id", Some("decision"), &[held]),
        late().explains("cs_1", Some("reference"), &[late_by, "a higher client_lead_days"]),
        late().logs("/leads", "ok").explains(
            "$id",
            None,
            &["It does not tie the customer to a click: the", late_by],
        ),
    ]
}

/// Leads of pages that do not tie their customer, for other causes.
fn leads_that_do_not_tie() -> Vec<Row> {
    vec![
        row("a lead that came after the payment")
            .session(0, by_customer("cs_1", 1_795_248_000))
            .wait(60)
            .page("/api/track/lead", lead_of_page())
            .answers("201 zero_commission")
            .logs("/leads", "zero_commission")
            .explains("cs_1", Some("reference"), &["at 2026-11-21T08:01:00Z, after the payment"]),
        row("a lead in a program that does not tie customers")
            .terms(json!({ "attribute_by_customer": false }))
            .page("/api/track/lead", lead_of_page())
            .session(60, by_customer("cs_1", 1_795_248_060))
            .answers("deferred no_attribution_yet")
            .explains(
                "cs_1",
                Some("reference"),
                &["PATCH /programs/$program with attribute_by_customer true"],
            ),
        row("a lead that was rejected")
            .page("/api/track/lead", lead_of_page())
            .patch("/leads/$id", json!({ "status": "rejected" }))
            .session(60, by_customer("cs_1", 1_795_248_060))
            .answers("deferred no_attribution_yet")
            .explains("cs_1", Some("reference"), &["the merchant rejected it", "PATCH /leads/$id with"]),
        row("a second lead of a page")
            .page("/api/track/lead", lead_of_page())
            .wait(60)
            .page("/api/track/lead", with(lead_of_page(), json!({ "eventName": "Demo" })))
            .answers("201 lead_counted_before")
            .logs("/leads", "lead_counted_before")
            .explains("$id", Some("decision"), &["lead_counted_before", "lead_events"]),
    ]
}

fn reported() -> Vec<Row> {
    let order = |change: Value| {
        with(
            json!({ "external_transaction_id": "order 1", "event_type": "purchase", "amount_cents": 5_000,
                "currency": "usd" }),
            change,
        )
    };
    let claim = || json!({ "clickId": "$click", "amount": 5_000, "currency": "usd", "externalTransactionId": "order 1" });
    vec![
        row("reported without a click")
            .post("/conversions", order(json!({ "promo_code": "SUMMER" })))
            .answers("201 no_attribution_yet")
            .logs("/conversions", "no_attribution_yet")
            .explains(
                "$id",
                Some("reference"),
                &["without a click ID or a partner's promo code", "GET /partners"],
            ),
        row("reported by promo code")
            .post("/conversions", order(json!({ "promo_code": "ADA" })))
            .answers("201 ok")
            .logs("/conversions", "ok")
            .explains(
                "$id",
                None,
                &["click_id or promo_code of the reported conversion", "10.00 USD for Ada"],
            ),
        row("reported without an amount")
            .post("/conversions", order(json!({ "click_id": "$click", "amount_cents": 0 })))
            .answers("201 zero_amount")
            .logs("/conversions", "zero_amount")
            .explains("$id", Some("decision"), &["(zero_amount)"]),
        row("claimed and rejected")
            .page("/api/track/conversion", claim())
            .patch("/conversions/$id", json!({ "status": "rejected" }))
            .answers("200 rejected_by_merchant")
            .logs("/conversions", "rejected_by_merchant")
            .explains("$id", Some("decision"), &["the merchant rejected the claim", "with status approved"]),
    ]
}

fn objects_of_the_merchant() -> Vec<Row> {
    let link = || {
        json!({ "program_id": "$program", "partner_id": "$partner", "slug": "ada-s",
        "destination": "https://shop.example.com/" })
    };
    vec![
        row("a link without visits").post("/links", link()).answers("201").logs("/events", "").explains(
            "ada-s",
            Some("click"),
            &["/t/ada-s leads to https://shop.example.com/", "it must answer 302"],
        ),
        row("a link in upper case").post("/links", link()).answers("201").logs("/events", "").explains(
            "ADA-S",
            Some("click"),
            &["/t/ada-s leads to https://shop.example.com/"],
        ),
        row("a link that only bots followed")
            .post("/links", link())
            .sql(
                "INSERT INTO visit_not_counted (workspace_id, mode, link_id, day, why, count) \
                 VALUES ('$workspace', 'test', '$id', 20778, 'bot', 7)",
            )
            .logs("/events", "")
            .explains("$id", Some("click"), &["Visits not counted as clicks: 7 (bot)", "must answer 302"]),
        row("a link that was archived")
            .post("/links", link())
            .patch("/links/$id", json!({ "archived": true }))
            .answers("200")
            .logs("/events", "")
            .explains(
                "$id",
                Some("link"),
                &["visitors are redirected and not counted", "PATCH /links/$id with archived false"],
            ),
        row("a program that is paused").terms(json!({ "status": "paused" })).logs("/events", "").explains(
            "$program",
            Some("enrollment"),
            &["Ada is approved in P, which is paused", "with status active"],
        ),
        row("a partner by code").session(0, json!({})).answers("processed ok").explains(
            "ADA",
            None,
            &["Ada is approved in P, which is active", "1 click, the last at", "20.00 USD for Ada"],
        ),
        row("an enrollment").session(0, json!({})).answers("processed ok").explains(
            "$enrollment",
            None,
            &["Ada is approved in P", "20.00 USD for Ada"],
        ),
        row("a payout")
            .terms(json!({ "hold_days": { "sale": 0 } }))
            .session(0, json!({}))
            .post("/payouts", json!({ "partner_id": "$partner", "currency": "usd" }))
            .answers("201")
            .logs("/events", "processed ok")
            .explains("$id", None, &["20.00 USD was paid to Ada", "for 1 commission."]),
        row("an endpoint that works").session(0, json!({})).answers("processed ok").explains(
            "$endpoint",
            None,
            &["Stripe's deliveries arrive"],
        ),
        row("a customer without a known payment")
            .event("customer.updated", 0, json!({ "id": "cus_1" }))
            .answers("processed noted")
            .explains("cus_1", Some("event"), &["No payment of this customer is known"]),
    ]
}
