mod changes;
mod pages;
mod lists;
mod acts;
mod terms_preview;
mod go_live;
mod shown;
mod words;
mod roles;

use axum::body::Body;
use axum::http::Request;

use serde_json::json;

use crate::testing::app::{Answer, App, START};
use crate::testing::shop::{DAY, Shop};

async fn form(app: &App, path: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
    let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    app.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

/// Logs in with a key; returns the cookie to send.
async fn log_in(app: &App, key: &str) -> String {
    let answer = form(app, "/dashboard/login", &format!("key={key}"), &[]).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "../dashboard"));
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_root_redirects_to_the_dashboard_and_that_to_the_login_page() {
    let app = App::new();
    for (path, to) in [("/", "dashboard"), ("/dashboard/", "../dashboard"), ("/dashboard", "dashboard/login")]
    {
        let answer = app.visit(path, &[]).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, to), "{path}");
    }
}

#[tokio::test]
async fn text_from_outside_is_escaped_on_every_page() {
    let app = App::new();
    let merchant = app.merchant().await;
    let hostile = "\"><script>alert(1)</script>";
    let partner = merchant.make("/partners", serde_json::json!({ "name": hostile })).await;
    let commission = serde_json::json!({ "type": "percentage", "rate_bps": 1 });
    let body = serde_json::json!({ "name": hostile, "commission": commission });
    let program = merchant.make("/programs", body).await;
    let link = serde_json::json!({
        "program_id": program, "partner_id": partner, "slug": "x", "destination": "https://shop.example.com/",
    });
    merchant.make("/links", link).await;
    app.visit("/s/x", &[("referer", "https://evil.example/<script>alert(2)</script>")]).await;
    let ws = &merchant.workspace_id;
    app.rows(format!(
        "INSERT INTO event (workspace_id, mode, id, stripe_event_id, endpoint_id, type, received_at, outcome, reason, \
         message) VALUES ('{ws}', 'test', 'evl_1', '<img src=x>', 'we', '<script>alert(3)</script>', 0, 'processed', \
         '<b>', '<i>')"
    ))
    .await;
    let cookie = log_in(&app, &merchant.key).await;
    for path in ["/dashboard", "/dashboard/live"] {
        let page = app.visit(path, &[("cookie", &cookie)]).await;
        let html = page.body.as_str().unwrap();
        assert!(
            html.contains("alert(1)") && html.contains("alert(2)") && html.contains("alert(3)"),
            "{html}"
        );
        assert!(
            !html.contains("<script>") && !html.contains("<img") && !html.contains("<b></code>"),
            "{html}"
        );
    }
    // The script requests the changing part and compares it with the part in the page.
    let (whole, live) = (
        app.visit("/dashboard", &[("cookie", &cookie)]).await,
        app.visit("/dashboard/live", &[("cookie", &cookie)]).await,
    );
    assert!(whole.body.as_str().unwrap().contains(live.body.as_str().unwrap().trim()));
}

#[tokio::test]
async fn every_page_has_the_security_policy() {
    let app = App::new();
    for path in [
        "/dashboard",
        "/dashboard/why",
        "/dashboard/changes",
        "/dashboard/login",
        "/dashboard/style.css",
        "/dashboard/script.js",
    ] {
        let answer = app.visit(path, &[]).await;
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'; "), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    }
    for folder in ["web", "dashboard", "people"] {
        let folder = format!("{}/templates/{folder}", env!("CARGO_MANIFEST_DIR"));
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let html = std::fs::read_to_string(&path).unwrap();
            for inline in ["style=", "<style", "onclick", "onload", "javascript:", "<script>"] {
                assert!(!html.contains(inline), "{}: {inline}", path.display());
            }
        }
    }
}

#[tokio::test]
async fn the_why_page_explains_any_id_or_email_address() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    shop.deliver_object("checkout.session.completed", 0, shop.session(json!({}))).await;
    let hostile = json!({ "id": "cs_2", "payment_intent": "pi_2", "metadata": {},
        "client_reference_id": "<script>alert(1)</script>", "customer_details": { "email": "reader@example.com" } });
    shop.deliver_object("checkout.session.completed", 1, shop.session(hostile)).await;
    let closed = app.visit("/dashboard/why", &[]).await;
    assert_eq!((closed.status.as_u16(), closed.header("location")), (303, "login"));
    let cookie = log_in(&app, &shop.merchant.key).await;
    let ask = async |id: &str, want: u16, texts: &[&str]| {
        let page = form(&app, "/dashboard/why", &format!("id={id}"), &[("cookie", &cookie)]).await;
        let html = page.body.as_str().unwrap().to_owned();
        assert_eq!(page.status.as_u16(), want, "{id}: {html}");
        for text in texts {
            assert!(html.contains(text), "{text} is missing for {id}: {html}");
        }
        assert!(!html.contains("<script>"), "{html}");
    };
    ask(
        "cs_1",
        200,
        &["verdict-whole", "Every hop is there. 20.00 USD for Ada", "Ada earns in P", "+20.00 USD"],
    )
    .await;
    ask("reader%40example.com", 200, &["verdict-broken", "no_click", "write the click ID in addition"]).await;
    ask("nobody", 404, &["Nothing was found for this in test mode."]).await;
    ask("%3Cscript%3E", 404, &["&#60;script&#62;"]).await;
    ask("", 200, &["Enter any ID that you have"]).await;
    let event = shop.merchant.get("/events").await.text("/data/0/id");
    let linked = app.visit(&format!("/dashboard/why?id={event}"), &[("cookie", &cookie)]).await;
    assert!(linked.body.as_str().unwrap().contains("verdict-broken"));
    let foreign = [("cookie", cookie.as_str()), ("sec-fetch-site", "cross-site")];
    assert_eq!(form(&app, "/dashboard/why", "id=cs_1", &foreign).await.status, 403);
    let stranger = app.merchant().await;
    let cookie = log_in(&app, &stranger.key).await;
    let answer = form(&app, "/dashboard/why", &format!("id={}", shop.click), &[("cookie", &cookie)]).await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn credited_and_uncredited_conversions_are_counted_separately() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let cookie = log_in(&app, &shop.merchant.key).await;
    let live = async || {
        let page = app.visit("/dashboard/live", &[("cookie", &cookie)]).await;
        page.body.as_str().unwrap().to_owned()
    };
    shop.deliver_object("checkout.session.completed", 0, shop.session(json!({}))).await;
    let page = live().await;
    assert!(page.contains("<b>1</b> credited conversion</li>"), "{page}");
    // A sale without a click, and a sale whose click is too old.
    let without_click = json!({ "id": "cs_2", "payment_intent": "pi_2", "metadata": {} });
    shop.deliver_object("checkout.session.completed", 1, shop.session(without_click)).await;
    let late = json!({ "id": "cs_3", "payment_intent": "pi_3", "created": START + 40 * DAY });
    let outcome = shop.deliver_object("checkout.session.completed", 2, shop.session(late)).await;
    assert_eq!(outcome, "skipped click_expired");
    let page = live().await;
    let not_credited = "<a href=\"dashboard/conversions?attributed=false\">2 not credited</a>";
    assert!(
        page.contains(&format!("<b>1</b> credited conversion <small>and {not_credited}</small>")),
        "{page}"
    );
}

#[tokio::test]
async fn the_header_shows_live_only_as_the_mode() {
    let app = App::new();
    let (test, live) = app.both_modes().await;
    for (merchant, want) in [(&test, 0), (&live, 1)] {
        let cookie = log_in(&app, &merchant.key).await;
        let page = app.visit("/dashboard", &[("cookie", &cookie)]).await;
        let page = page.body.as_str().unwrap();
        let header = page.split("<header").nth(1).and_then(|rest| rest.split("</header>").next()).unwrap();
        assert_eq!(header.matches(">live<").count(), want, "{header}");
        assert!(header.contains("up to date"), "{header}");
    }
    assert!(!include_str!("../../assets/dashboard.js").contains("\"live\", \"live\""));
}
