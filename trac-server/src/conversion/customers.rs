//! `/api/v1/customers`: the customers who signed up or paid, by the merchant's own ID if it is known,
//! otherwise by Stripe's.

use serde_json::{Value, json};

use crate::api::list::Filter::Is;
use crate::api::list::{Resource, time, word};
use crate::store::StoreError;
use crate::store::rows::Row;
use crate::trac::Trac;

/// Customers. They have no table of their own, but are derived from leads and payments; `id` is the
/// merchant's ID, or `cus_…` if no lead and no metadata contains the merchant's.
pub(crate) static CUSTOMERS: Resource = Resource {
    name: "customer",
    columns: "c.id, c.external_id, c.stripe_customer_id, c.created_at, \
              (SELECT l.email FROM lead AS l WHERE l.workspace_id = ?1 AND l.mode = ?2 \
              AND l.customer_external_id = c.external_id AND l.email IS NOT NULL ORDER BY l.id DESC LIMIT 1) AS email, \
              (SELECT l.name FROM lead AS l WHERE l.workspace_id = ?1 AND l.mode = ?2 \
              AND l.customer_external_id = c.external_id AND l.name IS NOT NULL ORDER BY l.id DESC LIMIT 1) AS name, \
              (SELECT p.click_id FROM payment AS p \
              WHERE p.workspace_id = ?1 AND p.mode = ?2 \
              AND p.click_id IS NOT NULL \
              AND (p.customer_id = c.stripe_customer_id OR p.id IN (SELECT e.named_by FROM external_customer AS e \
              WHERE e.workspace_id = ?1 AND e.mode = ?2 AND e.customer_external_id = c.external_id)) \
              ORDER BY p.id DESC LIMIT 1) AS click_id",
    from: "(SELECT s.id, max(s.external_id) AS external_id, max(s.stripe_customer_id) AS stripe_customer_id, \
           coalesce(min(s.at), 0) AS created_at FROM (\
           SELECT e.customer_external_id AS id, e.customer_external_id AS external_id, \
           coalesce(p.customer_id, CASE WHEN e.named_by LIKE 'cus\\_%' ESCAPE '\\' THEN e.named_by END) AS stripe_customer_id, \
           p.created_at AS at FROM external_customer AS e LEFT JOIN payment AS p \
           ON p.workspace_id = e.workspace_id AND p.mode = e.mode AND p.id = e.named_by \
           WHERE e.workspace_id = ?1 AND e.mode = ?2 \
           UNION ALL SELECT q.customer_id, NULL, q.customer_id, q.created_at FROM payment AS q \
           WHERE q.workspace_id = ?1 AND q.mode = ?2 AND q.customer_id IS NOT NULL \
           AND NOT EXISTS (SELECT 1 FROM external_customer AS e WHERE e.workspace_id = q.workspace_id \
           AND e.mode = q.mode AND e.named_by = q.customer_id) \
           AND NOT EXISTS (SELECT 1 FROM payment AS n JOIN external_customer AS e ON e.workspace_id = n.workspace_id \
           AND e.mode = n.mode AND e.named_by = n.id WHERE n.workspace_id = q.workspace_id AND n.mode = q.mode \
           AND n.customer_id = q.customer_id)) AS s GROUP BY s.id) AS c",
    within: "TRUE",
    id: "c.id",
    order: &["c.created_at", "c.id"],
    filters: &[("external_id", Is("c.external_id")), ("stripe_customer_id", Is("c.stripe_customer_id"))],
    read,
};

fn read(row: &Row<'_>, _: &Trac) -> Result<Value, StoreError> {
    let click_id = word(row, "click_id")?;
    Ok(json!({
        "id": word(row, "id")?,
        "external_id": word(row, "external_id")?,
        "stripe_customer_id": word(row, "stripe_customer_id")?,
        "email": word(row, "email")?,
        "name": word(row, "name")?,
        "attributed": !click_id.is_null(),
        "click_id": click_id,
        "created_at": time(row, "created_at")?,
    }))
}
