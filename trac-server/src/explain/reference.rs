//! The hop `reference`: which field of which object carried the click to a payment, or why none did.

use serde_json::{Value, json};
use trac_core::checkout::reference::metadata_keys;
use trac_core::commission::decision::Decision;
use trac_core::conversion::attribution::Attribution;
use trac_core::conversion::candidate::{Candidate, Rule};
use trac_core::reason::Reason;
use trac_core::time::Timestamp;

use super::diagnosis;
use super::evidence::{Archive, Payment, Stated};
use super::hop::{Hop, Status};
use super::unbound;
use crate::click::link_path;
use crate::store::StoreError;
use crate::store::body::StoredBody;
use crate::store::rows::args;

/// How many stored events are searched for the field that contained a value.
const EVENTS_MAX: u32 = 5;

/// The field that carried the click.
pub(super) fn found(
    archive: &Archive<'_>,
    payment: &Payment,
    attribution: &Attribution,
) -> Result<Hop, StoreError> {
    let decision = &payment.decision;
    if attribution.rule == Rule::Reassigned {
        return reassigned(archive, payment);
    }
    let carried = decision.candidates.iter().find(|candidate| candidate.value == attribution.click_id);
    let words = match carried {
        Some(candidate) => {
            let place = place(archive, candidate)?;
            format!("The click ID was found in {place}.")
        }
        None if attribution.rule == Rule::PromotionCode => promoted(decision),
        None => inherited(attribution),
    };
    let details = json!({ "rule": attribution.rule, "bound_by": attribution.bound_by,
        "bound_at": attribution.bound_at.to_rfc3339(), "candidates": decision.candidates });
    Ok(Hop::ok("reference", words).with_details(details))
}

/// The merchant decided who earns from the payments of this customer.
pub(super) fn reassigned(archive: &Archive<'_>, payment: &Payment) -> Result<Hop, StoreError> {
    let Some(Stated { assignment, who, partner }) = archive.assignment(payment)? else {
        return Ok(Hop::broken("reference", Status::Refused, Reason::Reassigned));
    };
    let (at, from) = (assignment.at.to_rfc3339(), assignment.from.to_rfc3339());
    let details = json!({ "rule": Rule::Reassigned, "assignment": assignment, "candidates": payment.decision.candidates });
    let hop = match partner {
        Some(partner) => Hop::ok(
            "reference",
            format!("{who} assigned this customer to {partner} on {at}, for payments from {from} on."),
        ),
        None => Hop::broken("reference", Status::Refused, Reason::Reassigned).with_message(format!(
            "{who} decided on {at} that nobody earns from this customer's payments from {from} on."
        )),
    };
    Ok(hop.with_details(details))
}

/// The buyer used a promotion code that a partner held.
fn promoted(decision: &Decision) -> String {
    let used = decision.candidates.iter().filter(|candidate| candidate.rule == Rule::PromotionCode);
    let used: Vec<_> = used.map(|candidate| format!("{} of {}", candidate.value, candidate.object)).collect();
    format!("The payment carries no click ID: the promotion code {} belongs to the partner.", used.join(", "))
}

fn inherited(attribution: &Attribution) -> String {
    let since = attribution.bound_at.to_rfc3339();
    let by = &attribution.bound_by;
    match attribution.rule {
        Rule::Subscription => {
            format!(
                "The payment carries no click ID: its subscription was tied to the click by {by}, at {since}."
            )
        }
        Rule::CustomerMetadata => format!("The metadata of its customer has named the click since {since}."),
        _ => {
            format!(
                "The payment carries no click ID: its customer was tied to the click by {by}, at {since}."
            )
        }
    }
}

/// Where a value was found: the object, and the field if a stored event contains it.
fn place(archive: &Archive<'_>, candidate: &Candidate) -> Result<String, StoreError> {
    let object = &candidate.object;
    let field = match candidate.rule {
        Rule::Lead => return Ok(format!("clickId of the lead {object}")),
        Rule::Report => return Ok(format!("click_id or promo_code of the reported conversion {object}")),
        Rule::Claim => return Ok(format!("clickId of the claimed conversion {object}")),
        Rule::ClientReferenceId => Some("client_reference_id".to_owned()),
        _ => archive.field(object, &candidate.value)?,
    };
    let field = field.unwrap_or_else(|| {
        let rule = json!(candidate.rule);
        rule.as_str().unwrap_or_default().replace('_', " ")
    });
    Ok(format!("{field} of {object}"))
}

/// The payment has no click: its objects carry no value, or only values that are not clicks of this workspace and mode.
pub(super) fn missing(archive: &Archive<'_>, payment: &Payment) -> Result<Hop, StoreError> {
    let candidates = &payment.decision.candidates;
    let details = json!({ "candidates": candidates });
    // An unknown click ID in trac's form explains more than a lead that names another click.
    let names_a_click = candidates.iter().any(|candidate| candidate.value.starts_with("clk_"));
    if !names_a_click && let Some(lead) = unbound::of_payment(archive, payment)? {
        let what = format!(
            "The payment carries no click ID, and the lead {} that a page reported for its customer {} does not tie the customer to a click: {}.",
            lead.lead_id, lead.customer, lead.why
        );
        return Ok(no_click(&what).with_remedy(lead.remedy).with_details(details));
    }
    let (hop, certainty) = match candidates.first() {
        Some(first) if first.rule == Rule::PromotionCode => {
            let hop =
                no_click(&format!("No partner held the promotion code {} when it was used.", first.value));
            let remedy = "If that is correct, there is nothing to do. A partner's codes are in promotion_codes of the enrollment.";
            (hop.with_remedy(remedy), Certainty::Open)
        }
        Some(first) => unknown_click(archive, first)?,
        None if payment.is_lead() => {
            let remedy = "Send clickId with the lead, as returned by trac.getClickId(); trac.trackLead sends it automatically.";
            (no_click("The lead was reported without a click ID.").with_remedy(remedy), Certainty::Open)
        }
        None if !payment.facts.reports.is_empty() && !payment.facts.is_reported_by_stripe() => {
            let hop = no_click("The conversion was reported without a click ID or a partner's promo code.");
            let remedy = "Send click_id, or a promo_code that is the code of a partner (GET /partners).";
            (hop.with_remedy(remedy), Certainty::Open)
        }
        None => not_carried(archive, payment)?,
    };
    let causes = diagnosis::of_refused_calls(archive)?;
    let hop = match causes.first() {
        // A page whose call for a click was rejected cannot add one to the checkout.
        Some(cause) if certainty == Certainty::Open => hop.with_possible_cause(&cause.what, &cause.remedy),
        _ => hop,
    };
    let causes: Vec<Value> = causes.iter().map(diagnosis::Diagnosis::to_json).collect();
    let mut details = details;
    if let (false, Some(object)) = (causes.is_empty(), details.as_object_mut()) {
        object.insert("refused_calls".to_owned(), causes.into());
    }
    Ok(hop.with_details(details))
}

/// Whether the cause of the missing click is certain, or rejected calls may be the cause.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Certainty {
    Certain,
    Open,
}

fn no_click(what: &str) -> Hop {
    Hop::broken("reference", Status::Missing, Reason::NoClick).with_message(what)
}

/// No known object of the payment carries a value.
fn not_carried(archive: &Archive<'_>, payment: &Payment) -> Result<(Hop, Certainty), StoreError> {
    let facts = &payment.facts;
    let named = facts.sessions.keys().chain(facts.invoices.keys()).chain(facts.payment_intents.keys());
    let named: Vec<&str> = named.chain(facts.charges.keys()).map(String::as_str).collect();
    let named = named.join(", ");
    let session_types = ["checkout.session.completed", "checkout.session.async_payment_succeeded"];
    if facts.sessions.is_empty() && !archive.has_event_of(&session_types)? {
        let what = format!(
            "This payment is known only from {named}, which carries no click ID. The Checkout Session, which would, \
             was never received: no checkout.session.completed has ever arrived."
        );
        let remedy = "Select checkout.session.completed for this endpoint in Stripe and resend the event of this payment; or \
                      write metadata.tracClickId on subscription_data or payment_intent_data too.";
        let hop = Hop::cause("reference", Status::Missing, "event_type_not_selected", what, remedy);
        return Ok((hop, Certainty::Certain));
    }
    let keys: Vec<&str> = metadata_keys().collect();
    let keys = keys.join(", ");
    let what =
        format!("{named} carries no click ID, neither in metadata ({keys}) nor in client_reference_id.");
    Ok((no_click(&what), Certainty::Open))
}

/// The payment carries a value, but it is not a click of this workspace and mode.
fn unknown_click(archive: &Archive<'_>, candidate: &Candidate) -> Result<(Hop, Certainty), StoreError> {
    let place = place(archive, candidate)?;
    let value = &candidate.value;
    let hop = Hop::broken("click", Status::Missing, Reason::NoClick);
    if archive.is_click_of_other_mode(value)? {
        let mode = archive.rows.scope().mode_str();
        let hop = hop
            .with_message(format!("{value}, in {place}, is a click of the other mode: this payment was made in {mode} mode."))
            .with_remedy(format!(
                "Use links and publishable keys of {mode} mode (pk_{mode}_…) on pages that sell in {mode} mode."
            ));
        return Ok((hop, Certainty::Certain));
    }
    let is_ours = value.starts_with("clk_");
    if is_ours {
        // Rejected calls returned no ID, so they cannot be the source of this one.
        let hop = hop
            .with_message(format!("{value}, in {place}, has the form of a click ID, but no such click was ever recorded here."))
            .with_remedy(
                "The click ID is from another workspace or server, or was made up. Use one from this server: from the \
                 partner's link (/s/{slug}), or from trac.js with data-key.",
            );
        return Ok((hop, Certainty::Certain));
    }
    let hop = hop
        .with_message(format!("{value}, in {place}, is not a click of this workspace and mode. It is most likely the merchant's own ID."))
        .with_remedy(
            "Keep your own reference, and write the click ID in addition: metadata.tracClickId on the Checkout \
             Session, and on subscription_data.",
        );
    Ok((hop, Certainty::Open))
}

impl Archive<'_> {
    /// The path of the field that contains a value in the stored events about an object, such as
    /// `metadata.tracClickId`.
    fn field(&self, object_id: &str, value: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT b.body FROM event AS e JOIN event_body AS b ON b.workspace_id = e.workspace_id \
                   AND b.mode = e.mode AND b.event_id = e.id \
                   WHERE e.workspace_id = ?1 AND e.mode = ?2 AND e.object_id = ?3 LIMIT ?4";
        for body in
            self.rows.all(sql, args![object_id, EVENTS_MAX], |row| row.get(0).map(StoredBody::from_stored))?
        {
            let body = body.received()?;
            let bytes = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&body);
            let Ok(event) = serde_json::from_slice::<Value>(bytes) else { continue };
            let object = event.pointer("/data/object");
            if let Some(path) = object.and_then(|object| path_of(object, value)) {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    fn is_click_of_other_mode(&self, value: &str) -> Result<bool, StoreError> {
        let other = self.rows.scope().other_mode();
        let sql = "SELECT 1 FROM click WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
        self.rows.everywhere().within(&other).exists(sql, args![value])
    }
}

/// The path to a text inside a document; fields under `metadata` are searched before others.
fn path_of(document: &Value, text: &str) -> Option<String> {
    let fields = document.as_object()?;
    let is = |value: &Value| value.as_str() == Some(text);
    let own = fields.iter().find(|(_, value)| is(value)).map(|(name, _)| name.clone());
    let below = || {
        let (in_metadata, others): (Vec<_>, Vec<_>) =
            fields.iter().partition(|(name, _)| *name == "metadata");
        let mut all = in_metadata.into_iter().chain(others);
        all.find_map(|(name, value)| Some(format!("{name}.{}", path_of(value, text)?)))
    };
    own.or_else(below)
}

/// When the click happened, and through which link.
pub(super) fn of_click(archive: &Archive<'_>, click_id: &str) -> Result<Vec<Hop>, StoreError> {
    let Some(row) = archive.click(click_id)? else {
        let hop = Hop::broken("click", Status::Missing, Reason::NoClick);
        return Ok(vec![
            hop.with_message("This is not a click of this workspace and mode.")
                .with_details(json!({ "click_id": click_id })),
        ]);
    };
    let at = Timestamp::to_rfc3339(row.click.clicked_at);
    let link = match &row.slug {
        None if row.click.is_promotion => {
            Hop::ok("link", format!("A promotion code of {} in {}.", row.partner, row.program))
        }
        Some(slug) => {
            let path = link_path(archive.rows.scope().mode(), slug);
            Hop::ok("link", format!("{}'s link {path} in {}.", row.partner, row.program))
        }
        None => Hop::ok("link", format!("{} in {}, without a tracked link.", row.partner, row.program)),
    };
    let link = link.with_details(json!({ "link_id": row.link_id, "slug": row.slug,
        "partner_id": row.click.partner_id, "program_id": row.click.program_id }));
    let click = if row.click.is_promotion {
        Hop::ok("click", format!("It represents a promotion code, since {at}."))
    } else {
        Hop::ok("click", format!("Clicked at {at}."))
    };
    Ok(vec![link, click.with_details(json!({ "click_id": click_id, "clicked_at": at }))])
}
