//! The server as a process with a folder of its own.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::binary;
use crate::merchant::Merchant;

const START_LIMIT: Duration = Duration::from_secs(30);

/// A running `trac serve`; killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Option<Child>,
    folder: TempDir,
    port: u16,
    options: Vec<String>,
    client: reqwest::Client,
}

impl Server {
    /// Starts one with an empty data folder on a free port and waits until it is ready.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// [`Server::start`] with more options.
    pub async fn start_with(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = options.iter().map(|&option| option.to_owned()).collect();
        let mut server = Self { child: None, folder, port: 0, options, client: reqwest::Client::new() };
        // Another process may take the free port in between: then there is another one.
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

    /// Starts it again on the same folder and port.
    pub async fn restart(&mut self) {
        self.kill();
        assert!(self.run().await, "trac serve does not start again: {}", self.log());
    }

    /// Whether the process is up and ready; false if it ended by itself.
    async fn run(&mut self) -> bool {
        let log = File::options().create(true).append(true).open(self.log_path()).expect("a log file");
        let child = binary::command()
            .args(["serve", "--data", &self.data(), "--listen", &format!("127.0.0.1:{}", self.port)])
            .args(&self.options)
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("the binary runs");
        let child = self.child.insert(child);
        let deadline = Instant::now() + START_LIMIT;
        let ready = format!("http://127.0.0.1:{}/readyz", self.port);
        while Instant::now() < deadline {
            if child.try_wait().expect("a child can be asked").is_some() {
                return false;
            }
            if self.client.get(&ready).send().await.is_ok_and(|answer| answer.status() == 200) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        false
    }

    /// Makes a workspace beside the running server and answers its merchant.
    #[must_use]
    pub fn merchant(&self, name: &str) -> Merchant {
        let data = self.data();
        let arguments = ["workspace", "create", "--data", &data, "--name", name, "--json"];
        let made = binary::trac(&arguments);
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        let workspace = serde_json::from_str(&made.stdout).expect("workspace create prints JSON only");
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
        self.folder.path().join("data").display().to_string()
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

/// A port of the loopback that nobody listened on a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}
