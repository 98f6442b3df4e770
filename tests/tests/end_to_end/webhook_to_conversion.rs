//! webhook ─▶ conversion: a payment is credited to a click, or its reason says why not.

use serde_json::{Value, json};
use trac_tests::Demo;

async fn conversion(demo: &Demo) -> Value {
    let rows = demo.merchant.all("/conversions").await;
    assert_eq!(rows.len(), 1, "one payment, one conversion: {rows:?}");
    rows.first().cloned().unwrap_or_default()
}

fn summary(row: &Value) -> [Option<&str>; 3] {
    ["source", "click_id", "reason"].map(|key| row.get(key).and_then(Value::as_str))
}

#[tokio::test]
async fn a_payment_with_a_reference_is_credited_to_its_click() {
    let demo = Demo::start();
    let click = demo.click().await;
    demo.stripe("payments", json!({"link": "test_teachest", "client_reference_id": click})).await;
    let row = conversion(&demo).await;
    assert_eq!(summary(&row), [Some("sale"), Some(click.as_str()), Some("ok")], "{row}");
    assert_eq!(row.get("attributed"), Some(&json!(true)));
    assert_eq!((row.get("amount_minor"), row.get("currency")), (Some(&json!(4_800)), Some(&json!("usd"))));
}

#[tokio::test]
async fn metadata_takes_precedence_over_the_reference() {
    let demo = Demo::start();
    let (first, second) = (demo.click().await, demo.click().await);
    let payment = json!({"link": "test_teachest", "client_reference_id": first,
        "metadata": {"tracClickId": second}});
    demo.stripe("payments", payment).await;
    let row = conversion(&demo).await;
    assert_eq!(summary(&row), [Some("sale"), Some(second.as_str()), Some("ok")], "{row}");
}

#[tokio::test]
async fn a_payment_without_a_click_is_recorded_as_not_attributed() {
    for reference in [None, Some("user_7"), Some("clk_1700000000_0123456789abcdef")] {
        let demo = Demo::start();
        demo.stripe("payments", json!({"link": "test_teachest", "client_reference_id": reference})).await;
        let row = conversion(&demo).await;
        assert_eq!(row.get("attributed"), Some(&json!(false)), "{reference:?}: {row}");
        assert_eq!(summary(&row), [Some("sale"), None, Some("no_attribution_yet")], "{reference:?}: {row}");
        assert!(demo.merchant.all("/commissions").await.is_empty());
    }
}

#[tokio::test]
async fn a_subscription_settles_the_same_whichever_event_comes_first() {
    for order in ["sent", "reversed"] {
        let demo = Demo::start();
        let click = demo.click().await;
        demo.stripe("hold", json!({})).await;
        demo.stripe("payments", json!({"link": "test_teaclub", "client_reference_id": click})).await;
        demo.stripe("release", json!({ "order": order })).await;
        let row = conversion(&demo).await;
        assert_eq!(summary(&row), [Some("recurring"), Some(click.as_str()), Some("ok")], "{order}: {row}");
        assert_eq!(demo.merchant.net_minor().await, 360, "{order}");
    }
}
