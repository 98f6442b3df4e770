//! The destinations of a Stripe account: the addresses to which Stripe sends events.
//!
//! # Wire form
//! `/v2/core/event_destinations` with JSON bodies, and, for keys and accounts without it, `/v1/webhook_endpoints` with
//! forms. Both have a URL, the enabled event types and a status; the signing secret is in the response that creates one,
//! and in no other.
//! Source: <https://docs.stripe.com/api/v2/core/event-destinations>, <https://docs.stripe.com/api/webhook_endpoints>.

use serde_json::{Value, json};

use crate::ask::stripe::{Body, Call, Failure, Stripe, VERSION, is_plain};
use crate::webhook::EVENT_TYPES;
use crate::webhook::stripe_key::StripeKey;

/// The permission in the words of Stripe's page for restricted keys.
pub(super) const PERMISSION: &str = "Webhook Endpoints: write";
/// The permission for later questions about payments.
const INVOICES: &str = "Invoices: read";

/// How merchants see the destination in Stripe.
const NAME: &str = "trac";
const DESCRIPTION: &str = "Affiliate attribution (trac)";

const V2: &str = "/v2/core/event_destinations";
const V1: &str = "/v1/webhook_endpoints";
/// The most pages of a list that are read, of a hundred destinations each.
const PAGES_MAX: usize = 10;

/// Which of Stripe's two interfaces has a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interface {
    V1,
    V2,
}

/// A destination at Stripe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Destination {
    pub(super) id: String,
    interface: Interface,
    url: String,
    pub(super) events: Vec<String>,
    is_enabled: bool,
    /// Whether events contain their object.
    is_snapshot: bool,
}

/// A destination that was made, with its signing secret.
pub(super) struct Made {
    pub(super) destination: Destination,
    pub(super) secret: String,
}

/// The account of a key.
pub(super) struct Account<'a> {
    pub(super) stripe: &'a Stripe,
    pub(super) key: &'a StripeKey,
}

impl Account<'_> {
    async fn call(&self, path: &str, permission: &str, body: Body<'_>) -> Result<Value, Failure> {
        self.stripe.call(self.key, &Call { path, permission, connected: None, body }).await
    }

    /// Whether the key may read what trac asks for later.
    ///
    /// # Errors
    /// [`Failure::Refused`] if not.
    pub(super) async fn may_read_invoices(&self) -> Result<(), Failure> {
        self.call("/v1/invoice_payments?limit=1", INVOICES, Body::None).await.map(|_| ())
    }

    /// The destinations that send events with their objects to a URL, and whether the newer interface can be used.
    ///
    /// # Errors
    /// [`Failure`] if neither interface lists them.
    pub(super) async fn of_url(&self, url: &str) -> Result<(Vec<Destination>, bool), Failure> {
        let newer = match self.list_v2().await {
            Ok(list) => Some(list),
            Err(later @ Failure::Later { .. }) => return Err(later),
            Err(_) => None,
        };
        let is_newer = newer.is_some();
        let mut found = ours(newer.unwrap_or_default(), url);
        // The newer interface lists the endpoints of the older one too; it is asked in case an account differs.
        if found.is_empty() {
            match self.list_v1().await {
                Ok(list) => found = ours(list, url),
                Err(Failure::Refused(_)) if is_newer => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok((found, is_newer))
    }

    async fn list_v2(&self) -> Result<Vec<Destination>, Failure> {
        let mut path = format!("{V2}?include[0]=webhook_endpoint.url&limit=100");
        let mut found = Vec::new();
        for _ in 0..PAGES_MAX {
            let page = self.call(&path, PERMISSION, Body::None).await?;
            found.extend(read_all(&page, Interface::V2));
            match page.get("next_page_url").and_then(Value::as_str).and_then(own_path) {
                Some(next) => path = next,
                None => break,
            }
        }
        Ok(found)
    }

    async fn list_v1(&self) -> Result<Vec<Destination>, Failure> {
        let page = self.call(&format!("{V1}?limit=100"), PERMISSION, Body::None).await?;
        Ok(read_all(&page, Interface::V1))
    }

    /// Makes a destination with all useful event types; by the older interface if the newer one cannot be used or refuses.
    ///
    /// # Errors
    /// [`Failure`] of the older interface, or if Stripe cannot be reached.
    pub(super) async fn make(&self, url: &str, is_newer: bool) -> Result<Made, Failure> {
        if is_newer {
            let body = json!({
                "name": NAME,
                "description": DESCRIPTION,
                "type": "webhook_endpoint",
                "event_payload": "snapshot",
                "snapshot_api_version": VERSION,
                "enabled_events": EVENT_TYPES,
                "webhook_endpoint": { "url": url },
                "include": ["webhook_endpoint.signing_secret", "webhook_endpoint.url"],
            });
            match self.call(V2, PERMISSION, Body::Json(&body)).await {
                Ok(made) => return read_made(&made, Interface::V2),
                Err(later @ Failure::Later { .. }) => return Err(later),
                Err(_) => {}
            }
        }
        let mut form = vec![
            ("url".to_owned(), url.to_owned()),
            ("api_version".to_owned(), VERSION.to_owned()),
            ("description".to_owned(), DESCRIPTION.to_owned()),
        ];
        form.extend(numbered(EVENT_TYPES.iter().copied()));
        let made = self.call(V1, PERMISSION, Body::Form(&form)).await?;
        read_made(&made, Interface::V1)
    }

    /// Selects all useful event types of a destination, besides those that are selected already, and enables it. Returns
    /// the types that are selected then.
    ///
    /// # Errors
    /// [`Failure`] if Stripe refuses or cannot be reached.
    pub(super) async fn complete(&self, destination: &Destination) -> Result<Vec<String>, Failure> {
        let Destination { id, interface, events, is_enabled, .. } = destination;
        let has = |kind: &str| events.iter().any(|one| one == kind || one == "*");
        let lacking = EVENT_TYPES.iter().filter(|kind| !has(kind)).map(|kind| (*kind).to_owned());
        let lacking: Vec<_> = lacking.collect();
        let all: Vec<String> = events.iter().cloned().chain(lacking.iter().cloned()).collect();
        match interface {
            Interface::V2 => {
                if !lacking.is_empty() {
                    let body = json!({ "enabled_events": all });
                    self.call(&format!("{V2}/{id}"), PERMISSION, Body::Json(&body)).await?;
                }
                if !is_enabled {
                    self.call(&format!("{V2}/{id}/enable"), PERMISSION, Body::Json(&json!({}))).await?;
                }
            }
            Interface::V1 if lacking.is_empty() && *is_enabled => {}
            Interface::V1 => {
                let mut form = vec![("disabled".to_owned(), "false".to_owned())];
                form.extend(numbered(all.iter().map(String::as_str)));
                self.call(&format!("{V1}/{id}"), PERMISSION, Body::Form(&form)).await?;
            }
        }
        Ok(all)
    }

    /// Disables a destination. It can be enabled again in Stripe.
    ///
    /// # Errors
    /// [`Failure`] if Stripe refuses or cannot be reached.
    pub(super) async fn disable(&self, destination: &Destination) -> Result<(), Failure> {
        let Destination { id, interface, .. } = destination;
        let empty = json!({});
        let disabled = [("disabled".to_owned(), "true".to_owned())];
        let (path, body) = match interface {
            Interface::V2 => (format!("{V2}/{id}/disable"), Body::Json(&empty)),
            Interface::V1 => (format!("{V1}/{id}"), Body::Form(&disabled)),
        };
        self.call(&path, PERMISSION, body).await.map(|_| ())
    }

    /// Asks Stripe to send a test event. Only the newer interface can.
    ///
    /// # Errors
    /// [`Failure`] if Stripe refuses or cannot be reached.
    pub(super) async fn ping(&self, destination: &Destination) -> Result<(), Failure> {
        if destination.interface == Interface::V1 {
            return Ok(());
        }
        let path = format!("{V2}/{}/ping", destination.id);
        self.call(&path, PERMISSION, Body::Json(&json!({}))).await.map(|_| ())
    }
}

impl Destination {
    pub(super) const fn is_enabled(&self) -> bool {
        self.is_enabled
    }
}

/// The event types as fields of a form.
fn numbered<'a>(kinds: impl Iterator<Item = &'a str>) -> impl Iterator<Item = (String, String)> {
    kinds.enumerate().map(|(at, kind)| (format!("enabled_events[{at}]"), kind.to_owned()))
}

/// The destinations of a URL that send events with their objects.
fn ours(list: Vec<Destination>, url: &str) -> Vec<Destination> {
    list.into_iter().filter(|found| found.url == url && found.is_snapshot).collect()
}

fn read_all(page: &Value, interface: Interface) -> Vec<Destination> {
    let data = page.get("data").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    data.iter().filter_map(|object| read(object, interface)).collect()
}

/// Reads a destination; `None` if it is not a webhook or has an ID that cannot be part of a path.
fn read(object: &Value, interface: Interface) -> Option<Destination> {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str);
    let url = match interface {
        Interface::V1 => text("/url")?,
        Interface::V2 => text("/webhook_endpoint/url")?,
    };
    let events = object.get("enabled_events").and_then(Value::as_array)?;
    Some(Destination {
        id: text("/id").filter(|id| is_plain(id))?.to_owned(),
        interface,
        url: url.to_owned(),
        events: events.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect(),
        is_enabled: text("/status") == Some("enabled"),
        is_snapshot: interface == Interface::V1 || text("/event_payload") == Some("snapshot"),
    })
}

fn read_made(object: &Value, interface: Interface) -> Result<Made, Failure> {
    let secret = match interface {
        Interface::V1 => object.get("secret"),
        Interface::V2 => object.pointer("/webhook_endpoint/signing_secret"),
    };
    let secret = secret.and_then(Value::as_str).filter(|secret| secret.starts_with("whsec_"));
    match (read(object, interface), secret) {
        (Some(destination), Some(secret)) => Ok(Made { destination, secret: secret.to_owned() }),
        _ => Err(Failure::Unknown("Stripe's answer contains no signing secret.".to_owned())),
    }
}

/// The path and query of the next page, if it is one of this list.
fn own_path(url: &str) -> Option<String> {
    let at = url.find(V2)?;
    let path = url.get(at..)?;
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'#');
    let is_list = path.strip_prefix(V2).is_some_and(|rest| rest.starts_with('?'));
    (is_list && path.bytes().all(plain)).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_one_of_the_same_list() {
        let check = |url: &str, want: Option<&str>| assert_eq!(own_path(url).as_deref(), want, "{url}");
        check("/v2/core/event_destinations?page=2", Some("/v2/core/event_destinations?page=2"));
        check(
            "https://api.stripe.com/v2/core/event_destinations?page=2",
            Some("/v2/core/event_destinations?page=2"),
        );
        check("/v2/core/event_destinations/ed_1/ping", None);
        check("/v2/core/event_destinations?page=a b", None);
        check("/v1/charges", None);
        check("", None);
    }

    #[test]
    fn only_a_webhook_with_a_plain_id_is_read() {
        let check = |object: Value, interface, want: Option<(bool, bool)>| {
            let found = read(&object, interface).map(|found| (found.is_enabled, found.is_snapshot));
            assert_eq!(found, want, "{object}");
        };
        let v1 = json!({ "id": "we_1", "url": "https://a", "enabled_events": ["*"], "status": "enabled" });
        check(v1, Interface::V1, Some((true, true)));
        let v2 = json!({ "id": "ed_1", "webhook_endpoint": { "url": "https://a" }, "enabled_events": [], "status": "disabled",
            "event_payload": "thin" });
        check(v2, Interface::V2, Some((false, false)));
        check(json!({ "id": "a/b", "url": "https://a", "enabled_events": [] }), Interface::V1, None);
        check(json!({ "id": "ed_1", "amazon_eventbridge": {}, "enabled_events": [] }), Interface::V2, None);
    }
}
