//! How long rows are kept that no money rests on.

/// How many days rows are kept that no money rests on; 0 for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The bodies of events. An event without its body is not replayed.
    pub bodies_days: u32,
    /// Clicks that no payment, lead, claim, promotion code or object of Stripe names. They are kept for at
    /// least 31 days more than the longest attribution window; their numbers by day are kept.
    pub clicks_days: u32,
    /// Events of the webhook log without effect: those that were rejected or ignored.
    pub log_days: u32,
    /// Refused calls.
    pub refusals_days: u32,
}

impl Default for Retention {
    /// Everything but refused calls, which are kept for 30 days.
    fn default() -> Self {
        Self { bodies_days: 0, clicks_days: 0, log_days: 0, refusals_days: 30 }
    }
}
