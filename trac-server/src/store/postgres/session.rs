//! A connection with its prepared statements.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use postgres::types::Type;
use postgres::{Client, Statement};

use super::address::Address;
use super::sql::numbered;
use crate::store::StoreError;

/// How many prepared statements a connection keeps.
const PREPARED_MAX: usize = 1_000;

/// A connection with its prepared statements.
pub(super) struct Session {
    pub(super) client: Client,
    prepared: HashMap<String, Statement>,
    /// How many statements were sent, without those that only prepare.
    pub(super) sent: u64,
    /// Whether a statement failed for a reason that no caller caused.
    pub(super) is_suspect: bool,
    used_at: Instant,
}

/// A connection that was not used for so long is asked whether it is still there.
const IDLE: Duration = Duration::from_secs(1);

impl Session {
    /// Connects.
    pub(super) fn open(address: &Address) -> Result<Self, StoreError> {
        let connected = address.config.connect(address.tls.connector());
        let client = connected.map_err(|error| StoreError::from(error).of(&address.name()))?;
        Ok(Self { client, prepared: HashMap::new(), sent: 0, is_suspect: false, used_at: Instant::now() })
    }

    /// Whether the connection can be used for another job. A connection that the server has closed, or on which a
    /// statement failed for a reason that no caller caused, is replaced: its prepared statements may be of an older schema.
    pub(super) fn is_usable(&mut self) -> bool {
        // The end of a connection is noticed only when something is sent.
        let is_answered = self.used_at.elapsed() < IDLE || self.client.check_connection().is_ok();
        self.used_at = Instant::now();
        is_answered && !self.is_suspect && !self.client.is_closed()
    }

    /// Counts a round trip.
    pub(super) const fn count(&mut self) {
        self.sent = self.sent.saturating_add(1);
    }
}

/// The statement in its prepared form.
pub(super) fn prepared(
    session: &mut Session,
    sql: &str,
    types: &[Type],
) -> Result<Statement, postgres::Error> {
    if let Some(known) = session.prepared.get(sql) {
        return Ok(known.clone());
    }
    let new = session.client.prepare_typed(&numbered(sql), types)?;
    if session.prepared.len() >= PREPARED_MAX {
        session.prepared.clear();
    }
    session.prepared.insert(sql.to_owned(), new.clone());
    Ok(new)
}
