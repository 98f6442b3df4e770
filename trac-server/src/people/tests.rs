mod account;
mod invitations;
mod limits;
mod mails;
mod roles;
mod second_factor;
mod sign_in;
mod single_sign_on;

use serde_json::Value;

use crate::testing::app::{Answer, App, Merchant};

/// The status of a page for a cookie.
async fn status(app: &App, path: &str, cookie: &str) -> u16 {
    app.visit(path, &[("cookie", cookie)]).await.status.as_u16()
}

fn html(answer: &Answer) -> &str {
    answer.body.as_str().unwrap()
}

/// The value of an input of a page.
fn input(page: &str, name: &str) -> String {
    let rest =
        page.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap_or_else(|| panic!("{name}: {page}"));
    rest.split('"').next().unwrap().to_owned()
}

/// The actions in the activity log, the oldest first, each with the kind of its actor.
async fn actions(app: &App, merchant: &Merchant<'_>) -> Vec<String> {
    app.written().await;
    let rows = merchant.get("/activity?limit=100").await;
    let rows = rows.body["data"].as_array().unwrap().iter().rev();
    let line = |row: &Value| {
        format!("{} {}", row["actor"]["kind"].as_str().unwrap(), row["action"].as_str().unwrap())
    };
    rows.map(line).collect()
}
