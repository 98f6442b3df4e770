//! How much a base earns.

use crate::money::{Currency, share_half_up};
use crate::program::CommissionRule;

/// Basis points in a whole.
const WHOLE_BPS: i64 = 10_000;

/// An amount earned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earned {
    /// Minor units; zero or more.
    pub amount_minor: i64,
    /// The sale's currency for a percentage, the rule's for a fixed amount.
    pub currency: Currency,
    /// Whether a fixed amount was limited to the base.
    pub capped: bool,
}

/// The commission that a rule gives for a base. A percentage is rounded half up; a fixed amount is limited to
/// the base if the rule requires it and both are in the same currency.
///
/// # Examples
/// ```
/// use trac_core::commission::terms::earned;
/// use trac_core::money::Currency;
/// use trac_core::program::CommissionRule;
///
/// let usd = Currency::parse("usd")?;
/// assert_eq!(earned(CommissionRule::Percentage { rate_bps: 725 }, 1_999, usd).amount_minor, 145);
/// let fixed = CommissionRule::Fixed { amount_minor: 500, currency: usd, cap_at_sale: true };
/// assert_eq!(earned(fixed, 300, usd).amount_minor, 300);
/// # Ok::<(), trac_core::money::ParseCurrencyError>(())
/// ```
#[must_use]
pub fn earned(rule: CommissionRule, base_minor: i64, sale_currency: Currency) -> Earned {
    match rule {
        CommissionRule::Percentage { rate_bps } => Earned {
            amount_minor: share_half_up(base_minor, i64::from(rate_bps), WHOLE_BPS).max(0),
            currency: sale_currency,
            capped: false,
        },
        CommissionRule::Fixed { amount_minor, currency, cap_at_sale } => {
            let capped = cap_at_sale && currency == sale_currency && amount_minor > base_minor;
            let amount_minor = if capped { base_minor } else { amount_minor };
            Earned { amount_minor: amount_minor.max(0), currency, capped }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_amount_is_capped_only_if_the_rule_requires_it_and_the_currencies_match() {
        let currency = |code| Currency::parse(code).unwrap();
        let check = |(amount_minor, code, cap_at_sale), base, want: (i64, bool)| {
            let rule = CommissionRule::Fixed { amount_minor, currency: currency(code), cap_at_sale };
            let got = earned(rule, base, currency("usd"));
            assert_eq!((got.amount_minor, got.capped, got.currency), (want.0, want.1, currency(code)));
        };
        check((500, "usd", true), 501, (500, false));
        check((500, "usd", true), 500, (500, false));
        check((500, "usd", true), 499, (499, true));
        check((500, "usd", false), 499, (500, false));
        check((500, "eur", true), 499, (500, false));
        check((-500, "usd", true), 499, (0, false));
    }
}
