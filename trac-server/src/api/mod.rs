//! What all routes of the management API share: body fields, query parameters, lists and filters,
//! idempotency.

pub(crate) mod fields;
pub(crate) mod parameters;
pub(crate) mod list;
pub(crate) mod frame;
pub(crate) mod idempotency;
