//! One budget of bytes for the bodies of all requests in flight, so that memory has a bound whoever sends what.
//!
//! What has come of a body is counted until its request is answered. The first 64 KiB of each body, which is nearly always all of
//! it, and what comes behind them have budgets of their own: large bodies that come slowly, or never end, keep no ordinary
//! webhook out. A request whose body finds no room is answered `503 SERVER_BUSY`.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::Request;
use hyper::body::{Frame, SizeHint};

/// What counts as the beginning of a body.
const BEGIN_BYTES: usize = 64 << 10;
/// The most that anybody keeps of one body; what comes behind that is heard and thrown away.
const KEPT_BYTES: usize = 2 << 20;
/// The budget for the beginnings of all bodies.
const BEGINS_BYTES: usize = 32 << 20;
/// The budget for all that comes behind them.
const RESTS_BYTES: usize = 24 << 20;

/// The budget. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bodies(Arc<Taken>);

/// What is taken of it.
#[derive(Debug, Default)]
struct Taken {
    begins: AtomicUsize,
    rests: AtomicUsize,
}

/// What one body has taken, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    of: Bodies,
    bytes: AtomicUsize,
    is_refused: AtomicBool,
}

impl Bodies {
    /// Counts the body of a request while it comes. The share is kept until the request is answered.
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
    /// Takes all there is.
    pub(crate) fn fill(&self) -> Vec<Share> {
        let one =
            || Share { of: self.clone(), bytes: AtomicUsize::new(0), is_refused: AtomicBool::new(false) };
        std::iter::repeat_with(one).take_while(|share| share.take(BEGIN_BYTES)).collect()
    }
}

impl Share {
    /// Whether there was no room for the body.
    pub(crate) fn is_refused(&self) -> bool {
        self.is_refused.load(Ordering::SeqCst)
    }

    /// Takes so many bytes more, if there is room.
    fn take(&self, bytes: usize) -> bool {
        let before = self.bytes.load(Ordering::SeqCst);
        let after = before.saturating_add(bytes).min(KEPT_BYTES);
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

/// A body that is counted while it comes.
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
        Poll::Ready(Some(Err(axum::Error::new("there is no room for the body"))))
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

    /// Reads a body; answers whether there was room, and what holds it.
    async fn read(bodies: &Bodies, bytes: usize) -> (bool, Option<Arc<Share>>) {
        let (request, share) = bodies.count(request(bytes));
        let read = to_bytes(request.into_body(), usize::MAX).await;
        assert_eq!(read.is_err(), share.as_ref().is_some_and(|share| share.is_refused()));
        (read.is_ok(), share)
    }

    #[tokio::test]
    async fn large_bodies_have_a_bound_and_keep_no_small_one_out() {
        let bodies = Bodies::default();
        let mut large = Vec::new();
        while let (true, share) = read(&bodies, KEPT_BYTES).await {
            large.extend(share);
        }
        assert_eq!(large.len(), RESTS_BYTES / (KEPT_BYTES - BEGIN_BYTES));
        assert!(read(&bodies, BEGIN_BYTES).await.0, "a small one finds room");
        large.pop();
        assert!(read(&bodies, KEPT_BYTES).await.0, "an answered request gives back what it took");
        drop(large);
        assert_eq!(bodies.0.rests.load(Ordering::SeqCst), 0);
        assert_eq!(bodies.0.begins.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn small_bodies_have_a_bound_too() {
        let bodies = Bodies::default();
        let mut small = Vec::new();
        while let (true, share) = read(&bodies, BEGIN_BYTES).await {
            small.extend(share);
        }
        assert_eq!(small.len(), BEGINS_BYTES / BEGIN_BYTES);
    }

    #[tokio::test]
    async fn what_is_thrown_away_is_not_counted_and_no_body_takes_nothing() {
        let bodies = Bodies::default();
        let (is_read, share) = read(&bodies, 9 * KEPT_BYTES).await;
        assert!(is_read);
        assert_eq!(share.map(|share| share.bytes.load(Ordering::SeqCst)), Some(KEPT_BYTES));
        assert!(bodies.count(Request::new(Body::empty())).1.is_none());
    }
}
