//! The credited leads and sales of each day (`sale_day`) and of each ten days (`sale_span`), for the keys that clicks are counted by: of a scope, of a
//! program, a partner, a link, and of a partner in a program.
//!
//! Triggers write each change of a payment or commission to `sale_change`. The job that caused it ends with
//! [`add_changes`], so that the tables are exact at every commit.

use std::sync::Arc;

use super::numbers::Numbers;
use super::rows::{Everywhere, Row, args};
use super::{Scope, StoreError, mode_of, spans};

/// What a job changed of one day, one link or none, and one currency.
struct Change {
    scope: Scope,
    day: i64,
    program: Arc<str>,
    partner: Arc<str>,
    link: Arc<str>,
    currency: String,
    /// Leads, sales, revenue, commission.
    figures: [i64; 4],
}

const CHANGES: &str = "SELECT workspace_id, mode, day, program_id, partner_id, link_id, currency, sum(leads), sum(sales), \
    sum_minor(revenue_minor), sum_minor(commission_minor) FROM sale_change GROUP BY 1, 2, 3, 4, 5, 6, 7";

const ADD: &str = "INSERT INTO sale_day (scope, key, day, currency, leads, sales, revenue_minor, commission_minor) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (scope, key, day, currency) DO UPDATE SET leads = sale_day.leads + excluded.leads, \
    sales = sale_day.sales + excluded.sales, revenue_minor = add_minor(sale_day.revenue_minor, excluded.revenue_minor), \
    commission_minor = add_minor(sale_day.commission_minor, excluded.commission_minor)";

const ADD_TO_SPAN: &str = "INSERT INTO sale_span (scope, key, span, currency, leads, sales, revenue_minor, commission_minor) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (scope, key, span, currency) DO UPDATE SET leads = sale_span.leads + excluded.leads, \
    sales = sale_span.sales + excluded.sales, revenue_minor = add_minor(sale_span.revenue_minor, excluded.revenue_minor), \
    commission_minor = add_minor(sale_span.commission_minor, excluded.commission_minor)";

/// Adds the changes since the last call.
pub(super) fn add_changes(tx: Everywhere<'_>) -> Result<(), StoreError> {
    if !tx.exists("SELECT 1 FROM sale_change LIMIT 1", &[])? {
        return Ok(());
    }
    let (changes, mut numbers) = (tx.all(CHANGES, &[], Change::read)?, Numbers::new(tx));
    for Change { scope, day, program, partner, link, currency, figures } in &changes {
        let [leads, sales, revenue, commission] = figures;
        if figures == &[0; 4] {
            continue;
        }
        let in_program = format!("{program}/{partner}").into();
        let scope = numbers.of_scope(scope)?;
        let names = [Some(program), Some(partner), (!link.is_empty()).then_some(link), Some(&in_program)];
        let mut keys = vec![0];
        for name in names.into_iter().flatten() {
            keys.push(numbers.of(name)?);
        }
        let span = spans::of(*day);
        for key in keys {
            tx.write(ADD, args![scope, key, day, currency, leads, sales, revenue, commission])?;
            tx.write(ADD_TO_SPAN, args![scope, key, span, currency, leads, sales, revenue, commission])?;
        }
    }
    tx.write("DELETE FROM sale_change", &[])?;
    Ok(())
}

impl Change {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            scope: Scope::new(row.text(0)?, mode_of(row.text(1)?)),
            day: row.get(2)?,
            program: row.get(3)?,
            partner: row.get(4)?,
            link: row.get(5)?,
            currency: row.get(6)?,
            figures: [row.get(7)?, row.get(8)?, row.get(9)?, row.get(10)?],
        })
    }
}
