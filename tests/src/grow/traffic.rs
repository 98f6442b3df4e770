//! What happens in the merchant's shop: sales, subscriptions and their renewals, refunds, leads.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};
use trac_core::time::DAY_SECS;

use crate::chance::Chance;
use crate::stripe::envelope;

/// A request that the shop causes.
pub(super) enum Call {
    /// The body of a webhook.
    Event(Vec<u8>),
    /// The body of a reported lead.
    Lead(Value),
}

/// How many of the last clicks may still lead to a sale.
const CLICKS: usize = 2_000;
/// How many of the last sales may still be refunded.
const SALES: usize = 500;
/// Bytes that a real object has besides the fields used here.
const PADDING: usize = 1_500;
const MONTH_SECS: i64 = 30 * DAY_SECS;

/// A payment that may be refunded.
#[derive(Clone)]
struct Sale {
    name: String,
    amount: i64,
    currency: &'static str,
}

/// A running subscription.
#[derive(Clone)]
struct Subscription {
    name: String,
    click: Option<String>,
    amount: i64,
    currency: &'static str,
    months: u32,
}

pub(super) struct Traffic {
    clicks: VecDeque<String>,
    sales: VecDeque<Sale>,
    /// By the time of the next invoice.
    subscriptions: BTreeMap<(i64, String), Subscription>,
    number: u64,
}

impl Traffic {
    pub(super) const fn new() -> Self {
        Self { clicks: VecDeque::new(), sales: VecDeque::new(), subscriptions: BTreeMap::new(), number: 0 }
    }

    /// Remembers the click IDs of visitors who may buy.
    pub(super) fn clicked(&mut self, clicks: Vec<String>) {
        self.clicks.extend(clicks);
        let surplus = self.clicks.len().saturating_sub(CLICKS);
        self.clicks.drain(..surplus);
    }

    /// The next request: the invoice of a subscription that is due, otherwise one by chance.
    pub(super) fn next(&mut self, chance: &mut Chance, now: i64) -> Call {
        self.number += 1;
        let due = self.subscriptions.first_key_value().is_some_and(|((at, _), _)| *at <= now);
        if let Some((_, subscription)) = due.then(|| self.subscriptions.pop_first()).flatten() {
            return self.renewal(chance, subscription, now);
        }
        match chance.int(0..=99) {
            0..=4 => self.lead(chance),
            5..=9 if !self.sales.is_empty() => self.refund(chance, now),
            10..=24 => self.subscribe(chance, now),
            _ => self.sale(chance, now),
        }
    }

    fn click(&self, chance: &mut Chance) -> Option<String> {
        let last = i64::try_from(self.clicks.len()).unwrap_or(1) - 1;
        let at = usize::try_from(chance.int(0..=last.max(0))).unwrap_or_default();
        self.clicks.get(at).filter(|_| chance.percent(88)).cloned()
    }

    fn sale(&mut self, chance: &mut Chance, now: i64) -> Call {
        let (name, click) = (self.name(), self.click(chance));
        let (amount, currency) = price(chance);
        let sale = Sale { name, amount, currency };
        let session = session(&sale, click.as_deref(), false, now);
        self.sold(sale);
        event("checkout.session.completed", now, &session)
    }

    /// The session of a new subscription. Its first invoice is due at once.
    fn subscribe(&mut self, chance: &mut Chance, now: i64) -> Call {
        let (name, click) = (self.name(), self.click(chance));
        let (amount, currency) = price(chance);
        let sale = Sale { name: name.clone(), amount, currency };
        let session = session(&sale, click.as_deref(), true, now);
        let subscription = Subscription { name: name.clone(), click, amount, currency, months: 0 };
        self.subscriptions.insert((now, name), subscription);
        event("checkout.session.completed", now, &session)
    }

    /// An invoice of a subscription, or its end.
    fn renewal(&mut self, chance: &mut Chance, mut subscription: Subscription, now: i64) -> Call {
        let Subscription { name, click, amount, currency, months } = &subscription;
        if *months > 0 && chance.percent(10) {
            let object = json!({"id": format!("sub_{name}"), "object": "subscription", "status": "canceled",
                "customer": format!("cus_{name}"), "metadata": {}, "ended_at": now});
            return event("customer.subscription.deleted", now, &object);
        }
        let invoice_name = if *months == 0 { name.clone() } else { format!("{name}m{months}") };
        let object = json!({
            "id": format!("in_{invoice_name}"), "object": "invoice", "status": "paid", "amount_paid": amount,
            "total": amount, "currency": currency, "customer": format!("cus_{name}"),
            "customer_email": email(name), "created": now, "tax": 0, "metadata": {},
            "billing_reason": if *months == 0 { "subscription_create" } else { "subscription_cycle" },
            "subscription": format!("sub_{name}"),
            "subscription_details": {"metadata": {"tracClickId": click}},
            "payment_intent": format!("pi_{invoice_name}"), "charge": format!("ch_{invoice_name}"),
            "status_transitions": {"paid_at": now},
            "lines": {"object": "list", "has_more": false, "data": [{"amount": amount, "proration": false}]},
            "padding": "x".repeat(PADDING),
        });
        let sale = Sale { name: invoice_name, amount: *amount, currency };
        subscription.months += 1;
        let key = (now + MONTH_SECS, subscription.name.clone());
        self.subscriptions.insert(key, subscription);
        self.sold(sale);
        event("invoice.paid", now, &object)
    }

    /// A refund of one of the last sales, whole or in part.
    fn refund(&mut self, chance: &mut Chance, now: i64) -> Call {
        let last = i64::try_from(self.sales.len()).unwrap_or(1) - 1;
        let at = usize::try_from(chance.int(0..=last)).unwrap_or_default();
        let Sale { name, amount, currency } = self.sales.remove(at).expect("a sale");
        let back = if chance.percent(70) { amount } else { amount / 2 };
        let object = json!({
            "id": format!("ch_{name}"), "object": "charge", "amount": amount, "amount_captured": amount,
            "amount_refunded": back, "captured": true, "currency": currency, "created": now,
            "payment_intent": format!("pi_{name}"), "status": "succeeded", "metadata": {},
            "padding": "x".repeat(PADDING),
        });
        event("charge.refunded", now, &object)
    }

    fn lead(&mut self, chance: &mut Chance) -> Call {
        let name = self.name();
        Call::Lead(json!({
            "clickId": self.click(chance), "eventName": "sign_up", "customerExternalId": format!("user_{name}"),
            "customerEmail": email(&name),
        }))
    }

    fn name(&self) -> String {
        format!("g{}", self.number)
    }

    fn sold(&mut self, sale: Sale) {
        self.sales.push_back(sale);
        if self.sales.len() > SALES {
            self.sales.pop_front();
        }
    }
}

/// The paid session of a sale.
fn session(sale: &Sale, click: Option<&str>, is_subscription: bool, now: i64) -> Value {
    let Sale { name, amount, currency } = sale;
    json!({
        "id": format!("cs_{name}"), "object": "checkout.session", "amount_subtotal": amount,
        "amount_total": amount, "client_reference_id": click, "created": now, "currency": currency,
        "customer": format!("cus_{name}"), "customer_details": {"email": email(name)},
        "invoice": is_subscription.then(|| format!("in_{name}")), "livemode": false, "metadata": {},
        "mode": if is_subscription { "subscription" } else { "payment" },
        "payment_intent": (!is_subscription).then(|| format!("pi_{name}")), "payment_status": "paid",
        "status": "complete", "subscription": is_subscription.then(|| format!("sub_{name}")),
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "padding": "x".repeat(PADDING),
    })
}

fn email(name: &str) -> String {
    format!("{name}@mail.example")
}

fn price(chance: &mut Chance) -> (i64, &'static str) {
    let currency = match chance.int(0..=19) {
        0..=15 => "usd",
        16..=18 => "eur",
        _ => "jpy",
    };
    (chance.int(9..=499) * 100, currency)
}

fn event(kind: &str, created: i64, object: &Value) -> Call {
    let id = format!("evt_{kind}_{}_{created}", object["id"].as_str().unwrap_or_default());
    Call::Event(envelope(&id, kind, created, object).to_string().into_bytes())
}
