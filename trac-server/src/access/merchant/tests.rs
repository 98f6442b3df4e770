use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Request;
use trac_core::program::Mode;

use super::*;
use crate::access::ActorKind;
use crate::access::role::Role::{Finance, Manager, Owner, Support, Viewer};
use crate::openapi::operations::{Caller, OPERATIONS};
use crate::testing::app::App;

/// The role that is needed at least for each call: the method, the beginning of the path after `/api/v1`, and the role.
const LEAST: &[(&str, &str, Role)] = &[
    ("GET", "/programs", Viewer),
    ("POST", "/programs", Manager),
    ("POST", "/programs/{id}/preview", Viewer),
    ("PATCH", "/programs", Manager),
    ("DELETE", "/programs", Manager),
    ("GET", "/partners", Viewer),
    ("POST", "/partners", Manager),
    ("PATCH", "/partners", Manager),
    ("DELETE", "/partners", Manager),
    ("GET", "/enrollments", Viewer),
    ("POST", "/enrollments", Manager),
    ("PATCH", "/enrollments", Manager),
    ("DELETE", "/enrollments", Manager),
    ("GET", "/links", Viewer),
    ("POST", "/links", Manager),
    ("PATCH", "/links", Manager),
    ("DELETE", "/links", Manager),
    ("GET", "/clicks", Viewer),
    ("POST", "/clicks", Manager),
    ("GET", "/conversions", Viewer),
    ("POST", "/conversions", Manager),
    ("PATCH", "/conversions", Manager),
    ("GET", "/customers", Viewer),
    ("POST", "/customers/{id}/reassign", Manager),
    ("DELETE", "/customers/{id}/reassign", Manager),
    ("GET", "/leads", Viewer),
    ("PATCH", "/leads", Manager),
    ("GET", "/commissions", Viewer),
    ("PATCH", "/commissions", Finance),
    ("POST", "/adjustments", Finance),
    ("GET", "/balances", Viewer),
    ("GET", "/payouts", Viewer),
    ("POST", "/payouts", Finance),
    ("GET", "/events", Viewer),
    ("POST", "/events/{id}/replay", Manager),
    ("POST", "/events/{id}/link", Manager),
    ("GET", "/attributions", Viewer),
    ("GET", "/explain", Viewer),
    ("POST", "/explain", Viewer),
    ("GET", "/refusals", Viewer),
    ("GET", "/activity", Viewer),
    ("GET", "/webhook-endpoints", Viewer),
    ("POST", "/webhook-endpoints", Manager),
    ("PATCH", "/webhook-endpoints", Manager),
    ("GET", "/setup", Viewer),
    ("POST", "/setup", Manager),
    ("GET", "/go-live", Viewer),
    ("POST", "/go-live", Manager),
    ("GET", "/people", Viewer),
    ("PATCH", "/people", Owner),
    ("DELETE", "/people", Owner),
    ("GET", "/mails", Viewer),
    ("POST", "/mails", Manager),
    ("GET", "/invitations", Viewer),
    ("POST", "/invitations", Owner),
    ("DELETE", "/invitations", Owner),
    ("GET", "/workspace", Viewer),
    ("PATCH", "/workspace", Manager),
    ("GET", "/analytics", Viewer),
    ("GET", "/api-keys", Viewer),
    ("POST", "/api-keys", Owner),
    ("PATCH", "/api-keys", Owner),
    ("DELETE", "/api-keys", Owner),
];

/// The roles, the one that may do least first.
const ROLES: [Role; 5] = [Viewer, Support, Finance, Manager, Owner];

/// Calls the API as a person with a role. Returns the status and the code of the error, if it is one.
async fn call(app: &App, scope: &Scope, role: Role, method: &str, path: &str) -> (u16, String) {
    let actor = Actor { kind: ActorKind::Person, id: "per_1".to_owned(), name: "Pat".to_owned() };
    let caller = Merchant { scope: scope.clone(), actor, role };
    let request = Request::builder().method(method).uri(format!("/api/v1{path}")).extension(caller);
    let answer = app.send(request.body(Body::from("{}")).unwrap()).await;
    let code = answer.body.pointer("/error/code").and_then(serde_json::Value::as_str).unwrap_or_default();
    (answer.status.as_u16(), code.to_owned())
}

#[tokio::test]
async fn every_call_needs_the_role_of_the_table() {
    let app = App::new();
    let merchant = app.merchant().await;
    let scope = Scope::new(&merchant.workspace_id, Mode::Test);
    let check = async |method: &str, path: &str, least: Role| {
        let place = |role: Role| ROLES.iter().position(|one| *one == role).unwrap();
        for role in ROLES {
            let (status, code) = call(&app, &scope, role, method, &path.replace("{id}", "none_0")).await;
            let at = format!("{method} {path} as {}: {status} {code}", role.as_str());
            assert_ne!(status, 401, "{at}");
            // Support rehearses, and finance, which may do other things, does not.
            let is_refused = place(role) < place(least) || (least, role) == (Support, Finance);
            assert_eq!(status == 403, is_refused, "{at}");
            assert_eq!(status == 403, code == "FORBIDDEN", "{at}");
        }
    };
    let mut used = BTreeSet::new();
    for operation in OPERATIONS.iter().filter(|operation| operation.caller == Caller::Merchant) {
        let (method, path) = (operation.method, operation.path.trim_start_matches("/api/v1"));
        let fits = |prefix: &str| {
            path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let rows = LEAST.iter().filter(|(of, prefix, _)| *of == method && fits(prefix));
        // The row of a path itself goes before that of the path that it begins with.
        let row = rows.max_by_key(|(_, prefix, _)| prefix.len());
        let (_, prefix, least) = row.unwrap_or_else(|| panic!("no row for {method} {path}"));
        used.insert((method, *prefix));
        check(method, path, *least).await;
    }
    assert_eq!(used.len(), LEAST.len(), "a row of the table has no operation");
    for (query, least) in [
        ("dry_run=1", Support),
        ("rules=now&dry_run=true", Support),
        ("dry_run=0", Manager),
        ("dry_run=2", Manager),
        ("dry_run=", Support),
        ("rules=now", Manager),
    ] {
        check("POST", &format!("/events/{{id}}/replay?{query}"), least).await;
    }
}

#[tokio::test]
async fn a_person_is_the_actor_of_a_change() {
    let app = App::new();
    let merchant = app.merchant().await;
    let scope = Scope::new(&merchant.workspace_id, Mode::Test);
    assert_eq!(call(&app, &scope, Viewer, "PATCH", "/workspace").await.0, 403);
    let actor = Actor { kind: ActorKind::Person, id: "per_1".to_owned(), name: "Pat".to_owned() };
    let caller = Merchant { scope, actor, role: Manager };
    let request = Request::post("/api/v1/partners").extension(caller);
    let made = app.send(request.body(Body::from(r#"{"name":"Ada"}"#)).unwrap()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let listed = merchant.get("/activity").await;
    let want = serde_json::json!({ "kind": "person", "id": "per_1", "name": "Pat" });
    assert_eq!(listed.column("actor"), [want]);
    assert_eq!(listed.column("action"), ["partner.created"]);
}
