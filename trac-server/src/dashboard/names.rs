//! The names of partners, programs and links, which rows of the API refer to by ID.

use std::collections::{BTreeMap, BTreeSet};

use super::api::encoded;
use crate::store::rows::{Arg, Rows, ToArg as _, places};
use crate::store::{Scope, StoreError};
use crate::trac::Trac;
use crate::web::Cell;

/// Names by ID.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(BTreeMap<String, String>);

/// What IDs of each prefix name: the table, the column with the name, and the path of the page.
const NAMED: [(&str, &str, &str, &str); 3] = [
    ("part_", "partner", "name", "partners"),
    ("prog_", "program", "name", "programs"),
    ("link_", "link", "slug", "links"),
];

impl Names {
    /// Reads the names of these IDs. IDs of other kinds are left out.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn of(trac: &Trac, scope: &Scope, ids: BTreeSet<String>) -> Result<Self, StoreError> {
        if ids.is_empty() {
            return Ok(Self::default());
        }
        let scope = scope.clone();
        trac.store.read(move |tx| Self::read(tx.within(&scope), &ids)).await
    }

    fn read(rows: Rows<'_>, ids: &BTreeSet<String>) -> Result<Self, StoreError> {
        let mut names = BTreeMap::new();
        for (prefix, table, column, _) in NAMED {
            let ids: Vec<Arg<'_>> =
                ids.iter().filter(|id| id.starts_with(prefix)).map(|id| id.to_arg()).collect();
            if ids.is_empty() {
                continue;
            }
            let sql = format!(
                "SELECT id, {column} FROM {table} WHERE workspace_id = ?1 AND mode = ?2 AND id IN ({})",
                places(3, ids.len())
            );
            let found = rows.all(&sql, &ids, |row| Ok((row.get::<String>(0)?, row.get::<String>(1)?)))?;
            names.extend(found);
        }
        Ok(Self(names))
    }

    /// The name of an ID; the ID itself if it has none.
    pub(super) fn name<'a>(&'a self, id: &'a str) -> &'a str {
        self.0.get(id).map_or(id, String::as_str)
    }

    /// The cell with a name, which leads to the page of its object.
    pub(super) fn cell(&self, id: &str) -> Cell {
        if id.is_empty() {
            return Cell::Nothing;
        }
        let page = NAMED.iter().find(|(prefix, ..)| id.starts_with(prefix)).map(|(.., path)| *path);
        match page {
            Some(path) => Cell::link(self.name(id), &format!("{path}/{}", encoded(id))),
            None => Cell::Id(id.to_owned()),
        }
    }
}

/// The pages of objects, by the prefix of their IDs. A page may take Stripe's IDs, too. Not every payment is a
/// conversion; the story shows both.
const PAGES: [(&str, &str); 16] = [
    ("part_", "partners/"),
    ("prog_", "programs/"),
    ("link_", "links/"),
    ("com_", "commissions/"),
    ("pay_", "why?id="),
    ("lead_", "leads/"),
    ("rep_", "why?id="),
    ("po_", "payouts/"),
    ("evl_", "webhooks/"),
    ("enr_", "applications/"),
    ("key_", "keys/"),
    ("att_", "attributions/"),
    ("cus_", "customers/"),
    ("act_", "activity/"),
    ("we_", "endpoints/"),
    ("mail_", "mails/"),
];

/// The cell with an ID of any kind: it leads to the page of its object, else to its story.
pub(super) fn subject(id: &str) -> Cell {
    if id.is_empty() {
        return Cell::Nothing;
    }
    match PAGES.iter().find(|(prefix, _)| id.starts_with(prefix)) {
        Some((_, page)) => Cell::link(id, &format!("{page}{}", encoded(id))),
        None => Cell::Id(id.to_owned()),
    }
}
