//! The questions to Stripe about a payment, the key they are asked with, and their results.

use serde_json::{Value, json};

use super::evidence::{Archive, Payment};
use super::hop::Hop;
use crate::store::StoreError;
use crate::store::rows::args;

/// The endpoint whose key is used, or could be used, for questions about a payment.
struct Asker {
    endpoint_id: String,
    has_key: bool,
    /// Why Stripe rejects the key.
    problem: Option<String>,
}

/// The questions about a payment, and the waiting hop with their results added.
pub(super) fn of_payment(
    archive: &Archive<'_>,
    payment: &Payment,
    hop: Hop,
) -> Result<(Hop, Vec<Value>), StoreError> {
    let asked = archive.questions(&payment.id)?;
    let hop = asked.iter().fold(hop, |hop, question| {
        let text = |name: &str| question[name].as_str().unwrap_or_default();
        hop.with_sentence(&format!("Asked at {}: {}", text("asked_at"), text("answer")))
    });
    Ok((hop, asked))
}

/// The hop of a decision that waits for the lines of an invoice.
pub(super) fn of_products(archive: &Archive<'_>, payment: &Payment, hop: Hop) -> Result<Hop, StoreError> {
    let (mut hop, asked) = of_payment(archive, payment, hop)?;
    if let Some(invoice) = long_invoice(payment)
        && let Some(asker) = asker(archive, &payment.id)?
    {
        let question = asked.iter().find(|question| question["invoice"] == *invoice);
        hop = hop.with_remedy(asker.remedy(question));
    }
    Ok(hop.with_details(json!({ "reason": payment.decision.reason, "asked": asked })))
}

/// The invoice of a payment, if not all of its lines are known.
pub(super) fn long_invoice(payment: &Payment) -> Option<&str> {
    let mut invoices = payment.facts.invoices.iter();
    let long = invoices.find(|(_, invoice)| invoice.amounts.is_some() && invoice.every_line().is_none());
    long.map(|(id, _)| id.as_str())
}

/// The endpoint, among those of the account that reported a payment, whose key is used: one with a valid key
/// first, then one with any key.
fn asker(archive: &Archive<'_>, payment_id: &str) -> Result<Option<Asker>, StoreError> {
    let sql = "SELECT w.id, w.stripe_api_key IS NOT NULL, w.stripe_api_key_problem FROM event AS e \
               JOIN webhook_endpoint AS t ON t.id = e.endpoint_id \
               JOIN webhook_endpoint AS w ON w.workspace_id = e.workspace_id AND w.mode = e.mode \
               AND w.stripe_account IS NOT DISTINCT FROM t.stripe_account \
               WHERE e.workspace_id = ?1 AND e.mode = ?2 AND e.subject_id = ?3 \
               ORDER BY w.stripe_api_key IS NULL, w.stripe_api_key_problem IS NOT NULL, w.id LIMIT 1";
    archive.rows.one(sql, args![payment_id], |row| {
        Ok(Asker { endpoint_id: row.get(0)?, has_key: row.get(1)?, problem: row.get(2)? })
    })
}

impl Asker {
    /// The remedy if no event contains every line of an invoice; `question` is the question to Stripe about it, if any.
    fn remedy(&self, question: Option<&Value>) -> String {
        let set = format!("PATCH /webhook-endpoints/{} with stripe_api_key", self.endpoint_id);
        if !self.has_key {
            return format!(
                "Give the endpoint a restricted key that may read Invoices: {set}. Stripe is then asked for the lines. Or add \
                 the Payment Link (plink_…) to the program's products."
            );
        }
        if let Some(problem) = &self.problem {
            return format!(
                "Give the endpoint another restricted key that may read Invoices: {set}. {problem}"
            );
        }
        match question.map(|question| question["asked_again_at"].as_str()) {
            None => "There is nothing to do: Stripe will be asked for the lines in a moment.".to_owned(),
            Some(Some(at)) => {
                format!("There is nothing to do: Stripe will be asked for the lines again at {at}.")
            }
            Some(None) => {
                format!("Stripe will not be asked again. To ask once more, set the key again: {set}.")
            }
        }
    }
}
