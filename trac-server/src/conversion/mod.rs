//! Conversion: what was paid, and which click it is credited to.

mod analytics;
mod attributions;
mod conversions;
mod customers;
mod leads;

use axum::Router;
use axum::routing::get;

pub(crate) use attributions::ATTRIBUTIONS;
pub(crate) use conversions::{CONVERSIONS, conversion_id, find_conversion};
pub(crate) use customers::CUSTOMERS;
pub(crate) use leads::LEADS;

use crate::api::list::{list_of, one_of};
use crate::trac::Trac;

/// Whether payment `p` is credited to a click, as `true` or `false`: one was found, and not refused.
const IS_CREDITED: &str = "CASE WHEN p.decision ->> '$.attribution.click_id' IS NOT NULL \
    AND p.decision ->> '$.reason' NOT IN ('click_expired', 'partner_not_approved', 'program_inactive', 'self_referral', \
    'duplicate_payment', 'payment_unlinked', 'rejected_by_merchant') THEN 'true' ELSE 'false' END";

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
    use std::collections::BTreeSet;

    use axum::body::Body;
    use axum::http::Request;
    use serde_json::json;
    use trac_core::reason::Reason;

    use super::*;
    use crate::testing::app::App;
    use crate::testing::shop::Shop;

    #[tokio::test]
    async fn conversions_are_narrowed_by_credit_and_leads_by_the_merchants_decision() {
        let app = App::new();
        let shop = Shop::open(&app, json!({ "attribution_window_days": 1 })).await;
        let merchant = &shop.merchant;
        shop.told("checkout.session.completed", 0, shop.session(json!({}))).await;
        for (id, more) in [("cs_2", json!({ "metadata": {} })), ("cs_3", json!({ "created": 1_797_840_000 }))]
        {
            let mut session = shop.session(json!({ "id": id, "payment_intent": format!("pi_{id}") }));
            session.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            shop.told("checkout.session.completed", 1, session).await;
        }
        let all = merchant.get("/conversions").await;
        for (value, count) in [(true, 1), (false, 2)] {
            let list = merchant.get(&format!("/conversions?attributed={value}")).await;
            assert_eq!(list.column("attributed"), vec![json!(value); count], "{}", all.body);
        }
        for (customer, status) in [("a", "approved"), ("b", "rejected"), ("c", "")] {
            let lead =
                json!({ "eventName": "Sign up", "customerExternalId": customer, "clickId": shop.click });
            let told =
                Request::post("/api/track/lead").header("x-publishable-key", &merchant.publishable_key);
            let told = app.send(told.body(Body::from(lead.to_string())).unwrap()).await;
            if !status.is_empty() {
                merchant.patch(&format!("/leads/{}", told.text("/id")), json!({ "status": status })).await;
            }
        }
        assert_eq!(merchant.get("/leads?status=approved").await.column("customer_external_id"), ["a"]);
        assert_eq!(merchant.get("/leads?status=rejected").await.column("customer_external_id"), ["b"]);
        assert_eq!(merchant.get("/leads").await.number("/meta/total"), 3);
    }

    #[test]
    fn the_list_of_conversions_knows_every_reason_that_refuses_a_click() {
        let (_, refused) = IS_CREDITED.split_once("NOT IN (").unwrap();
        let listed: BTreeSet<_> =
            refused.split('\'').skip(1).step_by(2).take_while(|word| *word != "true").collect();
        let want = Reason::ALL.iter().filter(|reason| reason.refuses_click());
        assert_eq!(listed, want.map(|reason| reason.as_str()).collect());
    }
}
