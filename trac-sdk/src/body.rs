//! Reads the body of a webhook delivery, up to a limit. For `trac-server`; not part of the SDK's interface.

use axum_core::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;

/// The largest body that is read, in bytes: invoices with many lines are large.
pub const LIMIT_BYTES: usize = 2 * 1024 * 1024;
/// How much more is received and dropped, so that the sender of a body that is too large receives the response.
const DROPPED_BYTES: usize = 16 * 1024 * 1024;

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It is larger than [`LIMIT_BYTES`].
    TooLarge,
    /// It ended before it was complete.
    Incomplete,
}

/// Reads a body of at most [`LIMIT_BYTES`].
///
/// # Errors
/// [`Unread`].
pub async fn read(mut body: Body) -> Result<Bytes, Unread> {
    let (mut collected, mut received) = (BytesMut::new(), 0_usize);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Unread::Incomplete)?;
        let Some(data) = frame.data_ref() else { continue };
        received = received.saturating_add(data.len());
        if received > LIMIT_BYTES.saturating_add(DROPPED_BYTES) {
            break;
        }
        if received <= LIMIT_BYTES {
            collected.extend_from_slice(data);
        }
    }
    if received > LIMIT_BYTES { Err(Unread::TooLarge) } else { Ok(collected.freeze()) }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use http_body_util::Full;

    use super::*;

    /// A body, and whether it was read.
    pub(crate) fn watched(text: &'static str) -> (Body, Arc<AtomicBool>) {
        let is_read = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&is_read);
        let body = Full::new(Bytes::from_static(text.as_bytes())).map_frame(move |frame| {
            flag.store(true, Ordering::SeqCst);
            frame
        });
        (Body::new(body), is_read)
    }

    #[tokio::test]
    async fn watched_reports_whether_the_body_was_read() {
        let (body, is_read) = watched("{}");
        assert!(!is_read.load(Ordering::SeqCst));
        assert_eq!(read(body).await.unwrap(), "{}");
        assert!(is_read.load(Ordering::SeqCst));
    }
}
