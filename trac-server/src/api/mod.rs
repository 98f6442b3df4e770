//! Shared by all routes of the management API: body fields, query parameters, lists and filters, and
//! idempotency.

pub(crate) mod csv;
pub(crate) mod fields;
pub(crate) mod parameters;
pub(crate) mod list;
pub(crate) mod activity;
pub(crate) mod frame;
pub(crate) mod idempotency;
