//! [`Lead`]: a visitor who signed up.

use serde_json::{Map, Value, json};

/// A visitor who signed up, asked for a demo or began a trial.
///
/// There is one lead for each customer and event name: a repeat returns the result of the first.
///
/// End a literal with `..Lead::new(…)`, as below: fields may be added in later versions.
///
/// # Wire form
/// The body of `POST /api/track/lead`, with the names of the fields in camel case; `deferred` is `"mode": "deferred"`.
///
/// # Examples
/// ```
/// use trac_sdk::client::Lead;
///
/// let lead = Lead {
///     click_id: Some("clk_1760000000_0123456789abcdef".to_owned()),
///     customer_email: Some("paula@example.org".to_owned()),
///     ..Lead::new("Sign up", "user_17")
/// };
/// assert_eq!(lead.event_name, "Sign up");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lead {
    /// What the customer did, in your own words: 1 to 100 characters.
    pub event_name: String,
    /// Your own ID of the customer, 1 to 255 characters: the one that Stripe's metadata has under
    /// `tracCustomerExternalId`.
    pub customer_external_id: String,
    /// The ID of the click that brought the customer, as [`get_click_id`](crate::get_click_id) returns it. A
    /// text that is not a click ID is ignored.
    pub click_id: Option<String>,
    /// The customer's e-mail address, at most 254 characters.
    pub customer_email: Option<String>,
    /// The customer's name, at most 255 characters.
    pub customer_name: Option<String>,
    /// Data of your own that is stored with the lead: at most 8,192 bytes of JSON.
    pub metadata: Map<String, Value>,
    /// Whether the lead only ties the customer to the click, and earns nothing until it is reported as not deferred.
    pub deferred: bool,
}

impl Lead {
    /// A lead with its two required fields.
    #[must_use]
    pub fn new(event_name: &str, customer_external_id: &str) -> Self {
        Self {
            event_name: event_name.to_owned(),
            customer_external_id: customer_external_id.to_owned(),
            ..Self::default()
        }
    }

    pub(super) fn body(&self) -> Value {
        let mut body = json!({
            "eventName": self.event_name,
            "customerExternalId": self.customer_external_id,
            "clickId": self.click_id,
            "customerEmail": self.customer_email,
            "customerName": self.customer_name,
            "metadata": self.metadata,
        });
        if let (true, Some(object)) = (self.deferred, body.as_object_mut()) {
            object.insert("mode".to_owned(), "deferred".into());
        }
        body
    }
}
