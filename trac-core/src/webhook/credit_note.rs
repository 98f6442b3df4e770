//! `credit_note.*`: which refund belongs to which invoice, and the amount paid back outside Stripe.
//!
//! The money of a credit note goes back by its refund, which Stripe reports too; counting both would take it
//! back twice. So a credit note only links the refund to the invoice. An amount credited to the customer's
//! balance moves no money: it reduces the next invoice. An amount credited out of band (`out_of_band_amount`)
//! appears in no refund, so it counts separately. Source: <https://docs.stripe.com/api/credit_notes/object>.

use alloc::collections::BTreeSet;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::field::{Fields, Unreadable};
use super::join::{Join, greatest};
use super::linked::Linked;

/// The facts about one credit note.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreditNote {
    /// `in_…`
    pub invoice: Linked,
    /// `refund` or `refunds[].refund`: the same money.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub refunds: BTreeSet<String>,
    /// `out_of_band_amount`, in minor units of the invoice's currency.
    pub out_of_band_minor: i64,
    /// Whether it was voided (`status` `void`).
    pub is_void: bool,
}

impl CreditNote {
    /// The credit note with its ID. [`None`] if it moves no money and names no refund.
    pub(super) fn read(fields: Fields<'_>, kind: &str) -> Result<Option<(String, Self)>, Unreadable> {
        let invoice = fields.id("invoice").ok_or(Unreadable)?;
        let listed = fields.list("refunds").unwrap_or_default();
        let refunds = listed.into_iter().filter_map(|one| one.id("refund")).chain(fields.id("refund"));
        let note = Self {
            invoice: Linked::to(invoice),
            refunds: refunds.map(Into::into).collect(),
            out_of_band_minor: fields.amount("out_of_band_amount")?.unwrap_or(0).max(0),
            is_void: kind == "credit_note.voided" || fields.text("status") == Some("void"),
        };
        let is_empty = note.refunds.is_empty() && note.out_of_band_minor == 0;
        let id = fields.id("id").unwrap_or(invoice);
        Ok((!is_empty).then(|| (id.into(), note)))
    }

    /// The amount paid back outside Stripe; zero if the note was voided.
    #[must_use]
    pub const fn lost_minor(&self) -> i64 {
        if self.is_void { 0 } else { self.out_of_band_minor }
    }
}

impl Join for CreditNote {
    fn join(&mut self, other: Self) {
        self.invoice.join(other.invoice);
        self.refunds.join(other.refunds);
        greatest(&mut self.out_of_band_minor, other.out_of_band_minor);
        self.is_void.join(other.is_void);
    }
}
