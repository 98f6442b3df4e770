//! What is open, how often it was asked, and who may be asked: the rows behind the questions.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _, params};
use trac_core::time::Timestamp;

use crate::store::{Scope, StoreError, Vault, mode_of};
use crate::webhook::stripe_key::{self, StripeKey};

/// How often a question is asked that gets no answer. With the pauses below that is most of a day.
pub(super) const NO_ANSWER_TRIES: i64 = 12;
/// How often a question is asked that Stripe answers without an invoice.
pub(super) const NO_INVOICE_TRIES: i64 = 3;
/// The pause after the first try; it doubles each time, up to the longest.
const FIRST_PAUSE_SECS: i64 = 30;
const LONGEST_PAUSE_SECS: i64 = 21_600;
/// What has only just come in waits: the event that is missing may be on its way.
const GRACE_SECS: i64 = 5;
/// How many questions of one account are asked in a round, so that no account keeps the others waiting.
const QUESTIONS_MAX: u32 = 20;

/// A Stripe account of a workspace and mode, and the endpoint whose key asks it.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) scope: Scope,
    pub(super) endpoint_id: String,
    /// `acct_…` of a connected account.
    pub(super) connected: Option<String>,
    pub(super) key: StripeKey,
}

impl Account {
    /// Every account that can be asked now, each by the first of its endpoints with a key that Stripe has not refused.
    pub(super) fn all(
        connection: &Connection,
        vault: &Vault,
        now: Timestamp,
    ) -> Result<Vec<Self>, StoreError> {
        let mut statement = connection.prepare_cached(
            "SELECT id, workspace_id, mode, stripe_account, stripe_api_key, \
             coalesce(stripe_api_rests_until, 0) FROM webhook_endpoint \
             WHERE stripe_api_key IS NOT NULL AND stripe_api_key_problem IS NULL ORDER BY id",
        )?;
        let rows = statement.query_map([], |row| {
            let (workspace_id, mode): (String, String) = (row.get(1)?, row.get(2)?);
            let scope = Scope::new(&workspace_id, mode_of(&mode));
            let (id, account): (String, Option<String>) = (row.get(0)?, row.get(3)?);
            Ok((id, scope, account, row.get::<_, String>(4)?, row.get::<_, i64>(5)?))
        })?;
        let (mut accounts, mut seen) = (Vec::new(), BTreeSet::new());
        for (endpoint_id, scope, connected, sealed, rests_until) in rows.collect::<Result<Vec<_>, _>>()? {
            let whose = (scope.workspace_id().to_owned(), scope.mode_str(), connected.clone());
            if !seen.insert(whose) || rests_until > now.unix_secs() {
                continue;
            }
            match stripe_key::open(vault, &scope, &endpoint_id, &sealed) {
                Ok(key) => accounts.push(Self { scope, endpoint_id, connected, key }),
                Err(error) => {
                    tracing::error!(%error, endpoint = endpoint_id, "nothing can be asked of Stripe");
                }
            }
        }
        Ok(accounts)
    }

    /// The `PaymentIntent`s of refunds and disputes that belong to no known payment, of this account, that are due.
    pub(super) fn due(&self, connection: &Connection, now: Timestamp) -> Result<Vec<String>, StoreError> {
        let mut statement = connection.prepare_cached(
            "SELECT DISTINCT o.stripe_id FROM event AS e \
             JOIN payment_object AS o ON o.workspace_id = e.workspace_id AND o.mode = e.mode \
             AND o.payment_id = e.subject_id \
             LEFT JOIN question AS q ON q.workspace_id = e.workspace_id AND q.mode = e.mode \
             AND q.stripe_id = o.stripe_id \
             WHERE e.workspace_id = ?1 AND e.mode = ?2 AND e.outcome = 'deferred' \
             AND e.reason IN ('payment_unlinked', 'payment_unknown') AND e.received_at <= ?3 \
             AND o.stripe_id GLOB 'pi_*' AND o.stripe_id NOT GLOB '*[^0-9A-Za-z_]*' \
             AND (q.stripe_id IS NULL OR q.next_at <= ?4) \
             AND EXISTS (SELECT 1 FROM webhook_endpoint AS w WHERE w.id = e.endpoint_id \
             AND w.workspace_id = e.workspace_id AND w.mode = e.mode AND w.stripe_account IS ?5) \
             AND NOT EXISTS (SELECT 1 FROM payment_object AS n WHERE n.workspace_id = e.workspace_id \
             AND n.mode = e.mode AND n.payment_id = e.subject_id AND n.stripe_id GLOB 'in_*') \
             ORDER BY e.received_at LIMIT ?6",
        )?;
        let (now, came) = (now.unix_secs(), now.plus_secs(-GRACE_SECS).unix_secs());
        let key = params![
            self.scope.workspace_id(),
            self.scope.mode_str(),
            came,
            now,
            self.connected,
            QUESTIONS_MAX
        ];
        Ok(statement.query_map(key, |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// Counts one more try; `false` if the question is not due any more.
    pub(super) fn begin(
        &self,
        tx: &Connection,
        payment_intent: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut statement = tx.prepare_cached(
            "INSERT INTO question (workspace_id, mode, stripe_id, tries, asked_at, next_at, answer) \
             VALUES (?1, ?2, ?3, 1, ?4, ?4 + ?5, ?8) \
             ON CONFLICT (workspace_id, mode, stripe_id) DO UPDATE SET tries = tries + 1, asked_at = ?4, answer = ?8, \
             next_at = CASE WHEN tries + 1 >= ?7 THEN NULL ELSE ?4 + min(?5 << tries, ?6) END \
             WHERE next_at <= ?4 RETURNING tries",
        )?;
        let begun = statement.query_row(
            params![
                self.scope.workspace_id(),
                self.scope.mode_str(),
                payment_intent,
                now.unix_secs(),
                FIRST_PAUSE_SECS,
                LONGEST_PAUSE_SECS,
                NO_ANSWER_TRIES,
                "Stripe is being asked."
            ],
            |row| row.get::<_, i64>(0),
        );
        Ok(begun.optional()?.is_some())
    }

    /// Notes the invoice that Stripe named.
    pub(super) fn answered(
        &self,
        tx: &Connection,
        payment_intent: &str,
        invoice: &str,
    ) -> Result<(), StoreError> {
        let mut statement = tx.prepare_cached(
            "UPDATE question SET next_at = NULL, invoice = ?4, answer = ?5 \
             WHERE workspace_id = ?1 AND mode = ?2 AND stripe_id = ?3",
        )?;
        let answer = format!("Stripe named the invoice {invoice}.");
        let (workspace, mode) = (self.scope.workspace_id(), self.scope.mode_str());
        statement.execute(params![workspace, mode, payment_intent, invoice, answer])?;
        Ok(())
    }

    /// Notes why there is no invoice; after so many tries the question is not asked again.
    pub(super) fn unanswered(
        &self,
        tx: &Connection,
        payment_intent: &str,
        answer: &str,
        tries_max: i64,
    ) -> Result<(), StoreError> {
        let mut statement = tx.prepare_cached(
            "UPDATE question SET answer = ?4, next_at = CASE WHEN tries >= ?5 THEN NULL ELSE next_at END \
             WHERE workspace_id = ?1 AND mode = ?2 AND stripe_id = ?3 AND invoice IS NULL",
        )?;
        let (workspace, mode) = (self.scope.workspace_id(), self.scope.mode_str());
        statement.execute(params![workspace, mode, payment_intent, answer, tries_max])?;
        Ok(())
    }

    /// Asks nothing more with this key, and shows why.
    pub(super) fn refuse(&self, tx: &Connection, why: &str) -> Result<(), StoreError> {
        self.note(tx, "stripe_api_key_problem", &why)
    }

    /// Asks nothing with this key for a while.
    pub(super) fn rest(&self, tx: &Connection, until: Timestamp) -> Result<(), StoreError> {
        self.note(tx, "stripe_api_rests_until", &until.unix_secs())
    }

    /// Writes a column of the endpoint. The column is named here, never by anybody outside.
    fn note(
        &self,
        tx: &Connection,
        column: &'static str,
        value: &dyn rusqlite::ToSql,
    ) -> Result<(), StoreError> {
        let mut statement = tx.prepare_cached(&format!(
            "UPDATE webhook_endpoint SET {column} = ?4 WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3"
        ))?;
        statement.execute(params![
            self.scope.workspace_id(),
            self.scope.mode_str(),
            self.endpoint_id,
            value
        ])?;
        Ok(())
    }
}
