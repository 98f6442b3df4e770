//! Values that the server stores about itself.

use super::error::StoreError;
use super::rows::{Everywhere, args};

/// The URL by which the server was last reached from outside, for `trac workspace create` on the same folder.
pub(crate) const PUBLIC_URL: &str = "public_url";

/// Reads a setting.
pub(crate) fn setting(tx: Everywhere<'_>, name: &str) -> Result<Option<String>, StoreError> {
    tx.one("SELECT value FROM setting WHERE name = ?1", args![name], |row| row.get(0))
}

/// Writes a setting.
pub(crate) fn set_setting(tx: Everywhere<'_>, name: &str, value: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
    tx.write(sql, args![name, value])?;
    Ok(())
}
