//! [`ClickLayer`]: a click in the URL becomes a cookie that the merchant's own server sets.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{HeaderValue, Request, Response, header};
use tower_layer::Layer;
use tower_service::Service;
use trac_core::cookie::{Arrival, Attributes};
use trac_core::program::AttributionModel;

use crate::click::{Click, arriving_click_id, stored_click_id};

/// Sets the click cookie when a visitor arrives with a click ID in the URL.
///
/// Safari deletes cookies and storage written by scripts after seven days; a cookie set by the merchant's own
/// server stays. The handlers behind the layer read the click with [`Click`] and
/// [`get_click_id`](crate::get_click_id), even in the same request.
///
/// Under last-click, the default, an arriving click replaces the stored one, unless the arriving ID is foreign
/// and the stored one has trac's own form; under [`first_click`](Self::first_click) the stored one stays.
///
/// **With the script.** The script writes the cookie for the registrable domain, such as `example.com`. If your
/// pages use the script too, give the layer the same [`domain`](Self::domain), so that both write the same
/// cookie. Otherwise the browser has two cookies named `trac_click_id` and sends the older cookie first, even
/// if the other has a newer click. Only the first one is read.
///
/// **With caches.** A response that sets the cookie and has no `Cache-Control` gets `Cache-Control: private`.
/// An existing `Cache-Control` is not changed: with `public` or `s-maxage`, a shared cache may store the cookie
/// of one visitor and send it to others, whose purchases are then credited to the wrong click. Do not use the
/// layer on such a route, or send `private` if the URL has a query.
///
/// # Wire form
/// `Set-Cookie: trac_click_id=<id>; Path=/; Max-Age=7776000; SameSite=Lax; Secure`
///
/// # Examples
/// ```
/// use axum::Router;
/// use axum::routing::get;
/// use trac_sdk::ClickLayer;
///
/// let app: Router = Router::new()
///     .route("/", get(|| async { "welcome" }))
///     .layer(ClickLayer::new().domain("example.com").days(30));
/// ```
#[derive(Clone, Debug)]
pub struct ClickLayer {
    domain: Option<Arc<str>>,
    days: u32,
    secure: bool,
    model: AttributionModel,
}

impl ClickLayer {
    /// A cookie for this host alone, for 90 days, over https only, with the last click.
    #[must_use]
    pub const fn new() -> Self {
        Self { domain: None, days: 90, secure: true, model: AttributionModel::LastClick }
    }

    /// Sets the cookie for all hosts of a domain, which must be the host of the request or a parent of it.
    ///
    /// A value that is not a domain name (letters, digits, hyphens and dots) is ignored: the cookie is then for
    /// this host alone. A browser rejects the cookie if the domain is a public suffix, such as `co.uk`, or does
    /// not contain this host.
    #[must_use]
    pub fn domain(self, domain: &str) -> Self {
        Self { domain: Some(domain.into()), ..self }
    }

    /// The lifetime of the cookie in days. Browsers limit it to 400.
    ///
    /// With 0, an arriving click removes the browser's cookie, and is available in its own request only.
    #[must_use]
    pub fn days(self, days: u32) -> Self {
        Self { days, ..self }
    }

    /// Sets the cookie without `Secure`, so that it is sent over plain http too: for development.
    #[must_use]
    pub fn insecure(self) -> Self {
        Self { secure: false, ..self }
    }

    /// Keeps the stored click when another one arrives.
    #[must_use]
    pub fn first_click(self) -> Self {
        Self { model: AttributionModel::FirstClick, ..self }
    }
}

impl Default for ClickLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for ClickLayer {
    type Service = ClickService<S>;

    fn layer(&self, inner: S) -> ClickService<S> {
        ClickService { inner, layer: self.clone() }
    }
}

/// The service of [`ClickLayer`].
#[derive(Clone, Debug)]
pub struct ClickService<S> {
    inner: S,
    layer: ClickLayer,
}

impl<S, B, R> Service<Request<B>> for ClickService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = SetCookie<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let cookie = self.layer.decide(&mut request);
        SetCookie { inner: self.inner.call(request), cookie }
    }
}

impl ClickLayer {
    /// Puts the click into the request for the handlers; returns the cookie if another click is to be stored.
    fn decide<B>(&self, request: &mut Request<B>) -> Option<HeaderValue> {
        let arriving = arriving_click_id(request.uri())?;
        let stored = stored_click_id(request.headers());
        let attributes = Attributes { domain: self.domain.as_deref(), days: self.days, secure: self.secure };
        let arrival = Arrival::of(stored.as_ref(), Some(&arriving), self.model, &attributes)?;
        request.extensions_mut().insert(Click(arrival.click));
        HeaderValue::from_str(&arrival.cookie?).ok()
    }
}

pin_project_lite::pin_project! {
    /// The future of [`ClickService`]: the response of the inner service, with the cookie.
    #[derive(Debug)]
    pub struct SetCookie<F> {
        #[pin]
        inner: F,
        cookie: Option<HeaderValue>,
    }
}

impl<F, R, E> Future for SetCookie<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut result = ready!(this.inner.poll(context));
        if let (Ok(response), Some(cookie)) = (&mut result, this.cookie.take()) {
            let headers = response.headers_mut();
            headers.append(header::SET_COOKIE, cookie);
            headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("private"));
        }
        Poll::Ready(result)
    }
}
