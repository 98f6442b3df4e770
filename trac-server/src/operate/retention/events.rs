//! Old events: the bodies of those that are decided, and those that had no effect.

use trac_core::time::Timestamp;

use super::{Deleted, STEP, until};
use crate::store::rows::{Rows, args};
use crate::store::{Priority, Scope, StoreError};
use crate::trac::Trac;

/// An event that is old enough for its body or itself to be deleted.
struct Old {
    id: String,
    /// Whether it is deleted itself: nothing rests on an event that was rejected or ignored.
    entirely: bool,
    body: bool,
}

/// Deletes the old events of a workspace and mode, and the bodies of others. An event that waits for another one, or could
/// not be read, is kept with its body: it is yet to be decided.
pub(super) async fn delete(trac: &Trac, scope: &Scope) -> Result<Deleted, StoreError> {
    let (bodies_until, log_until) =
        (until(trac, trac.retention.bodies_days), until(trac, trac.retention.log_days));
    let Some(last) = bodies_until.max(log_until) else { return Ok(Deleted::default()) };
    let (mut deleted, mut after) = (Deleted::default(), String::new());
    loop {
        let (of, from) = (scope.clone(), after.clone());
        let read = trac.store.read(move |tx| next(tx.within(&of), &from)).await?;
        let Some((newest, ..)) = read.last() else { return Ok(deleted) };
        after.clone_from(newest);
        let is_last = read.iter().all(|(.., received_at)| *received_at >= last);
        let is_before = |time: Timestamp, until: Option<Timestamp>| until.is_some_and(|until| time < until);
        let old = read.into_iter().filter_map(|(id, outcome, has_body, received_at)| {
            let no_effect = matches!(outcome.as_str(), "ignored" | "rejected");
            let entirely = no_effect && is_before(received_at, log_until);
            let is_decided = !matches!(outcome.as_str(), "deferred" | "failed");
            let body = has_body && is_decided && is_before(received_at, bodies_until);
            (entirely || body).then_some(Old { id, entirely, body: has_body && (entirely || body) })
        });
        let old: Vec<_> = old.collect();
        if !old.is_empty() {
            deleted.events = deleted.events.saturating_add(old.iter().filter(|one| one.entirely).count());
            deleted.bodies = deleted.bodies.saturating_add(old.iter().filter(|one| one.body).count());
            let step = trac.store.write_in(scope, Priority::Click, move |rows| delete_step(rows, &old));
            step.await?;
        }
        if is_last {
            return Ok(deleted);
        }
    }
}

/// The next events in the order of their IDs, which is that of their times: ID, outcome, whether it has a body, time.
fn next(rows: Rows<'_>, after: &str) -> Result<Vec<(String, String, bool, Timestamp)>, StoreError> {
    let sql = "SELECT e.id, e.outcome, EXISTS (SELECT 1 FROM event_body AS b WHERE b.workspace_id = e.workspace_id \
               AND b.mode = e.mode AND b.event_id = e.id) AS has_body, e.received_at \
               FROM event AS e WHERE e.workspace_id = ?1 AND e.mode = ?2 AND e.id > ?3 ORDER BY e.id LIMIT ?4";
    rows.all(sql, args![after, STEP], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
}

fn delete_step(rows: Rows<'_>, old: &[Old]) -> Result<(), StoreError> {
    for Old { id, entirely, body } in old {
        if *body {
            // An event may have been decided again since it was read: one that waits keeps its body.
            let sql = "DELETE FROM event_body WHERE workspace_id = ?1 AND mode = ?2 AND event_id = ?3 AND EXISTS \
                       (SELECT 1 FROM event AS e WHERE e.workspace_id = ?1 AND e.mode = ?2 AND e.id = ?3 AND e.outcome NOT IN ('deferred', 'failed'))";
            rows.write(sql, args![id])?;
        }
        if *entirely {
            let sql = "DELETE FROM event WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3 AND outcome IN ('ignored', 'rejected')";
            rows.write(sql, args![id])?;
        }
    }
    Ok(())
}
