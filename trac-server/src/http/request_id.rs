//! Every response carries `X-Request-Id`: the caller's if it is valid, otherwise a new one. Log lines contain
//! it.

use std::sync::Arc;

use axum::http::{HeaderName, HeaderValue};

pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

tokio::task_local! {
    /// The request that is being answered.
    pub(crate) static CURRENT: Named;
}

/// The fields that identify a request in log lines.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) id: String,
    pub(crate) method: &'static str,
    /// The route, not the path: a path may contain an e-mail address, and the query belongs to a visitor.
    pub(crate) route: Arc<str>,
}

/// The request being answered, if any.
pub(crate) fn current() -> Option<Named> {
    CURRENT.try_with(Clone::clone).ok()
}

/// The ID of the request being answered; empty outside of one.
pub(crate) fn current_id() -> String {
    CURRENT.try_with(|named| named.id.clone()).unwrap_or_default()
}

/// A caller's ID if it is safe to repeat: 1 to 128 of `A-Z a-z 0-9 - _ . : + / =`.
pub(crate) fn sane(value: &HeaderValue) -> Option<String> {
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
