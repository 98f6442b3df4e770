//! Which role opens which page and changes what; the last owner.

use serde_json::json;

use super::{actions, html, status};
use crate::testing::app::App;
use crate::testing::person::{add_person, post_form, sign_in};

#[tokio::test]
async fn every_role_reads_the_pages_and_only_an_owner_changes_people() {
    let app = App::new();
    let merchant = app.merchant().await;
    add_person(&app, &merchant.workspace_id, "owner").await;
    for role in ["owner", "manager", "finance", "support", "viewer"] {
        let person = add_person(&app, &merchant.workspace_id, role).await;
        let cookie = sign_in(&app, &person).await;
        for path in ["/dashboard", "/dashboard/people", "/dashboard/account", "/dashboard/activity"] {
            assert_eq!(status(&app, path, &cookie).await, 200, "{role} {path}");
        }
        let page = app.visit("/dashboard/people", &[("cookie", &cookie)]).await;
        let is_owner = role == "owner";
        for act in ["invite", "role", "remove"] {
            assert_eq!(
                html(&page).contains(&format!("name=\"act\" value=\"{act}\"")),
                is_owner,
                "{role} {act}"
            );
        }
        assert!(html(&page).contains("reads everything and changes nothing"), "each role is explained");
        let invite = [("act", "invite"), ("email", "new@example.com"), ("role", "viewer")];
        let answer = post_form(&app, "/dashboard/people", &invite, &cookie).await;
        assert_eq!(answer.status.as_u16(), if is_owner { 200 } else { 403 }, "{role}");
        for act in ["remove", "revoke", "role"] {
            let id = person.id.as_str();
            if (is_owner, act) == (true, "remove") {
                let asked = post_form(&app, "/dashboard/people", &[("act", act), ("id", id)], &cookie).await;
                assert!(asked.status == 200 && html(&asked).contains("Remove a member"), "{}", asked.body);
            }
            let fields = [("act", act), ("id", id), ("role", "viewer"), ("confirmed", "1")];
            let answer = post_form(&app, "/dashboard/people", &fields, &cookie).await;
            let want: &[u16] = if is_owner { &[303, 404] } else { &[403] };
            assert!(want.contains(&answer.status.as_u16()), "{role} {act}: {}", answer.status);
            if is_owner {
                break;
            }
        }
        let welcome = app.visit("/dashboard/welcome", &[("cookie", &cookie)]).await;
        assert_eq!(welcome.header("location"), if is_owner { "login" } else { "../dashboard" }, "{role}");
    }
}

#[tokio::test]
async fn the_last_owner_is_neither_removed_nor_demoted() {
    let app = App::new();
    let (merchant, live) = app.both_modes().await;
    let ada = add_person(&app, &merchant.workspace_id, "owner").await;
    let eve = add_person(&app, &merchant.workspace_id, "manager").await;
    let path = |id: &str| format!("/people/{id}");
    let last = (409, "LAST_OWNER".to_owned());
    assert_eq!(merchant.delete(&path(&ada.id)).await.code(), last);
    assert_eq!(merchant.patch(&path(&ada.id), json!({ "role": "viewer" })).await.code(), last);
    assert_eq!(merchant.patch(&path(&ada.id), json!({ "role": "owner" })).await.status, 200);
    assert_eq!(merchant.patch(&path(&ada.id), json!({ "role": "root" })).await.code().0, 422);
    let cookie = sign_in(&app, &ada).await;
    let fields = [("act", "remove"), ("id", ada.id.as_str()), ("confirmed", "1")];
    let page = post_form(&app, "/dashboard/people", &fields, &cookie).await;
    assert_eq!(page.status, 409);
    assert!(html(&page).contains("This is the last owner"), "{}", page.body);
    assert_eq!(merchant.patch(&path(&eve.id), json!({ "role": "owner" })).await.text("/role"), "owner");
    // Both at once, from both modes: one owner stays.
    let (ada_path, eve_path) = (path(&ada.id), path(&eve.id));
    let (one, other) = tokio::join!(merchant.delete(&ada_path), live.delete(&eve_path));
    let mut both = [one.status.as_u16(), other.status.as_u16()];
    both.sort_unstable();
    assert_eq!(both, [200, 409]);
    assert_eq!(merchant.get("/people").await.column("role"), [json!("owner")]);
}

#[tokio::test]
async fn a_role_counts_from_the_next_request_and_a_removal_ends_the_session() {
    let app = App::new();
    let (merchant, other) = (app.merchant().await, app.merchant().await);
    add_person(&app, &merchant.workspace_id, "owner").await;
    let ada = add_person(&app, &merchant.workspace_id, "owner").await;
    let cookie = sign_in(&app, &ada).await;
    let page = async || app.visit("/dashboard/people", &[("cookie", &cookie)]).await;
    assert!(html(&page().await).contains("value=\"invite\""));
    let path = format!("/people/{}", ada.id);
    assert_eq!(other.delete(&path).await.code(), (404, "NOT_FOUND".to_owned()), "of another workspace");
    merchant.patch(&path, json!({ "role": "viewer" })).await;
    assert!(!html(&page().await).contains("value=\"invite\""));
    let removed = merchant.delete(&path).await;
    assert_eq!(removed.body, json!({ "id": ada.id, "deleted": true }));
    assert_eq!(page().await.status, 303);
    let want = ["person session.began", "key person.changed", "key person.removed"];
    assert_eq!(actions(&app, &merchant).await, want);
    let change = merchant.get("/activity?action=person.changed").await;
    assert_eq!(change.body["data"][0]["before"], json!({ "role": "owner" }));
}
