//! `trac doctor`: what is wrong with an installation, and how to mend it.

use serde::Serialize;

use super::recount;
use crate::store::rows::args;
use crate::store::{Everywhere, PUBLIC_URL, Store, StoreError, StoreErrorKind, setting};
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
    let mut add = |what: String, remedy: &str| {
        findings.push(Finding { what, remedy: remedy.to_owned() });
    };
    match store.quick_check().await {
        Err(error) if error.kind() == StoreErrorKind::Corrupt => {
            add(format!("The database is damaged: {error}."), "Restore the last backup: trac restore.");
        }
        checked => checked?,
    }
    let differences = recount::compare(store).await?;
    if let Some(first) = differences.first() {
        let count = differences.len();
        let what = format!("{count} counts, balances or sums differ from their rows, for example: {first}.");
        add(what, "Run trac recount, which mends them.");
    }
    if let Err(error) = secrets::check_secrets(store).await {
        let remedy = "Start trac with the master key that sealed the secrets, or set the secrets of the endpoints again.";
        add(format!("A secret cannot be opened: {error}."), remedy);
    }
    if let Err(error) = store.has_room_for_pages() {
        add(format!("Clicks are not recorded: {error}."), "Free space on the disk, or enlarge it.");
    }
    for Finding { what, remedy } in store.read(configuration).await? {
        add(what, &remedy);
    }
    Ok(Report { findings, space: store.space().await? })
}

/// What is wrong with the public URL and the webhook endpoints.
fn configuration(tx: Everywhere<'_>) -> Result<Vec<Finding>, StoreError> {
    let mut findings = Vec::new();
    match setting(tx, PUBLIC_URL)? {
        None => findings.push(Finding {
            what: "No server has run on this data folder.".to_owned(),
            remedy: "Start it: trac serve.".to_owned(),
        }),
        Some(url) if url.starts_with("http://") && !is_local(&url) => findings.push(Finding {
            what: format!("The public URL is not https: {url}."),
            remedy: "Set --public-url to an https:// URL: Stripe delivers live events to no other."
                .to_owned(),
        }),
        Some(_) => {}
    }
    let sql = "SELECT e.id, e.mode, w.name, e.secrets, e.stripe_api_key_problem, \
               EXISTS (SELECT 1 FROM event AS v WHERE v.workspace_id = e.workspace_id AND v.mode = e.mode AND v.endpoint_id = e.id \
               AND v.outcome = 'rejected') AS has_rejected FROM webhook_endpoint AS e \
               JOIN workspace AS w ON w.id = e.workspace_id ORDER BY e.id";
    tx.each(sql, args![], |row| {
        let (id, mode, workspace): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (secrets, problem): (String, Option<String>) = (row.get(3)?, row.get(4)?);
        let which = format!("The {mode} webhook endpoint {id} of {workspace:?}");
        // The endpoint of a mode that is not used yet has none, and gets no deliveries.
        if !secrets.contains('"') && row.get::<bool>(5)? {
            findings.push(Finding {
                what: format!("{which} has no signing secret, so every delivery is rejected."),
                remedy: format!(
                    "Copy the endpoint's signing secret from Stripe: PATCH /webhook-endpoints/{id} with signing_secrets."
                ),
            });
        }
        if let Some(problem) = problem {
            findings.push(Finding {
                what: format!("{which} has a key for Stripe's API that does not work: {problem}."),
                remedy: format!("Set another restricted key: PATCH /webhook-endpoints/{id} with stripe_api_key."),
            });
        }
        Ok(())
    })?;
    Ok(findings)
}

fn is_local(url: &str) -> bool {
    let host = url.trim_start_matches("http://");
    ["127.", "localhost", "[::1]"].iter().any(|local| host.starts_with(local))
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
}
