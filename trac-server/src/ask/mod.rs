//! Requests from Stripe what events leave out: which invoice a `PaymentIntent` paid, and the lines of an
//! invoice that has more than ten.
//!
//! If an endpoint has a restricted key, the server requests the missing facts in the background: no webhook
//! waits for them, and without a key, or while Stripe cannot be reached, everything else works as before.
//!
//! ```text
//! waiting event or payment ─▶ Question ─▶ Stripe ─▶ Answer ─▶ Fact ─▶ an event of ours ─▶ flow
//! ```
//!
//! The open questions are derived from the events and payments that wait, so they survive a restart. Only the
//! requested facts of an answer are used, never an amount paid. The answer is logged as an event of ours,
//! with the time of the request, and received like an event of Stripe's: replay and explain include it, and
//! everything that waited for it settles in the same transaction.

mod account;
pub(crate) mod stripe;
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

/// The pause between two rounds.
const PAUSE: Duration = Duration::from_secs(5);
/// How many accounts are processed at the same time; the questions of one account are asked one after the
/// other.
const AT_ONCE: usize = 4;

/// Requests from Stripe the facts that waiting events and payments lack. Clones share their state.
#[derive(Clone, Debug)]
pub struct Asker {
    trac: Trac,
    stripe: Stripe,
}

impl Asker {
    /// Sends its requests to the address of [`Trac::with_stripe_api_url`].
    #[must_use]
    pub fn new(trac: Trac) -> Self {
        let stripe = Stripe::at(&trac.stripe_api_url);
        Self { trac, stripe }
    }

    /// Runs rounds until the task is aborted.
    pub async fn run(self) {
        loop {
            match self.round().await {
                Ok(0) => {}
                // There may be more questions; each has its own pause.
                Ok(_) => continue,
                Err(error) => tracing::error!(%error, "a round of questions to Stripe failed"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Asks the questions that are due now, up to a limit for each account, and returns how many were asked.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read or written; the answers so far are stored.
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

    /// Asks an account's questions until none is due or the key must not be used for now.
    async fn account(&self, account: Account) -> Result<usize, StoreError> {
        let (own, now) = (account.clone(), self.trac.clock.now());
        let due = self.trac.store.read(move |tx| Question::due(tx.within(&own.scope), &own, now)).await?;
        let mut asked = 0_usize;
        for question in due {
            let begun = question.clone();
            // The try is counted first, so that a question that crashes the process is not asked again forever.
            if !self
                .trac
                .store
                .write_in(&account.scope, Priority::Api, move |rows| begun.begin(rows, now))
                .await?
            {
                continue;
            }
            let reply = question.ask(&self.stripe, &account).await;
            self.trac.metrics.question(answer::name(&reply));
            let can_continue = answer::can_continue(&reply);
            self.record(account.clone(), question, reply).await?;
            asked = asked.saturating_add(1);
            if !can_continue {
                break;
            }
        }
        Ok(asked)
    }

    /// Records the reply to a question, with all its effects.
    async fn record(&self, account: Account, question: Question, reply: Reply) -> Result<(), StoreError> {
        let (trac, now) = (self.trac.clone(), self.trac.clock.now());
        let store = &self.trac.store;
        match reply {
            Ok(Answer::Facts { facts, .. }) => {
                // Built before the write transaction, because a long list takes a while.
                let read = facts.into_iter().map(|fact| {
                    let delivery = fact.delivery(&account, &trac.ids.make(Kind::Event), now)?;
                    Ok((fact, delivery))
                });
                let deliveries = read.collect::<Result<Vec<_>, StoreError>>()?;
                let recorded = store.write_in(&account.scope, Priority::Webhook, move |rows| {
                    for (fact, delivery) in &deliveries {
                        record_fact(rows, &trac, now, fact, delivery)?;
                        question.answered(rows, fact)?;
                    }
                    Ok(())
                });
                recorded.await
            }
            Ok(Answer::Nothing { why, tries_max, .. }) => {
                let recorded = store.write_in(&account.scope, Priority::Webhook, move |rows| {
                    question.unanswered(rows, &why, tries_max)
                });
                recorded.await
            }
            Err(failure) => {
                let scope = account.scope.clone();
                let recorded = store.write_in(&scope, Priority::Webhook, move |rows| {
                    record_failure(rows, now, &account, &question, &failure)
                });
                recorded.await
            }
        }
    }
}

/// Logs a fact of Stripe's answer, and settles the events that waited for it.
fn record_fact(
    rows: Rows<'_>,
    trac: &Trac,
    now: Timestamp,
    fact: &Fact,
    delivery: &Delivery,
) -> Result<(), StoreError> {
    let received = flow::receive_answer(rows, &trac.ids, now, delivery)?;
    if received.outcome != Outcome::Processed {
        return Ok(());
    }
    let id = &delivery.event.id;
    let writing = Writing { rows, ids: &trac.ids, now, event_id: Some(id) };
    log::remark(&writing, id, &format!("Stripe was asked, and {}.", fact.summary))
}

/// Records why a question has no answer, and disables or pauses the key if that is the cause.
fn record_failure(
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
                "Stripe rejects the endpoint's stripe_api_key: set another that may read Invoices"
            );
            account.disable_key(rows, why)?;
            question.unanswered(rows, why, NO_ANSWER_TRIES)
        }
        Failure::Later { secs, why } => {
            tracing::warn!(endpoint, why, secs, "Stripe did not answer a question; it will be asked again");
            account.pause(rows, now.plus_secs(*secs))?;
            question.unanswered(rows, why, NO_ANSWER_TRIES)
        }
    }
}

#[cfg(test)]
mod tests;
