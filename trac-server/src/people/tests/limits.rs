//! Limits of failed sign-ins.

use super::html;
use crate::testing::app::{Answer, App};
use crate::testing::person::{PASSWORD, TestPerson, add_person, post_from};

async fn attempt(app: &App, email: &str, password: &str, address: [u8; 4]) -> Answer {
    post_from(app, "/dashboard/login", &[("email", email), ("password", password)], "", address).await
}

async fn setting(app: &App) -> TestPerson {
    let merchant = app.merchant().await;
    add_person(app, &merchant.workspace_id, "owner").await
}

/// A minute later, the limit of one address in any minute does not count.
fn next_minute(app: &App) {
    app.trac.clock.advance(60);
}

#[tokio::test]
async fn an_account_is_tried_ten_times_from_one_address_in_a_quarter_of_an_hour() {
    let app = App::new();
    let ada = setting(&app).await;
    for _ in 0..10 {
        assert_eq!(attempt(&app, &ada.email, "wrong", [203, 0, 113, 7]).await.status, 401);
    }
    let refused = attempt(&app, &ada.email, PASSWORD, [203, 0, 113, 7]).await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, "900"));
    let page = html(&refused);
    assert!(page.contains("2026-11-21 08:15:00 UTC") && page.contains("trac login-link"), "{page}");
    assert_eq!(attempt(&app, &ada.email, PASSWORD, [203, 0, 113, 8]).await.status, 303, "another address");
    app.trac.clock.advance(899);
    assert_eq!(attempt(&app, &ada.email, PASSWORD, [203, 0, 113, 7]).await.status, 429);
    app.trac.clock.advance(1);
    assert_eq!(attempt(&app, &ada.email, PASSWORD, [203, 0, 113, 7]).await.status, 303);
}

#[tokio::test]
async fn successful_sign_ins_are_not_counted() {
    let app = App::new();
    let ada = setting(&app).await;
    for _ in 0..15 {
        assert_eq!(attempt(&app, &ada.email, PASSWORD, [203, 0, 113, 7]).await.status, 303);
        next_minute(&app);
    }
}

#[tokio::test]
async fn an_address_tries_fifty_times_in_a_quarter_of_an_hour() {
    let app = App::new();
    let ada = setting(&app).await;
    for number in 0..50 {
        if number % 15 == 0 {
            next_minute(&app);
            next_minute(&app);
        }
        let email = format!("person{number}@example.com");
        assert_eq!(attempt(&app, &email, "wrong", [203, 0, 113, 7]).await.status, 401, "{number}");
    }
    next_minute(&app);
    next_minute(&app);
    assert_eq!(attempt(&app, &ada.email, PASSWORD, [203, 0, 113, 7]).await.status, 429);
    assert_eq!(attempt(&app, &ada.email, PASSWORD, [203, 0, 113, 8]).await.status, 303);
}

#[tokio::test]
async fn ten_thousand_attempts_from_everywhere_do_not_lock_the_owner_out() {
    let app = App::new();
    let ada = setting(&app).await;
    let home = [198, 51, 100, 1];
    assert_eq!(attempt(&app, &ada.email, PASSWORD, home).await.status, 303);
    let mut answers = [0_u32; 2];
    for first in (0..10_000_u32).step_by(50) {
        let together = (first..first + 50).map(|number| {
            let [_, _, high, low] = number.to_be_bytes();
            attempt(&app, &ada.email, "wrong horse battery", [8, 8, high, low])
        });
        for answer in join_all(together.collect()).await {
            answers[usize::from(answer.status == 429)] += 1;
        }
    }
    assert_eq!(answers, [100, 9_900]);
    assert_eq!(attempt(&app, &ada.email, PASSWORD, [9, 9, 9, 9]).await.status, 429, "an unknown address");
    assert_eq!(attempt(&app, &ada.email, PASSWORD, home).await.status, 303, "a known one");
    let rows = app
        .trac
        .store
        .read(|tx| tx.one("SELECT count(*) FROM sign_in_failure", &[], |row| row.get::<i64>(0)));
    assert!(rows.await.unwrap().unwrap() <= 301, "refused attempts are not stored");
    app.trac.clock.advance(3_600);
    assert_eq!(attempt(&app, &ada.email, PASSWORD, [9, 9, 9, 9]).await.status, 303, "an hour later");
    let rows = app
        .trac
        .store
        .read(|tx| tx.one("SELECT count(*) FROM sign_in_failure", &[], |row| row.get::<i64>(0)));
    assert_eq!(rows.await.unwrap(), Some(0), "old rows are deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_attempts_do_not_pass_a_limit_together() {
    let app = App::new();
    let ada = setting(&app).await;
    let mut together = Vec::new();
    for _ in 0..20 {
        together.push(attempt(&app, &ada.email, "wrong", [203, 0, 113, 7]));
    }
    let mut refused = 0;
    for answer in join_all(together).await {
        refused += u32::from(answer.status == 429);
    }
    assert_eq!(refused, 10);
}

/// Polls all futures until each is done.
async fn join_all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, done) in &mut waiting {
            if done.is_none()
                && let std::task::Poll::Ready(output) = future.as_mut().poll(context)
            {
                *done = Some(output);
            }
        }
        if waiting.iter().all(|(_, done)| done.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    waiting.into_iter().filter_map(|(_, done)| done).collect()
}

#[tokio::test]
async fn sign_ins_by_keys_are_counted_and_limited() {
    let app = App::new();
    let merchant = app.merchant().await;
    let from = async |address: [u8; 4], key: &str| {
        post_from(&app, "/dashboard/login", &[("key", key)], "", address).await
    };
    for _ in 0..20 {
        assert_eq!(from([203, 0, 113, 7], "sk_test_0").await.status, 401);
    }
    let refused = from([203, 0, 113, 7], &merchant.key).await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, "60"));
    assert_eq!(from([203, 0, 113, 8], &merchant.key).await.status, 303);
    let figures = app.visit("/metrics", &[]).await;
    let figures = figures.body.as_str().unwrap();
    for (result, count) in [("key", 20), ("limit", 1), ("ok", 1)] {
        assert!(
            figures.contains(&format!("trac_sign_ins_total{{result=\"{result}\"}} {count}\n")),
            "{figures}"
        );
    }
    let refusals = merchant.get("/refusals").await;
    assert_eq!(
        (refusals.column("route"), refusals.column("cause")),
        (vec!["/dashboard/login".into()], vec!["key_unknown".into()])
    );
}
