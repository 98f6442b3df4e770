//! A Checkout Session: the price, and the references that the merchant's page or server passed.

use serde_json::{Map, Value, json};

use crate::catalogue::{PaymentLink, Price, Product};
use crate::chance::{now, stripe_id};
use crate::form;
use crate::refusal::Refusal;

/// One visit to the hosted payment page.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) price: Price,
    pub(crate) quantity: i64,
    pub(crate) payment_link: Option<String>,
    pub(crate) client_reference_id: Option<String>,
    pub(crate) customer_email: Option<String>,
    pub(crate) metadata: Map<String, Value>,
    pub(crate) subscription_metadata: Map<String, Value>,
    pub(crate) payment_intent_metadata: Map<String, Value>,
    pub(crate) success_url: Option<String>,
    pub(crate) created: i64,
    /// Set by the payment.
    pub(crate) completion: Option<Completion>,
}

/// The result of a session's payment.
#[derive(Clone, Debug)]
pub(crate) struct Completion {
    pub(crate) email: String,
    pub(crate) payment_intent: Option<String>,
    pub(crate) invoice: Option<String>,
    pub(crate) subscription: Option<String>,
    pub(crate) customer: Option<String>,
}

impl Session {
    /// A visit to a Payment Link. As on Stripe's own page, a reference with characters other than letters,
    /// digits, `-` and `_`, or longer than 200, is dropped silently.
    /// Source: <https://docs.stripe.com/payment-links/url-parameters>.
    pub(crate) fn of_link(link: &PaymentLink, query: &Value, success_url: Option<String>) -> Self {
        Self {
            payment_link: Some(link.id.to_owned()),
            client_reference_id: form::text(query, "/client_reference_id")
                .filter(|text| is_reference(text))
                .map(str::to_owned),
            customer_email: form::text(query, "/prefilled_email").map(str::to_owned),
            success_url,
            ..Self::new(link.price.clone())
        }
    }

    /// `POST /v1/checkout/sessions`.
    pub(crate) fn of_api(form: &Value, find_price: impl Fn(&str) -> Option<Price>) -> Result<Self, Refusal> {
        let price = price_of(form, find_price)?;
        let mode = form::text(form, "/mode")
            .ok_or_else(|| Refusal::parameter("mode", "Missing required param: mode."))?;
        match (mode, price.interval.is_some()) {
            ("payment", false) | ("subscription", true) => {}
            ("payment", true) => {
                let message = "You specified `payment` mode but passed a recurring price.";
                return Err(Refusal::parameter("mode", message));
            }
            ("subscription", false) => {
                let message = "You must provide at least one recurring price in `subscription` mode.";
                return Err(Refusal::parameter("mode", message));
            }
            _ => return Err(Refusal::parameter("mode", "Invalid mode: must be payment or subscription")),
        }
        let quantity = match form::text(form, "/line_items/0/quantity") {
            None => 1,
            Some(text) => positive(text, "line_items[0][quantity]")?,
        };
        let success_url = form::text(form, "/success_url")
            .ok_or_else(|| Refusal::parameter("success_url", "Missing required param: success_url."))?;
        Ok(Self {
            quantity,
            client_reference_id: form::text(form, "/client_reference_id").map(str::to_owned),
            customer_email: form::text(form, "/customer_email").map(str::to_owned),
            metadata: form::object(form, "/metadata"),
            subscription_metadata: form::object(form, "/subscription_data/metadata"),
            payment_intent_metadata: form::object(form, "/payment_intent_data/metadata"),
            success_url: Some(success_url.to_owned()),
            ..Self::new(price)
        })
    }

    fn new(price: Price) -> Self {
        Self {
            id: stripe_id("cs_test_a1", 56),
            price,
            quantity: 1,
            payment_link: None,
            client_reference_id: None,
            customer_email: None,
            metadata: Map::new(),
            subscription_metadata: Map::new(),
            payment_intent_metadata: Map::new(),
            success_url: None,
            created: now(),
            completion: None,
        }
    }

    pub(crate) fn amount_minor(&self) -> i64 {
        self.price.amount_minor.saturating_mul(self.quantity)
    }

    pub(crate) fn is_subscription(&self) -> bool {
        self.price.interval.is_some()
    }

    /// Where the buyer is redirected afterwards, with the ID filled into the merchant's URL as Stripe does.
    pub(crate) fn success_address(&self) -> Option<String> {
        self.success_url.as_ref().map(|url| url.replace("{CHECKOUT_SESSION_ID}", &self.id))
    }

    /// The object in the API and in `checkout.session.completed`. `url` is null once it is paid.
    pub(crate) fn object(&self, url: Option<&str>) -> Value {
        let done = self.completion.as_ref();
        let mode = if self.is_subscription() { "subscription" } else { "payment" };
        json!({
            "id": self.id,
            "object": "checkout.session",
            "adaptive_pricing": {"enabled": false},
            "after_expiration": null,
            "allow_promotion_codes": false,
            "amount_subtotal": self.amount_minor(),
            "amount_total": self.amount_minor(),
            "automatic_tax": {"enabled": false, "liability": null, "provider": null, "status": null},
            "billing_address_collection": "auto",
            "cancel_url": null,
            "client_reference_id": self.client_reference_id,
            "client_secret": null,
            "collected_information":
                {"business_name": null, "individual_name": null, "shipping_details": null},
            "consent": null,
            "created": self.created,
            "currency": self.price.currency,
            "currency_conversion": null,
            "custom_fields": [],
            "customer": done.and_then(|done| done.customer.clone()),
            "customer_account": null,
            "customer_creation": if self.is_subscription() { "always" } else { "if_required" },
            "customer_details": done.map(|done| customer_details(&done.email)),
            "customer_email": self.customer_email,
            "discounts": [],
            "expires_at": self.created.saturating_add(86_400),
            "invoice": done.and_then(|done| done.invoice.clone()),
            "invoice_creation":
                if self.is_subscription() { Value::Null } else { json!({"enabled": false}) },
            "livemode": false,
            "locale": "auto",
            "metadata": self.metadata,
            "mode": mode,
            "payment_intent": done.and_then(|done| done.payment_intent.clone()),
            "payment_link": self.payment_link,
            "payment_method_types": ["card"],
            "payment_status": if done.is_some() { "paid" } else { "unpaid" },
            "setup_intent": null,
            "shipping_cost": null,
            "shipping_options": [],
            "status": if done.is_some() { "complete" } else { "open" },
            "submit_type": "auto",
            "subscription": done.and_then(|done| done.subscription.clone()),
            "success_url": self.success_url,
            "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
            "ui_mode": "hosted_page",
            "url": url,
            "wallet_options": null,
        })
    }
}

fn customer_details(email: &str) -> Value {
    json!({
        "address": {"city": null, "country": "US", "line1": null, "line2": null, "postal_code": "94107",
            "state": null},
        "business_name": null, "email": email, "individual_name": null, "name": "Ada Buyer", "phone": null,
        "tax_exempt": "none", "tax_ids": [],
    })
}

fn is_reference(text: &str) -> bool {
    text.len() <= 200 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn positive(text: &str, param: &'static str) -> Result<i64, Refusal> {
    let number = text.parse::<i64>().ok().filter(|number| *number > 0);
    number.ok_or_else(|| Refusal::parameter(param, "This value must be a positive integer."))
}

/// The first line item: a price of the catalogue by ID, or one given inline.
fn price_of(form: &Value, find_price: impl Fn(&str) -> Option<Price>) -> Result<Price, Refusal> {
    if let Some(id) = form::text(form, "/line_items/0/price") {
        return find_price(id).ok_or_else(|| Refusal::not_found("price", id));
    }
    let field = |name: &str| form::text(form, &format!("/line_items/0/price_data/{name}"));
    let amount = field("unit_amount").ok_or_else(|| {
        let message = "Missing required param: line_items[0][price_data][unit_amount].";
        Refusal::parameter("line_items[0][price_data][unit_amount]", message)
    })?;
    let currency = field("currency").filter(|code| code.len() == 3).ok_or_else(|| {
        Refusal::parameter("line_items[0][price_data][currency]", "Invalid currency: three letters.")
    })?;
    let name = field("product_data/name").ok_or_else(|| {
        let message = "Missing required param: line_items[0][price_data][product_data][name].";
        Refusal::parameter("line_items[0][price_data][product_data][name]", message)
    })?;
    Ok(Price {
        id: stripe_id("price_1", 23),
        product: Product {
            id: stripe_id("prod_", 14),
            name: name.to_owned(),
            description: field("product_data/description").unwrap_or_default().to_owned(),
        },
        amount_minor: positive(amount, "line_items[0][price_data][unit_amount]")?,
        currency: currency.to_ascii_lowercase(),
        interval: field("recurring/interval").map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;

    fn session(query: &str) -> Session {
        let catalogue = Catalogue::tea_shop();
        Session::of_link(catalogue.by_slug("test_teachest").unwrap(), &form::parse(query.as_bytes()), None)
    }

    #[test]
    fn a_reference_is_accepted_or_dropped_as_by_stripe() {
        let check = |query: &str, want: Option<&str>| {
            assert_eq!(session(query).client_reference_id.as_deref(), want, "{query}");
        };
        check("client_reference_id=clk_1700000000_0123456789abcdef", Some("clk_1700000000_0123456789abcdef"));
        check("client_reference_id=", None);
        check("client_reference_id=a%40b", None);
        check(&format!("client_reference_id={}", "a".repeat(201)), None);
        check("", None);
    }

    #[test]
    fn a_session_of_the_api_requires_its_parameters() {
        let check = |body: &str, want: Option<&str>| {
            let outcome = Session::of_api(&form::parse(body.as_bytes()), |_| None);
            let param = match outcome {
                Err(Refusal::Parameter { param, .. }) => Some(param),
                _ => None,
            };
            assert_eq!(param, want, "{body}");
        };
        let item = "line_items[0][price_data][unit_amount]=500&line_items[0][price_data][currency]=USD\
                    &line_items[0][price_data][product_data][name]=Tea";
        check("mode=payment", Some("line_items[0][price_data][unit_amount]"));
        check(item, Some("mode"));
        check(&format!("{item}&mode=payment"), Some("success_url"));
        check(&format!("{item}&mode=subscription&success_url=http://x/"), Some("mode"));
        check(&format!("{item}&mode=payment&success_url=http://x/"), None);
    }
}
