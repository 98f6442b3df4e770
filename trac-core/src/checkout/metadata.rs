//! The fields of a Checkout Session that attribute its payment to the click.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::iter;

use super::reference;
use crate::click::{ClickId, dialect};

/// The fields that carry a click into Stripe.
///
/// # Wire form
/// Names and values as Stripe's API accepts them in a form body: `client_reference_id`,
/// `metadata[tracClickId]`, `metadata[tracCustomerExternalId]`; for subscriptions the same metadata under
/// `subscription_data`. Source: <https://docs.stripe.com/api/checkout/sessions/create>.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StripeMetadata {
    click_id: ClickId,
    customer_external_id: Option<String>,
}

/// The most characters that Stripe accepts in a metadata value (<https://docs.stripe.com/api/metadata>).
const VALUE_MAX: usize = 500;

/// The metadata for a Checkout Session: the click, and the merchant's own ID of the customer if there is one.
///
/// With the customer's ID, a later payment of the same customer is attributed without a click. An ID that
/// Stripe would reject (empty, or longer than 500 characters) is left out, so that the session is still
/// created.
///
/// # Examples
/// ```
/// use trac_core::checkout::metadata::stripe_metadata;
/// use trac_core::click::ClickId;
///
/// let click = ClickId::parse("clk_1764000000_0000000000c0ffee")?;
/// let metadata = stripe_metadata(&click, Some("user_17"));
/// let fields: Vec<_> = metadata.session_fields().collect();
/// assert_eq!(fields, [
///     ("client_reference_id".to_owned(), "clk_1764000000_0000000000c0ffee"),
///     ("metadata[tracClickId]".to_owned(), "clk_1764000000_0000000000c0ffee"),
///     ("metadata[tracCustomerExternalId]".to_owned(), "user_17"),
/// ]);
/// assert_eq!(stripe_metadata(&click, Some("")).pairs().count(), 1);
/// # Ok::<(), trac_core::click::ParseClickIdError>(())
/// ```
#[must_use]
pub fn stripe_metadata(click: &ClickId, customer_external_id: Option<&str>) -> StripeMetadata {
    let fits = |id: &&str| (1..=VALUE_MAX).contains(&id.chars().count());
    let customer_external_id = customer_external_id.filter(fits).map(ToOwned::to_owned);
    StripeMetadata { click_id: click.clone(), customer_external_id }
}

impl StripeMetadata {
    /// The value for `client_reference_id`.
    #[must_use]
    pub fn client_reference_id(&self) -> &str {
        self.click_id.as_str()
    }

    /// Keys and values for the `metadata` of any Stripe object.
    pub fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        reference::metadata(&dialect::TRAC, &self.click_id, self.customer_external_id.as_deref())
    }

    /// Form fields for a Checkout Session of any mode.
    pub fn session_fields(&self) -> impl Iterator<Item = (String, &str)> {
        let reference = (reference::PARAMETER.to_owned(), self.click_id.as_str());
        let metadata = self.pairs().map(|(key, value)| (format!("metadata[{key}]"), value));
        iter::once(reference).chain(metadata)
    }

    /// Form fields to add if the session's mode is `subscription`, so that renewals name the click
    /// themselves.
    pub fn subscription_fields(&self) -> impl Iterator<Item = (String, &str)> {
        self.pairs().map(|(key, value)| (format!("subscription_data[metadata][{key}]"), value))
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn a_customer_that_stripe_would_refuse_is_left_out() {
        let click = ClickId::new(1, 2);
        let check = |customer: Option<&str>, want: usize| {
            assert_eq!(stripe_metadata(&click, customer).pairs().count(), want, "{customer:?}");
        };
        check(None, 1);
        check(Some("user_17"), 2);
        check(Some(&"ä".repeat(500)), 2);
        check(Some(&"ä".repeat(501)), 1);
        check(Some(""), 1);
    }

    #[test]
    fn subscription_fields_carry_the_click() {
        let metadata = stripe_metadata(&ClickId::new(1, 2), None);
        let fields: Vec<_> = metadata.subscription_fields().map(|(name, _)| name).collect();
        assert_eq!(fields, ["subscription_data[metadata][tracClickId]"]);
    }
}
