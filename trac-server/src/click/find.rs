//! Finds the link that a public address names, in whatever workspace.

use crate::store::click::Condition;
use crate::store::rows::{Row, Rows, args};
use crate::store::{Everywhere, Scope, StoreError, mode_of};
use crate::trac::known_links::{KnownLink, LinkName};

/// What is read of a link. One that was purged leads where its workspace says, or nowhere, and counts nobody.
macro_rules! columns {
    () => {
        "l.workspace_id, l.mode, l.id, l.program_id, l.partner_id, CASE WHEN l.purged_at IS NULL THEN l.destination \
         ELSE (SELECT fallback_url FROM workspace AS w WHERE w.id = l.workspace_id) END, \
         l.archived_at IS NOT NULL OR l.purged_at IS NOT NULL"
    };
}

/// The live link of a slug, or else that of test mode; the slug as it is written, or else one that differs in case alone.
const BY_SLUG: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM link AS l WHERE lower(l.slug) = lower(?1) AND l.deleted_at IS NULL AND (NOT ?2 OR l.mode = 'test') \
      ORDER BY l.mode = 'live' DESC, l.slug = ?1 DESC, l.id DESC LIMIT 1"
);

/// The newest link of a partner, named by its code, in a program, named by its ID or slug. One that is not archived goes first.
/// The ID comes before the slug: whoever calls a program by another one's ID is not led to by that one's links.
/// Whether the partner is approved is judged at the payment, as with every link. CROSS JOIN keeps SQLite to the order in
/// which each table is found by an index.
const BY_CODE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM program AS g \
    CROSS JOIN partner AS p ON p.workspace_id = g.workspace_id AND p.mode = g.mode AND lower(p.code) = lower(?2) \
    CROSS JOIN enrollment AS e ON e.workspace_id = g.workspace_id AND e.mode = g.mode AND e.program_id = g.id \
    AND e.partner_id = p.id \
    CROSS JOIN link AS l ON l.workspace_id = g.workspace_id AND l.mode = g.mode \
    AND l.partner_id = p.id AND l.program_id = g.id AND l.deleted_at IS NULL AND l.purged_at IS NULL \
    WHERE g.id = coalesce((SELECT id FROM program WHERE id = ?1 LIMIT 1), (SELECT id FROM program \
    WHERE lower(slug) = lower(?1) AND (NOT ?3 OR mode = 'test') ORDER BY mode = 'live' DESC LIMIT 1)) \
    AND (NOT ?3 OR g.mode = 'test') ORDER BY p.code = ?2 DESC, l.archived_at IS NULL DESC, l.id DESC LIMIT 1"
);

/// The link of a name.
pub(super) fn find(tx: Everywhere<'_>, name: &LinkName) -> Result<Option<KnownLink>, StoreError> {
    let (in_test, named) = match name {
        LinkName::Test(named) => (true, &**named),
        named => (false, named),
    };
    let found = match named {
        LinkName::Slug(slug) => tx.one(BY_SLUG, args![slug, in_test], |row| read(row, name))?,
        LinkName::Code { program, code } => {
            tx.one(BY_CODE, args![program, code, in_test], |row| read(row, name))?
        }
        LinkName::Test(_) => return Ok(None),
    };
    Ok(found.flatten())
}

/// A click is kept if its link is as it was remembered.
impl Condition for KnownLink {
    fn holds(&self, tx: Everywhere<'_>) -> Result<bool, StoreError> {
        Ok(find(tx, &self.name)?.is_some_and(|said| said == *self))
    }
}

/// The link; none where it leads nowhere.
fn read(row: &Row<'_>, name: &LinkName) -> Result<Option<KnownLink>, StoreError> {
    let Some(destination) = row.get::<Option<String>>(5)? else { return Ok(None) };
    Ok(Some(KnownLink {
        name: name.clone(),
        scope: Scope::new(&row.get::<String>(0)?, mode_of(&row.get::<String>(1)?)),
        id: row.get(2)?,
        program_id: row.get(3)?,
        partner_id: row.get(4)?,
        destination: destination.into(),
        is_archived: row.get(6)?,
    }))
}

/// Whether a click ID is that of a click.
pub(crate) fn is_known(rows: Rows<'_>, click_id: &str) -> Result<bool, StoreError> {
    rows.exists("SELECT 1 FROM click WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3", args![click_id])
}

/// The newest links, by their slugs, so that their visitors find them where the store cannot be read. Those of test mode that give
/// way to a live one are not among them.
pub(super) fn newest(tx: Everywhere<'_>, limit: usize) -> Result<Vec<KnownLink>, StoreError> {
    let sql = concat!(
        "SELECT ",
        columns!(),
        ", l.slug FROM link AS l WHERE l.deleted_at IS NULL AND (l.mode = 'live' OR NOT EXISTS (SELECT 1 FROM link AS o \
         WHERE lower(o.slug) = lower(l.slug) AND o.deleted_at IS NULL AND o.mode = 'live')) ORDER BY l.id DESC LIMIT ?1"
    );
    let mut links = Vec::new();
    tx.each(sql, args![i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
        links.extend(read(row, &LinkName::Slug(row.get(7)?))?);
        Ok(())
    })?;
    Ok(links)
}
