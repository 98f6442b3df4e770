//! The changes of a replay, for each commission.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use trac_core::commission::change::Change;
use trac_core::conversion::world::Commission;
use trac_core::time::Timestamp;

use crate::flow::Considered;
use crate::store::apply::Writing;
use crate::store::rows::args;
use crate::store::{Scope, StoreError};

/// The changes to commissions: before, after, and the new entries. Call this before the changes are written.
pub(super) fn of(writing: &Writing<'_>, considered: &Considered) -> Result<Vec<Value>, StoreError> {
    let mut moves = Vec::new();
    for (payment_id, settlement) in &considered.settlements {
        for change in &settlement.changes {
            let due = match &change.commission_id {
                Some(id) => due(writing, id)?,
                None => None,
            };
            let due_changes =
                change.claim.as_ref().zip(due).is_some_and(|(claim, due)| claim.matures_at != due);
            if change.entries.is_empty() && !due_changes {
                continue;
            }
            // The commission may belong to another payment that is inferred to be the same money.
            let mut known = considered.loaded.world.payments.values().flat_map(|known| &known.commissions);
            let before = known.find(|commission| Some(&commission.id) == change.commission_id.as_ref());
            moves.push(one(payment_id, change, before, due));
        }
    }
    Ok(moves)
}

/// The due time of a commission before the replay.
fn due(writing: &Writing<'_>, commission_id: &str) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT matures_at FROM commission WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
    writing.rows.one(sql, args![commission_id], |row| row.get(0))
}

fn one(payment_id: &str, change: &Change, before: Option<&Commission>, due: Option<Timestamp>) -> Value {
    let sums = |amount: i64, reversed: i64, due: Option<Timestamp>| {
        json!({
            "amount_minor": amount,
            "reversed_minor": reversed,
            "net_minor": amount.saturating_sub(reversed),
            "matures_at": due.map(Timestamp::to_rfc3339),
        })
    };
    let claim = change.claim.as_ref();
    let partner = claim.map(|claim| &claim.partner_id).or(before.map(|known| &known.partner_id));
    let click = claim.map(|claim| &claim.click_id).or(before.map(|known| &known.click_id));
    let currency = claim.map(|claim| claim.currency).or(before.map(|known| known.currency));
    let entries = change.entries.iter().map(|entry| {
        json!({
            "kind": entry.kind.as_str(),
            "amount_minor": entry.amount_minor,
            "reason": entry.reason.as_str(),
        })
    });
    let due_after = claim.map(|claim| claim.matures_at).or(due);
    json!({
        "payment_id": payment_id,
        "commission_id": change.commission_id,
        "partner_id": partner,
        "click_id": click,
        "currency": currency,
        "reason": change.reason.as_str(),
        "before": before.map(|known| sums(known.amount_minor, known.reversed_minor, due)),
        "after": sums(change.sums.amount_minor, change.sums.reversed_minor, due_after),
        "entries": entries.collect::<Vec<_>>(),
    })
}

/// The changes of many replayed events, with one row for each commission.
pub(super) struct Summary {
    dry_run: bool,
    pub(super) moved: Vec<Value>,
    pub(super) frozen: Vec<Value>,
    /// The index of each row in its list, by payment and commission.
    places: BTreeMap<String, usize>,
}

impl Summary {
    pub(super) const fn new(dry_run: bool) -> Self {
        Self { dry_run, moved: Vec::new(), frozen: Vec::new(), places: BTreeMap::new() }
    }

    /// Adds the changes of one event. In a dry run all events of a payment show the same changes, because none
    /// is written.
    pub(super) fn add(&mut self, scope: &Scope, replayed: &Value) {
        let list = |name: &str| replayed.get(name).and_then(Value::as_array).into_iter().flatten();
        for change in list("changes") {
            let named = |name: &str| change.get(name).and_then(Value::as_str).unwrap_or_default();
            let commission = change.get("commission_id").and_then(Value::as_str);
            let key = commission
                .map_or_else(|| format!("{} {}", named("payment_id"), named("click_id")), ToOwned::to_owned);
            let known = self.places.get(&key).and_then(|place| self.moved.get_mut(*place));
            match known {
                Some(known) if !self.dry_run => extend_row(known, change),
                Some(_) => {}
                None => {
                    self.places.insert(key, self.moved.len());
                    self.moved.push(of_scope(scope, change));
                }
            }
        }
        for commission in list("frozen") {
            let commission = of_scope(scope, commission);
            if !self.frozen.contains(&commission) {
                self.frozen.push(commission);
            }
        }
    }
}

/// A change with its workspace and mode.
fn of_scope(scope: &Scope, change: &Value) -> Value {
    let mut change = change.clone();
    if let Some(change) = change.as_object_mut() {
        change.insert("workspace_id".to_owned(), scope.workspace_id().into());
        change.insert("mode".to_owned(), scope.mode_str().into());
    }
    change
}

/// Adds a further change to the row of a commission.
fn extend_row(known: &mut Value, change: &Value) {
    if let (Some(known), Some(change)) = (known.as_object_mut(), change.as_object()) {
        for name in ["after", "reason"] {
            known.insert(name.to_owned(), change.get(name).cloned().unwrap_or_default());
        }
        let more = change.get("entries").and_then(Value::as_array).cloned().unwrap_or_default();
        if let Some(entries) = known.get_mut("entries").and_then(Value::as_array_mut) {
            entries.extend(more);
        }
    }
}
