//! The tables whose rows follow from others: counts, balances, sums by day, customers. Triggers keep them, or the
//! transaction that writes what they follow from. Here each is derived anew, to compare it and to mend it.

use super::rows::{Cell, Engine, Everywhere};
use super::{StoreError, schema, sqlite};

/// A table whose rows follow from other tables.
struct Derived {
    table: &'static str,
    /// The statement that derives its rows, with its columns in the order of the schema.
    from: &'static str,
    /// The condition for rows that mean something: a count of zero is as good as no row.
    counts: &'static str,
    /// Columns that are not compared, because their rows do not show them.
    unknown: &'static [&'static str],
    /// The derived table that its rows follow from, if any.
    of: Option<&'static str>,
}

const fn derived(table: &'static str, counts: &'static str, from: &'static str) -> Derived {
    Derived { table, from, counts, unknown: &[], of: None }
}

static TABLES: [Derived; 13] = [
    derived(
        "event_count",
        "rows <> 0",
        "SELECT workspace_id, mode, last_outcome, last_reason, coalesce(type, '') AS type, coalesce(api_version, '') AS api_version, \
         endpoint_id, count(*) AS rows FROM event GROUP BY 1, 2, 3, 4, 5, 6, 7",
    ),
    derived(
        "payment_count",
        "rows <> 0",
        "SELECT workspace_id, mode, coalesce(program_id, '') AS program_id, coalesce(source, '') AS source, coalesce(reason, '') AS reason, \
         coalesce(currency, '') AS currency, is_credited, count(*) AS rows FROM payment WHERE is_conversion GROUP BY 1, 2, 3, 4, 5, 6, 7",
    ),
    derived(
        "commission_count",
        "rows <> 0",
        "SELECT workspace_id, mode, program_id, source, currency, reason, state, count(*) AS rows FROM commission \
         GROUP BY 1, 2, 3, 4, 5, 6, 7",
    ),
    derived(
        "commission_partner_count",
        "rows <> 0",
        "SELECT workspace_id, mode, partner_id, enrollment_id, program_id, source, currency, reason, state, count(*) AS rows \
         FROM commission GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9",
    ),
    derived(
        "attribution_count",
        "rows <> 0",
        "SELECT workspace_id, mode, count(*) AS rows FROM attribution GROUP BY 1, 2",
    ),
    derived(
        "lead_count",
        "rows <> 0",
        "SELECT workspace_id, mode, event_name, coalesce(status, '') AS status, deferred, count(*) AS rows \
         FROM lead GROUP BY 1, 2, 3, 4, 5",
    ),
    Derived {
        // The time when the first of the facts arrived is known only then.
        unknown: &["created_at"],
        ..derived(
            "customer",
            "TRUE",
            "SELECT s.workspace_id, s.mode, s.id, max(s.external_id) AS external_id, max(s.stripe_customer_id) AS stripe_customer_id, \
             coalesce(min(s.at), unixepoch()) AS created_at FROM (\
             SELECT e.workspace_id, e.mode, e.customer_external_id AS id, e.customer_external_id AS external_id, \
             coalesce(p.customer_id, CASE WHEN e.named_by LIKE 'cus\\_%' ESCAPE '\\' THEN e.named_by END) AS stripe_customer_id, \
             p.created_at AS at FROM external_customer AS e LEFT JOIN payment AS p \
             ON p.workspace_id = e.workspace_id AND p.mode = e.mode AND p.id = e.named_by \
             UNION ALL SELECT q.workspace_id, q.mode, q.customer_id, NULL, q.customer_id, q.created_at FROM payment AS q \
             WHERE q.customer_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM external_customer AS e \
             WHERE e.workspace_id = q.workspace_id AND e.mode = q.mode AND e.named_by = q.customer_id) \
             AND NOT EXISTS (SELECT 1 FROM payment AS n JOIN external_customer AS e ON e.workspace_id = n.workspace_id \
             AND e.mode = n.mode AND e.named_by = n.id WHERE n.workspace_id = q.workspace_id AND n.mode = q.mode \
             AND n.customer_id = q.customer_id)) AS s GROUP BY 1, 2, 3",
        )
    },
    derived(
        "customer_count",
        "rows <> 0",
        "SELECT workspace_id, mode, count(*) AS rows FROM customer GROUP BY 1, 2",
    ),
    derived(
        "balance",
        "TRUE",
        "SELECT c.workspace_id, c.mode, c.partner_id, c.currency, \
         sum_minor(CASE WHEN c.state = 'open' THEN sub_minor(c.amount_minor, c.reversed_minor) ELSE 0 END) AS open_minor, \
         sum_minor(CASE WHEN c.state = 'held' AND c.reason <> 'client_reported' THEN sub_minor(c.amount_minor, c.reversed_minor) ELSE 0 END) \
         AS held_minor, \
         sum_minor(CASE WHEN c.state = 'held' AND c.reason = 'client_reported' THEN sub_minor(c.amount_minor, c.reversed_minor) ELSE 0 END) \
         AS claimed_minor, \
         sum_minor(CASE WHEN c.state = 'paid' THEN sub_minor(c.amount_minor, c.reversed_minor) ELSE 0 END) AS of_paid_minor, \
         coalesce((SELECT sum_minor(n.amount_minor) FROM payout AS o JOIN payout_entry AS e ON e.workspace_id = o.workspace_id \
         AND e.mode = o.mode AND e.payout_id = o.id JOIN ledger_entry AS n ON n.workspace_id = e.workspace_id AND n.mode = e.mode \
         AND n.id = e.entry_id WHERE o.workspace_id = c.workspace_id AND o.mode = c.mode AND o.partner_id = c.partner_id \
         AND o.currency = c.currency), 0) AS paid_minor \
         FROM commission AS c GROUP BY 1, 2, 3, 4",
    ),
    derived(
        "click_day",
        "(clicks, unique_clicks, visits, unique_visits) <> (0, 0, 0, 0)",
        "WITH each_link AS (SELECT scope, program, partner, link, ((clicked_at - (clicked_at % 86400 + 86400) % 86400) / 86400) AS day, count(*) AS clicks, \
             sum(CASE WHEN is_unique THEN 1 ELSE 0 END) AS unique_clicks, sum(CASE WHEN is_visit THEN 1 ELSE 0 END) AS visits, \
             sum(CASE WHEN is_unique AND is_visit THEN 1 ELSE 0 END) AS unique_visits \
             FROM click_record GROUP BY 1, 2, 3, 4, 5 \
             UNION ALL SELECT s.no, g.no, a.no, l.no, d.day, 0, 0, d.visits, d.unique_visits FROM deleted_visit AS d \
             JOIN scope AS s ON s.workspace_id = d.workspace_id AND s.mode = d.mode JOIN name AS g ON g.id = d.program_id \
             JOIN name AS a ON a.id = d.partner_id LEFT JOIN name AS l ON l.id = d.link_id), keyed AS (\
             SELECT scope, 0 AS key, day, clicks, unique_clicks, visits, unique_visits FROM each_link \
             UNION ALL SELECT scope, program, day, clicks, unique_clicks, visits, unique_visits FROM each_link \
             UNION ALL SELECT scope, partner, day, clicks, unique_clicks, visits, unique_visits FROM each_link \
             UNION ALL SELECT scope, link, day, clicks, unique_clicks, visits, unique_visits FROM each_link WHERE link IS NOT NULL \
             UNION ALL SELECT scope, b.no, day, clicks, unique_clicks, visits, unique_visits FROM each_link \
             JOIN name AS g ON g.no = program JOIN name AS a ON a.no = partner JOIN name AS b ON b.id = g.id || '/' || a.id) \
             SELECT scope, key, day, sum(clicks) AS clicks, sum(unique_clicks) AS unique_clicks, sum(visits) AS visits, \
             sum(unique_visits) AS unique_visits FROM keyed GROUP BY 1, 2, 3",
    ),
    derived(
        "sale_day",
        "(leads, sales, revenue_minor, commission_minor) <> (0, 0, 0, 0)",
        "WITH each_sale AS (SELECT workspace_id, mode, ((happened_at - (happened_at % 86400 + 86400) % 86400) / 86400) AS day, partner_id, program_id, link_id, \
         coalesce(currency, '') AS currency, CASE WHEN counts_as = 'lead' THEN 1 ELSE 0 END AS leads, CASE WHEN counts_as = 'sale' THEN 1 ELSE 0 END AS sales, \
         CASE WHEN counts_as = 'sale' THEN sub_minor(gross_minor, lost_minor) ELSE 0 END AS revenue_minor, \
         0 AS commission_minor FROM payment WHERE counts_as IS NOT NULL \
         UNION ALL SELECT c.workspace_id, c.mode, ((c.payment_time - (c.payment_time % 86400 + 86400) % 86400) / 86400), c.partner_id, c.program_id, k.link_id, \
         c.currency, 0, 0, 0, sub_minor(c.amount_minor, c.reversed_minor) FROM commission AS c LEFT JOIN click AS k ON k.id = c.click_id \
         AND k.workspace_id = c.workspace_id AND k.mode = c.mode), keyed AS (\
         SELECT workspace_id, mode, day, currency, leads, sales, revenue_minor, commission_minor, 0 AS key FROM each_sale \
         UNION ALL SELECT workspace_id, mode, day, currency, leads, sales, revenue_minor, commission_minor, n.no FROM each_sale \
         JOIN name AS n ON n.id IN (program_id, partner_id, link_id, program_id || '/' || partner_id)) \
         SELECT s.no AS scope, k.key, k.day, k.currency, sum(k.leads) AS leads, sum(k.sales) AS sales, \
         sum_minor(k.revenue_minor) AS revenue_minor, sum_minor(k.commission_minor) AS commission_minor \
         FROM keyed AS k JOIN scope AS s ON s.workspace_id = k.workspace_id AND s.mode = k.mode GROUP BY 1, 2, 3, 4",
    ),
    Derived {
        of: Some("click_day"),
        ..derived(
            "click_span",
            "(visits, unique_visits) <> (0, 0)",
            "SELECT scope, key, ((day - (day % 10 + 10) % 10) / 10) AS span, sum_minor(visits) AS visits, sum_minor(unique_visits) AS unique_visits \
             FROM click_day GROUP BY 1, 2, 3",
        )
    },
    Derived {
        of: Some("sale_day"),
        ..derived(
            "sale_span",
            "(leads, sales, revenue_minor, commission_minor) <> (0, 0, 0, 0)",
            "SELECT scope, key, ((day - (day % 10 + 10) % 10) / 10) AS span, currency, sum_minor(leads) AS leads, sum_minor(sales) AS sales, \
             sum_minor(revenue_minor) AS revenue_minor, sum_minor(commission_minor) AS commission_minor \
             FROM sale_day GROUP BY 1, 2, 3, 4",
        )
    },
];

/// The row up to which clicks are counted.
const POSITION: &str = "click_day_position";

/// The most rows of a table that are listed as wrong, and as missing.
pub(crate) const LISTED: usize = 100;

/// The rows that differ from what they follow from, one text each: at most [`LISTED`] that a table has, and as many that
/// it lacks.
///
/// # Errors
/// The store's.
pub(crate) fn differences(tx: Everywhere<'_>) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    for Derived { table, from, counts, unknown, .. } in &TABLES {
        let columns = schema::columns(tx, table)?;
        let compared: Vec<_> = columns.iter().filter(|column| !unknown.contains(&column.as_str())).collect();
        let names = compared.iter().map(|column| column.as_str()).collect::<Vec<_>>().join(", ");
        let stored = format!("SELECT {names} FROM {table} WHERE {counts}");
        let right = format!("SELECT {names} FROM ({from}) AS derived WHERE {counts}");
        for (what, one, other) in [("has", &stored, &right), ("lacks", &right, &stored)] {
            let sql = format!("SELECT * FROM ({one} EXCEPT {other}) AS difference LIMIT {LISTED}");
            tx.each(&sql, &[], |row| {
                let cells = (0..compared.len()).map(|at| Ok(text(&row.get::<Cell>(at)?)));
                let cells = cells.collect::<Result<Vec<_>, StoreError>>()?;
                found.push(format!("{table} {what} {}", cells.join(" ")));
                Ok(())
            })?;
        }
    }
    if tx.engine() == Engine::Sqlite
        && let Some(position) = sqlite::is_position_wrong(tx)?
    {
        found.push(format!("{POSITION} has {position}"));
    }
    Ok(found)
}

/// Writes the rows of tables that have these [differences] anew. Customers keep the time when they became known.
///
/// # Errors
/// The store's.
pub(crate) fn rebuild(tx: Everywhere<'_>, found: &[String]) -> Result<(), StoreError> {
    let differs = |table: &str| found.iter().any(|text| text.split(' ').next() == Some(table));
    let is_wrong = |derived: &&Derived| differs(derived.table) || derived.of.is_some_and(differs);
    for Derived { table, from, counts, .. } in TABLES.iter().filter(is_wrong) {
        let columns = schema::columns(tx, table)?.join(", ");
        let anew = format!(
            "INSERT INTO {table} ({columns}) SELECT {columns} FROM ({from}) AS derived WHERE {counts}"
        );
        if *table == "customer" {
            let gone = format!(
                "DELETE FROM customer WHERE (workspace_id, mode, id) NOT IN (SELECT workspace_id, mode, id FROM ({from}) AS derived)"
            );
            tx.write(&gone, &[])?;
            let keep = "ON CONFLICT (workspace_id, mode, id) DO UPDATE SET external_id = excluded.external_id, \
                        stripe_customer_id = excluded.stripe_customer_id";
            tx.write(&format!("{anew} {keep}"), &[])?;
        } else {
            tx.write(&format!("DELETE FROM {table}"), &[])?;
            tx.write(&anew, &[])?;
        }
    }
    if tx.engine() == Engine::Sqlite && (differs("click_day") || differs(POSITION)) {
        sqlite::move_position(tx)?;
    }
    Ok(())
}

/// Counts imported clicks, and visits whose clicks were deleted before the export.
///
/// # Errors
/// The store's.
pub(crate) fn count_imported_clicks(tx: Everywhere<'_>) -> Result<(), StoreError> {
    let has_deleted_visits = tx.exists("SELECT 1 FROM deleted_visit", &[])?;
    if has_deleted_visits {
        for ids in ["program_id", "partner_id", "link_id", "program_id || '/' || partner_id"] {
            let sql = format!(
                "INSERT INTO name (id) SELECT DISTINCT {ids} FROM deleted_visit WHERE {ids} <> '' ON CONFLICT DO NOTHING"
            );
            tx.write(&sql, &[])?;
        }
        let scopes = "INSERT INTO scope (workspace_id, mode) SELECT DISTINCT workspace_id, mode FROM deleted_visit WHERE TRUE ON CONFLICT DO NOTHING";
        tx.write(scopes, &[])?;
    }
    match tx.engine() {
        Engine::Sqlite => sqlite::count_new_clicks(tx)?,
        Engine::Postgres => {
            let pairs = "INSERT INTO name (id) SELECT DISTINCT g.id || '/' || a.id FROM click_record AS r \
                         JOIN name AS g ON g.no = r.program JOIN name AS a ON a.no = r.partner ON CONFLICT DO NOTHING";
            tx.write(pairs, &[])?;
        }
    }
    if has_deleted_visits || tx.engine() == Engine::Postgres {
        rebuild(tx, &["click_day".to_owned()])
    } else {
        Ok(())
    }
}

fn text(cell: &Cell) -> String {
    match cell {
        Cell::Null => "null".to_owned(),
        Cell::Integer(number) => number.to_string(),
        Cell::Text(text) => text.clone(),
        Cell::Bytes(bytes) => format!("{} bytes", bytes.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Priority;
    use crate::testing::app::App;

    #[tokio::test]
    async fn a_wrong_count_is_found_and_mended() {
        let app = App::new();
        let merchant = app.merchant().await;
        let (program, partner) = merchant.program_and_partner().await;
        merchant.make("/clicks", serde_json::json!({"program_id": program, "partner_id": partner})).await;
        let differing = || app.trac.store.read(differences);
        assert_eq!(differing().await.unwrap(), [""; 0]);
        app.rows("UPDATE click_day SET visits = 7 WHERE key = 0; INSERT INTO customer_count VALUES ('ws', 'test', 1)".to_owned()).await;
        let found = differing().await.unwrap();
        assert_eq!(found.len(), 5, "{found:?}");
        app.trac.store.write(Priority::Api, move |tx| rebuild(tx, &found)).await.unwrap();
        assert_eq!(differing().await.unwrap(), [""; 0]);
    }

    #[tokio::test]
    async fn any_damage_of_the_sums_by_day_is_found_and_mended_at_once() {
        let app = App::new();
        let merchant = app.merchant().await;
        let (program, partner) = merchant.program_and_partner().await;
        for at in ["2026-11-01T07:00:00Z", "2026-11-02T07:00:00Z"] {
            let click = serde_json::json!({"program_id": program, "partner_id": partner, "clicked_at": at});
            merchant.make("/clicks", click).await;
        }
        for damage in [
            // Together with the other day of its span, more than 64 bits.
            "UPDATE click_day SET visits = 9223372036854775807 \
             WHERE (scope, key, day) = (SELECT scope, key, day FROM click_day WHERE key = 0 LIMIT 1)",
            "INSERT INTO sale_day VALUES (1, 0, 7, 'usd', 1, 9223372036854775807, 1, 1), (1, 0, 8, 'usd', 1, 2, 1, 1)",
            "INSERT INTO click_span VALUES (1, 0, 1, 0, 7)",
            "INSERT INTO click_day VALUES (1, 0, 7, 0, 7, 0, 7)",
            "UPDATE click_day SET visits = 9; UPDATE click_span SET visits = 18",
            "DELETE FROM click_day; DELETE FROM click_span",
            // Only a file has a position.
            if app.trac.store.is_shared() {
                "DELETE FROM click_span"
            } else {
                "UPDATE click_day_position SET row = 0"
            },
        ] {
            app.rows(damage.to_owned()).await;
            let found = app.trac.store.read(differences).await.unwrap();
            assert!(!found.is_empty(), "{damage}");
            app.trac.store.write(Priority::Api, move |tx| rebuild(tx, &found)).await.unwrap();
            assert_eq!(app.trac.store.read(differences).await.unwrap(), [""; 0], "{damage}");
        }
    }
}
