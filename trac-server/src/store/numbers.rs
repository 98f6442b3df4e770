//! The numbers by which clicks name their scope, program, partner and link.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, params};

use super::{Scope, StoreError};

/// The numbers of one transaction. New ones are assigned as they are needed.
pub(super) struct Numbers<'a> {
    tx: &'a Connection,
    find: CachedStatement<'a>,
    names: HashMap<Arc<str>, i64>,
    scopes: HashMap<Scope, i64>,
}

impl<'a> Numbers<'a> {
    pub(super) fn new(tx: &'a Connection) -> Result<Self, StoreError> {
        let find = tx.prepare_cached("SELECT no FROM name WHERE id = ?1")?;
        Ok(Self { tx, find, names: HashMap::new(), scopes: HashMap::new() })
    }

    /// The number of an ID.
    pub(super) fn of(&mut self, id: &Arc<str>) -> Result<i64, StoreError> {
        if let Some(number) = self.names.get(id) {
            return Ok(*number);
        }
        let found = self.find.query([&**id])?.next()?.map(|row| row.get(0)).transpose()?;
        let number = match found {
            Some(number) => number,
            None => self.tx.prepare_cached("INSERT INTO name (id) VALUES (?1)")?.insert([&**id])?,
        };
        self.names.insert(Arc::clone(id), number);
        Ok(number)
    }

    /// The number of a scope.
    pub(super) fn of_scope(&mut self, scope: &Scope) -> Result<i64, StoreError> {
        if let Some(number) = self.scopes.get(scope) {
            return Ok(*number);
        }
        let named = params![scope.workspace_id(), scope.mode_str()];
        let insert = "INSERT INTO scope (workspace_id, mode) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        self.tx.prepare_cached(insert)?.execute(named)?;
        let find = "SELECT no FROM scope WHERE workspace_id = ?1 AND mode = ?2";
        let number = self.tx.prepare_cached(find)?.query_row(named, |row| row.get(0))?;
        self.scopes.insert(scope.clone(), number);
        Ok(number)
    }
}
