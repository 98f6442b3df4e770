//! Every page, for everybody who may see it.

use serde_json::{Value, json};

use super::super::details::DETAILS;
use super::super::lists::LISTS;
use super::log_in;
use crate::testing::app::App;
use crate::testing::shop::{Shop, charge};

/// A shop with a row for every page: sales, a refund, a claim, a lead, a payout, a refused call.
pub(super) async fn busy(app: &App) -> Shop<'_> {
    busy_with(app, "Ada & Co").await
}

/// The same, with a text wherever a text from outside is stored.
pub(super) async fn busy_with<'a>(app: &'a App, text: &str) -> Shop<'a> {
    let hold = json!({ "lead": 0, "sale": 0, "recurring": 0 });
    let terms = json!({ "name": text, "hold_days": hold, "lead_amount_minor": 300, "lead_currency": "usd" });
    let shop = Shop::open(app, terms).await;
    let merchant = &shop.merchant;
    merchant.patch(&format!("/partners/{}", shop.partner), json!({ "name": text })).await;
    let link = json!({ "program_id": shop.program, "partner_id": shop.partner, "slug": "ada", "destination": "https://shop.example.com/" });
    merchant.make("/links", link).await;
    app.visit("/t/ada", &[("referer", &format!("https://blog.example.com/?q={text}"))]).await;
    let metadata = json!({ "tracClickId": shop.click, "tracCustomerExternalId": text });
    let details = json!({ "email": "reader@example.com", "name": text });
    let sale = json!({ "customer": "cus_1", "metadata": metadata, "customer_details": details });
    shop.deliver_object("checkout.session.completed", 0, shop.session(sale)).await;
    shop.deliver_object("charge.refunded", 1, charge(2_500, json!({}))).await;
    let unlinked = charge(100, json!({ "id": "ch_9", "payment_intent": "pi_9", "description": text }));
    shop.deliver_object("charge.refunded", 2, unlinked).await;
    app.trac.clock.advance(10);
    let paid = json!({ "partner_id": shop.partner, "currency": "usd" });
    assert_eq!(merchant.post("/payouts", paid).await.status, 201);
    let adjustment = json!({ "partner_id": shop.partner, "program_id": shop.program, "currency": "usd", "amount_minor": -100,
        "reason": text });
    let adjusted = merchant.post("/adjustments", adjustment).await;
    assert_eq!(adjusted.status, 201, "{}", adjusted.body);
    let verdict = json!({ "status": "held", "reason": text });
    merchant.patch(&format!("/commissions/{}", adjusted.text("/id")), verdict).await;
    let lead = json!({ "eventName": text, "customerExternalId": "user_2", "clickId": shop.click, "customerName": text });
    let body = axum::body::Body::from(lead.to_string());
    let request =
        axum::http::Request::post("/api/track/lead").header("x-publishable-key", &merchant.publishable_key);
    assert_eq!(app.send(request.body(body).unwrap()).await.status, 201);
    app.send(axum::http::Request::post("/api/track/lead").body("{}".into()).unwrap()).await;
    merchant.patch("/workspace", json!({ "name": text })).await;
    merchant.make("/invitations", json!({ "email": "new@example.com", "role": "viewer" })).await;
    crate::operate::postman::round(&app.trac).await.unwrap();
    app.written().await;
    shop
}

/// The paths of all pages that show these rows.
pub(super) async fn paths(shop: &Shop<'_>) -> Vec<String> {
    let mut paths: Vec<String> = ["", "/setup", "/why", "/analytics", "/settings", "/data", "/people"]
        .iter()
        .map(|path| format!("/dashboard{path}"))
        .collect();
    paths.extend(LISTS.iter().map(|page| format!("/dashboard/{}", page.path)));
    for detail in DETAILS {
        let list = detail.api.strip_suffix("/{id}").unwrap();
        let rows = shop.merchant.get(&format!("{list}?limit=100")).await;
        assert!(!rows.column("id").is_empty(), "no row of {list}");
        for id in rows.column("id") {
            let id = crate::dashboard::api::encoded(id.as_str().unwrap());
            paths.push(format!("/dashboard/{}/{id}", detail.path));
        }
    }
    paths
}

/// With `TRAC_PAGES=DIR`, the pages are saved there, to be looked at.
fn save(path: &str, html: &str) {
    let Ok(folder) = std::env::var("TRAC_PAGES") else { return };
    let file = std::path::PathBuf::from(folder).join(path.trim_start_matches('/')).with_extension("html");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, html).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_shown_and_every_link_on_it_leads_to_a_page() {
    let app = App::new();
    let shop = busy(&app).await;
    let cookie = log_in(&app, &shop.merchant.key).await;
    let mut followed = std::collections::BTreeSet::new();
    for path in paths(&shop).await {
        let page = app.visit(&path, &[("cookie", &cookie)]).await;
        let html = page.body.as_str().unwrap();
        assert_eq!(page.status, 200, "{path}: {html}");
        save(&path, html);
        assert!(html.starts_with("<!doctype html>") && html.contains("<main id=\"main\""), "{path}");
        assert!(html.contains(" · Ada &#38; Co · trac</title>"), "{path}: {html}");
        assert_eq!(html.matches("<h1>").count(), 1, "{path}");
        assert!(html.matches("aria-current=\"page\"").count() <= 1, "{path}");
        assert!(html.len() < 100_000, "{path} has {} bytes", html.len());
        let hrefs = html.split(" href=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
        // A link of a partner leads to the shop.
        for href in hrefs.filter(|href| !href.starts_with("https://")) {
            let target = resolved(&path, href);
            if followed.insert(target.clone()) {
                let found = app.visit(&target, &[("cookie", &cookie)]).await;
                assert!(
                    [200, 303].contains(&found.status.as_u16()),
                    "{href} on {path} is {target}: {}",
                    found.status
                );
            }
        }
    }
    assert!(followed.len() > 60, "{}", followed.len());
}

/// A relative URL on a page.
fn resolved(path: &str, href: &str) -> String {
    let href = href.replace("&#38;", "&");
    if href.starts_with('#') {
        return path.to_owned();
    }
    if let Some(query) = href.strip_prefix('?') {
        return format!("{path}?{query}");
    }
    let (mut folder, mut rest) = (path.rsplit_once('/').unwrap().0.to_owned(), href.as_str());
    while let Some(inner) = rest.strip_prefix("../") {
        folder = folder.rsplit_once('/').map_or("", |(up, _)| up).to_owned();
        rest = inner;
    }
    format!("{folder}/{rest}")
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_texts_are_escaped_on_every_page() {
    for hostile in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "'{{7*7}}</textarea><svg/onload=alert(1)>",
    ] {
        let app = App::new();
        let shop = busy_with(&app, hostile).await;
        let cookie = log_in(&app, &shop.merchant.key).await;
        let mut shown = 0;
        for path in paths(&shop).await {
            let page = app.visit(&path, &[("cookie", &cookie)]).await;
            let html = page.body.as_str().unwrap();
            assert!(!html.contains(hostile), "{path}: {html}");
            for tag in ["<script>", "<img src=x", "<svg/"] {
                assert!(!html.contains(tag), "{path}: {tag}");
            }
            shown += usize::from(html.contains("alert(1)"));
        }
        assert!(shown > 30, "the text is on {shown} pages");
    }
}

#[tokio::test]
async fn a_page_without_a_session_leads_to_the_login_page() {
    let app = App::new();
    for page in LISTS {
        let closed = app.visit(&format!("/dashboard/{}", page.path), &[]).await;
        assert_eq!((closed.status.as_u16(), closed.header("location")), (303, "login"), "{}", page.path);
    }
    for detail in DETAILS {
        let closed = app.visit(&format!("/dashboard/{}/x_1", detail.path), &[]).await;
        assert_eq!((closed.status.as_u16(), closed.header("location")), (303, "../login"), "{}", detail.path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rows_of_other_workspaces_and_of_the_other_mode_are_not_found() {
    let app = App::new();
    let shop = busy(&app).await;
    let paths = paths(&shop).await;
    let (stranger, live) = app.both_modes().await;
    for merchant in [&stranger, &live] {
        let cookie = log_in(&app, &merchant.key).await;
        for path in paths.iter().filter(|path| path.matches('/').count() > 2) {
            let page = app.visit(path, &[("cookie", &cookie)]).await;
            assert_eq!(page.status, 404, "{path}");
            assert!(!page.body.as_str().unwrap().contains("Ada"), "{path}");
        }
    }
}

/// A column that names a field which the API does not have would stay empty for ever.
#[tokio::test(flavor = "multi_thread")]
async fn every_column_shows_a_field_of_the_api() {
    let app = App::new();
    let shop = busy(&app).await;
    let has = |row: &Value, field: &str| {
        let mut value = Some(row);
        for name in field.split('.') {
            // An object that is null has none of its fields.
            value = value.and_then(|value| if value.is_null() { Some(value) } else { value.get(name) });
        }
        value.is_some()
    };
    for page in LISTS {
        let rows = shop.merchant.get(page.api).await;
        let row = &rows.body["data"][0];
        for field in page.columns.iter().flat_map(super::super::column::Column::fields) {
            assert!(has(row, field), "{}: {field} of {row}", page.path);
        }
    }
    for detail in DETAILS {
        let list = detail.api.strip_suffix("/{id}").unwrap();
        let id = shop.merchant.get(list).await.text("/data/0/id");
        let row = shop.merchant.get(&detail.api.replace("{id}", &id)).await.body;
        for field in detail.facts.iter().flat_map(super::super::column::Column::fields) {
            assert!(has(&row, field), "{}: {field} of {row}", detail.path);
        }
        for section in detail.sections {
            let listed = shop.merchant.get(&section.api.replace("{id}", &id)).await;
            assert_eq!(listed.status, 200, "{}", section.api);
        }
    }
}
