//! What becomes of one place on the page that leads to Stripe.
//!
//! Each question is answered with one text: empty where the place has nothing to do with a checkout, `=` where it is
//! as it should be, `!` and a reason where something of the merchant's is respected, else the new value.

use alloc::string::String;

use trac_core::checkout::link::{self, Decision, decorate};
use trac_core::checkout::reference::Reference;
use trac_core::click::ClickId;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::settings::Settings;
use crate::{click, settings};

/// Said of a place that is as it should be.
const SETTLED: &str = "=";

/// Said where the merchant's own reference stays.
const MERCHANT_REFERENCE: &str = "!merchant_reference";

/// A URL on its way: the `href` of a link, the `action` of a form that posts, the first argument of
/// `window.open`.
#[wasm_bindgen]
#[must_use]
pub fn link(url: &str) -> String {
    settings::with(|settings| {
        let id = click::current();
        match decorate(url, id.as_ref(), settings.model, &settings.stripe_domains) {
            Decision::Decorated(decorated) => decorated,
            Decision::MerchantReference => String::from(MERCHANT_REFERENCE),
            Decision::NotAPaymentLink => id.and_then(|id| outbound(url, &id, settings)).unwrap_or_default(),
            Decision::AlreadyOurs | Decision::NoClick => String::from(SETTLED),
        }
    })
    .unwrap_or_default()
}

/// The reference of a Buy Button, a Pricing Table (`action` is empty) or a form that GETs a Payment Link, where the
/// query of the action is dropped and a hidden field takes its place; `found` is the value there now.
#[wasm_bindgen]
#[must_use]
pub fn reference(action: &str, found: &str) -> String {
    settings::with(|settings| {
        if !action.is_empty() && !link::is_payment_link(action, &settings.stripe_domains) {
            return None;
        }
        let Some(id) = click::current() else { return Some(String::from(SETTLED)) };
        match Reference::judge(found, &id, settings.model) {
            Reference::Free => Some(id.into_string()),
            Reference::Ours => Some(String::from(SETTLED)),
            Reference::Merchant => Some(String::from(MERCHANT_REFERENCE)),
        }
    })
    .flatten()
    .unwrap_or_default()
}

/// A link to another site of the merchant's takes the click along.
fn outbound(url: &str, id: &ClickId, settings: &Settings) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    let named = |domain: &str| {
        let domain = domain.trim();
        !domain.is_empty() && host.eq_ignore_ascii_case(domain)
    };
    let is_ours = scheme.starts_with("http") && settings.outbound_domains.split(',').any(named);
    is_ours.then(|| click::carried(url, id, settings)).flatten()
}
