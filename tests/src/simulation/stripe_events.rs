//! Stripe's events of the truth, each in the old form (up to 2025-02-24.acacia) and in the new one.

use serde_json::{Value, json};

use super::calendar::DAY;
use super::truth::{Carried, Dispute, Money, Payment, Refund, Subscription, Truth, Verdict};
use crate::chance::Chance;

/// The merchant's settings in Stripe.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a tick in Stripe's dashboard")]
pub(super) struct Selected {
    /// Whether the account's events have the old form.
    pub(super) old: bool,
    /// Whether `invoice_payment.paid` is sent; without it, charges of the new form are linked by inference.
    pub(super) links: bool,
    pub(super) charges: bool,
    pub(super) intents: bool,
    /// Whether `amount_refunded` decreases when a refund fails.
    pub(super) falls: bool,
}

/// One event, delivered in one form or in both.
#[derive(Clone, Debug)]
pub(super) struct StripeEvent {
    pub(super) id: String,
    pub(super) kind: &'static str,
    pub(super) created: i64,
    pub(super) livemode: bool,
    pub(super) new: Value,
    pub(super) old: Value,
}

impl StripeEvent {
    /// The event's body.
    pub(super) fn body(&self, old: bool) -> Vec<u8> {
        let (version, object) =
            if old { ("2023-10-16", &self.old) } else { ("2026-08-26.dahlia", &self.new) };
        let event = json!({
            "id": self.id, "object": "event", "api_version": version, "created": self.created, "type": self.kind,
            "livemode": self.livemode, "pending_webhooks": 1, "request": {"id": null, "idempotency_key": null},
            "data": {"object": object},
        });
        event.to_string().into_bytes()
    }
}

impl Selected {
    pub(super) fn random(chance: &mut Chance) -> Self {
        let (old, links) = (chance.percent(35), chance.percent(75));
        let linked = old || links;
        Self {
            old,
            links,
            charges: !linked || chance.percent(60),
            intents: linked && chance.percent(40),
            falls: chance.percent(50),
        }
    }
}

/// Every event of a merchant so far.
pub(super) fn events(chance: &mut Chance, truth: &Truth, selected: Selected) -> Vec<StripeEvent> {
    let mut writer = EventWriter { chance, selected, events: Vec::new() };
    for payment in &truth.payments {
        writer.payment(payment);
        writer.refunds_and_disputes(payment, 0, 0);
    }
    for subscription in &truth.subscriptions {
        if let Some(at) = subscription.ended_at {
            writer.ended(subscription, at);
        }
    }
    writer.noise(truth);
    writer.events
}

/// The events of a payment's later refunds and disputes, after the first `refunds` and `disputes`.
pub(super) fn later(
    chance: &mut Chance,
    payment: &Payment,
    selected: Selected,
    refunds: usize,
    disputes: usize,
) -> Vec<StripeEvent> {
    let mut writer = EventWriter { chance, selected, events: Vec::new() };
    writer.refunds_and_disputes(payment, refunds, disputes);
    writer.events
}

struct EventWriter<'a> {
    chance: &'a mut Chance,
    selected: Selected,
    events: Vec<StripeEvent>,
}

fn metadata(click: Option<&String>) -> Value {
    click.map_or_else(|| json!({}), |click| json!({ "tracClickId": click }))
}

impl EventWriter<'_> {
    fn write(&mut self, kind: &'static str, created: i64, new: Value, old: Value) {
        let id = format!("evt_{kind}_{}_{created}", new["id"].as_str().unwrap_or_default());
        self.events.push(StripeEvent { id, kind, created, livemode: false, new, old });
    }

    fn write_both(&mut self, kind: &'static str, created: i64, object: Value) {
        self.write(kind, created, object.clone(), object);
    }

    fn payment(&mut self, payment: &Payment) {
        let has_charge = payment.charged() > 0;
        if payment.has_session {
            self.session(payment);
        }
        if payment.has_invoice() {
            self.invoice(payment);
            if has_charge && self.selected.links && !self.selected.old {
                let link = json!({
                    "id": format!("inpay_{}", payment.name), "object": "invoice_payment", "status": "paid",
                    "invoice": format!("in_{}", payment.name),
                    "payment": {"type": "payment_intent", "payment_intent": format!("pi_{}", payment.name)},
                });
                self.write_both("invoice_payment.paid", payment.time + 2, link);
            }
        }
        if !has_charge {
            return;
        }
        let at = payment.paid_at();
        let bare = payment.is_bare();
        if self.selected.charges || bare {
            let (new, old) = (charge(payment, 0, false), charge(payment, 0, true));
            self.write("charge.succeeded", at, new, old);
        }
        if self.selected.intents || (bare && self.chance.percent(50)) {
            let (new, old) = (self.intent(payment, false), self.intent(payment, true));
            self.write("payment_intent.succeeded", at, new, old);
        }
    }

    fn session(&mut self, payment: &Payment) {
        let failed = matches!(payment.money, Money::Failed);
        let session = |status: &str| session(payment, status);
        if let Some(delay) = payment.delayed_by {
            self.write_both("checkout.session.completed", payment.time + 1, session("unpaid"));
            let (kind, status) = if failed {
                ("checkout.session.async_payment_failed", "unpaid")
            } else {
                ("checkout.session.async_payment_succeeded", "paid")
            };
            self.write_both(kind, payment.time + delay, session(status));
        } else {
            self.write_both("checkout.session.completed", payment.time + 1, session("paid"));
        }
    }

    fn invoice(&mut self, payment: &Payment) {
        let (new, old) = (invoice(payment, false), invoice(payment, true));
        self.write("invoice.paid", payment.time + 1, new.clone(), old.clone());
        if self.chance.percent(20) {
            self.write("invoice.payment_succeeded", payment.time + 1, new, old);
        }
    }

    fn intent(&mut self, payment: &Payment, old: bool) -> Value {
        let Payment { name, currency, customer, .. } = payment;
        let mut intent = json!({
            "id": format!("pi_{name}"), "object": "payment_intent", "amount_received": payment.charged(),
            "currency": currency, "customer": customer, "created": payment.time, "latest_charge": format!("ch_{name}"),
            "metadata": metadata(payment.carried.intent_metadata.as_ref()), "status": "succeeded",
        });
        if payment.has_invoice() && old {
            intent["invoice"] = json!(format!("in_{name}"));
        } else if payment.has_invoice() && self.chance.percent(50) {
            intent["payment_details"] = json!({"order_reference": format!("in_{name}")});
        }
        intent
    }

    /// The refunds and disputes from these numbers on.
    fn refunds_and_disputes(&mut self, payment: &Payment, refunds: usize, disputes: usize) {
        let Payment { name, currency, .. } = payment;
        let mut cumulative = 0;
        for (n, refund) in payment.refunds.iter().enumerate() {
            cumulative += refund.minor;
            if n >= refunds {
                let object = |status: &str| {
                    json!({"id": format!("re_{name}_{n}"), "object": "refund", "amount": refund.minor, "status": status,
                        "charge": format!("ch_{name}"), "payment_intent": format!("pi_{name}"), "currency": currency})
                };
                if self.chance.percent(20) {
                    self.write_both("refund.created", refund.at, object("pending"));
                    self.write_both("refund.updated", refund.at + 60, object("succeeded"));
                } else {
                    self.write_both("refund.created", refund.at, object("succeeded"));
                }
                let (new, old) = (charge(payment, cumulative, false), charge(payment, cumulative, true));
                self.write("charge.refunded", refund.at + 1, new, old);
                if payment.has_invoice() && !refund.failed && self.chance.percent(30) {
                    self.credit_note(payment, n, *refund);
                }
                if refund.failed {
                    self.write_both("refund.failed", refund.at + DAY, object("failed"));
                }
            }
            if refund.failed && self.selected.falls {
                cumulative -= refund.minor;
            }
        }
        for dispute in payment.disputes.iter().skip(disputes) {
            self.dispute(payment, dispute);
        }
    }

    /// The merchant refunds with a credit note, which reports the same money again.
    fn credit_note(&mut self, payment: &Payment, n: usize, refund: Refund) {
        let Payment { name, currency, .. } = payment;
        let note = |change: Value| {
            let mut note = json!({"id": format!("cn_{name}_{n}"), "object": "credit_note", "amount": refund.minor,
                "currency": currency, "invoice": format!("in_{name}"), "status": "issued", "type": "post_payment"});
            note.as_object_mut()
                .into_iter()
                .for_each(|fields| fields.extend(change.as_object().cloned().unwrap_or_default()));
            note
        };
        let id = format!("re_{name}_{n}");
        let new = note(json!({ "refunds": [{ "amount_refunded": refund.minor, "refund": id }] }));
        self.write("credit_note.created", refund.at, new, note(json!({ "refund": id })));
    }

    fn dispute(&mut self, payment: &Payment, dispute: &Dispute) {
        let Payment { name, currency, .. } = payment;
        let has_list = self.chance.percent(50) && dispute.verdict != Verdict::Inquiry;
        // The list of balance transactions grows; only some accounts' events contain it.
        let moved = |back: &[i64]| {
            let all = std::iter::once(-dispute.minor).chain(back.iter().copied()).filter(|_| has_list);
            all.map(|amount| json!({"amount": amount, "currency": currency, "fee": 1_500}))
                .collect::<Vec<_>>()
        };
        let object_with = |status: &str, back: &[i64]| {
            json!({"id": format!("du_{name}_{}", dispute.at), "object": "dispute", "amount": dispute.minor,
                "currency": currency, "status": status, "charge": format!("ch_{name}"),
                "payment_intent": format!("pi_{name}"), "balance_transactions": moved(back)})
        };
        let object = |status: &str| object_with(status, &[]);
        let at = dispute.at;
        if dispute.verdict == Verdict::Inquiry {
            self.write_both("charge.dispute.created", at, object("warning_needs_response"));
            self.write_both("charge.dispute.closed", at + 9 * DAY, object("warning_closed"));
            return;
        }
        self.write_both("charge.dispute.created", at, object("needs_response"));
        self.write_both("charge.dispute.funds_withdrawn", at + 1, object("needs_response"));
        match dispute.verdict {
            Verdict::Won => {
                let back = dispute.minor;
                self.write_both("charge.dispute.closed", at + 9 * DAY, object("won"));
                self.write_both(
                    "charge.dispute.funds_reinstated",
                    at + 9 * DAY + 1,
                    object_with("won", &[back]),
                );
            }
            // Only the balance transactions show that a won dispute was lost later.
            Verdict::Lost if has_list && self.chance.percent(30) => {
                let back = dispute.minor;
                self.write_both("charge.dispute.closed", at + 9 * DAY, object_with("won", &[back]));
                self.write_both("charge.dispute.closed", at + 20 * DAY, object_with("lost", &[back, -back]));
            }
            Verdict::Lost => self.write_both("charge.dispute.closed", at + 9 * DAY, object("lost")),
            Verdict::Open | Verdict::Inquiry => {
                self.write_both("charge.dispute.updated", at + DAY, object("under_review"));
            }
        }
    }

    fn ended(&mut self, subscription: &Subscription, at: i64) {
        let object = json!({"id": subscription.id, "object": "subscription", "status": "canceled",
            "customer": subscription.customer, "metadata": {}, "ended_at": at});
        self.write_both("customer.subscription.deleted", at, object);
    }

    /// Events without effect: other types, and the same payments in the other mode.
    fn noise(&mut self, truth: &Truth) {
        let Some(payment) = truth.payments.first() else { return };
        self.write_both(
            "payout.paid",
            payment.time,
            json!({"id": format!("po_{}", payment.name), "amount": 1}),
        );
        let mut other = session(payment, "paid");
        other["amount_total"] = json!(99_999_999);
        let id = format!("evt_live_{}", payment.name);
        let (new, old) = (other.clone(), other);
        let kind = "checkout.session.completed";
        self.events.push(StripeEvent { id, kind, created: payment.time, livemode: true, new, old });
    }
}

/// The discount of a coupon, if any. The rest was paid, and nothing else counts.
const fn discount(total: i64) -> i64 {
    if total % 3 == 0 { total / 2 } else { 0 }
}

fn session(payment: &Payment, status: &str) -> Value {
    let Payment { name, customer, subscription, email, currency, carried, .. } = payment;
    let (total, tax, shipping) = match payment.money {
        Money::Failed => (5_000, 0, 0),
        Money::Session { total, tax, shipping } => (total, tax, shipping),
        Money::Invoice { total, tax, .. } => (total.max(0), tax, 0),
        Money::Bare { received, .. } => (received, 0, 0),
    };
    let is_subscription = subscription.is_some();
    let intent = (!is_subscription && total > 0).then(|| format!("pi_{name}"));
    let Carried { session_metadata, client_reference, .. } = carried;
    json!({
        "id": format!("cs_{name}"), "object": "checkout.session", "amount_total": total, "currency": currency,
        "client_reference_id": client_reference, "created": payment.time, "customer": customer,
        "customer_details": {"email": email}, "invoice": payment.has_invoice().then(|| format!("in_{name}")),
        "metadata": metadata(session_metadata.as_ref()), "payment_intent": intent, "payment_status": status,
        "mode": if is_subscription { "subscription" } else { "payment" }, "subscription": subscription,
        "total_details": {"amount_discount": discount(total), "amount_tax": tax, "amount_shipping": shipping},
        "amount_subtotal": total + discount(total), "status": "complete",
    })
}

fn invoice(payment: &Payment, old: bool) -> Value {
    let Payment { name, customer, subscription, email, currency, carried, .. } = payment;
    let Money::Invoice { paid, total, tax, outside, proration } = payment.money else { return Value::Null };
    let snapshot = metadata(carried.subscription_metadata.as_ref());
    let mut invoice = json!({
        "id": format!("in_{name}"), "object": "invoice", "status": "paid", "amount_paid": paid, "total": total,
        "currency": currency, "customer": customer, "customer_email": email, "created": payment.time,
        "status_transitions": {"finalized_at": payment.paid_at() - 10, "paid_at": payment.paid_at() + 2},
        "metadata": metadata(carried.invoice_metadata.as_ref()),
        "subtotal": total + discount(total), "total_discount_amounts": [{"amount": discount(total), "discount": "di_1"}],
        "lines": {"object": "list", "has_more": false, "data": [{"amount": total - tax + discount(total),
            "discount_amounts": [{"amount": discount(total), "discount": "di_1"}]}]},
    });
    let charged = paid - outside > 0;
    if old {
        invoice["subscription"] = json!(subscription);
        invoice["subscription_details"] = json!({ "metadata": snapshot });
        invoice["tax"] = json!(tax);
        // Before basil, an invoice was paid out of band completely, with `amount_paid` 0; rendered today, it can
        // be paid in part.
        let completely = outside > 0 && outside == paid;
        invoice["paid_out_of_band"] = json!(completely);
        if completely {
            invoice["amount_paid"] = json!(0);
        }
        invoice["amount_due"] = json!(paid);
        if outside > 0 && !completely {
            invoice["amount_paid_off_stripe"] = json!(outside);
        }
        invoice["payment_intent"] = json!(charged.then(|| format!("pi_{name}")));
        invoice["charge"] = json!(charged.then(|| format!("ch_{name}")));
        invoice["lines"]["data"][0]["proration"] = json!(proration);
    } else {
        if let Some(id) = subscription {
            let details = json!({"subscription": id, "metadata": snapshot});
            invoice["parent"] = json!({"type": "subscription_details", "subscription_details": details});
        }
        invoice["total_taxes"] = json!([{ "amount": tax }]);
        invoice["amount_paid_off_stripe"] = json!(outside);
        let item = json!({ "proration": proration });
        invoice["lines"]["data"][0]["parent"] = json!({ "subscription_item_details": item });
    }
    invoice
}

fn charge(payment: &Payment, refunded: i64, old: bool) -> Value {
    let Payment { name, customer, currency, email, .. } = payment;
    let captured = payment.charged();
    let authorised = if let Money::Bare { authorised, .. } = payment.money { authorised } else { captured };
    let mut charge = json!({
        "id": format!("ch_{name}"), "object": "charge", "amount": authorised, "amount_captured": captured,
        "amount_refunded": refunded + authorised - captured, "captured": true, "currency": currency,
        "customer": customer, "created": payment.paid_at(), "payment_intent": format!("pi_{name}"),
        "billing_details": {"email": email}, "status": "succeeded",
        "metadata": metadata(payment.carried.intent_metadata.as_ref()),
    });
    if payment.has_invoice() && old {
        charge["invoice"] = json!(format!("in_{name}"));
    }
    charge
}
