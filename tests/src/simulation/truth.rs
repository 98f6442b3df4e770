//! What really happened between a merchant and its buyers, independent of events and their order.

use serde_json::{Value, json};

/// A program, as its merchant set it up.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of a program")]
pub(super) struct Rules {
    pub(super) earning: Earning,
    /// The time and value of a later rate, in hundredths of a percent.
    pub(super) revised: Option<(i64, i64)>,
    pub(super) recurring: Recurring,
    pub(super) window_days: i64,
    pub(super) hold_days: i64,
    pub(super) gross: bool,
    pub(super) with_shipping: bool,
    pub(super) count_outside: bool,
    pub(super) keep_when_cancelled: bool,
    pub(super) by_customer: bool,
    pub(super) first_click: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Earning {
    /// Hundredths of a percent.
    Share(i64),
    Fixed {
        minor: i64,
        currency: &'static str,
        cap: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recurring {
    First,
    Lifetime,
    Months(i64),
}

#[derive(Clone, Debug)]
pub(super) struct Partner {
    pub(super) email: String,
    pub(super) approved: bool,
    pub(super) own: Option<Earning>,
}

#[derive(Clone, Debug)]
pub(super) struct Click {
    pub(super) id: String,
    /// The index of the partner.
    pub(super) partner: usize,
    pub(super) at: i64,
}

/// The fields with values that may be click IDs, in the order of rules (1) to (5).
#[derive(Clone, Debug, Default)]
pub(super) struct Carried {
    pub(super) session_metadata: Option<String>,
    pub(super) client_reference: Option<String>,
    pub(super) subscription_metadata: Option<String>,
    pub(super) invoice_metadata: Option<String>,
    pub(super) intent_metadata: Option<String>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Money {
    /// The bank debit failed.
    Failed,
    Session {
        total: i64,
        tax: i64,
        shipping: i64,
    },
    Invoice {
        paid: i64,
        total: i64,
        tax: i64,
        outside: i64,
        proration: bool,
    },
    Bare {
        received: i64,
        authorised: i64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Inquiry,
    Open,
    Won,
    Lost,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Refund {
    pub(super) minor: i64,
    pub(super) at: i64,
    pub(super) failed: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Dispute {
    pub(super) minor: i64,
    pub(super) at: i64,
    pub(super) verdict: Verdict,
}

/// One payment. Its IDs contain `name`: `cs_name`, `in_name`, `pi_name`, `ch_name`.
#[derive(Clone, Debug)]
pub(super) struct Payment {
    pub(super) name: String,
    /// The creation time of the object that dates the payment: the invoice, otherwise the session, otherwise
    /// the `PaymentIntent`.
    pub(super) time: i64,
    pub(super) has_session: bool,
    pub(super) customer: Option<String>,
    pub(super) subscription: Option<String>,
    pub(super) email: String,
    pub(super) currency: &'static str,
    pub(super) carried: Carried,
    pub(super) money: Money,
    pub(super) refunds: Vec<Refund>,
    pub(super) disputes: Vec<Dispute>,
    /// For a bank debit, how many seconds the session was unpaid.
    pub(super) delayed_by: Option<i64>,
}

/// A subscription's end, if it has ended.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub(super) id: String,
    pub(super) customer: String,
    pub(super) ended_at: Option<i64>,
}

/// Everything that happens to one merchant.
#[derive(Clone, Debug)]
pub(super) struct Truth {
    pub(super) rules: Rules,
    pub(super) partners: Vec<Partner>,
    pub(super) clicks: Vec<Click>,
    pub(super) payments: Vec<Payment>,
    pub(super) subscriptions: Vec<Subscription>,
}

impl Payment {
    /// The amount charged to the card.
    pub(super) const fn charged(&self) -> i64 {
        match self.money {
            Money::Failed => 0,
            Money::Session { total, .. } => total,
            Money::Invoice { paid, outside, .. } => paid - outside,
            Money::Bare { received, .. } => received,
        }
    }

    /// The time of the payment. Stripe charges a renewal about an hour after it creates the invoice.
    pub(super) const fn paid_at(&self) -> i64 {
        let is_renewal = self.has_invoice() && !self.has_session;
        let delay = match self.delayed_by {
            Some(delay) => delay,
            None if is_renewal => 3_650,
            None => 0,
        };
        self.time + delay + 2
    }

    pub(super) const fn has_invoice(&self) -> bool {
        matches!(self.money, Money::Invoice { .. })
    }

    pub(super) const fn is_partly_captured(&self) -> bool {
        matches!(self.money, Money::Bare { received, authorised } if received < authorised)
    }

    pub(super) const fn is_bare(&self) -> bool {
        matches!(self.money, Money::Bare { .. })
    }
}

impl Earning {
    pub(super) fn to_json(self) -> Value {
        match self {
            Self::Share(bps) => json!({"type": "percentage", "rate_bps": bps}),
            Self::Fixed { minor, currency, cap } => {
                json!({"type": "fixed", "amount_minor": minor, "currency": currency, "cap_at_sale": cap})
            }
        }
    }
}

impl Rules {
    /// The body of `POST /programs`.
    pub(super) fn to_json(&self) -> Value {
        let recurring = match self.recurring {
            Recurring::First => json!("first_payment"),
            Recurring::Lifetime => json!("lifetime"),
            Recurring::Months(months) => json!({ "months": months }),
        };
        json!({
            "name": "A program",
            "commission": self.earning.to_json(),
            "recurring": recurring,
            "attribution_window_days": self.window_days,
            "hold_days": {"lead": 3, "sale": self.hold_days, "recurring": self.hold_days},
            "base": if self.gross { "gross" } else { "net" },
            "include_shipping": self.with_shipping,
            "count_out_of_band": self.count_outside,
            "cancel_policy": if self.keep_when_cancelled { "keep" } else { "void_pending" },
            "attribute_by_customer": self.by_customer,
            "attribution_model": if self.first_click { "first_click" } else { "last_click" },
        })
    }
}
