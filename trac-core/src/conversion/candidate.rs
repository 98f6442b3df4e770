//! Values that may be a click ID, and where they were found.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::payment;
use super::world::{CLOCK_SKEW_SECS, World};
use crate::time::Timestamp;
use crate::webhook::facts::Facts;
use crate::webhook::join::Dated;
use crate::webhook::references::References;

/// The place where a candidate was found; (1) to (8) number the attribution rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The merchant assigned the customer to a partner, before all other rules.
    Reassigned,
    /// (1) metadata of the Checkout Session.
    SessionMetadata,
    /// (2) `client_reference_id`.
    ClientReferenceId,
    /// (3) metadata of the subscription.
    SubscriptionMetadata,
    /// (4) metadata of the invoice.
    InvoiceMetadata,
    /// (5) metadata of the PaymentIntent or charge.
    PaymentMetadata,
    /// (6) the attribution of the subscription.
    Subscription,
    /// (7) metadata of the customer.
    CustomerMetadata,
    /// (8) the customer's earlier attribution, by a payment, report or lead.
    Customer,
    /// The click reported with a lead; it is the lead's own attribution.
    Lead,
    /// The click that the merchant reported with the payment, after (5).
    Report,
    /// The buyer used a promotion code that is assigned to a partner. It counts if no other rule resolves,
    /// or before (6) if the code was entered at this payment.
    PromotionCode,
    /// The click that a page claimed with the payment, if no other rule resolves; its commission is held
    /// until the merchant approves the claim.
    Claim,
}

impl Rule {
    /// The code, such as `session_metadata`, which is also the serialised form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reassigned => "reassigned",
            Self::SessionMetadata => "session_metadata",
            Self::ClientReferenceId => "client_reference_id",
            Self::SubscriptionMetadata => "subscription_metadata",
            Self::InvoiceMetadata => "invoice_metadata",
            Self::PaymentMetadata => "payment_metadata",
            Self::Subscription => "subscription",
            Self::CustomerMetadata => "customer_metadata",
            Self::Customer => "customer",
            Self::Lead => "lead",
            Self::Report => "report",
            Self::PromotionCode => "promotion_code",
            Self::Claim => "claim",
        }
    }
}

/// A value that may be a click ID.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The rule by which it was found.
    pub rule: Rule,
    /// The ID of the Stripe object, report or lead that contained it.
    pub object: String,
    /// The value.
    pub value: String,
}

/// Every value that may be a click ID: by rules (1) to (5), then of reports, claims, promotion codes and
/// leads.
#[must_use]
pub fn candidates(facts: &Facts, holders: &Facts) -> Vec<Candidate> {
    let mut found = Vec::new();
    let mut add = |rule, object: &str, values: &mut dyn Iterator<Item = &String>| {
        found.extend(values.map(|value| Candidate { rule, object: object.into(), value: value.clone() }));
    };
    for (id, session) in &facts.sessions {
        let references = session.references.iter();
        add(Rule::SessionMetadata, id, &mut references.flat_map(|latest| &latest.value.clicks));
    }
    for (id, session) in &facts.sessions {
        let reference = session.client_reference.iter();
        add(Rule::ClientReferenceId, id, &mut reference.map(|latest| &latest.value));
    }
    for (id, invoice) in &facts.invoices {
        let references = invoice.subscription_references.iter();
        add(Rule::SubscriptionMetadata, id, &mut references.flat_map(|latest| &latest.value.clicks));
    }
    if let Some((id, subscription)) =
        payment::subscription(facts).and_then(|id| holders.subscriptions.get_key_value(id))
    {
        let references = holder_time(facts).and_then(|time| subscription.references.at(time));
        add(Rule::SubscriptionMetadata, id, &mut references.into_iter().flat_map(|it| &it.clicks));
    }
    for (id, invoice) in &facts.invoices {
        let references = invoice.references.iter();
        add(Rule::InvoiceMetadata, id, &mut references.flat_map(|latest| &latest.value.clicks));
    }
    let intents = facts.payment_intents.iter().map(|(id, intent)| (id, &intent.references));
    let charges = facts.charges.iter().map(|(id, charge)| (id, &charge.references));
    for (id, references) in intents.chain(charges) {
        add(Rule::PaymentMetadata, id, &mut references.iter().flat_map(|latest| &latest.value.clicks));
    }
    for (id, report) in facts.reports.iter().filter(|(_, report)| report.by_merchant) {
        add(Rule::Report, id, &mut report.click.iter());
    }
    let claims = || facts.reports.iter().filter(|(_, report)| !report.by_merchant && !report.is_rejected());
    // Approved claims go before the others.
    for approved in [true, false] {
        for (id, claim) in claims().filter(|(_, claim)| claim.is_trusted() == approved) {
            add(Rule::Claim, id, &mut claim.click.iter());
        }
    }
    for (id, session) in &facts.sessions {
        add(Rule::PromotionCode, id, &mut session.promotions.iter());
    }
    for (id, invoice) in &facts.invoices {
        add(Rule::PromotionCode, id, &mut invoice.promotions.iter());
    }
    for (id, lead) in &facts.leads {
        add(Rule::Lead, id, &mut lead.reported_clicks().iter().map(|(_, click)| click));
    }
    found
}

/// The time as of which the metadata of a subscription or customer is read for a payment: the payment's time
/// plus [`CLOCK_SKEW_SECS`], because Stripe creates both within the same seconds.
#[must_use]
pub fn holder_time(facts: &Facts) -> Option<Timestamp> {
    payment::time(facts).map(|time| time.plus_secs(CLOCK_SKEW_SECS))
}

/// All promotion codes used in a world, which the store looks up.
#[must_use]
pub fn promotion_codes(world: &World) -> BTreeSet<String> {
    let facts = world.payments.values().map(|known| &known.facts);
    let of_sessions = facts.clone().flat_map(|facts| facts.sessions.values().map(|it| &it.promotions));
    let of_invoices = facts.flat_map(|facts| facts.invoices.values().map(|it| &it.promotions));
    of_sessions.chain(of_invoices).flatten().cloned().collect()
}

/// All values in a world that may be click IDs, which the store looks up.
#[must_use]
pub fn values_to_resolve(world: &World) -> Vec<String> {
    let of_payments = world
        .payments
        .values()
        .flat_map(|known| candidates(&known.facts, &Facts::default()))
        .filter(|found| found.rule != Rule::PromotionCode)
        .map(|found| found.value);
    let customers = world.holders.customers.values().map(|customer| &customer.references);
    let subscriptions = world.holders.subscriptions.values().map(|subscription| &subscription.references);
    let dated = customers.chain(subscriptions).flat_map(Dated::iter);
    let of_holders = dated.flat_map(|(_, references): (_, &References)| references.clicks.iter().cloned());
    let assigned = world.holders.assignments.values().flatten();
    let assigned = assigned.filter_map(|one| one.click_id().map(String::from));
    let mut values: Vec<_> = of_payments.chain(of_holders).chain(assigned).collect();
    values.sort_unstable();
    values.dedup();
    values
}
