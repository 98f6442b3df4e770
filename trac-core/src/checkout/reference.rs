//! The two places of a Stripe checkout that can contain a click ID: `client_reference_id` and metadata.
//!
//! `client_reference_id` belongs to the merchant first: many store their own user IDs in it. A value of
//! native form may be replaced; any other value stays. Stripe silently drops a value outside
//! `[A-Za-z0-9_-]{1,200}` (<https://docs.stripe.com/payment-links/url-parameters>); every [`ClickId`] is
//! within it.

use core::iter;

use crate::click::bytes::{Decoded, spells};
use crate::click::dialect::{self, CUSTOMER_KEY, Dialect};
use crate::click::{ClickId, Form, form, is_raw_id};
use crate::program::AttributionModel;

/// The reference as a query parameter of Payment Links and a field of Checkout Sessions.
pub const PARAMETER: &str = "client_reference_id";

/// The reference as an attribute of `<stripe-buy-button>` and `<stripe-pricing-table>`.
pub const ATTRIBUTE: &str = "client-reference-id";

/// The owner of a reference, which decides whether it is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// There is no reference, or one of an older click: the click's ID is to be written.
    Free,
    /// A click's reference that stays: this click's own, or under first-click another click's.
    Ours,
    /// The merchant's reference, which stays.
    Merchant,
}

impl Reference {
    /// Classifies the value of a reference; a missing one counts as empty.
    ///
    /// # Examples
    /// ```
    /// use trac_core::checkout::reference::Reference;
    /// use trac_core::click::ClickId;
    /// use trac_core::program::AttributionModel::{FirstClick, LastClick};
    ///
    /// let id = ClickId::new(2, 2);
    /// let earlier = ClickId::new(1, 1);
    /// assert_eq!(Reference::judge("", &id, LastClick), Reference::Free);
    /// assert_eq!(Reference::judge(earlier.as_str(), &id, LastClick), Reference::Free);
    /// assert_eq!(Reference::judge(earlier.as_str(), &id, FirstClick), Reference::Ours);
    /// assert_eq!(Reference::judge("user_17", &id, LastClick), Reference::Merchant);
    /// ```
    #[must_use]
    pub fn judge(found: &str, id: &ClickId, model: AttributionModel) -> Self {
        // The value is not percent-encoded, so one that looks encoded is not an ID.
        if found.is_empty() || is_raw_id(found.as_bytes()) {
            Self::judge_value(Decoded(found.as_bytes()), Decoded(id.as_str().as_bytes()), model)
        } else {
            Self::Merchant
        }
    }

    /// [`Self::judge`] on bytes.
    #[must_use]
    pub fn judge_value(found: Decoded<'_>, id: Decoded<'_>, model: AttributionModel) -> Self {
        if found.0.is_empty() {
            Self::Free
        } else if spells(found, id) {
            Self::Ours
        } else if form(found) != Form::Native {
            Self::Merchant
        } else if model == AttributionModel::LastClick {
            Self::Free
        } else {
            Self::Ours
        }
    }
}

/// The metadata for a Checkout Session or subscription: the click under the dialect's key, and the merchant's
/// own ID of the customer, if there is one, under [`CUSTOMER_KEY`].
///
/// # Examples
/// ```
/// use trac_core::checkout::reference;
/// use trac_core::click::{ClickId, dialect};
///
/// let id = ClickId::parse("abc")?;
/// let pairs: Vec<_> = reference::metadata(&dialect::TRAC, &id, Some("user_17")).collect();
/// assert_eq!(pairs, [("tracClickId", "abc"), ("tracCustomerExternalId", "user_17")]);
/// # Ok::<(), trac_core::click::ParseClickIdError>(())
/// ```
pub fn metadata<'a>(
    dialect: &Dialect,
    id: &'a ClickId,
    customer_external_id: Option<&'a str>,
) -> impl Iterator<Item = (&'static str, &'a str)> {
    let click = dialect.metadata_keys.first().map(|key| (*key, id.as_str()));
    click.into_iter().chain(customer_external_id.map(|customer| (CUSTOMER_KEY, customer)))
}

/// All metadata keys that may contain a click ID, in reading order.
pub fn metadata_keys() -> impl Iterator<Item = &'static str> {
    dialect::ALL.iter().flat_map(|dialect| dialect.metadata_keys).copied()
}

/// The click IDs in a metadata map, in reading order, each with its key. The first one that the store
/// resolves to a click counts.
///
/// # Examples
/// ```
/// use std::collections::BTreeMap;
/// use trac_core::checkout::reference;
///
/// let metadata = BTreeMap::from([("rd_click_id", "b"), ("trac_click_id", "a"), ("aff_click_id", "no id")]);
/// let found: Vec<_> = reference::metadata_clicks(|key| metadata.get(key).copied())
///     .map(|(key, id)| (key, id.into_string()))
///     .collect();
/// assert_eq!(found, [("trac_click_id", "a".into()), ("rd_click_id", "b".into())]);
/// ```
pub fn metadata_clicks<'a>(
    lookup: impl Fn(&str) -> Option<&'a str>,
) -> impl Iterator<Item = (&'static str, ClickId)> {
    let mut keys = metadata_keys();
    iter::from_fn(move || {
        keys.find_map(|key| lookup(key).and_then(|value| ClickId::parse(value).ok()).map(|id| (key, id)))
    })
}
