//! The figures of a report for each partner, program, link or currency.

use std::collections::HashMap;

use serde::Serialize;

use super::figures::{Figures, Rates, Shown};
use super::{Days, Query};
use crate::problem::Problem;
use crate::store::StoreError;
use crate::store::rows::{Rows, args};
use crate::store::spans::{self, Split};

/// What the figures of a report are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dimension {
    Partner,
    Program,
    Link,
    Currency,
}

/// The ID of a group with its figures; no ID for sales without a link and leads without a currency.
type Group = (Option<String>, Figures);

/// A group in a response. Clicks have no currency, so the group of a currency has no rates.
#[derive(Debug, Serialize)]
pub(super) struct ShownGroup {
    #[serde(flatten)]
    id: Id,
    #[serde(flatten)]
    figures: Shown,
    rates: Option<Rates>,
}

/// The ID of a group under its name in the response.
#[derive(Debug, Serialize)]
enum Id {
    #[serde(rename = "partner_id")]
    Partner(Option<String>),
    #[serde(rename = "program_id")]
    Program(Option<String>),
    #[serde(rename = "link_id")]
    Link(Option<String>),
    #[serde(rename = "currency")]
    Currency(Option<String>),
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

    /// The groups that have clicks or conversions, those with the most sales first. `total` are the figures of all
    /// days.
    pub(super) fn groups(
        self,
        rows: Rows<'_>,
        days: Days,
        query: &Query,
        total: &Figures,
    ) -> Result<Vec<ShownGroup>, StoreError> {
        let groups = match self {
            Self::Partner | Self::Program => self.by_key(rows, days, query)?,
            Self::Link => {
                let mut links = self.by_key(rows, days, query)?;
                let mut rest = total.clone();
                for (_, figures) in &links {
                    rest.subtract(figures);
                }
                links.push((None, rest));
                links
            }
            Self::Currency => {
                // A lead without an amount has no currency.
                let named = |currency: String| Some(currency).filter(|currency| !currency.is_empty());
                let groups = total.of_currencies().into_iter();
                groups.map(|(currency, figures)| (named(currency), figures)).collect()
            }
        };
        Ok(self.listed(groups))
    }

    /// The IDs of the groups that a report can have, each with the name that has the number of their rows. `?3` is
    /// the program and `?4` the partner that the report is narrowed to.
    const fn keys(self, query: &Query) -> &'static str {
        match (self, query.program_id.is_some(), query.partner_id.is_some()) {
            (Self::Program, _, false) => {
                "SELECT p.id, p.id AS name FROM program AS p WHERE p.workspace_id = ?1 AND p.mode = ?2 \
                 AND (CAST(?3 AS TEXT) IS NULL OR p.id = ?3) AND CAST(?4 AS TEXT) IS NULL"
            }
            (Self::Program, _, true) => {
                "SELECT p.id, p.id || '/' || ?4 AS name FROM program AS p WHERE p.workspace_id = ?1 AND p.mode = ?2 \
                 AND (CAST(?3 AS TEXT) IS NULL OR p.id = ?3)"
            }
            (Self::Link, ..) => {
                "SELECT l.id, l.id AS name FROM link AS l WHERE l.workspace_id = ?1 AND l.mode = ?2 \
                 AND (CAST(?3 AS TEXT) IS NULL OR l.program_id = ?3) AND (CAST(?4 AS TEXT) IS NULL OR l.partner_id = ?4)"
            }
            (_, false, _) => {
                "SELECT p.id, p.id AS name FROM partner AS p WHERE p.workspace_id = ?1 AND p.mode = ?2 \
                 AND CAST(?3 AS TEXT) IS NULL AND (CAST(?4 AS TEXT) IS NULL OR p.id = ?4)"
            }
            (_, true, _) => {
                "SELECT p.id, ?3 || '/' || p.id AS name FROM partner AS p WHERE p.workspace_id = ?1 AND p.mode = ?2 \
                 AND (CAST(?4 AS TEXT) IS NULL OR p.id = ?4)"
            }
        }
    }

    /// The figures of each partner, program or link. Clicks are added up by SQLite, in the order of its index; sales
    /// are added up here, because SQLite would sort them by currency first.
    fn by_key(self, rows: Rows<'_>, days: Days, query: &Query) -> Result<Vec<Group>, StoreError> {
        let from = format!("FROM ({}) AS k JOIN name AS n ON n.id = k.name", self.keys(query));
        let ids: Vec<(i64, String)> = rows.all(
            &format!("SELECT n.no, k.id {from}"),
            args![query.program_id, query.partner_id],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let mut figures: HashMap<i64, Figures> = HashMap::new();
        let Split { before, spans, after } = spans::split(days.first, days.last);
        for (unit, (first, last)) in [("day", before), ("span", spans), ("day", after)] {
            if first > last {
                continue;
            }
            let within = format!(
                "d.scope = (SELECT no FROM scope WHERE workspace_id = ?1 AND mode = ?2) AND d.key IN (SELECT n.no {from}) \
                 AND d.{unit} >= ?5 AND d.{unit} <= ?6"
            );
            let range = args![query.program_id, query.partner_id, first, last];
            let clicks = format!(
                "SELECT d.key, sum(d.visits), sum(d.unique_visits) FROM click_{unit} AS d WHERE {within} GROUP BY d.key"
            );
            rows.each(&clicks, range, |row| figures.entry(row.get(0)?).or_default().add_clicks(row))?;
            let sales = format!(
                "SELECT d.key, d.currency, d.leads, d.sales, d.revenue_minor, d.commission_minor FROM sale_{unit} AS d WHERE {within}"
            );
            rows.each(&sales, range, |row| figures.entry(row.get(0)?).or_default().add_sales(row))?;
        }
        let groups = ids.into_iter().filter_map(|(number, id)| Some((Some(id), figures.remove(&number)?)));
        Ok(groups.collect())
    }

    fn listed(self, mut groups: Vec<Group>) -> Vec<ShownGroup> {
        groups.retain(|(_, figures)| !figures.are_zero());
        groups.sort_by(|(one, a), (other, b)| {
            let size = |figures: &Figures| (figures.sales, figures.clicks, figures.leads);
            size(b).cmp(&size(a)).then_with(|| one.cmp(other))
        });
        groups.truncate(GROUPS_MAX);
        let shown = groups.into_iter().map(|(id, figures)| {
            let (all, rates) = (figures.shown(), Some(figures.rates()));
            let (id, figures, rates) = match self {
                Self::Partner => (Id::Partner(id), all, rates),
                Self::Program => (Id::Program(id), all, rates),
                Self::Link => (Id::Link(id), all, rates),
                Self::Currency => (Id::Currency(id), all.without_clicks(), None),
            };
            ShownGroup { id, figures, rates }
        });
        shown.collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use trac_core::time::Timestamp;

    use crate::testing::app::{App, START};
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
        assert_eq!(links, format!("{link} 2 2 20000 4000, none 1 1 10000 2000"));
        let narrowed = report(&format!("group_by=link&partner_id={bob}")).await;
        assert_eq!(rows(&narrowed, "link_id"), format!("{link} 2 2 20000 4000"));
        let currencies = rows(&report("group_by=currency").await, "currency");
        assert_eq!(currencies, "usd null 2 20000 4000, eur null 1 10000 2000");
        assert_eq!(rows(&report("group_by=partner&partner_id=part_none").await, "partner_id"), "");
        for wrong in
            ["group_by=colour", "end=0000-01-01", "end=9999-12-30", "start=1899-12-31&end=1900-01-02"]
        {
            let answer = merchant.get(&format!("/analytics?{wrong}")).await;
            assert_eq!(answer.code(), (422, "VALIDATION_FAILED".to_owned()), "{wrong}");
        }
        let last = merchant.get("/analytics?start=9999-12-01&end=9999-12-29").await;
        assert_eq!(last.text("/end"), "9999-12-30T00:00:00Z");
    }

    #[tokio::test]
    async fn a_group_has_the_figures_of_the_report_that_is_narrowed_to_it() {
        let app = App::new();
        let shop = Shop::open(&app, json!({})).await;
        let merchant = &shop.merchant;
        let ada = &shop.partner;
        for day in (1..=28).step_by(3) {
            let click = format!("clk_{day}");
            let at = format!("2026-10-{day:02}T07:00:00Z");
            let click_at =
                json!({"program_id": shop.program, "partner_id": ada, "click_id": click, "clicked_at": at});
            merchant.make("/clicks", click_at).await;
            let session = json!({"id": format!("cs_{day}"), "payment_intent": format!("pi_{day}"), "customer": format!("cus_{day}"),
                "client_reference_id": click, "metadata": {}});
            let noon = Timestamp::parse_rfc3339(&format!("2026-10-{day:02}T12:00:00Z")).unwrap().unix_secs();
            shop.deliver_object("checkout.session.completed", noon - START, shop.session(session)).await;
        }
        let mut sales = 0;
        for first in 1..=15 {
            for last in [first, 10, 17, 28].into_iter().filter(|last| *last >= first) {
                let range = format!("start=2026-10-{first:02}&end=2026-10-{last:02}");
                let report =
                    async |query: &str| merchant.get(&format!("/analytics?{range}&{query}")).await.body;
                let narrowed = report(&format!("partner_id={ada}")).await;
                let mut grouped = report("group_by=partner").await["groups"].take();
                let of_nobody = json!({"clicks": 0, "sales": 0, "revenue": [], "unique_clicks": 0});
                let group = grouped.as_array_mut().unwrap().pop().unwrap_or(of_nobody);
                for figure in ["clicks", "unique_clicks", "sales", "revenue"] {
                    assert_eq!(group[figure], narrowed[figure], "{range}: {figure}");
                }
                sales += group["sales"].as_i64().unwrap();
            }
        }
        assert!(sales > 50, "{sales}");
    }
}
