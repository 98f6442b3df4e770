//! `GET /trac.js`: the script, compressed when the server was built.

use std::sync::LazyLock;

use axum::Router;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use sha2::{Digest as _, Sha256};

use crate::id::hex;
use crate::trac::Trac;

/// `/trac.js`, its fallback for pages that do not allow WebAssembly, the part that checks a page, and their versioned
/// addresses.
pub(super) fn routes() -> Router<Trac> {
    let script = get(async |headers: HeaderMap| SCRIPT.answer(&headers));
    let compat = get(async |headers: HeaderMap| COMPAT.answer(&headers));
    let verify = get(async |headers: HeaderMap| VERIFY.answer(&headers));
    Router::new()
        .route("/trac.js", script.clone())
        .route("/v1/trac.js", script.clone())
        // The script reads its own URL: under this name it writes the selgeo dialect.
        .route("/v1/selgeo.js", script)
        .route("/trac.compat.js", compat.clone())
        .route("/v1/trac.compat.js", compat)
        .route("/trac-verify.js", verify.clone())
        .route("/v1/trac-verify.js", verify)
}

static SCRIPT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        include_bytes!(concat!(env!("OUT_DIR"), "/trac.js")),
        include_bytes!(concat!(env!("OUT_DIR"), "/trac.js.br")),
        include_bytes!(concat!(env!("OUT_DIR"), "/trac.js.gz")),
    )
});

static COMPAT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        include_bytes!(concat!(env!("OUT_DIR"), "/trac.compat.js")),
        include_bytes!(concat!(env!("OUT_DIR"), "/trac.compat.js.br")),
        include_bytes!(concat!(env!("OUT_DIR"), "/trac.compat.js.gz")),
    )
});

static VERIFY: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        include_bytes!(concat!(env!("OUT_DIR"), "/trac-verify.js")),
        include_bytes!(concat!(env!("OUT_DIR"), "/trac-verify.js.br")),
        include_bytes!(concat!(env!("OUT_DIR"), "/trac-verify.js.gz")),
    )
});

/// What to do if the server was built without the script.
const MISSING: &str = "This server was built without the script. Run: cargo xtask build-script";

/// What to do if the server was built without the script, in one line; `None` if the server has it.
#[must_use]
pub fn missing_script() -> Option<&'static str> {
    SCRIPT.plain.is_empty().then_some(MISSING)
}

/// One file in three encodings.
struct Script {
    plain: &'static [u8],
    brotli: &'static [u8],
    gzip: &'static [u8],
    /// The first bits of the file's SHA-256, as hex.
    version: String,
}

impl Script {
    fn new(plain: &'static [u8], brotli: &'static [u8], gzip: &'static [u8]) -> Self {
        let digest: [u8; 32] = Sha256::digest(plain).into();
        let version = hex(digest.first_chunk::<8>().map_or(&[], |first| first));
        Self { plain, brotli, gzip, version }
    }

    fn answer(&self, request: &HeaderMap) -> Response {
        if self.plain.is_empty() {
            return (StatusCode::SERVICE_UNAVAILABLE, format!("{MISSING}\n")).into_response();
        }
        let (encoding, body) = match accepted(request) {
            Encoding::Brotli => (Some("br"), self.brotli),
            Encoding::Gzip => (Some("gzip"), self.gzip),
            Encoding::Plain => (None, self.plain),
        };
        let tag = format!("\"{}-{}\"", self.version, encoding.unwrap_or("plain"));
        let known = request.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        let mut response = if known.is_some_and(|known| matches_tag(known, &tag)) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            body.into_response()
        };
        let headers = response.headers_mut();
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            headers.insert(header::ETAG, tag);
        }
        if let Some(encoding) = encoding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        for (name, value) in [
            (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
            (header::CACHE_CONTROL, "public, max-age=3600, stale-while-revalidate=86400"),
            (header::VARY, "accept-encoding"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        // Lets pages with cross-origin isolation load the script.
        headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
        response
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Brotli,
    Gzip,
    Plain,
}

/// The smallest encoding that the caller accepts. Source: RFC 9110, section 12.5.3.
fn accepted(request: &HeaderMap) -> Encoding {
    let accepts = |name: &str| {
        let lines = request.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        lines.flat_map(|line| line.split(',')).any(|part| {
            let mut words = part.split(';').map(str::trim);
            let named = words.next().is_some_and(|word| word.eq_ignore_ascii_case(name));
            let refused = words.any(|word| matches!(word, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
            named && !refused
        })
    };
    if accepts("br") {
        Encoding::Brotli
    } else if accepts("gzip") {
        Encoding::Gzip
    } else {
        Encoding::Plain
    }
}

fn matches_tag(known: &str, tag: &str) -> bool {
    known.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(pairs: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn the_smallest_encoding_the_caller_accepts_is_sent() {
        let check = |value: &'static str, want: Encoding| {
            assert_eq!(accepted(&request(&[(header::ACCEPT_ENCODING, value)])), want, "{value}");
        };
        check("gzip, deflate, br, zstd", Encoding::Brotli);
        check("gzip, deflate", Encoding::Gzip);
        check("GZIP;q=0.5", Encoding::Gzip);
        check("br;q=0, gzip", Encoding::Gzip);
        check("identity", Encoding::Plain);
        check("brotli", Encoding::Plain);
    }

    #[test]
    fn a_known_version_is_not_sent_again() {
        let script = Script::new(b"let a", b"b", b"g");
        let first = script.answer(&request(&[(header::ACCEPT_ENCODING, "br")]));
        assert_eq!(first.headers()[header::CONTENT_ENCODING], "br");
        let tag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
        let check = |known: String, want: StatusCode| {
            let mut headers = request(&[(header::ACCEPT_ENCODING, "br")]);
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_str(&known).unwrap());
            assert_eq!(script.answer(&headers).status(), want, "{known}");
        };
        check(tag.clone(), StatusCode::NOT_MODIFIED);
        check(format!("\"x\", W/{tag}"), StatusCode::NOT_MODIFIED);
        check("\"x\"".to_owned(), StatusCode::OK);
    }

    #[tokio::test]
    async fn a_server_without_the_script_says_what_to_run() {
        let response = Script::new(b"", b"", b"").answer(&HeaderMap::new());
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        let body = axum::body::to_bytes(response.into_body(), 1_000).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(text.contains("cargo xtask build-script") && text.lines().count() == 1, "{text}");
    }
}
