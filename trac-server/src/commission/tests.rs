use std::collections::BTreeMap;

use serde_json::{Value, json};
use trac_core::commission::balance::Status;

use crate::testing::app::{App, Merchant, START};

/// A commission of `amount` that matures a day after the tests begin, with one entry.
async fn earn(app: &App, merchant: &Merchant<'_>, partner: &str, id: &str, amount: i64, currency: &str) {
    let ws = &merchant.workspace_id;
    let matures = START + 86_400;
    app.rows(format!(
        "INSERT INTO commission (workspace_id, mode, id, payment_id, program_id, partner_id, enrollment_id, click_id, \
         program_version, enrollment_version, source, recurring_month, currency, base_minor, amount_minor, \
         reversed_minor, reason, matures_at, payment_time, held, closed, stripe, created_at, state) \
         VALUES ('{ws}', 'test', 'com_{id}', 'pay_{id}', 'prog', '{partner}', 'enr', 'clk', 1, 1, 'sale', NULL, \
         '{currency}', {base}, {amount}, 0, 'ok', {matures}, {START}, 0, 0, '{{\"charge\":\"ch_{id}\"}}', {START}, 'open'); \
         INSERT INTO ledger_entry VALUES \
         ('{ws}', 'test', 'ent_{id}_1', 'com_{id}', 'earn', {amount}, '{currency}', 'ok', 'evl_1', NULL, {START});",
        base = amount * 5,
    ))
    .await;
}

/// Adds a further entry, and updates the commission's sums as `flow` does.
async fn reverse(app: &App, merchant: &Merchant<'_>, id: &str, entry: &str, amount: i64) {
    let ws = &merchant.workspace_id;
    app.rows(format!(
        "INSERT INTO ledger_entry SELECT workspace_id, mode, 'ent_{entry}', id, 'reverse', -{amount}, currency, \
         'refund_partial', 'evl_2', 'ent_{id}_1', {START} FROM commission \
         WHERE workspace_id = '{ws}' AND id = 'com_{id}'; \
         UPDATE commission SET reversed_minor = reversed_minor + {amount}, state = CASE WHEN is_paid THEN 'paid' \
         WHEN amount_minor = reversed_minor + {amount} THEN 'reversed' ELSE 'open' END \
         WHERE workspace_id = '{ws}' AND id = 'com_{id}';"
    ))
    .await;
}

async fn balance(merchant: &Merchant<'_>, partner: &str) -> Vec<Value> {
    let answer = merchant.get(&format!("/balances?partner_id={partner}")).await;
    let row = |row: &Value| {
        let of = |name: &str| row[name].clone();
        json!([of("currency"), of("pending_minor"), of("approved_minor"), of("paid_minor"), of("owed_minor")])
    };
    answer.body["data"].as_array().unwrap().iter().map(row).collect()
}

#[tokio::test]
async fn a_commission_matures_is_paid_and_stays_paid() {
    let app = App::new();
    let merchant = app.merchant().await;
    let (_, partner) = merchant.program_and_partner().await;
    earn(&app, &merchant, &partner, "a", 2_000, "usd").await;
    let status = async || merchant.get("/commissions/com_a").await.text("/status");
    let payout =
        async || merchant.post("/payouts", json!({ "partner_id": partner, "currency": "USD" })).await;

    app.trac.clock.advance(86_399);
    assert_eq!(status().await, "pending");
    assert_eq!(balance(&merchant, &partner).await, [json!(["usd", 2_000, 0, 0, 0])]);
    assert_eq!(payout().await.code(), (422, "NOTHING_TO_PAY".to_owned()));

    app.trac.clock.advance(1);
    assert_eq!(status().await, "approved");
    assert_eq!(balance(&merchant, &partner).await, [json!(["usd", 0, 2_000, 0, 2_000])]);

    let paid = payout().await;
    assert_eq!((paid.status.as_u16(), paid.number("/amount_minor")), (201, 2_000));
    assert_eq!(paid.body["commission_ids"], json!(["com_a"]));
    assert_eq!(merchant.get(&format!("/payouts/{}", paid.text("/id"))).await.body, paid.body);
    assert_eq!(status().await, "paid");
    assert_eq!(balance(&merchant, &partner).await, [json!(["usd", 0, 0, 2_000, 0])]);
    assert_eq!(payout().await.code(), (422, "NOTHING_TO_PAY".to_owned()), "an entry is paid at most once");

    // A refund after the payout makes a debt, which the next payout deducts.
    reverse(&app, &merchant, "a", "a_2", 2_000).await;
    assert_eq!(status().await, "paid");
    assert_eq!(balance(&merchant, &partner).await, [json!(["usd", 0, 0, 2_000, -2_000])]);
    assert_eq!(payout().await.code(), (422, "NOTHING_TO_PAY".to_owned()));
    earn(&app, &merchant, &partner, "b", 5_000, "usd").await;
    let netted = payout().await;
    assert_eq!(
        (netted.number("/amount_minor"), &netted.body["commission_ids"]),
        (3_000, &json!(["com_a", "com_b"]))
    );
    assert_eq!(balance(&merchant, &partner).await, [json!(["usd", 0, 0, 5_000, 0])]);
    assert_eq!(merchant.get("/payouts").await.column("amount_minor"), [3_000, 2_000]);
}

#[tokio::test]
async fn commissions_of_a_banned_enrollment_are_paid_only_with_anyway() {
    let app = App::new();
    let merchant = app.merchant().await;
    let (program, partner) = merchant.program_and_partner().await;
    let enrollments = merchant.get(&format!("/enrollments?program_id={program}&partner_id={partner}")).await;
    let banned = enrollments.text("/data/0/id");
    let through = async |id: &str, enrollment: &str| {
        app.rows(format!("UPDATE commission SET enrollment_id = '{enrollment}' WHERE id = 'com_{id}'")).await;
    };
    let set = async |status: &str| {
        let changed = merchant.patch(&format!("/enrollments/{banned}"), json!({ "status": status })).await;
        assert_eq!(changed.status, 200);
    };
    let payout = async |anyway: Value| {
        let mut body = json!({ "partner_id": partner, "currency": "usd" });
        if !anyway.is_null() {
            body["anyway"] = anyway;
        }
        merchant.post("/payouts", body).await
    };
    earn(&app, &merchant, &partner, "a", 2_000, "usd").await;
    through("a", &banned).await;
    app.trac.clock.advance(86_400);
    set("banned").await;
    for anyway in [Value::Null, json!(false)] {
        assert_eq!(payout(anyway).await.code(), (422, "PARTNER_BANNED".to_owned()));
    }
    assert_eq!(payout(json!("yes")).await.code(), (422, "VALIDATION_FAILED".to_owned()));
    assert_eq!(balance(&merchant, &partner).await, [json!(["usd", 0, 2_000, 0, 2_000])]);

    // The partner's commissions in another program are paid.
    earn(&app, &merchant, &partner, "b", 700, "usd").await;
    let paid = payout(Value::Null).await;
    assert_eq!((paid.number("/amount_minor"), &paid.body["commission_ids"]), (700, &json!(["com_b"])));
    assert_eq!(paid.body["left_out"], json!([{ "amount_minor": 2_000, "reason": "partner_banned" }]));
    assert_eq!(payout(Value::Null).await.code(), (422, "PARTNER_BANNED".to_owned()));

    // No other status of an enrollment prevents a payout.
    for status in ["suspended", "rejected", "pending"] {
        set(status).await;
        let due = merchant.get(&format!("/balances?partner_id={partner}")).await;
        assert_eq!(due.number("/data/0/owed_minor"), 2_000, "{status}");
    }
    set("banned").await;
    let paid = payout(json!(true)).await;
    assert_eq!((paid.status.as_u16(), paid.number("/amount_minor")), (201, 2_000));
    assert_eq!(paid.body.get("left_out"), None);

    // A ban does not cancel a debt: the clawback is deducted from what is owed.
    reverse(&app, &merchant, "a", "a_2", 500).await;
    earn(&app, &merchant, &partner, "c", 1_500, "usd").await;
    assert_eq!(payout(Value::Null).await.number("/amount_minor"), 1_000);
}

#[tokio::test]
async fn the_first_status_that_applies_is_shown_and_filters_agree() {
    let app = App::new();
    let merchant = app.merchant().await;
    let (_, partner) = merchant.program_and_partner().await;
    for id in ["a", "b", "c"] {
        earn(&app, &merchant, &partner, id, 1_000, "usd").await;
    }
    reverse(&app, &merchant, "a", "a_2", 1_000).await;
    reverse(&app, &merchant, "c", "c_2", 400).await;
    app.rows("UPDATE commission SET held = TRUE, state = CASE WHEN state = 'open' THEN 'held' ELSE state END WHERE id IN ('com_a', 'com_b')".into()).await;
    app.trac.clock.advance(86_400);
    let list = merchant.get("/commissions").await;
    assert_eq!(list.column("status"), ["approved", "held", "reversed"]);
    assert_eq!(list.column("net_minor"), [600, 1_000, 0]);
    for (status, id) in [("approved", "com_c"), ("held", "com_b"), ("reversed", "com_a")] {
        let list = merchant.get(&format!("/commissions?status={status}&partner_id={partner}")).await;
        assert_eq!(list.column("id"), [id]);
    }
    assert_eq!(balance(&merchant, &partner).await, [json!(["usd", 1_000, 600, 0, 600])]);
    let entries = merchant.get("/commissions/com_c/entries").await;
    assert_eq!(entries.column("amount_minor"), [-400, 1_000]);
    assert_eq!(entries.column("kind"), ["reverse", "earn"]);
    assert_eq!(merchant.get("/commissions/com_x/entries").await.status, 404);
}

#[tokio::test]
async fn two_currencies_are_never_added_and_a_payout_has_one() {
    let app = App::new();
    let merchant = app.merchant().await;
    let (_, partner) = merchant.program_and_partner().await;
    earn(&app, &merchant, &partner, "a", 1_000, "usd").await;
    earn(&app, &merchant, &partner, "b", 2_000, "jpy").await;
    app.trac.clock.advance(86_400);
    let both = [json!(["usd", 0, 1_000, 0, 1_000]), json!(["jpy", 0, 2_000, 0, 2_000])];
    assert_eq!(balance(&merchant, &partner).await, both);
    let paid = merchant.post("/payouts", json!({ "partner_id": partner, "currency": "jpy" })).await;
    assert_eq!(paid.number("/amount_minor"), 2_000);
    let left = [json!(["usd", 0, 1_000, 0, 1_000]), json!(["jpy", 0, 0, 2_000, 0])];
    assert_eq!(balance(&merchant, &partner).await, left);
}

#[tokio::test]
async fn commissions_balances_and_payouts_of_another_workspace_are_not_found() {
    let app = App::new();
    let merchant = app.merchant().await;
    let (_, partner) = merchant.program_and_partner().await;
    earn(&app, &merchant, &partner, "a", 1_000, "usd").await;
    app.trac.clock.advance(86_400);
    let (stranger, stranger_live) = app.both_modes().await;
    for other in [&stranger, &stranger_live] {
        let payout = other.post("/payouts", json!({ "partner_id": partner, "currency": "usd" })).await;
        assert_eq!(payout.code(), (404, "NOT_FOUND".to_owned()));
        for path in
            ["/commissions/com_a", "/commissions/com_a/entries", &format!("/balances?partner_id={partner}")]
        {
            assert_eq!(other.get(path).await.code(), (404, "NOT_FOUND".to_owned()), "{path}");
        }
        for path in ["/commissions", "/balances", "/payouts"] {
            assert_eq!(other.get(path).await.number("/meta/total"), 0, "{path}");
        }
    }
}

#[tokio::test]
async fn sums_beyond_64_bits_become_the_largest_number_without_an_error() {
    let app = App::new();
    let merchant = app.merchant().await;
    let (_, partner) = merchant.program_and_partner().await;
    for id in ["a", "b", "c"] {
        earn(&app, &merchant, &partner, id, i64::MAX / 6, "usd").await;
    }
    app.rows(format!("UPDATE commission SET amount_minor = {}", i64::MAX / 2)).await;
    assert_eq!(balance(&merchant, &partner).await[0][1], i64::MAX);
    app.trac.clock.advance(86_400);
    assert_eq!(balance(&merchant, &partner).await[0][2], i64::MAX);
    assert_eq!(merchant.get("/balances").await.number("/data/0/owed_minor"), i64::MAX);
}

/// The SQL of lists and payouts computes the same status of a commission as the core.
#[tokio::test]
async fn sql_knows_the_status_of_a_commission_as_the_core_does() {
    let app = App::new();
    let merchant = app.merchant().await;
    let (workspace, now) = (merchant.workspace_id.clone(), app.trac.clock.now());
    let mut want: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (paid, net, held, due_in_secs) in
        (0..24).map(|n| (n % 2 == 1, [0, 500][n / 2 % 2], n / 4 % 2 == 1, [-1, 0, 1][n / 8]))
    {
        let id = format!("com_{paid}_{net}_{held}_{due_in_secs}");
        let matures_at = now.plus_secs(due_in_secs);
        app.rows(format!(
            "INSERT INTO commission (workspace_id, mode, id, payment_id, program_id, partner_id, enrollment_id, click_id, \
             program_version, enrollment_version, source, currency, base_minor, amount_minor, reversed_minor, reason, matures_at, \
             payment_time, held, closed, stripe, created_at, state) VALUES ('{workspace}', 'test', '{id}', 'pay', 'prog', 'part', 'enr', \
             'clk', 1, 1, 'sale', 'usd', 2500, 500, {}, 'ok', {}, 0, {held}, 0, '{{}}', 0, \
             CASE WHEN {net} = 0 THEN 'reversed' WHEN {held} THEN 'held' ELSE 'open' END)",
            500 - net,
            matures_at.unix_secs()
        ))
        .await;
        if paid {
            app.rows(format!(
                "INSERT INTO payout_entry (workspace_id, mode, entry_id, payout_id, commission_id) \
                 VALUES ('{workspace}', 'test', 'ent_{id}', 'po_1', '{id}')"
            ))
            .await;
        }
        want.entry(Status::of(paid, net, held, matures_at, now).as_str()).or_default().push(id);
    }
    assert_eq!(want.len(), 5, "every status occurs");
    for (status, mut want) in want {
        want.sort_by(|one, other| other.cmp(one));
        let listed = merchant.get(&format!("/commissions?status={status}&limit=100")).await;
        assert_eq!(listed.column("id"), want, "{status}");
    }
}
