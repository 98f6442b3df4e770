//! The commands of `trac`, and the arguments of each besides the common options.

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
use crate::visible::is_visible;

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
    /// Run a demo: a merchant, three partners, a shop page and a simulator of Stripe, ready to click through.
    #[cfg(feature = "demo")]
    Demo(DemoOptions),
    /// Explain any ID or e-mail address, hop by hop from click to payout, and name the first missing hop.
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
    /// Compare kept counts, balances and sums by day with the rows they follow from, and mend them. Exits with 1 if
    /// there was a difference.
    Recount {
        /// Print the differences, and write nothing.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        #[expect(missing_docs, reason = "a doc comment here would replace the help of the command")]
        options: Options,
    },
    /// Examine the database, its secrets, its disk and its webhook endpoints: prints what is wrong with its remedy, and
    /// the space that each part takes. Exits with 1 if anything is wrong. The server may run.
    Doctor {
        /// Print JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        #[expect(missing_docs, reason = "a doc comment here would replace the help of the command")]
        options: Options,
    },
    /// Decide stored events again, and print the changes, one line for each commission.
    Replay {
        /// The terms to decide by: `then`, the terms in force at each payment's time, or `now`, the current
        /// terms. Paid-out commissions do not change.
        #[arg(long, default_value = "then", value_parser = ["then", "now"])]
        rules: String,
        /// Show the changes, and write nothing.
        #[arg(long)]
        dry_run: bool,
        /// Only events received since this time (RFC 3339).
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// Only this workspace.
        #[arg(long, value_name = "ID")]
        workspace: Option<String>,
        /// Only this mode: `test` or `live`.
        #[arg(long, value_parser = word::<Mode>)]
        mode: Option<Mode>,
        /// Print JSON: each event that changes something, with the changes.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        #[expect(missing_docs, reason = "a doc comment here would replace the help of the command")]
        options: Options,
    },
    /// Copy the whole database to one file; the server may run. The file does not contain the master key: store
    /// it separately.
    Backup {
        /// The file to write; it must not exist yet.
        file: PathBuf,
        #[command(flatten)]
        #[expect(missing_docs, reason = "a doc comment here would replace the help of the command")]
        options: Options,
    },
    /// Create a data folder from a backup. The folder must not contain a database or its log.
    Restore {
        /// The backup.
        file: PathBuf,
        #[command(flatten)]
        #[expect(missing_docs, reason = "a doc comment here would replace the help of the command")]
        options: Options,
    },
    /// Export a workspace, or all of them, as lines for `trac import`, or as tables for people. The server may
    /// run. API keys are exported as hashes; signing secrets are not exported: set them again after an import.
    Export {
        /// The file to write; it must not exist yet [default: standard output].
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
    /// Import an export, whole or not at all. Existing rows stay; a second import changes nothing. The server
    /// may run; its writes wait meanwhile.
    Import {
        /// The export, or - for standard input.
        file: PathBuf,
        #[command(flatten)]
        #[expect(missing_docs, reason = "a doc comment here would replace the help of the command")]
        options: Options,
    },
    /// Sealed secrets, such as the signing secrets of webhooks.
    Secrets {
        /// What to do with them.
        #[command(subcommand)]
        command: SecretsCommand,
    },
    /// API keys, for a merchant who has lost them all. Otherwise, use the API to make, roll and revoke keys.
    Key {
        /// What to do with them.
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Make a link that opens the dashboard of a workspace once, within a quarter of an hour. The server may run.
    LoginLink {
        /// The workspace's ID, as `trac workspace list` shows it.
        #[arg(long, value_name = "ID")]
        workspace: String,
        /// `test` or `live`: the mode that the dashboard shows.
        #[arg(long, default_value = "test", value_parser = word::<Mode>)]
        mode: Mode,
        /// The person whom the link signs in, without password and second factor. Needed once the workspace has people.
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
    /// Make a workspace and print its keys, which are shown only this once. The server may run.
    Create {
        /// The name; it need not be unique.
        #[arg(long, value_parser = workspace_name)]
        name: String,
        /// Print JSON and nothing else.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        #[expect(missing_docs, reason = "a doc comment here would replace the help of the command")]
        options: Options,
    },
    /// List the workspaces of a data folder, with their IDs. The server may run.
    List {
        /// Print JSON and nothing else.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        #[expect(missing_docs, reason = "a doc comment here would replace the help of the command")]
        options: Options,
    },
    /// Copy the programs, partners, enrollments and links of test mode to live mode, in one transaction. A second run
    /// copies only new ones. The server may run.
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
    /// List the active sessions of the dashboard and the unused sign-in links, or end them all with --end. The
    /// server may run.
    Sessions {
        /// End them: all users must sign in again.
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
    /// Make a key and print it; it is shown only this once. A running server accepts it at once.
    Create {
        /// The workspace's ID, as `trac workspace list` shows it.
        #[arg(long, value_name = "ID")]
        workspace: String,
        /// `secret`, for the management API and the dashboard, or `publishable`, for tracking by pages.
        #[arg(long, value_parser = word::<KeyKind>)]
        kind: KeyKind,
        /// `test` or `live`.
        #[arg(long, value_parser = word::<Mode>)]
        mode: Mode,
        /// The name.
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
    /// Seal every secret again with a new master key, and delete the old key. The server may run.
    ///
    /// If the key is in `TRAC_MASTER_KEY`, set the variable to the new key and the old key, separated by a
    /// comma, run this command, and remove the old key from the variable.
    Rotate {
        #[command(flatten)]
        #[expect(missing_docs, reason = "a doc comment here would replace the help of the command")]
        options: Options,
    },
}

/// Where the demo runs. Every option has a default.
#[cfg(feature = "demo")]
#[derive(Args, Clone, Debug, Default)]
pub struct DemoOptions {
    /// The data folder [default: a temporary one, deleted at the end].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where the tracker listens [default: 127.0.0.1:8787, or a free port].
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Where the shop listens [default: 127.0.0.1:8788, or a free port].
    #[arg(long, value_name = "ADDRESS")]
    pub shop: Option<SocketAddr>,
    /// Where the simulator of Stripe listens [default: 127.0.0.1:8789, or a free port].
    #[arg(long, value_name = "ADDRESS")]
    pub stripe: Option<SocketAddr>,
    /// Another shop that the second partner's link leads to, such as the axum-shop example.
    #[arg(long, value_name = "URL")]
    pub second_shop: Option<String>,
    /// Begin without the two months of clicks and sales.
    #[arg(long)]
    pub empty: bool,
    /// Print the addresses as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Parses one of the words of an enum.
fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let read: Result<T, serde::de::value::Error> = T::deserialize(text.into_deserializer());
    // serde's message lists the expected words.
    read.map_err(|error| error.to_string())
}

/// A name that a page can show.
pub(super) fn workspace_name(text: &str) -> Result<String, String> {
    let name = text.trim();
    let fits = (1..=200).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if fits && is_visible(name) {
        Ok(name.to_owned())
    } else {
        Err("must be 1 to 200 characters, at least one visible and none a control character".to_owned())
    }
}
