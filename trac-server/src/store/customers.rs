//! The rows of `customer`. A customer has the merchant's own ID if any facts name one, otherwise Stripe's; which one
//! can change with each event. So the rows of all IDs that a write may change are derived anew, at its end.

use std::collections::BTreeSet;

use trac_core::time::Timestamp;

use super::StoreError;
use super::rows::{Rows, args};

/// The IDs of customers whose rows may have changed.
#[derive(Debug, Default)]
pub(super) struct Affected(BTreeSet<String>);

/// The customer at Stripe of a payment before it is written; `Err` if there is no such payment yet.
pub(super) type Before = Result<Option<String>, ()>;

impl Affected {
    /// Adds a customer at Stripe or of the merchant.
    pub(super) fn add(&mut self, id: &str) {
        self.0.insert(id.to_owned());
    }

    /// Adds everyone whom a payment names: its customer at Stripe, and the merchant's IDs in its facts.
    pub(super) fn add_all_of(&mut self, rows: Rows<'_>, payment_id: &str) -> Result<(), StoreError> {
        if let Ok(Some(customer)) = before(rows, payment_id)? {
            self.0.insert(customer);
        }
        let sql = "SELECT customer_external_id FROM external_customer WHERE workspace_id = ?1 AND mode = ?2 AND named_by = ?3";
        self.0.extend(rows.all(sql, args![payment_id], |row| row.get::<String>(0))?);
        Ok(())
    }

    /// Adds those whom a written payment may have changed: nobody if it names nobody new.
    pub(super) fn add_changed(
        &mut self,
        rows: Rows<'_>,
        payment_id: &str,
        before: Before,
        names_new: bool,
    ) -> Result<(), StoreError> {
        let sql = "SELECT p.customer_id, EXISTS (SELECT 1 FROM customer AS c WHERE c.workspace_id = ?1 AND c.mode = ?2 \
                   AND c.stripe_customer_id = p.customer_id) AS is_known \
                   FROM payment AS p WHERE p.workspace_id = ?1 AND p.mode = ?2 AND p.id = ?3";
        let now =
            rows.one(sql, args![payment_id], |row| Ok((row.get::<Option<String>>(0)?, row.get::<bool>(1)?)))?;
        let (customer, is_known) = now.unwrap_or_default();
        let is_same = match &before {
            Ok(before) => *before == customer,
            Err(()) => customer.is_none() || is_known,
        };
        if is_same && !names_new {
            return Ok(());
        }
        self.0.extend(before.ok().flatten());
        self.add_all_of(rows, payment_id)
    }

    /// Derives the rows anew.
    pub(super) fn refresh(&self, rows: Rows<'_>, now: Timestamp) -> Result<(), StoreError> {
        for id in &self.0 {
            refresh(rows, id, now)?;
        }
        Ok(())
    }
}

/// The customer at Stripe of a payment.
pub(super) fn before(rows: Rows<'_>, payment_id: &str) -> Result<Before, StoreError> {
    let sql = "SELECT customer_id FROM payment WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
    Ok(rows.one(sql, args![payment_id], |row| row.get(0))?.ok_or(()))
}

/// The facts that name a customer by this ID. Payments of a customer at Stripe count only if no facts of that
/// customer contain an ID of the merchant.
const NAMED: &str = "SELECT max(s.external_id), max(s.stripe_customer_id), min(s.at), count(*) FROM (\
    SELECT e.customer_external_id AS external_id, \
    coalesce(p.customer_id, CASE WHEN e.named_by LIKE 'cus\\_%' ESCAPE '\\' THEN e.named_by END) AS stripe_customer_id, \
    p.created_at AS at FROM external_customer AS e LEFT JOIN payment AS p \
    ON p.workspace_id = e.workspace_id AND p.mode = e.mode AND p.id = e.named_by \
    WHERE e.workspace_id = ?1 AND e.mode = ?2 AND e.customer_external_id = ?3 \
    UNION ALL SELECT NULL, q.customer_id, q.created_at FROM payment AS q \
    WHERE q.workspace_id = ?1 AND q.mode = ?2 AND q.customer_id = ?3 \
    AND NOT EXISTS (SELECT 1 FROM external_customer AS e WHERE e.workspace_id = ?1 AND e.mode = ?2 AND e.named_by = ?3) \
    AND NOT EXISTS (SELECT 1 FROM payment AS n JOIN external_customer AS e ON e.workspace_id = n.workspace_id \
    AND e.mode = n.mode AND e.named_by = n.id WHERE n.workspace_id = ?1 AND n.mode = ?2 AND n.customer_id = ?3)) AS s";

fn refresh(rows: Rows<'_>, id: &str, now: Timestamp) -> Result<(), StoreError> {
    let named = rows.one(NAMED, args![id], |row| {
        let ids: (Option<String>, Option<String>) = (row.get(0)?, row.get(1)?);
        Ok((ids, row.get::<Option<Timestamp>>(2)?, row.get::<i64>(3)?))
    })?;
    let Some(((external_id, stripe_id), at, 1..)) = named else {
        let delete = "DELETE FROM customer WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
        rows.write(delete, args![id])?;
        return Ok(());
    };
    rows.write(
        "INSERT INTO customer (workspace_id, mode, id, external_id, stripe_customer_id, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (workspace_id, mode, id) DO UPDATE \
         SET external_id = excluded.external_id, stripe_customer_id = excluded.stripe_customer_id",
        args![id, external_id, stripe_id, at.unwrap_or(now)],
    )?;
    Ok(())
}
