//! The grammar of the management API: fields of a body, parameters of a query, lists and their filters, repeats of a call.

pub(crate) mod fields;
pub(crate) mod parameters;
pub(crate) mod list;
pub(crate) mod frame;
pub(crate) mod idempotency;
