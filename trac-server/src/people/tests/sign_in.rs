//! Signing in by keys, links and passwords, and the ends of sessions.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use trac_core::program::Mode;

use super::{actions, html, status};
use crate::people::{end_sessions, sessions};
use crate::testing::app::{Answer, App};
use crate::testing::person::{PASSWORD, add_member, add_person, cookie_of, post_form, sign_in};
use crate::testing::shop::DAY;

async fn form(app: &App, path: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
    let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    app.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

/// Logs in with a key; returns the cookie to send.
async fn log_in(app: &App, key: &str) -> String {
    let answer = form(app, "/dashboard/login", &format!("key={key}"), &[]).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "../dashboard"));
    cookie_of(&answer)
}

/// The token of a link of the command line.
async fn link(app: &App, workspace_id: &str, email: Option<&str>) -> String {
    let made = crate::workspace::login_link(&app.trac, workspace_id, Mode::Test, email).await.unwrap();
    made["url"].as_str().unwrap().split_once("?token=").unwrap().1.to_owned()
}

#[tokio::test]
async fn a_secret_key_opens_the_dashboard_of_a_workspace_without_people() {
    let app = App::new();
    let merchant = app.merchant().await;
    let closed = app.visit("/dashboard", &[]).await;
    assert_eq!((closed.status.as_u16(), closed.header("location")), (303, "dashboard/login"));
    let wrong = form(&app, "/dashboard/login", "key=sk_test_0", &[]).await;
    assert_eq!((wrong.status.as_u16(), wrong.header("set-cookie")), (401, ""));

    let answer = form(&app, "/dashboard/login", &format!("key={}", merchant.key), &[]).await;
    let cookie = answer.header("set-cookie");
    assert!(cookie.contains("; HttpOnly; SameSite=Strict; Secure"), "{cookie}");
    let cookie = log_in(&app, &merchant.key).await;
    let page = app.visit("/dashboard/people", &[("cookie", &cookie)]).await;
    assert_eq!(page.status, 200);
    assert!(html(&page).contains("A shop") && html(&page).contains("dashboard/welcome"), "{}", page.body);

    let out = form(&app, "/dashboard/logout", "", &[("cookie", &cookie)]).await;
    assert!(out.header("set-cookie").starts_with("__Host-trac_session=; Path=/; Max-Age=0"));
    assert_eq!(status(&app, "/dashboard/people", &cookie).await, 303);
    let actions = actions(&app, &merchant).await;
    assert_eq!(actions, ["key session.began", "key session.began", "key session.ended"]);
}

#[tokio::test]
async fn once_a_person_joins_keys_and_links_without_a_person_open_nothing() {
    let app = App::new();
    let merchant = app.merchant().await;
    let (by_key, old_link) =
        (log_in(&app, &merchant.key).await, link(&app, &merchant.workspace_id, None).await);
    let by_link = form(
        &app,
        "/dashboard/enter",
        &format!("token={}", link(&app, &merchant.workspace_id, None).await),
        &[],
    )
    .await;
    let by_link = cookie_of(&by_link);
    assert_eq!(
        (status(&app, "/dashboard/people", &by_key).await, status(&app, "/dashboard/people", &by_link).await),
        (200, 200)
    );

    let fields = [("name", "Ada"), ("email", "Ada@Example.com"), ("password", PASSWORD)];
    let created = post_form(&app, "/dashboard/welcome", &fields, &by_key).await;
    assert_eq!((created.status.as_u16(), created.header("location")), (303, "setup"), "{}", created.body);
    let ada = cookie_of(&created);
    assert_ne!(ada, by_key, "a session of a person has a token of its own");
    for ended in [&by_key, &by_link] {
        assert_eq!(status(&app, "/dashboard/people", ended).await, 303);
    }
    let page = app.visit("/dashboard/people", &[("cookie", &ada)]).await;
    assert!(
        html(&page).contains("ada@example.com") && !html(&page).contains("dashboard/welcome"),
        "{}",
        page.body
    );
    let refused = form(&app, "/dashboard/login", &format!("key={}", merchant.key), &[]).await;
    assert_eq!((refused.status.as_u16(), refused.header("set-cookie")), (401, ""));
    assert!(
        html(&refused).contains("a secret key opens no page") && html(&refused).contains("trac login-link")
    );
    let refused = form(&app, "/dashboard/enter", &format!("token={old_link}"), &[]).await;
    assert_eq!((refused.status.as_u16(), refused.header("set-cookie")), (401, ""));
    // The key stays valid for the API.
    let people = merchant.get("/people").await;
    assert_eq!((people.column("role"), people.column("name")), (vec![json!("owner")], vec![json!("Ada")]));
    assert_eq!(actions(&app, &merchant).await.last().unwrap(), "person session.began");
    let again = post_form(&app, "/dashboard/welcome", &fields, &ada).await;
    assert_eq!((again.status.as_u16(), again.header("location")), (303, "../dashboard"));
    assert_eq!(merchant.get("/people").await.number("/meta/total"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_first_persons_at_once_one_becomes_the_owner() {
    let app = App::new();
    let merchant = app.merchant().await;
    let cookies = [log_in(&app, &merchant.key).await, log_in(&app, &merchant.key).await];
    let create = async |number: usize| {
        let email = format!("person{number}@example.com");
        let fields = [("name", "Ada"), ("email", email.as_str()), ("password", PASSWORD)];
        post_form(&app, "/dashboard/welcome", &fields, &cookies[number]).await.header("location").to_owned()
    };
    let (one, other) = tokio::join!(create(0), create(1));
    let mut to = [one, other];
    to.sort();
    assert_eq!(to, ["login", "setup"]);
    assert_eq!(merchant.get("/people").await.number("/meta/total"), 1);
}

#[tokio::test]
async fn an_invalid_first_account_is_422_with_the_errors_at_their_fields() {
    let app = App::new();
    let merchant = app.merchant().await;
    let cookie = log_in(&app, &merchant.key).await;
    let check = async |fields: [(&str, &str); 3], wrong: &[&str]| {
        let answer = post_form(&app, "/dashboard/welcome", &fields, &cookie).await;
        assert_eq!(answer.status, 422, "{fields:?}");
        let page = html(&answer);
        for name in ["name", "email", "password"] {
            let field = page.split(&format!("id=\"{name}\"")).nth(1).unwrap().split('>').next().unwrap();
            assert_eq!(field.contains("aria-invalid"), wrong.contains(&name), "{name}: {field}");
        }
        assert!(!page.contains(PASSWORD));
    };
    check([("name", ""), ("email", "ada"), ("password", "short")], &["name", "email", "password"]).await;
    check([("name", "Ada"), ("email", "ada@example.com"), ("password", "elevenchars")], &["password"]).await;
    check([("name", "\u{200b}"), ("email", "ada@example.com"), ("password", PASSWORD)], &["name"]).await;
    assert_eq!(merchant.get("/people").await.number("/meta/total"), 0);
}

#[tokio::test]
async fn a_person_signs_in_and_out() {
    let app = App::new();
    let merchant = app.merchant().await;
    let ada = add_person(&app, &merchant.workspace_id, "manager").await;
    let wrong = [("email", ada.email.as_str()), ("password", "wrong horse battery")];
    let answer = post_form(&app, "/dashboard/login", &wrong, "").await;
    assert_eq!((answer.status.as_u16(), answer.header("set-cookie")), (401, ""));
    let unknown = [("email", "nobody@example.com"), ("password", PASSWORD)];
    let other = post_form(&app, "/dashboard/login", &unknown, "").await;
    assert_eq!(other.status, 401);
    let without = |answer: &Answer| html(answer).replace(&ada.email, "").replace("nobody@example.com", "");
    assert_eq!(without(&answer), without(&other), "an unknown account gets the same page");

    let upper = [("email", &*ada.email.to_uppercase()), ("password", PASSWORD)];
    let before = "__Host-trac_session=chosen_by_another";
    let answer = post_form(&app, "/dashboard/login", &upper, before).await;
    let cookie = cookie_of(&answer);
    assert!(cookie.starts_with("__Host-trac_session=") && cookie != before, "no fixation: {cookie}");
    assert_eq!(status(&app, "/dashboard/account", &cookie).await, 200);
    let second = post_form(&app, "/dashboard/login", &upper, &cookie).await;
    assert_eq!(status(&app, "/dashboard/account", &cookie).await, 303, "a sign-in ends the session before");
    let cookie = cookie_of(&second);
    post_form(&app, "/dashboard/logout", &[], &cookie).await;
    assert_eq!(status(&app, "/dashboard/account", &cookie).await, 303);
    // The two failures of the quarter of an hour are one row.
    let want = [
        "system person.sign_in_failed",
        "person session.began",
        "person session.began",
        "person session.ended",
    ];
    assert_eq!(actions(&app, &merchant).await, want);
}

#[tokio::test]
async fn failures_are_recorded_once_for_each_account_and_quarter_of_an_hour() {
    let app = App::new();
    let merchant = app.merchant().await;
    let ada = add_person(&app, &merchant.workspace_id, "owner").await;
    let fail = async || {
        post_form(&app, "/dashboard/login", &[("email", &ada.email), ("password", "wrong")], "").await;
    };
    for _ in 0..4 {
        fail().await;
    }
    app.trac.clock.advance(900);
    fail().await;
    fail().await;
    assert_eq!(actions(&app, &merchant).await, ["system person.sign_in_failed"; 2]);
}

#[tokio::test]
async fn an_empty_or_malformed_form_gets_the_login_page() {
    let app = App::new();
    let check = |answer: Answer, want: u16, at: &str| {
        assert_eq!(answer.status.as_u16(), want, "{at}");
        assert!(answer.header("content-type").starts_with("text/html"), "{at}");
        assert!(html(&answer).contains("id=\"key\"") && html(&answer).contains("id=\"email\""), "{at}");
    };
    for path in ["/dashboard/login", "/dashboard/enter"] {
        check(form(&app, path, "", &[]).await, 401, path);
        check(form(&app, path, "key=a&key=b&token=a&token=b", &[]).await, 401, path);
    }
    for path in ["/dashboard/enter", "/dashboard/enter?token=a&token=b"] {
        check(app.visit(path, &[]).await, 200, path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_redeemed_twice_at_once_opens_one_session() {
    let app = App::new();
    let merchant = app.merchant().await;
    let ada = add_person(&app, &merchant.workspace_id, "owner").await;
    let other = app.merchant().await;
    for token in [
        link(&app, &other.workspace_id, None).await,
        link(&app, &merchant.workspace_id, Some(&ada.email)).await,
    ] {
        let redeem =
            async || post_form(&app, "/dashboard/enter", &[("token", &token)], "").await.status.as_u16();
        let (one, two, three) = tokio::join!(redeem(), redeem(), redeem());
        let mut all = [one, two, three];
        all.sort_unstable();
        assert_eq!(all, [303, 401, 401]);
    }
}

#[tokio::test]
async fn a_link_opens_the_dashboard_once() {
    let app = App::new();
    let created = crate::workspace::create(&app.trac, "A shop").await.unwrap();
    let url = created["dashboard_url"].as_str().unwrap();
    let path = url.strip_prefix("https://track.example.com").unwrap();
    let token = path.split_once("?token=").unwrap().1;
    for _ in 0..2 {
        assert_eq!(app.visit(path, &[]).await.status, 200, "a GET does not redeem the link");
    }
    let entered = form(&app, "/dashboard/enter", &format!("token={token}"), &[]).await;
    assert_eq!((entered.status.as_u16(), entered.header("location")), (303, "../dashboard"));
    let again = form(&app, "/dashboard/enter", &format!("token={token}"), &[]).await;
    assert_eq!((again.status.as_u16(), again.header("set-cookie")), (401, ""));
    assert!(html(&again).contains("<code>trac login-link</code> prints another"), "{}", again.body);
}

#[tokio::test]
async fn a_login_link_names_a_person_once_the_workspace_has_people() {
    let app = App::new();
    let merchant = app.merchant().await;
    let make = async |email: Option<&'static str>| {
        let made = crate::workspace::login_link(&app.trac, &merchant.workspace_id, Mode::Live, email).await;
        made.map(|_| ()).map_err(|error| error.to_string())
    };
    assert!(make(None).await.is_ok());
    assert!(make(Some("ada@example.com")).await.unwrap_err().contains("it has no people yet"));
    let ada = add_person(&app, &merchant.workspace_id, "owner").await;
    let refused = make(None).await.unwrap_err();
    assert!(refused.contains("--email") && refused.contains(&ada.email), "{refused}");
    let refused = make(Some("other@example.com")).await.unwrap_err();
    assert!(refused.contains(&ada.email) && !refused.contains('\n'), "{refused}");

    let token = link(&app, &merchant.workspace_id, Some(&ada.email.to_uppercase())).await;
    let entered = post_form(&app, "/dashboard/enter", &[("token", &token)], "").await;
    let page = app.visit("/dashboard/account", &[("cookie", &cookie_of(&entered))]).await;
    assert!(html(&page).contains(&ada.email));
    let shown = merchant.get("/activity?action=session.began").await;
    assert_eq!(shown.text("/data/0/after/with"), "link of the command line, without the second factor");
}

#[tokio::test]
async fn a_session_ends_after_seven_days() {
    let app = App::new();
    let merchant = app.merchant().await;
    let cookie = log_in(&app, &merchant.key).await;
    for _ in 0..14 {
        app.trac.clock.advance(12 * 3_600);
        assert_eq!(status(&app, "/dashboard/people", &cookie).await, 200);
        // `seen_at` is written after the response.
        app.written().await;
    }
    app.trac.clock.advance(1);
    assert_eq!(status(&app, "/dashboard/people", &cookie).await, 303, "seven days are over");
}

#[tokio::test]
async fn a_session_ends_after_twelve_hours_without_a_page_request() {
    let app = App::new();
    let merchant = app.merchant().await;
    let cookie = log_in(&app, &merchant.key).await;
    // The script of an open page sends this request.
    for _ in 0..12 {
        assert_eq!(status(&app, "/dashboard/changes", &cookie).await, 200);
        app.trac.clock.advance(3_600);
    }
    assert_eq!(status(&app, "/dashboard/changes", &cookie).await, 200);
    app.trac.clock.advance(1);
    assert_eq!(status(&app, "/dashboard", &cookie).await, 303);
}

#[tokio::test]
async fn a_session_ends_with_the_key_that_began_it() {
    let app = App::new();
    let merchant = app.merchant().await;
    let status = async |cookie: &str| status(&app, "/dashboard/people", cookie).await;
    let made = merchant.post("/api-keys", json!({ "kind": "secret" })).await;
    let (by_own, by_made) = (log_in(&app, &merchant.key).await, log_in(&app, &made.text("/key")).await);
    assert_eq!((status(&by_own).await, status(&by_made).await), (200, 200));
    merchant.delete(&format!("/api-keys/{}", made.text("/id"))).await;
    assert_eq!((status(&by_own).await, status(&by_made).await), (200, 303), "revoked");

    let own = merchant.get("/api-keys?kind=secret").await;
    let own =
        own.body["data"].as_array().unwrap().iter().find(|key| key["status"] == "active").unwrap()["id"]
            .clone();
    let path = format!("/api-keys/{}/roll", own.as_str().unwrap());
    let successor = merchant.post(&path, json!({ "overlap_hours": 2 })).await.text("/key");
    assert_eq!(status(&by_own).await, 303, "rolled");
    let (by_old, by_new) = (log_in(&app, &merchant.key).await, log_in(&app, &successor).await);
    app.trac.clock.advance(2 * 3_600 - 1);
    assert_eq!((status(&by_old).await, status(&by_new).await), (200, 200));
    app.trac.clock.advance(1);
    assert_eq!((status(&by_old).await, status(&by_new).await), (303, 200), "the overlap is over");
}

#[tokio::test]
async fn all_sessions_and_links_can_be_ended() {
    let app = App::new();
    let (merchant, other) = (app.merchant().await, app.merchant().await);
    let (cookie, other_cookie) = (log_in(&app, &merchant.key).await, log_in(&app, &other.key).await);
    let status = async |cookie: &str| status(&app, "/dashboard/people", cookie).await;
    let listed = sessions(&app.trac, Some(&merchant.workspace_id)).await.unwrap();
    let kinds: Vec<_> = listed.iter().map(|session| session["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["link", "session"], "{listed:?}");
    assert!(listed[1]["key"].as_str().unwrap().starts_with("sk_test_…"), "{listed:?}");
    assert_eq!(sessions(&app.trac, None).await.unwrap().len(), 4);
    assert_eq!(end_sessions(&app.trac, Some(&merchant.workspace_id)).await.unwrap(), 2);
    assert_eq!((status(&cookie).await, status(&other_cookie).await), (303, 200));
    let ada = add_person(&app, &other.workspace_id, "owner").await;
    let ada_cookie = sign_in(&app, &ada).await;
    let listed = sessions(&app.trac, Some(&other.workspace_id)).await.unwrap();
    assert_eq!(listed.len(), 1, "sessions by keys and links without a person have ended: {listed:?}");
    assert_eq!((&listed[0]["email"], &listed[0]["key"]), (&json!(ada.email), &json!(null)));
    end_sessions(&app.trac, None).await.unwrap();
    assert_eq!(status(&ada_cookie).await, 303);
}

#[tokio::test]
async fn the_cookie_over_https_has_the_host_prefix() {
    let app = App::new();
    let merchant = app.merchant().await;
    let cookie = log_in(&app, &merchant.key).await;
    assert!(cookie.starts_with("__Host-trac_session="), "{cookie}");
    let unprefixed = cookie.replace("__Host-", "");
    assert_eq!(status(&app, "/dashboard/people", &unprefixed).await, 303);
    let plain = App::reached_under("http://track.example.com");
    let merchant = plain.merchant().await;
    let cookie = log_in(&plain, &merchant.key).await;
    assert!(cookie.starts_with("trac_session="), "{cookie}");
    assert_eq!(status(&plain, "/dashboard/people", &cookie).await, 200);
}

#[tokio::test]
async fn a_form_of_another_site_is_refused() {
    let app = App::new();
    let merchant = app.merchant().await;
    let body = format!("key={}", merchant.key);
    let check = async |headers: &[(&str, &str)], want: u16| {
        assert_eq!(form(&app, "/dashboard/login", &body, headers).await.status, want, "{headers:?}");
    };
    check(&[("sec-fetch-site", "same-origin")], 303).await;
    check(&[("sec-fetch-site", "none")], 303).await;
    check(&[("sec-fetch-site", "cross-site")], 403).await;
    check(&[("sec-fetch-site", "same-site")], 403).await;
    check(&[("origin", "https://track.example.com"), ("host", "track.example.com")], 303).await;
    check(&[("origin", "https://evil.example"), ("host", "track.example.com")], 403).await;
    check(&[("origin", "null"), ("host", "track.example.com")], 403).await;
    // Behind a proxy that sets another host, the browser sends the origin of the public URL.
    check(&[("origin", "https://track.example.com"), ("host", "10.0.0.7:8787")], 303).await;
    check(&[("origin", "http://Trac.Internal:8787"), ("host", "trac.internal:8787")], 303).await;
    check(&[("origin", "https://track.example.com.evil.example"), ("host", "10.0.0.7:8787")], 403).await;
    // With `no-referrer`, a browser would send `Origin: null` from our own page too.
    let page = app.visit("/dashboard/login", &[]).await;
    assert_eq!(page.header("referrer-policy"), "same-origin");
    for path in
        ["account", "people", "mode", "workspace", "join", "welcome", "second-factor", "enter", "logout"]
    {
        let answer = form(&app, &format!("/dashboard/{path}"), "", &[("sec-fetch-site", "cross-site")]).await;
        assert_eq!(answer.status, 403, "{path}");
    }
}

#[tokio::test]
async fn pages_have_the_security_policy_labels_and_no_inline_code() {
    let app = App::new();
    let merchant = app.merchant().await;
    let ada = add_person(&app, &merchant.workspace_id, "owner").await;
    let cookie = sign_in(&app, &ada).await;
    let fields = [("act", "second-factor"), ("current", PASSWORD)];
    post_form(&app, "/dashboard/account", &fields, &cookie).await;
    for path in ["login", "enter?token=x", "join?token=x", "account", "people"] {
        let answer = app.visit(&format!("/dashboard/{path}"), &[("cookie", &cookie)]).await;
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'; "), "{path}");
        let page = html(&answer);
        for inline in [" style=", "<style", " onclick", " onload", "javascript:", "<script>"] {
            assert!(!page.contains(inline), "{path}: {inline}");
        }
        let ids = page.split("<input id=\"").skip(1).chain(page.split("<select id=\"").skip(1));
        for id in ids.map(|rest| rest.split('"').next().unwrap()) {
            assert!(page.contains(&format!("for=\"{id}\"")), "{path}: {id} has no label");
        }
    }
    let check = async |path: &str, want: &str| {
        let page = app.visit(path, &[("cookie", &cookie)]).await;
        assert!(html(&page).contains(&format!("autocomplete=\"{want}\"")), "{path}: {want}");
    };
    check("/dashboard/login", "username").await;
    check("/dashboard/login", "current-password").await;
    check("/dashboard/account", "new-password").await;
    check("/dashboard/account", "one-time-code").await;
}

#[tokio::test]
async fn a_person_switches_mode_and_to_own_workspaces_only() {
    let app = App::new();
    let (first, second, foreign) = (app.merchant().await, app.merchant().await, app.merchant().await);
    let ada = add_person(&app, &first.workspace_id, "owner").await;
    add_member(&app, &second.workspace_id, &ada, "viewer").await;
    add_person(&app, &foreign.workspace_id, "owner").await;
    let cookie = sign_in(&app, &ada).await;
    let page = async |path: &str| {
        let page = app.visit(path, &[("cookie", &cookie)]).await;
        assert_eq!(page.status, 200, "{path}");
        html(&page).to_owned()
    };
    assert!(page("/dashboard/people").await.contains("mode-test"));
    let mode = async |mode: &str, back: &str| {
        let answer = post_form(&app, "/dashboard/mode", &[("mode", mode), ("back", back)], &cookie).await;
        (answer.status.as_u16(), answer.header("location").to_owned())
    };
    assert_eq!(mode("live", "/dashboard/people?x=1").await, (303, "../dashboard/people?x=1".to_owned()));
    assert!(page("/dashboard/people").await.contains("mode-live"));
    assert_eq!(mode("test", "https://evil.example/").await, (303, "../dashboard".to_owned()));
    assert_eq!(mode("any", "").await.0, 422);

    let go = async |id: &str| {
        post_form(&app, "/dashboard/workspace", &[("id", id)], &cookie).await.status.as_u16()
    };
    assert_eq!(go(&foreign.workspace_id).await, 404);
    assert!(page("/dashboard/people").await.contains("value=\"role\""), "an owner here");
    assert_eq!(go(&second.workspace_id).await, 303);
    assert!(!page("/dashboard/people").await.contains("value=\"role\""), "a viewer there");
    // The next sign-in opens the workspace that was opened last.
    let cookie = sign_in(&app, &ada).await;
    let page = app.visit("/dashboard/people", &[("cookie", &cookie)]).await;
    assert!(!html(&page).contains("value=\"role\""));
    // A key belongs to one mode.
    let fresh = app.merchant().await;
    let by_key = log_in(&app, &fresh.key).await;
    let answer = post_form(&app, "/dashboard/mode", &[("mode", "live")], &by_key).await;
    assert_eq!(answer.code(), (403, "FORBIDDEN".to_owned()));
    let answer = post_form(&app, "/dashboard/workspace", &[("id", &first.workspace_id)], &by_key).await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn a_person_is_seen() {
    let app = App::new();
    let merchant = app.merchant().await;
    let ada = add_person(&app, &merchant.workspace_id, "owner").await;
    assert_eq!(merchant.get("/people").await.column("last_seen_at"), [json!(null)]);
    let cookie = sign_in(&app, &ada).await;
    app.trac.clock.advance(3_600);
    assert_eq!(status(&app, "/dashboard/people", &cookie).await, 200);
    app.written().await;
    assert_eq!(merchant.get("/people").await.column("last_seen_at"), [json!("2026-11-21T09:00:00Z")]);
    app.trac.clock.advance(8 * DAY);
    assert_eq!(status(&app, "/dashboard/people", &cookie).await, 303);
}
