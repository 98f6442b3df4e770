//! The comparison of what was booked with what other terms would have booked.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use trac_core::money::Currency;
use trac_core::time::Timestamp;

use super::priced::Priced;

/// The number of payments that are named.
const LARGEST: usize = 10;

/// The sums over all payments, and the largest differences.
pub(super) struct Comparison {
    /// Whether there are more payments than were priced.
    pub(super) is_limited: bool,
    payments: u64,
    more: u64,
    less: u64,
    nothing: u64,
    same: u64,
    other_currency: u64,
    /// Booked, and under the other terms.
    sums: BTreeMap<Currency, (i64, i64)>,
    /// The largest difference first.
    largest: Vec<(i64, Value)>,
}

impl Comparison {
    pub(super) const fn new(is_limited: bool) -> Self {
        Self {
            is_limited,
            payments: 0,
            more: 0,
            less: 0,
            nothing: 0,
            same: 0,
            other_currency: 0,
            sums: BTreeMap::new(),
            largest: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, priced: &Priced) {
        self.payments = self.payments.saturating_add(1);
        for (currency, minor) in &priced.booked {
            let sum = self.sums.entry(*currency).or_default();
            sum.0 = sum.0.saturating_add(*minor);
        }
        for (currency, minor) in &priced.changed {
            let sum = self.sums.entry(*currency).or_default();
            sum.1 = sum.1.saturating_add(*minor);
        }
        let differences = differences(priced);
        let earns = |sums: &BTreeMap<Currency, i64>| sums.values().any(|minor| *minor != 0);
        let is_of = |wanted: fn(i64) -> bool| differences.iter().any(|(_, minor)| wanted(*minor));
        let count = match (is_of(|minor| minor > 0), is_of(|minor| minor < 0)) {
            (false, false) => &mut self.same,
            (false, true) if !earns(&priced.changed) => &mut self.nothing,
            (true, false) => &mut self.more,
            (false, true) => &mut self.less,
            (true, true) => &mut self.other_currency,
        };
        *count = count.saturating_add(1);
        for (currency, minor) in differences {
            self.name(priced, currency, minor);
        }
    }

    /// Lists a difference if it is one of the largest.
    fn name(&mut self, priced: &Priced, currency: Currency, minor: i64) {
        let size = size(minor, currency);
        let place = self.largest.partition_point(|(other, _)| *other >= size);
        if place >= LARGEST {
            return;
        }
        let of = |sums: &BTreeMap<Currency, i64>| sums.get(&currency).copied().unwrap_or_default();
        let row = json!({
            "conversion_id": priced.payment_id,
            "happened_at": priced.at.map(Timestamp::to_rfc3339),
            "partner_id": priced.partner_id,
            "currency": currency,
            "booked_minor": of(&priced.booked),
            "preview_minor": of(&priced.changed),
            "difference_minor": minor,
            "reason": priced.reason.as_str(),
        });
        self.largest.insert(place, (size, row));
        self.largest.truncate(LARGEST);
    }

    pub(super) fn into_answer(self, days: i64, since: Timestamp, program: &Value) -> Value {
        let currencies = self.sums.into_iter().map(|(currency, (booked, preview))| {
            json!({
                "currency": currency,
                "booked_minor": booked,
                "preview_minor": preview,
                "difference_minor": preview.saturating_sub(booked),
            })
        });
        json!({
            "program": program,
            "days": days,
            "since": since.to_rfc3339(),
            "payments": self.payments,
            "is_limited": self.is_limited,
            "more": self.more,
            "less": self.less,
            "nothing": self.nothing,
            "same": self.same,
            "other_currency": self.other_currency,
            "currencies": currencies.collect::<Vec<_>>(),
            "largest": self.largest.into_iter().map(|(_, row)| row).collect::<Vec<_>>(),
        })
    }
}

/// What a payment would earn more or less, for each currency with a difference.
fn differences(priced: &Priced) -> Vec<(Currency, i64)> {
    let mut minors = priced.changed.clone();
    for (currency, minor) in &priced.booked {
        let sum = minors.entry(*currency).or_default();
        *sum = sum.saturating_sub(*minor);
    }
    minors.into_iter().filter(|(_, minor)| *minor != 0).collect()
}

/// The size of a difference: thousandths of its currency's main unit, whatever its exponent is.
fn size(minor: i64, currency: Currency) -> i64 {
    let places = 3_usize.saturating_sub(currency.exponent());
    (0..places).fold(minor.saturating_abs(), |size, _| size.saturating_mul(10))
}
