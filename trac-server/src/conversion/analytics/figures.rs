//! The figures of one day, of all days, or of a group.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::store::StoreError;
use crate::store::rows::Row;

/// Clicks, leads, sales and money.
#[derive(Clone, Debug, Default)]
pub(super) struct Figures {
    pub(super) clicks: i64,
    unique_clicks: i64,
    pub(super) leads: i64,
    pub(super) sales: i64,
    by_currency: BTreeMap<String, Money>,
}

/// The leads and sales in one currency. A lead without an amount has the empty currency.
#[derive(Clone, Copy, Debug, Default)]
struct Money {
    leads: i64,
    sales: i64,
    revenue: i64,
    commission: i64,
}

impl Money {
    const fn add(&mut self, other: Self) {
        self.leads = self.leads.saturating_add(other.leads);
        self.sales = self.sales.saturating_add(other.sales);
        self.revenue = self.revenue.saturating_add(other.revenue);
        self.commission = self.commission.saturating_add(other.commission);
    }

    const fn negative(self) -> Self {
        Self {
            leads: self.leads.saturating_neg(),
            sales: self.sales.saturating_neg(),
            revenue: self.revenue.saturating_neg(),
            commission: self.commission.saturating_neg(),
        }
    }
}

impl Figures {
    /// Adds a row with the columns key or day, visits, unique visits.
    pub(super) fn add_clicks(&mut self, row: &Row<'_>) -> Result<(), StoreError> {
        self.clicks = self.clicks.saturating_add(row.get(1)?);
        self.unique_clicks = self.unique_clicks.saturating_add(row.get(2)?);
        Ok(())
    }

    /// Adds a row with the columns key or day, currency, leads, sales, revenue, commission.
    pub(super) fn add_sales(&mut self, row: &Row<'_>) -> Result<(), StoreError> {
        let money =
            Money { leads: row.get(2)?, sales: row.get(3)?, revenue: row.get(4)?, commission: row.get(5)? };
        self.add_money(row.text(1)?, money);
        Ok(())
    }

    fn add_money(&mut self, currency: &str, money: Money) {
        self.leads = self.leads.saturating_add(money.leads);
        self.sales = self.sales.saturating_add(money.sales);
        match self.by_currency.get_mut(currency) {
            Some(sum) => sum.add(money),
            None => drop(self.by_currency.insert(currency.to_owned(), money)),
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.clicks = self.clicks.saturating_add(other.clicks);
        self.unique_clicks = self.unique_clicks.saturating_add(other.unique_clicks);
        for (currency, money) in &other.by_currency {
            self.add_money(currency, *money);
        }
    }

    pub(super) fn subtract(&mut self, other: &Self) {
        self.clicks = self.clicks.saturating_sub(other.clicks);
        self.unique_clicks = self.unique_clicks.saturating_sub(other.unique_clicks);
        for (currency, money) in &other.by_currency {
            self.add_money(currency, money.negative());
        }
    }

    /// The figures of each currency, without clicks.
    pub(super) fn of_currencies(&self) -> Vec<(String, Self)> {
        let one = |(currency, money): (&String, &Money)| {
            let mut figures = Self::default();
            figures.add_money(currency, *money);
            (currency.clone(), figures)
        };
        self.by_currency.iter().map(one).collect()
    }

    pub(super) fn are_zero(&self) -> bool {
        [self.clicks, self.leads, self.sales] == [0; 3]
            && self.by_currency.values().all(|money| (money.revenue, money.commission) == (0, 0))
    }

    /// The figures as they are in a response.
    pub(super) fn shown(&self) -> Shown {
        let list = |of: fn(&Money) -> Option<i64>| {
            let sums = self.by_currency.iter().filter_map(|(currency, money)| Some((currency, of(money)?)));
            sums.map(|(currency, amount_minor)| Sum { currency: currency.clone(), amount_minor }).collect()
        };
        Shown {
            clicks: Some(self.clicks),
            unique_clicks: Some(self.unique_clicks),
            leads: self.leads,
            sales: self.sales,
            revenue: list(|money| (money.sales > 0 || money.revenue != 0).then_some(money.revenue)),
            commission: list(|money| (money.commission != 0).then_some(money.commission)),
        }
    }

    pub(super) fn rates(&self) -> Rates {
        Rates {
            click_to_lead: rate_bps(self.leads, self.clicks),
            click_to_sale: rate_bps(self.sales, self.clicks),
            lead_to_sale: rate_bps(self.sales, self.leads),
        }
    }
}

/// Figures in a response. Clicks have no currency: their numbers are null in the group of a currency.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    clicks: Option<i64>,
    unique_clicks: Option<i64>,
    leads: i64,
    sales: i64,
    revenue: Vec<Sum>,
    commission: Vec<Sum>,
}

impl Shown {
    pub(super) fn without_clicks(self) -> Self {
        Self { clicks: None, unique_clicks: None, ..self }
    }
}

#[derive(Debug, Serialize)]
struct Sum {
    currency: String,
    amount_minor: i64,
}

/// The shares of clicks and leads that became leads and sales, in hundredths of a percent; null if there were none.
#[derive(Debug, Serialize)]
pub(super) struct Rates {
    #[serde(rename = "click_to_lead_bps")]
    click_to_lead: Option<i64>,
    #[serde(rename = "click_to_sale_bps")]
    click_to_sale: Option<i64>,
    #[serde(rename = "lead_to_sale_bps")]
    lead_to_sale: Option<i64>,
}

/// A share in hundredths of a percent; `None` if `whole` is 0.
fn rate_bps(part: i64, whole: i64) -> Option<i64> {
    part.saturating_mul(10_000).checked_div(whole)
}
