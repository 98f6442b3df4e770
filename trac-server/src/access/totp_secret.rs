//! The secrets of second factors, stored sealed.

use trac_core::program::Mode;

use crate::store::rows::args;
use crate::store::{Everywhere, Place, Scope, StoreError, Vault};

/// A person belongs to no workspace, so the place of the secret is named by the person alone.
fn scope() -> Scope {
    Scope::new("", Mode::Live)
}

fn place<'a>(scope: &'a Scope, person_id: &'a str) -> Place<'a> {
    Place { scope, table: "person.totp_secret", row: person_id }
}

/// Seals the secret of a person.
pub(crate) fn seal(vault: &Vault, person_id: &str, secret: &str) -> Result<String, StoreError> {
    vault.seal(place(&scope(), person_id), secret)
}

/// Opens the secret of a person.
///
/// # Errors
/// [`crate::store::StoreErrorKind::Corrupt`] if no key opens it.
pub(crate) fn open(vault: &Vault, person_id: &str, sealed: &str) -> Result<String, StoreError> {
    vault.open(place(&scope(), person_id), sealed)
}

/// Opens every secret once, and seals again those that are due.
///
/// # Errors
/// As [`open`].
pub(crate) fn reseal(tx: Everywhere<'_>, vault: &Vault, is_due: fn(&str) -> bool) -> Result<(), StoreError> {
    let sql = "SELECT id, totp_secret FROM person WHERE totp_secret IS NOT NULL";
    let stored: Vec<(String, String)> = tx.all(sql, &[], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for (id, sealed) in stored {
        let secret = open(vault, &id, &sealed)?;
        if is_due(&sealed) {
            // A secret that was replaced in the meantime stays.
            let sql = "UPDATE person SET totp_secret = ?2 WHERE id = ?1 AND totp_secret = ?3";
            tx.write(sql, args![id, seal(vault, &id, &secret)?, sealed])?;
        }
    }
    Ok(())
}
