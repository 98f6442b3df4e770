//! Writes facts, decisions and ledger entries, in the transaction of the event that caused them.

use std::collections::{BTreeMap, BTreeSet};

use trac_core::commission::change::Change;
use trac_core::commission::claim::Claim;
use trac_core::commission::decision::Decision;
use trac_core::commission::entry::{Kind, NewEntry};
use trac_core::commission::settle::Settlement;
use trac_core::conversion::payment;
use trac_core::conversion::world::{Admitted, World};
use trac_core::reason::{ATTRIBUTION_WAIT_SECS, Reason};
use trac_core::time::Timestamp;
use trac_core::webhook::facts::Facts;

use super::StoreError;
use super::customers::{self, Affected};
use super::load;
use super::rows::{Rows, args};
use crate::id::{Ids, Kind as IdKind};

/// The context of a write: where, when, and which event caused it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Writing<'a> {
    pub(crate) rows: Rows<'a>,
    pub(crate) ids: &'a Ids,
    pub(crate) now: Timestamp,
    /// trac's ID of the event that is the cause.
    pub(crate) event_id: Option<&'a str>,
}

impl Writing<'_> {
    /// Stores the facts of an event, in the payments that `admitted` names.
    pub(crate) fn facts(
        &self,
        world: &World,
        admitted: &Admitted,
        holders: &Facts,
    ) -> Result<(), StoreError> {
        let mut affected = Affected::default();
        self.holders(world, holders, &mut affected)?;
        for (absorbed, survivor) in &admitted.absorbed {
            affected.add_all_of(self.rows, absorbed)?;
            self.absorb(absorbed, survivor)?;
        }
        for id in &admitted.changed {
            if let Some(known) = world.payments.get(id) {
                let before = customers::before(self.rows, id)?;
                let names_new = self.payment(id, &known.facts)?;
                affected.add_changed(self.rows, id, before, names_new)?;
            }
        }
        affected.refresh(self.rows, self.now)
    }

    /// Stores the facts of a payment, and the IDs of its objects in `payment_object`. If several payments
    /// share an object, its row names one of these payments, and the facts of that payment name the invoices
    /// of the others. Returns whether it names a customer by an ID of the merchant that it did not name before.
    fn payment(&self, id: &str, facts: &Facts) -> Result<bool, StoreError> {
        self.rows.write(
            "INSERT INTO payment (workspace_id, mode, id, facts, subscription_id, customer_id, \
                 is_conversion, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, FALSE, ?7) \
                 ON CONFLICT (workspace_id, mode, id) DO UPDATE SET facts = excluded.facts, \
                 subscription_id = excluded.subscription_id, customer_id = excluded.customer_id",
            args![
                id,
                serde_json::to_string(facts)?,
                payment::subscription(facts),
                payment::customer(facts),
                self.now
            ],
        )?;
        let sql = if facts.of_invoice.is_some() {
            "INSERT INTO payment_object (workspace_id, mode, stripe_id, payment_id) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (workspace_id, mode, stripe_id) DO UPDATE SET payment_id = excluded.payment_id \
             WHERE payment_object.payment_id <> excluded.payment_id"
        } else {
            "INSERT INTO payment_object (workspace_id, mode, stripe_id, payment_id) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT DO NOTHING"
        };
        for stripe_id in facts.payment_ids() {
            self.rows.write(sql, args![stripe_id, id])?;
        }
        self.verdicts(facts)?;
        self.emails(payment::every_email(facts), id)?;
        self.external_customers(facts, id)
    }

    /// Stores the merchant's decisions about leads in `lead.status`, by which lists filter.
    fn verdicts(&self, facts: &Facts) -> Result<(), StoreError> {
        let judged = facts.leads.iter().filter_map(|(id, lead)| Some((id, lead.verdict.as_ref()?.value)));
        for (id, is_approved) in judged {
            let status = if is_approved { "approved" } else { "rejected" };
            let sql = "UPDATE lead SET status = ?4 WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
            self.rows.write(sql, args![id, status])?;
        }
        Ok(())
    }

    /// Stores the facts of an existing payment; its other columns and its objects stay as they are.
    pub(crate) fn update_facts(&self, id: &str, facts: &Facts) -> Result<(), StoreError> {
        let sql = "UPDATE payment SET facts = ?4 WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
        let facts = serde_json::to_string(facts)?;
        self.rows.write(sql, args![id, facts])?;
        Ok(())
    }

    /// Records the merchant's own IDs of a customer, and the payment, subscription or customer that names them.
    /// Returns whether one is new.
    fn external_customers(&self, facts: &Facts, named_by: &str) -> Result<bool, StoreError> {
        let mut names_new = false;
        for id in payment::external_customers(facts) {
            let written = self.rows.write(
                "INSERT INTO external_customer (workspace_id, mode, customer_external_id, named_by) \
                 VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
                args![id, named_by],
            )?;
            names_new |= written > 0;
        }
        Ok(names_new)
    }

    /// Stores the addresses by which a payment, or the payments of a customer, are found.
    fn emails<'e>(
        &self,
        emails: impl IntoIterator<Item = &'e str>,
        named_by: &str,
    ) -> Result<(), StoreError> {
        for email in emails {
            self.rows.write(
                "INSERT INTO address (workspace_id, mode, email, named_by) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
                args![email.to_lowercase(), named_by],
            )?;
        }
        Ok(())
    }

    /// Stores the known facts of the subscriptions and customers that `news` names, and the assignments of
    /// customers.
    fn holders(&self, world: &World, news: &Facts, affected: &mut Affected) -> Result<(), StoreError> {
        let mut store = |id: &str, facts: Facts| -> Result<(), StoreError> {
            let document = serde_json::to_string(&facts)?;
            self.rows.write(
                "INSERT INTO holder (workspace_id, mode, stripe_id, facts) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (workspace_id, mode, stripe_id) DO UPDATE SET facts = excluded.facts",
                args![id, document],
            )?;
            let emails = facts.customers.values().flat_map(|customer| &customer.emails).map(String::as_str);
            self.emails(emails, id)?;
            if self.external_customers(&facts, id)? {
                affected.add(id);
                for named in payment::external_customers(&facts) {
                    affected.add(named);
                }
            }
            Ok(())
        };
        for id in news.assignments.keys() {
            if let Some(known) = world.holders.assignments.get(id) {
                let only = BTreeMap::from([(id.clone(), known.clone())]);
                store(&load::assignments_key(id), Facts { assignments: only, ..Facts::default() })?;
            }
        }
        for id in news.subscriptions.keys() {
            if let Some(known) = world.holders.subscriptions.get(id) {
                let only = BTreeMap::from([(id.clone(), known.clone())]);
                store(id, Facts { subscriptions: only, ..Facts::default() })?;
            }
        }
        for id in news.customers.keys() {
            if let Some(known) = world.holders.customers.get(id) {
                let only = BTreeMap::from([(id.clone(), known.clone())]);
                store(id, Facts { customers: only, ..Facts::default() })?;
            }
        }
        Ok(())
    }

    /// Two payments turned out to be one: moves everything of `gone` to `survivor`.
    fn absorb(&self, gone: &str, survivor: &str) -> Result<(), StoreError> {
        for sql in [
            "UPDATE payment_object SET payment_id = ?4 WHERE workspace_id = ?1 AND mode = ?2 AND payment_id = ?3",
            "UPDATE commission SET payment_id = ?4 WHERE workspace_id = ?1 AND mode = ?2 AND payment_id = ?3",
            "UPDATE event SET subject_id = ?4 WHERE workspace_id = ?1 AND mode = ?2 AND subject_id = ?3",
            "UPDATE attribution SET payment_id = ?4 WHERE workspace_id = ?1 AND mode = ?2 AND payment_id = ?3",
            "INSERT INTO external_customer (workspace_id, mode, customer_external_id, named_by) \
             SELECT workspace_id, mode, customer_external_id, ?4 FROM external_customer \
             WHERE workspace_id = ?1 AND mode = ?2 AND named_by = ?3 ON CONFLICT DO NOTHING",
            // The old ID was already returned to callers: as a row of payment_object it still finds the
            // payment.
            "INSERT INTO payment_object (workspace_id, mode, stripe_id, payment_id) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT DO NOTHING",
        ] {
            self.rows.write(sql, args![gone, survivor])?;
        }
        for delete in [
            "DELETE FROM external_customer WHERE workspace_id = ?1 AND mode = ?2 AND named_by = ?3",
            "DELETE FROM address WHERE workspace_id = ?1 AND mode = ?2 AND named_by = ?3",
            "DELETE FROM candidate WHERE workspace_id = ?1 AND mode = ?2 AND payment_id = ?3",
            "DELETE FROM payment WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3",
        ] {
            self.rows.write(delete, args![gone])?;
        }
        Ok(())
    }

    /// Appends the entries of a settlement and stores its decision; `before` is the decision stored until now.
    /// Returns whether anything changed.
    pub(crate) fn settlement(
        &self,
        payment_id: &str,
        settlement: &Settlement,
        before: Option<&str>,
        unlisted_invoice: Option<&str>,
    ) -> Result<bool, StoreError> {
        let mut moved = false;
        for change in &settlement.changes {
            moved |= !change.entries.is_empty();
            self.change(payment_id, change, &settlement.decision)?;
        }
        let document = serde_json::to_string(&settlement.decision)?;
        let decided = before != Some(document.as_str());
        if decided {
            self.decision(payment_id, &settlement.decision, &document, unlisted_invoice)?;
            self.candidates(payment_id, &settlement.decision, before.is_some())?;
        }
        Ok(moved || decided)
    }

    /// Stores a decision: the document, the columns by which lists filter, and a row of the audit log.
    fn decision(
        &self,
        payment_id: &str,
        decision: &Decision,
        document: &str,
        unlisted_invoice: Option<&str>,
    ) -> Result<(), StoreError> {
        let attribution = decision.attribution.as_ref();
        self.rows.write(
            "UPDATE payment SET decision = ?4, is_conversion = ?5, reason = ?6, click_id = ?7, rule = ?8, is_credited = ?9, \
             source = ?10, currency = ?11, gross_minor = ?12, lost_minor = ?13, happened_at = ?14, lead_id = ?15, \
             transaction_id = ?16, is_claimed = ?17, unlisted_invoice = ?18, is_waiting = ?19, \
             (program_id, partner_id, link_id) = (SELECT k.program_id, k.partner_id, k.link_id FROM click AS k \
             WHERE k.workspace_id = ?1 AND k.mode = ?2 AND k.id = ?7) \
             WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3",
            args![
                payment_id,
                document,
                is_conversion(decision),
                decision.reason.shown_after(ATTRIBUTION_WAIT_SECS).as_str(),
                attribution.map(|found| found.click_id.as_str()),
                attribution.map(|found| found.rule.as_str()),
                decision.credited_click().is_some(),
                decision.source().as_str(),
                decision.currency.map(|currency| currency.as_str().to_owned()),
                decision.gross_minor,
                decision.lost_minor,
                decision.time,
                decision.lead_id,
                decision.transaction,
                decision.claimed,
                unlisted_invoice.filter(|_| decision.reason == Reason::ProductsUnknown),
                decision.reason == Reason::NoAttributionYet
            ],
        )?;
        let id = self.ids.make(IdKind::Attribution);
        self.rows.write(
            "INSERT INTO attribution (workspace_id, mode, id, payment_id, event_id, decision, at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            args![id, payment_id, self.event_id, document, self.now],
        )?;
        Ok(())
    }

    /// Stores the values that may be click IDs, so that the payment is found by any of them. The credited one is
    /// in `payment.click_id`.
    fn candidates(&self, payment_id: &str, decision: &Decision, had_any: bool) -> Result<(), StoreError> {
        if had_any {
            let delete = "DELETE FROM candidate WHERE workspace_id = ?1 AND mode = ?2 AND payment_id = ?3";
            self.rows.write(delete, args![payment_id])?;
        }
        let credited = decision.attribution.as_ref().map(|found| &found.click_id);
        let values: BTreeSet<&String> =
            decision.candidates.iter().map(|candidate| &candidate.value).collect();
        for value in values.into_iter().filter(|value| Some(*value) != credited) {
            self.rows.write(
                "INSERT INTO candidate (workspace_id, mode, value, payment_id) VALUES (?1, ?2, ?3, ?4)",
                args![value, payment_id],
            )?;
        }
        Ok(())
    }

    fn change(&self, payment_id: &str, change: &Change, decision: &Decision) -> Result<(), StoreError> {
        let stripe = serde_json::to_string(&decision.stripe)?;
        let id = match (&change.commission_id, &change.claim) {
            (None, Some(claim)) => self.open(payment_id, claim, change, &stripe)?,
            (None, None) => return Ok(()),
            (Some(id), claim) => {
                if change.taken_over {
                    self.take_over(payment_id, id)?;
                }
                self.project(id, claim.as_ref(), change, &stripe)?;
                id.clone()
            }
        };
        for entry in &change.entries {
            self.append(&id, entry, change)?;
        }
        Ok(())
    }

    fn open(
        &self,
        payment_id: &str,
        claim: &Claim,
        change: &Change,
        stripe: &str,
    ) -> Result<String, StoreError> {
        let id = self.ids.make(IdKind::Commission);
        self.rows.write("INSERT INTO commission (workspace_id, mode, id, payment_id, program_id, partner_id, \
                 enrollment_id, click_id, program_version, enrollment_version, source, recurring_month, currency, \
                 base_minor, amount_minor, reversed_minor, reason, matures_at, payment_time, held, closed, stripe, \
                 created_at, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, \
                 ?18, ?19, ?20, FALSE, ?21, ?22, CASE WHEN ?15 = ?16 THEN 'reversed' WHEN ?20 THEN 'held' ELSE 'open' END)", args![id, payment_id, claim.program_id, claim.partner_id, claim.enrollment_id, claim.click_id, claim.program_version, claim.enrollment_version, claim.source.as_str(), claim.recurring_month, claim.currency.as_str(), claim.base_minor, change.sums.amount_minor, change.sums.reversed_minor, claim.reason.as_str(), claim.matures_at, claim.payment_time, claim.held, stripe, self.now])?;
        Ok(id)
    }

    /// Moves a commission to this payment: the payment it belonged to turned out to be the same money.
    fn take_over(&self, payment_id: &str, commission_id: &str) -> Result<(), StoreError> {
        let sql = "UPDATE commission SET payment_id = ?4 WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
        self.rows.write(sql, args![commission_id, payment_id])?;
        Ok(())
    }

    /// Updates the row of a commission to match its entries.
    fn project(
        &self,
        id: &str,
        claim: Option<&Claim>,
        change: &Change,
        stripe: &str,
    ) -> Result<(), StoreError> {
        let state = "state = CASE WHEN is_paid THEN 'paid' WHEN ?4 = ?5 THEN 'reversed' WHEN";
        let (sums, reason) = (&change.sums, change.reason.as_str());
        let Some(claim) = claim else {
            let sql = format!(
                "UPDATE commission SET amount_minor = ?4, reversed_minor = ?5, reason = ?6, stripe = ?7, closed = closed OR ?8, \
                 {state} held THEN 'held' ELSE 'open' END WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3"
            );
            let args = args![id, sums.amount_minor, sums.reversed_minor, reason, stripe, change.closed];
            self.rows.write(&sql, args)?;
            return Ok(());
        };
        let sql = format!(
            "UPDATE commission SET amount_minor = ?4, reversed_minor = ?5, reason = ?6, stripe = ?7, closed = closed OR ?8, \
             source = ?9, recurring_month = ?10, base_minor = ?11, matures_at = ?12, held = ?13, payment_time = ?14, \
             program_version = ?15, enrollment_version = ?16, {state} ?13 THEN 'held' ELSE 'open' END \
             WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3"
        );
        self.rows.write(
            &sql,
            args![
                id,
                sums.amount_minor,
                sums.reversed_minor,
                reason,
                stripe,
                change.closed,
                claim.source.as_str(),
                claim.recurring_month,
                claim.base_minor,
                claim.matures_at,
                claim.held,
                claim.payment_time,
                claim.program_version,
                claim.enrollment_version
            ],
        )?;
        Ok(())
    }

    fn append(&self, commission_id: &str, entry: &NewEntry, change: &Change) -> Result<(), StoreError> {
        let corrects = match entry.kind {
            Kind::Earn => None,
            Kind::Adjust | Kind::Reverse => self.entry_of(commission_id, "earn")?,
            Kind::Restore => self.entry_of(commission_id, "reverse")?,
        };
        let currency = match &change.claim {
            Some(claim) => claim.currency.as_str().to_owned(),
            None => self.currency_of(commission_id)?,
        };
        self.rows.write(
            "INSERT INTO ledger_entry (workspace_id, mode, id, commission_id, kind, amount_minor, currency, \
                 reason, event_id, corrects, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            args![
                self.ids.make(IdKind::Entry),
                commission_id,
                entry.kind.as_str(),
                entry.amount_minor,
                currency,
                entry.reason.as_str(),
                self.event_id,
                corrects,
                self.now
            ],
        )?;
        Ok(())
    }

    /// The newest entry of a kind.
    fn entry_of(&self, commission_id: &str, kind: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT max(id) FROM ledger_entry \
                   WHERE workspace_id = ?1 AND mode = ?2 AND commission_id = ?3 AND kind = ?4";
        Ok(self.rows.one(sql, args![commission_id, kind], |row| row.get(0_usize))?.flatten())
    }

    fn currency_of(&self, commission_id: &str) -> Result<String, StoreError> {
        let sql = "SELECT currency FROM commission WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
        let found = self.rows.one(sql, args![commission_id], |row| row.get(0_usize))?;
        found.ok_or_else(|| StoreError::internal("there is no such commission"))
    }
}

/// Whether a payment counts as a conversion: a sale of its own or a valid lead, not an adjustment. A payment that the merchant or
/// a page reported always does, so that its report is found.
fn is_conversion(decision: &Decision) -> bool {
    let stray = match decision.reason {
        Reason::Noted => true,
        Reason::PaymentUnknown | Reason::PaymentUnlinked | Reason::DuplicatePayment => {
            decision.transaction.is_none()
        }
        _ => false,
    };
    decision.time.is_some() && decision.adjustment_id.is_none() && !stray
}
