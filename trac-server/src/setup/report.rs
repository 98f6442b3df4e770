//! What the script reports about a page: read from untrusted JSON, cut to a few short texts and numbers.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::step::listed;

/// The longest text that is stored, in characters.
const TEXT_MAX: usize = 200;
/// The most items of a list that are stored.
const LIST_MAX: usize = 10;

/// Whose publishable key the page uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum KeyOwner {
    /// The page has no key.
    #[default]
    None,
    /// This workspace, in this mode.
    Own,
    /// This workspace, in its other mode.
    OtherMode,
    /// Another workspace of this server.
    OtherWorkspace,
    /// The key was revoked or has expired.
    Revoked,
    /// The key is not a publishable key of this server.
    Unknown,
}

/// The build of the script that runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Build {
    #[default]
    Wasm,
    Compat,
    Package,
}

/// Whether the page waits for its visitor's consent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Consent {
    #[default]
    NotRequired,
    Required,
}

/// A report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Report {
    build: Build,
    version: String,
    click_id: Option<String>,
    /// Links, forms and buttons that lead to Stripe, and how many of them contain the click.
    found: u32,
    rewritten: u32,
    /// Why links were left as they are.
    skipped: Vec<String>,
    errors: Vec<String>,
    /// The domain for which the browser stores a cookie; empty for the host alone, `None` if it stores none.
    cookie_domain: Option<String>,
    consent: Consent,
    /// The directives of the page's Content-Security-Policy that blocked something of the script.
    blocked: Vec<String>,
    pub(super) key: KeyOwner,
}

impl Report {
    /// Reads a report. Fields that are missing or of another type have their default.
    pub(super) fn read(value: &Value) -> Self {
        let of = |name: &str| value.get(name);
        let number = |name: &str| {
            let number = of(name).and_then(Value::as_u64).unwrap_or_default();
            u32::try_from(number).unwrap_or(u32::MAX)
        };
        let reasons = |item: &Value| item.get("reason").and_then(text).or_else(|| text(item));
        Self {
            build: known(of("build")),
            version: of("version").and_then(text).unwrap_or_default(),
            click_id: of("click_id").and_then(text),
            found: number("found"),
            rewritten: number("rewritten"),
            skipped: list(of("skipped"), reasons),
            errors: list(of("errors"), text),
            cookie_domain: of("cookie_domain").and_then(text),
            consent: known(of("consent")),
            blocked: list(of("blocked"), text),
            key: KeyOwner::None,
        }
    }

    /// What prevents the script from working on the page, and what to do; `None` if nothing does.
    pub(super) fn problem(&self) -> Option<(String, String)> {
        let key = match self.key {
            KeyOwner::None | KeyOwner::Own => None,
            KeyOwner::OtherMode => Some("is of the other mode (test or live)"),
            KeyOwner::OtherWorkspace => Some("belongs to another workspace"),
            KeyOwner::Revoked => Some("was revoked"),
            KeyOwner::Unknown => Some("is not a publishable key of this server"),
        };
        if let Some(key) = key {
            return Some((
                format!("The script runs, but the key on the page (data-key) {key}."),
                "Copy the publishable key of this workspace and mode to the script's data-key.".to_owned(),
            ));
        }
        if self.cookie_domain.is_none() && self.consent == Consent::NotRequired {
            return Some((
                "The script runs, but the browser stores no cookie on this page.".to_owned(),
                "Allow cookies for the shop in this browser. A page inside a frame of another site cannot store any."
                    .to_owned(),
            ));
        }
        if let Some(directive) = self.blocked.first() {
            return Some((
                format!("The script runs, but the page's Content-Security-Policy blocked it ({directive})."),
                "Ask whoever runs the shop's site to allow this server's address in that directive."
                    .to_owned(),
            ));
        }
        self.errors.first().map(|error| {
            (
                format!("The script runs, but reported an error: {error}."),
                "Send this text to whoever runs the shop's site, and check the page again after the change."
                    .to_owned(),
            )
        })
    }

    /// What the script did on the page, in one or two sentences.
    pub(super) fn summary(&self) -> String {
        let mut facts = Vec::new();
        let links = match self.found {
            0 => "no link to Stripe is on it".to_owned(),
            1 => "1 link to Stripe is on it".to_owned(),
            count => format!("{count} links to Stripe are on it"),
        };
        facts.push(links.as_str());
        let skipped = match self.skipped.len() {
            0 => None,
            1 => Some("1 of them keeps your own reference".to_owned()),
            count => Some(format!("{count} of them keep your own references")),
        };
        facts.extend(skipped.as_deref());
        let cookie = match (self.consent, self.cookie_domain.as_deref()) {
            (Consent::Required, _) => "nothing is stored before the visitor consents".to_owned(),
            (_, None | Some("")) => "the click is stored for this host".to_owned(),
            (_, Some(domain)) => format!("the click is stored for {domain}"),
        };
        facts.push(&cookie);
        let build = match self.build {
            Build::Wasm | Build::Package => "",
            Build::Compat => " The page does not allow WebAssembly, so the larger script without it runs.",
        };
        format!("The script runs on the page: {}.{build}", listed(&facts))
    }
}

/// A text, without control characters, and cut.
fn text(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    Some(text.chars().filter(|letter| !letter.is_control()).take(TEXT_MAX).collect())
}

fn list(value: Option<&Value>, read: impl Fn(&Value) -> Option<String>) -> Vec<String> {
    let items = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(read).take(LIST_MAX).collect()
}

/// A word of an enumeration; another value is the default.
fn known<T: Default + for<'de> Deserialize<'de>>(value: Option<&Value>) -> T {
    value.and_then(|value| T::deserialize(value).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_hostile_report_is_cut_to_its_fields() {
        let check = |value: Value| {
            let report = Report::read(&value);
            let stored = serde_json::to_string(&report).unwrap();
            assert!(stored.len() < 16_000, "{} bytes", stored.len());
            assert!(!stored.contains("planted"), "{stored}");
            assert_eq!(serde_json::from_str::<Report>(&stored).unwrap(), report);
        };
        check(json!(null));
        check(json!([1, 2]));
        check(
            json!({ "planted": "planted", "key": "planted", "build": "planted", "consent": { "planted": 1 } }),
        );
        check(json!({ "found": -1, "rewritten": u64::MAX, "version": 7, "errors": "planted" }));
        let long = "é\u{7}".repeat(10_000);
        check(
            json!({ "errors": vec![&long; 100], "skipped": vec![&long; 100], "blocked": vec![&long; 9], "version": long }),
        );
        check(json!({ "skipped": [{ "reason": { "planted": 1 } }, { "planted": 1 }, ["planted"]] }));
    }

    #[test]
    fn a_report_is_said_in_words() {
        let check = |value: Value, key: KeyOwner, want: Result<&str, &str>| {
            let report = Report { key, ..Report::read(&value) };
            match (report.problem(), want) {
                (None, Ok(want)) => assert_eq!(report.summary(), want),
                (Some((what, _)), Err(want)) => assert!(what.contains(want), "{what}"),
                (got, want) => panic!("{value}: {got:?}, not {want:?}"),
            }
        };
        let own = KeyOwner::Own;
        let fine = json!({ "build": "wasm", "found": 2, "cookie_domain": ".example.com" });
        let words = "The script runs on the page: 2 links to Stripe are on it and the click is stored for .example.com.";
        check(fine.clone(), own, Ok(words));
        check(fine.clone(), KeyOwner::None, Ok(words));
        check(fine.clone(), KeyOwner::OtherMode, Err("other mode"));
        check(fine.clone(), KeyOwner::OtherWorkspace, Err("another workspace"));
        check(fine.clone(), KeyOwner::Revoked, Err("revoked"));
        check(fine, KeyOwner::Unknown, Err("not a publishable key"));
        let skipped = json!({ "build": "compat", "found": 1, "skipped": [{ "reason": "merchant_reference" }],
            "consent": "required" });
        check(
            skipped,
            own,
            Ok(
                "The script runs on the page: 1 link to Stripe is on it, 1 of them keeps your own reference and nothing is \
                stored before the visitor consents. The page does not allow WebAssembly, so the larger script without it runs.",
            ),
        );
        check(json!({}), own, Err("stores no cookie"));
        check(json!({ "cookie_domain": "", "blocked": ["connect-src"] }), own, Err("(connect-src)"));
        check(json!({ "cookie_domain": "", "errors": ["TypeError: x"] }), own, Err("TypeError: x"));
    }
}
