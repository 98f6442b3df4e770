//! Reading fields of Stripe's JSON in every form they occur in: absent, null, of old versions, expanded.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::references::References;
use crate::checkout::reference;
use crate::click::dialect::CUSTOMER_KEY;
use crate::money::{AMOUNT_MAX, Currency};
use crate::time::Timestamp;

/// An amount, currency or ID that is invalid, or that is missing although it is required.
pub(super) struct Unreadable;

/// The fields of one JSON object. A field of another type than expected counts as absent, unless it is money.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a Map<String, Value>);

impl<'a> Fields<'a> {
    pub(super) fn text(self, name: &str) -> Option<&'a str> {
        self.0.get(name)?.as_str()
    }

    pub(super) fn int(self, name: &str) -> Option<i64> {
        self.0.get(name)?.as_i64()
    }

    pub(super) fn bool(self, name: &str) -> Option<bool> {
        self.0.get(name)?.as_bool()
    }

    pub(super) fn time(self, name: &str) -> Option<Timestamp> {
        self.int(name).map(Timestamp::from_unix_secs)
    }

    /// An amount in minor units; `None` if it is absent or null. Any value other than an integer of at
    /// most twelve digits is an error: Stripe accepts no larger amounts, and sums of such amounts fit into 64
    /// bits.
    pub(super) fn amount(self, name: &str) -> Result<Option<i64>, Unreadable> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_i64() {
                Some(amount) if (-AMOUNT_MAX..=AMOUNT_MAX).contains(&amount) => Ok(Some(amount)),
                _ => Err(Unreadable),
            },
        }
    }

    pub(super) fn currency(self) -> Result<Option<Currency>, Unreadable> {
        match self.0.get("currency") {
            None | Some(Value::Null) => Ok(None),
            Some(code) => {
                code.as_str().and_then(|code| Currency::parse(code).ok()).map(Some).ok_or(Unreadable)
            }
        }
    }

    /// An ID field: a string, or the whole object if the event destination expands it.
    pub(super) fn id(self, name: &str) -> Option<&'a str> {
        let id = match self.0.get(name)? {
            Value::String(id) => id.as_str(),
            Value::Object(object) => object.get("id")?.as_str()?,
            _ => return None,
        };
        (!id.is_empty()).then_some(id)
    }

    pub(super) fn object(self, name: &str) -> Option<Fields<'a>> {
        self.0.get(name)?.as_object().map(Fields)
    }

    /// The objects of an array, or of a Stripe list (`{"data": […]}`).
    pub(super) fn list(self, name: &str) -> Option<Vec<Fields<'a>>> {
        let items = match self.0.get(name)? {
            Value::Array(items) => items,
            Value::Object(list) => list.get("data")?.as_array()?,
            _ => return None,
        };
        Some(items.iter().filter_map(Value::as_object).map(Fields).collect())
    }

    /// The sum of one amount over an array; `None` if the array is absent.
    pub(super) fn sum(self, list: &str, name: &str) -> Result<Option<i64>, Unreadable> {
        let Some(items) = self.list(list) else { return Ok(None) };
        sum_of(items, name).map(Some)
    }

    /// The references in a `metadata` map; `None` if it has none. PHP tools write an empty map as `[]`.
    pub(super) fn references(self, name: &str) -> Option<References> {
        self.all_references(name).filter(|found| *found != References::default())
    }

    /// The references in a `metadata` map, even if it has none. For subscriptions and customers, whose
    /// metadata changes over time, an empty map ends the references of an earlier one.
    pub(super) fn all_references(self, name: &str) -> Option<References> {
        let metadata = self.object(name)?;
        let clicks = reference::metadata_keys()
            .filter_map(|key| metadata.text(key))
            .filter(|value| !value.is_empty())
            .map(Into::into)
            .collect();
        let customer = metadata.text(CUSTOMER_KEY).filter(|id| !id.is_empty()).map(Into::into);
        Some(References { clicks, customer })
    }
}

/// The sum of one amount over several objects.
pub(super) fn sum_of<'a>(items: impl IntoIterator<Item = Fields<'a>>, name: &str) -> Result<i64, Unreadable> {
    items.into_iter().try_fold(0_i64, |sum, item| Ok(sum.saturating_add(item.amount(name)?.unwrap_or(0))))
}
