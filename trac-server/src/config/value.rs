//! Checks the values of options.

use serde::Deserialize;
use trac_core::cookie;

use super::ConfigError;

/// An http(s) URL with a host; trailing slashes are removed.
pub(super) fn public_url(text: &str) -> Result<String, ConfigError> {
    let wrong = || ConfigError(format!("public URL {text:?}: must be an http:// or https:// address"));
    let uri: axum::http::Uri = text.parse().map_err(|_| wrong())?;
    let http = matches!(uri.scheme_str(), Some("http" | "https"));
    let plain = uri.query().is_none() && uri.authority().is_some_and(|host| !host.as_str().contains('@'));
    if http && plain { Ok(text.trim_end_matches('/').to_owned()) } else { Err(wrong()) }
}

/// A URL that Stripe keys may be sent to: https, or on this machine.
pub(super) fn stripe_api_url(text: &str) -> Result<String, ConfigError> {
    let wrong = || {
        ConfigError(format!(
            "Stripe API URL {text:?}: must be an https:// address, or http:// on this machine"
        ))
    };
    let uri: axum::http::Uri = text.parse().map_err(|_| wrong())?;
    let host = uri.host().unwrap_or_default();
    let here = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    let safe = uri.scheme_str() == Some("https") || (uri.scheme_str() == Some("http") && here);
    let plain = uri.query().is_none() && uri.authority().is_some_and(|host| !host.as_str().contains('@'));
    if safe && plain && !host.is_empty() { Ok(text.trim_end_matches('/').to_owned()) } else { Err(wrong()) }
}

/// A domain name for which browsers accept a cookie: several labels.
pub(super) fn cookie_domain(text: &str) -> Result<String, ConfigError> {
    let longest = cookie::domains(text).last();
    if longest == Some(text) {
        return Ok(text.to_owned());
    }
    Err(ConfigError(format!("cookie domain {text:?}: must be a domain name, such as example.com")))
}

/// A host name, optionally with a port: the part between `https://` and the path.
pub(super) fn tracking_domain(text: &str) -> Result<String, ConfigError> {
    let name = text.trim().to_ascii_lowercase();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':');
    let authority = name.parse::<axum::http::uri::Authority>().ok();
    if name.bytes().all(plain) && authority.is_some_and(|authority| !authority.host().is_empty()) {
        return Ok(name);
    }
    Err(ConfigError(format!("tracking domain {text:?}: must be a host name, such as go.example.com")))
}

/// Checks each item of a list; `None` is an empty list.
pub(super) fn each(
    list: Option<Vec<String>>,
    check: fn(&str) -> Result<String, ConfigError>,
) -> Result<Vec<String>, ConfigError> {
    list.unwrap_or_default().iter().map(|text| check(text)).collect()
}

/// A list in the file, or a single value.
pub(super) fn one_or_many<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany<T> {
        One(T),
        Many(Vec<T>),
    }
    Ok(Some(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    }))
}
