//! The server as a process with a folder of its own.

use std::env;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::binary;
use crate::merchant::Merchant;
use crate::postgres::{MASTER_KEY, SERVER, new_database};

const START_LIMIT: Duration = Duration::from_secs(30);

/// Options of a server, where they differ from the defaults.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Its database of PostgreSQL; otherwise a new one if the tests have a server of PostgreSQL, or the file in its data
    /// folder.
    pub database: Option<String>,
    /// Its data folder; otherwise a temporary one.
    pub data: Option<PathBuf>,
    /// Its log file; otherwise one in its own folder.
    pub log: Option<PathBuf>,
    /// The one processor it may use.
    pub processor: Option<usize>,
    /// Limits of the shell's `ulimit`, such as `-v 800000`.
    pub limits: Vec<&'static str>,
    /// Environment variables.
    pub variables: Vec<(&'static str, String)>,
    /// More arguments of `trac serve`.
    pub arguments: Vec<String>,
}

/// A running `trac serve`; killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Option<Child>,
    folder: TempDir,
    setup: Setup,
    port: u16,
    client: reqwest::Client,
    /// The URL of its database, if it is not a file.
    database: Option<String>,
}

impl Server {
    /// Starts one with an empty data folder on a free port and waits until it is ready.
    pub async fn start() -> Self {
        Self::start_as(Setup::default()).await
    }

    /// [`Server::start`] with more options.
    pub async fn start_with(options: &[&str]) -> Self {
        let arguments = options.iter().map(|&option| option.to_owned()).collect();
        Self::start_as(Setup { arguments, ..Setup::default() }).await
    }

    /// Starts one on a free port and waits until it is ready.
    pub async fn start_as(setup: Setup) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let client = reqwest::Client::new();
        let database = match &setup.database {
            Some(database) => Some(database.clone()),
            None if setup.data.is_some() => None,
            None => env::var(SERVER).ok().map(|server| new_database(&server)),
        };
        let mut server = Self { child: None, folder, setup, port: 0, client, database };
        // Another process may take the free port first: then try another one.
        for _ in 0..5 {
            server.port = free_port();
            if server.run().await {
                return server;
            }
        }
        panic!("trac serve does not start: {}", server.log());
    }

    /// Ends it without warning, as `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Sends SIGTERM, as a service manager does, and waits until it has ended. Returns the exit code.
    pub fn stop(&mut self) -> Option<i32> {
        let mut child = self.child.take()?;
        let signalled = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        assert!(signalled.is_ok_and(|status| status.success()), "the process receives the signal");
        child.wait().ok()?.code()
    }

    /// Starts it again with other options, on the same port.
    pub async fn restart_as(&mut self, setup: Setup) {
        self.setup = setup;
        self.restart().await;
    }

    /// Starts it again on the same folder and port.
    pub async fn restart(&mut self) {
        self.kill();
        assert!(self.run().await, "trac serve does not start again: {}", self.log());
    }

    /// Whether the process is up and ready; false if it ended by itself.
    async fn run(&mut self) -> bool {
        let log = self.setup.log.clone().unwrap_or_else(|| self.log_path());
        let log = File::options().create(true).append(true).open(log).expect("a log file");
        let child = self
            .command()
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("the binary runs");
        let child = self.child.insert(child);
        let deadline = Instant::now() + START_LIMIT;
        let ready = format!("http://127.0.0.1:{}/readyz", self.port);
        while Instant::now() < deadline {
            if child.try_wait().expect("the child's status").is_some() {
                return false;
            }
            if self.client.get(&ready).send().await.is_ok_and(|answer| answer.status() == 200) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        false
    }

    fn command(&self) -> Command {
        let mut command = match self.setup.processor {
            Some(number) => binary::command_on(number),
            None if self.setup.limits.is_empty() => binary::command(),
            None => binary::command_within(&self.setup.limits),
        };
        command
            .args(["serve", "--data", &self.data(), "--listen", &format!("127.0.0.1:{}", self.port)])
            .args(&self.setup.arguments)
            .envs(self.variables())
            .envs(self.setup.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// The environment variables that name its database.
    #[must_use]
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let named =
            |url: &String| [("TRAC_DATABASE_URL", url.clone()), ("TRAC_MASTER_KEY", MASTER_KEY.to_owned())];
        self.database.iter().flat_map(named).collect()
    }

    /// The process ID, while it runs.
    #[must_use]
    pub fn process(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Creates a workspace while the server runs, and returns its merchant.
    #[must_use]
    pub fn merchant(&self, name: &str) -> Merchant {
        let data = self.data();
        let arguments = ["workspace", "create", "--data", &data, "--name", name, "--json"];
        let variables = self.variables();
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let made = binary::trac_with(&variables, &arguments);
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        self.merchant_of(serde_json::from_str(&made.stdout).expect("workspace create prints JSON only"))
    }

    /// The merchant of an existing workspace, from the output of `workspace create`.
    #[must_use]
    pub fn merchant_of(&self, workspace: Value) -> Merchant {
        Merchant::new(self.origin(), workspace, self.client.clone())
    }

    /// Such as `http://127.0.0.1:40123`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> String {
        let own = || self.folder.path().join("data");
        self.setup.data.clone().unwrap_or_else(own).display().to_string()
    }

    /// Everything the process has written so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        Path::new(self.folder.path()).join("log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A loopback port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}
