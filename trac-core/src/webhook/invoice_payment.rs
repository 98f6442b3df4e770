//! `invoice_payment.paid`: which PaymentIntent or charge paid which invoice.
//!
//! Since 2025-03-31.basil neither invoices nor charges name each other; this event (from 2025-05-28.basil) is the
//! documented link, and without it a refund of a renewal cannot be traced to its invoice.
//! Source: <https://docs.stripe.com/api/invoice-payment/object>.

use alloc::collections::BTreeSet;
use alloc::string::String;

use super::field::Fields;

/// The IDs that are the same money: the invoice, and its PaymentIntent or charge. No pair where it was paid another way
/// (`payment_record`); `None` where it names no invoice.
pub(super) fn read(fields: Fields<'_>) -> Option<BTreeSet<(String, String)>> {
    let invoice = fields.id("invoice")?;
    let payment = fields.object("payment");
    let paid_by = payment.and_then(|payment| payment.id("payment_intent").or_else(|| payment.id("charge")));
    Some(paid_by.into_iter().map(|paid_by| (invoice.into(), paid_by.into())).collect())
}
