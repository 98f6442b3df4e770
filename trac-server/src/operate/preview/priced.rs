//! What payments earned, and what they would have earned under other terms.

use std::collections::{BTreeMap, BTreeSet};

use trac_core::commission::settle::{Occasion, Settlement, settle};
use trac_core::conversion::world::{Commission, World};
use trac_core::money::Currency;
use trac_core::program::{History, ProgramTerms, Version};
use trac_core::reason::Reason;
use trac_core::time::Timestamp;
use trac_core::webhook::facts::Facts;

use crate::store::rows::{Rows, args};
use crate::store::{StoreError, load};

/// A payment with its commission, per currency: the one in the ledger, and the one under the other terms.
pub(super) struct Priced {
    pub(super) payment_id: String,
    pub(super) at: Option<Timestamp>,
    pub(super) partner_id: Option<String>,
    pub(super) booked: BTreeMap<Currency, i64>,
    pub(super) changed: BTreeMap<Currency, i64>,
    /// Why it would earn this, or nothing.
    pub(super) reason: Reason,
}

/// Prices these payments, and those of `wanted` that are decided together with them, as payments of the same
/// customer are.
pub(super) fn price(
    rows: Rows<'_>,
    program_id: &str,
    terms: &ProgramTerms,
    asked: &[String],
    wanted: &BTreeSet<String>,
) -> Result<Vec<Priced>, StoreError> {
    let sql = "SELECT facts FROM payment WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
    let (mut priced, mut done) = (Vec::new(), BTreeSet::new());
    for id in asked {
        if done.contains(id) {
            continue;
        }
        // It may have become one with another payment since it was found.
        let Some(facts) = rows.one(sql, args![id], |row| row.document::<Facts>(0))? else { continue };
        let mut world = load::neighbourhood(rows, &facts)?.world;
        load::resolve(rows, &mut world)?;
        replace(&mut world, program_id, terms);
        let settled = settle(&world, Occasion { news: None, redecide: true });
        let commissions = commissions(&world);
        let ours = settled.iter().filter(|(id, _)| wanted.contains(*id) && !done.contains(*id));
        let found: Vec<_> = ours.map(|(id, settlement)| of(&commissions, id, settlement)).collect();
        done.extend(found.iter().map(|one| one.payment_id.clone()));
        priced.extend(found);
    }
    Ok(priced)
}

/// Puts the terms in place of all versions of the program. A commission that was paid out keeps its terms and
/// its partner; here the question is what it would have been, so none counts as paid.
fn replace(world: &mut World, program_id: &str, terms: &ProgramTerms) {
    let only = Version { number: 1, valid_from: Timestamp::default(), terms: terms.clone() };
    world.programs.insert(program_id.to_owned(), History::new([only]));
    let commissions = world.payments.values_mut().flat_map(|known| &mut known.commissions);
    commissions.for_each(|commission| commission.paid = false);
}

/// All commissions by their IDs. One may belong to another payment that is inferred to be the same money.
fn commissions(world: &World) -> BTreeMap<&str, &Commission> {
    let all = world.payments.values().flat_map(|known| &known.commissions);
    all.map(|commission| (commission.id.as_str(), commission)).collect()
}

fn of(commissions: &BTreeMap<&str, &Commission>, payment_id: &str, settlement: &Settlement) -> Priced {
    let (mut booked, mut changed) = (BTreeMap::new(), BTreeMap::new());
    let mut partner_id = None;
    for change in &settlement.changes {
        let before = change.commission_id.as_deref().and_then(|id| commissions.get(id));
        if let Some(before) = before {
            add(&mut booked, before.currency, before.amount_minor, before.reversed_minor);
        }
        let currency = change.claim.as_ref().map(|claim| claim.currency);
        if let Some(currency) = currency.or(before.map(|before| before.currency)) {
            add(&mut changed, currency, change.sums.amount_minor, change.sums.reversed_minor);
        }
        let claimed = change.claim.as_ref().map(|claim| claim.partner_id.clone());
        partner_id = claimed.or_else(|| before.map(|before| before.partner_id.clone())).or(partner_id);
    }
    Priced {
        payment_id: payment_id.to_owned(),
        at: settlement.decision.time,
        partner_id,
        booked,
        changed,
        reason: settlement.decision.reason,
    }
}

fn add(sums: &mut BTreeMap<Currency, i64>, currency: Currency, amount_minor: i64, reversed_minor: i64) {
    let sum = sums.entry(currency).or_default();
    *sum = sum.saturating_add(amount_minor.saturating_sub(reversed_minor));
}
