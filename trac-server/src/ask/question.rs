//! A question to Stripe: its subject, and how often it was asked.
//!
//! The open questions are derived from waiting events and payments in every round. The table `question`
//! records how often each was asked and when it may be asked again, so that the limits survive a restart and
//! no question is asked forever.

use trac_core::time::Timestamp;

use super::account::Account;
use super::answer::{Fact, Reply};
use super::stripe::Stripe;
use super::stripe::{ID_MAX, PLAIN, is_plain};
use super::{invoice_lines, invoice_paid};
use crate::store::StoreError;
use crate::store::rows::{Rows, args};

/// How often a question is asked if it gets no answer. With the pauses below, that takes most of a day.
pub(super) const NO_ANSWER_TRIES: i64 = 12;
/// The pause after the first try; it doubles each time, up to the longest.
const FIRST_PAUSE_SECS: i64 = 30;
const LONGEST_PAUSE_SECS: i64 = 21_600;
/// No question is asked about events younger than this: the missing event may still arrive.
const GRACE_SECS: i64 = 5;
/// The most questions of one account in a round, so that no account delays the others.
const QUESTIONS_MAX: usize = 20;

/// The kind of a question. Each has its own file, with its query of open questions, its request and the
/// reading of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Which invoice did this `PaymentIntent` pay?
    InvoicePaid,
    /// What was this invoice for?
    InvoiceLines,
}

impl Kind {
    const ALL: [Self; 2] = [Self::InvoicePaid, Self::InvoiceLines];

    /// The query of the open questions in a workspace (`?1`) and mode (`?2`): `stripe_id`, and the
    /// `endpoint_id` and `since` of the event that waits. No two kinds ask about the same ID.
    const fn open(self) -> &'static str {
        match self {
            Self::InvoicePaid => invoice_paid::OPEN,
            Self::InvoiceLines => invoice_lines::OPEN,
        }
    }

    /// The query of the open questions of this account that may be asked now, the longest open first.
    fn due(self) -> String {
        format!(
            "SELECT x.stripe_id, min(x.since) FROM ({}) AS x LEFT JOIN question AS q \
             ON q.workspace_id = ?1 AND q.mode = ?2 AND q.stripe_id = x.stripe_id \
             WHERE x.since <= ?3 AND ltrim(x.stripe_id, '{PLAIN}') = '' AND length(x.stripe_id) <= {ID_MAX} \
             AND (q.stripe_id IS NULL OR q.next_at <= ?4) \
             AND EXISTS (SELECT 1 FROM webhook_endpoint AS w WHERE w.id = x.endpoint_id \
             AND w.workspace_id = ?1 AND w.mode = ?2 AND w.stripe_account IS NOT DISTINCT FROM ?5) \
             GROUP BY x.stripe_id ORDER BY min(x.since) LIMIT ?6",
            self.open()
        )
    }
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    kind: Kind,
    /// The Stripe ID in question. It becomes part of a URL: letters, digits and underscores only.
    stripe_id: String,
}

impl Question {
    /// The questions of an account that are due now, the longest open first.
    pub(super) fn due(rows: Rows<'_>, account: &Account, now: Timestamp) -> Result<Vec<Self>, StoreError> {
        let received_until = now.plus_secs(-GRACE_SECS);
        let limit = i64::try_from(QUESTIONS_MAX).unwrap_or(i64::MAX);
        let mut due: Vec<(i64, Self)> = Vec::new();
        for kind in Kind::ALL {
            due.extend(rows.all(
                &kind.due(),
                args![received_until, now, account.connected, limit],
                |row| Ok((row.get(1)?, Self { kind, stripe_id: row.get(0)? })),
            )?);
        }
        due.retain(|(_, question)| is_plain(&question.stripe_id));
        due.sort_by_key(|(since, _)| *since);
        due.truncate(QUESTIONS_MAX);
        Ok(due.into_iter().map(|(_, question)| question).collect())
    }

    /// Sends the question to Stripe.
    pub(super) async fn ask(&self, stripe: &Stripe, account: &Account) -> Reply {
        match self.kind {
            Kind::InvoicePaid => invoice_paid::ask(stripe, account, &self.stripe_id).await,
            Kind::InvoiceLines => invoice_lines::ask(stripe, account, &self.stripe_id).await,
        }
    }

    /// Counts one more try; `false` if the question is no longer due.
    pub(super) fn begin(&self, rows: Rows<'_>, now: Timestamp) -> Result<bool, StoreError> {
        rows.exists(
            "INSERT INTO question (workspace_id, mode, stripe_id, tries, asked_at, next_at, answer) \
             VALUES (?1, ?2, ?3, 1, ?4, ?4 + ?5, ?8) \
             ON CONFLICT (workspace_id, mode, stripe_id) DO UPDATE SET tries = question.tries + 1, asked_at = ?4, answer = ?8, \
             next_at = CASE WHEN question.tries + 1 >= ?7 THEN NULL \
             ELSE ?4 + CASE WHEN ?5 << CAST(question.tries AS INT) < ?6 THEN ?5 << CAST(question.tries AS INT) ELSE ?6 END END \
             WHERE question.next_at <= ?4 RETURNING tries",
            args![
                self.stripe_id,
                now,
                FIRST_PAUSE_SECS,
                LONGEST_PAUSE_SECS,
                NO_ANSWER_TRIES,
                "Stripe is being asked."
            ],
        )
    }

    /// Records Stripe's answer. The question is not asked again.
    pub(super) fn answered(&self, rows: Rows<'_>, fact: &Fact) -> Result<(), StoreError> {
        let answer = format!("Stripe {}.", fact.summary);
        rows.write(
            "UPDATE question SET next_at = NULL, invoice = ?4, answer = ?5 \
             WHERE workspace_id = ?1 AND mode = ?2 AND stripe_id = ?3",
            args![self.stripe_id, fact.invoice, answer],
        )?;
        Ok(())
    }

    /// Records why no answer helped; after `tries_max` tries the question is not asked again.
    pub(super) fn unanswered(&self, rows: Rows<'_>, why: &str, tries_max: i64) -> Result<(), StoreError> {
        rows.write(
            "UPDATE question SET answer = ?4, next_at = CASE WHEN tries >= ?5 THEN NULL ELSE next_at END \
             WHERE workspace_id = ?1 AND mode = ?2 AND stripe_id = ?3 AND invoice IS NULL",
            args![self.stripe_id, why, tries_max],
        )?;
        Ok(())
    }
}
