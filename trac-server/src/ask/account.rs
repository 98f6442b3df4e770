//! Who can be asked: a merchant's Stripe account, by the restricted key of one of its endpoints.

use std::collections::BTreeSet;

use rusqlite::{Connection, ToSql, params};
use trac_core::time::Timestamp;

use crate::store::{Scope, StoreError, Vault, mode_of};
use crate::webhook::stripe_key::{self, StripeKey};

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

    /// Asks nothing more with this key, and shows why.
    pub(super) fn refuse(&self, tx: &Connection, why: &str) -> Result<(), StoreError> {
        self.note(tx, "stripe_api_key_problem", &why)
    }

    /// Asks nothing with this key for a while.
    pub(super) fn rest(&self, tx: &Connection, until: Timestamp) -> Result<(), StoreError> {
        self.note(tx, "stripe_api_rests_until", &until.unix_secs())
    }

    /// Writes a column of the endpoint. The column is named here, never by anybody outside.
    fn note(&self, tx: &Connection, column: &'static str, value: &dyn ToSql) -> Result<(), StoreError> {
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
