//! Who came before, told without keeping who: a hash of address and browser under a salt that is thrown away daily.

use std::net::IpAddr;

use rusqlite::{Connection, params};
use sha2::{Digest as _, Sha256};
use trac_core::time::{DAY_SECS, Timestamp};

use crate::id::random_hex;
use crate::store::{Scope, StoreError, set_setting, setting};

const SALT: &str = "visitor_salt";

/// What a visitor shows of itself. Never kept.
pub(super) struct Trail(Sha256);

impl Trail {
    /// `None` where the address is not known: a browser alone names nobody.
    pub(super) fn new(address: Option<IpAddr>, agent: Option<&str>) -> Option<Self> {
        let mut hash = Sha256::new();
        hash.update(address?.to_string());
        hash.update([0]);
        hash.update(agent.unwrap_or_default());
        Some(Self(hash))
    }

    /// The visitor's mark on a link, the same all day and never again.
    pub(super) fn hash(
        mut self,
        connection: &Connection,
        link_id: &str,
        now: Timestamp,
    ) -> Result<[u8; 16], StoreError> {
        self.0.update([0]);
        self.0.update(link_id);
        self.0.update([0]);
        self.0.update(salt(connection, now)?);
        let digest: [u8; 32] = self.0.finalize().into();
        digest.first_chunk().copied().ok_or_else(|| StoreError::internal("a digest is too short"))
    }
}

/// The salt of the day. A new one takes the place of yesterday's, which nobody can then repeat.
fn salt(connection: &Connection, now: Timestamp) -> Result<String, StoreError> {
    let day = now.unix_secs().div_euclid(DAY_SECS);
    let prefix = format!("{day}:");
    match setting(connection, SALT)? {
        Some(salt) if salt.starts_with(&prefix) => Ok(salt),
        _ => {
            let salt = format!("{prefix}{}", random_hex::<16>());
            set_setting(connection, SALT, &salt)?;
            Ok(salt)
        }
    }
}

/// Whether a click of this mark is there already.
pub(super) fn was_here(
    connection: &Connection,
    scope: &Scope,
    visitor: &[u8; 16],
) -> Result<bool, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT 1 FROM click WHERE workspace_id = ?1 AND mode = ?2 AND visitor = ?3 LIMIT 1",
    )?;
    Ok(statement.exists(params![scope.workspace_id(), scope.mode_str(), visitor.as_slice()])?)
}
