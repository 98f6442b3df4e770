//! Two hundred texts that try to become code, in every field of the API that takes text, on every page.

use serde_json::{Value, json};
use trac_tests::dashboard::{Faults, Stop, Tour, sign_up};
use trac_tests::{Browser, Merchant, Server, envelope, now, say, session};

/// Ends of the context that a text may be in.
const ENDS: [&str; 12] = [
    "",
    "\">",
    "'>",
    "</p>",
    "</title>",
    "</textarea>",
    "</select>",
    "</script>",
    "</style>",
    "-->",
    "</code></td>",
    "\u{201d}\u{ff1e}",
];

/// What would run, or fetch, or cover the page.
const BEGINNINGS: [&str; 14] = [
    "<script>hit()</script>",
    "<img src=x onerror=hit()>",
    "<svg onload=hit()>",
    "<svg/onload=hit()//",
    "<iframe src=javascript:hit()>",
    "<body onload=hit()>",
    "<input autofocus onfocus=hit()>",
    "<details open ontoggle=hit()>",
    "<video><source onerror=hit()>",
    "<math><a href=javascript:hit()>x",
    "<object data=javascript:hit()>",
    "<embed src=javascript:hit()>",
    "<base href=//evil.test/>",
    "<style>*{display:none}</style>",
];

/// Texts of other kinds: attributes, templates, encodings, directions, formats.
const OTHERS: [&str; 32] = [
    "\" onmouseover=\"hit()",
    "' onfocus='hit()' autofocus='",
    "` onclick=hit()",
    "x onload=hit()",
    "javascript:hit()",
    "JaVaScRiPt:hit()",
    "java\u{a0}script:hit()",
    "data:text/html,<script>hit()</script>",
    "vbscript:hit()",
    "{{7*7}}",
    "{% include '/etc/passwd' %}",
    "${hit()}",
    "#{hit()}",
    "<%= hit() %>",
    "&lt;script&gt;hit()&lt;/script&gt;",
    "&#60;script&#62;hit()",
    "&#x3c;script&#x3e;hit()",
    "%3Cscript%3Ehit()%3C/script%3E",
    "\\u003cscript\\u003ehit()",
    "\\x3cscript\\x3ehit()",
    "<scr<script>ipt>hit()</script>",
    "<ScRiPt>hit()</sCrIpT>",
    "<script/x>hit()</script/x>",
    "<!--<script>hit()//-->",
    "<![CDATA[<script>hit()]]>",
    "\u{202e}tpircs\u{202c}",
    "\u{200b}<script\u{200b}>hit()",
    "\u{feff}<b>bold</b>",
    "=HYPERLINK(\"//evil.test\")",
    "'; DROP TABLE partner; --",
    "%s%n%x %00 \\0",
    "../../etc/passwd?#&=;",
];

/// What no page may contain, whatever it shows.
const FOREIGN: &str = "[...document.querySelectorAll('*')].filter((part) => \
    part.getAttributeNames().some((name) => name.startsWith('on')) \
    || (/^(script|link)$/i.test(part.tagName) && new URL(part.src || part.href).origin !== location.origin) \
    || /^(style|iframe|object|embed|base|video|math|b-|body-)$/i.test(part.tagName) \
    || (part.tagName === 'A' && !/^https?:/.test(part.href))).map((part) => part.outerHTML.slice(0, 200))";

/// Every text, as many in one as fit into the shortest field.
fn packs() -> Vec<String> {
    let of_end = |end: &&str| BEGINNINGS.map(|beginning| format!("{end}{beginning}"));
    let all = ENDS.iter().flat_map(of_end).chain(OTHERS.map(str::to_owned));
    let mut packs = vec![String::new()];
    let mut count = 0;
    for text in all {
        count += 1;
        match packs.last_mut().filter(|last| last.chars().count() + text.chars().count() < 97) {
            Some(last) => last.push_str(&text),
            None => packs.push(text),
        }
    }
    assert_eq!(count, 200);
    packs
}

/// Stores a text in every field of the API that takes one.
async fn store(merchant: &Merchant, number: usize, text: &str, click: &str) {
    let rate = json!({ "type": "percentage", "rate_bps": 1_000 });
    let program = merchant.make("/programs", json!({ "name": text, "commission": rate })).await;
    let email = format!("p{number}@partner.example");
    let partner = merchant.make("/partners", json!({ "name": text, "email": email })).await;
    let status = if number.is_multiple_of(2) { "pending" } else { "rejected" };
    let enrollment = json!({ "program_id": program, "partner_id": partner, "status": status, "note": text });
    merchant.make("/enrollments", enrollment).await;
    merchant.make("/api-keys", json!({ "name": text, "kind": "publishable" })).await;
    let sale = json!({ "click_id": click, "external_transaction_id": format!("{number}{text}"),
        "event_type": text, "amount_cents": 100, "currency": "usd", "customer_external_id": text });
    merchant.post("/conversions", sale).await;
}

/// Reports a text in every field that a page may fill.
async fn report(client: &reqwest::Client, merchant: &Merchant, number: usize, text: &str, click: &str) {
    let lead = json!({ "eventName": text, "customerExternalId": format!("{number}{text}"), "clickId": click,
        "customerName": text, "metadata": { text: text } });
    let claim = json!({ "eventName": text, "customerExternalId": format!("c{number}{text}"), "clickId": click,
        "amount": 100, "currency": "usd", "externalTransactionId": format!("c{number}{text}") });
    for (path, body) in [("lead", lead), ("conversion", claim)] {
        let request = client.post(format!("{}/api/track/{path}", merchant.origin));
        let key = merchant.publishable_key();
        let answer = request.header("x-publishable-key", key).json(&body).send().await;
        assert!(answer.is_ok_and(|answer| answer.status().is_success()), "{path} {body}");
    }
}

#[tokio::test]
async fn no_text_becomes_code_on_any_page() {
    let Some(browser) = Browser::open().await else { return };
    let server = Server::start().await;
    let merchant = server.merchant("Kettle & Leaf");
    let endpoint = merchant.endpoint().await;
    let terms = merchant.terms(2_000, "ada", "https://shop.example/").await;
    let client =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let packs = packs();
    for (number, text) in packs.iter().enumerate() {
        let click = merchant.click(&terms.link).await;
        store(&merchant, number, text, &click).await;
        report(&client, &merchant, number, text, &click).await;
        let page = format!("https://blog.example/?q={}", text.replace(|char: char| !char.is_ascii(), "?"));
        let visit = client
            .get(format!("{}/s/ada", merchant.origin))
            .header("referer", page)
            .header("user-agent", "Mozilla/5.0");
        assert_eq!(visit.send().await.expect("an answer").status(), 302);
        let mut object = session(&format!("hostile_{number}"), 1_000, &click);
        object["metadata"] = json!({ text: text, "tracCustomerExternalId": format!("s{number}{text}") });
        object["customer_details"] = json!({ "email": format!("b{number}@mail.example"), "name": text });
        object["client_reference_id"] = if number.is_multiple_of(3) { json!(text) } else { json!(click) };
        let id = format!("evt_hostile_{number}");
        let event = envelope(&id, "checkout.session.completed", now(), &object);
        assert_eq!(endpoint.deliver(&event).await.status, 200);
    }
    let first = packs.first().expect("a text");
    let renamed = merchant.ask(reqwest::Method::PATCH, "/workspace", Some(json!({ "name": first }))).await;
    assert_eq!(renamed.status, 200, "{}", renamed.body);

    let mut faults = Faults::default();
    Faults::watch(&browser).await;
    browser.begin_with("window.hit = () => window.seen.errors.push('a text ran');").await;
    browser.resize(390, 844).await;
    sign_up(&browser, &merchant, [first, "mara@kettle.example", "correct horse battery"]).await;
    let mut tour = Tour::of(&merchant.origin);
    let mut pages = 0;
    while let Some(Stop { url, kind }) = tour.next_stop() {
        browser.visit(&url).await;
        tour.look_around(&browser).await;
        pages += 1;
        if !kind.contains(['{', '?'])
            && browser.js("document.querySelector('a[rel=next]') !== null").await == true
        {
            tour.add(&format!("{url}?page=2"));
        }
        faults.listen(&browser, &kind).await;
        let page = browser
            .js(&format!(
                "[{FOREIGN}, document.documentElement.scrollWidth - document.body.offsetWidth, \
            document.querySelector('main h1') !== null]"
            ))
            .await;
        if page != json!([[], 0, true]) {
            faults.add(&kind, &page.to_string());
        }
    }
    say(&format!("{} texts in {} rows on {pages} pages", 200, packs.len()));
    assert!(faults.found.is_empty(), "{}", faults.found.join("\n"));
    let bad = json!({ "program_id": terms.program, "partner_id": terms.partner, "destination": "javascript:hit()" });
    let refused = merchant.ask(reqwest::Method::POST, "/links", Some(bad)).await;
    assert_eq!(
        (refused.status, refused.body.pointer("/error/code")),
        (422, Some(&Value::from("VALIDATION_FAILED")))
    );
}
