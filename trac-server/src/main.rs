//! `trac`: the server, and the commands for its data folder.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use trac_core::time::Timestamp;
use trac_server::ask::Asker;
use trac_server::clock::Clock;
use trac_server::config::{Command, CommandLine, Config, ConfigError, Hidden, Oidc, SecretsCommand};
use trac_server::export::{self, Imported};
use trac_server::listen::Callers;
use trac_server::oidc::Provider;
use trac_server::store::{self, BackupProgress, FolderLock, Opening, Store};
use trac_server::{
    Carrier, Trac, doctor, explain, housekeeping, listen, log, metrics_service, postman, recount, replay,
    secrets, service, workspace,
};

#[path = "main/output.rs"]
mod output;
#[path = "main/workspaces.rs"]
mod workspaces;

use output::Output;

/// How long requests may take to finish after the server is asked to stop.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(10);

/// A redirect allocates some hundred times. mimalloc takes two thirds of the time of glibc's allocator;
/// musl's takes longer than glibc's. SQLite uses it too (feature `override`), which saves a quarter of a webhook's
/// time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// An error, shown as one line on the terminal.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    match run(CommandLine::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "trac: {failure}");
            // As for a wrong flag.
            if failure.is::<ConfigError>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

/// How long a thread that still waits, such as for a database that stays silent, keeps the process from ending.
const THREAD_LIMIT: Duration = Duration::from_secs(2);

fn run(line: CommandLine) -> Result<(), Failure> {
    // Blocking tasks are short, so a few threads are enough, and their stacks fit into a small machine's memory.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().max_blocking_threads(64).build()?;
    let done = command(&runtime, line);
    runtime.shutdown_timeout(THREAD_LIMIT);
    done
}

fn command(runtime: &Runtime, line: CommandLine) -> Result<(), Failure> {
    match line.command {
        Command::Serve(options) => {
            let config = options.settle()?;
            log::start(&config.log, config.log_json)?;
            runtime.block_on(serve(&config))
        }
        #[cfg(feature = "demo")]
        Command::Demo(options) => runtime.block_on(demonstrate(options)),
        Command::Explain { id, json, options } => {
            let stories = runtime.block_on(explain_id(&options.settle()?, &id))?;
            print_stories(&stories, json)?;
            let is_known = stories.iter().any(|story| story.get("found").is_some_and(|found| found == true));
            if is_known {
                return Ok(());
            }
            let advice = explain::OTHER_IDS;
            Err(format!("{id} is not known in any workspace. {advice}").into())
        }
        Command::Doctor { json, options } => runtime.block_on(examine(&options.settle()?, json)),
        Command::Recount { dry_run, options } => runtime.block_on(recount_store(&options.settle()?, dry_run)),
        Command::Replay { rules, dry_run, since, workspace, mode, json, options } => {
            let rules = replay::Rules::from_word(&rules).unwrap_or_default();
            let which = replay::Which { since: since_when(since.as_deref())?, workspace_id: workspace, mode };
            let replayed = runtime.block_on(replay_events(&options.settle()?, which, rules, dry_run))?;
            Ok(if json {
                writeln!(Output, "{replayed:#}")
            } else {
                write!(Output, "{}", replay::as_text(&replayed))
            }?)
        }
        Command::Backup { file, options } => back_up(&options.settle()?, &file),
        Command::Restore { file, options } => restore(&options.settle()?, &file),
        Command::Export { file, workspace, csv, options } => {
            runtime.block_on(write_export(&options.settle()?, workspace.as_deref(), file, csv))
        }
        Command::Import { file, options } => {
            let imported = runtime.block_on(import_file(&options.settle()?, &file))?;
            Ok(write!(Output, "{imported}")?)
        }
        Command::Secrets { command: SecretsCommand::Rotate { options } } => {
            let config = options.settle()?;
            runtime.block_on(rotate_master_key(&config))?;
            Ok(writeln!(Output, "Every secret is sealed with the new master key.")?)
        }
        Command::Key { command } => runtime.block_on(workspaces::key(command)),
        Command::LoginLink { workspace, mode, email, json, options } => {
            let config = options.settle()?;
            runtime.block_on(workspaces::login_link(&config, &workspace, mode, email.as_deref(), json))
        }
        Command::Workspace { command } => runtime.block_on(workspaces::run(command)),
    }
}

fn open_store(config: &Config) -> Result<Store, Failure> {
    open(config, Opening::New)
}

/// Opens a store that must exist: a mistyped folder must not create a new one.
fn open_known_store(config: &Config) -> Result<Store, Failure> {
    open(config, Opening::Known)
}

/// Opens a store that must exist, for a command that changes nothing if `examines`: a store of an older version is then
/// left as it is.
fn open_to(examines: bool, config: &Config) -> Result<Store, Failure> {
    open(config, if examines { Opening::Unchanged } else { Opening::Known })
}

fn open(config: &Config, opening: Opening) -> Result<Store, Failure> {
    let master_key = config.master_key.as_ref().map(Hidden::reveal);
    Ok(match (&config.database_url, opening) {
        (Some(url), opening) => {
            Store::open_postgres(url.reveal(), &config.data, master_key.unwrap_or_default(), opening)?
        }
        (None, Opening::New) => Store::open_with_master_key(&config.data, master_key)?,
        (None, Opening::Known) => Store::open_known(&config.data, master_key)?,
        (None, Opening::Unchanged) => Store::open_unchanged(&config.data, master_key)?,
    })
}

/// Copies of files are for stores that are files.
fn must_be_a_file(config: &Config, instead: &str) -> Result<(), Failure> {
    match config.database_url {
        None => Ok(()),
        Some(_) => {
            Err(format!("the store is a database of PostgreSQL: use {instead} (docs/operations.md)").into())
        }
    }
}

async fn rotate_master_key(config: &Config) -> Result<(), Failure> {
    let store = open_known_store(config)?;
    secrets::rotate_master_key(&store).await?;
    tokio::task::spawn_blocking(move || store.close()).await?;
    Ok(())
}

async fn serve(config: &Config) -> Result<(), Failure> {
    let _lock = FolderLock::on(&config.data)?;
    listen::raise_open_files();
    let store = open_store(config)?;
    store.reserve_space(config.keep_free_mb);
    secrets::check_secrets(&store).await?;
    let listener = TcpListener::bind(config.listen).await;
    let listener = listener.map_err(|error| format!("cannot listen on {}: {error}", config.listen))?;
    let address = listener.local_addr()?;
    let public_url = config.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
    workspace::remember_public_url(&store, &public_url).await?;
    let smtp_url = config.smtp_url.as_ref().map(Hidden::reveal);
    let carrier = Carrier::new(smtp_url, config.mail_from.as_deref(), &public_url)?;
    let trac = Trac::new(store.clone(), Clock::system(), &public_url)
        .with_carrier(carrier)
        .with_cookie_domains(&config.cookie_domain)
        .with_tracking_domains(&config.tracking_domain)
        .with_trusted_proxies(&config.trusted_proxy)
        .with_limits_per_address(config.visits_per_address, config.calls_per_address)
        .with_visitor_wait(config.visitor_wait_ms)
        .with_retention(config.retention)
        .with_stripe_api_url(&config.stripe_api_url);
    let trac = match &config.oidc {
        Some(Oidc { issuer, client_id, client_secret, name }) => {
            trac.with_provider(Provider::new(issuer, client_id, client_secret.reveal(), name)?)
        }
        None => trac,
    };
    let (trac, metrics_task) = serve_metrics(trac, config).await?;
    tracing::info!(%address, public_url, data = %config.data.display(), "listening");
    if let Some(line) = trac_server::missing_script() {
        tracing::warn!("{line}. Until then /trac.js is answered with 503.");
    }
    let asker_task = tokio::spawn(Asker::new(trac.clone()).run());
    let (stop, stopping) = tokio::sync::oneshot::channel::<()>();
    let housekeeping_task = tokio::spawn(housekeeping::run(trac.clone()));
    let postman_task = tokio::spawn(postman::run(trac.clone()));
    let callers = Callers::new(config.connections_per_address, &config.trusted_proxy);
    let served = listen::serve_callers(listener, service(trac), callers, async move {
        stop_signal().await;
        tracing::info!("stopping: finishing the accepted requests");
        drop(stop);
    });
    let too_late = async {
        let _ = stopping.await;
        tokio::time::sleep(SHUTDOWN_LIMIT).await;
    };
    tokio::select! {
        () = served => {}
        () = too_late => tracing::warn!("some requests did not finish in time and are aborted"),
    }
    // Unfinished requests to Stripe are sent again after the next start.
    asker_task.abort();
    housekeeping_task.abort();
    postman_task.abort();
    metrics_task.abort();
    tokio::task::spawn_blocking(move || store.close()).await?;
    Ok(())
}

/// Serves `/metrics` on its own address, if one is configured, until the task is aborted.
async fn serve_metrics(trac: Trac, config: &Config) -> Result<(Trac, tokio::task::JoinHandle<()>), Failure> {
    let Some(address) = config.metrics_listen else { return Ok((trac, tokio::spawn(async {}))) };
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|error| format!("cannot listen on {address}: {error}"))?;
    let trac = trac.with_metrics_apart();
    let service = metrics_service(trac.clone());
    tracing::info!(address = %listener.local_addr()?, "serving /metrics on its own address");
    Ok((trac, tokio::spawn(listen::serve(listener, service, std::future::pending()))))
}

/// Runs the demo until it is asked to stop.
#[cfg(feature = "demo")]
async fn demonstrate(options: trac_server::config::DemoOptions) -> Result<(), Failure> {
    let json = options.json;
    if let Some(line) = trac_server::missing_script() {
        let effect =
            "Until then the shop's page stores no click and no sale is credited; cargo xtask demo builds it";
        writeln!(io::stderr(), "trac: warning: {line}. {effect}.")?;
    }
    let demo = trac_server::demo::start(options).await?;
    if json {
        writeln!(Output, "{}", demo.addresses)?;
    } else {
        writeln!(Output, "{}", demo.story())?;
    }
    stop_signal().await;
    demo.stop().await;
    Ok(())
}

/// Waits for Ctrl-C, or for `SIGTERM`, which service managers send.
async fn stop_signal() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<Option<()>>();
    tokio::select! {
        () = interrupt => {}
        _ = terminate => {}
    }
}

fn back_up(config: &Config, file: &Path) -> Result<(), Failure> {
    must_be_a_file(config, "pg_dump")?;
    store::back_up(&config.data, file, shown_by_tenths())?;
    let advice = "store it elsewhere: the secrets in the backup cannot be decrypted without it";
    Ok(writeln!(
        Output,
        "The master key (master.key or TRAC_MASTER_KEY) is not part of the backup; {advice}."
    )?)
}

fn restore(config: &Config, file: &Path) -> Result<(), Failure> {
    must_be_a_file(config, "pg_restore")?;
    store::restore(file, &config.data)?;
    let place = config.data.join("master.key");
    let advice = format!("copy the master key of the backed-up server to {} (mode 0600)", place.display());
    Ok(writeln!(Output, "master.key is not part of the backup: {advice}, or set TRAC_MASTER_KEY.")?)
}

/// Prints the progress of a backup to standard error, a line for each tenth.
fn shown_by_tenths() -> impl FnMut(BackupProgress) {
    let mut shown = 0;
    move |BackupProgress { written_bytes, expected_bytes }| {
        let tenths = (written_bytes.saturating_mul(10)).checked_div(expected_bytes).unwrap_or_default();
        if tenths > shown {
            shown = tenths;
            let (written, expected) = (written_bytes / 1_000_000, expected_bytes / 1_000_000);
            let then = if tenths == 10 { "; checking the copy" } else { "" };
            let _ = writeln!(io::stderr(), "{tenths}0 %: {written} of {expected} MB{then}");
        }
    }
}

async fn write_export(
    config: &Config,
    workspace: Option<&str>,
    file: Option<PathBuf>,
    csv: Option<PathBuf>,
) -> Result<(), Failure> {
    let store = open_store(config)?;
    let trac = Trac::new(store.clone(), Clock::system(), "");
    match (csv, file) {
        (Some(folder), _) => export::export_csv(&trac, workspace, &folder).await?,
        (None, Some(file)) => {
            let written = export::export_to_file(&trac, workspace, &file).await?;
            writeln!(Output, "{} rows of {} workspaces", written.rows, written.workspaces.len())?;
        }
        (None, None) => {
            export::export(&trac, workspace, Output).await?;
        }
    }
    tokio::task::spawn_blocking(move || store.close()).await?;
    Ok(())
}

async fn import_file(config: &Config, file: &Path) -> Result<Imported, Failure> {
    let store = open_store(config)?;
    let imported = if file.as_os_str() == "-" {
        export::import(&store, io::BufReader::new(io::stdin())).await?
    } else {
        let stream = File::open(file).map_err(|error| format!("{}: {error}", file.display()))?;
        export::import(&store, io::BufReader::new(stream)).await?
    };
    tokio::task::spawn_blocking(move || store.close()).await?;
    Ok(imported)
}

async fn explain_id(config: &Config, id: &str) -> Result<Vec<Value>, Failure> {
    let store = open_to(true, config)?;
    let trac = Trac::new(store.clone(), Clock::system(), "");
    let stories = explain::explain_everywhere(&trac, id).await?;
    tokio::task::spawn_blocking(move || store.close()).await?;
    Ok(stories)
}

fn print_stories(stories: &[Value], json: bool) -> io::Result<()> {
    for story in stories {
        if json {
            writeln!(Output, "{story:#}")?;
        } else {
            writeln!(Output, "{}\n", explain::as_text(story))?;
        }
    }
    Ok(())
}

fn since_when(since: Option<&str>) -> Result<Timestamp, Failure> {
    let Some(text) = since else { return Ok(Timestamp::default()) };
    Ok(Timestamp::parse_rfc3339(text).ok_or("--since must be a time such as 2026-11-21T08:00:00Z")?)
}

/// Prints what is wrong, and the space that each part of the database takes.
async fn examine(config: &Config, json: bool) -> Result<(), Failure> {
    let store = open_to(true, config)?;
    store.reserve_space(config.keep_free_mb);
    let report = doctor::examine(&store).await;
    tokio::task::spawn_blocking(move || store.close()).await?;
    let report = report?;
    if json {
        writeln!(Output, "{:#}", serde_json::to_value(&report)?)?;
    } else {
        if report.findings.is_empty() {
            writeln!(Output, "Nothing is wrong.")?;
        }
        for doctor::Finding { what, remedy } in &report.findings {
            writeln!(Output, "{what} {remedy}")?;
        }
        for (part, bytes) in &report.space {
            let (whole, tenths) = (bytes / 1_000_000, bytes / 100_000 % 10);
            writeln!(Output, "{whole:>7}.{tenths} MB  {}", part.replace('_', " "))?;
        }
    }
    match report.findings.len() {
        0 => Ok(()),
        1 => Err("1 thing is wrong".into()),
        count => Err(format!("{count} things are wrong").into()),
    }
}

/// Prints each row that differs from what it follows from, and mends them all unless it is a dry run.
async fn recount_store(config: &Config, dry_run: bool) -> Result<(), Failure> {
    let store = open_to(dry_run, config)?;
    let found = if dry_run { recount::compare(&store).await } else { recount::mend(&store).await };
    tokio::task::spawn_blocking(move || store.close()).await?;
    let found = found?;
    for line in &found {
        writeln!(Output, "{line}")?;
    }
    let at_least = |count: usize| if count >= recount::LISTED { "at least " } else { "" };
    match (found.len(), dry_run) {
        (0, _) => Ok(writeln!(Output, "Everything is equal.")?),
        (count, true) => {
            Err(format!("{}{count} rows differ; trac recount mends them", at_least(count)).into())
        }
        (count, false) => Err(format!("{}{count} rows differed and are mended", at_least(count)).into()),
    }
}

async fn replay_events(
    config: &Config,
    which: replay::Which,
    rules: replay::Rules,
    dry_run: bool,
) -> Result<Value, Failure> {
    let store = open_to(dry_run, config)?;
    let trac = Trac::new(store.clone(), Clock::system(), "");
    let replayed = replay::replay_some(&trac, which, rules, dry_run).await;
    tokio::task::spawn_blocking(move || store.close()).await?;
    Ok(replayed?)
}
