//! `trac doctor`: what is wrong with an installation, and how to mend it.

use std::net::IpAddr;

use axum::http::Uri;
use serde::Serialize;

use super::recount;
use crate::store::rows::{Rows, args};
use crate::store::{Everywhere, PUBLIC_URL, Scope, Store, StoreError, StoreErrorKind, mode_of, setting};
use crate::webhook::secrets;

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What is wrong, as a sentence.
    pub what: String,
    /// How to mend it, as a sentence.
    pub remedy: String,
}

/// The state of an installation.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What is wrong; empty if nothing is.
    pub findings: Vec<Finding>,
    /// The parts of the database with their sizes in bytes, each with its indexes.
    pub space: Vec<(&'static str, u64)>,
}

/// Examines the database, its secrets, its disk and its webhook endpoints. The server may run.
///
/// # Errors
/// The store's, except those that are findings.
pub async fn examine(store: &Store) -> Result<Report, StoreError> {
    let mut findings = Vec::new();
    let checked = match store.quick_check().await {
        Ok(()) => compared(store).await,
        Err(error) => Err(error),
    };
    match checked {
        Ok(found) => findings.extend(found),
        Err(error) => findings.push(damage(error)?),
    }
    if let Err(error) = secrets::check_secrets(store).await {
        findings.push(Finding::of(
            format!("A secret cannot be opened: {error}."),
            "Start trac with the master key that sealed the secrets, or set the secrets of the endpoints again.",
        ));
    }
    if let Err(error) = store.has_room_for_pages() {
        let remedy = "Free space on the disk, or enlarge it.";
        findings.push(Finding::of(format!("Clicks are not recorded: {error}."), remedy));
    }
    let is_damaged = |findings: &[Finding]| findings.iter().any(|finding| finding.remedy == RESTORE);
    match store.read(configuration).await {
        Ok(found) => findings.extend(found),
        Err(error) if is_damaged(&findings) => drop(error),
        Err(error) => findings.push(damage(error)?),
    }
    let space = match store.space().await {
        Ok(space) => space,
        Err(_) if is_damaged(&findings) => Vec::new(),
        Err(error) => return Err(error),
    };
    Ok(Report { findings, space })
}

const RESTORE: &str = "Restore the last backup: trac restore.";

/// The finding that the database is damaged, if that is the error.
fn damage(error: StoreError) -> Result<Finding, StoreError> {
    if error.kind() == StoreErrorKind::Corrupt {
        return Ok(Finding::of(format!("The database is damaged: {error}."), RESTORE));
    }
    Err(error)
}

/// Whether the rows that follow from others are what follows.
async fn compared(store: &Store) -> Result<Option<Finding>, StoreError> {
    let differences = recount::compare(store).await?;
    Ok(differences.first().map(|first| {
        let count = differences.len();
        let what = format!("{count} counts, balances or sums differ from their rows, for example: {first}.");
        Finding::of(what, "Run trac recount, which mends them.")
    }))
}

/// What is wrong with the public URL and the webhook endpoints.
fn configuration(tx: Everywhere<'_>) -> Result<Vec<Finding>, StoreError> {
    let mut findings = Vec::new();
    match setting(tx, PUBLIC_URL)? {
        None => findings
            .push(Finding::of("No server has run on this data folder.".to_owned(), "Start it: trac serve.")),
        Some(url) if url.starts_with("http://") && !is_local(&url) => findings.push(Finding::of(
            format!("The public URL is not https: {url}."),
            "Set --public-url to an https:// URL: Stripe delivers live events to no other.",
        )),
        Some(_) => {}
    }
    for endpoint in Endpoint::all(tx)? {
        findings.extend(endpoint.findings(tx)?);
    }
    Ok(findings)
}

struct Endpoint {
    id: String,
    scope: Scope,
    workspace: String,
    has_secret: bool,
    key_problem: Option<String>,
}

impl Endpoint {
    fn all(tx: Everywhere<'_>) -> Result<Vec<Self>, StoreError> {
        let sql = "SELECT e.id, e.workspace_id, e.mode, w.name, e.secrets, e.stripe_api_key_problem FROM webhook_endpoint AS e \
                   JOIN workspace AS w ON w.id = e.workspace_id ORDER BY e.id";
        tx.all(sql, &[], |row| {
            let (workspace_id, mode): (String, String) = (row.get(1)?, row.get(2)?);
            Ok(Self {
                id: row.get(0)?,
                scope: Scope::new(&workspace_id, mode_of(&mode)),
                workspace: row.get(3)?,
                has_secret: row.get::<String>(4)?.contains('"'),
                key_problem: row.get(5)?,
            })
        })
    }

    fn findings(&self, tx: Everywhere<'_>) -> Result<Vec<Finding>, StoreError> {
        let Self { id, scope, workspace, .. } = self;
        let which = format!("The {} webhook endpoint {id} of {workspace:?}", scope.mode_str());
        let mut findings = Vec::new();
        // The endpoint of a mode that is not used yet has no secret, and gets no deliveries.
        match self.rejects(tx.within(scope))? {
            Some(_) if !self.has_secret => findings.push(Finding::of(
                format!("{which} has no signing secret, so every delivery is rejected."),
                &format!(
                    "Copy the endpoint's signing secret from Stripe: PATCH /webhook-endpoints/{id} with signing_secrets."
                ),
            )),
            Some(reason) => findings.push(Finding::of(
                format!("{which} rejected its last deliveries: {reason}."),
                &format!(
                    "Compare its secret with that of the endpoint at Stripe, and the server's clock with the time: \
                     PATCH /webhook-endpoints/{id} with signing_secrets."
                ),
            )),
            None => {}
        }
        if let Some(problem) = &self.key_problem {
            findings.push(Finding::of(
                format!("{which} has a key for Stripe's API that does not work: {problem}."),
                &format!("Set another restricted key: PATCH /webhook-endpoints/{id} with stripe_api_key."),
            ));
        }
        Ok(findings)
    }

    /// The reason of the endpoint's last delivery if it was rejected. Only the newest deliveries of the workspace
    /// are looked at.
    fn rejects(&self, rows: Rows<'_>) -> Result<Option<String>, StoreError> {
        let sql = "SELECT outcome, reason FROM (SELECT id, endpoint_id, outcome, reason FROM event \
                   WHERE workspace_id = ?1 AND mode = ?2 ORDER BY id DESC LIMIT 1000) AS newest \
                   WHERE endpoint_id = ?3 ORDER BY id DESC LIMIT 1";
        let newest = rows.one(sql, args![self.id], |row| Ok((row.get::<String>(0)?, row.get(1)?)))?;
        Ok(newest.filter(|(outcome, _)| outcome == "rejected").map(|(_, reason)| reason))
    }
}

impl Finding {
    fn of(what: String, remedy: &str) -> Self {
        Self { what, remedy: remedy.to_owned() }
    }
}

/// Whether a URL is one of this machine.
fn is_local(url: &str) -> bool {
    let host = url.parse::<Uri>().ok().and_then(|url| url.host().map(ToOwned::to_owned)).unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use serde_json::json;

    use super::*;
    use crate::testing::app::App;

    #[tokio::test]
    async fn each_thing_that_is_wrong_is_named_with_its_remedy() {
        let app = App::new();
        let merchant = app.merchant().await;
        let found = async || examine(&app.trac.store).await.unwrap().findings;
        let whats = |found: Vec<Finding>| found.into_iter().map(|one| one.what).collect::<Vec<_>>();
        assert_eq!(whats(found().await), ["No server has run on this data folder."]);
        crate::workspace::remember_public_url(&app.trac.store, "http://127.0.0.1:8787").await.unwrap();
        assert_eq!(found().await, []);
        let endpoint = merchant.make("/webhook-endpoints", json!({})).await;
        let delivery = Request::post(format!("/api/webhooks/{endpoint}"))
            .header("stripe-signature", "t=1795248000,v1=00");
        assert_eq!(app.send(delivery.body(Body::from("{}")).unwrap()).await.status, 401);
        crate::workspace::remember_public_url(&app.trac.store, "http://trac.example").await.unwrap();
        app.rows("INSERT INTO customer_count VALUES ('ws', 'test', 1)".to_owned()).await;
        let whats = whats(found().await);
        let wants =
            ["1 counts, balances or sums differ", "not https: http://trac.example", endpoint.as_str()];
        for (what, want) in whats.iter().zip(wants) {
            assert!(what.contains(want), "{what}");
        }
        assert_eq!(whats.len(), wants.len(), "{whats:?}");
        let report = examine(&app.trac.store).await.unwrap();
        assert!(report.space.iter().any(|(part, bytes)| *part == "clicks" && *bytes > 0));
    }

    #[test]
    fn a_local_url_is_one_of_this_machine() {
        for (url, local) in [
            ("http://127.0.0.1:8787", true),
            ("http://localhost", true),
            ("http://[::1]:80/x", true),
            ("http://localhost.evil.example", false),
            ("http://127.evil.example", false),
        ] {
            assert_eq!(is_local(url), local, "{url}");
        }
    }
}
