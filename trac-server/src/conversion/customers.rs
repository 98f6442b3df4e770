//! `/api/v1/customers`: the customers who signed up or paid, by the merchant's own ID if it is known,
//! otherwise by Stripe's.

use serde_json::{Value, json};
use trac_core::webhook::assignment::{Assignee, Assignment};
use trac_core::webhook::facts::Facts;
use trac_core::webhook::join::Join as _;

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
              AND e.customer_external_id = c.external_id AND q.click_id IS NOT NULL) AS f)) AS click_id, \
              (SELECT h.facts FROM holder AS h WHERE h.workspace_id = ?1 AND h.mode = ?2 AND h.stripe_id = 'customer:' || c.id) AS stated, \
              (SELECT h.facts FROM holder AS h WHERE h.workspace_id = ?1 AND h.mode = ?2 \
              AND h.stripe_id = 'customer:' || c.stripe_customer_id) AS stated_of_stripes",
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

/// The merchant's latest statement about who earns from a customer's payments; `null` if the rules decide.
pub(crate) fn reassigned<'a>(all: impl IntoIterator<Item = &'a Assignment>) -> Value {
    let Some(latest) = all.into_iter().max() else { return Value::Null };
    let (program_id, partner_id) = match &latest.to {
        Assignee::Usual => return Value::Null,
        Assignee::Nobody => (None, None),
        Assignee::Click { program_id, partner_id, .. } => (Some(program_id), Some(partner_id)),
    };
    json!({
        "partner_id": partner_id,
        "program_id": program_id,
        "click_id": latest.click_id(),
        "from": latest.from.to_rfc3339(),
    })
}

fn read(row: &Row<'_>, _: &Trac) -> Result<Value, StoreError> {
    let click_id = word(row, "click_id")?;
    let mut facts = Facts::default();
    for column in ["stated", "stated_of_stripes"] {
        let stated: Option<String> = row.get(column)?;
        facts.join(stated.map(|facts| serde_json::from_str(&facts)).transpose()?.unwrap_or_default());
    }
    Ok(json!({
        "id": word(row, "id")?,
        "external_id": word(row, "external_id")?,
        "stripe_customer_id": word(row, "stripe_customer_id")?,
        "email": word(row, "email")?,
        "name": word(row, "name")?,
        "attributed": !click_id.is_null(),
        "click_id": click_id,
        "reassigned": reassigned(facts.assignments.values().flatten()),
        "created_at": time(row, "created_at")?,
    }))
}
