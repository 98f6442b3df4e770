//! The restricted key with which trac requests data from Stripe that no event contained. Optional; stored
//! sealed.
//!
//! # Wire form
//! `rk_test_…` at an endpoint of test mode, `rk_live_…` at one of live mode; 16 to 240 letters, digits and
//! underscores follow. It needs to read Invoices and nothing else. A secret key (`sk_…`) could move money and
//! is rejected.
//! Source: <https://docs.stripe.com/keys#create-restricted-api-secret-key>.

use std::fmt;

use trac_core::program::Mode;

use crate::api::fields::Wrong;
use crate::store::rows::{Rows, args};
use crate::store::{Place, Scope, StoreError, Vault};

/// A restricted key. Its `Debug` output hides it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct StripeKey(String);

impl StripeKey {
    /// Reads a key that a merchant sets at an endpoint of this mode. The error message does not contain it.
    pub(crate) fn parse(text: &str, mode: Mode) -> Result<Self, Wrong> {
        let prefix = format!("rk_{}_", mode.as_str());
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let fits = |rest: &str| (16..=240).contains(&rest.len()) && rest.bytes().all(plain);
        if text.strip_prefix(&prefix).is_some_and(fits) {
            return Ok(Self(text.to_owned()));
        }
        Err(if text.starts_with("sk_") {
            format!(
                "must not be a secret key, which can move money: make a restricted key ({prefix}…) in Stripe that \
                 may read Invoices and nothing else"
            )
        } else if text.starts_with("rk_") {
            format!("must be a complete restricted key of the endpoint's own mode, {prefix}…")
        } else {
            format!("must be a restricted key from Stripe that may read Invoices, {prefix}…")
        })
    }

    /// The key itself, to authorize a request or to seal it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// The part of the key that is shown: its kind and mode, and its last four characters.
    pub(super) fn hint(&self) -> String {
        let end = self.0.len().saturating_sub(4);
        let (begin, last) = (self.0.get(..8).unwrap_or_default(), self.0.get(end..).unwrap_or_default());
        format!("{begin}…{last}")
    }
}

impl fmt::Debug for StripeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StripeKey(…)")
    }
}

/// A vault place of its own, so that a sealed key does not open in the place of a signing secret.
fn place<'a>(scope: &'a Scope, endpoint_id: &'a str) -> Place<'a> {
    Place { scope, table: "webhook_endpoint.stripe_api_key", row: endpoint_id }
}

/// Opens an endpoint's column `stripe_api_key`.
pub(crate) fn open(
    vault: &Vault,
    scope: &Scope,
    endpoint_id: &str,
    sealed: &str,
) -> Result<StripeKey, StoreError> {
    vault.open(place(scope, endpoint_id), sealed).map(StripeKey)
}

/// Stores a key, or removes it. Clears the problem and the pause of the previous key. With a new key, all
/// questions without an answer are asked again.
pub(crate) fn set(
    rows: Rows<'_>,
    vault: &Vault,
    endpoint_id: &str,
    key: Option<&StripeKey>,
) -> Result<(), StoreError> {
    let sealed = key.map(|key| vault.seal(place(rows.scope(), endpoint_id), key.reveal())).transpose()?;
    rows.write(
        "UPDATE webhook_endpoint SET stripe_api_key = ?4, stripe_api_key_hint = ?5, stripe_api_key_problem = NULL, \
         stripe_api_rests_until = NULL WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3",
        args![endpoint_id, sealed, key.map(StripeKey::hint)],
    )?;
    if key.is_some() {
        rows.write(
            "UPDATE question SET tries = 0, next_at = 0 WHERE workspace_id = ?1 AND mode = ?2 AND invoice IS NULL",
            &[],
        )?;
    }
    Ok(())
}

/// Seals the column `stripe_api_key` again, under the current master key.
pub(super) fn reseal(
    rows: Rows<'_>,
    vault: &Vault,
    endpoint_id: &str,
    key: &StripeKey,
) -> Result<(), StoreError> {
    let sealed = vault.seal(place(rows.scope(), endpoint_id), key.reveal())?;
    let sql =
        "UPDATE webhook_endpoint SET stripe_api_key = ?4 WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
    rows.write(sql, args![endpoint_id, sealed])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_restricted_key_of_the_same_mode_is_accepted() {
        let check = |text: &str, mode, want: Result<&str, &str>| match (StripeKey::parse(text, mode), want) {
            (Ok(key), Ok(hint)) => assert_eq!(key.hint(), hint),
            (Err(wrong), Err(part)) => assert!(wrong.contains(part), "{text}: {wrong}"),
            (got, want) => panic!("{text}: {got:?}, not {want:?}"),
        };
        let key = |prefix: &str| format!("{prefix}{}wxyz", "51".repeat(10));
        check(&key("rk_test_"), Mode::Test, Ok("rk_test_…wxyz"));
        check(&key("rk_live_"), Mode::Live, Ok("rk_live_…wxyz"));
        check(&key("rk_live_"), Mode::Test, Err("own mode, rk_test_"));
        check(&key("rk_test_"), Mode::Live, Err("own mode, rk_live_"));
        check(&key("sk_test_"), Mode::Test, Err("which can move money"));
        check(&key("sk_live_"), Mode::Test, Err("which can move money"));
        check("rk_test_short", Mode::Test, Err("complete"));
        check("rk_test_0123456789abcdef\n", Mode::Test, Err("complete"));
        check("rk_test_0123456789abcdefé", Mode::Test, Err("complete"));
        check("whsec_0123456789abcdef", Mode::Test, Err("restricted key"));
        check("", Mode::Live, Err("restricted key"));
        let debugged = format!("{:?}", StripeKey::parse(&key("rk_test_"), Mode::Test).unwrap());
        assert!(!debugged.contains("51"), "{debugged}");
    }
}
