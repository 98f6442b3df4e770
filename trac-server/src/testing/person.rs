//! People in tests: members of a workspace, who sign in by the forms.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;

use crate::id::{Kind, random_hex};
use crate::store::Priority;
use crate::store::rows::args;
use crate::testing::app::{Answer, App};
use crate::trac::passwords::Source;

/// The password of every person in tests.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// A member of a workspace.
#[derive(Clone, Debug)]
pub(crate) struct TestPerson {
    pub(crate) id: String,
    pub(crate) email: String,
}

/// Stores a new person as a member of a workspace.
pub(crate) async fn add_person(app: &App, workspace_id: &str, role: &'static str) -> TestPerson {
    let id = app.trac.ids.make(Kind::Person);
    let person = TestPerson { id, email: format!("{role}.{}@example.com", random_hex::<4>()) };
    let hash = app.trac.passwords.hash(PASSWORD.to_owned(), Source::Known).await.unwrap();
    let (stored, now) = (person.clone(), app.trac.clock.now());
    let written = app.trac.store.write(Priority::Api, move |tx| {
        let sql = "INSERT INTO person (id, email, name, password, created_at) VALUES (?1, ?2, 'Ada', ?3, ?4)";
        tx.write(sql, args![stored.id, stored.email, hash, now])
    });
    written.await.unwrap();
    add_member(app, workspace_id, &person, role).await;
    person
}

/// Makes a person a member of another workspace.
pub(crate) async fn add_member(app: &App, workspace_id: &str, person: &TestPerson, role: &'static str) {
    let (workspace_id, id, now) = (workspace_id.to_owned(), person.id.clone(), app.trac.clock.now());
    let written = app.trac.store.write(Priority::Api, move |tx| {
        let sql = "INSERT INTO member (workspace_id, person_id, role, since) VALUES (?1, ?2, ?3, ?4)";
        tx.write(sql, args![workspace_id, id, role, now])
    });
    written.await.unwrap();
}

/// Posts a form with a cookie.
pub(crate) async fn post_form(app: &App, path: &str, fields: &[(&str, &str)], cookie: &str) -> Answer {
    post_from(app, path, fields, cookie, [127, 0, 0, 1]).await
}

/// Posts a form with a cookie from an address.
pub(crate) async fn post_from(
    app: &App,
    path: &str,
    fields: &[(&str, &str)],
    cookie: &str,
    address: [u8; 4],
) -> Answer {
    let body = fields.iter().map(|(name, value)| format!("{name}={}", percent_encode(value)));
    let body = body.collect::<Vec<_>>().join("&");
    let request = Request::post(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("cookie", cookie)
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0")
        .extension(ConnectInfo(SocketAddr::from((address, 4_711))));
    app.send(request.body(Body::from(body)).unwrap()).await
}

fn percent_encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// The cookie that a response sets.
pub(crate) fn cookie_of(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

/// Signs in with the password; returns the cookie.
pub(crate) async fn sign_in(app: &App, person: &TestPerson) -> String {
    let answer =
        post_form(app, "/dashboard/login", &[("email", &person.email), ("password", PASSWORD)], "").await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "../dashboard"), "{}", answer.body);
    cookie_of(&answer)
}
