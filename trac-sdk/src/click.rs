//! The click of a request: [`get_click_id`], and the extractor [`Click`].

use std::convert::Infallible;
use std::ops::Deref;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use trac_core::click::{ClickId, dialect, query};
use trac_core::cookie;

/// A request as [`get_click_id`] reads it: an `http` `Request` with any body, or its `Parts`. The trait is sealed.
pub trait RequestHead: private::Sealed {
    #[doc(hidden)]
    fn head(&self) -> (&HeaderMap, &Uri, &Extensions);
}

mod private {
    #[expect(unnameable_types, reason = "a sealed trait")]
    pub trait Sealed {}
    impl<B> Sealed for http::Request<B> {}
    impl Sealed for http::request::Parts {}
}

impl<B> RequestHead for Request<B> {
    fn head(&self) -> (&HeaderMap, &Uri, &Extensions) {
        (self.headers(), self.uri(), self.extensions())
    }
}

impl RequestHead for Parts {
    fn head(&self) -> (&HeaderMap, &Uri, &Extensions) {
        (&self.headers, &self.uri, &self.extensions)
    }
}

/// The ID of the click that brought the visitor, if the request carries one.
///
/// Reads the cookies `trac_click_id`, `clk_id` and `rd_click_id`, in this order, then the query of the URL.
/// Behind a [`ClickLayer`](crate::ClickLayer), it returns the ID that the layer decided on and reads neither
/// cookies nor query. A value that is not a click ID is skipped, and is not an error. Allocates only if an ID
/// is found.
///
/// If several cookies have the same name, the first valid ID is used. Browsers send the oldest cookie first,
/// so an older cookie can hide a newer one that the script `trac.js` wrote;
/// [`ClickLayer`](crate::ClickLayer) describes how to avoid this.
///
/// The ID is sent by the visitor and may be invented. It counts only if the trac server knows the click.
///
/// # Examples
/// ```
/// use http::Request;
/// use trac_sdk::get_click_id;
///
/// let request = Request::get("/?trac_click_id=from-the-url")
///     .header("cookie", "theme=dark; trac_click_id=from-the-cookie")
///     .body(())?;
/// let id = get_click_id(&request);
/// assert_eq!(id.as_ref().map(|id| id.as_str()), Some("from-the-cookie"));
///
/// let request = Request::get("/").header("cookie", "trac_click_id=<script>").body(())?;
/// assert_eq!(get_click_id(&request), None);
/// # Ok::<(), http::Error>(())
/// ```
#[must_use]
pub fn get_click_id(request: &impl RequestHead) -> Option<ClickId> {
    let (headers, uri, extensions) = request.head();
    if let Some(Click(id)) = extensions.get() {
        return Some(id.clone());
    }
    stored_click_id(headers).or_else(|| arriving_click_id(uri))
}

/// The click ID in the cookies of a request. Exported only for `trac-server`; other callers should use
/// [`get_click_id`].
#[must_use]
pub fn stored_click_id(headers: &HeaderMap) -> Option<ClickId> {
    // `find_across` reads the headers once for each name, and `http`'s own iterator cannot be cloned.
    let lines = (0..).map_while(|at| headers.get_all(header::COOKIE).iter().nth(at));
    cookie::find_across(lines.map(HeaderValue::as_bytes))
}

/// The click ID in the query of a URL. Exported only for `trac-server`; other callers should use
/// [`get_click_id`].
#[must_use]
pub fn arriving_click_id(uri: &Uri) -> Option<ClickId> {
    query::find_in_query(uri.query()?, &dialect::TRAC)
}

/// The click that brought the visitor, as an axum extractor.
///
/// A handler that takes `Option<Click>` runs for every visitor. One that takes `Click` runs for visitors with a
/// click ID; the response to all other requests is [`NoClick`]. It dereferences to the [`ClickId`].
///
/// # Examples
/// ```
/// use axum::Router;
/// use axum::routing::get;
/// use trac_sdk::Click;
///
/// async fn greet(click: Option<Click>) -> String {
///     match click {
///         Some(click) => format!("brought by {}", click.as_str()),
///         None => "welcome".to_owned(),
///     }
/// }
///
/// let app: Router = Router::new().route("/", get(greet));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Click(pub ClickId);

impl Deref for Click {
    type Target = ClickId;

    fn deref(&self) -> &ClickId {
        &self.0
    }
}

/// The request carries no click ID.
///
/// # Wire form
/// `400` with one line of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no click ID in the cookies or the query of this request")]
pub struct NoClick;

impl IntoResponse for NoClick {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, format!("{self}\n")).into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for Click {
    type Rejection = NoClick;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NoClick> {
        get_click_id(parts).map(Self).ok_or(NoClick)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Click {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(get_click_id(parts).map(Self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_come_first_in_dialect_order_then_the_query() {
        let check = |uri: &str, cookies: &[&[u8]], want: Option<&str>| {
            let request = cookies.iter().fold(Request::get(uri), |request, cookie| {
                request.header("cookie", HeaderValue::from_bytes(cookie).unwrap())
            });
            let found = get_click_id(&request.body(()).unwrap());
            assert_eq!(found.as_ref().map(ClickId::as_str), want, "{uri} {cookies:?}");
        };
        check("/", &[], None);
        check("/?trac_click_id=a", &[], Some("a"));
        check("/?trac_click_id=a", &[b"trac_click_id=b"], Some("b"));
        check("/", &[b"rd_click_id=r; clk_id=c"], Some("c"));
        check("/", &[b"rd_click_id=r", b"trac_click_id=t"], Some("t"));
        check("/", &[b"trac_click_id=; trac_click_id=t"], Some("t"));
        check("/", &[b"trac_click_id=\xff\xfe; rd_click_id=r"], Some("r"));
        check("/?click_id=an-ad-networks", &[], None);
        check("/?click_id=clk_1_0000000000000001", &[], Some("clk_1_0000000000000001"));
        check("/?rd_click_id=%3Cscript%3E", &[b";;==;trac_click_id"], None);
    }
}
