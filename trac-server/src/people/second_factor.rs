//! The second factor: codes of an app that change every 30 seconds, and recovery codes for a person who lost the app.
//!
//! A code is accepted one step early or late, and once: `totp_step` is the last step that was accepted. Each recovery
//! code is accepted once.
//! Source: [RFC 6238](https://www.rfc-editor.org/rfc/rfc6238).

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use qrcode::QrCode;
use qrcode::render::svg;
use totp_rs::{Builder, Secret, Totp};
use trac_core::time::Timestamp;

use crate::access::{key_hash, totp_secret};
use crate::id::{random_bytes, random_word};
use crate::store::rows::args;
use crate::store::{Everywhere, StoreError, Vault};

/// How many recovery codes a person gets.
const RECOVERY_CODES: usize = 10;
/// The name of the account's service in the app.
const ISSUER: &str = "trac";

/// A second factor that is being set up: the app's secret, as text and as the address that a QR code shows.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    /// In base 32, in groups of four letters.
    pub(super) secret: String,
    /// An SVG document.
    pub(super) qr_code: String,
}

/// Makes a secret for a person. Until a code confirms it, it is not asked for.
pub(super) fn begin(tx: Everywhere<'_>, vault: &Vault, person: &str) -> Result<(), StoreError> {
    let secret = Secret::new_stack(random_bytes()).to_base32();
    let sealed = totp_secret::seal(vault, person, &secret)?;
    let sql = "UPDATE person SET totp_secret = ?2, totp_step = NULL WHERE id = ?1 AND totp_since IS NULL";
    tx.write(sql, args![person, sealed])?;
    Ok(())
}

/// Gives up a second factor that is being set up.
pub(super) fn cancel(tx: Everywhere<'_>, person: &str) -> Result<(), StoreError> {
    tx.write("UPDATE person SET totp_secret = NULL WHERE id = ?1 AND totp_since IS NULL", args![person])?;
    Ok(())
}

/// The second factor that a person is setting up, if any.
pub(super) fn setup(
    tx: Everywhere<'_>,
    vault: &Vault,
    person: &str,
    email: &str,
) -> Result<Option<Setup>, StoreError> {
    let sql =
        "SELECT totp_secret FROM person WHERE id = ?1 AND totp_since IS NULL AND totp_secret IS NOT NULL";
    let sealed: Option<String> = tx.one(sql, args![person], |row| row.get(0))?;
    let Some(sealed) = sealed else { return Ok(None) };
    let secret = totp_secret::open(vault, person, &sealed)?;
    let email = utf8_percent_encode(email, NON_ALPHANUMERIC);
    let address = format!("otpauth://totp/{ISSUER}:{email}?secret={secret}&issuer={ISSUER}");
    let code = QrCode::new(address).map_err(|error| StoreError::internal(error.to_string()))?;
    let drawn = code.render::<svg::Color<'_>>().min_dimensions(200, 200).build();
    // Inside a page, the document has no XML declaration.
    let qr_code = drawn.split_once("?>").map_or(drawn.as_str(), |(_, svg)| svg).to_owned();
    Ok(Some(Setup { secret: in_groups(&secret), qr_code }))
}

/// Accepts a code of the app. `false` if it is wrong or was accepted before.
pub(super) fn accept_code(
    tx: Everywhere<'_>,
    vault: &Vault,
    person: &str,
    code: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "SELECT totp_secret FROM person WHERE id = ?1 AND totp_secret IS NOT NULL";
    let sealed: Option<String> = tx.one(sql, args![person], |row| row.get(0))?;
    let Some(sealed) = sealed else { return Ok(false) };
    let app = app(&totp_secret::open(vault, person, &sealed)?)?;
    let code: String = code.chars().filter(|letter| !letter.is_whitespace()).collect();
    let seconds = u64::try_from(now.unix_secs()).unwrap_or_default();
    let Some(step) = app.check(&code, seconds).and_then(|step| i64::try_from(step).ok()) else {
        return Ok(false);
    };
    let sql = "UPDATE person SET totp_step = ?2 WHERE id = ?1 AND (totp_step IS NULL OR totp_step < ?2)";
    Ok(tx.write(sql, args![person, step])? > 0)
}

fn app(secret: &str) -> Result<Totp, StoreError> {
    let secret = Secret::try_from_base32(secret)
        .map_err(|_| StoreError::internal("the secret of a second factor is damaged"))?;
    Ok(Builder::new().with_secret(secret).build_noncompliant())
}

/// Accepts a recovery code. `false` if it is wrong or was used before.
pub(super) fn accept_recovery_code(
    tx: Everywhere<'_>,
    person: &str,
    code: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let plain: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    let sql = "UPDATE recovery_code SET used_at = ?3 WHERE person_id = ?1 AND hash = ?2 AND used_at IS NULL";
    Ok(tx.write(sql, args![person, key_hash(&plain.to_ascii_lowercase()), now])? > 0)
}

/// Turns on the second factor that is being set up, and returns the recovery codes, which are shown only now. `None` if
/// none is being set up.
pub(super) fn turn_on(
    tx: Everywhere<'_>,
    person: &str,
    now: Timestamp,
) -> Result<Option<Vec<String>>, StoreError> {
    let sql =
        "UPDATE person SET totp_since = ?2 WHERE id = ?1 AND totp_since IS NULL AND totp_secret IS NOT NULL";
    if tx.write(sql, args![person, now])? == 0 {
        return Ok(None);
    }
    new_recovery_codes(tx, person).map(Some)
}

/// Replaces all recovery codes of a person, and returns the new ones, which are shown only now.
pub(super) fn new_recovery_codes(tx: Everywhere<'_>, person: &str) -> Result<Vec<String>, StoreError> {
    tx.write("DELETE FROM recovery_code WHERE person_id = ?1", args![person])?;
    let mut codes = Vec::new();
    for _ in 0..RECOVERY_CODES {
        let code = random_word::<16>();
        tx.write(
            "INSERT INTO recovery_code (person_id, hash) VALUES (?1, ?2)",
            args![person, key_hash(&code)],
        )?;
        codes.push(in_groups(&code).replace(' ', "-"));
    }
    Ok(codes)
}

/// How many recovery codes a person has left.
pub(super) fn codes_left(tx: Everywhere<'_>, person: &str) -> Result<i64, StoreError> {
    let sql = "SELECT count(*) FROM recovery_code WHERE person_id = ?1 AND used_at IS NULL";
    Ok(tx.one(sql, args![person], |row| row.get(0))?.unwrap_or_default())
}

/// Turns off the second factor.
pub(super) fn turn_off(tx: Everywhere<'_>, person: &str) -> Result<(), StoreError> {
    tx.write("DELETE FROM recovery_code WHERE person_id = ?1", args![person])?;
    let sql = "UPDATE person SET totp_secret = NULL, totp_since = NULL, totp_step = NULL WHERE id = ?1";
    tx.write(sql, args![person])?;
    Ok(())
}

/// The text in groups of four letters.
fn in_groups(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
    groups.join(" ")
}

/// The code of the app at a time, for tests.
#[cfg(test)]
pub(super) fn code_at(secret: &str, now: Timestamp) -> String {
    let secret: String = secret.chars().filter(|letter| !letter.is_whitespace()).collect();
    app(&secret).unwrap().generate(u64::try_from(now.unix_secs()).unwrap()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_of_the_standard() {
        // RFC 6238, appendix B: the last six digits of the codes for SHA-1.
        let secret = Secret::new_stack(*b"12345678901234567890").to_base32();
        let check = |at: i64, want: &str| {
            assert_eq!(code_at(&secret, Timestamp::from_unix_secs(at)), want, "{at}");
        };
        check(59, "287082");
        check(1_111_111_109, "081804");
        check(2_000_000_000, "279037");
        assert_eq!(in_groups("abcdefghij"), "abcd efgh ij");
    }
}
