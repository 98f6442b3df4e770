//! A request body that reports whether it was read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::{Body, Bytes};
use http_body_util::{BodyExt as _, Full};

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
