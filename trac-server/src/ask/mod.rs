//! Asking Stripe for what events leave out: which invoice a `PaymentIntent` paid, and what an invoice of more than ten lines was
//! for.
//!
//! Where the merchant has given an endpoint a restricted key, the server asks for what is missing, beside its work: no webhook
//! waits for it, and without a key, or without Stripe, everything else goes on as it was.
//!
//! ```text
//! what waits ─▶ Question ─▶ Stripe ─▶ Answer ─▶ Fact ─▶ an event of ours ─▶ flow
//! ```
//!
//! What is open is read from what waits, so a restart forgets nothing. An answer is believed about what was asked and tells no
//! amount that was paid. It is logged as an event of ours, with the time it was asked, and taken in like one that Stripe sent:
//! replay and explain know it, and whatever waited for it settles in the same transaction.

mod account;
mod stripe;
mod answer;
mod invoice_paid;
mod invoice_lines;
mod question;

use std::time::Duration;

use tokio::task::JoinSet;
use trac_core::commission::answer::Outcome;
use trac_core::time::Timestamp;

use crate::flow;
use crate::id::Kind;
use crate::store::apply::Writing;
use crate::store::rows::Rows;
use crate::store::{Priority, StoreError};
use crate::trac::Trac;
use crate::webhook::delivery::Delivery;
use crate::webhook::log;
use account::Account;
use answer::NOTHING_TRIES;
use answer::{Answer, Fact, Reply};
use question::{NO_ANSWER_TRIES, Question};
use stripe::{Failure, Stripe};

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
        let accounts = self.trac.store.read(move |tx| Account::all(tx, &vault, now)).await?;
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
        let due = self.trac.store.read(move |tx| Question::due(tx.within(&own.scope), &own, now)).await?;
        let mut asked = 0_usize;
        for question in due {
            let (own, begun) = (account.clone(), question.clone());
            // Counted before it is asked: a question that ends the process is not asked without end.
            if !self
                .trac
                .store
                .write(Priority::Api, move |tx| begun.begin(tx.within(&own.scope), now))
                .await?
            {
                continue;
            }
            let reply = question.ask(&self.stripe, &account).await;
            self.trac.metrics.question(answer::name(&reply));
            let goes_on = answer::goes_on(&reply);
            self.keep(account.clone(), question, reply).await?;
            asked = asked.saturating_add(1);
            if !goes_on {
                break;
            }
        }
        Ok(asked)
    }

    /// Writes down what became of a question, with all that follows from it.
    async fn keep(&self, account: Account, question: Question, reply: Reply) -> Result<(), StoreError> {
        let (trac, now) = (self.trac.clone(), self.trac.clock.now());
        let store = &self.trac.store;
        match reply {
            Ok(Answer::Facts { facts, .. }) => {
                // Read before it is the store's turn: a long list takes a while.
                let read = facts.into_iter().map(|fact| {
                    let delivery = fact.delivery(&account, &trac.ids.make(Kind::Event), now)?;
                    Ok((fact, delivery))
                });
                let told = read.collect::<Result<Vec<_>, StoreError>>()?;
                let kept = store.write(Priority::Webhook, move |tx| {
                    let rows = tx.within(&account.scope);
                    for (fact, delivery) in &told {
                        take_in(rows, &trac, now, fact, delivery)?;
                        question.answered(rows, fact)?;
                    }
                    Ok(())
                });
                kept.await
            }
            Ok(Answer::Nothing { why, tries_max, .. }) => {
                let kept = store.write(Priority::Webhook, move |tx| {
                    question.unanswered(tx.within(&account.scope), &why, tries_max)
                });
                kept.await
            }
            Err(failure) => {
                let kept = store.write(Priority::Webhook, move |tx| {
                    leave_open(tx.within(&account.scope), now, &account, &question, &failure)
                });
                kept.await
            }
        }
    }
}

/// Logs a fact that Stripe answered with, and settles what waited for it.
fn take_in(
    rows: Rows<'_>,
    trac: &Trac,
    now: Timestamp,
    fact: &Fact,
    delivery: &Delivery,
) -> Result<(), StoreError> {
    let told = flow::receive_answer(rows.everywhere(), &trac.ids, now, delivery)?;
    if told.outcome != Outcome::Processed {
        return Ok(());
    }
    let id = &delivery.event.id;
    let writing = Writing { rows, ids: &trac.ids, now, event_id: Some(id) };
    log::remark(&writing, id, &format!("Stripe was asked, and {}.", fact.says))
}

/// Notes why a question has no answer, and spares the key where that is why.
fn leave_open(
    rows: Rows<'_>,
    now: Timestamp,
    account: &Account,
    question: &Question,
    failure: &Failure,
) -> Result<(), StoreError> {
    let endpoint = &account.endpoint_id;
    match failure {
        Failure::Unknown(why) => question.unanswered(rows, why, NOTHING_TRIES),
        Failure::Refused(why) => {
            tracing::warn!(
                endpoint,
                why,
                "Stripe refuses the endpoint's stripe_api_key: set another that may read Invoices"
            );
            account.refuse(rows, why)?;
            question.unanswered(rows, why, NO_ANSWER_TRIES)
        }
        Failure::Later { secs, why } => {
            tracing::warn!(endpoint, why, secs, "Stripe did not answer a question; it is asked again");
            account.rest(rows, now.plus_secs(*secs))?;
            question.unanswered(rows, why, NO_ANSWER_TRIES)
        }
    }
}

#[cfg(test)]
mod tests;
