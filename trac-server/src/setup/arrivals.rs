//! What arrived at the webhook endpoints of a mode, and what was rejected there.
//!
//! Events are read by their counts: one look-up in an index for each type, outcome and endpoint, however many events
//! there are. Both sides of a comparison with an indexed expression are expressions: SQLite uses the index only then.

use std::collections::BTreeSet;

use trac_core::reason::Reason;
use trac_core::time::Timestamp;
use trac_core::webhook::invoice::LINES_LISTED;

use crate::store::StoreError;
use crate::store::rows::{Rows, args};

/// The type that trac also records itself, when it has asked Stripe.
pub(super) const INVOICE_PAYMENT: &str = "invoice_payment.paid";

/// The age up to which rejected deliveries are considered.
const RECENT_SECS: i64 = 7 * 86_400;

/// The reasons with which an authentic event is ignored because it was sent to the wrong place, or in the wrong form.
const MISDIRECTED: [Reason; 3] =
    [Reason::ModeMismatch, Reason::AccountMismatch, Reason::UnsupportedThinEvent];

/// The authentic events of one type, API version, reason and endpoint.
struct Group {
    endpoint_id: String,
    kind: String,
    api_version: String,
    reason: String,
    first_id: String,
    last_id: String,
}

/// All authentic events of a mode.
pub(super) struct Arrivals(Vec<Group>);

impl Arrivals {
    pub(super) fn read(rows: Rows<'_>) -> Result<Self, StoreError> {
        let of_group = "FROM event AS e WHERE e.workspace_id = ?1 AND e.mode = ?2 AND e.last_outcome = c.last_outcome \
                        AND e.last_reason = c.last_reason AND coalesce(e.type, '') = coalesce(c.type, '') \
                        AND coalesce(e.api_version, '') = coalesce(c.api_version, '') AND e.endpoint_id = c.endpoint_id";
        let sql = format!(
            "SELECT c.endpoint_id, c.type, c.api_version, c.last_reason, (SELECT min(e.id) {of_group}), \
             (SELECT max(e.id) {of_group}) FROM event_count AS c \
             WHERE c.workspace_id = ?1 AND c.mode = ?2 AND c.last_outcome <> 'rejected' AND c.rows > 0"
        );
        let groups = rows.all(&sql, &[], |row| {
            let ids: (Option<String>, Option<String>) = (row.get(4)?, row.get(5)?);
            Ok(Group {
                endpoint_id: row.get(0)?,
                kind: row.get(1)?,
                api_version: row.get(2)?,
                reason: row.get(3)?,
                first_id: ids.0.unwrap_or_default(),
                last_id: ids.1.unwrap_or_default(),
            })
        })?;
        let mut events = Self(groups);
        events.0.retain(|group| group.kind != LINES_LISTED);
        if events.has(INVOICE_PAYMENT) && !has_of_stripe(rows, INVOICE_PAYMENT)? {
            events.0.retain(|group| group.kind != INVOICE_PAYMENT);
        }
        Ok(events)
    }

    fn usable(&self) -> impl Iterator<Item = &Group> {
        self.0.iter().filter(|group| MISDIRECTED.iter().all(|reason| reason.as_str() != group.reason))
    }

    /// The time of the first event that was sent to the right place.
    pub(super) fn first_at(&self, rows: Rows<'_>) -> Result<Option<Timestamp>, StoreError> {
        match self.usable().map(|group| &group.first_id).min() {
            Some(id) => received_at(rows, id),
            None => Ok(None),
        }
    }

    /// The reason and time of the last event that was sent to the wrong place.
    pub(super) fn misdirected(&self, rows: Rows<'_>) -> Result<Option<(Reason, Timestamp)>, StoreError> {
        let found = self.0.iter().filter_map(|group| {
            let reason = MISDIRECTED.into_iter().find(|reason| reason.as_str() == group.reason)?;
            Some((&group.last_id, reason))
        });
        let Some((id, reason)) = found.max_by_key(|(id, _)| *id) else { return Ok(None) };
        Ok(received_at(rows, id)?.map(|at| (reason, at)))
    }

    /// Whether an event of this type arrived.
    pub(super) fn has(&self, kind: &str) -> bool {
        self.usable().any(|group| group.kind == kind)
    }

    /// The types that arrived, each once.
    pub(super) fn kinds(&self) -> Vec<&str> {
        let kinds: BTreeSet<&str> = self.usable().map(|group| group.kind.as_str()).collect();
        kinds.into_iter().collect()
    }

    /// The time of the first event whose type, API version and reason fit.
    pub(super) fn first_where(
        &self,
        rows: Rows<'_>,
        fits: impl Fn(&str, &str, &str) -> bool,
    ) -> Result<Option<Timestamp>, StoreError> {
        let fitting = self.usable().filter(|group| fits(&group.kind, &group.api_version, &group.reason));
        match fitting.map(|group| &group.first_id).min() {
            Some(id) => received_at(rows, id),
            None => Ok(None),
        }
    }

    /// The deliveries that an endpoint rejected after its last authentic event, and after it was set up.
    pub(super) fn rejected(
        &self,
        rows: Rows<'_>,
        endpoint_id: &str,
        set_up_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<Rejected>, StoreError> {
        // trac's own question to Stripe is not a delivery.
        let of_endpoint = self.0.iter().filter(|group| group.endpoint_id == endpoint_id);
        let last =
            of_endpoint.filter(|group| group.kind != INVOICE_PAYMENT).map(|group| &group.last_id).max();
        let since = now.plus_secs(-RECENT_SECS).max(set_up_at.unwrap_or_default().plus_secs(1));
        let mut worst: Option<Rejected> = None;
        for reason in [Reason::SignatureInvalid, Reason::TimestampOutsideTolerance] {
            let sql = "SELECT sum(e.deliveries), max(e.received_at) FROM event AS e WHERE e.workspace_id = ?1 AND e.mode = ?2 \
                       AND e.endpoint_id = ?3 AND e.outcome = 'rejected' AND e.reason = ?4 AND e.received_at >= ?5 AND e.id > ?6";
            let after = last.map_or("", String::as_str);
            let found = rows.one(sql, args![endpoint_id, reason.as_str(), since, after], |row| {
                Ok((row.get::<Option<i64>>(0)?, row.get::<Option<Timestamp>>(1)?))
            })?;
            let Some((Some(deliveries), Some(at))) = found else { continue };
            if worst.as_ref().is_none_or(|worst| worst.at < at) {
                worst = Some(Rejected { reason, deliveries, at });
            }
        }
        Ok(worst)
    }
}

/// Deliveries that were rejected for the same reason.
pub(super) struct Rejected {
    pub(super) reason: Reason,
    /// At least.
    pub(super) deliveries: i64,
    /// The last of them.
    pub(super) at: Timestamp,
}

fn received_at(rows: Rows<'_>, id: &str) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT received_at FROM event WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
    rows.one(sql, args![id], |row| row.get(0))
}

/// Whether any of the newest events of a type was delivered by Stripe, and not recorded by trac.
fn has_of_stripe(rows: Rows<'_>, kind: &str) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM event_count AS c WHERE c.workspace_id = ?1 AND c.mode = ?2 AND c.last_outcome <> 'rejected' \
               AND c.type = ?3 AND c.rows > 0 AND EXISTS (SELECT 1 FROM (SELECT e.stripe_event_id FROM event AS e \
               WHERE e.workspace_id = ?1 AND e.mode = ?2 AND e.last_outcome = c.last_outcome AND e.last_reason = c.last_reason \
               AND coalesce(e.type, '') = coalesce(c.type, '') AND coalesce(e.api_version, '') = coalesce(c.api_version, '') \
               AND e.endpoint_id = c.endpoint_id ORDER BY e.id DESC LIMIT 50) AS newest \
               WHERE newest.stripe_event_id IS NOT NULL)";
    rows.exists(sql, args![kind])
}
