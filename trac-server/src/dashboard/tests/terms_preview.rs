//! What a program's terms would have changed, before they are saved.

use serde_json::json;

use super::acts::{Browser, location};
use super::shown::busy;
use crate::testing::app::App;

#[tokio::test(flavor = "multi_thread")]
async fn a_form_shows_what_its_terms_would_have_changed_and_saves_nothing() {
    let app = App::new();
    let shop = busy(&app).await;
    let browser = Browser::open(&app, &shop.merchant).await;
    let path = format!("do/program-change?id={}", shop.program);
    let before = shop.merchant.get(&format!("/programs/{}", shop.program)).await.body;
    let form = browser.get(&path).await;
    let html = form.body.as_str().unwrap();
    assert!(html.contains("name=\"preview\" value=\"1\">Show what would change</button>"), "{html}");
    assert!(!html.contains("id=\"preview\""));

    let shown = browser.act(&path, &[("commission.rate_bps", "40"), ("preview", "1")]).await;
    assert_eq!(shown.status, 200, "{}", shown.body);
    let html = shown.body.as_str().unwrap();
    let form = html.split("<form class=\"form\"").nth(1).unwrap();
    let above = form.split("<button type=\"submit\">Save").next().unwrap();
    assert!(above.contains("A sale of 100.00 USD without tax earns 40.00 USD (40 %)."), "{above}");
    // 20 % of the 75.00 that stayed were booked; the lead's 3.00 stay as they are.
    assert!(
        above.contains("18.00 USD") && above.contains("33.00 USD") && above.contains("15.00 USD"),
        "{above}"
    );
    assert!(above.contains("href=\"../../dashboard/conversions/pay_"), "{above}");
    assert!(
        above.contains("name=\"commission.rate_bps\" type=\"text\" inputmode=\"decimal\" value=\"40\""),
        "{above}"
    );
    let after = shop.merchant.get(&format!("/programs/{}", shop.program)).await.body;
    assert_eq!(after, before, "nothing was saved");

    // A value that cannot be is noted at its field, and a form of the other mode is refused, as when it is saved.
    let wrong = browser.act(&path, &[("commission.rate_bps", "140"), ("preview", "1")]).await;
    assert_eq!(wrong.status, 422, "{}", wrong.body);
    assert!(!wrong.body.as_str().unwrap().contains("id=\"preview\""));
    assert!(wrong.body.as_str().unwrap().contains("class=\"field wrong\""), "{}", wrong.body);
    let other = browser.act(&path, &[("mode", "live"), ("preview", "1")]).await;
    assert_eq!(other.status, 409, "{}", other.body);
    let gone = browser.send("do/program-change?id=prog_0", &browser.fields(&path).await).await;
    assert_eq!(gone.status, 404);

    // Without the second button it is saved.
    location(&browser.act(&path, &[("commission.rate_bps", "40")]).await);
    let saved = shop.merchant.get(&format!("/programs/{}", shop.program)).await;
    assert_eq!(saved.body["commission"], json!({ "type": "percentage", "rate_bps": 4_000 }));
}
