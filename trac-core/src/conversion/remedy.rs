//! What a merchant can do about a reason.

use crate::reason::Reason;

/// What must change so that the next payment is credited; `None` if nothing is wrong.
///
/// # Examples
/// ```
/// use trac_core::reason::Reason;
/// use trac_core::conversion::remedy::remedy;
///
/// assert!(remedy(Reason::PaymentUnlinked).is_some_and(|advice| advice.contains("invoice_payment.paid")));
/// assert_eq!(remedy(Reason::Ok), None);
/// ```
#[must_use]
#[expect(clippy::too_many_lines, reason = "a table of sentences")]
pub const fn remedy(reason: Reason) -> Option<&'static str> {
    Some(match reason {
        Reason::NoClick | Reason::NoAttributionYet => {
            "Put the click ID on the checkout: the script does it for Payment Links, Buy Buttons and Pricing Tables; \
             a server writes metadata.tracClickId on the Checkout Session, and on subscription_data.metadata."
        }
        Reason::ClickExpired => {
            "The click is older than the program's attribution_window_days. Lengthen the window for later sales."
        }
        Reason::PartnerNotApproved => {
            "Approve the partner's enrollment: PATCH /enrollments/{id} with status approved."
        }
        Reason::ProgramInactive => "Activate the program: PATCH /programs/{id} with status active.",
        Reason::ProductNotCovered => {
            "Add the product or price to the program's products, or empty the list to cover all."
        }
        Reason::ProductsUnknown => {
            "The event does not say what was bought. Select invoice.paid in Stripe, or add the Payment Link (plink_…) to the \
             program's products. An event carries at most ten lines of an invoice: for longer invoices, give the webhook endpoint \
             a restricted key that may read Invoices (stripe_api_key); the other lines are then requested from Stripe."
        }
        Reason::RecurringNotCovered => {
            "The program pays for first payments only. Set recurring to lifetime or months."
        }
        Reason::RecurringWindowEnded => {
            "The program's months are over for this subscription. Raise recurring.months."
        }
        Reason::SelfReferral => {
            "The buyer's e-mail is the partner's. Set block_self_referral to false to allow it."
        }
        Reason::ZeroAmount => {
            "Nothing was paid. The attribution is kept: the first payment with a positive amount earns."
        }
        Reason::ZeroCommission => "The rate of the program or enrollment gives no commission. Raise it.",
        Reason::PaidOutOfBand => {
            "The invoice was paid outside Stripe. Set count_out_of_band to true to count it."
        }
        Reason::UnpaidSession => {
            "The payment is on its way (bank debit, voucher). Select checkout.session.async_payment_succeeded in Stripe."
        }
        Reason::Uncaptured => {
            "The charge is only authorised. Capture it, and select charge.captured in Stripe as well: it is neither a required \
             nor a recommended event type."
        }
        Reason::AmountUnknown => {
            "The PaymentIntent carries no amount_received and no captured charge. Select charge.succeeded in Stripe. If \
             the events come from an emulator of Stripe, let it send amount_received."
        }
        Reason::SetupMode => "A session in setup mode moves no money. The payment comes with a later event.",
        Reason::PaymentFailed => "The payment failed. Nothing is owed.",
        Reason::PaymentUnknown => {
            "No event about the sale is known yet. Select checkout.session.completed and invoice.paid."
        }
        Reason::PaymentUnlinked => {
            "It is not clear which payment this belongs to. Select invoice_payment.paid in Stripe, so that charges are \
             linked to invoices, or give the webhook endpoint a stripe_api_key, with which the invoice is looked up. Link \
             this one by POST /events/{id}/link."
        }
        Reason::ModeMismatch => {
            "The event is of the other mode. Use the endpoint, and the keys, of the same mode."
        }
        Reason::AccountMismatch => {
            "The event is of another Stripe account. Set the endpoint's stripe_account."
        }
        Reason::UnsupportedThinEvent => {
            "Set the event destination in Stripe to send snapshot payloads, not thin ones."
        }
        Reason::UseInvoicePaid => "Select invoice.paid in Stripe as well.",
        Reason::SignatureInvalid => {
            "The endpoint's signing secret is not the one Stripe signs with. Copy whsec_… of this very endpoint and mode."
        }
        Reason::TimestampOutsideTolerance => "This machine's clock is wrong, or a proxy delays requests.",
        Reason::Unreadable => "The event could not be read. It is stored: replay it after an update.",
        Reason::ClientReported => {
            "Approve or reject it: PATCH /conversions/{id} or /leads/{id} with status approved or rejected."
        }
        Reason::RejectedByMerchant => {
            "You rejected it. Take that back by PATCH: a commission with status restored, a claim or lead with status approved."
        }
        Reason::LeadCountedBefore => {
            "Add the event to the program's lead_events, or report the lead from your server."
        }
        Reason::Reassigned => {
            "You decided that nobody earns from this customer. To take that back: DELETE /customers/{id}/reassign."
        }
        Reason::AttributionFrozen => "The commission was paid out already. Settle the difference by hand.",
        Reason::Ok
        | Reason::OkRecurring
        | Reason::OkProration
        | Reason::OkCustomerLookup
        | Reason::OkCapped
        | Reason::DuplicateEvent
        | Reason::DuplicateObject
        | Reason::DuplicatePayment
        | Reason::Stale
        | Reason::UnsupportedEvent
        | Reason::Linked
        | Reason::Noted
        | Reason::Held
        | Reason::Released
        | Reason::AttributionChanged
        | Reason::RefundPartial
        | Reason::RefundFull
        | Reason::RefundFailed
        | Reason::Dispute
        | Reason::DisputeWon
        | Reason::SubscriptionCanceled
        | Reason::RestoredByMerchant
        | Reason::ManualAdjustment => return None,
    })
}
