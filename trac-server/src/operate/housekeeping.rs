//! What is done now and then, whether anybody asks or not.

use std::time::Duration;

use crate::click::remember_links;
use crate::store::{Priority, StoreError, StoreErrorKind, forget_marks};
use crate::trac::Trac;
use crate::trac::day_salt::DaySalt;

const DAY: Duration = Duration::from_hours(24);
const PAUSE: Duration = Duration::from_mins(10);
/// Until it is asked again for the spool: a command that ran when the server began has it for a moment only.
const SPOOL_PAUSE: Duration = Duration::from_secs(2);

/// Remembers the links, for the moment when the store cannot be read; then, as long as it is polled, throws away yesterday's
/// salt, so that nobody can tell any more whose visits yesterday's were, and the marks made with older ones, notes the refused
/// calls that could not be noted, and looks through the database for damage, of which `/readyz` tells.
pub async fn keep(trac: Trac) {
    tokio::join!(tidy(&trac), look_through(&trac));
}

/// Once a day: damage shows itself in what is read, and what is not read for months is not missed until then.
async fn look_through(trac: &Trac) {
    loop {
        check(trac).await;
        tokio::time::sleep(DAY).await;
    }
}

async fn check(trac: &Trac) {
    match trac.store.quick_check().await {
        Ok(()) => trac.soundness.note(trac.clock.now(), None),
        Err(error) if error.kind() == StoreErrorKind::Corrupt => {
            tracing::error!(%error, "the database is damaged: restore a backup");
            trac.soundness.note(trac.clock.now(), Some(error.to_string()));
        }
        Err(error) => tracing::warn!(%error, "the database could not be looked through"),
    }
}

async fn tidy(trac: &Trac) {
    if let Err(error) = remember_links(trac).await {
        tracing::warn!(%error, "the links are not remembered");
    }
    loop {
        // Another process may have had it when this one began.
        let has_spool = trac.store.use_spool();
        trac.refusals.catch_up(&trac.store, &trac.ids).await;
        if let Err(error) = forget_salt(trac).await {
            tracing::warn!(%error, "yesterday's salt is still there");
        }
        if let Err(error) = forget_visitors(trac).await {
            tracing::warn!(%error, "marks of earlier days' visitors are still there");
        }
        tokio::time::sleep(if has_spool { PAUSE } else { SPOOL_PAUSE }).await;
    }
}

async fn forget_salt(trac: &Trac) -> Result<(), StoreError> {
    let now = trac.clock.now();
    trac.store.write(Priority::Click, move |tx| DaySalt::forget(tx, now)).await
}

/// A slice at a time, so that no webhook waits for all of them.
async fn forget_visitors(trac: &Trac) -> Result<(), StoreError> {
    let now = trac.clock.now();
    while trac.store.write(Priority::Click, move |tx| forget_marks(tx, now)).await? {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use trac_core::time::DAY_SECS;

    use super::*;
    use crate::testing::app::{App, START};

    #[tokio::test]
    async fn what_a_look_through_the_database_finds_is_told_to_whoever_watches() {
        let app = App::new();
        let lines = async || {
            let body = app.visit("/readyz", &[]).await.body;
            body.as_str().unwrap().lines().map(ToOwned::to_owned).collect::<Vec<_>>()
        };
        let unchecked = lines().await;
        assert_eq!(unchecked[0], "ready");
        assert!(unchecked.iter().all(|line| !line.contains("damage")), "{unchecked:?}");
        check(&app.trac).await;
        assert_eq!(lines().await.last().unwrap(), "no damage to the database at 2026-11-21T08:00:00Z");
        // Its rows are where the file has no page.
        let move_by = |pages: &str| {
            format!(
                "PRAGMA writable_schema = 1; \
                 UPDATE sqlite_schema SET rootpage = rootpage + {pages} WHERE name = 'kept'; \
                 PRAGMA writable_schema = 0"
            )
        };
        app.rows("CREATE TABLE kept (id INTEGER PRIMARY KEY)".to_owned()).await;
        app.rows(move_by("100000")).await;
        check(&app.trac).await;
        let told = app.visit("/readyz", &[]).await;
        assert_eq!(told.code(), (503, "DATABASE_DAMAGED".to_owned()));
        assert!(told.text("/error/message").contains("kept"), "{}", told.body);
        app.rows(move_by("-100000")).await;
        check(&app.trac).await;
        assert_eq!(app.visit("/readyz", &[]).await.status, 200);
    }

    #[tokio::test]
    async fn the_marks_of_visitors_are_there_for_two_days() {
        let app = App::new();
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
            let days = "SELECT coalesce(group_concat(day), '') FROM visitor";
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
