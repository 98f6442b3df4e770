//! Two months of the demo's shop: clicks, sales, subscriptions with renewals, refunds, a dispute, leads, an application
//! and a payout, so that every page of the dashboard has something to show.
//!
//! The clicks and events have the times of the past. Events are signed and delivered now, as Stripe repeats them.

use serde_json::{Value, json};
use trac_core::time::{DAY_SECS, Timestamp};
use trac_stand_in::{Webhook, sign};

use super::merchant::{Campaign, Merchant};
use super::{DemoError, failed, text};
use crate::clock::Clock;

const DAYS: i64 = 60;
/// The period of a subscription.
const PERIOD_SECS: i64 = 30 * DAY_SECS;
/// The version of Stripe's API in which the invoices are written.
const API_VERSION: &str = "2024-06-20";
const PRICES: [i64; 4] = [1_900, 3_200, 4_800, 9_900];

/// An event of the past.
struct Event {
    at: i64,
    kind: &'static str,
    object: Value,
}

/// A sale of the past.
struct Sale {
    /// The end of the IDs at Stripe, as in `pi_demo_7`.
    name: String,
    at: i64,
    amount: i64,
    /// The click, if a partner's reader buys.
    click: Option<String>,
}

/// Random numbers that are the same in each demo.
struct Chance(u64);

impl Chance {
    /// A number below `end`.
    fn below(&mut self, end: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        i64::try_from(self.0 >> 2).unwrap_or_default().checked_rem(end).unwrap_or_default()
    }
}

/// Records the history.
///
/// # Errors
/// [`DemoError`] if the tracker rejects a part of it.
pub(super) async fn tell(
    merchant: &Merchant,
    webhook: &Webhook,
    campaigns: &[Campaign],
) -> Result<(), DemoError> {
    let now = Clock::system().now().unix_secs();
    let (clicks, mut events) = visits(merchant, campaigns, now).await?;
    events.push(elsewhere(now));
    events.retain(|event| event.at < now);
    events.sort_by_key(|event| event.at);
    for event in &events {
        deliver(merchant, webhook, event, now).await?;
    }
    for (number, click) in clicks.iter().rev().take(3).enumerate() {
        lead(merchant, &merchant.publishable_key, number, click).await?;
    }
    // A page that was built with a wrong key.
    lead(merchant, "pk_test_wrong", 0, "").await?;
    if let Some(first) = campaigns.first() {
        let otto = merchant.partner("Otto Outdoor", "otto").await?;
        let applied = json!({ "program_id": first.program, "partner_id": otto, "status": "pending" });
        merchant.make("enrollments", &applied).await?;
        merchant.make("payouts", &json!({ "partner_id": first.partner, "currency": "usd" })).await?;
    }
    Ok(())
}

/// Records the clicks of each day, and returns their IDs, with the events of the sales that followed.
async fn visits(
    merchant: &Merchant,
    campaigns: &[Campaign],
    now: i64,
) -> Result<(Vec<String>, Vec<Event>), DemoError> {
    let mut chance = Chance(0x7EA5_0F7E_A5EE_D007);
    let (mut clicks, mut events, mut sold) = (Vec::new(), Vec::new(), 0_usize);
    for day in (1..=DAYS).rev() {
        for campaign in campaigns {
            for _ in 0..chance.below(3) {
                let at = now - day * DAY_SECS + chance.below(DAY_SECS - 7_200);
                let clicked_at = Timestamp::from_unix_secs(at).to_rfc3339();
                let click = json!({ "link_id": campaign.link, "clicked_at": clicked_at });
                let click = text(&merchant.make("clicks", &click).await?, "/id")?;
                if chance.below(4) == 0 {
                    sold += 1;
                    let place = usize::try_from(chance.below(4)).unwrap_or_default();
                    let amount = PRICES.get(place).copied().unwrap_or(3_200);
                    // Some come without a partner.
                    let of_partner = (sold % 8 != 7).then(|| click.clone());
                    let sale =
                        Sale { name: format!("demo_{sold}"), at: at + 1_800, amount, click: of_partner };
                    events.extend(sale.events(sold, now));
                }
                clicks.push(click);
            }
        }
    }
    Ok((clicks, events))
}

impl Sale {
    /// What Stripe reported about the sale with this number.
    fn events(&self, number: usize, now: i64) -> Vec<Event> {
        let is_subscription = number.is_multiple_of(5);
        let mut events = vec![Event {
            at: self.at,
            kind: "checkout.session.completed",
            object: self.session(is_subscription),
        }];
        if is_subscription {
            let invoices = (0..).map(|month| (month, self.at + month * PERIOD_SECS));
            let invoices = invoices.take_while(|(_, at)| *at < now);
            events.extend(invoices.map(|(month, at)| Event {
                at,
                kind: "invoice.paid",
                object: self.invoice(month, at),
            }));
            return events;
        }
        if number == 12 {
            events.push(Event {
                at: self.at + 5 * DAY_SECS,
                kind: "charge.dispute.created",
                object: self.dispute(),
            });
        } else if number % 9 == 4 {
            let back = if number.is_multiple_of(2) { self.amount } else { self.amount / 2 };
            let object = charge(&self.name, self.amount, back);
            events.push(Event { at: self.at + 2 * DAY_SECS, kind: "charge.refunded", object });
        }
        events
    }

    fn session(&self, is_subscription: bool) -> Value {
        let Self { name, at, amount, click } = self;
        json!({
            "id": format!("cs_test_{name}"), "object": "checkout.session", "amount_subtotal": amount,
            "amount_total": amount, "client_reference_id": click, "created": at, "currency": "usd",
            "customer": format!("cus_{name}"), "customer_details": {"email": format!("{name}@mail.example")},
            "invoice": is_subscription.then(|| format!("in_{name}_0")), "livemode": false, "metadata": {},
            "mode": if is_subscription { "subscription" } else { "payment" },
            "payment_intent": (!is_subscription).then(|| format!("pi_{name}")), "payment_status": "paid",
            "status": "complete", "subscription": is_subscription.then(|| format!("sub_{name}")),
            "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        })
    }

    fn invoice(&self, month: i64, at: i64) -> Value {
        let Self { name, amount, click, .. } = self;
        json!({
            "id": format!("in_{name}_{month}"), "object": "invoice", "status": "paid", "amount_paid": amount,
            "total": amount, "currency": "usd", "customer": format!("cus_{name}"),
            "customer_email": format!("{name}@mail.example"), "created": at, "tax": 0, "metadata": {},
            "billing_reason": if month == 0 { "subscription_create" } else { "subscription_cycle" },
            "subscription": format!("sub_{name}"),
            "subscription_details": {"metadata": {"tracClickId": click}},
            "payment_intent": format!("pi_{name}_{month}"), "charge": format!("ch_{name}_{month}"),
            "status_transitions": {"paid_at": at},
            "lines": {"object": "list", "has_more": false, "data": [{"amount": amount, "proration": false}]},
        })
    }

    fn dispute(&self) -> Value {
        let Self { name, amount, .. } = self;
        json!({
            "id": format!("dp_{name}"), "object": "dispute", "amount": amount, "currency": "usd",
            "charge": format!("ch_{name}"), "payment_intent": format!("pi_{name}"), "status": "needs_response",
            "reason": "fraudulent", "created": self.at + 5 * DAY_SECS, "livemode": false, "metadata": {},
        })
    }
}

/// A charge of which `back` was refunded.
fn charge(name: &str, amount: i64, back: i64) -> Value {
    json!({
        "id": format!("ch_{name}"), "object": "charge", "amount": amount, "amount_captured": amount,
        "amount_refunded": back, "captured": true, "paid": true, "refunded": back == amount, "currency": "usd",
        "payment_intent": format!("pi_{name}"), "status": "succeeded", "livemode": false, "metadata": {},
    })
}

/// A refund of a payment that Stripe never reported here.
fn elsewhere(now: i64) -> Event {
    Event { at: now - 3 * 3_600, kind: "charge.refunded", object: charge("demo_elsewhere", 4_800, 4_800) }
}

async fn deliver(merchant: &Merchant, webhook: &Webhook, event: &Event, now: i64) -> Result<(), DemoError> {
    let Event { at, kind, object } = event;
    let id = object.get("id").and_then(Value::as_str).unwrap_or_default();
    let body = json!({
        "id": format!("evt_{id}"), "object": "event", "api_version": API_VERSION, "created": at, "type": kind,
        "livemode": false, "pending_webhooks": 1, "request": null, "data": {"object": object},
    });
    let body = body.to_string();
    let header = sign(&webhook.secret, now, body.as_bytes());
    let request = merchant.client.post(&webhook.url).header("stripe-signature", header).body(body);
    let response = request.send().await.map_err(|error| failed("the tracker", &error))?;
    if response.status().is_success() {
        Ok(())
    } else {
        Err(DemoError(format!("the tracker rejected {kind}: {}", response.status())))
    }
}

/// Reports a lead as a page does. The response is of no interest.
async fn lead(merchant: &Merchant, key: &str, number: usize, click: &str) -> Result<(), DemoError> {
    let body = json!({ "eventName": "newsletter", "customerExternalId": format!("reader_{number}"),
        "customerName": format!("Reader {number}"), "clickId": click });
    let request = merchant.client.post(format!("{}/api/track/lead", merchant.tracker));
    let sent = request.header("x-publishable-key", key).json(&body).send().await;
    sent.map(|_| ()).map_err(|error| failed("the tracker", &error))
}
