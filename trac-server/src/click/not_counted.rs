//! Counts the visits that are not clicks, by link, day and reason, so that a merchant can see why clicks are
//! missing.

use std::sync::Arc;

use super::visit::NotCounted;
use crate::store::Priority;
use crate::store::rows::args;
use crate::trac::Trac;
use crate::trac::known_links::KnownLink;

/// Counts one visit. The visitor does not wait for the write, and a failed write is not retried.
pub(super) fn count(trac: &Trac, link: &KnownLink, why: NotCounted) {
    trac.metrics.visit_not_counted(why.as_str());
    if trac.store.rejects_clicks() {
        return;
    }
    let row = (link.scope.clone(), Arc::clone(&link.id), trac.clock.now().day(), why.as_str());
    let Some(pending) = trac.uncounted.add(row) else { return };
    drop(trac.store.write_in(&link.scope, Priority::Click, move |rows| {
        let ((_, link_id, day, why), visits) = pending.take();
        rows.write(
            "INSERT INTO visit_not_counted (workspace_id, mode, link_id, day, why, count) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
             ON CONFLICT (workspace_id, mode, link_id, day, why) DO UPDATE SET count = visit_not_counted.count + excluded.count",
            args![link_id, day, why, visits],
        )
    }));
}
