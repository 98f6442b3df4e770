//! Verifying and writing the `Stripe-Signature` header.
//!
//! Source: <https://docs.stripe.com/webhooks#verify-manually>.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::reason::Reason;
use crate::time::Timestamp;

/// The largest difference between a signature's time and now, in either direction, in seconds. Stripe's
/// libraries use the same value.
pub const TOLERANCE_SECS: u32 = 300;

/// An unverified delivery: its signature header and its raw body.
///
/// # Wire form
/// `Stripe-Signature: t=<unix seconds>,v1=<64 hex>[,v1=<64 hex>]…`. The signature is
/// HMAC-SHA256 over `<t as sent>.<raw body>`, keyed with the whole secret text, `whsec_` included.
/// * Parts are separated by commas; whitespace around a part is ignored.
/// * Exactly one `t`: 1 to 12 ASCII digits, no sign, no leading zero.
/// * Parts without `=` and schemes other than `v1` (such as Stripe's fake `v0`) are ignored, and so is a `v1`
///   that is not 64 hex digits. Any other `v1` may match, because Stripe signs with two secrets while one is
///   rolled.
///
/// # Examples
/// ```
/// use trac_core::time::Timestamp;
/// use trac_core::webhook::signature::{TOLERANCE_SECS, Unverified, VerifyError, sign};
///
/// let (now, body) = (Timestamp::from_unix_secs(1_760_000_000), br#"{"id":"evt_1"}"#);
/// let header = sign(body, "whsec_new", now);
///
/// let secrets = ["whsec_old", "whsec_new"];
/// assert!(Unverified::new(&header, body).verify(secrets, now, TOLERANCE_SECS).is_ok());
///
/// let late = now.plus_secs(301);
/// let refused = Unverified::new(&header, body).verify(secrets, late, TOLERANCE_SECS);
/// assert_eq!(refused.err(), Some(VerifyError::TimestampOutsideTolerance));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Unverified<'a> {
    header: &'a str,
    body: &'a [u8],
}

/// A body that Stripe signed with one of the endpoint's secrets within the tolerance. Made by
/// [`Unverified::verify`], or by [`Verified::from_stored`] for a stored body.
#[derive(Clone, Copy, Debug)]
pub struct Verified<'a> {
    body: &'a [u8],
}

impl<'a> Verified<'a> {
    /// A stored body that was verified when it was received, or a body made from a response of Stripe's API
    /// over TLS.
    #[must_use]
    pub const fn from_stored(body: &'a [u8]) -> Self {
        Self { body }
    }

    /// The raw bytes that were signed.
    #[must_use]
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }
}

/// Why a delivery is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// There is no usable secret.
    #[error("this endpoint has no signing secret: set one (it begins with whsec_)")]
    NoSecret,
    /// The header is missing or not of the form `t=…,v1=…`.
    #[error("the Stripe-Signature header is missing or malformed")]
    MalformedHeader,
    /// No `v1` signature matches the body under any secret.
    #[error("no signature matches: wrong signing secret, or the body was changed in transit")]
    NoMatch,
    /// The signature is valid, but its time is too long ago or in the future.
    #[error("the signature's time differs from now by more than the tolerance: check this machine's clock")]
    TimestampOutsideTolerance,
}

impl VerifyError {
    /// The reason that the log shows.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::TimestampOutsideTolerance => Reason::TimestampOutsideTolerance,
            Self::NoSecret | Self::MalformedHeader | Self::NoMatch => Reason::SignatureInvalid,
        }
    }
}

impl<'a> Unverified<'a> {
    /// A delivery as received; an empty `header` means that it is missing.
    #[must_use]
    pub const fn new(header: &'a str, body: &'a [u8]) -> Self {
        Self { header, body }
    }

    /// Checks the signature against each secret, then its time, in both directions.
    ///
    /// Signatures are compared in constant time. Times are compared in whole seconds; a difference of exactly
    /// `tolerance_secs` passes.
    ///
    /// # Errors
    /// See [`VerifyError`]; a wrong signature is reported before a wrong time.
    pub fn verify<'s>(
        self,
        secrets: impl IntoIterator<Item = &'s str>,
        now: Timestamp,
        tolerance_secs: u32,
    ) -> Result<Verified<'a>, VerifyError> {
        let at = self.signed_at(secrets)?;
        let distance = now.unix_secs().abs_diff(at.unix_secs());
        if distance > u64::from(tolerance_secs) {
            return Err(VerifyError::TimestampOutsideTolerance);
        }
        Ok(Verified { body: self.body })
    }

    /// Checks the signature against each secret; returns the signed time, which is not yet checked.
    pub(super) fn signed_at<'s>(
        self,
        secrets: impl IntoIterator<Item = &'s str>,
    ) -> Result<Timestamp, VerifyError> {
        let header = Header::parse(self.header)?;
        let mut usable = secrets.into_iter().filter(|secret| is_secret(secret)).peekable();
        if usable.peek().is_none() {
            return Err(VerifyError::NoSecret);
        }
        if !usable.any(|secret| header.matches(secret, self.body)) {
            return Err(VerifyError::NoMatch);
        }
        Ok(header.at)
    }
}

/// Checks the form of a header and its time, in both directions, without the body, so that a server can
/// reject a delivery before it reads the body.
///
/// # Errors
/// [`VerifyError::MalformedHeader`] or [`VerifyError::TimestampOutsideTolerance`]. `Ok` does not mean
/// that the signature is valid.
///
/// # Examples
/// ```
/// use trac_core::time::Timestamp;
/// use trac_core::webhook::signature::{TOLERANCE_SECS, VerifyError, check_header, sign};
///
/// let now = Timestamp::from_unix_secs(1_760_000_000);
/// let header = sign(b"{}", "whsec_x", now);
/// assert_eq!(check_header(&header, now.plus_secs(300), TOLERANCE_SECS), Ok(()));
/// let late = check_header(&header, now.plus_secs(301), TOLERANCE_SECS);
/// assert_eq!(late, Err(VerifyError::TimestampOutsideTolerance));
/// ```
pub fn check_header(header: &str, now: Timestamp, tolerance_secs: u32) -> Result<(), VerifyError> {
    Header::parse(header)?.check_time(now, tolerance_secs)
}

/// Whether a text can be a signing secret: 1 to 255 printable ASCII characters without whitespace.
#[must_use]
pub fn is_secret(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Writes the header that Stripe would send for a body. For tests, emulators and replays.
#[must_use]
pub fn sign(body: &[u8], secret: &str, at: Timestamp) -> String {
    let t = format!("{}", at.unix_secs());
    let mut header = format!("t={t},v1=");
    if let Some(mac) = mac(secret, &t, body) {
        for byte in mac.finalize().into_bytes() {
            header.extend(
                [byte >> 4, byte & 15].map(|nibble| char::from_digit(nibble.into(), 16).unwrap_or('0')),
            );
        }
    }
    header
}

struct Header<'a> {
    t: &'a str,
    at: Timestamp,
    signatures: Vec<[u8; 32]>,
}

impl<'a> Header<'a> {
    fn parse(text: &'a str) -> Result<Self, VerifyError> {
        let mut t = None;
        let mut signatures = Vec::new();
        for (scheme, value) in text.split(',').filter_map(|part| part.trim().split_once('=')) {
            match scheme {
                "t" if t.is_some() => return Err(VerifyError::MalformedHeader),
                "t" => t = Some(value),
                "v1" => signatures.extend(decode_hex(value)),
                _ => {}
            }
        }
        let t = t.filter(|t| is_canonical_time(t)).ok_or(VerifyError::MalformedHeader)?;
        let secs = t.parse().map_err(|_| VerifyError::MalformedHeader)?;
        if signatures.is_empty() {
            return Err(VerifyError::MalformedHeader);
        }
        Ok(Self { t, at: Timestamp::from_unix_secs(secs), signatures })
    }

    fn check_time(&self, now: Timestamp, tolerance_secs: u32) -> Result<(), VerifyError> {
        let distance = now.unix_secs().abs_diff(self.at.unix_secs());
        if distance > u64::from(tolerance_secs) {
            return Err(VerifyError::TimestampOutsideTolerance);
        }
        Ok(())
    }

    fn matches(&self, secret: &str, body: &[u8]) -> bool {
        let Some(mac) = mac(secret, self.t, body) else { return false };
        // Every signature is compared, so the time taken does not reveal which one matched.
        self.signatures.iter().fold(false, |found, one| found | mac.clone().verify_slice(one).is_ok())
    }
}

fn is_canonical_time(t: &str) -> bool {
    (1..=12).contains(&t.len())
        && t.bytes().all(|byte| byte.is_ascii_digit())
        && (t == "0" || !t.starts_with('0'))
}

fn mac(secret: &str, t: &str, body: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(t.as_bytes());
    mac.update(b".");
    mac.update(body);
    Some(mac)
}

fn decode_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let digit = |at: usize| char::from(*pair.get(at)?).to_digit(16);
        *byte = u8::try_from(digit(0)?.checked_mul(16)?.checked_add(digit(1)?)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_760_000_000;
    const BODY: &[u8] = br#"{"id":"evt_1","object":"event"}"#;

    fn signature(secret: &str) -> String {
        sign(BODY, secret, Timestamp::from_unix_secs(NOW)).split_once(",v1=").unwrap().1.into()
    }

    fn verdict(header: &str, now: i64) -> Result<(), VerifyError> {
        let secrets = ["whsec_old", "whsec_new"];
        let now = Timestamp::from_unix_secs(now);
        Unverified::new(header, BODY).verify(secrets, now, TOLERANCE_SECS).map(|_| ())
    }

    #[test]
    fn a_rolled_secret_verifies_with_either_signature() {
        let (old, new, foreign) = (signature("whsec_old"), signature("whsec_new"), signature("whsec_other"));
        let check = |signatures: &[&str], want| {
            let parts: Vec<_> = signatures.iter().map(|one| format!(",v1={one}")).collect();
            assert_eq!(verdict(&format!("t={NOW}{}", parts.concat()), NOW), want, "{signatures:?}");
        };
        check(&[&old], Ok(()));
        check(&[&new], Ok(()));
        check(&[&foreign, &new], Ok(()));
        check(&[&new, &new], Ok(()));
        check(&[&foreign, "bad", "", &new.to_ascii_uppercase()], Ok(()));
        check(&[&foreign], Err(VerifyError::NoMatch));
        check(&[old.get(..63).unwrap()], Err(VerifyError::MalformedHeader));
        check(&[], Err(VerifyError::MalformedHeader));
    }

    #[test]
    fn a_header_alone_is_judged_by_its_form_and_time() {
        let foreign = signature("whsec_other");
        let check = |header: &str, now: i64, want| {
            let judged = check_header(header, Timestamp::from_unix_secs(now), TOLERANCE_SECS);
            assert_eq!(judged, want, "{header} at {now}");
        };
        check(&format!("t={NOW},v1={foreign}"), NOW, Ok(()));
        check("", NOW, Err(VerifyError::MalformedHeader));
        check(&format!("t={NOW}"), NOW, Err(VerifyError::MalformedHeader));
        check(&format!("v1={foreign}"), NOW, Err(VerifyError::MalformedHeader));
        check(&format!("t={NOW},v1={foreign}"), NOW + 301, Err(VerifyError::TimestampOutsideTolerance));
    }

    #[test]
    fn exactly_the_tolerance_passes_both_ways() {
        let header = format!("t={NOW},v1={}", signature("whsec_old"));
        let check = |now, want| {
            assert_eq!(verdict(&header, now), want, "{now}");
            assert_eq!(check_header(&header, Timestamp::from_unix_secs(now), TOLERANCE_SECS), want, "{now}");
        };
        check(NOW + 300, Ok(()));
        check(NOW - 300, Ok(()));
        check(NOW + 301, Err(VerifyError::TimestampOutsideTolerance));
        check(NOW - 301, Err(VerifyError::TimestampOutsideTolerance));
        check(i64::MAX, Err(VerifyError::TimestampOutsideTolerance));
        check(i64::MIN, Err(VerifyError::TimestampOutsideTolerance));
    }

    #[test]
    fn a_malformed_header_is_refused() {
        let good = signature("whsec_old");
        let check = |header: &str, want| {
            assert_eq!(verdict(&header.replace("SIG", &good), NOW), want, "{header}");
        };
        let malformed = Err(VerifyError::MalformedHeader);
        check("t=1760000000,v1=SIG", Ok(()));
        check(" v1=SIG , t=1760000000 ", Ok(()));
        check("t=1760000000,v0=SIG,v2=x,junk,v1=SIG", Ok(()));
        check("t=1760000000,v0=SIG", malformed);
        check("t=1760000000,t=1760000000,v1=SIG", malformed);
        check("v1=SIG", malformed);
        check("", malformed);
        check("t=01760000000,v1=SIG", malformed);
        check("t=+1760000000,v1=SIG", malformed);
        check("t=1760000000.0,v1=SIG", malformed);
        check("t=9999999999999,v1=SIG", malformed);
        check("t=١٧٦٠٠٠٠٠٠٠,v1=SIG", malformed);
        check("T=1760000000,V1=SIG", malformed);
    }

    #[test]
    fn an_unusable_secret_verifies_nothing() {
        let header = sign(BODY, " ", Timestamp::from_unix_secs(NOW));
        for secrets in [&[" "][..], &[""], &["whsec_x "], &[]] {
            let verdict = Unverified::new(&header, BODY).verify(
                secrets.iter().copied(),
                Timestamp::from_unix_secs(NOW),
                TOLERANCE_SECS,
            );
            assert_eq!(verdict.err(), Some(VerifyError::NoSecret), "{secrets:?}");
        }
    }

    #[test]
    fn a_signature_is_the_hmac_of_time_dot_body() {
        // The output of `openssl dgst -sha256 -hmac whsec_old` for `1760000000.` followed by the body.
        let known = "ffcfd3306b23f495d93643f6ba444e6dd5ebb4421ca24d5a5bd740c11838f838";
        assert_eq!(signature("whsec_old"), known);
        assert_eq!(verdict(&format!("t={NOW},v1={known}"), NOW), Ok(()));
        let earlier = format!("t={},v1={known}", NOW - 1);
        assert_eq!(verdict(&earlier, NOW), Err(VerifyError::NoMatch), "the time is signed too");
    }

    #[test]
    fn a_secret_is_1_to_255_printable_characters_without_blanks() {
        let check = |text: &str, want| assert_eq!(is_secret(text), want, "{text:?}");
        check("whsec_x", true);
        check("!~", true);
        check(&"x".repeat(255), true);
        check(&"x".repeat(256), false);
        check("", false);
        check("whsec x", false);
        check("whsec_\n", false);
        check("whsec_é", false);
    }

    #[test]
    fn each_refusal_has_its_code() {
        let outside = VerifyError::TimestampOutsideTolerance;
        assert_eq!(outside.reason(), Reason::TimestampOutsideTolerance);
        for invalid in [VerifyError::NoSecret, VerifyError::MalformedHeader, VerifyError::NoMatch] {
            assert_eq!(invalid.reason(), Reason::SignatureInvalid);
        }
    }
}
