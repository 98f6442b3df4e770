//! Every answer carries `X-Request-Id`, the caller's if it sent a sane one, and the log names it.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use tracing::Instrument as _;

use crate::id::{Ids, Kind};

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

tokio::task_local! {
    static CURRENT: String;
}

/// The ID of the request being answered; empty outside of one.
pub(crate) fn current() -> String {
    CURRENT.try_with(Clone::clone).unwrap_or_default()
}

/// Names the request, logs how it went, and marks the answer.
pub(crate) async fn stamp(
    ids: &Ids,
    request: Request,
    answer: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let id = request.headers().get(HEADER).and_then(sane).unwrap_or_else(|| ids.make(Kind::Request));
    // The route, not the path: what callers put into a path can be an e-mail address. The query is a visitor's.
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.as_deref().unwrap_or("none");
    let span = tracing::info_span!("request", id, method = %request.method(), route);
    let started = Instant::now();
    let answer = async move {
        let response = answer(request).await;
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        tracing::debug!(status = response.status().as_u16(), micros, "answered");
        response
    };
    let mut response = CURRENT.scope(id.clone(), answer.instrument(span)).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}

/// A caller's ID that can be repeated without harm: 1 to 128 of `A-Z a-z 0-9 - _ . : + / =`.
fn sane(value: &HeaderValue) -> Option<String> {
    let text = value.to_str().ok()?;
    let fits = (1..=128).contains(&text.len());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:+/=".contains(&byte);
    (fits && text.bytes().all(plain)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sane_id_is_repeated() {
        let check = |text: &str, want: Option<&str>| {
            assert_eq!(sane(&HeaderValue::from_str(text).unwrap()).as_deref(), want, "{text}");
        };
        check("req_1", Some("req_1"));
        check("a:b/c+d=.-", Some("a:b/c+d=.-"));
        check("", None);
        check("two words", None);
        check("<script>", None);
        check(&"x".repeat(128), Some(&"x".repeat(128)));
        check(&"x".repeat(129), None);
    }
}
