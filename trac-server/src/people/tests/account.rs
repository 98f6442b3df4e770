//! The account page.

use super::{actions, html, status};
use crate::testing::app::App;
use crate::testing::person::{PASSWORD, add_person, post_form, sign_in};

#[tokio::test]
async fn a_password_is_changed_with_the_old_one_and_ends_the_other_sessions() {
    let app = App::new();
    let merchant = app.merchant().await;
    let ada = add_person(&app, &merchant.workspace_id, "viewer").await;
    let (own, other) = (sign_in(&app, &ada).await, sign_in(&app, &ada).await);
    let change = async |old: &str, new: &str| {
        let fields = [("act", "password"), ("current", old), ("password", new)];
        post_form(&app, "/dashboard/account", &fields, &own).await
    };
    let wrong = change("wrong horse battery", "a new battery staple").await;
    assert_eq!(wrong.status, 422);
    assert!(html(&wrong).contains("is not your password"));
    assert_eq!(change(PASSWORD, "too short").await.status, 422);
    assert_eq!(change(PASSWORD, &ada.email).await.status, 422);
    let changed = change(PASSWORD, "a new battery staple").await;
    assert_eq!((changed.status.as_u16(), changed.header("location")), (303, "account?done=password"));
    assert_eq!(
        (status(&app, "/dashboard/account", &own).await, status(&app, "/dashboard/account", &other).await),
        (200, 303)
    );
    let old = [("email", ada.email.as_str()), ("password", PASSWORD)];
    assert_eq!(post_form(&app, "/dashboard/login", &old, "").await.status, 401);
    let actions = actions(&app, &merchant).await;
    assert!(actions.contains(&"person person.password_changed".to_owned()), "{actions:?}");
    let log = merchant.get("/activity?limit=100").await.body.to_string();
    assert!(!log.contains("argon2") && !log.contains("staple"), "{log}");
}

#[tokio::test]
async fn name_and_language_are_changed() {
    let app = App::new();
    let merchant = app.merchant().await;
    let ada = add_person(&app, &merchant.workspace_id, "viewer").await;
    let cookie = sign_in(&app, &ada).await;
    let page = async || app.visit("/dashboard/account?done=profile", &[("cookie", &cookie)]).await;
    assert!(html(&page().await).contains("<html lang=\"en\">"));
    let set = async |name: &str, language: &str| {
        let fields = [("act", "profile"), ("name", name), ("language", language)];
        post_form(&app, "/dashboard/account", &fields, &cookie).await.status.as_u16()
    };
    assert_eq!((set("", "de").await, set("Ada", "fr").await), (422, 422));
    assert_eq!(set("<b>Ada</b>", "de").await, 303);
    let shown = page().await;
    assert!(
        html(&shown).contains("<html lang=\"de\">") && !html(&shown).contains("<b>Ada"),
        "{}",
        shown.body
    );
    assert_eq!(merchant.get("/people").await.column("name"), [serde_json::json!("<b>Ada</b>")]);
    let change = merchant.get("/activity?action=person.changed").await;
    assert_eq!(
        change.body["data"][0]["after"],
        serde_json::json!({ "name": "<b>Ada</b>", "language": "de" })
    );
}

#[tokio::test]
async fn sessions_are_listed_and_ended_by_their_person_alone() {
    let app = App::new();
    let merchant = app.merchant().await;
    let (ada, eve) = (
        add_person(&app, &merchant.workspace_id, "viewer").await,
        add_person(&app, &merchant.workspace_id, "viewer").await,
    );
    let (own, other, third) =
        (sign_in(&app, &ada).await, sign_in(&app, &ada).await, sign_in(&app, &ada).await);
    let of_eve = sign_in(&app, &eve).await;
    let page = app.visit("/dashboard/account", &[("cookie", &own)]).await;
    let page = html(&page);
    assert_eq!(page.matches("Firefox on Linux").count(), 3);
    assert!(page.contains("127.0.0.1"));
    let ids: Vec<_> =
        page.split("name=\"id\" value=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(ids.len(), 2, "the own session has no button");
    let end = async |cookie: &str, id: &str| {
        let fields = [("act", "session"), ("id", id)];
        post_form(&app, "/dashboard/account", &fields, cookie).await.status.as_u16()
    };
    let open = async || {
        let mut open = Vec::new();
        for cookie in [&own, &other, &third] {
            open.push(status(&app, "/dashboard/account", cookie).await == 200);
        }
        open
    };
    assert_eq!(end(&of_eve, ids[0]).await, 303, "a session that has ended, or is of another person");
    assert_eq!(open().await, [true, true, true]);
    assert_eq!(end(&own, ids[0]).await, 303);
    assert_eq!(end(&own, ids[0]).await, 303, "it has ended already");
    assert_eq!(open().await.iter().filter(|open| **open).count(), 2);
    post_form(&app, "/dashboard/account", &[("act", "sessions")], &own).await;
    assert_eq!(open().await, [true, false, false]);
    assert_eq!(status(&app, "/dashboard/account", &of_eve).await, 200);
    assert_eq!(post_form(&app, "/dashboard/account", &[("act", "any")], &own).await.status, 404);
}
