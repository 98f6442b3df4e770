//! What a visitor was told, a merchant finds: clicks that wait beside the store are brought in before the API answers.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::timeout;

use crate::store::{Priority, StoreError};
use crate::trac::Trac;

/// How long a caller is kept waiting for that. A store that takes nothing can still be read as it is.
const LIMIT: Duration = Duration::from_secs(1);

/// The middleware. Whatever is written next is written after the clicks that wait, so it is enough to write nothing.
pub(crate) async fn before(State(trac): State<Trac>, request: Request, next: Next) -> Response {
    if trac.store.spooled() > 0 {
        let caught_up = trac.store.write(Priority::Api, |_| Ok::<_, StoreError>(()));
        if timeout(LIMIT, caught_up).await.is_err() {
            tracing::debug!("clicks still wait beside the store");
        }
    }
    next.run(request).await
}
