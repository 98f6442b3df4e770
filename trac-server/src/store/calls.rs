//! The calls of pages in the last minute, counted by all servers on a database together.

use super::rows::args;
use super::{Scope, Store, StoreError};

/// One row for each workspace, mode and kind of call. The statement is atomic, and locks only this row.
const COUNT: &str = "INSERT INTO call_window AS w (workspace_id, mode, kind, calls, is_accepted) VALUES (?1, ?2, ?3, ARRAY[?4], TRUE) \
    ON CONFLICT (workspace_id, mode, kind) DO UPDATE SET \
    calls = (SELECT coalesce(array_agg(c.at ORDER BY c.at), ARRAY[]::BIGINT[]) FROM unnest(w.calls) AS c (at) WHERE c.at > ?4 - ?5) \
        || CASE WHEN (SELECT count(*) FROM unnest(w.calls) AS c (at) WHERE c.at > ?4 - ?5) < ?6 THEN ARRAY[?4] ELSE ARRAY[]::BIGINT[] END, \
    is_accepted = (SELECT count(*) FROM unnest(w.calls) AS c (at) WHERE c.at > ?4 - ?5) < ?6 \
    RETURNING is_accepted, calls[1]";

/// Counts a call. `Some` is the time of the oldest call of the window if there were `limit` already: the call is
/// refused. Times are Unix milliseconds.
///
/// A store that is not shared counts nothing here.
///
/// # Errors
/// The store's.
pub(crate) async fn count(
    store: &Store,
    scope: &Scope,
    kind: &'static str,
    (now_millis, window_millis, limit): (i64, i64, i64),
) -> Result<Option<i64>, StoreError> {
    if !store.is_shared() {
        return Ok(None);
    }
    let scope = scope.clone();
    let counted = store.single(move |tx| {
        tx.within(&scope).one(COUNT, args![kind, now_millis, window_millis, limit], |row| {
            Ok((row.get::<bool>(0)?, row.get::<i64>(1)?))
        })
    });
    Ok(counted.await?.and_then(|(is_accepted, oldest)| (!is_accepted).then_some(oldest)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::app::App;
    use crate::testing::database;

    #[tokio::test(flavor = "multi_thread")]
    async fn calls_at_all_nodes_count_against_one_limit_in_any_window() {
        if database::server().is_none() {
            return;
        }
        let app = App::new();
        let merchant = app.merchant().await;
        let scope = Scope::new(&merchant.workspace_id, trac_core::program::Mode::Test);
        let call = async |at: i64| count(&app.trac.store, &scope, "click", (at, 60_000, 3)).await.unwrap();
        assert_eq!([call(0).await, call(10).await, call(20).await], [None; 3]);
        assert_eq!(call(30).await, Some(0), "a refused call is not counted");
        assert_eq!(call(59_999).await, Some(0));
        assert_eq!(call(60_000).await, None, "the first has left the window");
        assert_eq!(call(60_001).await, Some(10));
        // Many at once, as from many nodes.
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let (store, scope) = (app.trac.store.clone(), scope.clone());
            calls.spawn(async move { count(&store, &scope, "lead", (0, 60_000, 7)).await.unwrap() });
        }
        assert_eq!(calls.join_all().await.iter().filter(|refused| refused.is_none()).count(), 7);
    }
}
