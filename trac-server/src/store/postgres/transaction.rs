//! A job in one transaction.

use super::link::{Access, Link, NotCommitted};
use super::session::Session;
use crate::store::{Everywhere, Scope, StoreError};

/// How a transaction ended.
pub(super) enum Ended<T, E> {
    /// It is committed.
    Committed(T),
    /// It is rolled back.
    Failed(E),
    /// The connection broke before the answer to the commit arrived. The mark tells how it ended.
    Unknown { value: T, mark: String, error: StoreError },
}

/// Runs a job in one transaction, which is committed if the job succeeds. If the job panics, the connection is
/// useless.
pub(super) fn run<T, E: From<StoreError>>(
    session: &mut Session,
    access: Access,
    scope: Option<Scope>,
    job: impl FnOnce(Everywhere<'_>) -> Result<T, E>,
) -> Ended<T, E> {
    let link = Link::of(session, access, scope);
    match job(Everywhere::of(&link)) {
        Ok(value) => match link.end(true) {
            Ok(()) => Ended::Committed(value),
            Err(NotCommitted::Failed(error)) => Ended::Failed(error.into()),
            Err(NotCommitted::Unknown { mark, error }) => Ended::Unknown { value, mark, error },
        },
        Err(error) => {
            // On a broken connection, the server does it.
            let _ = link.end(false);
            Ended::Failed(error)
        }
    }
}
