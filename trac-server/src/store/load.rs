//! Loads everything an event can affect: its payment, the payments of the same subscription and customer, and
//! the clicks, programs and partners needed to decide about them.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use trac_core::conversion::candidate;
use trac_core::conversion::payment;
use trac_core::conversion::world::{Click, Commission, Enrollment, Known, Promotion, World};
use trac_core::money::Currency;
use trac_core::program::{History, Version};
use trac_core::time::Timestamp;
use trac_core::webhook::adjustment::Adjustment;
use trac_core::webhook::facts::Facts;
use trac_core::webhook::join::Join as _;

use super::rows::{Row, Rows, args};
use super::{StoreError, StoreErrorKind};

/// A world, and the decisions made in it so far.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) world: World,
    /// The stored decision of each payment, as JSON.
    pub(crate) decisions: BTreeMap<String, String>,
}

/// Loads the neighbourhood of facts: the payments that share an ID with them, then the payments of their
/// subscriptions and customers, until no more are found.
pub(crate) fn neighbourhood(rows: Rows<'_>, facts: &Facts) -> Result<Loaded, StoreError> {
    let mut loading = Loading { rows, loaded: Loaded::default(), seen: BTreeSet::new() };
    for id in facts.payment_ids() {
        loading.object(id)?;
    }
    loading.holders_of(facts)?;
    Ok(loading.loaded)
}

const BY_SUBSCRIPTION: &str =
    "SELECT id, facts, decision FROM payment WHERE workspace_id = ?1 AND mode = ?2 AND subscription_id = ?3";
const BY_CUSTOMER: &str =
    "SELECT id, facts, decision FROM payment WHERE workspace_id = ?1 AND mode = ?2 AND customer_id = ?3";

struct Loading<'a> {
    rows: Rows<'a>,
    loaded: Loaded,
    /// Subscriptions and customers whose payments were looked up.
    seen: BTreeSet<String>,
}

impl Loading<'_> {
    /// Loads the payment that the object with this ID belongs to, if one is known.
    fn object(&mut self, stripe_id: &str) -> Result<(), StoreError> {
        let sql =
            "SELECT payment_id FROM payment_object WHERE workspace_id = ?1 AND mode = ?2 AND stripe_id = ?3";
        match self.rows.one(sql, args![stripe_id], |row| row.get::<String>(0))? {
            Some(id) => self.payment(&id),
            None => Ok(()),
        }
    }

    fn payment(&mut self, id: &str) -> Result<(), StoreError> {
        let sql = "SELECT id, facts, decision FROM payment WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
        self.payments(sql, id)
    }

    /// Loads the payments that a query finds by one key, then the payments of their subscriptions and
    /// customers.
    fn payments(&mut self, sql: &str, key: &str) -> Result<(), StoreError> {
        let read = |row: &Row<'_>| {
            Ok((row.get::<String>(0)?, row.document::<Facts>(1)?, row.get::<Option<String>>(2)?))
        };
        for (id, facts, decision) in self.rows.all(sql, args![key], read)? {
            if self.loaded.world.payments.contains_key(&id) {
                continue;
            }
            self.loaded.decisions.extend(decision.map(|decision| (id.clone(), decision)));
            let commissions = commissions(self.rows, &id)?;
            // Of a customer's thousand payments, the first finds all others; the facts of the rest are not
            // cloned.
            let others = self.names_new_holder(&facts).then(|| facts.clone());
            let invoices: Vec<String> = facts.other_invoices().into_iter().map(Into::into).collect();
            self.loaded.world.payments.insert(id, Known { facts, commissions });
            // Each invoice that the same money paid is its own payment; they are decided together.
            for invoice in invoices {
                self.object(&invoice)?;
            }
            if let Some(facts) = others {
                self.holders_of(&facts)?;
            }
        }
        Ok(())
    }

    /// Whether facts name a subscription or customer that was not looked up yet.
    fn names_new_holder(&self, facts: &Facts) -> bool {
        let holders = payment::subscription(facts).into_iter().chain(payment::customer(facts));
        let is_new = |id: &str| !self.seen.contains(id);
        let named = payment::external_customers(facts);
        !(facts.subscriptions.is_empty() && facts.customers.is_empty())
            || holders.into_iter().any(is_new)
            || named.into_iter().any(|id| is_new(&format!("external:{id}")))
    }

    fn holders_of(&mut self, facts: &Facts) -> Result<(), StoreError> {
        let subscriptions =
            facts.subscriptions.keys().map(String::as_str).chain(payment::subscription(facts));
        let customers = facts.customers.keys().map(String::as_str).chain(payment::customer(facts));
        let of_subscriptions = facts.subscriptions.values().filter_map(|holder| holder.customer.as_deref());
        for id in subscriptions {
            self.holder(id, BY_SUBSCRIPTION)?;
        }
        for id in customers.chain(of_subscriptions) {
            self.holder(id, BY_CUSTOMER)?;
        }
        for id in payment::external_customers(facts) {
            self.external_customer(id)?;
        }
        for id in facts.assignments.keys() {
            self.external_customer(id)?;
            if !id.starts_with("sub_") {
                self.holder(id, BY_CUSTOMER)?;
            }
        }
        Ok(())
    }

    /// Loads the merchant's assignments of a customer.
    fn assignments(&mut self, customer: &str) -> Result<(), StoreError> {
        self.loaded.world.holders.join(assignments(self.rows, customer)?);
        Ok(())
    }

    /// Loads the payments, leads, subscriptions and customers that name a customer by the merchant's own ID.
    fn external_customer(&mut self, id: &str) -> Result<(), StoreError> {
        if !self.seen.insert(format!("external:{id}")) {
            return Ok(());
        }
        self.assignments(id)?;
        let sql = "SELECT named_by FROM external_customer \
                   WHERE workspace_id = ?1 AND mode = ?2 AND customer_external_id = ?3";
        for name in self.rows.all(sql, args![id], |row| row.get::<String>(0))? {
            if name.starts_with("cus_") {
                self.holder(&name, BY_CUSTOMER)?;
            } else if name.starts_with("sub_") {
                self.holder(&name, BY_SUBSCRIPTION)?;
            } else {
                self.payment(&name)?;
            }
        }
        Ok(())
    }

    fn holder(&mut self, id: &str, payments_sql: &str) -> Result<(), StoreError> {
        if !self.seen.insert(id.to_owned()) {
            return Ok(());
        }
        let sql = "SELECT facts FROM holder WHERE workspace_id = ?1 AND mode = ?2 AND stripe_id = ?3";
        if let Some(facts) = self.rows.one(sql, args![id], |row| row.document::<Facts>(0))? {
            for id in payment::external_customers(&facts) {
                self.external_customer(id)?;
            }
            self.loaded.world.holders.join(facts);
        }
        if payments_sql == BY_CUSTOMER {
            self.assignments(id)?;
        }
        self.payments(payments_sql, id)
    }
}

/// The key in `holder` of the merchant's assignments of a customer.
pub(crate) fn assignments_key(customer: &str) -> String {
    format!("customer:{customer}")
}

/// The merchant's assignments of the customer with this ID, as facts.
pub(crate) fn assignments(rows: Rows<'_>, customer: &str) -> Result<Facts, StoreError> {
    let sql = "SELECT facts FROM holder WHERE workspace_id = ?1 AND mode = ?2 AND stripe_id = ?3";
    let known = rows.one(sql, args![assignments_key(customer)], |row| row.document::<Facts>(0))?;
    Ok(known.unwrap_or_default())
}

fn commissions(rows: Rows<'_>, payment_id: &str) -> Result<Vec<Commission>, StoreError> {
    let sql = "SELECT c.id, c.click_id, c.program_id, c.partner_id, c.program_version, c.enrollment_version, \
               c.payment_time, c.currency, c.amount_minor, c.reversed_minor, c.closed, \
               EXISTS (SELECT 1 FROM payout_entry AS p WHERE p.workspace_id = c.workspace_id AND p.mode = c.mode \
               AND p.commission_id = c.id) AS paid \
               FROM commission AS c WHERE c.workspace_id = ?1 AND c.mode = ?2 AND c.payment_id = ?3 ORDER BY c.id";
    rows.all(sql, args![payment_id], |row| {
        Ok(Commission {
            id: row.get("id")?,
            click_id: row.get("click_id")?,
            program_id: row.get("program_id")?,
            partner_id: row.get("partner_id")?,
            program_version: row.get("program_version")?,
            enrollment_version: row.get("enrollment_version")?,
            payment_time: row.get("payment_time")?,
            currency: currency(row)?,
            amount_minor: row.get("amount_minor")?,
            reversed_minor: row.get("reversed_minor")?,
            closed: row.get("closed")?,
            paid: row.get("paid")?,
        })
    })
}

/// Loads the click of every value that may be a click ID, and the programs, enrollments and partners of the
/// clicks.
pub(crate) fn resolve(rows: Rows<'_>, world: &mut World) -> Result<(), StoreError> {
    let of_commissions = world.payments.values().flat_map(|known| &known.commissions);
    let mut values: BTreeSet<String> = of_commissions.map(|commission| commission.click_id.clone()).collect();
    values.extend(candidate::values_to_resolve(world));
    let sql = "SELECT c.program_id, c.partner_id, c.clicked_at, EXISTS (SELECT 1 FROM promotion_code AS p \
               WHERE p.workspace_id = c.workspace_id AND p.mode = c.mode AND p.click_id = c.id) \
               FROM click AS c WHERE c.workspace_id = ?1 AND c.mode = ?2 AND c.id = ?3";
    let read = |row: &Row<'_>| {
        Ok(Click {
            program_id: row.get(0)?,
            partner_id: row.get(1)?,
            clicked_at: row.get(2)?,
            is_promotion: row.get(3)?,
        })
    };
    for value in values {
        if let Some(click) = rows.one(sql, args![value], read)? {
            parties_of_click(rows, world, &click)?;
            world.clicks.insert(value, click);
        }
    }
    let adjustments: Vec<Click> =
        world.payments.values().flat_map(|known| known.facts.adjustments.values()).map(party).collect();
    for party in adjustments {
        parties_of_click(rows, world, &party)?;
    }
    promotions(rows, world)
}

/// The program and partner of an adjustment, which has no click.
fn party(adjustment: &Adjustment) -> Click {
    Click {
        program_id: adjustment.program_id.clone(),
        partner_id: adjustment.partner_id.clone(),
        clicked_at: adjustment.at.unwrap_or_default(),
        is_promotion: false,
    }
}

/// Loads the partners' promotion codes that were used, and the clicks that represent them.
fn promotions(rows: Rows<'_>, world: &mut World) -> Result<(), StoreError> {
    let sql = "SELECT p.click_id, p.given_at, p.taken_at, c.program_id, c.partner_id FROM promotion_code AS p \
               JOIN click AS c ON c.workspace_id = p.workspace_id AND c.mode = p.mode AND c.id = p.click_id \
               WHERE p.workspace_id = ?1 AND p.mode = ?2 AND p.code = ?3 \
               AND p.taken_at IS DISTINCT FROM p.given_at ORDER BY p.given_at";
    let read = |row: &Row<'_>| {
        let promotion = Promotion { click_id: row.get(0)?, from: row.get(1)?, until: row.get(2)? };
        let (program_id, partner_id) = (row.get(3)?, row.get(4)?);
        let click = Click { program_id, partner_id, clicked_at: Timestamp::default(), is_promotion: true };
        Ok((promotion, click))
    };
    for code in candidate::promotion_codes(world) {
        for (promotion, click) in rows.all(sql, args![code], read)? {
            parties_of_click(rows, world, &click)?;
            world.clicks.insert(promotion.click_id.clone(), click);
            world.promotions.entry(code.clone()).or_default().push(promotion);
        }
    }
    Ok(())
}

/// Loads the program, the enrollment and the partner of a click.
pub(crate) fn parties_of_click(rows: Rows<'_>, world: &mut World, click: &Click) -> Result<(), StoreError> {
    let Click { program_id, partner_id, .. } = click;
    if !world.programs.contains_key(program_id) {
        let sql = "SELECT number, valid_from, terms FROM program_version \
                   WHERE workspace_id = ?1 AND mode = ?2 AND program_id = ?3";
        world.programs.insert(program_id.clone(), history(rows, sql, program_id)?);
    }
    let key = (program_id.clone(), partner_id.clone());
    if let std::collections::btree_map::Entry::Vacant(place) = world.enrollments.entry(key) {
        let sql = "SELECT id FROM enrollment \
                   WHERE workspace_id = ?1 AND mode = ?2 AND program_id = ?3 AND partner_id = ?4";
        if let Some(id) = rows.one(sql, args![program_id, partner_id], |row| row.get::<String>(0))? {
            let sql = "SELECT number, valid_from, terms FROM enrollment_version \
                       WHERE workspace_id = ?1 AND mode = ?2 AND enrollment_id = ?3";
            let history = history(rows, sql, &id)?;
            place.insert(Enrollment { id, history });
        }
    }
    if !world.partner_emails.contains_key(partner_id) {
        let sql = "SELECT since, email FROM partner_address WHERE workspace_id = ?1 AND mode = ?2 AND partner_id = ?3 \
                   ORDER BY since, email";
        let addresses = rows.all(sql, args![partner_id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        world.partner_emails.insert(partner_id.clone(), addresses);
    }
    Ok(())
}

fn history<T: DeserializeOwned>(rows: Rows<'_>, sql: &str, id: &str) -> Result<History<T>, StoreError> {
    let read =
        |row: &Row<'_>| Ok(Version { number: row.get(0)?, valid_from: row.get(1)?, terms: row.document(2)? });
    Ok(History::new(rows.all(sql, args![id], read)?))
}

fn currency(row: &Row<'_>) -> Result<Currency, StoreError> {
    let code: String = row.get("currency")?;
    Currency::parse(&code).map_err(|error| StoreError::new(StoreErrorKind::Corrupt, error.to_string()))
}
