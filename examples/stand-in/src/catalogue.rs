//! The merchant's catalogue: products, prices, and the Payment Links, Buy Buttons and Pricing Tables that
//! offer them.

use serde::Serialize;

/// A product.
#[derive(Clone, Debug, Serialize)]
pub struct Product {
    /// `prod_…`
    pub id: String,
    /// The name shown to buyers.
    pub name: String,
    /// One line under the name.
    pub description: String,
}

/// A price, paid once or at each interval.
#[derive(Clone, Debug, Serialize)]
pub struct Price {
    /// `price_…`
    pub id: String,
    /// The product.
    pub product: Product,
    /// The amount, in minor units of `currency`.
    pub amount_minor: i64,
    /// The currency code, in lower case.
    pub currency: String,
    /// `month` or `year` for a subscription.
    pub interval: Option<String>,
}

/// A Payment Link: one path segment on `buy.stripe.com`.
#[derive(Clone, Debug)]
pub(crate) struct PaymentLink {
    pub(crate) id: &'static str,
    pub(crate) slug: &'static str,
    pub(crate) price: Price,
}

/// Everything for sale in the demo.
#[derive(Clone, Debug)]
pub struct Catalogue {
    links: Vec<PaymentLink>,
}

impl Catalogue {
    /// The tea shop of `examples/payment-link`.
    #[must_use]
    pub fn tea_shop() -> Self {
        let links = vec![
            link("plink_teachest", "test_teachest", "Tea chest", "Twelve teas in a cedar box", 4_800, None),
            link("plink_giftbox", "test_giftbox", "Gift box", "Two tins and a whisk", 3_200, None),
            link(
                "plink_teaclub",
                "test_teaclub",
                "Tea club",
                "Three teas, every month",
                1_800,
                Some("month"),
            ),
            link(
                "plink_grandclub",
                "test_grandclub",
                "Grand tea club",
                "Six teas, every month",
                3_000,
                Some("month"),
            ),
        ];
        Self { links }
    }

    pub(crate) fn by_slug(&self, slug: &str) -> Option<&PaymentLink> {
        self.links.iter().find(|link| link.slug == slug)
    }

    pub(crate) fn price(&self, id: &str) -> Option<&Price> {
        self.links.iter().map(|link| &link.price).find(|price| price.id == id)
    }

    /// The offer of a Buy Button.
    pub(crate) fn buy_button(&self, id: &str) -> Option<&PaymentLink> {
        (id == "buy_btn_giftbox").then(|| self.by_slug("test_giftbox")).flatten()
    }

    /// The offers of a Pricing Table, in order.
    pub(crate) fn pricing_table(&self, id: &str) -> Vec<&PaymentLink> {
        let offered = id == "prctbl_teaclub";
        self.links.iter().filter(|link| offered && link.price.interval.is_some()).collect()
    }
}

fn link(
    id: &'static str,
    slug: &'static str,
    name: &str,
    description: &str,
    amount_minor: i64,
    interval: Option<&str>,
) -> PaymentLink {
    let suffix = slug.strip_prefix("test_").unwrap_or(slug);
    let product =
        Product { id: format!("prod_{suffix}"), name: name.to_owned(), description: description.to_owned() };
    let price = Price {
        id: format!("price_{suffix}"),
        product,
        amount_minor,
        currency: "usd".to_owned(),
        interval: interval.map(str::to_owned),
    };
    PaymentLink { id, slug, price }
}
