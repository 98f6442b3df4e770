use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::testing::app::{App, Merchant};
use crate::testing::shop::Shop;

/// Every row of a list, by pages of two.
async fn by_page(merchant: &Merchant<'_>, path: &str) -> (Vec<Value>, i64) {
    let (mut rows, mut total) = (Vec::new(), 0);
    for page in 1.. {
        let join = if path.contains('?') { '&' } else { '?' };
        let answer = merchant.get(&format!("{path}{join}page={page}&limit=2")).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        let data = answer.body["data"].as_array().unwrap().clone();
        total = answer.number("/meta/total");
        let left = total - 2 * (page - 1);
        assert_eq!(i64::try_from(data.len()).unwrap(), left.clamp(0, 2), "{path} page {page}");
        assert_eq!(answer.body["meta"]["has_more"], left > 2, "{path} page {page}");
        if data.is_empty() {
            break;
        }
        rows.extend(data);
    }
    (rows, total)
}

/// Every row of a list, each after the one before.
async fn one_by_one(merchant: &Merchant<'_>, path: &str) -> Vec<Value> {
    let join = if path.contains('?') { '&' } else { '?' };
    let mut rows: Vec<Value> =
        merchant.get(&format!("{path}{join}limit=1")).await.body["data"].as_array().expect(path).clone();
    while let Some(last) = rows.last() {
        let id = last["id"].as_str().unwrap();
        let next = merchant.get(&format!("{path}{join}limit=1&starting_after={id}")).await;
        let next = next.body["data"]
            .as_array()
            .unwrap_or_else(|| panic!("{path} after {id}: {}", next.body))
            .clone();
        if next.is_empty() {
            break;
        }
        rows.extend(next);
    }
    rows
}

/// Pages are read from the nearer end, and pages of clicks by whole days; the order and the total are the same.
#[tokio::test]
async fn pages_of_every_list_are_its_rows_in_order() {
    let app = App::new();
    let shop = Shop::open(&app, json!({"lead_amount_minor": 100, "lead_currency": "usd"})).await;
    let merchant = &shop.merchant;
    let other = merchant.make("/partners", json!({ "name": "Other" })).await;
    let days = ["01", "01", "03", "03", "03", "09", "20"];
    for (n, day) in days.iter().enumerate() {
        let partner = if n % 2 == 0 { &shop.partner } else { &other };
        let at = format!("2026-11-{day}T10:00:{:02}Z", n / 2);
        let click = json!({"program_id": shop.program, "partner_id": partner, "clicked_at": at, "click_id": format!("clk_{n}")});
        merchant.make("/clicks", click).await;
    }
    let old = json!({"program_id": shop.program, "partner_id": other, "clicked_at": "1969-12-31T12:00:00Z"});
    merchant.make("/clicks", old).await;
    for n in 0..7_i64 {
        let click = if n % 3 == 0 { json!(null) } else { json!("clk_6") };
        let session = json!({"id": format!("cs_{n}"), "payment_intent": format!("pi_{n}"), "customer": format!("cus_{n}"),
            "client_reference_id": click, "metadata": {}, "customer_details": {"email": format!("b{n}@example.com")}});
        shop.deliver_object("checkout.session.completed", n, shop.session(session)).await;
        let lead =
            json!({"eventName": "sign_up", "customerExternalId": format!("user_{n}"), "clickId": "clk_6"});
        let request = Request::post("/api/track/lead").header("x-publishable-key", &merchant.publishable_key);
        let request = request.header("content-type", "application/json");
        assert_eq!(app.send(request.body(Body::from(lead.to_string())).unwrap()).await.status, 201);
    }
    let partner = &shop.partner;
    let lists = [
        ("/clicks".to_owned(), Some(9)),
        (format!("/clicks?partner_id={partner}"), Some(5)),
        (format!("/clicks?partner_id={partner}&program_id={}&unique=true", shop.program), Some(5)),
        ("/clicks?unique=false".to_owned(), Some(0)),
        ("/clicks?click_id=clk_3".to_owned(), Some(1)),
        (format!("/clicks?program_id={partner}"), Some(0)),
        (format!("/clicks?partner_id={}", shop.program), Some(0)),
        (format!("/clicks?program_id={}/{partner}", shop.program), Some(0)),
        ("/events".to_owned(), None),
        ("/events?outcome=deferred".to_owned(), None),
        ("/events?outcome=processed&type=checkout.session.completed".to_owned(), None),
        ("/conversions?reason=no_attribution_yet".to_owned(), None),
        ("/conversions?attributed=true&source=sale".to_owned(), None),
        (format!("/conversions?partner_id={partner}"), None),
        ("/commissions".to_owned(), None),
        ("/commissions?status=pending".to_owned(), None),
        ("/commissions?status=approved".to_owned(), None),
        (format!("/commissions?partner_id={partner}&source=sale"), None),
        ("/customers".to_owned(), Some(14)),
        ("/leads".to_owned(), Some(7)),
        ("/leads?event_name=sign_up&deferred=false".to_owned(), Some(7)),
        ("/leads?reason=ok".to_owned(), None),
        ("/attributions".to_owned(), None),
    ];
    for later_secs in [0, 73 * 3_600, 90 * 86_400] {
        app.trac.clock.advance(later_secs);
        for (path, want) in &lists {
            let (rows, total) = by_page(merchant, path).await;
            assert_eq!(rows, one_by_one(merchant, path).await, "{path} after {later_secs} s");
            assert_eq!(i64::try_from(rows.len()).unwrap(), total, "{path}");
            assert!(want.is_none_or(|want| want == total), "{path}: {total}");
        }
    }
}
