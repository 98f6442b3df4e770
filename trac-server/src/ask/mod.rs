//! Asking Stripe for the one link that events may leave out: which invoice a `PaymentIntent` paid.
//!
//! Since 2025-03-31.basil neither charges nor invoices name each other, and a merchant who has not selected
//! `invoice_payment.paid` leaves refunds and disputes of renewals without a payment (`payment_unlinked`, `payment_unknown`).
//! Where the merchant has given an endpoint a restricted key, the server asks for what is missing, beside its work: no webhook
//! waits for it, and without a key, or without Stripe, everything else goes on as it was.
//!
//! What is open is read from the events that wait, so a restart forgets nothing. An answer ties payments together and tells
//! no amount. It is logged as an event of ours, with the time it was asked, and taken in like one that Stripe sent: replay
//! and explain know it, and whatever waited for it settles in the same transaction.

mod questions;
mod stripe;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use trac_core::program::Mode;
use trac_core::webhook::event::Event;
use trac_core::webhook::signature::Verified;

use std::time::Duration;

use crate::flow;
use crate::id::Kind;
use crate::store::apply::Writing;
use crate::store::{Priority, StoreError};
use crate::trac::Trac;
use crate::webhook::delivery::Delivery;
use crate::webhook::log;
use questions::{Account, NO_ANSWER_TRIES, NO_INVOICE_TRIES};
use stripe::{Reply, Stripe};

/// How often the events that wait are looked through.
const PAUSE: Duration = Duration::from_secs(5);
/// How many accounts are asked at the same time; each is asked one question after the other.
const AT_ONCE: usize = 4;

/// Asks Stripe what events left open. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Asker {
    trac: Trac,
    stripe: Stripe,
}

impl Asker {
    /// One that asks at this address, such as `https://api.stripe.com`.
    #[must_use]
    pub fn new(trac: Trac, api_url: &str) -> Self {
        Self { trac, stripe: Stripe::at(api_url) }
    }

    /// Goes on asking until the task is ended.
    pub async fn run(self) {
        loop {
            match self.round().await {
                Ok(0) => {}
                // There may be more; each question has its own pause.
                Ok(_) => continue,
                Err(error) => tracing::error!(%error, "what is to be asked of Stripe could not be read"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Asks what is due now, some questions of every account, and answers how many were asked.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read or written; what was asked so far is kept.
    pub async fn round(&self) -> Result<usize, StoreError> {
        let (vault, now) = (self.trac.store.vault(), self.trac.clock.now());
        let accounts = self.trac.store.read(move |connection| Account::all(connection, &vault, now)).await?;
        let (mut waiting, mut under_way, mut asked) = (accounts.into_iter(), JoinSet::new(), 0_usize);
        loop {
            while under_way.len() < AT_ONCE {
                let Some(account) = waiting.next() else { break };
                let this = self.clone();
                under_way.spawn(async move { this.account(account).await });
            }
            let Some(done) = under_way.join_next().await else { return Ok(asked) };
            let done = done.unwrap_or_else(|error| Err(StoreError::internal(error.to_string())));
            asked = asked.saturating_add(done?);
        }
    }

    /// Asks an account's questions until none is due or Stripe wants to be left alone.
    async fn account(&self, account: Account) -> Result<usize, StoreError> {
        let (own, now) = (account.clone(), self.trac.clock.now());
        let due = self.trac.store.read(move |connection| own.due(connection, now)).await?;
        let mut asked = 0_usize;
        for payment_intent in due {
            let (own, id) = (account.clone(), payment_intent.clone());
            // Counted before it is asked: a question that ends the process is not asked without end.
            if !self.trac.store.write(Priority::Api, move |tx| own.begin(tx, &id, now)).await? {
                continue;
            }
            let reply = self.stripe.invoice_payments(&account, &payment_intent).await;
            self.trac.metrics.question(reply.name());
            let goes_on = reply.goes_on();
            self.keep(account.clone(), payment_intent, reply).await?;
            asked = asked.saturating_add(1);
            if !goes_on {
                break;
            }
        }
        Ok(asked)
    }

    /// Writes down what Stripe answered, with all that follows from it.
    async fn keep(&self, account: Account, payment_intent: String, reply: Reply) -> Result<(), StoreError> {
        let (trac, now) = (self.trac.clone(), self.trac.clock.now());
        let kept = self.trac.store.write(Priority::Webhook, move |tx| {
            let endpoint = &account.endpoint_id;
            match reply {
                Reply::Paid(list) if list.is_empty() => {
                    let answer = "Stripe knows no invoice that this PaymentIntent paid.";
                    account.unanswered(tx, &payment_intent, answer, NO_INVOICE_TRIES)
                }
                Reply::Paid(list) => {
                    for link in list {
                        take_in(tx, &trac, &account, &link)?;
                        account.answered(tx, &payment_intent, &invoice_of(&link))?;
                    }
                    Ok(())
                }
                Reply::Unknown(why) => account.unanswered(tx, &payment_intent, &why, NO_INVOICE_TRIES),
                Reply::Refused(why) => {
                    tracing::warn!(
                        endpoint,
                        why,
                        "Stripe refuses the endpoint's stripe_api_key: set another that may read Invoices"
                    );
                    account.refuse(tx, &why)?;
                    account.unanswered(tx, &payment_intent, &why, NO_ANSWER_TRIES)
                }
                Reply::Later { secs, why } => {
                    tracing::warn!(
                        endpoint,
                        why,
                        secs,
                        "Stripe did not answer a question; it is asked again"
                    );
                    account.rest(tx, now.plus_secs(secs))?;
                    account.unanswered(tx, &payment_intent, &why, NO_ANSWER_TRIES)
                }
            }
        });
        kept.await
    }
}

/// Logs an invoice payment that Stripe answered with, and settles what it ties together.
fn take_in(
    tx: &rusqlite::Connection,
    trac: &Trac,
    account: &Account,
    link: &Value,
) -> Result<(), StoreError> {
    let (id, now) = (trac.ids.make(Kind::Event), trac.clock.now());
    let scope = account.scope.clone();
    let body = json!({
        "id": id,
        "object": "event",
        "type": "invoice_payment.paid",
        "api_version": stripe::VERSION,
        "created": now.unix_secs(),
        "livemode": scope.mode() == Mode::Live,
        "account": account.connected,
        "data": { "object": link },
    });
    let body = body.to_string().into_bytes();
    let event =
        Event::read(Verified::kept(&body)).map_err(|error| StoreError::internal(error.to_string()))?;
    let (endpoint_id, stripe_account) = (account.endpoint_id.clone(), account.connected.clone());
    let delivery = Delivery { scope, endpoint_id, stripe_account, event, body };
    flow::receive_answer(tx, &trac.ids, now, &delivery)?;
    let writing = Writing { tx, scope: &account.scope, ids: &trac.ids, now, event_id: Some(&id) };
    log::remark(&writing, &id, &format!("Stripe was asked, and named the invoice {}.", invoice_of(link)))
}

/// `in_…` of an invoice payment, or of the invoice in its place.
fn invoice_of(link: &Value) -> String {
    let invoice = link.get("invoice");
    let id = invoice.and_then(|invoice| invoice.as_str().or_else(|| invoice.get("id")?.as_str()));
    id.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
