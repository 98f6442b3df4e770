//! Promotion codes that a buyer entered for a discount, on a Checkout Session or an invoice.
//!
//! A session names them in `discounts[].promotion_code`, an invoice up to 2025-02-24.acacia in
//! `discount.promotion_code`; later invoices name their discounts only by ID, unless expanded. Source:
//! <https://docs.stripe.com/billing/subscriptions/coupons>.

use alloc::collections::BTreeSet;
use alloc::string::String;

use super::field::Fields;

/// The codes of a session or an invoice, normalised by [`normal`]: Stripe's ID of each, and the code itself
/// if it is expanded.
pub(super) fn read(fields: Fields<'_>) -> BTreeSet<String> {
    let breakdown = fields.object("total_details").and_then(|details| details.object("breakdown"));
    let listed = [fields.list("discounts"), breakdown.and_then(|breakdown| breakdown.list("discounts"))];
    let nested = |discount: Fields<'_>| read_one(discount.object("discount").unwrap_or(discount));
    let listed = listed.into_iter().flatten().flatten().flat_map(nested);
    let alone = fields.object("discount").into_iter().flat_map(read_one);
    listed.chain(alone).flatten().collect()
}

fn read_one(discount: Fields<'_>) -> [Option<String>; 2] {
    let code = discount.object("promotion_code").and_then(|expanded| expanded.text("code"));
    [discount.id("promotion_code"), code].map(|code| normal(code?))
}

/// Normalises a promotion code: Stripe's ID (`promo_…`) unchanged, a code in capitals, because buyers type it
/// in any case. `None` for a text that can be neither.
///
/// # Wire form
/// 1 to 100 letters, digits, hyphens and underscores.
///
/// # Examples
/// ```
/// use trac_core::webhook::promotion::normal;
///
/// assert_eq!(normal("promo_1Abc").as_deref(), Some("promo_1Abc"));
/// assert_eq!(normal("Ada-20").as_deref(), Some("ADA-20"));
/// assert_eq!(normal("20 % off"), None);
/// ```
#[must_use]
pub fn normal(text: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !(1..=100).contains(&text.len()) || !text.bytes().all(plain) {
        return None;
    }
    Some(if text.starts_with("promo_") { text.into() } else { text.to_ascii_uppercase() })
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_code_is_found_in_every_shape() {
        let check = |object: Value, want: &[&str]| {
            let found = read(Fields(object.as_object().unwrap()));
            assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), want, "{object}");
        };
        check(json!({"discounts": [{"coupon": null, "promotion_code": "promo_1"}]}), &["promo_1"]);
        check(
            json!({"discounts": [{"promotion_code": {"id": "promo_1", "code": "Ada20"}}, {"promotion_code": "promo_2"}]}),
            &["ADA20", "promo_1", "promo_2"],
        );
        check(json!({"discount": {"id": "di_1", "promotion_code": "promo_1"}}), &["promo_1"]);
        check(json!({"discounts": [{"id": "di_1", "promotion_code": "promo_1"}]}), &["promo_1"]);
        let breakdown = json!({"discounts": [{"amount": 1, "discount": {"promotion_code": "promo_1"}}]});
        check(json!({"total_details": {"breakdown": breakdown}}), &["promo_1"]);
        // Discounts named only by ID, by coupon, or not at all.
        check(json!({"discounts": ["di_1"], "discount": null}), &[]);
        check(json!({"discounts": [{"coupon": "SUMMER", "promotion_code": null}]}), &[]);
        check(json!({"discounts": null}), &[]);
        check(json!({"discount": {"promotion_code": "a b"}}), &[]);
    }
}
