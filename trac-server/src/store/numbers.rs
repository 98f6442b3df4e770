//! The numbers by which clicks name their scope, program, partner and link.

use std::collections::HashMap;
use std::sync::Arc;

use super::rows::{Everywhere, args};
use super::{Scope, StoreError};

/// The numbers of one transaction. New ones are assigned as they are needed.
pub(super) struct Numbers<'a> {
    tx: Everywhere<'a>,
    names: HashMap<Arc<str>, i64>,
    scopes: HashMap<Scope, i64>,
}

impl<'a> Numbers<'a> {
    pub(super) fn new(tx: Everywhere<'a>) -> Self {
        Self { tx, names: HashMap::new(), scopes: HashMap::new() }
    }

    /// The number of an ID.
    pub(super) fn of(&mut self, id: &Arc<str>) -> Result<i64, StoreError> {
        if let Some(number) = self.names.get(id) {
            return Ok(*number);
        }
        let find = || self.tx.one("SELECT no FROM name WHERE id = ?1", args![id], |row| row.get(0));
        let number = if let Some(number) = find()? {
            number
        } else {
            // Another node may assign it at the same time.
            self.tx.write("INSERT INTO name (id) VALUES (?1) ON CONFLICT (id) DO NOTHING", args![id])?;
            assigned(find()?)?
        };
        self.names.insert(Arc::clone(id), number);
        Ok(number)
    }

    /// The number of a scope.
    pub(super) fn of_scope(&mut self, scope: &Scope) -> Result<i64, StoreError> {
        if let Some(number) = self.scopes.get(scope) {
            return Ok(*number);
        }
        let rows = self.tx.within(scope);
        rows.write("INSERT INTO scope (workspace_id, mode) VALUES (?1, ?2) ON CONFLICT DO NOTHING", &[])?;
        let find = "SELECT no FROM scope WHERE workspace_id = ?1 AND mode = ?2";
        let number = assigned(rows.one(find, &[], |row| row.get(0))?)?;
        self.scopes.insert(scope.clone(), number);
        Ok(number)
    }
}

fn assigned(number: Option<i64>) -> Result<i64, StoreError> {
    number.ok_or_else(|| StoreError::internal("no number was assigned"))
}
