//! Checks the base URL of a trac server.

use reqwest::Url;

use super::error::ClientError;

/// Checks a base URL; returns it normalized as by the URL standard, without a slash at the end.
pub(super) fn base_of(base_url: &str) -> Result<String, ClientError> {
    let invalid = |why| Err(ClientError::InvalidUrl(why));
    let Ok(url) = base_url.parse::<Url>() else {
        return invalid("is not a URL, such as https://track.example.com");
    };
    if !matches!(url.scheme(), "http" | "https") {
        return invalid("does not begin with http:// or https://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return invalid("contains a user name or a password");
    }
    if url.query().is_some() {
        return invalid("contains a query (`?`)");
    }
    if url.fragment().is_some() {
        return invalid("contains a fragment (`#`)");
    }
    let base = url.as_str().trim_end_matches('/');
    if base.ends_with("/api/v1") {
        return invalid("ends with /api/v1: leave that out, the client adds the paths of the API");
    }
    Ok(base.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_http_with_only_host_and_path() {
        let check = |url: &str, want: Result<&str, &str>| match (base_of(url), want) {
            (Ok(base), want) => assert_eq!(Ok(base.as_str()), want, "{url}"),
            (Err(error), Err(want)) => assert!(error.to_string().contains(want), "{url}: {error}"),
            (Err(error), Ok(_)) => panic!("{url}: {error}"),
        };
        check("https://track.example.com", Ok("https://track.example.com"));
        check("https://track.example.com/", Ok("https://track.example.com"));
        check("HTTP://127.0.0.1:8787/trac//", Ok("http://127.0.0.1:8787/trac"));
        check("", Err("is not a URL"));
        check("track.example.com", Err("is not a URL"));
        check("localhost:8787", Err("http:// or https://"));
        check("ftp://x", Err("http:// or https://"));
        check("https://u@x", Err("a user name or a password"));
        check("https://:p@x", Err("a user name or a password"));
        check("https://x/?", Err("a query"));
        check("https://x/#a", Err("a fragment"));
        check("https://x/api/v1", Err("ends with /api/v1"));
        check("https://x/trac/api/v1/", Err("ends with /api/v1"));
    }

    #[test]
    fn the_error_does_not_contain_the_rejected_url() {
        for secret in ["https://u:hunter2@x", "https://x/?key=hunter2", "hunter2"] {
            let error = base_of(secret).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }
}
