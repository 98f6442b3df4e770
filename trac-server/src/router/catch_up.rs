//! Writes the clicks in the spool to the database before the API responds, so that a merchant finds every
//! click that a visitor was redirected with.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::timeout;

use crate::trac::Trac;

/// How long a caller waits for these writes. If the store cannot be written, it can still be read.
const LIMIT: Duration = Duration::from_secs(1);

/// The middleware.
pub(crate) async fn before(State(trac): State<Trac>, request: Request, next: Next) -> Response {
    if trac.store.spooled() > 0 && timeout(LIMIT, trac.store.caught_up()).await.is_err() {
        tracing::debug!("clicks still wait in the spool");
    }
    next.run(request).await
}
