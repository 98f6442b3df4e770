//! Periodic tasks.

use std::time::Duration;

use trac_core::time::DAY_SECS;

use super::{recount, retention};
use crate::click::remember_links;
use crate::flow::by_hand;
use crate::id::random_hex;
use crate::store::{Priority, StoreError, StoreErrorKind, forget_marks, lease};
use crate::trac::Trac;
use crate::trac::day_salt::DaySalt;

const DAY: Duration = Duration::from_hours(24);
const PAUSE: Duration = Duration::from_mins(10);
/// How often the size of the write-ahead log is looked at.
const LOG_PAUSE: Duration = Duration::from_secs(5);
/// How often late clicks are looked for.
const LATE_PAUSE: Duration = Duration::from_secs(1);
/// How long the lease of the daily work lasts beyond a day.
const LEASE_SECS: i64 = 600;
/// The pause until the next try to open the spool: a command that ran when the server started locks it only
/// briefly.
const SPOOL_PAUSE: Duration = Duration::from_secs(2);

/// Loads the links, for when the store cannot be read. Then, as long as this is polled: deletes yesterday's
/// salt, so that yesterday's visitors can no longer be identified, and the marks made with older salts;
/// retries refused calls that could not be recorded; checks the database for damage, which `/readyz` reports;
/// deletes what is kept only for some days; measures the space that the database takes; compares counts, balances and
/// sums with the rows they follow from; and shortens the write-ahead log if queries have kept it from being restarted.
pub async fn run(trac: Trac) {
    tokio::join!(tidy(&trac), check_daily(&trac), shorten_log(&trac), settle_late(&trac));
}

/// Settles what named a click that was in a node's spool.
async fn settle_late(trac: &Trac) {
    while trac.store.is_shared() {
        match by_hand::settle_late(trac).await {
            Ok(true) => {}
            Ok(false) => tokio::time::sleep(LATE_PAUSE).await,
            Err(error) => {
                tracing::warn!(%error, "payments that name late clicks could not be settled");
                tokio::time::sleep(LATE_PAUSE).await;
            }
        }
    }
}

async fn shorten_log(trac: &Trac) {
    loop {
        tokio::time::sleep(LOG_PAUSE).await;
        if let Err(error) = trac.store.shorten_log().await {
            tracing::warn!(%error, "the write-ahead log could not be shortened");
        }
    }
}

/// Whether this server does the work of the day, of all that share the database.
async fn has_lease(trac: &Trac, holder: &str) -> bool {
    let (holder, now) = (holder.to_owned(), trac.clock.now());
    let until = now.plus_secs(DAY_SECS.saturating_add(LEASE_SECS));
    let taken = trac.store.write(Priority::Click, move |tx| lease::take(tx, "daily", &holder, now, until));
    taken.await.unwrap_or_else(|error| {
        tracing::warn!(%error, "the lease of the daily work could not be taken");
        false
    })
}

/// Once a day, since damage is otherwise found only when the damaged pages are read, perhaps months later.
async fn check_daily(trac: &Trac) {
    let holder = random_hex::<8>();
    loop {
        check(trac).await;
        if has_lease(trac, &holder).await {
            forget(trac).await;
        }
        measure(trac).await;
        tokio::time::sleep(DAY).await;
        // Not at the start, when requests wait: it reads every row that is counted.
        if has_lease(trac, &holder).await {
            compare(trac).await;
        }
    }
}

async fn check(trac: &Trac) {
    match trac.store.quick_check().await {
        Ok(()) => trac.soundness.note(trac.clock.now(), None),
        Err(error) if error.kind() == StoreErrorKind::Corrupt => {
            tracing::error!(%error, "the database is damaged: restore a backup");
            trac.soundness.note(trac.clock.now(), Some(error.to_string()));
        }
        Err(error) => tracing::warn!(%error, "the database could not be checked"),
    }
}

/// Deletes what is kept only for some days.
async fn forget(trac: &Trac) {
    match retention::run(trac).await {
        Ok(deleted) if deleted == retention::Deleted::default() => {}
        Ok(deleted) => tracing::info!(?deleted, "rows were deleted that are kept only for some days"),
        Err(error) => tracing::warn!(%error, "old rows could not be deleted"),
    }
}

async fn measure(trac: &Trac) {
    match trac.store.space().await {
        Ok(parts) => trac.metrics.space(&parts),
        Err(error) => tracing::warn!(%error, "the space that the database takes could not be measured"),
    }
}

async fn compare(trac: &Trac) {
    match recount::compare(&trac.store).await {
        Ok(differences) => {
            for difference in differences {
                tracing::error!(
                    difference,
                    "a count, balance or sum is not that of its rows: run trac recount"
                );
            }
        }
        Err(error) => tracing::warn!(%error, "counts and balances could not be compared"),
    }
}

async fn tidy(trac: &Trac) {
    if let Err(error) = remember_links(trac).await {
        tracing::warn!(%error, "the links could not be loaded");
    }
    loop {
        // Another process may have locked the spool when this one started.
        let has_spool = trac.store.use_spool();
        trac.refusals.catch_up(&trac.store, &trac.ids).await;
        if let Err(error) = forget_salt(trac).await {
            tracing::warn!(%error, "yesterday's salt could not be deleted");
        }
        if let Err(error) = forget_visitors(trac).await {
            tracing::warn!(%error, "marks of earlier days' visitors could not be deleted");
        }
        if let Err(error) = trac.store.forget_commits(trac.clock.now()).await {
            tracing::warn!(%error, "the marks of old commits could not be deleted");
        }
        tokio::time::sleep(if has_spool { PAUSE } else { SPOOL_PAUSE }).await;
    }
}

async fn forget_salt(trac: &Trac) -> Result<(), StoreError> {
    let now = trac.clock.now();
    trac.store.write(Priority::Click, move |tx| DaySalt::forget(tx, now)).await
}

/// Deletes in batches, so that webhooks do not wait for all of them.
async fn forget_visitors(trac: &Trac) -> Result<(), StoreError> {
    let now = trac.clock.now();
    while trac.store.write(Priority::Click, move |tx| forget_marks(tx, now)).await? {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::app::{App, START};

    #[tokio::test]
    async fn readyz_reports_the_result_of_the_damage_check() {
        let app = App::on_a_file();
        let lines = async || {
            let body = app.visit("/readyz", &[]).await.body;
            body.as_str().unwrap().lines().map(ToOwned::to_owned).collect::<Vec<_>>()
        };
        let unchecked = lines().await;
        assert_eq!(unchecked[0], "ready");
        assert!(unchecked.iter().all(|line| !line.contains("damage")), "{unchecked:?}");
        check(&app.trac).await;
        assert_eq!(lines().await.last().unwrap(), "no damage to the database at 2026-11-21T08:00:00Z");
        // The root page is beyond the end of the file.
        let move_by = |pages: &str| {
            format!(
                "PRAGMA writable_schema = 1; \
                 UPDATE sqlite_schema SET rootpage = rootpage + {pages} WHERE name = 'extra'; \
                 PRAGMA writable_schema = 0"
            )
        };
        app.rows("CREATE TABLE extra (id INTEGER PRIMARY KEY)".to_owned()).await;
        app.rows(move_by("100000")).await;
        check(&app.trac).await;
        let damaged = app.visit("/readyz", &[]).await;
        assert_eq!(damaged.code(), (503, "DATABASE_DAMAGED".to_owned()));
        assert!(damaged.text("/error/message").contains("extra"), "{}", damaged.body);
        app.rows(move_by("-100000")).await;
        check(&app.trac).await;
        assert_eq!(app.visit("/readyz", &[]).await.status, 200);
    }

    #[tokio::test]
    async fn visitor_marks_are_deleted_after_two_days() {
        let app = App::on_a_file();
        let today = START.div_euclid(DAY_SECS);
        let marks = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 12000) \
                     INSERT INTO visitor (day, mark)";
        app.rows(format!(
            "{marks} SELECT {today} - 2 - n % 2, randomblob(16) FROM n;
             INSERT INTO visitor (day, mark) VALUES ({today}, x'00'), ({today} - 1, x'00')"
        ))
        .await;
        let check = async |want: &str| {
            forget_visitors(&app.trac).await.unwrap();
            let days = "SELECT coalesce(string_agg(CAST(day AS TEXT), ',' ORDER BY day), '') FROM visitor";
            let left = app.trac.store.read(move |tx| tx.one(days, &[], |row| row.get::<String>(0)));
            assert_eq!(left.await.unwrap().as_deref(), Some(want));
        };
        check(&format!("{},{today}", today - 1)).await;
        app.trac.clock.advance(DAY_SECS);
        check(&today.to_string()).await;
        app.trac.clock.advance(DAY_SECS);
        check("").await;
    }
}
