//! The actions at a merchant: a buyer pays, the merchant refunds, a month passes, a bank disputes. Each
//! action changes the books and returns the events Stripe would send, in Stripe's order.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::chance::{now, stripe_id};
use crate::event::Event;
use crate::payment::{Dispute, Payment};
use crate::refusal::Refusal;
use crate::session::{Completion, Session};
use crate::subscription::Subscription;

/// The merchant's account: all sessions, payments and subscriptions.
#[derive(Debug, Default)]
pub(crate) struct Books {
    sessions: BTreeMap<String, Session>,
    payments: Vec<Payment>,
    subscriptions: BTreeMap<String, Subscription>,
}

impl Books {
    pub(crate) fn open(&mut self, session: Session) {
        self.sessions.insert(session.id.clone(), session);
    }

    pub(crate) fn session(&self, id: &str) -> Result<&Session, Refusal> {
        self.sessions.get(id).ok_or_else(|| Refusal::not_found("checkout.session", id))
    }

    /// Newest first.
    pub(crate) fn payments(&self) -> impl Iterator<Item = &Payment> {
        self.payments.iter().rev()
    }

    /// The lines of a paid invoice.
    pub(crate) fn lines(&self, invoice: &str) -> Result<Vec<Value>, Refusal> {
        let payment = self.payments().find(|payment| payment.invoice.as_deref() == Some(invoice));
        let payment = payment.ok_or_else(|| Refusal::not_found("invoice", invoice))?;
        let subscription = payment.subscription.as_ref().and_then(|id| self.subscriptions.get(id));
        Ok(subscription.map(|found| found.lines(invoice, payment.created)).unwrap_or_default())
    }

    pub(crate) fn is_running(&self, subscription: &str) -> bool {
        self.subscriptions.get(subscription).is_some_and(|found| !found.canceled)
    }

    fn payment_mut(&mut self, id: &str) -> Result<&mut Payment, Refusal> {
        let found = self.payments.iter_mut().find(|payment| payment.id == id);
        found.ok_or_else(|| Refusal::not_found("payment_intent", id))
    }

    /// The buyer pays a session. Returns the new payment's ID and the events.
    pub(crate) fn pay(&mut self, session_id: &str, email: &str) -> Result<(String, Vec<Event>), Refusal> {
        let session = self.session(session_id)?.clone();
        if session.completion.is_some() {
            return Err(Refusal::State("This Checkout Session has already been completed."));
        }
        if session.is_subscription() { self.subscribe(session, email) } else { Ok(self.buy(session, email)) }
    }

    fn buy(&mut self, mut session: Session, email: &str) -> (String, Vec<Event>) {
        let at = now();
        let payment = Payment {
            session: Some(session.id.clone()),
            metadata: session.payment_intent_metadata.clone(),
            description: session.price.product.name.clone(),
            ..payment_of(session.amount_minor(), &session.price.currency, email, at)
        };
        let payment = Payment { client_reference_id: session.client_reference_id.clone(), ..payment };
        session.completion = Some(Completion {
            email: email.to_owned(),
            payment_intent: Some(payment.id.clone()),
            invoice: None,
            subscription: None,
            customer: None,
        });
        let events = vec![
            Event::new("charge.succeeded", at, &payment.charge_object()),
            Event::new("payment_intent.succeeded", at, &payment.intent_object()),
            Event::new("checkout.session.completed", at, &session.object(None)),
        ];
        let id = payment.id.clone();
        self.open(session);
        self.payments.push(payment);
        (id, events)
    }

    fn subscribe(&mut self, mut session: Session, email: &str) -> Result<(String, Vec<Event>), Refusal> {
        let at = now();
        let subscription = Subscription {
            id: stripe_id("sub_1", 23),
            item: stripe_id("si_", 14),
            customer: stripe_id("cus_", 14),
            email: email.to_owned(),
            price: session.price.clone(),
            quantity: session.quantity,
            metadata: session.subscription_metadata.clone(),
            started: at,
            periods: 0,
            canceled: false,
        };
        let id = subscription.id.clone();
        session.completion = Some(Completion {
            email: email.to_owned(),
            payment_intent: None,
            invoice: None,
            subscription: Some(id.clone()),
            customer: Some(subscription.customer.clone()),
        });
        let created = Event::new("customer.subscription.created", at, &subscription.object(at));
        self.subscriptions.insert(id.clone(), subscription);
        let (payment_id, paid) = self.renew(&id)?;
        let first = self.payment_mut(&payment_id)?;
        first.session = Some(session.id.clone());
        first.client_reference_id.clone_from(&session.client_reference_id);
        if let Some(completion) = session.completion.as_mut() {
            completion.invoice.clone_from(&first.invoice);
        }
        let completed = Event::new("checkout.session.completed", at, &session.object(None));
        self.open(session);
        let events = [created].into_iter().chain(paid).chain([completed]).collect();
        Ok((payment_id, events))
    }

    /// The next period of a subscription begins and is paid.
    pub(crate) fn renew(&mut self, subscription_id: &str) -> Result<(String, Vec<Event>), Refusal> {
        let subscription = self
            .subscriptions
            .get_mut(subscription_id)
            .ok_or_else(|| Refusal::not_found("subscription", subscription_id))?;
        if subscription.canceled {
            return Err(Refusal::State("This subscription is canceled."));
        }
        let invoice = subscription.bill();
        let (amount, currency) = (subscription.amount_minor(), subscription.price.currency.clone());
        let payment = Payment {
            invoice: Some(invoice.id.clone()),
            subscription: Some(subscription.id.clone()),
            customer: Some(subscription.customer.clone()),
            description: if invoice.is_first { "Subscription creation" } else { "Subscription update" }
                .to_owned(),
            ..payment_of(amount, &currency, &subscription.email, invoice.created)
        };
        let mut events = vec![
            Event::new("charge.succeeded", invoice.created, &payment.charge_object()),
            Event::new("payment_intent.succeeded", invoice.created, &payment.intent_object()),
            Event::new("invoice.paid", invoice.created, &subscription.invoice_object(&invoice)),
        ];
        let paid_by = payment.invoice_payment_object();
        events.extend(paid_by.map(|paid_by| Event::new("invoice_payment.paid", invoice.created, &paid_by)));
        let id = payment.id.clone();
        self.payments.push(payment);
        Ok((id, events))
    }

    /// The subscription ends now.
    pub(crate) fn cancel(&mut self, subscription_id: &str) -> Result<Vec<Event>, Refusal> {
        let found = self.subscriptions.get_mut(subscription_id).filter(|found| !found.canceled);
        let subscription = found.ok_or_else(|| Refusal::not_found("subscription", subscription_id))?;
        subscription.canceled = true;
        // Renewals are dated in the future; the end must come after the last of them.
        let at = now().max(subscription.billed_at().saturating_add(1));
        Ok(vec![Event::new("customer.subscription.deleted", at, &subscription.object(at))])
    }

    /// Refunds `amount_minor`, or all that is left.
    pub(crate) fn refund(
        &mut self,
        payment_id: &str,
        amount_minor: Option<i64>,
    ) -> Result<Vec<Event>, Refusal> {
        let payment = self.payment_mut(payment_id)?;
        let left = payment.refundable_minor();
        let amount = amount_minor.unwrap_or(left);
        if amount <= 0 || amount > left {
            return Err(Refusal::parameter(
                "amount",
                "The amount is not between 1 and what is left to refund.",
            ));
        }
        let before = json!({
            "amount_refunded": payment.refunded_minor,
            "refunded": payment.refunded_minor >= payment.amount_minor,
        });
        payment.refunded_minor = payment.refunded_minor.saturating_add(amount);
        let at = now();
        Ok(vec![
            Event::new("refund.created", at, &payment.refund_object(amount)),
            Event::with_previous("charge.refunded", at, &payment.charge_object(), Some(before)),
        ])
    }

    /// The buyer's bank takes the money back.
    pub(crate) fn dispute(&mut self, payment_id: &str) -> Result<Vec<Event>, Refusal> {
        let payment = self.payment_mut(payment_id)?;
        if payment.dispute.is_some() {
            return Err(Refusal::State("This payment is already disputed."));
        }
        let at = now();
        let dispute = Dispute { id: stripe_id("du_1", 23), status: "needs_response", created: at };
        let object = payment.dispute_object(&dispute);
        payment.dispute = Some(dispute);
        Ok(vec![
            Event::new("charge.dispute.created", at, &object),
            Event::new("charge.dispute.funds_withdrawn", at, &object),
        ])
    }

    /// The bank decides the dispute: `won` returns the money to the merchant, `lost` does not.
    pub(crate) fn decide(&mut self, payment_id: &str, status: &'static str) -> Result<Vec<Event>, Refusal> {
        let payment = self.payment_mut(payment_id)?;
        let open = payment.dispute.as_mut().filter(|dispute| dispute.status == "needs_response");
        let Some(dispute) = open else { return Err(Refusal::State("There is no open dispute.")) };
        dispute.status = status;
        let decided = dispute.clone();
        let at = now();
        let object = payment.dispute_object(&decided);
        let mut events = vec![Event::new("charge.dispute.closed", at, &object)];
        if status == "won" {
            events.push(Event::new("charge.dispute.funds_reinstated", at, &object));
        }
        Ok(events)
    }
}

fn payment_of(amount_minor: i64, currency: &str, email: &str, created: i64) -> Payment {
    Payment {
        id: stripe_id("pi_3", 23),
        charge: stripe_id("ch_3", 23),
        session: None,
        invoice: None,
        subscription: None,
        customer: None,
        client_reference_id: None,
        email: email.to_owned(),
        description: String::new(),
        amount_minor,
        currency: currency.to_owned(),
        refunded_minor: 0,
        dispute: None,
        created,
        metadata: serde_json::Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;
    use crate::form;

    fn books_with(slug: &str) -> (Books, String) {
        let catalogue = Catalogue::tea_shop();
        let query = form::parse(b"client_reference_id=clk_1700000000_0123456789abcdef");
        let session = Session::of_link(catalogue.by_slug(slug).unwrap(), &query, None);
        let id = session.id.clone();
        let mut books = Books::default();
        books.open(session);
        (books, id)
    }

    fn kinds(events: &[Event]) -> Vec<&'static str> {
        events.iter().map(|event| event.kind).collect()
    }

    fn object(event: &Event) -> Value {
        let body: Value = serde_json::from_str(&event.body).unwrap();
        body.pointer("/data/object").unwrap().clone()
    }

    #[test]
    fn only_the_session_event_of_a_payment_link_contains_the_reference() {
        let (mut books, session) = books_with("test_teachest");
        let (_, events) = books.pay(&session, "ada@example.com").unwrap();
        assert_eq!(
            kinds(&events),
            ["charge.succeeded", "payment_intent.succeeded", "checkout.session.completed"]
        );
        let carriers = events.iter().filter(|event| event.body.contains("clk_1700000000_0123456789abcdef"));
        assert_eq!(carriers.map(|event| event.kind).collect::<Vec<_>>(), ["checkout.session.completed"]);
        assert!(books.pay(&session, "ada@example.com").is_err(), "a session is paid once");
    }

    #[test]
    fn a_subscriptions_session_names_the_invoice_and_only_invoice_payment_names_the_payment() {
        let (mut books, session) = books_with("test_teaclub");
        let (_, events) = books.pay(&session, "ada@example.com").unwrap();
        let find = |kind: &str| object(events.iter().find(|event| event.kind == kind).unwrap());
        let (paid, session) = (find("invoice.paid"), find("checkout.session.completed"));
        assert_eq!(session.get("invoice"), paid.get("id"));
        assert_eq!(session.get("payment_intent"), Some(&Value::Null));
        assert_eq!(paid.get("payment_intent"), None);
        let link = find("invoice_payment.paid");
        assert_eq!(link.get("invoice"), paid.get("id"));
        assert_eq!(link.pointer("/payment/payment_intent"), find("payment_intent.succeeded").get("id"));
    }

    #[test]
    fn renewals_are_a_month_apart() {
        let (mut books, session) = books_with("test_teaclub");
        books.pay(&session, "ada@example.com").unwrap();
        let id = books.payments().next().unwrap().subscription.clone().unwrap();
        let first = books.payments().next().unwrap().created;
        books.renew(&id).unwrap();
        let days = (books.payments().next().unwrap().created - first) / 86_400;
        assert!((28..=31).contains(&days), "{days} days");
        books.cancel(&id).unwrap();
        assert!(books.renew(&id).is_err(), "a cancelled subscription is not billed");
    }

    #[test]
    fn refunds_add_up_and_stop_at_the_amount() {
        let (mut books, session) = books_with("test_teachest");
        let (payment, _) = books.pay(&session, "ada@example.com").unwrap();
        let refunded = |events: &[Event]| {
            let charge = object(events.last().unwrap());
            (charge.get("amount_refunded").unwrap().as_i64(), charge.get("refunded").unwrap().as_bool())
        };
        assert_eq!(refunded(&books.refund(&payment, Some(1_000)).unwrap()), (Some(1_000), Some(false)));
        assert!(books.refund(&payment, Some(3_801)).is_err(), "more than is left");
        assert_eq!(refunded(&books.refund(&payment, None).unwrap()), (Some(4_800), Some(true)));
        assert!(books.refund(&payment, None).is_err(), "nothing is left");
    }

    #[test]
    fn a_dispute_is_decided_once_and_returns_the_money_only_if_won() {
        let (mut books, session) = books_with("test_teachest");
        let (payment, _) = books.pay(&session, "ada@example.com").unwrap();
        assert!(books.decide(&payment, "won").is_err());
        books.dispute(&payment).unwrap();
        assert_eq!(
            kinds(&books.decide(&payment, "won").unwrap()),
            ["charge.dispute.closed", "charge.dispute.funds_reinstated"]
        );
        assert!(books.decide(&payment, "lost").is_err());
    }
}
