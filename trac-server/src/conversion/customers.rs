//! `/api/v1/customers`: the customers who signed up or paid, by the merchant's own ID if it is known,
//! otherwise by Stripe's.

use serde_json::{Value, json};

use crate::api::list::Filter::{By, Is};
use crate::api::list::{Condition, Counts, Kept, Resource, time, word};
use crate::store::StoreError;
use crate::store::rows::Row;
use crate::trac::Trac;

/// Customers; `id` is the merchant's ID, or `cus_…` if no lead and no metadata contains the merchant's.
pub(crate) static CUSTOMERS: Resource = Resource {
    name: "customer",
    columns: "c.id, c.external_id, c.stripe_customer_id, c.created_at, \
              (SELECT l.email FROM lead AS l WHERE l.workspace_id = ?1 AND l.mode = ?2 \
              AND l.customer_external_id = c.external_id AND l.email IS NOT NULL ORDER BY l.created_at DESC, l.id DESC LIMIT 1) AS email, \
              (SELECT l.name FROM lead AS l WHERE l.workspace_id = ?1 AND l.mode = ?2 \
              AND l.customer_external_id = c.external_id AND l.name IS NOT NULL ORDER BY l.created_at DESC, l.id DESC LIMIT 1) AS name, \
              (SELECT p.click_id FROM payment AS p WHERE p.workspace_id = ?1 AND p.mode = ?2 AND p.id = (SELECT max(f.id) FROM (\
              SELECT max(q.id) AS id FROM payment AS q WHERE q.workspace_id = ?1 AND q.mode = ?2 \
              AND q.customer_id = c.stripe_customer_id AND q.click_id IS NOT NULL \
              UNION ALL SELECT max(q.id) FROM external_customer AS e JOIN payment AS q ON q.workspace_id = e.workspace_id \
              AND q.mode = e.mode AND q.id = e.named_by WHERE e.workspace_id = ?1 AND e.mode = ?2 \
              AND e.customer_external_id = c.external_id AND q.click_id IS NOT NULL) AS f)) AS click_id",
    from: "customer AS c",
    within: "c.workspace_id = ?1 AND c.mode = ?2",
    id: "c.id",
    order: &["c.created_at", "c.id"],
    filters: &[
        ("external_id", By(|_| Condition::of("c.id = {} AND c.external_id = {}"))),
        ("stripe_customer_id", Is("c.stripe_customer_id")),
    ],
    kept: Kept::Counts(&[Counts {
        from: "customer_count AS c",
        within: "c.workspace_id = ?1 AND c.mode = ?2",
        filters: &[],
        young: None,
        combination: &[],
    }]),
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
