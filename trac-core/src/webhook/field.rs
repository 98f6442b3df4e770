//! Reading Stripe's JSON as it really is: absent, null, old, expanded.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::references::References;
use crate::checkout::reference;
use crate::click::dialect::CUSTOMER_KEY;
use crate::money::Currency;
use crate::time::Timestamp;

/// The fields of one JSON object. A field of another type than expected counts as absent.
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

    pub(super) fn currency(self) -> Option<Currency> {
        Currency::parse(self.text("currency")?).ok()
    }

    /// An ID field: a string, or the whole object where the account's destination expands it.
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

    /// The sum of one field over an array; `None` where the array is absent.
    pub(super) fn sum(self, list: &str, name: &str) -> Option<i64> {
        let amounts = self.list(list)?.into_iter().filter_map(|item| item.int(name));
        Some(amounts.fold(0, i64::saturating_add))
    }

    /// What a `metadata` map says about attribution. PHP recorders write an empty map as `[]`.
    pub(super) fn references(self, name: &str) -> Option<References> {
        let metadata = self.object(name)?;
        let clicks = reference::metadata_keys()
            .filter_map(|key| metadata.text(key))
            .filter(|value| !value.is_empty())
            .map(Into::into)
            .collect();
        let customer = metadata.text(CUSTOMER_KEY).filter(|id| !id.is_empty()).map(Into::into);
        let found = References { clicks, customer };
        (found != References::default()).then_some(found)
    }
}
