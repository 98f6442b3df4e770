//! The second factor: codes and recovery codes, each valid once.

use super::{actions, html, input, status};
use crate::people::second_factor::code_at;
use crate::store::Priority;
use crate::store::rows::args;
use crate::testing::app::{Answer, App};
use crate::testing::person::{PASSWORD, TestPerson, add_person, cookie_of, post_form, sign_in};

/// Turns on the second factor of a person; returns the app's secret and the recovery codes.
async fn turn_on(app: &App, person: &TestPerson) -> (String, Vec<String>) {
    let cookie = sign_in(app, person).await;
    let begun = post_form(
        app,
        "/dashboard/account",
        &[("act", "second-factor"), ("current", "wrong horse battery")],
        &cookie,
    )
    .await;
    assert_eq!(begun.status, 422, "an open session alone does not suffice");
    let begun =
        post_form(app, "/dashboard/account", &[("act", "second-factor"), ("current", PASSWORD)], &cookie)
            .await;
    assert_eq!((begun.status.as_u16(), begun.header("location")), (303, "account?done=begun"));
    let page = app.visit("/dashboard/account", &[("cookie", &cookie)]).await;
    let page = html(&page);
    assert!(page.contains("<svg") && !page.contains("<?xml"), "{page}");
    let secret = page
        .split("enter the secret: <code>")
        .nth(1)
        .and_then(|rest| rest.split('<').next())
        .unwrap()
        .to_owned();
    assert_eq!(secret.replace(' ', "").len(), 32);
    let wrong =
        post_form(app, "/dashboard/account", &[("act", "confirm"), ("code", "000000")], &cookie).await;
    assert_eq!(wrong.status, 422);
    let code = code_at(&secret, app.trac.clock.now());
    let shown = post_form(app, "/dashboard/account", &[("act", "confirm"), ("code", &code)], &cookie).await;
    assert_eq!(shown.status, 200, "{}", shown.body);
    let codes =
        html(&shown).split("<li><code>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned());
    let codes: Vec<_> = codes.collect();
    assert_eq!(codes.len(), 10);
    app.trac.clock.advance(30);
    (secret, codes)
}

/// The first step of a sign-in; returns the token of the second.
async fn first_step(app: &App, person: &TestPerson) -> String {
    let fields = [("email", person.email.as_str()), ("password", PASSWORD)];
    let answer = post_form(app, "/dashboard/login", &fields, "").await;
    assert_eq!((answer.status.as_u16(), answer.header("set-cookie")), (200, ""));
    input(html(&answer), "token")
}

async fn second_step(app: &App, token: &str, code: &str) -> Answer {
    post_form(app, "/dashboard/second-factor", &[("token", token), ("code", code)], "").await
}

#[tokio::test]
async fn a_code_signs_in_once_and_a_step_early_or_late() {
    let app = App::new();
    let merchant = app.merchant().await;
    let ada = add_person(&app, &merchant.workspace_id, "owner").await;
    let (secret, _) = turn_on(&app, &ada).await;
    let code = |steps: i64| code_at(&secret, app.trac.clock.now().plus_secs(steps * 30));
    let token = first_step(&app, &ada).await;
    assert_eq!(second_step(&app, &token, &code(2)).await.status, 401, "two steps early");
    let used = code(0);
    let (left, right) = used.split_at(3);
    let answer = second_step(&app, &token, &format!(" {left} {right} ")).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    assert_eq!(status(&app, "/dashboard/account", &cookie_of(&answer)).await, 200);
    assert_eq!(second_step(&app, &token, &code(1)).await.status, 401, "the token is used");
    let token = first_step(&app, &ada).await;
    assert_eq!(second_step(&app, &token, &used).await.status, 401, "the code is used");
    assert_eq!(second_step(&app, &token, &code(-1)).await.status, 401, "an earlier one too");
    assert_eq!(second_step(&app, &token, &code(1)).await.status, 303, "the next one, early");
    app.trac.clock.advance(90);
    let token = first_step(&app, &ada).await;
    assert_eq!(second_step(&app, &token, &code(-1)).await.status, 303, "a step late");
    app.trac.clock.advance(90);
    let token = first_step(&app, &ada).await;
    app.trac.clock.advance(301);
    assert_eq!(second_step(&app, &token, &code(0)).await.status, 401, "after five minutes");
    let with = merchant.get("/activity?action=session.began").await;
    assert_eq!(with.text("/data/0/after/with"), "password and code");
    assert!(actions(&app, &merchant).await.contains(&"person person.second_factor_turned_on".to_owned()));
}

#[tokio::test]
async fn a_password_alone_opens_nothing() {
    let app = App::new();
    let merchant = app.merchant().await;
    let ada = add_person(&app, &merchant.workspace_id, "owner").await;
    turn_on(&app, &ada).await;
    let token = first_step(&app, &ada).await;
    let forged = format!("__Host-trac_session={token}");
    assert_eq!(status(&app, "/dashboard/account", &forged).await, 303, "the token is not a session");
    let enter = post_form(&app, "/dashboard/enter", &[("token", &token)], "").await;
    assert_eq!(enter.status, 401, "nor a link");
    assert_eq!(second_step(&app, "", "000000").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_code_signs_in_once_even_if_it_is_sent_twice_at_once() {
    let app = App::new();
    let merchant = app.merchant().await;
    let ada = add_person(&app, &merchant.workspace_id, "owner").await;
    let (_, codes) = turn_on(&app, &ada).await;
    let tokens = [first_step(&app, &ada).await, first_step(&app, &ada).await];
    let upper = codes[0].to_uppercase();
    let (one, other) =
        tokio::join!(second_step(&app, &tokens[0], &upper), second_step(&app, &tokens[1], &codes[0]));
    let mut both = [one.status.as_u16(), other.status.as_u16()];
    both.sort_unstable();
    assert_eq!(both, [303, 401]);
    let token = first_step(&app, &ada).await;
    assert_eq!(second_step(&app, &token, &codes[0]).await.status, 401, "used");
    assert_eq!(second_step(&app, &token, &codes[1]).await.status, 303);
}

#[tokio::test]
async fn codes_are_tried_twenty_times_an_hour_from_all_unknown_addresses_together() {
    let app = App::new();
    let merchant = app.merchant().await;
    let ada = add_person(&app, &merchant.workspace_id, "owner").await;
    turn_on(&app, &ada).await;
    for number in 0..20_u8 {
        let token = first_step(&app, &ada).await;
        app.trac.clock.advance(60);
        let fields = [("token", token.as_str()), ("code", "000000")];
        let answer = crate::testing::person::post_from(
            &app,
            "/dashboard/second-factor",
            &fields,
            "",
            [8, 8, 8, number],
        )
        .await;
        assert_eq!(answer.status, 401, "{number}");
    }
    let token = first_step(&app, &ada).await;
    let fields = [("token", token.as_str()), ("code", "000000")];
    let refused =
        crate::testing::person::post_from(&app, "/dashboard/second-factor", &fields, "", [8, 8, 8, 99]).await;
    assert_eq!(refused.status, 429);
    // At a known address, the person still gets in.
    let token = first_step(&app, &ada).await;
    assert_eq!(second_step(&app, &token, "000000").await.status, 401);
}

#[tokio::test]
async fn it_is_turned_off_with_password_and_code() {
    let app = App::new();
    let merchant = app.merchant().await;
    let ada = add_person(&app, &merchant.workspace_id, "owner").await;
    let (secret, codes) = turn_on(&app, &ada).await;
    let token = first_step(&app, &ada).await;
    let cookie = cookie_of(&second_step(&app, &token, &codes[0]).await);
    let off = async |password: &str, code: &str| {
        let fields = [("act", "off"), ("current", password), ("code", code)];
        post_form(&app, "/dashboard/account", &fields, &cookie).await.status.as_u16()
    };
    let code = code_at(&secret, app.trac.clock.now());
    assert_eq!(off("wrong horse battery", &code).await, 422);
    assert_eq!(off(PASSWORD, "000000").await, 422);
    // New codes replace the old ones.
    let fields = [("act", "codes"), ("current", PASSWORD), ("code", codes[1].as_str())];
    assert_eq!(post_form(&app, "/dashboard/account", &fields, &cookie).await.status, 200);
    assert_eq!(off(PASSWORD, &codes[2]).await, 422, "an old recovery code");
    assert_eq!(off(PASSWORD, &code).await, 303);
    sign_in(&app, &ada).await;
    assert_eq!(merchant.get("/people").await.column("has_second_factor"), [serde_json::json!(false)]);
}

#[tokio::test]
async fn a_link_of_the_command_line_is_the_way_in_without_the_codes_and_a_mailed_one_is_not() {
    let app = App::new();
    let merchant = app.merchant().await;
    let ada = add_person(&app, &merchant.workspace_id, "owner").await;
    let (_, codes) = turn_on(&app, &ada).await;
    let link = async || {
        let mode = trac_core::program::Mode::Test;
        let answer =
            crate::workspace::login_link(&app.trac, &merchant.workspace_id, mode, Some(&ada.email)).await;
        answer.unwrap()["url"].as_str().unwrap().split_once("?token=").unwrap().1.to_owned()
    };
    let mailed = link().await;
    let hash = crate::access::key_hash(&mailed);
    let written = app.trac.store.write(Priority::Api, move |tx| {
        tx.write("UPDATE dashboard_token SET origin = 'mail' WHERE hash = ?1", args![hash])
    });
    assert_eq!(written.await.unwrap(), 1);
    let answer = post_form(&app, "/dashboard/enter", &[("token", &mailed)], "").await;
    assert_eq!((answer.status.as_u16(), answer.header("set-cookie")), (200, ""));
    let token = input(html(&answer), "token");
    assert_eq!(second_step(&app, &token, &codes[0]).await.status, 303);

    let entered = post_form(&app, "/dashboard/enter", &[("token", &link().await)], "").await;
    let cookie = cookie_of(&entered);
    let change = async |fields: &[(&str, &str)]| {
        post_form(&app, "/dashboard/account", fields, &cookie).await.status.as_u16()
    };
    assert_eq!(change(&[("act", "off")]).await, 303, "without password and code");
    assert_eq!(change(&[("act", "password"), ("password", "a new battery staple")]).await, 303);
    app.trac.clock.advance(901);
    assert_eq!(
        change(&[("act", "password"), ("password", PASSWORD)]).await,
        422,
        "a quarter of an hour later"
    );
    let fields = [("email", ada.email.as_str()), ("password", "a new battery staple")];
    assert_eq!(post_form(&app, "/dashboard/login", &fields, "").await.status, 303);
}

#[tokio::test]
async fn a_secret_is_sealed_and_survives_a_new_master_key() {
    let app = App::on_a_file();
    let merchant = app.merchant().await;
    let ada = add_person(&app, &merchant.workspace_id, "owner").await;
    let (secret, _) = turn_on(&app, &ada).await;
    let stored = async || {
        let read = app
            .trac
            .store
            .read(|tx| tx.one("SELECT totp_secret FROM person", &[], |row| row.get::<String>(0)));
        read.await.unwrap().unwrap()
    };
    let before = stored().await;
    assert!(before.starts_with("sealed:1:") && !before.contains(&secret.replace(' ', "")));
    crate::secrets::rotate_master_key(&app.trac.store).await.unwrap();
    assert_ne!(stored().await, before);
    let token = first_step(&app, &ada).await;
    assert_eq!(second_step(&app, &token, &code_at(&secret, app.trac.clock.now())).await.status, 303);
}
