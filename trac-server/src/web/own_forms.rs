//! Forms are accepted only from pages of this server.

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::problem::Problem;
use crate::trac::Trac;

/// Accepts a POST only from a page of this server.
///
/// Browsers send the origin of the page: in `Sec-Fetch-Site`, or over plain http and in older browsers in
/// `Origin`, which must be that of the public URL or of the request's host. A caller that sends neither is not
/// a browser, so it carries no other visitor's cookie.
pub(crate) async fn own_forms_only(State(trac): State<Trac>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let is_own = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let authority =
                |url: &str| Some(url.parse::<Uri>().ok()?.authority()?.as_str().to_ascii_lowercase());
            let here = [authority(&trac.public_url), text("host").map(str::to_ascii_lowercase)];
            authority(origin).is_some_and(|from| here.contains(&Some(from)))
        }
        (None, None) => true,
    };
    if request.method() == Method::POST && !is_own {
        return Problem::new(StatusCode::FORBIDDEN, "FORBIDDEN", "This form was sent from another site.")
            .into_response();
    }
    next.run(request).await
}
