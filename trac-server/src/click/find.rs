//! Finds the link of a public address, in all workspaces.

use crate::store::click::Condition;
use crate::store::rows::{Row, Rows, args};
use crate::store::{Everywhere, Scope, StoreError, mode_of};
use crate::trac::known_links::{KnownLink, LinkName};

/// The columns of a link. A purged link leads to its workspace's `fallback_url`, or nowhere if there is none,
/// and its visits are not counted.
macro_rules! columns {
    () => {
        "l.workspace_id, l.mode, l.id, l.program_id, l.partner_id, CASE WHEN l.purged_at IS NULL THEN l.destination \
         ELSE (SELECT fallback_url FROM workspace AS w WHERE w.id = l.workspace_id) END, \
         l.archived_at IS NOT NULL OR l.purged_at IS NOT NULL"
    };
}

/// The link of a slug: a live link before one of test mode, and the exact slug before one that differs only
/// in case.
const BY_SLUG: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM link AS l WHERE lower(l.slug) = lower(?1) AND l.deleted_at IS NULL AND (NOT ?2 OR l.mode = 'test') \
      ORDER BY l.mode = 'live' DESC, l.slug = ?1 DESC, l.id DESC LIMIT 1"
);

/// The newest link of a partner (by its code) in a program (by its ID or slug); links that are not archived
/// go first. An ID wins over a slug: a program whose slug is another program's ID receives none of that
/// program's visitors. Whether the partner is approved is decided at the payment, as with every link.
const BY_CODE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM (SELECT workspace_id, mode, id FROM program WHERE id = coalesce((SELECT id FROM program WHERE id = ?1 LIMIT 1), \
    (SELECT id FROM program WHERE slug IS NOT NULL AND lower(slug) = lower(?1) AND (NOT ?3 OR mode = 'test') \
    ORDER BY mode = 'live' DESC LIMIT 1)) AND (NOT ?3 OR mode = 'test') LIMIT 1) AS g \
    JOIN partner AS p ON p.workspace_id = g.workspace_id AND p.mode = g.mode AND lower(p.code) = lower(?2) \
    JOIN enrollment AS e ON e.workspace_id = g.workspace_id AND e.mode = g.mode AND e.program_id = g.id \
    AND e.partner_id = p.id \
    JOIN link AS l ON l.workspace_id = g.workspace_id AND l.mode = g.mode \
    AND l.partner_id = p.id AND l.program_id = g.id AND l.deleted_at IS NULL AND l.purged_at IS NULL \
    ORDER BY p.code = ?2 DESC, l.archived_at IS NULL DESC, l.id DESC LIMIT 1"
);

/// The link that a name refers to.
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

/// A click is stored only if the stored link equals the remembered one.
impl Condition for KnownLink {
    fn holds(&self, tx: Everywhere<'_>) -> Result<bool, StoreError> {
        Ok(find(tx, &self.name)?.is_some_and(|stored| stored == *self))
    }
}

/// Reads a row; `None` for a link that leads nowhere.
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

/// Whether there is a click with this ID.
pub(crate) fn is_known(rows: Rows<'_>, click_id: &str) -> Result<bool, StoreError> {
    rows.exists("SELECT 1 FROM click WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3", args![click_id])
}

/// The newest links, by slug, so that their visitors can be redirected while the store cannot be read. A link
/// of test mode is left out if a live link has the same slug.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::app::App;

    #[tokio::test]
    async fn an_index_finds_the_link_of_every_address() {
        let app = App::on_a_file();
        for sql in [BY_SLUG, BY_CODE] {
            let plan = app.trac.store.read(move |tx| {
                let explain = format!("EXPLAIN QUERY PLAN {sql}");
                let step = |row: &Row<'_>| row.get::<String>(3);
                if sql == BY_SLUG {
                    return tx.all(&explain, args!["ada", false], step);
                }
                tx.all(&explain, args!["friends", "ada", false], step)
            });
            let plan = plan.await.unwrap();
            // `g` is the one program.
            assert!(plan.iter().all(|step| !step.starts_with("SCAN") || step == "SCAN g"), "{plan:#?}");
        }
    }
}
