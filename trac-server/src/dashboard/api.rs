//! The management API, called within the process for the person at the dashboard.
//!
//! Pages show what the API returns, and forms are calls of the API. So a page can do nothing that the API cannot, and
//! rights, validation, errors and the record of changes are the same for a person and a key.

use std::pin::Pin;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use tower::util::ServiceExt as _;

use crate::access::Merchant;
use crate::problem::Problem;
use crate::store::StoreError;

/// The routes of the management API.
#[derive(Clone, Debug)]
pub(crate) struct Api(Router);

/// The largest response that a page reads.
const ANSWER_MAX: usize = 16 << 20;

/// An error of the API.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) status: StatusCode,
    pub(super) code: String,
    pub(super) message: String,
    /// What is wrong with each field.
    pub(super) fields: Map<String, Value>,
}

impl Failure {
    /// An error that no single field causes.
    pub(super) fn new(status: StatusCode, code: &str, message: &str) -> Self {
        Self { status, code: code.to_owned(), message: message.to_owned(), fields: Map::new() }
    }

    /// An error of the store.
    pub(super) fn of_store(error: StoreError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "STORE", Problem::from(error).message())
    }

    /// The error of a response that is not as expected.
    fn internal() -> Self {
        let message = "Something went wrong. The server's log has the details.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", message)
    }

    fn of(status: StatusCode, answer: &Value) -> Self {
        let text = |name: &str| {
            let value = answer.pointer(&format!("/error/{name}"));
            value.and_then(Value::as_str).map(ToOwned::to_owned)
        };
        let (Some(code), Some(message)) = (text("code"), text("message")) else { return Self::internal() };
        let fields = answer.pointer("/error/fields").and_then(Value::as_object).cloned().unwrap_or_default();
        Self { status, code, message, fields }
    }
}

/// A call that is under way. It is boxed, so that the compiler examines the routes once and not at every call.
pub(super) type Pending<'a> = Pin<Box<dyn Future<Output = Result<Value, Failure>> + Send + 'a>>;

/// One call.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    /// The path after `/api/v1`, with its query.
    pub(super) path: String,
    pub(super) body: Option<Value>,
    /// The value of `Idempotency-Key`, so that a form that is sent twice takes effect once.
    pub(super) once: Option<String>,
}

impl Api {
    /// The routes, without the path that they are nested under.
    pub(crate) const fn new(routes: Router) -> Self {
        Self(routes)
    }

    /// Reads an object or a list.
    ///
    /// # Errors
    /// The API's.
    pub(super) fn get<'a>(&'a self, caller: &'a Merchant, path: &str) -> Pending<'a> {
        self.call(caller, Call { method: Method::GET, path: path.to_owned(), body: None, once: None })
    }

    /// Makes a call.
    ///
    /// # Errors
    /// The API's.
    pub(super) fn call<'a>(&'a self, caller: &'a Merchant, call: Call) -> Pending<'a> {
        Box::pin(self.send(caller, call))
    }

    async fn send(&self, caller: &Merchant, call: Call) -> Result<Value, Failure> {
        let mut request = Request::builder().method(call.method).uri(&call.path).extension(caller.clone());
        if let Some(once) = &call.once {
            request = request.header("idempotency-key", once);
        }
        let body = match call.body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        let request = request.body(body).map_err(|_| Failure::internal())?;
        let Ok(response) = self.0.clone().oneshot(request).await;
        Ok(serde_json::from_slice(&read(response).await?).unwrap_or_default())
    }

    /// Reads a file.
    ///
    /// # Errors
    /// The API's.
    pub(super) async fn file(&self, caller: &Merchant, path: &str) -> Result<Bytes, Failure> {
        let request = Request::builder().uri(path).extension(caller.clone()).body(Body::empty());
        let Ok(response) = self.0.clone().oneshot(request.map_err(|_| Failure::internal())?).await;
        read(response).await
    }
}

/// The body of a response, or its error.
async fn read(response: Response) -> Result<Bytes, Failure> {
    let status = response.status();
    let body = to_bytes(response.into_body(), ANSWER_MAX).await.map_err(|_| Failure::internal())?;
    if status.is_success() {
        return Ok(body);
    }
    Err(Failure::of(status, &serde_json::from_slice(&body).unwrap_or_default()))
}

/// The characters that are encoded in a URL: all but the unreserved ones.
/// Source: [RFC 3986](https://www.rfc-editor.org/rfc/rfc3986#section-2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A value in a URL.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// The query of these pairs, beginning with `?`; empty if there are none.
pub(super) fn query_of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let pairs: Vec<_> =
        pairs.into_iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}
