//! The schema and its migrations: numbered SQL files, each applied once, in order.

use rusqlite::{Connection, TransactionBehavior};

use crate::store::error::{StoreError, StoreErrorKind};

/// `trac` in ASCII, stored as `application_id`, so that another program's database is rejected.
pub(super) const APPLICATION_ID: i32 = 0x7472_6163;
/// Migration `n` brings `user_version` from `n - 1` to `n`. New ones are only appended. The resulting schema is
/// in the snapshot of this module's tests.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_leads.sql"),
    include_str!("migrations/0003_reports.sql"),
    include_str!("migrations/0004_keys.sql"),
    include_str!("migrations/0005_idempotency.sql"),
    include_str!("migrations/0006_statistics.sql"),
    include_str!("migrations/0007_links.sql"),
    include_str!("migrations/0008_questions.sql"),
    include_str!("migrations/0009_refusals.sql"),
    include_str!("migrations/0010_promotions.sql"),
    include_str!("migrations/0011_clicks.sql"),
    include_str!("migrations/0012_standing.sql"),
    include_str!("migrations/0013_visitors.sql"),
    include_str!("migrations/0014_trust.sql"),
    include_str!("migrations/0015_customer_tokens.sql"),
    include_str!("migrations/0016_addresses.sql"),
    include_str!("migrations/0017_sessions.sql"),
    include_str!("migrations/0018_claims.sql"),
    include_str!("migrations/0019_partners.sql"),
    include_str!("migrations/0020_lines.sql"),
    include_str!("migrations/0021_columns.sql"),
    include_str!("migrations/0022_claims_by_click.sql"),
    include_str!("migrations/0023_indexes.sql"),
    include_str!("migrations/0024_counts.sql"),
    include_str!("migrations/0025_balances.sql"),
    include_str!("migrations/0026_clicks.sql"),
    include_str!("migrations/0027_sales_by_day.sql"),
    include_str!("migrations/0028_people.sql"),
    include_str!("migrations/0029_payments.sql"),
    include_str!("migrations/0030_facets.sql"),
    include_str!("migrations/0031_retention.sql"),
    include_str!("migrations/0032_commission_state.sql"),
    include_str!("migrations/0033_sales_by_key.sql"),
    include_str!("migrations/0034_spans.sql"),
    include_str!("migrations/0035_nodes.sql"),
    include_str!("migrations/0036_accounts.sql"),
    include_str!("migrations/0037_mails.sql"),
];

/// Whether an older version made the database, so that [`migrate`] would change its schema.
pub(super) fn is_older(connection: &Connection) -> Result<bool, StoreError> {
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(usize::try_from(version).is_ok_and(|version| (1..MIGRATIONS.len()).contains(&version)))
}

/// Makes an empty database one of this version of the schema.
pub(super) fn to_version(connection: &Connection, version: u32) -> Result<(), StoreError> {
    let steps = usize::try_from(version).ok().and_then(|version| MIGRATIONS.get(..version));
    let steps = steps.ok_or_else(|| StoreError::internal(format!("there is no schema {version}")))?;
    for step in steps {
        connection.execute_batch(step)?;
    }
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", version)?;
    Ok(())
}

/// Applies the missing migrations in order, in one transaction.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: u32 = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let owner: i32 = tx.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = tx.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if (tables > 0 || version > 0) && owner != APPLICATION_ID {
        let detail = "this is a database of another program";
        return Err(StoreError::new(StoreErrorKind::Corrupt, detail));
    }
    let Some(steps) = usize::try_from(version).ok().and_then(|done| MIGRATIONS.get(done..)) else {
        let detail = format!("its schema ({version}) is newer than this program's ({})", MIGRATIONS.len());
        return Err(StoreError::new(StoreErrorKind::Corrupt, detail));
    };
    for step in steps {
        tx.execute_batch(step)?;
    }
    if !steps.is_empty() {
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        let newest = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
        tx.pragma_update(None, "user_version", newest)?;
    }
    Ok(tx.commit()?)
}

#[cfg(test)]
mod tests {
    use super::super::sum;
    use super::*;
    use crate::store::Everywhere;

    fn empty() -> Connection {
        let store = Connection::open_in_memory().unwrap();
        sum::register(&store).unwrap();
        store
    }

    /// A store of the last version before the migration that contains this text.
    fn older(migration: &str) -> Connection {
        let store = empty();
        let before = MIGRATIONS.iter().position(|step| step.contains(migration)).unwrap();
        to_version(&store, u32::try_from(before).unwrap()).unwrap();
        store
    }

    #[test]
    fn clicks_of_an_older_store_are_kept_and_found_by_their_ids() {
        let mut store = older("click_by_id");
        let old = "INSERT INTO click (workspace_id, mode, id, program_id, partner_id, link_id, clicked_at, is_unique, visitor, \
                   landing_url) VALUES \
                   ('ws_1', 'test', 'clk_again', 'prog_1', 'part_1', NULL, 345601, 0, NULL, 'https://shop.example/'), \
                   ('ws_1', 'test', 'clk_today', 'prog_1', 'part_1', 'link_1', 345600, 1, x'04', NULL), \
                   ('ws_1', 'test', 'clk_yesterday', 'prog_1', 'part_1', NULL, 345599, 1, x'03', NULL), \
                   ('ws_1', 'test', 'clk_before', 'prog_1', 'part_1', NULL, 259199, 1, x'02', NULL), \
                   ('ws_1', 'test', 'clk_of_link', 'prog_1', 'part_1', 'link_1', 3, 0, NULL, NULL), \
                   ('ws_1', 'test', 'clk_by_hand', 'prog_1', 'part_1', NULL, 2, 1, NULL, NULL), \
                   ('ws_1', 'test', 'clk_of_code', 'prog_1', 'part_1', NULL, 1, 0, NULL, NULL)";
        store.execute_batch(old).unwrap();
        migrate(&mut store).unwrap();
        let text = |sql: &str| store.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
        let clicks = "SELECT group_concat(id || ' ' || is_unique || is_visit) FROM (SELECT * FROM click_record ORDER BY rowid)";
        let want = "clk_of_code 00,clk_by_hand 11,clk_of_link 01,clk_before 11,clk_yesterday 11,clk_today 11,clk_again 01";
        assert_eq!(text(clicks), want);
        assert_eq!(text("SELECT group_concat(day || ' ' || hex(mark)) FROM visitor"), "3 03,4 04");
    }

    #[test]
    fn links_of_an_older_store_keep_their_slugs_and_leave_them_free_in_the_other_mode() {
        let mut store = older("purged_at");
        let link = |mode: &str, id: &str| {
            format!(
                "INSERT INTO link (workspace_id, mode, id, program_id, partner_id, slug, destination, created_at) \
                 VALUES ('ws_1', '{mode}', '{id}', 'prog_1', 'part_1', 'ada', 'https://shop.example/', 1)"
            )
        };
        store.execute_batch(&link("test", "link_1")).unwrap();
        assert!(store.execute_batch(&link("live", "link_2")).is_err());
        migrate(&mut store).unwrap();
        store.execute_batch(&link("live", "link_2")).unwrap();
        assert!(store.execute_batch(&link("live", "link_3")).is_err());
        let sql = "SELECT group_concat(id || ' ' || mode || ' ' || coalesce(purged_at, deleted_at, 'active')) FROM link";
        let links: String = store.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(links, "link_2 live active,link_1 test active");
    }

    #[test]
    fn claims_of_an_older_store_are_all_kept() {
        let mut store = older("report_by_click");
        let facts = r#"{"reports":{"rep_1":{"click":"clk_1"},"rep_2":{"click":"clk_1"},"rep_3":{}}}"#;
        let old = format!(
            "INSERT INTO payment (workspace_id, mode, id, facts, is_conversion, created_at) VALUES ('ws', 'test', 'pay_1', '{facts}', 1, 1); \
             INSERT INTO payment_object VALUES ('ws', 'test', 'transaction:order 1', 'pay_1'); \
             INSERT INTO report (workspace_id, mode, id, transaction_id, by_merchant, conversion_id, created_at, partner_id) VALUES \
             ('ws', 'test', 'rep_1', 'transaction:order 1', 0, 'pay_1', 1, ''), \
             ('ws', 'test', 'rep_2', 'transaction:order 1', 0, 'pay_1', 2, 'part_1'), \
             ('ws', 'test', 'rep_3', 'transaction:order 1', 1, 'pay_1', 3, '')"
        );
        store.execute_batch(&old).unwrap();
        migrate(&mut store).unwrap();
        let sql = "SELECT group_concat(id || ' ' || claimed_click) FROM (SELECT * FROM report ORDER BY id)";
        let reports: String = store.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(reports, "rep_1 clk_1,rep_2 rep_2,rep_3 ");
    }

    #[test]
    fn sales_of_an_older_store_are_counted_by_their_program_partner_and_link() {
        let mut store = older("commission_new");
        let payment = |id: &str, day: i64, link: &str, gross: i64| {
            format!(
                "INSERT INTO payment (workspace_id, mode, id, facts, is_conversion, created_at, reason, click_id, currency, gross_minor, \
                 happened_at, program_id, partner_id, link_id) VALUES ('ws', 'live', '{id}', '{{}}', 1, 1, 'ok', 'clk', 'usd', {gross}, \
                 {day} * 86400, 'prog_1', 'part_1', {link});"
            )
        };
        let commission = |id: &str, amount: i64, reversed: i64, held: i64, is_paid: i64| {
            format!(
                "INSERT INTO commission (workspace_id, mode, id, payment_id, program_id, partner_id, enrollment_id, click_id, \
                 program_version, enrollment_version, source, currency, base_minor, amount_minor, reversed_minor, reason, matures_at, \
                 payment_time, held, closed, stripe, created_at, is_paid) VALUES ('ws', 'live', '{id}', 'pay_1', 'prog_1', 'part_1', \
                 'enr_1', 'clk', 1, 1, 'sale', 'usd', 1, {amount}, {reversed}, 'ok', 1, 86400, {held}, 0, '{{}}', 1, {is_paid});"
            )
        };
        let old = [
            payment("pay_1", 1, "'link_1'", 500),
            payment("pay_2", 1, "NULL", 70),
            payment("pay_3", 2, "'link_1'", 9),
            commission("com_1", 50, 0, 0, 0),
            commission("com_2", 7, 7, 0, 0),
            commission("com_3", 7, 0, 1, 0),
            commission("com_4", 7, 7, 1, 1),
        ];
        store.execute_batch(&old.concat()).unwrap();
        migrate(&mut store).unwrap();
        let text = |sql: &str| store.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
        let states = "SELECT group_concat(id || ' ' || state) FROM (SELECT * FROM commission ORDER BY id)";
        assert_eq!(text(states), "com_1 open,com_2 reversed,com_3 held,com_4 paid");
        let sales = "SELECT group_concat(key || ' ' || day || ' ' || sales || ' ' || revenue_minor || ' ' || commission_minor) FROM (\
                     SELECT coalesce(n.id, 'all') AS key, d.* FROM sale_day AS d LEFT JOIN name AS n ON n.no = d.key ORDER BY 1, d.day)";
        let each = ["all", "link_1", "part_1", "prog_1", "prog_1/part_1"].map(|key| match key {
            "link_1" => format!("{key} 1 1 500 0,{key} 2 1 9 0"),
            _ => format!("{key} 1 2 570 57,{key} 2 1 9 0"),
        });
        assert_eq!(text(sales), each.join(","));
        let found = crate::store::derived::differences(Everywhere::of(&store)).unwrap();
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn the_schema_is_this() {
        let mut store = empty();
        migrate(&mut store).unwrap();
        let mut schema = store
            .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY tbl_name, type = 'table' DESC, name")
            .unwrap();
        let schema: Vec<String> =
            schema.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        insta::assert_snapshot!(schema.join(";\n\n"));
    }
}
