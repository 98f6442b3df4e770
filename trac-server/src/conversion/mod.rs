//! Conversions: payments and leads, and the click that each is credited to.

mod analytics;
mod attributions;
mod conversions;
mod customers;
mod leads;

use axum::Router;
use axum::routing::get;

pub(crate) use attributions::ATTRIBUTIONS;
pub(crate) use conversions::{CONVERSIONS, conversion_id, find_conversion};
pub(crate) use customers::{CUSTOMERS, reassigned};
pub(crate) use leads::LEADS;

use crate::api::list::{list_of, one_of};
use crate::trac::Trac;

/// `/conversions`, `/leads`, `/customers`, `/analytics` and `/attributions`.
pub(crate) fn routes() -> Router<Trac> {
    Router::new()
        .route("/conversions", list_of(&CONVERSIONS))
        .route("/conversions/{id}", get(conversions::one))
        .route("/analytics", get(analytics::report))
        .route("/leads", list_of(&LEADS))
        .route("/leads/{id}", one_of(&LEADS))
        .route("/customers", list_of(&CUSTOMERS))
        .route("/customers/{id}", one_of(&CUSTOMERS))
        .route("/attributions", list_of(&ATTRIBUTIONS))
        .route("/attributions/{id}", one_of(&ATTRIBUTIONS))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use axum::body::Body;
    use axum::http::Request;
    use serde_json::json;
    use trac_core::program::Mode;
    use trac_core::reason::{ATTRIBUTION_WAIT_SECS, Reason};

    use super::*;
    use crate::store::{Scope, StoreError, derived};

    use crate::testing::app::App;
    use crate::testing::shop::Shop;

    #[tokio::test]
    async fn conversions_are_filtered_by_credit_and_leads_by_the_merchants_decision() {
        let app = App::new();
        let shop = Shop::open(&app, json!({ "attribution_window_days": 1 })).await;
        let merchant = &shop.merchant;
        shop.deliver_object("checkout.session.completed", 0, shop.session(json!({}))).await;
        for (id, more) in [("cs_2", json!({ "metadata": {} })), ("cs_3", json!({ "created": 1_797_840_000 }))]
        {
            let mut session = shop.session(json!({ "id": id, "payment_intent": format!("pi_{id}") }));
            session.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            shop.deliver_object("checkout.session.completed", 1, session).await;
        }
        let all = merchant.get("/conversions").await;
        for (value, count) in [(true, 1), (false, 2)] {
            let list = merchant.get(&format!("/conversions?attributed={value}")).await;
            assert_eq!(list.column("attributed"), vec![json!(value); count], "{}", all.body);
        }
        for (customer, status) in [("a", "approved"), ("b", "rejected"), ("c", "")] {
            let lead =
                json!({ "eventName": "Sign up", "customerExternalId": customer, "clickId": shop.click });
            let request =
                Request::post("/api/track/lead").header("x-publishable-key", &merchant.publishable_key);
            let response = app.send(request.body(Body::from(lead.to_string())).unwrap()).await;
            if !status.is_empty() {
                merchant
                    .patch(&format!("/leads/{}", response.text("/id")), json!({ "status": status }))
                    .await;
            }
        }
        assert_eq!(merchant.get("/leads?status=approved").await.column("customer_external_id"), ["a"]);
        assert_eq!(merchant.get("/leads?status=rejected").await.column("customer_external_id"), ["b"]);
        assert_eq!(merchant.get("/leads").await.number("/meta/total"), 3);
    }

    /// Each sequence of facts leaves one row for each customer, whichever came first.
    #[tokio::test]
    async fn customers_follow_from_all_facts() {
        let app = App::new();
        let shop = Shop::open(&app, json!({})).await;
        let lead = async |own: &str| {
            let lead = json!({"eventName": "sign_up", "customerExternalId": own});
            let request = Request::post("/api/track/lead")
                .header("authorization", format!("Bearer {}", shop.merchant.key));
            let request = request.header("content-type", "application/json");
            assert_eq!(app.send(request.body(Body::from(lead.to_string())).unwrap()).await.status, 201);
        };
        let pay = async |n: i64, change: serde_json::Value| {
            let mut session =
                json!({"id": format!("cs_{n}"), "payment_intent": format!("pi_{n}"), "metadata": {}});
            session.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            shop.deliver_object("checkout.session.completed", n, shop.session(session)).await;
        };
        // The merchant uses Stripe's ID as its own.
        lead("cus_X").await;
        pay(1, json!({"customer": "cus_X"})).await;
        assert_eq!(shop.merchant.get("/customers?stripe_customer_id=cus_X").await.column("id"), ["cus_X"]);
        // An own ID arrives later.
        pay(2, json!({"customer": "cus_Q"})).await;
        lead("cus_Q").await;
        pay(3, json!({"customer": "cus_Q", "metadata": {"tracCustomerExternalId": "u2"}})).await;
        assert_eq!(shop.merchant.get("/customers?stripe_customer_id=cus_Q").await.column("id"), ["u2"]);
        // A charge names one customer, and its session another.
        let charge = json!({"id": "ch_4", "object": "charge", "amount": 100, "amount_captured": 100, "amount_refunded": 0,
            "captured": true, "currency": "usd", "customer": "cus_B", "created": 0, "payment_intent": "pi_4", "status": "succeeded"});
        shop.deliver_object("charge.succeeded", 4, charge).await;
        pay(4, json!({"customer": "cus_A"})).await;
        // Only the customer object names the merchant's ID.
        let customer =
            json!({"id": "cus_H", "object": "customer", "metadata": {"tracCustomerExternalId": "uH"}});
        shop.deliver_object("customer.created", 5, customer).await;
        let other =
            json!({"id": "gcus_4", "object": "customer", "metadata": {"tracCustomerExternalId": "u4"}});
        shop.deliver_object("customer.created", 6, other).await;
        let listed = shop.merchant.get("/customers").await;
        assert!(
            listed.column("created_at").iter().all(|at| at.as_str().unwrap().starts_with("2026")),
            "{}",
            listed.body
        );
        assert_eq!(app.trac.store.read(derived::differences).await.unwrap(), [""; 0]);
    }

    /// The statistics for the planner are those of a workspace with a million payments.
    #[tokio::test]
    async fn a_list_filtered_by_what_the_counts_do_not_have_uses_an_index() {
        let app = App::on_a_file();
        let (trac, scope) = (app.trac.clone(), Scope::new("ws", Mode::Test));
        let plans = app.trac.store.read(move |tx| {
            let rows = tx.within(&scope);
            let filters = [
                ("click_id", "clk_1", "payment_click"),
                ("partner_id", "part_1", "payment_partner"),
                ("lead_id", "lead_1", "payment_lead"),
            ];
            let plan = |(name, value, index)| (CONVERSIONS.plan(rows, &trac, name, value), index);
            Ok::<_, StoreError>(filters.map(plan))
        });
        for (plan, index) in plans.await.unwrap() {
            assert!(plan.contains(index) && !plan.contains("SCAN"), "{index}: {plan}");
        }
    }

    /// The SQL of the lists of conversions and events agrees with [`Reason::shown_after`], for every reason,
    /// before and after 72 hours.
    #[tokio::test]
    async fn lists_show_every_reason_as_the_core_does() {
        let app = App::new();
        let shop = Shop::open(&app, json!({})).await;
        let workspace = shop.merchant.workspace_id.clone();
        let now = app.trac.clock.now().unix_secs();
        let ages = [0, ATTRIBUTION_WAIT_SECS - 1, ATTRIBUTION_WAIT_SECS, ATTRIBUTION_WAIT_SECS + 1];
        let decision = |reason: &str| {
            json!({ "reason": reason, "attribution": null, "candidates": [], "time": now, "gross_minor": 1, "base_minor": null,
                "currency": "usd", "same_as": null, "lost_minor": 0, "stripe": {} })
        };
        let mut want: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for reason in Reason::ALL {
            for age in ages {
                let (id, at) = (format!("pay_{reason}_{age}"), now - age);
                app.rows(format!(
                    "INSERT INTO payment (workspace_id, mode, id, facts, decision, is_conversion, created_at, reason, is_waiting) \
                     VALUES ('{workspace}', 'test', '{id}', '{{}}', '{}', 1, {at}, '{}', {})",
                    decision(reason.as_str()),
                    reason.shown_after(ATTRIBUTION_WAIT_SECS),
                    *reason == Reason::NoAttributionYet
                ))
                .await;
                app.rows(format!(
                    "INSERT INTO event (workspace_id, mode, id, endpoint_id, received_at, outcome, reason, message, deliveries) \
                     VALUES ('{workspace}', 'test', '{id}', 'we_1', {at}, 'deferred', '{reason}', '', 1)"
                ))
                .await;
                want.entry(reason.shown_after(age).as_str()).or_default().push(id);
            }
        }
        for reason in Reason::ALL {
            let mut want = want.remove(reason.as_str()).unwrap_or_default();
            want.sort_by(|one, other| other.cmp(one));
            for list in ["conversions", "events"] {
                let listed = shop.merchant.get(&format!("/{list}?reason={reason}&limit=100")).await;
                assert_eq!(listed.column("id"), want, "{list} {reason}");
                assert!(
                    listed.column("reason").iter().all(|shown| *shown == json!(reason)),
                    "{list} {reason}"
                );
                assert_eq!(
                    listed.number("/meta/total"),
                    i64::try_from(want.len()).unwrap(),
                    "{list} {reason}"
                );
            }
        }
        // An event that waited 72 hours is shown as skipped.
        let waited = ages.iter().filter(|age| **age >= ATTRIBUTION_WAIT_SECS).count();
        let skipped = shop.merchant.get("/events?outcome=skipped").await.number("/meta/total");
        assert_eq!(usize::try_from(skipped).unwrap(), waited);
        let deferred = shop.merchant.get("/events?outcome=deferred").await.number("/meta/total");
        assert_eq!(usize::try_from(deferred).unwrap(), Reason::ALL.len() * ages.len() - waited);
    }
}
