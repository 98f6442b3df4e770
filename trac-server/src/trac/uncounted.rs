//! Visits that are not clicks and are not yet counted in `visit_not_counted`. However many arrive at once, at
//! most one write job is queued for each row.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::store::Scope;

/// A row of `visit_not_counted`: scope, link, day, and why the visit is not a click.
pub(crate) type Row = (Scope, Arc<str>, i64, &'static str);

/// The visits of each row for which a job is queued. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Uncounted(Arc<Mutex<HashMap<Row, i64>>>);

/// The visits of one row, for the job that counts them. If the job never runs, they are dropped, so that the
/// next visit queues another.
#[derive(Debug)]
pub(crate) struct Pending {
    uncounted: Uncounted,
    row: Row,
    is_taken: bool,
}

impl Uncounted {
    /// Adds a visit; returns the row's visits if no job is queued for it.
    pub(crate) fn add(&self, row: Row) -> Option<Pending> {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = rows.entry(row.clone()).or_default();
        *count = count.saturating_add(1);
        (*count == 1).then(|| Pending { uncounted: self.clone(), row, is_taken: false })
    }

    fn take(&self, row: &Row) -> i64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(row).unwrap_or_default()
    }
}

impl Pending {
    /// The row, and by how many visits its count increases.
    pub(crate) fn take(mut self) -> (Row, i64) {
        self.is_taken = true;
        let visits = self.uncounted.take(&self.row);
        (self.row.clone(), visits)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.is_taken {
            self.uncounted.take(&self.row);
        }
    }
}

#[cfg(test)]
mod tests {
    use trac_core::program::Mode;

    use super::*;

    #[test]
    fn visits_of_one_row_are_counted_by_one_job() {
        let uncounted = Uncounted::default();
        let row = |why| -> Row { (Scope::new("ws_1", Mode::Live), "link_1".into(), 7, why) };
        let flood = uncounted.add(row("flood")).unwrap();
        assert!(uncounted.add(row("flood")).is_none(), "the first visit's job counts it too");
        let bot = uncounted.add(row("bot")).unwrap();
        assert_eq!(flood.take(), (row("flood"), 2));
        drop(uncounted.add(row("flood")).unwrap());
        assert_eq!(
            uncounted.add(row("flood")).unwrap().take().1,
            1,
            "visits that no job counted are dropped"
        );
        assert_eq!(bot.take().1, 1);
        assert!(uncounted.0.lock().unwrap().is_empty());
    }
}
