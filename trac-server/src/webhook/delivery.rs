//! One authentic delivery.

use trac_core::webhook::event::Event;

use crate::store::Scope;
use crate::store::body::StoredBody;

/// One authentic delivery.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) scope: Scope,
    pub(crate) endpoint_id: String,
    /// The connected account of the endpoint; with `None` it accepts only events without an account.
    pub(crate) stripe_account: Option<String>,
    pub(crate) event: Event,
    pub(crate) body: StoredBody,
}
