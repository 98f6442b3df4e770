//! Calls that were refused before anything was recorded: a page with a wrong key, an address in Stripe that
//! is not an endpoint. The merchant sees them at `/api/v1/refusals` and in the results of explain, each with
//! what to change.
//!
//! They are counted in memory and written when the count reaches 1, 2, 4, 8 …, so that a million refused
//! calls in an hour cause twenty writes. The stored `calls` is therefore a lower bound.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use trac_core::time::Timestamp;

use crate::id::{Ids, Kind};
use crate::store::rows::{Rows, args};
use crate::store::{Priority, Scope, Store, StoreError};

const HOUR_SECS: i64 = 3_600;

macro_rules! causes {
    ($($variant:ident = $code:literal, $meaning:literal, $remedy:literal;)+) => {
        /// Why a call was refused, with its meaning and what to change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum Cause {
            $($variant,)+
        }

        impl Cause {
            /// Every cause.
            pub(crate) const ALL: &[Self] = &[$(Self::$variant),+];

            /// The code, which is stable.
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// One sentence for a person.
            pub(crate) const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }

            /// What to change.
            pub(crate) const fn remedy(self) -> &'static str {
                match self { $(Self::$variant => $remedy,)+ }
            }
        }
    };
}

causes! {
    KeyMissing = "key_missing",
        "The call contained no key.",
        "On a page, put data-key=\"pk_…\" on the script, or send x-publishable-key; on a server, send Authorization: \
         Bearer sk_….";
    KeyUnknown = "key_unknown",
        "The key is not one of this server's.",
        "Copy the key again: GET /api-keys lists how each begins and ends, POST /api-keys makes a new one. Check the mode: \
         pk_test_… or pk_live_….";
    KeyRevoked = "key_revoked",
        "The key was revoked, or was rolled and its overlap has ended.",
        "Put the new key where the old one is: on the page, or in the server's configuration.";
    KeyOfOtherKind = "key_of_other_kind",
        "The key is a secret key where a publishable key is required, or the reverse.",
        "Pages send pk_…, servers send sk_…. A secret key that was on a page must be revoked: DELETE /api-keys/{id}.";
    WorkspaceUnknown = "workspace_unknown",
        "x-workspace-id does not name a workspace of this server.",
        "Copy the workspace's ID, ws_…, from where it was created; explain and the dashboard show it too.";
    OriginNotAllowed = "origin_not_allowed",
        "The key is restricted to pages of other origins.",
        "Add the page's origin to the key: PATCH /api-keys/{id} with allowed_origins.";
    RateLimited = "rate_limited",
        "The workspace was called more than a thousand times within a minute.",
        "Call once for each visitor, not on every page or in a loop; from a server, use a secret key, which is not limited.";
    CodeUnknown = "code_unknown",
        "The code in ?ref= or ?via= belongs to no link, and to no partner with an approved enrollment in an active program.",
        "Compare the code with GET /links and GET /partners; approve the partner's enrollment, activate the program.";
    EndpointUnknown = "endpoint_unknown",
        "Webhooks were delivered to an address that is not an endpoint of this server, and were answered 404.",
        "In Stripe, set the endpoint's URL to the one that GET /webhook-endpoints shows, and resend the events.";
    StoreUnavailable = "store_unavailable",
        "Webhooks could not be stored and were answered 5xx.",
        "Check the server's log and disk; /readyz reports when the store is available again. Stripe retries the events for \
         three days; resend them in Stripe to receive them at once.";
}

/// The calls refused within this hour, and those that could not be written yet. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusals {
    counted: Arc<Mutex<HashMap<Counted, Count>>>,
    unwritten: Arc<AtomicBool>,
}

/// The key of a count: scope, route and cause.
type Counted = (Scope, String, Cause);

#[derive(Clone, Debug)]
struct Count {
    hour: i64,
    calls: u64,
    /// How many of `calls` were sent to the store. Concurrent callers never send a call twice; if the write
    /// fails, its calls are subtracted again.
    sent: u64,
    message: String,
    at: Timestamp,
}

impl Refusals {
    /// Records a refused call. `message` describes this call, without any secret.
    pub(crate) async fn note(
        &self,
        (store, ids): (&Store, &Ids),
        call: Counted,
        message: String,
        now: Timestamp,
    ) {
        let Some(sent) = self.count(&call, message, now) else { return };
        let (scope, route, cause) = &call;
        let (workspace, mode, calls) = (scope.workspace_id(), scope.mode_str(), sent.calls);
        tracing::warn!(workspace, mode, route, cause = cause.as_str(), calls, "a call was refused");
        self.write(store, ids, call, sent).await;
    }

    /// Retries the writes that failed.
    pub(crate) async fn catch_up(&self, store: &Store, ids: &Ids) {
        if !self.unwritten.swap(false, Ordering::Relaxed) {
            return;
        }
        let late: Vec<_> = {
            let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
            let late = counted.iter_mut().filter(|(_, count)| count.sent == 0);
            late.map(|(call, count)| (call.clone(), count.take_unsent())).collect()
        };
        for (call, sent) in late {
            self.write(store, ids, call, sent).await;
        }
    }

    /// Counts a call; returns the count to be written, if any.
    fn count(&self, call: &Counted, message: String, now: Timestamp) -> Option<Count> {
        let hour = now.unix_secs().div_euclid(HOUR_SECS);
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.retain(|_, count| count.hour == hour || count.sent == 0);
        let count = counted.entry(call.clone()).or_insert_with(|| Count {
            hour,
            calls: 0,
            sent: 0,
            message: String::new(),
            at: now,
        });
        count.calls = count.calls.saturating_add(1);
        (count.message, count.at) = (message, now);
        count.calls.is_power_of_two().then(|| count.take_unsent())
    }

    async fn write(&self, store: &Store, ids: &Ids, call: Counted, sent: Count) {
        let (scope, route, cause) = &call;
        let (id, route, cause) = (ids.make(Kind::Refusal), route.clone(), *cause);
        let calls = sent.calls;
        let written =
            store.write_in(scope, Priority::Click, move |rows| insert(rows, &id, &route, cause, &sent)).await;
        let Err(error) = written else { return };
        tracing::error!(%error, "a refused call could not be recorded");
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counted.get_mut(&call) {
            count.sent = count.sent.saturating_sub(calls);
        }
        self.unwritten.store(true, Ordering::Relaxed);
    }
}

impl Count {
    /// Returns the unsent calls as a count of its own, and marks them as sent.
    fn take_unsent(&mut self) -> Self {
        let calls = self.calls.saturating_sub(self.sent);
        self.sent = self.calls;
        Self { calls, ..self.clone() }
    }
}

fn insert(rows: Rows<'_>, id: &str, route: &str, cause: Cause, count: &Count) -> Result<(), StoreError> {
    let calls = i64::try_from(count.calls).unwrap_or(i64::MAX);
    rows.write(
        "INSERT INTO refusal (workspace_id, mode, id, route, cause, hour, message, calls, created_at, last_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9) ON CONFLICT (workspace_id, mode, route, cause, hour) \
         DO UPDATE SET calls = refusal.calls + excluded.calls, message = excluded.message, last_at = excluded.last_at",
        args![id, route, cause.as_str(), count.hour, count.message, calls, count.at],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use trac_core::program::Mode;

    #[test]
    fn a_million_refused_calls_are_written_twenty_times() {
        let refusals = Refusals::default();
        let call = || (Scope::new("ws_1", Mode::Test), "/v1/clicks".to_owned(), Cause::RateLimited);
        let mut writes = Vec::new();
        for _ in 0..1_000_000 {
            let sent = refusals.count(&call(), String::new(), Timestamp::from_unix_secs(7));
            writes.extend(sent.map(|count| count.calls));
        }
        assert_eq!((writes.len(), writes.iter().sum::<u64>()), (20, 1 << 19));
        // The next hour begins at zero and drops this one.
        let next = refusals.count(&call(), String::new(), Timestamp::from_unix_secs(3_600)).unwrap();
        assert_eq!((next.calls, refusals.counted.lock().unwrap().len()), (1, 1));
    }

    /// The rows and the sum of calls in the store.
    async fn stored(store: &Store) -> (i64, i64) {
        let sql = "SELECT count(*), coalesce(sum(calls), 0) FROM refusal";
        let row = store.read(move |tx| tx.one(sql, &[], |row| Ok((row.get(0)?, row.get(1)?))));
        row.await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn concurrent_calls_are_each_counted_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let ids = Ids::new(crate::clock::Clock::settable(Timestamp::from_unix_secs(7)));
        let refusals = Refusals::default();
        let call = || (Scope::new("ws_1", Mode::Test), "/v1/clicks".to_owned(), Cause::KeyUnknown);
        let mut together = tokio::task::JoinSet::new();
        for _ in 0..64 {
            let (refusals, store, ids) = (refusals.clone(), store.clone(), ids.clone());
            together.spawn(async move {
                refusals.note((&store, &ids), call(), String::new(), Timestamp::from_unix_secs(7)).await;
            });
        }
        together.join_all().await;
        assert_eq!(stored(&store).await, (1, 64));
    }

    #[tokio::test]
    async fn a_failed_write_is_not_lost_and_not_retried_at_each_call() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let ids = Ids::new(crate::clock::Clock::settable(Timestamp::from_unix_secs(7)));
        let refusals = Refusals::default();
        let call = || (Scope::new("ws_1", Mode::Test), "/v1/clicks".to_owned(), Cause::KeyUnknown);
        let sql = |sql: &'static str| store.write(Priority::Api, move |tx| tx.batch(sql));
        sql("ALTER TABLE refusal RENAME TO aside").await.unwrap();
        for _ in 0..3 {
            refusals.note((&store, &ids), call(), String::new(), Timestamp::from_unix_secs(7)).await;
        }
        assert!(refusals.count(&call(), String::new(), Timestamp::from_unix_secs(7)).is_some(), "the fourth");
        assert!(refusals.count(&call(), String::new(), Timestamp::from_unix_secs(7)).is_none(), "the fifth");
        refusals.counted.lock().unwrap().get_mut(&call()).unwrap().sent = 0;
        sql("ALTER TABLE aside RENAME TO refusal").await.unwrap();
        refusals.catch_up(&store, &ids).await;
        refusals.catch_up(&store, &ids).await;
        assert_eq!(stored(&store).await, (1, 5));
    }

    #[test]
    fn every_cause_has_a_sentence_and_a_remedy() {
        for cause in Cause::ALL {
            assert!(cause.meaning().ends_with('.') && cause.remedy().ends_with('.'), "{cause:?}");
            assert!(cause.as_str().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
        }
        // A published package does not contain the repository around it.
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reasons.md");
        let Ok(page) = std::fs::read_to_string(page) else { return };
        let listed: Vec<_> = page.lines().filter(|line| line.starts_with("* `")).collect();
        let line = |cause: &Cause| format!("* `{}`: {} {}", cause.as_str(), cause.meaning(), cause.remedy());
        assert_eq!(listed, Cause::ALL.iter().map(line).collect::<Vec<_>>());
    }
}
