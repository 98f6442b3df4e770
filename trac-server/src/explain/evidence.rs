//! Reads the rows from which the hops of a story are built.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use trac_core::commission::balance::Status;
use trac_core::commission::decision::Decision;
use trac_core::conversion::candidate::Rule;
use trac_core::conversion::payment;
use trac_core::conversion::world::Click;
use trac_core::reason::Reason;
use trac_core::time::Timestamp;
use trac_core::webhook::assignment::Assignment;
use trac_core::webhook::dispute::{Dispute, DisputeStage};
use trac_core::webhook::facts::Facts;
use trac_core::webhook::join::Join as _;
use trac_core::webhook::report::Report;

use crate::commission::verdict_json;
use crate::store::StoreError;
use crate::store::load;
use crate::store::rows::{Row, Rows, args};
use crate::webhook::Shown;

/// One workspace and mode, at one moment.
pub(super) struct Archive<'a> {
    pub(super) rows: Rows<'a>,
    pub(super) now: Timestamp,
}

/// A decision of the merchant about a customer.
pub(super) struct Stated {
    pub(super) assignment: Assignment,
    /// Who made it.
    pub(super) who: String,
    /// The partner, and the program; `None` if nobody earns.
    pub(super) partner: Option<String>,
}

/// A recorded click with the names of its partner and program.
pub(super) struct ClickRow {
    pub(super) link_id: Option<String>,
    pub(super) slug: Option<String>,
    pub(super) partner: String,
    pub(super) program: String,
    pub(super) click: Click,
}

/// The facts and the decision of a payment or lead.
pub(super) struct Payment {
    pub(super) id: String,
    pub(super) facts: Facts,
    pub(super) decision: Decision,
    /// The time since the payment was recorded: how long it has waited, if it waits for an attribution.
    pub(super) waited_secs: i64,
}

/// The text for the end of a dispute that the merchant lost.
pub(super) const LOST_DISPUTE: &str =
    "The dispute was lost; the commission that was taken back is not restored.";

impl Payment {
    /// The reason that the log and the list of conversions show.
    pub(super) fn reason(&self) -> Reason {
        self.decision.reason.shown_after(self.waited_secs)
    }

    pub(super) fn is_lead(&self) -> bool {
        !self.facts.leads.is_empty()
    }

    /// Whether a dispute of the payment was closed and lost.
    pub(super) fn has_lost_dispute(&self) -> bool {
        self.facts.disputes.values().any(|dispute| self.is_lost(dispute))
    }

    fn is_lost(&self, dispute: &Dispute) -> bool {
        let stage = dispute.standing.as_ref().map_or(dispute.stage, |standing| standing.value.stage);
        let lost = self.decision.currency.map(|currency| dispute.lost_minor(currency));
        stage == DisputeStage::Closed && dispute.withdrawn && lost.is_some_and(|lost| lost != Some(0))
    }

    /// The text for an event whose reason code alone would mislead: the end of a dispute is `released`, but if
    /// the dispute was lost, the commission that was taken back stays taken back.
    pub(super) fn message_for(&self, event: &Value) -> Option<&'static str> {
        let is_end = event["reason"] == Reason::Released.as_str();
        let dispute = event["object_id"].as_str().and_then(|id| self.facts.disputes.get(id))?;
        (is_end && self.is_lost(dispute)).then_some(LOST_DISPUTE)
    }

    /// Whether only claims report the payment, and the merchant rejected them all.
    pub(super) fn is_rejected_claim(&self) -> bool {
        let reports = &self.facts.reports;
        let rejected = !reports.is_empty() && reports.values().all(Report::is_rejected);
        rejected && !self.facts.is_reported_by_stripe()
    }
}

impl Archive<'_> {
    pub(super) fn click(&self, id: &str) -> Result<Option<ClickRow>, StoreError> {
        let read = |row: &Row<'_>| {
            Ok(ClickRow {
                link_id: row.get(0)?,
                slug: row.get(1)?,
                partner: row.get(2)?,
                program: row.get(3)?,
                click: Click {
                    program_id: row.get(5)?,
                    partner_id: row.get(6)?,
                    clicked_at: row.get(4)?,
                    is_promotion: row.get(7)?,
                },
            })
        };
        let sql = "SELECT k.link_id, l.slug, coalesce(p.name, k.partner_id), coalesce(g.name, k.program_id), \
                   k.clicked_at, k.program_id, k.partner_id, EXISTS (SELECT 1 FROM promotion_code AS c \
                   WHERE c.workspace_id = k.workspace_id AND c.mode = k.mode AND c.click_id = k.id) FROM click AS k \
                   LEFT JOIN link AS l ON l.workspace_id = k.workspace_id AND l.mode = k.mode AND l.id = k.link_id \
                   LEFT JOIN partner AS p ON p.workspace_id = k.workspace_id AND p.mode = k.mode \
                   AND p.id = k.partner_id \
                   LEFT JOIN program AS g ON g.workspace_id = k.workspace_id AND g.mode = k.mode \
                   AND g.id = k.program_id \
                   WHERE k.workspace_id = ?1 AND k.mode = ?2 AND k.id = ?3";
        self.rows.one(sql, args![id], read)
    }

    pub(super) fn payment(&self, payment_id: &str) -> Result<Option<Payment>, StoreError> {
        let sql = "SELECT facts, decision, created_at FROM payment WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
        let read = |row: &Row<'_>| {
            Ok((row.get::<String>(0)?, row.get::<Option<String>>(1)?, row.get::<Timestamp>(2)?))
        };
        let Some((facts, Some(decision), created_at)) = self.rows.one(sql, args![payment_id], read)? else {
            return Ok(None);
        };
        let decision: Decision = serde_json::from_str(&decision)?;
        let waited_secs = self.now.secs_since(created_at);
        Ok(Some(Payment {
            id: payment_id.to_owned(),
            facts: serde_json::from_str(&facts)?,
            decision,
            waited_secs,
        }))
    }

    /// The merchant's statement that covers a payment, if one does.
    pub(super) fn assignment(&self, payment: &Payment) -> Result<Option<Stated>, StoreError> {
        let Some(time) = payment.decision.time else { return Ok(None) };
        let candidates = payment.decision.candidates.iter();
        let assigned = candidates.filter(|one| one.rule == Rule::Reassigned).map(|one| one.object.as_str());
        let of_merchant = payment::external_customers(&payment.facts).into_iter();
        let names: BTreeSet<&str> =
            assigned.chain(of_merchant).chain(payment::customer(&payment.facts)).collect();
        let mut stated = Facts::default();
        for name in names {
            stated.join(load::assignments(self.rows, name)?);
        }
        let Some(assignment) = Assignment::in_force(stated.assignments.values().flatten(), time) else {
            return Ok(None);
        };
        let customer = stated.assignments.iter().find(|(_, all)| all.contains(assignment));
        let customer = customer.map(|(customer, _)| customer.as_str()).unwrap_or_default();
        let assignment = assignment.clone();
        // A statement is dated after the one before it, so its time may be later than that of the call.
        let sql = "SELECT a.actor_kind, a.actor_name FROM activity AS a WHERE a.workspace_id = ?1 AND a.mode = ?2 \
                   AND a.object_id = ?3 AND a.action = 'customer.reassigned' AND a.at <= ?4 ORDER BY a.id DESC LIMIT 1";
        let actor = self.rows.one(sql, args![customer, assignment.at], |row| {
            Ok((row.get::<String>(0)?, row.get::<Option<String>>(1)?))
        })?;
        let who = match actor {
            Some((kind, Some(name))) if kind == "person" => {
                let sql = "SELECT name FROM workspace WHERE id = ?1";
                let id = self.rows.scope().workspace_id();
                let at = self.rows.everywhere().one(sql, args![id], |row| row.get::<String>(0))?;
                at.map_or_else(|| name.clone(), |workspace| format!("{name} at {workspace}"))
            }
            Some((_, Some(name))) => format!("The key {name}"),
            Some((_, None)) | None => "The merchant".to_owned(),
        };
        let partner = match assignment.click_id() {
            Some(id) => self.click(id)?.map(|click| format!("{} in {}", click.partner, click.program)),
            None => None,
        };
        Ok(Some(Stated { assignment, who, partner }))
    }

    /// The events about a payment, or those of these IDs, newest first.
    pub(super) fn events(&self, payment_id: Option<&str>, ids: &[String]) -> Result<Vec<Value>, StoreError> {
        let columns = "SELECT id, stripe_event_id, type, outcome, reason, message, deliveries, received_at, settled_by, \
                       CASE WHEN stripe_event_id IS NULL AND outcome <> 'rejected' THEN received_at END, endpoint_id, object_id \
                       FROM event WHERE workspace_id = ?1 AND mode = ?2";
        let read = |row: &Row<'_>| {
            let (outcome, reason, message): (String, String, String) =
                (row.get(3)?, row.get(4)?, row.get(5)?);
            let received_at: Timestamp = row.get(7)?;
            let shown = Shown::of(&outcome, &reason, &message, self.now.secs_since(received_at));
            Ok(json!({
                "id": row.get::<String>(0)?,
                "stripe_event_id": row.get::<Option<String>>(1)?,
                "endpoint_id": row.get::<String>(10)?,
                "type": row.get::<Option<String>>(2)?,
                "outcome": shown.outcome,
                "reason": shown.reason,
                "message": shown.message,
                "deliveries": row.get::<i64>(6)?,
                "created_at": received_at.to_rfc3339(),
                "settled_by": row.get::<Option<String>>(8)?,
                "asked_at": row.get::<Option<Timestamp>>(9)?.map(Timestamp::to_rfc3339),
                "object_id": row.get::<Option<String>>(11)?,
            }))
        };
        let mut found = Vec::new();
        if let Some(payment_id) = payment_id {
            let sql = format!("{columns} AND subject_id = ?3 ORDER BY id DESC LIMIT 50");
            found.extend(self.rows.all(&sql, args![payment_id], read)?);
        }
        let sql = format!("{columns} AND id = ?3");
        for id in ids {
            if !found.iter().any(|event| event["id"] == **id) {
                found.extend(self.rows.one(&sql, args![id], read)?);
            }
        }
        Ok(found)
    }

    /// The event whose replay decides a payment again: the first stored one that Stripe sent about it.
    pub(super) fn event_to_replay(&self, payment_id: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT e.id FROM event AS e JOIN event_body AS b ON b.workspace_id = e.workspace_id AND b.mode = e.mode \
                   AND b.event_id = e.id WHERE e.workspace_id = ?1 AND e.mode = ?2 AND e.subject_id = ?3 \
                   AND e.outcome NOT IN ('ignored', 'failed', 'rejected') \
                   ORDER BY e.stripe_event_id IS NULL, e.id LIMIT 1";
        self.rows.one(sql, args![payment_id], |row| row.get(0))
    }

    /// The questions to Stripe about the `PaymentIntent`s and the invoice of a payment, and their results.
    pub(super) fn questions(&self, payment_id: &str) -> Result<Vec<Value>, StoreError> {
        let sql = "SELECT q.stripe_id, q.tries, q.asked_at, q.next_at, q.answer FROM payment_object AS o \
                   JOIN question AS q ON q.workspace_id = o.workspace_id AND q.mode = o.mode \
                   AND q.stripe_id = o.stripe_id \
                   WHERE o.workspace_id = ?1 AND o.mode = ?2 AND o.payment_id = ?3 ORDER BY q.stripe_id";
        self.rows.all(sql, args![payment_id], |row| {
            let about: String = row.get(0)?;
            let (invoice, payment_intent) =
                if about.starts_with("in_") { (Some(about), None) } else { (None, Some(about)) };
            Ok(json!({
                "payment_intent": payment_intent,
                "invoice": invoice,
                "tries": row.get::<i64>(1)?,
                "asked_at": row.get::<Timestamp>(2)?.to_rfc3339(),
                "asked_again_at": row.get::<Option<Timestamp>>(3)?.map(Timestamp::to_rfc3339),
                "answer": row.get::<String>(4)?,
            }))
        })
    }

    /// The commissions of a payment, each with its entries and the merchant's decision.
    pub(super) fn commissions(&self, payment: &Payment) -> Result<Vec<Value>, StoreError> {
        let sql = "SELECT c.id, c.partner_id, c.currency, c.amount_minor, c.reversed_minor, c.reason, c.matures_at, \
                   c.held, (SELECT name FROM partner AS a WHERE a.workspace_id = c.workspace_id AND a.mode = c.mode \
                   AND a.id = c.partner_id), EXISTS (SELECT 1 FROM payout_entry AS p WHERE p.workspace_id = c.workspace_id \
                   AND p.mode = c.mode AND p.commission_id = c.id), c.click_id FROM commission AS c \
                   WHERE c.workspace_id = ?1 AND c.mode = ?2 AND c.payment_id = ?3 ORDER BY c.id";
        let mut commissions = self.rows.all(sql, args![payment.id], |row| {
            let (amount, reversed): (i64, i64) = (row.get(3)?, row.get(4)?);
            let matures_at: Timestamp = row.get(6)?;
            let net = amount.saturating_sub(reversed);
            let status = Status::of(row.get(9)?, net, row.get(7)?, matures_at, self.now);
            Ok(json!({
                "id": row.get::<String>(0)?,
                "partner_id": row.get::<String>(1)?,
                "partner": row.get::<Option<String>>(8)?,
                "currency": row.get::<String>(2)?,
                "amount_minor": amount,
                "reversed_minor": reversed,
                "net_minor": net,
                "status": status,
                "reason": row.get::<String>(5)?,
                "verdict": verdict_json(payment.facts.verdict(&row.get::<String>(10)?)),
                "matures_at": matures_at.to_rfc3339(),
            }))
        })?;
        for commission in &mut commissions {
            let entries = self.entries(commission["id"].as_str().unwrap_or_default())?;
            if let Some(object) = commission.as_object_mut() {
                object.insert("entries".to_owned(), entries.into());
            }
        }
        Ok(commissions)
    }

    fn entries(&self, commission_id: &str) -> Result<Vec<Value>, StoreError> {
        let sql = "SELECT id, kind, amount_minor, reason, event_id, at, currency FROM ledger_entry \
                   WHERE workspace_id = ?1 AND mode = ?2 AND commission_id = ?3 ORDER BY id";
        self.rows.all(sql, args![commission_id], |row| {
            Ok(json!({
                "id": row.get::<String>(0)?,
                "kind": row.get::<String>(1)?,
                "amount_minor": row.get::<i64>(2)?,
                "currency": row.get::<String>(6)?,
                "reason": row.get::<String>(3)?,
                "event_id": row.get::<Option<String>>(4)?,
                "at": row.get::<Timestamp>(5)?.to_rfc3339(),
            }))
        })
    }

    /// Whether any event of one of these types has arrived.
    pub(super) fn has_event_of(&self, types: &[&str]) -> Result<bool, StoreError> {
        let sql =
            "SELECT 1 FROM event_count WHERE workspace_id = ?1 AND mode = ?2 AND type = ?3 AND rows > 0";
        for kind in types {
            if self.rows.exists(sql, args![kind])? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
