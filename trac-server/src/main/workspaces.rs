//! The commands for workspaces, their keys and their dashboards. They work with or without a running server.

use std::io::{self, Write as _};

use serde_json::Value;
use trac_core::program::Mode;
use trac_server::Trac;
use trac_server::clock::Clock;
use trac_server::config::{Config, KeyCommand, WorkspaceCommand};
use trac_server::workspace;

use super::output::Output;
use super::{Failure, open_known_store, open_store, open_to};

/// `trac workspace …`.
pub(super) async fn run(command: WorkspaceCommand) -> Result<(), Failure> {
    match command {
        WorkspaceCommand::Create { name, json, options } => {
            let config = options.settle()?;
            let trac = reached(&config, open_store(&config)?).await?;
            let created = workspace::create(&trac, &name).await;
            close(&trac).await?;
            Ok(print_created(&created?, json)?)
        }
        WorkspaceCommand::List { json, options } => {
            let config = options.settle()?;
            let trac = Trac::new(open_to(true, &config)?, Clock::system(), "");
            let list = workspace::list(&trac).await;
            close(&trac).await?;
            Ok(print_list(&list?, json)?)
        }
        WorkspaceCommand::GoLive { workspace, dry_run, json, options } => {
            let config = options.settle()?;
            let trac = Trac::new(open_to(dry_run, &config)?, Clock::system(), "");
            let copied = workspace::go_live(&trac, &workspace, dry_run).await;
            close(&trac).await?;
            let copied = copied?;
            Ok(print(&copied, json, || workspace::as_text(&copied))?)
        }
        WorkspaceCommand::Sessions { end, workspace, json, options } => {
            let lines = sessions(&options.settle()?, workspace.as_deref(), end, json).await?;
            Ok(write!(Output, "{lines}")?)
        }
    }
}

/// Lists the dashboard's sessions, one per line; with `end`, ends them and reports how many.
async fn sessions(
    config: &Config,
    workspace: Option<&str>,
    end: bool,
    json: bool,
) -> Result<String, Failure> {
    let trac = Trac::new(open_to(!end, config)?, Clock::system(), "");
    if end {
        let ended = workspace::end_sessions(&trac, workspace).await;
        close(&trac).await?;
        let ended = ended?;
        return Ok(if json {
            format!("{{\"ended\":{ended}}}\n")
        } else {
            format!("Ended {ended} sessions and sign-in links.\n")
        });
    }
    let sessions = workspace::sessions(&trac, workspace).await;
    close(&trac).await?;
    let text =
        |session: &Value, name: &str| session.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
    let line = |session: &Value| {
        let columns = ["kind", "workspace_id", "mode", "email", "key", "begun_at", "seen_at", "expires_at"];
        columns.map(|name| text(session, name)).join("  ")
    };
    let lines = sessions?;
    let lines = lines.iter().map(|session| if json { session.to_string() } else { line(session) });
    Ok(lines.map(|line| line + "\n").collect())
}

/// `trac key …`.
pub(super) async fn key(command: KeyCommand) -> Result<(), Failure> {
    let KeyCommand::Create { workspace, kind, mode, name, json, options } = command;
    let config = options.settle()?;
    let trac = Trac::new(open_known_store(&config)?, Clock::system(), "");
    let made = workspace::create_key(&trac, &workspace, (kind, mode), name.as_deref()).await;
    close(&trac).await?;
    let made = made?;
    Ok(print(&made, json, || format!("{}\n", text(&made, "/key")))?)
}

/// `trac login-link`.
pub(super) async fn login_link(
    config: &Config,
    id: &str,
    mode: Mode,
    email: Option<&str>,
    json: bool,
) -> Result<(), Failure> {
    let trac = reached(config, open_known_store(config)?).await?;
    let link = workspace::login_link(&trac, id, mode, email).await;
    close(&trac).await?;
    let link = link?;
    Ok(print(&link, json, || {
        format!(
            "{}\n\nIt opens the dashboard once, until {}.\n",
            text(&link, "/url"),
            text(&link, "/expires_at")
        )
    })?)
}

/// A [`Trac`] on this store. Its public URL is the configured one, else the last one that a server used, else
/// the listen address.
async fn reached(config: &Config, store: trac_server::store::Store) -> Result<Trac, Failure> {
    let public_url = match &config.public_url {
        Some(url) => url.clone(),
        None => match workspace::last_public_url(&store).await? {
            Some(url) => url,
            None => format!("http://{}", config.listen),
        },
    };
    Ok(Trac::new(store, Clock::system(), &public_url))
}

async fn close(trac: &Trac) -> Result<(), Failure> {
    let store = trac.store().clone();
    Ok(tokio::task::spawn_blocking(move || store.close()).await?)
}

fn text(value: &Value, path: &str) -> String {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Writes to standard output: only JSON, or lines for a person.
fn print(value: &Value, json: bool, lines: impl FnOnce() -> String) -> io::Result<()> {
    if json { writeln!(Output, "{value:#}") } else { write!(Output, "{}", lines()) }
}

fn print_list(list: &Value, json: bool) -> io::Result<()> {
    print(list, json, || {
        let rows = list.as_array().map(Vec::as_slice).unwrap_or_default();
        let line = |row: &Value| {
            format!("{}  {}  {}\n", text(row, "/id"), text(row, "/created_at"), text(row, "/name"))
        };
        match rows {
            [] => "There is no workspace yet. Create one with trac workspace create.\n".to_owned(),
            rows => rows.iter().map(line).collect(),
        }
    })
}

fn print_created(created: &Value, json: bool) -> io::Result<()> {
    print(created, json, || {
        let all = |paths: &[&str]| indented(paths.iter().map(|path| text(created, path)));
        let events =
            created.pointer("/events").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let events = indented(events.iter().map(|event| text(event, "")));
        format!(
            "Workspace {}\n\nKeys, shown this once:\n{}\nWebhook addresses for Stripe:\n  test: {}\n  live: {}\n\n\
             Event types to select there:\n{events}\n\
             Dashboard (this link works once, within seven days: create your account there; trac login-link prints another):\n  {}\n",
            text(created, "/workspace_id"),
            all(&["/keys/pk_test", "/keys/sk_test", "/keys/pk_live", "/keys/sk_live"]),
            text(created, "/endpoints/test/url"),
            text(created, "/endpoints/live/url"),
            text(created, "/dashboard_url"),
        )
    })
}

/// Puts each on its own line, indented.
fn indented(lines: impl Iterator<Item = String>) -> String {
    lines.fold(String::new(), |all, line| all + "  " + &line + "\n")
}
