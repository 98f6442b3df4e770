//! Who opens which page, and who may send which form: every role, and a visitor without a session.

use super::super::acts::ACTS;
use super::shown::{busy, paths};
use crate::access::role::Role;
use crate::testing::app::App;
use crate::testing::person::{add_person, post_form, sign_in};

/// Forms that are no actions: their paths, and the roles that may send them.
const FORMS: [(&str, &[Role]); 4] = [
    ("/dashboard/setup/stripe", &[Role::Owner, Role::Manager]),
    ("/dashboard/setup/script", &[Role::Owner, Role::Manager]),
    ("/dashboard/setup/first-link", &[Role::Owner, Role::Manager]),
    ("/dashboard/why", &Role::ALL),
];

/// What is sent with these forms: each takes what it knows.
const FIELDS: [(&str, &str); 7] = [
    ("mode", "test"),
    ("page", "https://shop.example.com/"),
    ("name", "Partner program"),
    ("commission.rate_bps", "20"),
    ("partner.name", "Paula"),
    ("link.destination", "https://shop.example.com/"),
    ("id", "nobody"),
];

/// The roles that may do an action, by the beginning of its name; the longest beginning counts.
const MAY: [(&str, &[Role]); 5] = [
    ("", &[Role::Owner, Role::Manager]),
    ("adjust", &[Role::Owner, Role::Manager, Role::Finance]),
    ("commission-", &[Role::Owner, Role::Manager, Role::Finance]),
    ("key-", &[Role::Owner]),
    ("payout-", &[Role::Owner, Role::Manager, Role::Finance]),
];

fn may(role: Role, act: &str) -> bool {
    let fitting = MAY.iter().filter(|(beginning, _)| act.starts_with(beginning));
    fitting.max_by_key(|(beginning, _)| beginning.len()).unwrap().1.contains(&role)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_reads_every_page_and_sends_only_its_own_forms() {
    let app = App::new();
    let shop = busy(&app).await;
    let pages = paths(&shop).await;
    let mut forms = Vec::new();
    for act in ACTS {
        let id = match act.about.strip_suffix("/{id}") {
            Some(list) => shop.merchant.get(list).await.text("/data/0/id"),
            None => String::new(),
        };
        forms.push((act.name, format!("/dashboard/{}", act.to(&id))));
    }
    for role in Role::ALL {
        let person = add_person(&app, &shop.merchant.workspace_id, role.as_str()).await;
        let cookie = sign_in(&app, &person).await;
        let switched = post_form(&app, "/dashboard/mode", &[("mode", "test")], &cookie).await;
        assert_eq!(switched.status, 303);
        for path in &pages {
            let page = app.visit(path, &[("cookie", &cookie)]).await;
            let html = page.body.as_str().unwrap();
            assert_eq!(page.status, 200, "{role:?} {path}");
            for (act, _) in forms.iter().filter(|(act, _)| !may(role, act)) {
                let link = format!("dashboard/do/{act}");
                let is_offered = html.contains(&format!("{link}\"")) || html.contains(&format!("{link}?"));
                assert!(!is_offered, "{role:?} is offered {act} on {path}");
            }
        }
        for (act, path) in &forms {
            let want = if may(role, act) { 200 } else { 403 };
            let page = app.visit(path, &[("cookie", &cookie)]).await;
            assert_eq!(page.status.as_u16(), want, "{role:?} {path}: {}", page.body);
            // Without the mode of its page, a form that may be sent changes nothing either.
            let want = if may(role, act) { 409 } else { 403 };
            let sent = post_form(&app, path, &[], &cookie).await;
            assert_eq!(sent.status.as_u16(), want, "{role:?} sends {path}: {}", sent.body);
        }
        for (path, roles) in FORMS {
            let sent = post_form(&app, path, &FIELDS, &cookie).await;
            assert_eq!(sent.status != 403, roles.contains(&role), "{role:?} sends {path}: {}", sent.status);
        }
    }
    for path in pages.iter().chain(forms.iter().map(|(_, path)| path)) {
        let closed = app.visit(path, &[]).await;
        let is_led = closed.status == 303 && closed.header("location").ends_with("login");
        assert!(is_led, "nobody at {path}: {}", closed.status);
    }
    for path in forms.iter().map(|(_, path)| path.as_str()).chain(FORMS.map(|(path, _)| path)) {
        let closed = post_form(&app, path, &[("mode", "test")], "").await;
        let is_led = closed.status == 303 && closed.header("location").ends_with("login");
        assert!(is_led, "nobody sends {path}: {}", closed.status);
    }
}
