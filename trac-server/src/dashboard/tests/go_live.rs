//! From test mode to live mode, without a terminal.

use std::collections::BTreeMap;

use serde_json::json;

use super::acts::{Browser, location};
use super::shown::busy_with;
use crate::testing::app::App;
use crate::testing::person::{add_person, sign_in};

#[tokio::test(flavor = "multi_thread")]
async fn a_person_sees_what_is_copied_and_copies_it_once() {
    let app = App::new();
    let (test, live) = app.both_modes().await;
    let (program, partner) = test.program_and_partner().await;
    let to = |slug: &str, page: &str| json!({ "program_id": program, "partner_id": partner, "slug": slug, "destination": page });
    test.make("/links", to("ada", "https://buy.stripe.com/test_1")).await;
    let old = json!({ "name": "Of yesterday", "status": "archived", "commission": { "type": "percentage", "rate_bps": 1 } });
    test.make("/programs", old).await;
    let browser = Browser::open(&app, &live).await;
    let page = browser.get("go-live").await;
    let html = page.body.as_str().unwrap();
    assert_eq!(page.status, 200, "{html}");
    for text in ["Friends", "Of yesterday", "it is archived", "it leads to a Payment Link of test mode"] {
        assert!(html.contains(text), "{text}: {html}");
    }
    assert!(
        html.contains("What live mode still needs") && html.contains("signature can be checked"),
        "{html}"
    );
    assert!(html.contains(">Copy to live mode</button>"), "{html}");
    assert_eq!(live.get("/programs").await.number("/meta/total"), 0);

    let mut fields = browser.fields("go-live").await;
    fields.insert("mode".to_owned(), "test".to_owned());
    assert_eq!(browser.send("go-live", &fields).await.status, 409, "the mode was switched meanwhile");
    assert_eq!(live.get("/programs").await.number("/meta/total"), 0);
    assert_eq!(location(&browser.act("go-live", &[]).await), "go-live?copied=4");
    assert_eq!(live.get("/links").await.column("slug"), ["ada"]);
    let page = browser.get("go-live?copied=4").await;
    let html = page.body.as_str().unwrap();
    assert!(
        html.contains("The copy was made.") && html.contains("Nothing: all of it is in live mode"),
        "{html}"
    );
    assert!(!html.contains(">Copy to live mode</button>"), "{html}");
    fields.insert("mode".to_owned(), "live".to_owned());
    assert_eq!(location(&browser.send("go-live", &fields).await), "go-live?copied=0");
    // A test key, which opens the dashboard while there are no people, may not.
    let browser = Browser::open(&app, &test).await;
    assert_eq!(browser.get("go-live").await.status, 403);
    fields.insert("mode".to_owned(), "test".to_owned());
    assert_eq!(browser.send("go-live", &fields).await.status, 403);
    assert_eq!(live.get("/programs").await.number("/meta/total"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_owners_and_managers_copy_and_their_names_are_recorded() {
    let app = App::new();
    let (test, live) = app.both_modes().await;
    test.program_and_partner().await;
    for role in ["viewer", "support", "finance", "manager"] {
        let person = add_person(&app, &test.workspace_id, role).await;
        let cookie = sign_in(&app, &person).await;
        let browser = Browser { app: &app, cookie };
        let page = browser.get("go-live").await;
        let may = role == "manager";
        assert_eq!(page.status, 200, "{}", page.body);
        let html = page.body.as_str().unwrap();
        assert!(html.contains("Friends"), "{role}: {html}");
        assert_eq!(html.contains(">Copy to live mode</button>"), may, "{role}");
        assert!(html.contains("class=\"mode mode-test\""), "a person of test mode: {html}");
        let sent = browser.send("go-live", &BTreeMap::from([("mode".to_owned(), "test".to_owned())])).await;
        assert_eq!(sent.status, if may { 303 } else { 403 }, "{role}: {}", sent.body);
        assert_eq!(live.get("/programs").await.number("/meta/total"), i64::from(may), "{role}");
        if may {
            let actor = live.get("/activity?action=program.created").await.body["data"][0]["actor"].clone();
            assert_eq!((&actor["kind"], &actor["id"]), (&json!("person"), &json!(person.id)));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_set_up_of_test_mode_leads_there_once_all_steps_are_done() {
    let app = App::new();
    let shop = busy_with(&app, "<b>Ada</b>").await;
    let person = add_person(&app, &shop.merchant.workspace_id, "owner").await;
    let browser = Browser { app: &app, cookie: sign_in(&app, &person).await };
    let page = browser.get("setup").await;
    let steps = shop.merchant.get("/setup").await;
    let steps = steps.body["steps"].as_array().unwrap();
    let html = page.body.as_str().unwrap();
    assert!(steps.iter().all(|step| step["status"] == "done"), "{steps:?}");
    assert!(html.contains("href=\"../dashboard/go-live\">Go live</a>"), "{html}");
    // Names of test mode are shown as text.
    let page = browser.get("go-live").await;
    let html = page.body.as_str().unwrap();
    assert!(html.contains("&#60;b&#62;Ada") && !html.contains("<b>Ada"), "{html}");

    let other = App::new();
    let fresh = other.merchant().await;
    let person = add_person(&other, &fresh.workspace_id, "owner").await;
    let browser = Browser { app: &other, cookie: sign_in(&other, &person).await };
    let page = browser.get("setup").await;
    assert!(!page.body.as_str().unwrap().contains("go-live"), "{}", page.body);
}
