//! The promotion codes of an enrollment: a sale with one of them is credited to its partner, unless a click
//! decides otherwise.
//!
//! One enrollment at a time holds a code. A payment is credited to the enrollment that held the code when the
//! payment was made.

use serde_json::Value;
use trac_core::click::ClickId;
use trac_core::time::Timestamp;
use trac_core::webhook::promotion;

use crate::api::fields::Wrong;
use crate::id::random_bits;
use crate::problem::Problem;
use crate::store::click::NewClick;
use crate::store::rows::{Rows, args};
use crate::store::{StoreError, StoreErrorKind, recorder};

/// How many codes an enrollment may hold.
const CODES_MAX: usize = 1_000;

/// Reads a list of codes.
pub(super) fn promotion_codes(value: &Value) -> Result<Vec<String>, Wrong> {
    let codes = value.as_array().filter(|codes| codes.len() <= CODES_MAX);
    let codes = codes.and_then(|codes| codes.iter().map(|code| promotion::normal(code.as_str()?)).collect());
    let mut codes: Vec<String> = codes.ok_or_else(|| {
        format!("must be a list of at most {CODES_MAX} promotion codes or their IDs (promo_…): letters, digits, hyphens")
    })?;
    codes.sort_unstable();
    codes.dedup();
    Ok(codes)
}

/// An enrollment whose codes are set.
pub(super) struct Holder<'a> {
    /// Our IDs of it, its program and its partner.
    pub(super) enrollment: &'a str,
    pub(super) program: &'a str,
    pub(super) partner: &'a str,
}

impl Holder<'_> {
    /// Assigns these codes to the enrollment and removes all its others.
    ///
    /// # Errors
    /// `409 PROMOTION_CODE_TAKEN` if another enrollment holds one of them.
    pub(super) fn set(&self, rows: Rows<'_>, codes: &[String], now: Timestamp) -> Result<(), Problem> {
        let sql = "SELECT code FROM promotion_code \
                   WHERE workspace_id = ?1 AND mode = ?2 AND enrollment_id = ?3 AND taken_at IS NULL";
        let held: Vec<String> = rows.all(sql, args![self.enrollment], |row| row.get(0))?;
        for code in held.iter().filter(|code| !codes.contains(code)) {
            rows.write(
                "UPDATE promotion_code SET taken_at = ?4 \
                 WHERE workspace_id = ?1 AND mode = ?2 AND code = ?3 AND taken_at IS NULL",
                args![code, now],
            )?;
        }
        for code in codes.iter().filter(|code| !held.contains(code)) {
            self.assign(rows, code, now)?;
        }
        Ok(())
    }

    fn assign(&self, rows: Rows<'_>, code: &str, now: Timestamp) -> Result<(), Problem> {
        let click = NewClick {
            id: ClickId::new(now.unix_secs(), random_bits()),
            program_id: self.program.into(),
            partner_id: self.partner.into(),
            link_id: None,
            clicked_at: now,
            is_unique: Some(false),
            visitor: None,
            last_click: None,
            referrer: None,
            landing_url: None,
        };
        let inserted = rows.write(
            "INSERT INTO promotion_code (workspace_id, mode, code, click_id, enrollment_id, given_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            args![code, click.id.as_str(), self.enrollment, now],
        );
        inserted.map_err(|error| code_taken(error, code))?;
        Ok(recorder::insert(rows, &click)?)
    }
}

fn code_taken(error: StoreError, code: &str) -> Problem {
    if error.kind() == StoreErrorKind::Conflict {
        let message = format!("Another enrollment holds the promotion code {code}.");
        return Problem::conflict("PROMOTION_CODE_TAKEN", message);
    }
    error.into()
}
