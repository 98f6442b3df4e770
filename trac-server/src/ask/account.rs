//! The Stripe accounts that the server can send requests to, each with the restricted key of one of its
//! endpoints.

use std::collections::BTreeSet;

use trac_core::time::Timestamp;

use crate::store::rows::{Arg, Rows, ToArg as _};
use crate::store::{Everywhere, Scope, StoreError, Vault, mode_of};
use crate::webhook::stripe_key::{self, StripeKey};

/// A Stripe account of a workspace and mode, and the endpoint whose key is used.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) scope: Scope,
    pub(super) endpoint_id: String,
    /// `acct_…` if it is a connected account.
    pub(super) connected: Option<String>,
    pub(super) key: StripeKey,
}

impl Account {
    /// Every account to which requests can be sent now. Of its endpoints, the first with a key that Stripe
    /// has not rejected is used; an account whose endpoint is paused is left out.
    pub(super) fn all(tx: Everywhere<'_>, vault: &Vault, now: Timestamp) -> Result<Vec<Self>, StoreError> {
        let sql = "SELECT id, workspace_id, mode, stripe_account, stripe_api_key, \
                   coalesce(stripe_api_rests_until, 0) FROM webhook_endpoint \
                   WHERE stripe_api_key IS NOT NULL AND stripe_api_key_problem IS NULL ORDER BY id";
        let endpoints = tx.all(sql, &[], |row| {
            let (workspace_id, mode): (String, String) = (row.get(1)?, row.get(2)?);
            let scope = Scope::new(&workspace_id, mode_of(&mode));
            let (id, account): (String, Option<String>) = (row.get(0)?, row.get(3)?);
            Ok((id, scope, account, row.get::<String>(4)?, row.get::<i64>(5)?))
        })?;
        let (mut accounts, mut seen) = (Vec::new(), BTreeSet::new());
        for (endpoint_id, scope, connected, sealed, paused_until) in endpoints {
            let identity = (scope.workspace_id().to_owned(), scope.mode_str(), connected.clone());
            if !seen.insert(identity) || paused_until > now.unix_secs() {
                continue;
            }
            match stripe_key::open(vault, &scope, &endpoint_id, &sealed) {
                Ok(key) => accounts.push(Self { scope, endpoint_id, connected, key }),
                Err(error) => {
                    tracing::error!(%error, endpoint = endpoint_id, "the stripe_api_key cannot be opened");
                }
            }
        }
        Ok(accounts)
    }

    /// Stops using this key, and stores why.
    pub(super) fn disable_key(&self, rows: Rows<'_>, why: &str) -> Result<(), StoreError> {
        self.set_column(rows, "stripe_api_key_problem", why.to_arg())
    }

    /// Pauses the use of this key.
    pub(super) fn pause(&self, rows: Rows<'_>, until: Timestamp) -> Result<(), StoreError> {
        self.set_column(rows, "stripe_api_rests_until", until.to_arg())
    }

    /// Writes a column of the endpoint. The column's name is always a constant of this file.
    fn set_column(&self, rows: Rows<'_>, column: &'static str, value: Arg<'_>) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE webhook_endpoint SET {column} = ?4 WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3"
        );
        rows.write(&sql, &[self.endpoint_id.to_arg(), value])?;
        Ok(())
    }
}
