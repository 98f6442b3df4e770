//! [`Conversion`]: a payment that the merchant reports.

use serde_json::{Value, json};

/// A payment that you report.
///
/// A transaction is reported once. A repeat may only add an amount, a click or a customer that the first report lacked;
/// see [`Reported`](super::Reported).
///
/// End a literal with `..Conversion::new(…)`, as below: fields may be added in later versions.
///
/// # Wire form
/// The body of `POST /api/v1/conversions`, with the same names; `amount` is `amount_cents` and `currency`.
///
/// # Examples
/// ```
/// use trac_sdk::client::Conversion;
///
/// let sale = Conversion {
///     amount: Some((4_900, "usd".to_owned())), // 49.00 USD
///     click_id: Some("clk_1760000000_0123456789abcdef".to_owned()),
///     customer_email: Some("paula@example.org".to_owned()),
///     ..Conversion::new("order_17", "purchase")
/// };
/// assert_eq!(sale.external_transaction_id, "order_17");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversion {
    /// Your own ID of the transaction, 1 to 255 characters, or Stripe's (`cs_`, `pi_`, `ch_`, `in_`): then the
    /// report joins that payment, and Stripe's amount replaces yours.
    pub external_transaction_id: String,
    /// What was bought or done, in your own words: 1 to 100 characters.
    pub event_type: String,
    /// The amount in minor units (cents for USD, whole yen for JPY), from 0 to twelve digits, and the ISO 4217
    /// code of its currency in any case, such as `usd`.
    pub amount: Option<(i64, String)>,
    /// The ID of the click that brought the customer, as [`get_click_id`](crate::get_click_id) returns it. A
    /// text that is not a click ID is ignored.
    pub click_id: Option<String>,
    /// A partner's code, in any case, or a promotion code of a partner. Used only if there is no `click_id`.
    pub promo_code: Option<String>,
    /// Your own ID of the customer, 1 to 255 characters.
    pub customer_external_id: Option<String>,
    /// The customer's e-mail address, 1 to 254 characters. Used to recognise a partner's own purchase.
    pub customer_email: Option<String>,
    /// When it happened, in RFC 3339, such as `2026-11-21T08:00:00Z`, and not in the future. If this is `None`,
    /// the time of the report is used.
    pub occurred_at: Option<String>,
}

impl Conversion {
    /// A conversion with its two required fields.
    #[must_use]
    pub fn new(external_transaction_id: &str, event_type: &str) -> Self {
        Self {
            external_transaction_id: external_transaction_id.to_owned(),
            event_type: event_type.to_owned(),
            ..Self::default()
        }
    }

    pub(super) fn body(&self) -> Value {
        let (amount, currency) = self.amount.clone().unzip();
        json!({
            "external_transaction_id": self.external_transaction_id,
            "event_type": self.event_type,
            "amount_cents": amount,
            "currency": currency,
            "click_id": self.click_id,
            "promo_code": self.promo_code,
            "customer_external_id": self.customer_external_id,
            "customer_email": self.customer_email,
            "occurred_at": self.occurred_at,
        })
    }
}
