//! Limits the memory that the request bodies in flight may occupy, all together.
//!
//! The bytes received of a body count until its request is answered. The first 64 KiB of each body (nearly
//! always the whole body) and the bytes after them have separate budgets, so that large bodies that arrive
//! slowly or never end do not block ordinary webhooks. A request whose body exceeds a budget gets
//! `503 SERVER_BUSY`.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::Request;
use hyper::body::{Frame, SizeHint};

/// How many bytes count as the beginning of a body.
const BEGIN_BYTES: usize = 64 << 10;
/// How many bytes of one body are counted at most. No route stores more: further bytes are read and
/// discarded.
const COUNTED_BYTES: usize = 2 << 20;
/// The budget for the beginnings of all bodies.
const BEGINS_BYTES: usize = 32 << 20;
/// The budget for the rest of all bodies.
const RESTS_BYTES: usize = 24 << 20;

/// The budget. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bodies(Arc<Taken>);

/// The bytes in use of each budget.
#[derive(Debug, Default)]
struct Taken {
    begins: AtomicUsize,
    rests: AtomicUsize,
}

/// The bytes that one body uses, released on drop.
#[derive(Debug)]
pub(crate) struct Share {
    of: Bodies,
    bytes: AtomicUsize,
    is_refused: AtomicBool,
}

impl Bodies {
    /// Counts the body of a request while it is received. The caller holds the share until the request is
    /// answered.
    pub(crate) fn count(&self, request: Request<Body>) -> (Request<Body>, Option<Arc<Share>>) {
        if request.body().is_end_stream() {
            return (request, None);
        }
        let share =
            Share { of: self.clone(), bytes: AtomicUsize::new(0), is_refused: AtomicBool::new(false) };
        let share = Arc::new(share);
        let counted = |body| Body::new(Counted { body, share: Arc::clone(&share) });
        (request.map(counted), Some(share))
    }
}

#[cfg(test)]
impl Bodies {
    /// Uses up the whole budget for beginnings.
    pub(crate) fn fill(&self) -> Vec<Share> {
        let one =
            || Share { of: self.clone(), bytes: AtomicUsize::new(0), is_refused: AtomicBool::new(false) };
        std::iter::repeat_with(one).take_while(|share| share.take(BEGIN_BYTES)).collect()
    }
}

impl Share {
    /// Whether the body exceeded a budget.
    pub(crate) fn is_refused(&self) -> bool {
        self.is_refused.load(Ordering::SeqCst)
    }

    /// Counts `bytes` more, if the budgets allow it.
    fn take(&self, bytes: usize) -> bool {
        let before = self.bytes.load(Ordering::SeqCst);
        let after = before.saturating_add(bytes).min(COUNTED_BYTES);
        let more = |part: fn(usize) -> usize| part(after).saturating_sub(part(before));
        let Taken { begins, rests } = &*self.of.0;
        let (begin_more, rest_more) = (more(begin), more(rest));
        let has_room = take(begins, begin_more, BEGINS_BYTES);
        if has_room && take(rests, rest_more, RESTS_BYTES) {
            self.bytes.store(after, Ordering::SeqCst);
            return true;
        }
        if has_room {
            begins.fetch_sub(begin_more, Ordering::SeqCst);
        }
        self.is_refused.store(true, Ordering::SeqCst);
        false
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let bytes = self.bytes.load(Ordering::SeqCst);
        self.of.0.begins.fetch_sub(begin(bytes), Ordering::SeqCst);
        self.of.0.rests.fetch_sub(rest(bytes), Ordering::SeqCst);
    }
}

fn begin(bytes: usize) -> usize {
    bytes.min(BEGIN_BYTES)
}

fn rest(bytes: usize) -> usize {
    bytes.saturating_sub(BEGIN_BYTES)
}

fn take(taken: &AtomicUsize, bytes: usize, most: usize) -> bool {
    let add = |taken: usize| taken.checked_add(bytes).filter(|taken| *taken <= most);
    bytes == 0 || taken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, add).is_ok()
}

/// A body that is counted while it is received.
struct Counted {
    body: Body,
    share: Arc<Share>,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Self { body, share } = self.get_mut();
        let frame = ready!(Pin::new(body).poll_frame(context));
        let bytes = match &frame {
            Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len),
            _ => 0,
        };
        if share.take(bytes) {
            return Poll::Ready(frame);
        }
        Poll::Ready(Some(Err(axum::Error::new("the body exceeds a memory budget"))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    fn request(bytes: usize) -> Request<Body> {
        Request::new(Body::from(vec![b' '; bytes]))
    }

    /// Reads a body; returns whether it fit, and the share that holds its bytes.
    async fn read(bodies: &Bodies, bytes: usize) -> (bool, Option<Arc<Share>>) {
        let (request, share) = bodies.count(request(bytes));
        let read = to_bytes(request.into_body(), usize::MAX).await;
        assert_eq!(read.is_err(), share.as_ref().is_some_and(|share| share.is_refused()));
        (read.is_ok(), share)
    }

    #[tokio::test]
    async fn large_bodies_are_limited_and_do_not_block_small_ones() {
        let bodies = Bodies::default();
        let mut large = Vec::new();
        while let (true, share) = read(&bodies, COUNTED_BYTES).await {
            large.extend(share);
        }
        assert_eq!(large.len(), RESTS_BYTES / (COUNTED_BYTES - BEGIN_BYTES));
        assert!(read(&bodies, BEGIN_BYTES).await.0, "a small body still fits");
        large.pop();
        assert!(read(&bodies, COUNTED_BYTES).await.0, "an answered request releases its bytes");
        drop(large);
        assert_eq!(bodies.0.rests.load(Ordering::SeqCst), 0);
        assert_eq!(bodies.0.begins.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn small_bodies_are_limited_too() {
        let bodies = Bodies::default();
        let mut small = Vec::new();
        while let (true, share) = read(&bodies, BEGIN_BYTES).await {
            small.extend(share);
        }
        assert_eq!(small.len(), BEGINS_BYTES / BEGIN_BYTES);
    }

    #[tokio::test]
    async fn discarded_bytes_are_not_counted_and_an_empty_body_has_no_share() {
        let bodies = Bodies::default();
        let (is_read, share) = read(&bodies, 9 * COUNTED_BYTES).await;
        assert!(is_read);
        assert_eq!(share.map(|share| share.bytes.load(Ordering::SeqCst)), Some(COUNTED_BYTES));
        assert!(bodies.count(Request::new(Body::empty())).1.is_none());
    }
}
