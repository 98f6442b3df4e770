//! The commands of `trac`, and what each understands beside the options.

#[cfg(feature = "demo")]
use std::net::SocketAddr;
use std::path::PathBuf;

#[cfg(feature = "demo")]
use clap::Args;
use clap::{Parser, Subcommand};
use serde::de::{DeserializeOwned, IntoDeserializer as _};
use trac_core::program::Mode;

use super::Options;
use crate::key_kind::KeyKind;
use crate::visible::is_seen;

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "trac",
    version,
    about = "Affiliate attribution for Stripe: click → cookie → checkout → webhook → conversion → commission."
)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server.
    Serve(Options),
    /// A merchant, two partners, a shop page and a stand-in for Stripe, ready to click through.
    #[cfg(feature = "demo")]
    Demo(DemoOptions),
    /// Tell the story of any ID or e-mail address, hop by hop, and name the first missing hop.
    Explain {
        /// A Stripe ID, click ID, customer, e-mail address, commission or event.
        id: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        #[expect(missing_docs, reason = "a doc comment here would replace the help of the command")]
        options: Options,
    },
    /// Decide stored events again, and print what changes, a line for each commission.
    Replay {
        /// Whose rules: `then`, those in force at each payment's time; `now`, today's. What was paid out stays.
        #[arg(long, default_value = "then", value_parser = ["then", "now"])]
        rules: String,
        /// Show what would change, and write nothing.
        #[arg(long)]
        dry_run: bool,
        /// Only events received since then (RFC 3339).
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// Only this workspace.
        #[arg(long, value_name = "ID")]
        workspace: Option<String>,
        /// Only this mode: `test` or `live`.
        #[arg(long, value_parser = word::<Mode>)]
        mode: Option<Mode>,
        /// Print JSON: each event that changes something, with what changes.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        #[expect(missing_docs, reason = "a doc comment here would replace the help of the command")]
        options: Options,
    },
    /// Copy everything to one file, while the server runs. The master key is not in it: keep that apart.
    Backup {
        /// The file to write; it must not be there yet.
        file: PathBuf,
        #[command(flatten)]
        #[expect(missing_docs, reason = "a doc comment here would replace the help of the command")]
        options: Options,
    },
    /// Make a data folder of a backup. The folder must not hold a database yet, nor the log of one.
    Restore {
        /// The backup.
        file: PathBuf,
        #[command(flatten)]
        #[expect(missing_docs, reason = "a doc comment here would replace the help of the command")]
        options: Options,
    },
    /// Write everything of a workspace, or of all, as lines that `trac import` takes in; or as tables for people. Works beside a
    /// running server. API keys are in it as hashes; signing secrets are not: they are set again after an import.
    Export {
        /// The file to write; it must not be there yet [default: standard output].
        file: Option<PathBuf>,
        /// Only this workspace.
        #[arg(long, value_name = "ID")]
        workspace: Option<String>,
        /// Write one CSV file for each resource of the API into this folder instead.
        #[arg(long, value_name = "DIR", conflicts_with = "file")]
        csv: Option<PathBuf>,
        #[command(flatten)]
        #[expect(missing_docs, reason = "a doc comment here would replace the help of the command")]
        options: Options,
    },
    /// Take an export in, whole or not at all. What is there already stays; taken in twice, it changes nothing. Works beside
    /// a running server, whose writes wait meanwhile.
    Import {
        /// The export, or - for standard input.
        file: PathBuf,
        #[command(flatten)]
        #[expect(missing_docs, reason = "a doc comment here would replace the help of the command")]
        options: Options,
    },
    /// What is kept sealed: the signing secrets of webhooks.
    Secrets {
        /// What to do with them.
        #[command(subcommand)]
        command: SecretsCommand,
    },
    /// API keys, for a merchant who has lost them all; else the API makes, rolls and revokes them.
    Key {
        /// What to do with them.
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Make a link that opens the dashboard of a workspace once, within a quarter of an hour. Works beside a running server.
    LoginLink {
        /// The workspace's ID, as `trac workspace list` shows it.
        #[arg(long, value_name = "ID")]
        workspace: String,
        /// `test` or `live`: the mode that the dashboard shows.
        #[arg(long, default_value = "test", value_parser = word::<Mode>)]
        mode: Mode,
        /// Whose link it is. There are no people yet: a link opens the whole workspace, and one for a person is refused.
        #[arg(long, value_name = "ADDRESS")]
        email: Option<String>,
        /// Print JSON and nothing else.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        #[expect(missing_docs, reason = "a doc comment here would replace the help of the command")]
        options: Options,
    },
    /// Workspaces: one merchant each, with its own keys, programs and ledger.
    Workspace {
        /// What to do with them.
        #[command(subcommand)]
        command: WorkspaceCommand,
    },
}

/// What to do with workspaces.
#[derive(Debug, Subcommand)]
pub enum WorkspaceCommand {
    /// Make a workspace and print its keys, which are shown this once. Works beside a running server.
    Create {
        /// What to call it; names need not be unique.
        #[arg(long, value_parser = workspace_name)]
        name: String,
        /// Print JSON and nothing else.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        #[expect(missing_docs, reason = "a doc comment here would replace the help of the command")]
        options: Options,
    },
    /// List the workspaces of a data folder, with their IDs. Works beside a running server.
    List {
        /// Print JSON and nothing else.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        #[expect(missing_docs, reason = "a doc comment here would replace the help of the command")]
        options: Options,
    },
    /// Copy the programs, partners, enrollments and links of test mode to live mode, in one transaction. Run again, it copies what is
    /// new since, and nothing twice. Works beside a running server.
    GoLive {
        /// The workspace's ID, as `trac workspace list` shows it.
        #[arg(long, value_name = "ID")]
        workspace: String,
        /// Show what would be copied, and write nothing.
        #[arg(long)]
        dry_run: bool,
        /// Print JSON and nothing else.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        #[expect(missing_docs, reason = "a doc comment here would replace the help of the command")]
        options: Options,
    },
    /// List who is signed in to the dashboard and the sign-in links that wait to be used; with --end, end them all. Works beside a
    /// running server.
    Sessions {
        /// End them: everybody signs in again.
        #[arg(long)]
        end: bool,
        /// Only those of this workspace.
        #[arg(long, value_name = "ID")]
        workspace: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        #[expect(missing_docs, reason = "a doc comment here would replace the help of the command")]
        options: Options,
    },
}

/// What to do with API keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key and print it, which is shown this once. A running server honours it at once.
    Create {
        /// The workspace's ID, as `trac workspace list` shows it.
        #[arg(long, value_name = "ID")]
        workspace: String,
        /// What it opens: `secret` the management API and the dashboard, `publishable` the tracking of pages.
        #[arg(long, value_parser = word::<KeyKind>)]
        kind: KeyKind,
        /// `test` or `live`.
        #[arg(long, value_parser = word::<Mode>)]
        mode: Mode,
        /// What to call it.
        #[arg(long, value_parser = workspace_name)]
        name: Option<String>,
        /// Print JSON and nothing else.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        #[expect(missing_docs, reason = "a doc comment here would replace the help of the command")]
        options: Options,
    },
}

/// What to do with secrets.
#[derive(Debug, Subcommand)]
pub enum SecretsCommand {
    /// Seal every secret anew under a new master key, and forget the old one. Works beside a running server.
    ///
    /// Where the key comes from `TRAC_MASTER_KEY`, give the new key and the old one with a comma between, run this, and
    /// take the old one away.
    Rotate {
        #[command(flatten)]
        #[expect(missing_docs, reason = "a doc comment here would replace the help of the command")]
        options: Options,
    },
}

/// Where the demo runs. Everything has a default; nothing outlives it.
#[cfg(feature = "demo")]
#[derive(Args, Clone, Debug, Default)]
pub struct DemoOptions {
    /// A folder to keep the data in [default: a temporary one].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where the tracker listens [default: 127.0.0.1:8787, or a free port].
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Where the shop listens [default: 127.0.0.1:8788, or a free port].
    #[arg(long, value_name = "ADDRESS")]
    pub shop: Option<SocketAddr>,
    /// Where the stand-in for Stripe listens [default: 127.0.0.1:8789, or a free port].
    #[arg(long, value_name = "ADDRESS")]
    pub stripe: Option<SocketAddr>,
    /// Another shop that the second partner's link leads to, such as the axum-shop example.
    #[arg(long, value_name = "URL")]
    pub second_shop: Option<String>,
    /// Print the addresses as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// One of the words that a type is read of.
fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let read: Result<T, serde::de::value::Error> = T::deserialize(text.into_deserializer());
    // serde's message names the words that are expected.
    read.map_err(|error| error.to_string())
}

/// A name that a page can show.
pub(super) fn workspace_name(text: &str) -> Result<String, String> {
    let name = text.trim();
    let fits = (1..=200).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if fits && is_seen(name) {
        Ok(name.to_owned())
    } else {
        Err("must be 1 to 200 characters that can be seen, none of them a control character".to_owned())
    }
}
