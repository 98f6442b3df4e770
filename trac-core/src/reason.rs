//! Stable codes for why something was decided, read by merchants, partners and accountants.

use core::fmt;

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident = $code:literal,)+) => {
        /// A stable code with its meaning.
        ///
        /// # Wire form
        /// Lower-case words joined by `_`; never renamed.
        ///
        /// # Examples
        /// ```
        /// use trac_core::reason::Reason;
        ///
        /// assert_eq!(Reason::ClickExpired.as_str(), "click_expired");
        /// assert!(Reason::ClickExpired.meaning().contains("window"));
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Reason {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The code.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// One sentence for people.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii_start(),)+ }
            }

            /// The reason with that code.
            #[must_use]
            pub fn from_code(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|reason| reason.as_str() == code)
            }
        }
    };
}

reasons! {
    /// Credited to the click.
    Ok = "ok",
    /// A further payment of a subscription that the click brought.
    OkRecurring = "ok_recurring",
    /// A change of plan within a subscription that the click brought.
    OkProration = "ok_proration",
    /// Credited through the customer, who was linked to the click before.
    OkCustomerLookup = "ok_customer_lookup",
    /// Credited; the fixed commission was limited to the amount of the sale.
    OkCapped = "ok_capped",
    /// Nothing was paid, so nothing is earned; the attribution is kept for later payments.
    ZeroAmount = "zero_amount",
    /// The terms give a commission of zero.
    ZeroCommission = "zero_commission",
    /// No click is known for this payment.
    NoClick = "no_click",
    /// The click lies outside the program's attribution window.
    ClickExpired = "click_expired",
    /// The partner was not approved in the program when the payment was made.
    PartnerNotApproved = "partner_not_approved",
    /// The program was not active when the payment was made.
    ProgramInactive = "program_inactive",
    /// Nothing that was bought is covered by the program.
    ProductNotCovered = "product_not_covered",
    /// The program pays for the first payment of a subscription only, and this is a later one.
    RecurringNotCovered = "recurring_not_covered",
    /// The months in which the program pays for this subscription are over.
    RecurringWindowEnded = "recurring_window_ended",
    /// The buyer is the partner.
    SelfReferral = "self_referral",
    /// The invoice was paid outside Stripe, which the program does not count.
    PaidOutOfBand = "paid_out_of_band",
    /// The session saves a payment method and moves no money.
    SetupMode = "setup_mode",
    /// The session is complete but its payment has not arrived yet.
    UnpaidSession = "unpaid_session",
    /// The charge is authorised but not captured yet.
    Uncaptured = "uncaptured",
    /// The event does not say how much was paid; the payment is settled when another event does.
    AmountUnknown = "amount_unknown",
    /// The payment failed.
    PaymentFailed = "payment_failed",
    /// This payment is not linked to a click yet; it is settled if a later event or report links it.
    NoAttributionYet = "no_attribution_yet",
    /// The payment that this belongs to is not known yet; it is settled when the payment becomes known.
    PaymentUnknown = "payment_unknown",
    /// It is not clear which payment a charge, refund or dispute belongs to: it needs review.
    PaymentUnlinked = "payment_unlinked",
    /// This event was received before.
    DuplicateEvent = "duplicate_event",
    /// Another event reported the same about this object.
    DuplicateObject = "duplicate_object",
    /// This is the same money as a payment that is credited already.
    DuplicatePayment = "duplicate_payment",
    /// A newer state of this object is known already.
    Stale = "stale",
    /// The event and its endpoint are of different modes (test and live).
    ModeMismatch = "mode_mismatch",
    /// The event and its endpoint are of different Stripe accounts.
    AccountMismatch = "account_mismatch",
    /// Events of this type are not used.
    UnsupportedEvent = "unsupported_event",
    /// A thin (v2) event carries no object: send snapshot events.
    UnsupportedThinEvent = "unsupported_thin_event",
    /// The event `invoice.paid` reports the same and more.
    UseInvoicePaid = "use_invoice_paid",
    /// Two IDs are now known to be the same money.
    Linked = "linked",
    /// Recorded; it does not change the ledger.
    Noted = "noted",
    /// The commission is held while a dispute is open.
    Held = "held",
    /// The commission is no longer held; what a lost dispute reversed stays reversed.
    Released = "released",
    /// The program covers certain products, and the event does not say what was bought.
    ProductsUnknown = "products_unknown",
    /// Later facts credit the payment to another click.
    AttributionChanged = "attribution_changed",
    /// Later facts credit the payment to another click, but the commission was paid out already.
    AttributionFrozen = "attribution_frozen",
    /// The merchant decided that nobody earns from this customer's payments.
    Reassigned = "reassigned",
    /// Only a page reported this: it counts once the merchant or Stripe confirms it.
    ClientReported = "client_reported",
    /// The merchant rejected it.
    RejectedByMerchant = "rejected_by_merchant",
    /// The merchant took a decision about the commission back.
    RestoredByMerchant = "restored_by_merchant",
    /// The merchant gave this amount to the partner, or took it back, by hand.
    ManualAdjustment = "manual_adjustment",
    /// Another lead of this customer earns, and the program's `lead_events` does not list this one.
    LeadCountedBefore = "lead_counted_before",
    /// A part of the payment was refunded.
    RefundPartial = "refund_partial",
    /// The whole payment was refunded.
    RefundFull = "refund_full",
    /// A refund failed, so the money stayed.
    RefundFailed = "refund_failed",
    /// The bank took the money back.
    Dispute = "dispute",
    /// The dispute was won, and the money was returned.
    DisputeWon = "dispute_won",
    /// The subscription ended before the commission was due.
    SubscriptionCanceled = "subscription_canceled",
    /// The signature does not match the body with any of the endpoint's secrets.
    SignatureInvalid = "signature_invalid",
    /// The signature was made too long ago, or in the future.
    TimestampOutsideTolerance = "timestamp_outside_tolerance",
    /// The event is of a known type, but its object could not be read.
    Unreadable = "unreadable",
}

impl Reason {
    /// What the reason means for a click and its commission. Every reason has a class; a new reason does not
    /// compile without one.
    #[must_use]
    pub const fn class(self) -> Class {
        match self {
            Self::Ok
            | Self::OkRecurring
            | Self::OkProration
            | Self::OkCustomerLookup
            | Self::OkCapped
            | Self::ManualAdjustment
            | Self::AttributionFrozen => Class::Earns,
            Self::ClientReported => Class::Claimed,
            Self::ClickExpired
            | Self::PartnerNotApproved
            | Self::ProgramInactive
            | Self::SelfReferral
            | Self::DuplicatePayment
            | Self::RejectedByMerchant => Class::RefusesClick,
            Self::ZeroAmount
            | Self::ZeroCommission
            | Self::NoClick
            | Self::ProductNotCovered
            | Self::RecurringNotCovered
            | Self::RecurringWindowEnded
            | Self::PaidOutOfBand
            | Self::SetupMode
            | Self::PaymentFailed
            | Self::Noted
            | Self::LeadCountedBefore
            | Self::Reassigned => Class::EarnsNothing,
            Self::UnpaidSession
            | Self::Uncaptured
            | Self::AmountUnknown
            | Self::NoAttributionYet
            | Self::PaymentUnknown
            | Self::PaymentUnlinked
            | Self::ProductsUnknown => Class::Waits,
            Self::DuplicateEvent
            | Self::DuplicateObject
            | Self::Stale
            | Self::ModeMismatch
            | Self::AccountMismatch
            | Self::UnsupportedEvent
            | Self::UnsupportedThinEvent
            | Self::UseInvoicePaid
            | Self::Linked
            | Self::Held
            | Self::Released
            | Self::AttributionChanged
            | Self::RefundPartial
            | Self::RefundFull
            | Self::RefundFailed
            | Self::Dispute
            | Self::DisputeWon
            | Self::SubscriptionCanceled
            | Self::RestoredByMerchant
            | Self::SignatureInvalid
            | Self::TimestampOutsideTolerance
            | Self::Unreadable => Class::Event,
        }
    }

    /// Whether a click was found and refused: too old, partner not approved, program not active, the
    /// partner's own purchase, rejected by the merchant, or money that is, or may be, credited already.
    #[must_use]
    pub const fn refuses_click(self) -> bool {
        matches!(self.class(), Class::RefusesClick) || matches!(self, Self::PaymentUnlinked)
    }

    /// The reason to show for a payment or event after `secs` seconds: after 72 hours without an attribution,
    /// [`Reason::NoClick`] is shown. The payment is still settled if an attribution arrives later.
    ///
    /// # Examples
    /// ```
    /// use trac_core::reason::{ATTRIBUTION_WAIT_SECS, Reason};
    ///
    /// assert_eq!(Reason::NoAttributionYet.shown_after(ATTRIBUTION_WAIT_SECS - 1), Reason::NoAttributionYet);
    /// assert_eq!(Reason::NoAttributionYet.shown_after(ATTRIBUTION_WAIT_SECS), Reason::NoClick);
    /// assert_eq!(Reason::PaymentUnknown.shown_after(ATTRIBUTION_WAIT_SECS), Reason::PaymentUnknown);
    /// ```
    #[must_use]
    pub const fn shown_after(self, secs: i64) -> Self {
        match self {
            Self::NoAttributionYet if secs >= ATTRIBUTION_WAIT_SECS => Self::NoClick,
            reason => reason,
        }
    }
}

/// How long a payment is shown as waiting for an attribution, in seconds: 72 hours.
pub const ATTRIBUTION_WAIT_SECS: i64 = 259_200;

/// What a [`Reason`] means for a click and its commission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A commission is earned.
    Earns,
    /// Only a page reported it, and the commission is held.
    Claimed,
    /// A click was found and does not count.
    RefusesClick,
    /// There is no click, or nothing to earn.
    EarnsNothing,
    /// Something is missing that another event may supply.
    Waits,
    /// The reason of an entry, an event or a delivery, never of a decision.
    Event,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_parses_back_and_equals_the_serialized_name() {
        for &reason in Reason::ALL {
            assert_eq!(Reason::from_code(reason.as_str()), Some(reason));
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
            assert!(reason.meaning().ends_with('.') && !reason.meaning().starts_with(' '));
        }
        assert_eq!(Reason::from_code("because"), None);
    }
}
