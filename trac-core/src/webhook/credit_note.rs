//! `credit_note.created`: which refund belongs to which invoice.
//!
//! The money of a credit note goes back by its refund, which Stripe tells too; counting both would take it back twice. So a
//! credit note only ties the refund to the invoice. One without a refund (credit to the customer's balance) moves no money: the
//! next invoice is paid with less.
//! Source: <https://docs.stripe.com/api/credit_notes/object>.

use alloc::collections::BTreeSet;
use alloc::string::String;

use super::field::Fields;

/// Pairs of invoice and refund; `None` where the note names no invoice.
pub(super) fn read(fields: Fields<'_>) -> Option<BTreeSet<(String, String)>> {
    let invoice = fields.id("invoice")?;
    let listed = fields.list("refunds").unwrap_or_default();
    let refunds = listed.into_iter().filter_map(|one| one.id("refund")).chain(fields.id("refund"));
    Some(refunds.map(|refund| (invoice.into(), refund.into())).collect())
}
