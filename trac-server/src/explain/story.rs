//! Builds the hops of a story in order, and finds the first missing one.

use serde_json::{Value, json};
use trac_core::conversion::candidate::Rule;
use trac_core::conversion::remedy::remedy;
use trac_core::money::Currency;
use trac_core::reason::Reason;
use trac_core::time::Timestamp;
use trac_core::webhook::adjustment::Adjustment;

use super::diagnosis::{self, Diagnosis};
use super::evidence::{Archive, LOST_DISPUTE, Payment};
use super::hop::{Hop, Status};
use super::subject::{Kind, Subject};
use super::{asked, event, reference, setup, verdict};
use crate::store::StoreError;

/// The whole response: the hops of an object that the merchant made, if one was looked up, then one story for
/// each payment, or a story without a payment.
pub(super) fn of(archive: &Archive<'_>, subject: &Subject) -> Result<Value, StoreError> {
    let mut stories = Vec::new();
    let set_up = setup::of(archive, subject)?;
    if !set_up.is_empty() {
        stories.push((None, set_up));
    }
    for payment_id in with_the_same_money(archive, &subject.payments)? {
        if let Some(payment) = archive.payment(&payment_id)? {
            let hops = of_payment(archive, subject, &payment)?;
            stories.push((Some(payment_id), hops));
        }
    }
    if stories.is_empty() {
        stories.push((None, without_payment(archive, subject)?));
    }
    let first_broken = stories.iter().find_map(|(_, hops)| hops.iter().find(|hop| !hop.is_ok()));
    let broken = first_broken.map(Hop::summary);
    let stories_json = stories.iter().map(|(payment_id, hops)| {
        json!({ "payment_id": payment_id, "hops": hops.iter().map(Hop::to_json).collect::<Vec<_>>() })
    });
    Ok(json!({
        "id": subject.id,
        "kind": subject.kind.words(),
        "mode": archive.rows.scope().mode_str(),
        "workspace_id": archive.rows.scope().workspace_id(),
        "found": subject.is_found(),
        "summary": broken.map_or_else(|| complete(&stories), |(_, what, ..)| what.to_owned()),
        "first_missing_hop": broken.map(|(name, ..)| name),
        "reason": broken.and_then(|(.., reason, _)| reason),
        "remedy": broken.and_then(|(.., remedy)| remedy),
        "stories": stories_json.collect::<Vec<_>>(),
    }))
}

/// The summary if no hop is missing: the ledger entries of the newest payment.
fn complete(stories: &[(Option<String>, Vec<Hop>)]) -> String {
    let mut summaries = stories.iter().flat_map(|(_, hops)| hops).map(Hop::summary);
    let ledger = summaries.find_map(|(name, what, ..)| (name == "entries").then_some(what));
    match ledger {
        Some(ledger) => format!("Every hop is there. {ledger}"),
        None => "Every hop is there.".to_owned(),
    }
}

/// Adds the payments that are inferred to be the same money as these.
fn with_the_same_money(archive: &Archive<'_>, payments: &[String]) -> Result<Vec<String>, StoreError> {
    let mut all = payments.to_vec();
    for id in payments {
        let other = archive.payment(id)?.and_then(|payment| payment.decision.same_as);
        all.extend(other.filter(|other| !payments.contains(other)));
    }
    Ok(all)
}

fn of_payment(archive: &Archive<'_>, subject: &Subject, payment: &Payment) -> Result<Vec<Hop>, StoreError> {
    let decision = &payment.decision;
    let event_hop = event::of_payment(archive, subject, payment)?;
    if matches!(decision.reason, Reason::PaymentUnlinked | Reason::PaymentUnknown) && !payment.is_lead() {
        // Money of an unknown sale went back: the sale is missing, not the click.
        return Ok(vec![event_hop, unlinked(archive, payment)?]);
    }
    if decision.same_as.is_some() {
        return Ok(vec![event_hop, of_money(payment), verdict::of(archive, payment)?]);
    }
    if payment.is_rejected_claim() {
        let mut hops = vec![event_hop, verdict::of(archive, payment)?];
        hops.extend(of_ledger(archive, payment)?);
        return Ok(hops);
    }
    if let Some(adjustment) = payment.facts.adjustments.values().next() {
        let mut hops = vec![of_adjustment(adjustment), verdict::of(archive, payment)?];
        hops.extend(of_ledger(archive, payment)?);
        return Ok(hops);
    }
    let mut hops = match &decision.attribution {
        // No link and no visit led to the partner.
        Some(attribution) if attribution.rule == Rule::Reassigned => {
            vec![reference::found(archive, payment, attribution)?]
        }
        None if decision.reason == Reason::Reassigned => vec![reference::reassigned(archive, payment)?],
        Some(attribution) => {
            let mut hops = reference::of_click(archive, &attribution.click_id)?;
            hops.push(reference::found(archive, payment, attribution)?);
            hops
        }
        None => vec![reference::missing(archive, payment)?],
    };
    let (money, verdict) = (of_money(payment), verdict::of(archive, payment)?);
    let verdict = if money.is_ok() { verdict } else { verdict.without_remedy() };
    hops.extend([event_hop, money, verdict]);
    hops.extend(of_ledger(archive, payment)?);
    Ok(hops)
}

/// The hop of an amount that the merchant gave or took back by hand: it has neither click nor payment.
fn of_adjustment(adjustment: &Adjustment) -> Hop {
    let amount = adjustment.amount.map(|(minor, currency)| currency.display(minor)).unwrap_or_default();
    let words = format!("The merchant adjusted the partner's balance by {amount}: {}", adjustment.reason);
    Hop::ok("adjustment", words).with_details(json!({ "partner_id": adjustment.partner_id,
        "program_id": adjustment.program_id, "at": adjustment.at.map(Timestamp::to_rfc3339) }))
}

/// The hop with the ledger entries of a payment, if there are any.
fn of_ledger(archive: &Archive<'_>, payment: &Payment) -> Result<Option<Hop>, StoreError> {
    let commissions = archive.commissions(payment)?;
    if commissions.is_empty() {
        return Ok(None);
    }
    let sentences: Vec<_> = commissions.iter().map(of_commission).collect();
    Ok(Some(Hop::ok("entries", sentences.join(" ")).with_details(commissions.into())))
}

/// The net amount of a commission, its partner, and its due time, as a sentence.
fn of_commission(commission: &Value) -> String {
    let text = |name: &str| commission[name].as_str().unwrap_or_default();
    let net = commission["net_minor"].as_i64().unwrap_or_default();
    let net = match Currency::parse(text("currency")) {
        Ok(currency) => currency.display(net),
        Err(_) => net.to_string(),
    };
    let partner = if text("partner").is_empty() { text("partner_id") } else { text("partner") };
    let verdict = &commission["verdict"];
    let reason = verdict["reason"].as_str().map_or_else(String::new, |reason| format!(": {reason}"));
    let status = match text("status") {
        "held" if verdict["status"] == "held" => format!("held by the merchant until approved{reason}"),
        "reversed" if verdict["status"] == "rejected" => format!("rejected by the merchant{reason}"),
        "paid" if verdict["status"] == "rejected" => format!("paid, then rejected by the merchant{reason}"),
        "approved" if verdict["status"] == "approved" => format!("approved by the merchant{reason}"),
        "pending" => format!("pending until {}", text("matures_at")),
        "held" if text("reason") == Reason::ClientReported.as_str() => {
            "held until the merchant or Stripe confirms it".to_owned()
        }
        "held" => "held while a dispute is open".to_owned(),
        status => status.to_owned(),
    };
    format!("{net} for {partner}, {status}.")
}

fn of_money(payment: &Payment) -> Hop {
    let decision = &payment.decision;
    let details = json!({ "stripe": decision.stripe, "gross_minor": decision.gross_minor,
        "base_minor": decision.base_minor, "lost_minor": decision.lost_minor, "currency": decision.currency,
        "time": decision.time.map(Timestamp::to_rfc3339), "same_as": decision.same_as });
    let hop = match (decision.gross_minor, decision.currency) {
        _ if payment.is_lead() => Hop::ok("payment", "A lead moves no money."),
        (Some(gross), Some(currency)) if decision.lost_minor > 0 => {
            let (paid, lost) = (currency.display(gross), currency.display(decision.lost_minor));
            let hop = Hop::ok("payment", format!("{paid} was paid, and {lost} of it went back."));
            if payment.has_lost_dispute() { hop.with_sentence(LOST_DISPUTE) } else { hop }
        }
        (Some(gross), Some(currency)) => Hop::ok("payment", format!("{} was paid.", currency.display(gross))),
        _ => {
            let status = match decision.reason {
                Reason::SetupMode | Reason::PaymentFailed | Reason::ZeroAmount => Status::Refused,
                _ => Status::Waiting,
            };
            Hop::broken("payment", status, decision.reason)
        }
    };
    hop.with_details(details)
}

/// The hop of a refund, dispute or charge whose payment is not known.
fn unlinked(archive: &Archive<'_>, payment: &Payment) -> Result<Hop, StoreError> {
    let decision = &payment.decision;
    let hop = Hop::broken("payment", Status::Missing, decision.reason);
    let events = archive.events(Some(&payment.id), &[])?;
    let event = events.first().and_then(|event| event["id"].as_str()).unwrap_or("{id}");
    let by_hand = format!(
        "To link this one by hand: POST /events/{event}/link with payment, the in_… or cs_… it belongs to."
    );
    let hop = if decision.reason == Reason::PaymentUnlinked
        && !archive.has_event_of(&["invoice_payment.paid"])?
    {
        hop.with_message(
            "Money went back, but it is not known which of the customer's payments it belongs to: no invoice_payment.paid, \
             which links charges to invoices, has ever arrived.",
        )
        .with_remedy(format!("Select invoice_payment.paid for this endpoint in Stripe, and resend the past ones. {by_hand}"))
    } else if decision.reason == Reason::PaymentUnlinked {
        hop.with_remedy(format!("Resend the invoice_payment.paid of its invoice in Stripe. {by_hand}"))
    } else {
        let advice = remedy(decision.reason).unwrap_or_default();
        hop.with_remedy(format!(
            "{advice} If the sale was made before you used trac, nothing is owed for it."
        ))
    };
    let (hop, asked) = asked::of_payment(archive, payment, hop)?;
    Ok(hop.with_details(
        json!({ "stripe": decision.stripe, "lost_minor": decision.lost_minor, "asked": asked }),
    ))
}

/// The story of an ID without a known payment.
fn without_payment(archive: &Archive<'_>, subject: &Subject) -> Result<Vec<Hop>, StoreError> {
    let events = archive.events(None, &subject.events)?;
    if let Some(event) = events.iter().find(|event| subject.names(event)).or_else(|| events.first()) {
        let mut hops = vec![event::of_event(event).with_details(events.clone().into())];
        if matches!(subject.kind, Kind::Customer | Kind::Subscription) && hops.iter().all(Hop::is_ok) {
            hops.push(
                no_payment(archive, subject)?
                    .with_message(format!("No payment of this {} is known.", subject.kind.words())),
            );
        }
        return Ok(hops);
    }
    if subject.kind == Kind::Click {
        let mut hops = reference::of_click(archive, &subject.id)?;
        if subject.click_id.is_some() {
            let hop = Hop::broken("reference", Status::Missing, Reason::NoClick);
            hops.push(hop.with_message("No payment has carried this click ID yet."));
        }
        return Ok(hops);
    }
    Ok(vec![no_payment(archive, subject)?])
}

/// The hop that explains why no event about the ID was received.
fn no_payment(archive: &Archive<'_>, subject: &Subject) -> Result<Hop, StoreError> {
    let causes = diagnosis::of_missing_event(archive, subject.kind, &subject.id)?;
    let details: Vec<_> = causes.iter().map(Diagnosis::to_json).collect();
    let hop = match causes.into_iter().next() {
        Some(worst) => Hop::cause("event", Status::Missing, worst.reason, worst.what, worst.remedy),
        None => Hop::broken("event", Status::Missing, Reason::PaymentUnknown),
    };
    Ok(hop.with_details(json!({ "causes": details })))
}
