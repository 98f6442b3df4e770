//! Old clicks that nothing names.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::Value;
use trac_core::program::ProgramTerms;

use super::{STEP, until};
use crate::store::old_clicks::{self, Place};
use crate::store::rows::{Rows, args};
use crate::store::{Priority, Scope, StoreError};
use crate::trac::Trac;

/// How late an event about a sale may arrive: Stripe retries for three days, and its events can be resent for thirty.
/// Source: <https://docs.stripe.com/webhooks#retries>.
const LATE_DAYS: u32 = 31;

/// The texts in what Stripe says of the subscriptions and customers of a scope, by their hashes. A click that one of
/// them names may yet be asked for by a payment. Two texts with one hash keep a click more than needed.
#[derive(Debug, Default)]
struct Named(HashSet<u64>);

impl Named {
    async fn read(trac: &Trac, scope: &Scope) -> Result<Self, StoreError> {
        let (mut named, mut after) = (Self::default(), String::new());
        loop {
            let (of, from) = (scope.clone(), after.clone());
            let read =
                trac.store.read(move |tx| old_clicks::next_holders(tx.within(&of), &from, STEP)).await?;
            let Some((last, _)) = read.last() else { return Ok(named) };
            after.clone_from(last);
            for (_, facts) in read {
                collect(&serde_json::from_str(&facts)?, &mut named.0);
            }
        }
    }

    fn contains(&self, id: &str) -> bool {
        self.0.contains(&hash(id))
    }
}

fn collect(value: &Value, named: &mut HashSet<u64>) {
    match value {
        Value::String(text) => {
            named.insert(hash(text));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, named)),
        Value::Object(fields) => fields.values().for_each(|field| collect(field, named)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Deletes the old clicks of a workspace and mode that nothing names, and returns how many.
pub(super) async fn delete(trac: &Trac, scope: &Scope) -> Result<usize, StoreError> {
    if trac.retention.clicks_days == 0 {
        return Ok(0);
    }
    let named = Named::read(trac, scope).await?;
    let of = scope.clone();
    let window_days = trac.store.read(move |tx| longest_window(tx.within(&of))).await?;
    let days = trac.retention.clicks_days.max(window_days.saturating_add(LATE_DAYS));
    let Some(until) = until(trac, days) else { return Ok(0) };
    let (mut deleted, mut after) = (0_usize, Place::START);
    loop {
        let of = scope.clone();
        let read = trac
            .store
            .read(move |tx| old_clicks::next(tx.within(&of), after, until.unix_secs(), STEP))
            .await?;
        let Some((_, last)) = read.last() else { return Ok(deleted) };
        after = *last;
        let unnamed = read.into_iter().map(|(id, _)| id).filter(|id| !named.contains(id));
        let unnamed: Vec<_> = unnamed.collect();
        if unnamed.is_empty() {
            continue;
        }
        let step = trac
            .store
            .write_in(scope, Priority::Click, move |rows| old_clicks::delete_unused(rows, &unnamed));
        deleted = deleted.saturating_add(step.await?);
    }
}

/// The longest attribution window of all versions of all programs, in days.
fn longest_window(rows: Rows<'_>) -> Result<u32, StoreError> {
    let sql = "SELECT terms FROM program_version WHERE workspace_id = ?1 AND mode = ?2";
    let windows =
        rows.all(sql, args![], |row| Ok(row.document::<ProgramTerms>(0)?.attribution_window_days))?;
    Ok(windows.into_iter().max().unwrap_or_default())
}
