//! The order of writes.

/// The order in which waiting jobs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Stripe's events, which are about money.
    Webhook,
    /// A merchant's own calls.
    Api,
    /// Visitors' clicks.
    Click,
}
