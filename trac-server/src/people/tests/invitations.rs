//! Invitations: by the API and by the page, accepted once.

use serde_json::json;

use super::{actions, html, input};
use crate::testing::app::{Answer, App, Merchant};
use crate::testing::person::{PASSWORD, add_person, cookie_of, post_form, sign_in};
use crate::testing::shop::DAY;

/// Makes an invitation; returns its ID and token.
async fn invite(merchant: &Merchant<'_>, email: &str, role: &str) -> (String, String) {
    let made = merchant.post("/invitations", json!({ "email": email, "role": role })).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let token = made.text("/url").split_once("/dashboard/join?token=").unwrap().1.to_owned();
    (made.text("/id"), token)
}

async fn join(app: &App, token: &str, cookie: &str) -> Answer {
    post_form(app, "/dashboard/join", &[("token", token), ("name", "Grace"), ("password", PASSWORD)], cookie)
        .await
}

async fn status_of(merchant: &Merchant<'_>, id: &str) -> String {
    merchant.get(&format!("/invitations/{id}")).await.text("/status")
}

#[tokio::test]
async fn a_new_person_joins_with_the_role_of_the_invitation() {
    let app = App::new();
    let merchant = app.merchant().await;
    add_person(&app, &merchant.workspace_id, "owner").await;
    let (id, token) = invite(&merchant, "Grace@Example.com", "finance").await;
    let listed = merchant.get("/invitations").await;
    assert!(!listed.body.to_string().contains(&token), "the token is shown once");
    let page = app.visit(&format!("/dashboard/join?token={token}"), &[]).await;
    assert!(html(&page).contains("A shop") && html(&page).contains("grace@example.com"), "{}", page.body);
    let fields = [("token", token.as_str()), ("name", ""), ("password", "short")];
    let invalid = post_form(&app, "/dashboard/join", &fields, "").await;
    assert_eq!((invalid.status.as_u16(), html(&invalid).matches("aria-invalid").count()), (422, 2));
    let joined = join(&app, &token, "").await;
    assert_eq!((joined.status.as_u16(), joined.header("location")), (303, "../dashboard"));
    let page = app.visit("/dashboard/account", &[("cookie", &cookie_of(&joined))]).await;
    assert!(html(&page).contains("grace@example.com"));
    assert_eq!(status_of(&merchant, &id).await, "accepted");
    let people = merchant.get("/people?email=grace@example.com").await;
    assert_eq!(
        (people.column("role"), people.column("name")),
        (vec![json!("finance")], vec![json!("Grace")])
    );
    assert_eq!(join(&app, &token, "").await.status, 410, "used");
    assert_eq!(app.visit(&format!("/dashboard/join?token={token}"), &[]).await.status, 410);
    let revoked = merchant.delete(&format!("/invitations/{id}")).await;
    assert_eq!(revoked.code(), (409, "INVITATION_ACCEPTED".to_owned()));
    let again = merchant.post("/invitations", json!({ "email": "grace@example.com", "role": "owner" })).await;
    assert_eq!(again.code(), (409, "ALREADY_MEMBER".to_owned()));
    let want = ["key invitation.created", "person person.joined", "person session.began"];
    assert_eq!(actions(&app, &merchant).await, want);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_that_is_accepted_twice_at_once_makes_one_person() {
    let app = App::new();
    let merchant = app.merchant().await;
    let (_, token) = invite(&merchant, "grace@example.com", "owner").await;
    let (one, two, three) =
        tokio::join!(join(&app, &token, ""), join(&app, &token, ""), join(&app, &token, ""));
    let mut all = [&one, &two, &three].map(|answer| answer.status.as_u16());
    all.sort_unstable();
    assert_eq!(all[0], 303, "{all:?}");
    assert!(all[1..].iter().all(|status| matches!(status, 409 | 410)), "{all:?}");
    assert_eq!(merchant.get("/people").await.number("/meta/total"), 1);
}

#[tokio::test]
async fn an_expired_revoked_or_replaced_invitation_is_not_valid() {
    let app = App::new();
    let merchant = app.merchant().await;
    let (first, replaced) = invite(&merchant, "grace@example.com", "owner").await;
    let (second, revoked) = invite(&merchant, "grace@example.com", "viewer").await;
    assert_eq!(status_of(&merchant, &first).await, "revoked");
    assert_eq!(join(&app, &replaced, "").await.status, 410);
    let answer = merchant.delete(&format!("/invitations/{second}")).await;
    assert_eq!((answer.status.as_u16(), answer.text("/status")), (200, "revoked".to_owned()));
    assert_eq!(join(&app, &revoked, "").await.status, 410);
    let (third, expired) = invite(&merchant, "grace@example.com", "viewer").await;
    app.trac.clock.advance(7 * DAY);
    assert_eq!(status_of(&merchant, &third).await, "expired");
    assert_eq!(join(&app, &expired, "").await.status, 410);
    assert_eq!(join(&app, "unknown", "").await.status, 410);
    assert_eq!(merchant.get("/people").await.number("/meta/total"), 0);
}

#[tokio::test]
async fn a_person_of_another_workspace_signs_in_to_join() {
    let app = App::new();
    let (first, second) = (app.merchant().await, app.merchant().await);
    let ada = add_person(&app, &first.workspace_id, "owner").await;
    let (_, token) = invite(&second, &ada.email, "support").await;
    let page = app.visit(&format!("/dashboard/join?token={token}"), &[]).await;
    assert_eq!(input(html(&page), "invitation"), token);
    assert_eq!(join(&app, &token, "").await.status, 409, "a new account for the address is not made");
    let wrong = [("email", ada.email.as_str()), ("password", "wrong"), ("invitation", &token)];
    let wrong = post_form(&app, "/dashboard/login", &wrong, "").await;
    assert_eq!((wrong.status.as_u16(), input(html(&wrong), "invitation")), (401, token.clone()));
    let right = [("email", ada.email.as_str()), ("password", PASSWORD), ("invitation", &token)];
    let right = post_form(&app, "/dashboard/login", &right, "").await;
    assert_eq!(right.status, 303);
    assert_eq!(second.get("/people").await.column("role"), [json!("support")]);
    let page = app.visit("/dashboard/people", &[("cookie", &cookie_of(&right))]).await;
    assert!(!html(&page).contains("value=\"invite\""), "the session is in the workspace of the invitation");
}

#[tokio::test]
async fn an_invitation_is_not_for_another_person() {
    let app = App::new();
    let (first, second) = (app.merchant().await, app.merchant().await);
    let (ada, eve) = (
        add_person(&app, &first.workspace_id, "owner").await,
        add_person(&app, &first.workspace_id, "viewer").await,
    );
    let (_, token) = invite(&second, &ada.email, "owner").await;
    let other = sign_in(&app, &eve).await;
    let page = app.visit(&format!("/dashboard/join?token={token}"), &[("cookie", &other)]).await;
    assert!(html(&page).contains(&eve.email) && html(&page).contains(&ada.email), "{}", page.body);
    assert_eq!(join(&app, &token, &other).await.status, 403);
    let stolen = [("email", eve.email.as_str()), ("password", PASSWORD), ("invitation", &token)];
    assert_eq!(
        post_form(&app, "/dashboard/login", &stolen, "").await.status,
        303,
        "signed in, without joining"
    );
    assert_eq!(second.get("/people").await.number("/meta/total"), 0);
    let own = sign_in(&app, &ada).await;
    assert_eq!(join(&app, &token, &own).await.status, 303);
    assert_eq!(second.get("/people").await.column("email"), [json!(ada.email)]);
}

#[tokio::test]
async fn a_person_without_a_workspace_joins_again_by_an_invitation_only() {
    let app = App::new();
    let merchant = app.merchant().await;
    add_person(&app, &merchant.workspace_id, "owner").await;
    let ada = add_person(&app, &merchant.workspace_id, "viewer").await;
    merchant.delete(&format!("/people/{}", ada.id)).await;
    let fields = [("email", ada.email.as_str()), ("password", PASSWORD)];
    let refused = post_form(&app, "/dashboard/login", &fields, "").await;
    assert_eq!((refused.status.as_u16(), refused.header("set-cookie")), (401, ""));
    assert!(html(&refused).contains("member of no workspace"), "{}", refused.body);
    let (_, token) = invite(&merchant, &ada.email, "manager").await;
    let fields = [("email", ada.email.as_str()), ("password", PASSWORD), ("invitation", &token)];
    assert_eq!(post_form(&app, "/dashboard/login", &fields, "").await.status, 303);
}

#[tokio::test]
async fn the_first_account_of_a_workspace_may_be_that_of_another() {
    let app = App::new();
    let (first, second) = (app.merchant().await, app.merchant().await);
    let ada = add_person(&app, &first.workspace_id, "viewer").await;
    let by_key = cookie_of(&post_form(&app, "/dashboard/login", &[("key", &second.key)], "").await);
    let fields = [("name", "Ada"), ("email", ada.email.as_str()), ("password", PASSWORD)];
    let answer = post_form(&app, "/dashboard/welcome", &fields, &by_key).await;
    let to = answer.header("location");
    let token = to.strip_prefix("join?token=").unwrap_or_else(|| panic!("{to}"));
    let fields = [("email", ada.email.as_str()), ("password", PASSWORD), ("invitation", token)];
    assert_eq!(post_form(&app, "/dashboard/login", &fields, &by_key).await.status, 303);
    assert_eq!(second.get("/people").await.column("role"), [json!("owner")]);
}

#[tokio::test]
async fn the_response_with_the_url_is_not_stored_for_a_repeated_call() {
    let app = App::new();
    let merchant = app.merchant().await;
    let call = async || {
        let body = json!({ "email": "grace@example.com", "role": "viewer" }).to_string();
        let request = axum::http::Request::post("/api/v1/invitations")
            .header("authorization", format!("Bearer {}", merchant.key))
            .header("idempotency-key", "one");
        app.send(request.body(axum::body::Body::from(body)).unwrap()).await
    };
    assert_eq!(call().await.status, 201);
    assert_eq!(call().await.code(), (409, "IDEMPOTENCY_KEY_IN_USE".to_owned()));
    assert_eq!(merchant.get("/invitations").await.number("/meta/total"), 1);
}
