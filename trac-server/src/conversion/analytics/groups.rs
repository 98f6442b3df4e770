//! The figures of a report for each partner, program, link or currency.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Days, Figures, Query};
use crate::problem::Problem;
use crate::store::StoreError;
use crate::store::rows::{Arg, Rows, ToArg as _, args};

/// What the figures of a report are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dimension {
    Partner,
    Program,
    Link,
    Currency,
}

/// The most groups of a response: those with the most sales, then clicks.
const GROUPS_MAX: usize = 1_000;

impl Dimension {
    pub(super) fn read(text: &str) -> Result<Self, Problem> {
        match text {
            "partner" => Ok(Self::Partner),
            "program" => Ok(Self::Program),
            "link" => Ok(Self::Link),
            "currency" => Ok(Self::Currency),
            _ => Err(Problem::field("group_by", "must be one of partner, program, link, currency")),
        }
    }

    /// The name of a group's ID in the response, which is also its column in `sale_day`.
    const fn column(self) -> &'static str {
        match self {
            Self::Partner => "partner_id",
            Self::Program => "program_id",
            Self::Link => "link_id",
            Self::Currency => "currency",
        }
    }

    /// The keys of `click_day` for the groups: their IDs, and the names that have numbers. `?3` is the program and
    /// `?4` the partner that the report is narrowed to. `None` if clicks do not have the dimension.
    const fn keys(self, query: &Query) -> Option<&'static str> {
        match (self, query.program_id.is_some(), query.partner_id.is_some()) {
            (Self::Currency, ..) => None,
            (Self::Partner, false, _) => Some(
                "SELECT p.id, p.id AS name FROM partner AS p WHERE p.workspace_id = ?1 AND p.mode = ?2 AND (?4 IS NULL OR p.id = ?4)",
            ),
            (Self::Partner, true, _) => Some(
                "SELECT p.id, ?3 || '/' || p.id AS name FROM partner AS p WHERE p.workspace_id = ?1 AND p.mode = ?2 \
                 AND (?4 IS NULL OR p.id = ?4)",
            ),
            (Self::Program, _, false) => Some(
                "SELECT p.id, p.id AS name FROM program AS p WHERE p.workspace_id = ?1 AND p.mode = ?2 AND (?3 IS NULL OR p.id = ?3)",
            ),
            (Self::Program, _, true) => Some(
                "SELECT p.id, p.id || '/' || ?4 AS name FROM program AS p WHERE p.workspace_id = ?1 AND p.mode = ?2 \
                 AND (?3 IS NULL OR p.id = ?3)",
            ),
            (Self::Link, ..) => Some(
                "SELECT l.id, l.id AS name FROM link AS l WHERE l.workspace_id = ?1 AND l.mode = ?2 \
                 AND (?3 IS NULL OR l.program_id = ?3) AND (?4 IS NULL OR l.partner_id = ?4)",
            ),
        }
    }

    /// The groups that have clicks or conversions, those with the most sales first.
    pub(super) fn groups(self, rows: Rows<'_>, days: Days, query: &Query) -> Result<Vec<Value>, StoreError> {
        let Query { program_id, partner_id, .. } = query;
        let mut groups: BTreeMap<String, Figures> = BTreeMap::new();
        if let Some(keys) = self.keys(query) {
            let sql = format!(
                "SELECT k.id, sum(d.visits), sum(d.unique_visits) FROM ({keys}) AS k JOIN name AS n ON n.id = k.name \
                 JOIN click_day AS d ON d.scope = (SELECT no FROM scope WHERE workspace_id = ?1 AND mode = ?2) \
                 AND d.key = n.no AND d.day >= ?5 AND d.day <= ?6 GROUP BY k.id"
            );
            rows.each(&sql, args![program_id, partner_id, days.first, days.last], |row| {
                let (clicks, unique_clicks) = (row.get(1)?, row.get(2)?);
                groups.entry(row.get(0)?).or_default().add(&Figures {
                    clicks,
                    unique_clicks,
                    ..Figures::default()
                });
                Ok(())
            })?;
        }
        let mut narrowed = String::new();
        let mut values = vec![Arg::Integer(days.first), Arg::Integer(days.last)];
        for (column, id) in [("program_id", program_id), ("partner_id", partner_id)] {
            if let Some(id) = id {
                values.push(id.to_arg());
                let place = values.len().saturating_add(2);
                narrowed = format!("{narrowed} AND {column} = ?{place}");
            }
        }
        let sql = format!(
            "SELECT {}, currency, leads, sales, revenue_minor, commission_minor FROM sale_day \
             WHERE workspace_id = ?1 AND mode = ?2 AND day >= ?3 AND day <= ?4{narrowed}",
            self.column()
        );
        rows.each(&sql, &values, |row| {
            groups.entry(row.get(0)?).or_default().add(&Figures::of_conversions(row, 1)?);
            Ok(())
        })?;
        Ok(self.listed(groups))
    }

    fn listed(self, groups: BTreeMap<String, Figures>) -> Vec<Value> {
        let mut groups: Vec<_> = groups.into_iter().filter(|(_, figures)| !figures.are_zero()).collect();
        groups.sort_by_key(|(_, figures)| std::cmp::Reverse((figures.sales, figures.clicks, figures.leads)));
        groups.truncate(GROUPS_MAX);
        let shown = groups.into_iter().map(|(id, figures)| {
            let mut group = figures.to_json();
            if let Some(object) = group.as_object_mut() {
                // Of a sale by a promotion code, which has no link, and of a lead without an amount.
                let id = if id.is_empty() { Value::Null } else { Value::String(id) };
                object.insert(self.column().to_owned(), id);
                object.insert("rates".to_owned(), figures.rates());
                if self == Self::Currency {
                    object.extend(
                        ["clicks", "unique_clicks", "rates"].map(|name| (name.to_owned(), json!(null))),
                    );
                }
            }
            group
        });
        shown.collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::testing::app::App;
    use crate::testing::shop::Shop;

    /// The groups of a report: the ID of each with its clicks, leads, sales, revenue and commission.
    fn lines_of(report: &Value, column: &str) -> Vec<String> {
        let groups = report["groups"].as_array().unwrap();
        let minor = |sums: &Value| {
            sums.as_array().unwrap().iter().map(|sum| sum["amount_minor"].as_i64().unwrap()).sum::<i64>()
        };
        let line = |group: &Value| {
            let name = group[column].as_str().unwrap_or("none");
            format!(
                "{name} {} {} {} {}",
                group["clicks"],
                group["sales"],
                minor(&group["revenue"]),
                minor(&group["commission"])
            )
        };
        groups.iter().map(line).collect()
    }

    #[tokio::test]
    async fn groups_have_the_figures_of_their_partner_program_link_or_currency() {
        let app = App::new();
        let shop = Shop::open(&app, json!({})).await;
        let merchant = &shop.merchant;
        let (program, ada) = (&shop.program, &shop.partner);
        let bob = merchant.make("/partners", json!({"name": "Bob"})).await;
        merchant
            .make("/enrollments", json!({"program_id": program, "partner_id": bob, "status": "approved"}))
            .await;
        let link = json!({"program_id": program, "partner_id": bob, "slug": "bob", "destination": "https://shop.example/"});
        let link = merchant.make("/links", link).await;
        let at = "2026-11-21T07:00:00Z";
        merchant.make("/clicks", json!({"link_id": link, "click_id": "clk_bob", "clicked_at": at})).await;
        merchant.make("/clicks", json!({"link_id": link, "clicked_at": at})).await;
        for (n, click, currency) in
            [(1, "clk_bob", "usd"), (2, "clk_bob", "eur"), (3, shop.click.as_str(), "usd")]
        {
            let session = json!({"id": format!("cs_{n}"), "payment_intent": format!("pi_{n}"), "customer": format!("cus_{n}"),
                "client_reference_id": click, "metadata": {}, "currency": currency});
            shop.deliver_object("checkout.session.completed", n, shop.session(session)).await;
        }
        let report = async |query: &str| {
            let answer = merchant.get(&format!("/analytics?start=2026-11-20&end=2026-11-22&{query}")).await;
            assert_eq!(answer.status, 200, "{query}: {}", answer.body);
            answer.body
        };
        let rows = |report: &Value, column: &str| lines_of(report, column).join(", ");
        let of_bob = format!("{bob} 2 2 20000 4000");
        let of_ada = format!("{ada} 1 1 10000 2000");
        assert_eq!(rows(&report("group_by=partner").await, "partner_id"), format!("{of_bob}, {of_ada}"));
        let narrowed = report(&format!("group_by=partner&program_id={program}")).await;
        assert_eq!(rows(&narrowed, "partner_id"), format!("{of_bob}, {of_ada}"));
        let narrowed = report(&format!("group_by=partner&partner_id={ada}")).await;
        assert_eq!((rows(&narrowed, "partner_id"), narrowed["sales"].as_i64()), (of_ada, Some(1)));
        assert_eq!(
            rows(&report("group_by=program").await, "program_id"),
            format!("{program} 3 3 30000 6000")
        );
        let narrowed = report(&format!("group_by=program&partner_id={bob}")).await;
        assert_eq!(rows(&narrowed, "program_id"), format!("{program} 2 2 20000 4000"));
        // Ada's click was made without a link.
        let links = rows(&report("group_by=link").await, "link_id");
        assert_eq!(links, format!("{link} 2 2 20000 4000, none 0 1 10000 2000"));
        let narrowed = report(&format!("group_by=link&partner_id={bob}")).await;
        assert_eq!(rows(&narrowed, "link_id"), format!("{link} 2 2 20000 4000"));
        let currencies = rows(&report("group_by=currency").await, "currency");
        assert_eq!(currencies, "usd null 2 20000 4000, eur null 1 10000 2000");
        assert_eq!(rows(&report("group_by=partner&partner_id=part_none").await, "partner_id"), "");
        let wrong = merchant.get("/analytics?group_by=colour").await;
        assert_eq!(wrong.code(), (422, "VALIDATION_FAILED".to_owned()));
    }
}
