//! A customer token, with which a merchant's server vouches for the customer that a page reports.
//!
//! Anyone can report a lead with the publishable key in a page. A token shows that the merchant's own server
//! knows the customer, so the lead counts as reported by the merchant.

use alloc::string::String;

use super::signature::{Unverified, VerifyError, sign};
use crate::time::{DAY_SECS, Timestamp};

/// The largest age of a token, in seconds.
pub const MAX_AGE_SECS: i64 = DAY_SECS;

/// The largest time by which a token may be dated in the future, in seconds, because clocks differ.
pub const MAX_AHEAD_SECS: i64 = 300;

/// Why a token is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CustomerTokenError {
    /// It is not of the form `t=…,v1=…`.
    #[error("must be of the form t=<unix seconds>,v1=<64 hex digits>")]
    Malformed,
    /// It was made with another secret, for another customer, or with another time than its `t`.
    #[error(
        "does not match: it must be made with the token secret of the same publishable key, for the same \
         customerExternalId"
    )]
    NoMatch,
    /// It was made more than 24 hours ago.
    #[error("is more than 24 hours old: make a new one for each page")]
    TooOld,
    /// It is dated more than 300 seconds in the future.
    #[error("is more than 300 seconds in the future: check the clock of the server that made it")]
    InTheFuture,
}

/// Makes a customer's token for a page.
///
/// # Wire form
/// `t=<unix seconds>,v1=<64 hex>`: HMAC-SHA256 over `<t>.<customer>`, keyed with the whole text of the secret.
///
/// # Examples
/// ```
/// use trac_core::time::Timestamp;
/// use trac_core::webhook::customer_token::{CustomerTokenError, customer_token, verify};
///
/// let now = Timestamp::from_unix_secs(1_760_000_000);
/// let token = customer_token("user_17", "ts_test_secret", now);
/// assert_eq!(
///     token,
///     "t=1760000000,v1=633b2bd5ddc4318193316cf109233bb92c2c9e9e79bb76befc5877b0ef309004"
/// );
/// assert_eq!(verify(&token, "user_17", "ts_test_secret", now), Ok(()));
/// assert_eq!(verify(&token, "user_18", "ts_test_secret", now), Err(CustomerTokenError::NoMatch));
/// ```
#[must_use]
pub fn customer_token(customer: &str, secret: &str, now: Timestamp) -> String {
    sign(customer.as_bytes(), secret, now)
}

/// Checks a token against the customer sent with it: the signature first, then the time.
///
/// A token of exactly [`MAX_AGE_SECS`] passes, and so does one of exactly [`MAX_AHEAD_SECS`] from now.
///
/// # Errors
/// See [`CustomerTokenError`].
pub fn verify(token: &str, customer: &str, secret: &str, now: Timestamp) -> Result<(), CustomerTokenError> {
    let signed = Unverified::new(token, customer.as_bytes()).signed_at([secret]);
    let at = signed.map_err(|error| match error {
        VerifyError::MalformedHeader => CustomerTokenError::Malformed,
        _ => CustomerTokenError::NoMatch,
    })?;
    if now.secs_since(at) > MAX_AGE_SECS {
        Err(CustomerTokenError::TooOld)
    } else if at.secs_since(now) > MAX_AHEAD_SECS {
        Err(CustomerTokenError::InTheFuture)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    const NOW: i64 = 1_760_000_000;
    const SECRET: &str = "ts_test_secret";

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_unix_secs(secs)
    }

    #[test]
    fn a_token_is_the_hmac_of_time_dot_customer() {
        // The output of `printf '%s' "$t.$customer" | openssl dgst -sha256 -hmac "$secret"`.
        let check = |customer: &str, secret: &str, t: i64, known: &str| {
            let token = customer_token(customer, secret, at(t));
            assert_eq!(token, format!("t={t},v1={known}"), "{customer}");
            assert_eq!(verify(&token, customer, secret, at(t)), Ok(()), "{customer}");
        };
        check("user_17", SECRET, NOW, "633b2bd5ddc4318193316cf109233bb92c2c9e9e79bb76befc5877b0ef309004");
        check("user_17", SECRET, NOW + 1, "d801d677895235ceb5ad981b7e90194f2d04547e84e43a3200afcfd3d57846f5");
        check(
            "user_17",
            "ts_live_other",
            NOW,
            "1999304c7ed6a6b3c0b9deb714369d8bcfae13fb3ace06f3e328a884ec80ebaa",
        );
        check(
            "Zoë Müller / 5.0",
            SECRET,
            NOW,
            "d088b407c53eb28a78f7631b2c73a4f4a990e5cdc2aeeb2c5dfe650ff426fdf7",
        );
        check("0.1", SECRET, 0, "2d3b78ac096c6a464f262faf53c8da6ae3da79e6557d14721eef63bc3efaf7ce");
    }

    #[test]
    fn a_token_is_good_for_24_hours_and_300_seconds_ahead() {
        let token = customer_token("user_17", SECRET, at(NOW));
        let check = |now, want| assert_eq!(verify(&token, "user_17", SECRET, at(now)), want, "{now}");
        check(NOW + 86_400, Ok(()));
        check(NOW + 86_401, Err(CustomerTokenError::TooOld));
        check(NOW - 300, Ok(()));
        check(NOW - 301, Err(CustomerTokenError::InTheFuture));
        check(i64::MAX, Err(CustomerTokenError::TooOld));
        check(i64::MIN, Err(CustomerTokenError::InTheFuture));
    }

    #[test]
    fn a_token_for_another_customer_time_or_secret_does_not_match() {
        let good = customer_token("user_17", SECRET, at(NOW));
        let hex = good.split_once(",v1=").unwrap().1;
        let check = |token: &str, customer: &str, secret: &str, want| {
            let token = token.replace("HEX", hex);
            assert_eq!(verify(&token, customer, secret, at(NOW)), want, "{token} {customer}");
        };
        let (no_match, malformed) = (Err(CustomerTokenError::NoMatch), Err(CustomerTokenError::Malformed));
        check("t=1760000000,v1=HEX", "user_17", SECRET, Ok(()));
        check("t=1760000000,v1=HEX", "user_1", SECRET, no_match);
        check("t=1760000000,v1=HEX", "user_17 ", SECRET, no_match);
        check("t=1760000000,v1=HEX", "", SECRET, no_match);
        check("t=1760000000,v1=HEX", "user_17", "ts_test_secres", no_match);
        check("t=1760000000,v1=HEX", "user_17", "", no_match);
        check("t=1760000001,v1=HEX", "user_17", SECRET, no_match);
        check("t=176000000,v1=HEX", "0.user_17", SECRET, no_match);
        check("HEX", "user_17", SECRET, malformed);
        check("v1=HEX", "user_17", SECRET, malformed);
        check("t=1760000000", "user_17", SECRET, malformed);
        check("t=1760000000,v1=HE", "user_17", SECRET, malformed);
        check("t=1760000000,t=1760000000,v1=HEX", "user_17", SECRET, malformed);
        check("t=-1,v1=HEX", "user_17", SECRET, malformed);
        check("", "user_17", SECRET, malformed);
    }
}
