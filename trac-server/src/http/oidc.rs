//! A provider of OpenID Connect, by which people sign in: the code flow with PKCE.
//!
//! The ID token comes from the provider's own token endpoint over TLS, which takes the place of its signature; issuer,
//! audience, time, nonce and the verified e-mail address are checked.
//! Source: [OpenID Connect Core](https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation) 3.1.3.7,
//! [Discovery](https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig) 4,
//! [RFC 7636](https://www.rfc-editor.org/rfc/rfc7636#section-4.2).

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use trac_core::time::Timestamp;
use url::{Host, Url};

use super::limited;

/// The timeouts of a whole request and of its connection.
const TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest response that is read, in bytes.
const RESPONSE_MAX: usize = 256 << 10;
/// How far the provider's clock may be behind or ahead.
const SKEW_SECS: i64 = 120;
/// How long the provider's description is kept.
const KNOWN_SECS: i64 = 3_600;

/// A provider. Clones share what is known about it.
#[derive(Clone)]
pub struct Provider(Arc<Parts>);

struct Parts {
    /// Without a slash at the end.
    issuer: String,
    client_id: String,
    client_secret: String,
    name: String,
    client: OnceLock<Result<Client, String>>,
    known: Mutex<Option<(Timestamp, Endpoints)>>,
}

/// The addresses of a provider.
#[derive(Clone, Debug)]
struct Endpoints {
    authorization: Url,
    token: Url,
    /// Whether the client's secret is sent as a field, and not as a header.
    takes_secret_in_body: bool,
}

/// An address of a provider that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("oidc_issuer: must be the https:// address of the provider, as in https://accounts.google.com")]
pub struct UnusableProvider;

/// Why a person is not signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The provider cannot be reached, or answers what it should not.
    Provider(String),
    /// The provider has not verified the person's e-mail address.
    NotVerified,
}

/// What a browser keeps between leaving for the provider and coming back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trip {
    pub(crate) state: String,
    pub(crate) nonce: String,
    pub(crate) verifier: String,
}

impl Provider {
    /// A provider with this issuer, at which this server is registered as a client.
    ///
    /// # Errors
    /// [`UnusableProvider`] if the issuer is not a URL with https.
    pub fn new(
        issuer: &str,
        client_id: &str,
        client_secret: &str,
        name: &str,
    ) -> Result<Self, UnusableProvider> {
        let issuer = issuer.trim_end_matches('/');
        secure(issuer).ok_or(UnusableProvider)?;
        Ok(Self(Arc::new(Parts {
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            client_secret: client_secret.to_owned(),
            name: name.to_owned(),
            client: OnceLock::new(),
            known: Mutex::new(None),
        })))
    }

    /// The name that people know it by.
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    /// The address that a browser is sent to.
    ///
    /// # Errors
    /// [`Failure::Provider`].
    pub(crate) async fn way_there(&self, trip: &Trip, back: &str, now: Timestamp) -> Result<String, Failure> {
        let mut url = self.endpoints(now).await?.authorization;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&trip.verifier));
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", &self.0.client_id),
            ("redirect_uri", back),
            ("scope", "openid email"),
            ("state", &trip.state),
            ("nonce", &trip.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        Ok(url.into())
    }

    /// The verified e-mail address of the person who came back with this code, in lower case.
    ///
    /// # Errors
    /// [`Failure`].
    pub(crate) async fn email(
        &self,
        code: &str,
        trip: &Trip,
        back: &str,
        now: Timestamp,
    ) -> Result<String, Failure> {
        let endpoints = self.endpoints(now).await?;
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", back),
            ("code_verifier", &trip.verifier),
        ];
        let parts = &*self.0;
        let mut request = self.client()?.post(endpoints.token);
        if endpoints.takes_secret_in_body {
            fields.extend([("client_id", parts.client_id.as_str()), ("client_secret", &parts.client_secret)]);
        } else {
            request =
                request.basic_auth(form_encoded(&parts.client_id), Some(form_encoded(&parts.client_secret)));
        }
        let answer = json(request.form(&fields)).await?;
        let token = answer.get("id_token").and_then(Value::as_str).unwrap_or_default();
        self.checked(&claims(token).ok_or_else(|| broken("its ID token cannot be read"))?, trip, now)
    }

    /// The e-mail address of an ID token that is meant for this client and this trip.
    fn checked(&self, claims: &Value, trip: &Trip, now: Timestamp) -> Result<String, Failure> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
        let secs = |name: &str| claims.get(name).and_then(Value::as_i64).unwrap_or_default();
        let client_id = self.0.client_id.as_str();
        let audience: Vec<_> = match claims.get("aud") {
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
            one => one.and_then(Value::as_str).into_iter().collect(),
        };
        let is_ours = audience.contains(&client_id)
            && (audience.len() == 1 && text("azp").is_empty() || text("azp") == client_id);
        if text("iss").trim_end_matches('/') != self.0.issuer {
            return Err(broken("its ID token names another issuer"));
        }
        if !is_ours {
            return Err(broken("its ID token is for another client"));
        }
        if secs("exp").saturating_add(SKEW_SECS) <= now.unix_secs() {
            return Err(broken("its ID token is over: check the clock of this machine"));
        }
        if secs("iat").saturating_sub(SKEW_SECS) > now.unix_secs() {
            return Err(broken("its ID token is of the future: check the clock of this machine"));
        }
        if trip.nonce.is_empty() || text("nonce") != trip.nonce {
            return Err(broken("its ID token is for another sign-in"));
        }
        let is_verified = match claims.get("email_verified") {
            // Some providers send it as a text.
            Some(Value::String(text)) => text == "true",
            Some(value) => value.as_bool().unwrap_or_default(),
            None => false,
        };
        match text("email").trim().to_lowercase() {
            email if is_verified && !email.is_empty() => Ok(email),
            _ => Err(Failure::NotVerified),
        }
    }

    async fn endpoints(&self, now: Timestamp) -> Result<Endpoints, Failure> {
        let known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, endpoints)) = known
            && (0..KNOWN_SECS).contains(&now.secs_since(at))
        {
            return Ok(endpoints);
        }
        let url = format!("{}/.well-known/openid-configuration", self.0.issuer);
        let found = json(self.client()?.get(url)).await?;
        let text = |name: &str| found.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("issuer").trim_end_matches('/') != self.0.issuer {
            return Err(broken("its description names another issuer"));
        }
        let address = |name: &str| {
            let missing = || broken(&format!("its description has no {name} with https"));
            secure(text(name)).ok_or_else(missing)
        };
        let methods = found.get("token_endpoint_auth_methods_supported").and_then(Value::as_array);
        let has = |method: &str| methods.is_some_and(|all| all.iter().any(|one| one == method));
        let endpoints = Endpoints {
            authorization: address("authorization_endpoint")?,
            token: address("token_endpoint")?,
            takes_secret_in_body: has("client_secret_post") && !has("client_secret_basic"),
        };
        *self.0.known.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, endpoints.clone()));
        Ok(endpoints)
    }

    fn client(&self) -> Result<&Client, Failure> {
        let build = || {
            let client = Client::builder().timeout(TIMEOUT).connect_timeout(CONNECT_TIMEOUT);
            client.redirect(reqwest::redirect::Policy::none()).build().map_err(|error| error.to_string())
        };
        self.0.client.get_or_init(build).as_ref().map_err(|error| Failure::Provider(error.clone()))
    }
}

fn broken(why: &str) -> Failure {
    Failure::Provider(format!("the provider cannot be used: {why}"))
}

/// A URL with https, or one of this machine.
fn secure(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_here = match url.host()? {
        Host::Domain(domain) => domain == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    (url.scheme() == "https" || url.scheme() == "http" && is_here).then_some(url)
}

/// RFC 6749, 2.3.1: ID and secret are encoded like fields of a form before they become a header.
fn form_encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The JSON of a response.
async fn json(request: RequestBuilder) -> Result<Value, Failure> {
    let unreachable = |error: reqwest::Error| broken(&error.without_url().to_string());
    let response = request.header("accept", "application/json").send().await.map_err(unreachable)?;
    let status = response.status();
    let body = limited::body(response, RESPONSE_MAX).await.map_err(unreachable)?;
    let body = body.ok_or_else(|| broken("its response is too large"))?;
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    if status.is_success() && answer.is_object() {
        return Ok(answer);
    }
    let code = answer.get("error").and_then(Value::as_str).unwrap_or_default();
    Err(broken(format!("it answered {} {code}", status.as_u16()).trim_end()))
}

/// The claims of an ID token.
fn claims(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (_, claims, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
        return None;
    };
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?).ok()
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("issuer", &self.0.issuer).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_id_token_must_be_for_this_client_and_this_trip() {
        let provider = Provider::new("https://id.example.com/", "client", "secret", "Example").unwrap();
        let trip = Trip { state: "s".to_owned(), nonce: "n".to_owned(), verifier: "v".to_owned() };
        let now = Timestamp::from_unix_secs(1_000_000);
        let check = |change: Value, want: Result<&str, &str>| {
            let mut claims = json!({
                "iss": "https://id.example.com", "aud": "client", "exp": 1_000_600, "iat": 1_000_000, "nonce": "n",
                "email": "Ada@Example.com", "email_verified": true
            });
            claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            let found = provider.checked(&claims, &trip, now).map_err(|failure| format!("{failure:?}"));
            match (found, want) {
                (Ok(email), Ok(want)) => assert_eq!(email, want, "{change}"),
                (Err(error), Err(want)) => assert!(error.contains(want), "{change}: {error}"),
                (found, want) => panic!("{change}: {found:?}, not {want:?}"),
            }
        };
        check(json!({}), Ok("ada@example.com"));
        check(json!({ "iss": "https://id.example.com/" }), Ok("ada@example.com"));
        check(json!({ "email_verified": "true" }), Ok("ada@example.com"));
        check(json!({ "aud": ["client"] }), Ok("ada@example.com"));
        check(json!({ "aud": ["client", "other"], "azp": "client" }), Ok("ada@example.com"));
        check(json!({ "aud": ["client", "other"] }), Err("another client"));
        check(json!({ "azp": "other" }), Err("another client"));
        check(json!({ "aud": "other" }), Err("another client"));
        check(json!({ "aud": null }), Err("another client"));
        check(json!({ "iss": "https://evil.example.com" }), Err("another issuer"));
        check(json!({ "exp": 999_880 }), Err("is over"));
        check(json!({ "exp": null }), Err("is over"));
        check(json!({ "iat": 1_000_121 }), Err("of the future"));
        check(json!({ "nonce": "m" }), Err("another sign-in"));
        check(json!({ "nonce": null }), Err("another sign-in"));
        check(json!({ "email_verified": false }), Err("NotVerified"));
        check(json!({ "email_verified": null }), Err("NotVerified"));
        check(json!({ "email": "" }), Err("NotVerified"));
    }

    #[test]
    fn only_https_and_this_machine_are_used() {
        for (issuer, is_usable) in [
            ("https://id.example.com", true),
            ("http://127.0.0.1:9000", true),
            ("http://localhost/realm", true),
            ("http://id.example.com", false),
            ("ftp://id.example.com", false),
            ("id.example.com", false),
        ] {
            assert_eq!(Provider::new(issuer, "c", "s", "n").is_ok(), is_usable, "{issuer}");
        }
        assert!(claims("a.b").is_none() && claims("a.!.c").is_none() && claims("a.e30.c.d").is_none());
        assert_eq!(claims("a.e30.c"), Some(json!({})));
    }
}
