//! Mails about accounts: links to sign in, and invitations.

use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::{html, input, status};
use crate::operate::postman;
use crate::testing::app::{Answer, App, Merchant};
use crate::testing::person::{PASSWORD, add_person, cookie_of, post_form};
use crate::testing::shop::DAY;
use crate::trac::Carrier;

/// An SMTP server that accepts or refuses all mails. It keeps those that it accepted, whole.
struct MailServer {
    received: Arc<Mutex<Vec<String>>>,
    url: String,
}

impl MailServer {
    async fn start(accepts: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let received = Arc::<Mutex<Vec<String>>>::default();
        let kept = Arc::clone(&received);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, Arc::clone(&kept), accepts));
            }
        });
        Self { received, url }
    }

    /// A server that sends its mails here.
    fn app(&self) -> App {
        App::with(|trac| {
            let carrier = Carrier::new(Some(&self.url), None, &trac.public_url).unwrap();
            trac.with_carrier(carrier)
        })
    }

    fn mails(&self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }
}

/// Answers the commands of RFC 5321 that a mail needs.
async fn converse(stream: TcpStream, received: Arc<Mutex<Vec<String>>>, accepts: bool) {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mail.example.com\r\n").await.unwrap();
    let (mut line, mut mail, mut is_data) = (String::new(), String::new(), false);
    while stream.read_line(&mut line).await.is_ok_and(|bytes| bytes > 0) {
        let answer = match (is_data, line.trim_end()) {
            (true, ".") => {
                is_data = false;
                received.lock().unwrap().push(std::mem::take(&mut mail));
                "250 accepted\r\n"
            }
            (true, _) => {
                mail.push_str(&line);
                ""
            }
            (false, command) if command.starts_with("DATA") => {
                is_data = true;
                "354 go on\r\n"
            }
            (false, command) if command.starts_with("RCPT") && !accepts => "450 try again later\r\n",
            (false, _) => "250 ok\r\n",
        };
        stream.write_all(answer.as_bytes()).await.unwrap();
        line.clear();
    }
}

/// The token of the link of a mail, of which line ends and encoding of long lines are undone.
fn token(mail: &str) -> String {
    let text = mail.replace("=\r\n", "").replace("=3D", "=");
    let rest = text.split_once("?token=").unwrap_or_else(|| panic!("{mail}")).1;
    rest.chars().take_while(char::is_ascii_hexdigit).collect()
}

async fn ask(app: &App, email: &str) -> Answer {
    post_form(app, "/dashboard/mailed-link", &[("email", email)], "").await
}

/// Waits until mails are written, and sends them. Returns how many.
async fn deliver(app: &App, want: usize) {
    let mut begun = 0;
    while begun < want {
        begun += postman::round(&app.trac).await.unwrap();
    }
    assert_eq!(begun, want);
}

async fn listed(merchant: &Merchant<'_>) -> Vec<String> {
    let rows = merchant.get("/mails").await;
    let rows = rows.body["data"].as_array().unwrap();
    rows.iter()
        .map(|row| format!("{} {}", row["kind"].as_str().unwrap(), row["status"].as_str().unwrap()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailed_link_signs_in_once_within_a_quarter_of_an_hour() {
    let server = MailServer::start(true).await;
    let app = server.app();
    let merchant = app.merchant().await;
    let ada = add_person(&app, &merchant.workspace_id, "owner").await;
    let page = app.visit("/dashboard/login", &[]).await;
    assert!(html(&page).contains("href=\"../dashboard/mailed-link\""), "{}", page.body);

    let of_stranger = ask(&app, "nobody@example.com").await;
    let of_ada = ask(&app, &format!(" {} ", ada.email.to_uppercase())).await;
    assert_eq!(
        (of_stranger.status, &of_stranger.body),
        (of_ada.status, &of_ada.body),
        "nobody learns who has an account"
    );
    deliver(&app, 1).await;
    let mails = server.mails();
    assert_eq!(mails.len(), 1);
    assert!(
        mails[0].contains(&format!("To: {}", ada.email)) && mails[0].contains("Sign in to A shop"),
        "{}",
        mails[0]
    );
    assert!(
        mails[0].contains("From: \"trac\" <trac@track.example.com>")
            || mails[0].contains("From: trac <trac@track.example.com>"),
        "{}",
        mails[0]
    );

    let token = token(&mails[0]);
    let row = merchant.get("/mails").await;
    assert_eq!(row.text("/data/0/status"), "sent");
    assert!(row.text("/data/0/text").contains("?token=…") && !row.body.to_string().contains(&token));
    let entered = post_form(&app, "/dashboard/enter", &[("token", &token)], "").await;
    assert_eq!(status(&app, "/dashboard/account", &cookie_of(&entered)).await, 200);
    assert_eq!(
        merchant.get("/activity?action=session.began").await.text("/data/0/after/with"),
        "mailed link"
    );
    let again = post_form(&app, "/dashboard/enter", &[("token", &token)], "").await;
    assert_eq!(again.status, 401, "it works once");

    // Three links in a quarter of an hour are enough.
    for _ in 0..5 {
        assert_eq!(ask(&app, &ada.email).await.status, 200);
    }
    deliver(&app, 2).await;
    assert_eq!(postman::round(&app.trac).await.unwrap(), 0);
    app.trac.clock.advance(15 * 60 + 1);
    let late = post_form(&app, "/dashboard/enter", &[("token", &self::token(&server.mails()[2]))], "").await;
    assert_eq!(late.status, 401, "it is too old");
    let id = merchant.get("/mails").await.text("/data/0/id");
    let resent = merchant.post(&format!("/mails/{id}/resend"), json!({})).await;
    assert_eq!(resent.code(), (409, "MAIL_EXPIRED".to_owned()));
    app.trac.clock.advance(90 * DAY);
    assert_eq!(crate::operate::retention::run(&app.trac).await.unwrap().mails, 3);
    assert!(listed(&merchant).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_mailed_and_only_the_mailed_link_makes_an_account() {
    let server = MailServer::start(true).await;
    let app = server.app();
    let merchant = app.merchant().await;
    add_person(&app, &merchant.workspace_id, "owner").await;
    let made =
        merchant.post("/invitations", json!({ "email": "grace@example.com", "role": "finance" })).await;
    deliver(&app, 1).await;
    let mailed = token(&server.mails()[0]);
    let shown = made.text("/url").split_once("?token=").unwrap().1.to_owned();
    assert_ne!(mailed, shown);
    for token in [&mailed, &shown] {
        let page = app.visit(&format!("/dashboard/join?token={token}"), &[]).await;
        assert!(page.status == 200 && html(&page).contains("grace@example.com"), "{}", page.body);
    }
    // The inviter has the other link.
    let fields = [("token", shown.as_str()), ("name", "Mallory"), ("password", PASSWORD)];
    let joined = post_form(&app, "/dashboard/join", &fields, "").await;
    assert_eq!(joined.status, 403);
    assert!(
        html(&joined).contains("A mail with a link was sent") && !html(&joined).contains("name=\"password\"")
    );
    assert_eq!(merchant.get("/people").await.number("/meta/total"), 1);
    // Sent again, the mail has a new link.
    let id = merchant.get("/mails").await.text("/data/0/id");
    assert_eq!(merchant.post(&format!("/mails/{id}/resend"), json!({})).await.text("/status"), "queued");
    deliver(&app, 1).await;
    let newer = token(&server.mails()[1]);
    assert_eq!(app.visit(&format!("/dashboard/join?token={mailed}"), &[]).await.status, 410);
    let page = app.visit(&format!("/dashboard/join?token={newer}"), &[]).await;
    let fields = [
        ("token", input(html(&page), "token")),
        ("name", "Grace".to_owned()),
        ("password", PASSWORD.to_owned()),
    ];
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(post_form(&app, "/dashboard/join", &fields, "").await.status, 303);
    assert_eq!(app.visit(&format!("/dashboard/join?token={shown}"), &[]).await.status, 410, "used");

    // An invitation that is revoked before its mail is sent is not mailed.
    let made = merchant.post("/invitations", json!({ "email": "hal@example.com", "role": "viewer" })).await;
    merchant.delete(&format!("/invitations/{}", made.text("/id"))).await;
    deliver(&app, 1).await;
    assert_eq!(server.mails().len(), 2);
    assert_eq!(listed(&merchant).await, ["invitation canceled", "invitation sent"]);
    let id = merchant.get("/mails").await.text("/data/0/id");
    assert_eq!(
        merchant.post(&format!("/mails/{id}/resend"), json!({})).await.code(),
        (409, "MAIL_CANCELED".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_is_refused_is_tried_again_and_then_given_up() {
    let server = MailServer::start(false).await;
    let app = server.app();
    let merchant = app.merchant().await;
    merchant.post("/invitations", json!({ "email": "grace@example.com", "role": "viewer" })).await;
    for pause in [60, 300, 1_800, 7_200, 18_000, 36_000] {
        deliver(&app, 1).await;
        let row = merchant.get("/mails").await;
        assert_eq!(row.text("/data/0/status"), "queued", "{}", row.body);
        assert!(row.text("/data/0/error").contains("try again later"), "{}", row.body);
        app.trac.clock.advance(pause - 1);
        assert_eq!(postman::round(&app.trac).await.unwrap(), 0, "not before {pause} s");
        app.trac.clock.advance(1);
    }
    deliver(&app, 1).await;
    assert_eq!(listed(&merchant).await, ["invitation failed"]);
    app.trac.clock.advance(86_400);
    assert_eq!(postman::round(&app.trac).await.unwrap(), 0);
    let id = merchant.get("/mails").await.text("/data/0/id");
    assert_eq!(merchant.post(&format!("/mails/{id}/resend"), json!({})).await.text("/status"), "queued");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_mail_server_mails_are_logged_and_other_workspaces_see_none() {
    let app = App::new();
    let merchant = app.merchant().await;
    assert!(!html(&app.visit("/dashboard/login", &[]).await).contains("mailed-link"));
    merchant.post("/invitations", json!({ "email": "grace@example.com", "role": "viewer" })).await;
    deliver(&app, 1).await;
    assert_eq!(listed(&merchant).await, ["invitation logged"]);
    let id = merchant.get("/mails").await.text("/data/0/id");
    let stranger = app.merchant().await;
    assert_eq!(stranger.get(&format!("/mails/{id}")).await.status, 404);
    assert_eq!(stranger.post(&format!("/mails/{id}/resend"), json!({})).await.status, 404);
    assert!(listed(&stranger).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_send_a_mail_once() {
    let server = MailServer::start(true).await;
    let app = server.app();
    let merchant = app.merchant().await;
    for number in 0..5 {
        let email = format!("grace{number}@example.com");
        merchant.post("/invitations", json!({ "email": email, "role": "viewer" })).await;
    }
    let (one, other) = tokio::join!(postman::round(&app.trac), postman::round(&app.trac));
    assert_eq!((one.unwrap() + other.unwrap(), server.mails().len()), (5, 5));
}
