//! The versions of terms that a replay decides by.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use trac_core::commission::settle::{Occasion, settle};
use trac_core::conversion::payment;
use trac_core::conversion::world::{Commission, World};
use trac_core::program::Pins;
use trac_core::reason::Reason;
use trac_core::time::Timestamp;
use trac_core::webhook::join::Latest;

use crate::flow::Considered;
use crate::store::StoreError;
use crate::store::apply::Writing;
use crate::store::rows::args;

/// The versions of terms that a replay decides by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rules {
    /// The versions of program and enrollment that were in force at the payment's time.
    #[default]
    Then,
    /// The versions in force now.
    Now,
}

impl Rules {
    /// Reads `then` or `now`.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "then" => Some(Self::Then),
            "now" => Some(Self::Now),
            _ => None,
        }
    }

    /// `then` or `now`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Then => "then",
            Self::Now => "now",
        }
    }
}

/// The payments of a replay whose versions change, and those that cannot change.
#[derive(Default)]
pub(super) struct Judged {
    /// The payments that are decided by other versions than before.
    pub(super) payments: Vec<String>,
    /// Commissions that today's terms would change, but that stay because they were paid out.
    pub(super) frozen: Vec<Value>,
}

/// Sets the versions that each payment of a replay is decided by, as pins in its facts, so that later events
/// use the same versions. A payment whose commission was paid out keeps its versions.
pub(super) fn apply(
    writing: &Writing<'_>,
    considered: &mut Considered,
    rules: Rules,
    since: Option<Timestamp>,
) -> Result<Judged, StoreError> {
    let targets = targets(writing, considered, since)?;
    let world = &mut considered.loaded.world;
    let todays = todays(world);
    let mut judged = Judged::default();
    let mut paid_out = Vec::new();
    for id in targets {
        let Some(known) = world.payments.get(&id) else { continue };
        let paid: Vec<_> = known.commissions.iter().filter(|one| one.paid && !one.closed).collect();
        if !paid.is_empty() {
            if rules == Rules::Now && paid.iter().any(|commission| !is_by(commission, world, &todays)) {
                paid_out.push(id);
            }
            continue;
        }
        let wanted = Some(&todays).filter(|_| rules == Rules::Now && todays != Pins::default());
        let before = known.facts.pins.as_ref();
        if before.map(|pins| &pins.value) == wanted {
            continue;
        }
        let at = before.map_or(writing.now, |pins| writing.now.max(pins.at.plus_secs(1)));
        let pins = Latest::stated(at, wanted.cloned());
        if let Some(known) = world.payments.get_mut(&id) {
            known.facts.pins = pins;
            judged.payments.push(id);
        }
    }
    judged.frozen = frozen(world, &paid_out, &Latest { at: writing.now, value: todays });
    Ok(judged)
}

/// The payments that are decided again: the payment of the event; for an event about a subscription or
/// customer, its payments; and, with `since`, all loaded payments that were recorded since that time.
fn targets(
    writing: &Writing<'_>,
    considered: &Considered,
    since: Option<Timestamp>,
) -> Result<BTreeSet<String>, StoreError> {
    let payments = &considered.loaded.world.payments;
    let mut targets: BTreeSet<String> = considered.admitted.payment_id.iter().cloned().collect();
    if targets.is_empty() {
        let news = &considered.news;
        let is_theirs = |facts| {
            payment::subscription(facts).is_some_and(|id| news.subscriptions.contains_key(id))
                || payment::customer(facts).is_some_and(|id| news.customers.contains_key(id))
        };
        let theirs = payments.iter().filter(|(_, known)| is_theirs(&known.facts));
        targets.extend(theirs.map(|(id, _)| id.clone()));
    }
    let Some(since) = since else { return Ok(targets) };
    let is_new =
        "SELECT 1 FROM payment WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3 AND created_at >= ?4";
    for id in payments.keys() {
        if since == Timestamp::default() || writing.rows.exists(is_new, args![id, since])? {
            targets.insert(id.clone());
        }
    }
    Ok(targets)
}

/// The newest versions of all programs and enrollments.
fn todays(world: &World) -> Pins {
    let programs = world.programs.iter();
    let programs = programs.filter_map(|(id, history)| Some((id.clone(), history.latest()?.number)));
    let enrollments = world.enrollments.values();
    let enrollments = enrollments.filter_map(|one| Some((one.id.clone(), one.history.latest()?.number)));
    Pins { programs: programs.collect(), enrollments: enrollments.collect() }
}

/// Whether a commission was settled by these versions.
fn is_by(commission: &Commission, world: &World, pins: &Pins) -> bool {
    let key = (commission.program_id.clone(), commission.partner_id.clone());
    let enrollment = world.enrollments.get(&key).and_then(|one| pins.enrollments.get(&one.id));
    pins.programs.get(&commission.program_id) == Some(&commission.program_version)
        && enrollment.is_none_or(|number| *number == commission.enrollment_version)
}

/// The commissions of paid-out payments that today's terms would change if they had not been paid.
fn frozen(world: &World, paid_out: &[String], todays: &Latest<Pins>) -> Vec<Value> {
    if paid_out.is_empty() {
        return Vec::new();
    }
    let mut unpaid = world.clone();
    for id in paid_out {
        let Some(known) = unpaid.payments.get_mut(id) else { continue };
        known.facts.pins = Some(todays.clone());
        known.commissions.iter_mut().for_each(|commission| commission.paid = false);
    }
    let settled = settle(&unpaid, Occasion { news: None, redecide: true });
    let is_moved = |id: &&String| {
        let changes = settled.get(*id).map(|settlement| settlement.changes.as_slice()).unwrap_or_default();
        changes.iter().any(|change| !change.entries.is_empty())
    };
    let commissions =
        paid_out.iter().filter(is_moved).filter_map(|id| Some((id, &world.payments.get(id)?.commissions)));
    let paid = commissions.flat_map(|(id, all)| {
        let paid = all.iter().filter(|commission| commission.paid && !commission.closed);
        paid.map(move |commission| (id, commission))
    });
    let items = paid.map(|(id, commission)| {
        json!({
            "payment_id": id,
            "commission_id": commission.id,
            "reason": Reason::AttributionFrozen.as_str(),
        })
    });
    items.collect()
}
