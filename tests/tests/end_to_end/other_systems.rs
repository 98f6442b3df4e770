//! Merchants who switch from another system change only the host in their snippets: each of the three
//! systems, on a page in a real browser and on the merchant's own server, leads to the commission.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

use serde_json::{Value, json};
use trac_tests::{Browser, Demo, Merchant, OwnShop, Server, envelope, now, shop_address, trac};

/// The value of the cookie with this name.
fn cookie(cookies: &str, name: &str) -> Option<String> {
    let mut pairs = cookies.split("; ").filter_map(|pair| pair.split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value.to_owned())
}

fn field(name: &str, value: Option<String>) -> Vec<(String, String)> {
    value.map(|value| (name.to_owned(), value)).into_iter().collect()
}

/// Buys on the shop's page, and returns the click that its one commission is credited to.
async fn buy(browser: &Browser, demo: &Demo, want_minor: i64) -> String {
    browser.click("#buy").await;
    browser.until("location.pathname.startsWith('/c/pay/')").await;
    browser.click("#pay").await;
    browser.until("location.pathname === '/thanks'").await;
    let rows = demo.merchant.all("/commissions").await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["net_minor"], want_minor, "{rows:?}");
    rows[0]["click_id"].as_str().unwrap().to_owned()
}

/// A page with a script tag, and a button that runs a snippet.
fn page(tag: &str, on_buy: &str) -> String {
    format!(
        "<!doctype html><title>A shop</title>{tag}<button id=buy>Buy</button><script>
         const checkout = async (body) => {{
           const answer = await fetch('/checkout', {{ method: 'POST', headers: {{ 'Content-Type': 'application/json' }},
             body: JSON.stringify(body) }});
           location.href = (await answer.json()).url;
         }};
         document.getElementById('buy').onclick = async () => {{ {on_buy} }};
         </script>"
    )
}

#[tokio::test]
async fn traaaction_the_server_reads_the_cookie_and_writes_trac_click_id_into_metadata() {
    let Some((browser, demo)) = Browser::with_demo().await else { return };
    let place = shop_address().await;
    let terms = demo.merchant.terms(1_000, "traaaction", &place.1).await;
    let tag = format!("<script src='{}/trac.js'></script>", demo.address("/tracker"));
    let shop =
        OwnShop::open(place, demo.address("/stripe"), page(&tag, "checkout({})"), "payment", |cookies, _| {
            field("metadata[tracClickId]", cookie(cookies, "trac_click_id"))
        });
    browser.visit(&terms.url).await;
    browser.until("document.cookie.includes('trac_click_id=clk_')").await;
    // The visitor opens another page first: the click is no longer in the URL.
    browser.visit(&shop.url).await;
    let click = buy(&browser, &demo, 500).await;
    assert_eq!(demo.merchant.get(&format!("/clicks/{click}")).await.text("/link_id"), terms.link);
    let story = demo.merchant.get(&format!("/explain/{click}")).await;
    assert!(story.body.to_string().contains("metadata.tracClickId of cs_"), "{}", story.body);
}

#[tokio::test]
async fn selgeo_a_landing_by_ref_and_get_click_id_into_aff_click_id() {
    let Some((browser, demo)) = Browser::with_demo().await else { return };
    let place = shop_address().await;
    demo.merchant.terms(1_000, "selma", &place.1).await;
    let tag = format!(
        "<script src='{}/v1/selgeo.js' data-merchant='{}'></script>",
        demo.address("/tracker"),
        demo.merchant.publishable_key()
    );
    let on_buy = "checkout({ clickId: window.__selgeo ? window.__selgeo.getClickId() : null })";
    let shop = OwnShop::open(place, demo.address("/stripe"), page(&tag, on_buy), "payment", |_, body| {
        let click = body.get("clickId").and_then(Value::as_str).map(str::to_owned);
        [
            field("metadata[aff_click_id]", click.clone()),
            field("payment_intent_data[metadata][aff_click_id]", click),
        ]
        .concat()
    });
    browser.visit(&format!("{}/?ref=selma", shop.url)).await;
    let click = browser.until("window.__selgeo && window.__selgeo.getClickId()").await;
    assert!(click.as_str().unwrap().starts_with("clk_"), "{click}");
    assert_eq!(buy(&browser, &demo, 500).await, click.as_str().unwrap());
    let story = demo.merchant.get("/explain/selma").await;
    assert!(story.body.to_string().contains("metadata.aff_click_id of cs_"), "{}", story.body);
}

#[tokio::test]
async fn attro_the_cookie_read_by_hand_goes_into_metadata_and_subscription_metadata() {
    let Some((browser, demo)) = Browser::with_demo().await else { return };
    let place = shop_address().await;
    let terms = demo.merchant.terms(1_000, "attro", &place.1).await;
    let tag =
        format!("<script src='{}/trac.js' data-dialect='attro' defer></script>", demo.address("/tracker"));
    let on_buy = "const row = document.cookie.split('; ').find((row) => row.startsWith('rd_click_id='));
         checkout({ rd_click_id: row ? row.split('=')[1] : '' })";
    let shop =
        OwnShop::open(place, demo.address("/stripe"), page(&tag, on_buy), "subscription", |_, body| {
            let click = body.get("rd_click_id").and_then(Value::as_str).map(str::to_owned);
            [
                field("metadata[rd_click_id]", click.clone()),
                field("subscription_data[metadata][rd_click_id]", click),
            ]
            .concat()
        });
    browser.visit(&terms.url).await;
    browser.until("document.cookie.includes('rd_click_id=clk_')").await;
    browser.visit(&shop.url).await;
    buy(&browser, &demo, 500).await;
    let subscription = demo.stripe_list("payments").await[0]["subscription"].as_str().unwrap().to_owned();
    demo.stripe(&format!("renew/{subscription}"), json!({})).await;
    let months: Vec<_> =
        demo.merchant.all("/commissions").await.iter().map(|row| row["recurring_month"].clone()).collect();
    assert_eq!(months.len(), 2, "{months:?}");
    assert_eq!(demo.merchant.net_minor().await, 1_000);
}

/// The same workspace with its live keys: live is the mode of a call with only a workspace's ID.
fn live(merchant: &Merchant) -> Merchant {
    let mut live = merchant.clone();
    let key = live.workspace["keys"]["sk_live"].clone();
    live.workspace["keys"]["sk_test"] = key;
    live
}

#[tokio::test]
async fn traaaction_a_page_reports_a_lead_with_the_workspace_id() {
    let Some((browser, demo)) = Browser::with_demo().await else { return };
    let place = shop_address().await;
    let live = live(&demo.merchant);
    let terms = live.terms(1_000, "leads", &place.1).await;
    let tag = format!("<script src='{}/trac.js'></script>", demo.address("/tracker"));
    let on_buy = format!(
        "const match = document.cookie.match(/trac_click_id=([^;]+)/);
         const answer = await fetch('{}/api/track/lead', {{
           method: 'POST',
           headers: {{ 'Content-Type': 'application/json', 'x-workspace-id': '{}' }},
           body: JSON.stringify({{ clickId: match && match[1], eventName: 'sign_up', customerExternalId: 'user_123',
             customerEmail: 'reader@example.com' }}),
         }});
         window.reply = {{ status: answer.status, body: await answer.json() }};",
        demo.address("/tracker"),
        demo.merchant.workspace["workspace_id"].as_str().unwrap()
    );
    let _shop =
        OwnShop::open(place, demo.address("/stripe"), page(&tag, &on_buy), "payment", |_, _| Vec::new());
    browser.visit(&terms.url).await;
    browser.until("document.cookie.includes('trac_click_id=clk_')").await;
    for want in [201, 200] {
        browser.run("window.reply = null").await;
        browser.click("#buy").await;
        let reply = browser.until("window.reply").await;
        assert_eq!((&reply["status"], &reply["body"]["attributed"]), (&json!(want), &json!(true)), "{reply}");
    }
    let leads = live.all("/leads").await;
    assert_eq!((leads.len(), &leads[0]["customer_external_id"]), (1, &json!("user_123")));
    assert!(demo.merchant.all("/leads").await.is_empty(), "the lead is not in test mode");
    let story = live.get("/explain/user_123").await;
    assert!(
        story.body.to_string().contains("The lead \\\"sign_up\\\" of customer user_123"),
        "{}",
        story.body
    );
}

#[tokio::test]
async fn attro_a_charge_with_the_click_in_its_metadata_earns() {
    let server = Server::start().await;
    let merchant = server.merchant("attro");
    let endpoint = merchant.endpoint().await;
    let terms = merchant.terms(1_000, "attro", "https://shop.example.com/").await;
    let click = merchant.click(&terms.link).await;
    let charge = json!({ "id": "ch_1", "object": "charge", "amount": 5_000, "amount_captured": 5_000, "amount_refunded": 0,
        "captured": true, "paid": true, "status": "succeeded", "currency": "usd", "created": now(), "customer": null,
        "payment_intent": "pi_1", "metadata": { "rd_click_id": click } });
    let answer = endpoint.deliver(&envelope("evt_1", "charge.succeeded", now(), &charge)).await;
    assert_eq!((answer.text("/outcome"), answer.text("/reason")), ("processed".to_owned(), "ok".to_owned()));
    assert_eq!(merchant.net_minor().await, 500);
    let line = trac(&["explain", "ch_1", "--data", &server.data()]);
    assert!(line.stdout.contains("metadata.rd_click_id of ch_1"), "{}{}", line.stdout, line.stderr);
}

#[tokio::test]
async fn selgeo_a_conversion_by_curl_is_recorded_once() {
    let server = Server::start().await;
    let merchant = server.merchant("curl");
    let terms = merchant.terms(1_000, "curl", "https://shop.example.com/").await;
    let click = merchant.click(&terms.link).await;
    let body = json!({ "click_id": click, "external_transaction_id": "order_1001", "event_type": "purchase",
        "amount_cents": 4_900, "currency": "USD" });
    let (url, key) = (format!("{}/api/v1/conversions", server.origin()), merchant.secret_key());
    let curl = || {
        let called = std::process::Command::new("curl")
            .args(["-sS", "-w", "\n%{http_code}", "-X", "POST", &url])
            .args(["-H", &format!("Authorization: Bearer {key}"), "-H", "Content-Type: application/json"])
            .args(["-d", &body.to_string()])
            .output();
        let output = String::from_utf8(called.ok()?.stdout).unwrap();
        let (answer, status) = output.rsplit_once('\n').unwrap();
        Some((status.to_owned(), serde_json::from_str::<Value>(answer).unwrap()))
    };
    let Some((status, first)) = curl() else { return trac_tests::say("skipped: no curl") };
    assert_eq!((status.as_str(), &first["attributed"]), ("201", &json!(true)), "{first}");
    let (status, again) = curl().unwrap();
    assert_eq!(
        (status.as_str(), &again["error"]["code"]),
        ("409", &json!("CONVERSION_DUPLICATE")),
        "{again}"
    );
    assert_eq!(again["error"]["conversion_id"], first["id"]);
    assert_eq!(merchant.net_minor().await, 490);
}
