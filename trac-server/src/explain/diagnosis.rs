//! Why an event that should be here is not.

use serde_json::{Value, json};
use trac_core::conversion::reason::Reason;
use trac_core::conversion::remedy::remedy;

use super::evidence::Archive;
use crate::store::StoreError;

/// How long back rejected deliveries are looked at.
const RECENT_SECS: i64 = 7 * 86_400;

/// What is found, worst first.
pub(super) struct Diagnosis {
    pub(super) reason: &'static str,
    pub(super) what: String,
    pub(super) remedy: String,
}

impl Diagnosis {
    pub(super) fn to_json(&self) -> Value {
        json!({ "reason": self.reason, "what": self.what, "remedy": self.remedy })
    }
}

/// The event type that would have told of an object of this kind.
fn event_type(kind: &str) -> &'static str {
    match kind {
        "invoice" | "subscription" => "invoice.paid",
        "charge" | "refund" => "charge.refunded",
        "dispute" => "charge.dispute.created",
        "payment intent" => "payment_intent.succeeded",
        _ => "checkout.session.completed",
    }
}

/// Looks for every cause that the store can show: no secret, wrong secret, wrong clock, type not selected, nothing at all.
pub(super) fn of_missing_event(archive: &Archive<'_>, kind: &str) -> Result<Vec<Diagnosis>, StoreError> {
    let mut found = Vec::new();
    let mut add =
        |reason: &'static str, what: String, remedy: String| found.push(Diagnosis { reason, what, remedy });
    let has_secret = archive.any(
        "SELECT 1 FROM webhook_endpoint WHERE workspace_id = ?1 AND mode = ?2 AND secrets <> '[]' AND ?3 = ''",
        "",
    )?;
    if !has_secret {
        add(
            "signature_invalid",
            "No webhook endpoint of this mode has a signing secret, so every delivery is refused.".to_owned(),
            "Copy the endpoint's whsec_… from Stripe: PATCH /webhook-endpoints/{id} with signing_secrets."
                .to_owned(),
        );
    }
    let since = archive.now.plus_secs(-RECENT_SECS).unix_secs().to_string();
    for reason in [Reason::SignatureInvalid, Reason::TimestampOutsideTolerance, Reason::Unreadable] {
        let sql = format!(
            "SELECT 1 FROM event WHERE workspace_id = ?1 AND mode = ?2 AND outcome = 'rejected' \
             AND reason = '{reason}' AND received_at >= CAST(?3 AS INTEGER)"
        );
        if archive.any(&sql, &since)? {
            let what = format!("Deliveries were rejected in the last seven days: {}", reason.meaning());
            add(reason.as_str(), what, remedy(reason).unwrap_or_default().to_owned());
        }
    }
    let any_event = "SELECT 1 FROM event WHERE workspace_id = ?1 AND mode = ?2 AND stripe_event_id IS NOT NULL \
                     AND ?3 = ''";
    let wanted = event_type(kind);
    if !archive.any(any_event, "")? {
        add(
            "webhook_never_arrived",
            "No authentic event has ever arrived in this workspace and mode.".to_owned(),
            "In Stripe, add an endpoint of this mode with the URL from GET /webhook-endpoints, and select the events \
             listed there. Look at the deliveries Stripe shows: 404 is a wrong URL, 401 a wrong secret, 5xx or a time-out \
             this server."
                .to_owned(),
        );
    } else if !archive
        .any("SELECT 1 FROM event WHERE workspace_id = ?1 AND mode = ?2 AND type = ?3", wanted)?
    {
        add(
            "event_type_not_selected",
            format!("Events arrive, but none of type {wanted} has."),
            format!("Select {wanted} for this endpoint in Stripe."),
        );
    } else {
        add(
            "event_not_received",
            format!("Events of type {wanted} arrive, but none about this object has."),
            "Look in Stripe at the event's deliveries, and resend it. Mind the mode: test events go to the test endpoint."
                .to_owned(),
        );
    }
    Ok(found)
}
