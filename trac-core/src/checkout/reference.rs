//! The two places of a Stripe checkout that can hold a click ID: `client_reference_id` and metadata.
//!
//! `client_reference_id` belongs to the merchant first: many keep their own user IDs in it. What is of our form is
//! ours to renew; anything else in it stays. Stripe drops a value outside `[A-Za-z0-9_-]{1,200}` without a word
//! (<https://docs.stripe.com/payment-links/url-parameters>), and every [`ClickId`] is inside.

use core::iter;

use crate::click::bytes::{Decoded, spells};
use crate::click::dialect::{self, CUSTOMER_KEY, Dialect};
use crate::click::{ClickId, Form, form, is_raw_id};
use crate::program::AttributionModel;

/// The reference as a query parameter of Payment Links and a field of Checkout Sessions.
pub const PARAMETER: &str = "client_reference_id";

/// The reference as an attribute of `<stripe-buy-button>` and `<stripe-pricing-table>`.
pub const ATTRIBUTE: &str = "client-reference-id";

/// Whose a reference is, and so what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// There is none, or an older click's: the click's ID is to be written.
    Free,
    /// A click's, and it stays: this click's own, or another's that came first.
    Ours,
    /// The merchant's. It stays.
    Merchant,
}

impl Reference {
    /// Judges the value found where a reference belongs; a missing one counts as empty.
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
        // Nothing is percent-encoded here, so what looks so is no ID.
        if found.is_empty() || is_raw_id(found.as_bytes()) {
            Self::judge_value(Decoded(found.as_bytes()), Decoded(id.as_str().as_bytes()), model)
        } else {
            Self::Merchant
        }
    }

    /// [`Self::judge`] in bytes.
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

/// The metadata to give a Checkout Session or subscription: the click under the dialect's key, and the merchant's
/// own ID of the customer, where there is one, under [`CUSTOMER_KEY`].
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

/// All metadata keys that may hold a click ID, in reading order.
pub fn metadata_keys() -> impl Iterator<Item = &'static str> {
    dialect::ALL.iter().flat_map(|dialect| dialect.metadata_keys).copied()
}

/// The click IDs in a metadata map, in reading order, each with its key. Which of them counts is for the store to
/// say: the first that resolves to a click.
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
