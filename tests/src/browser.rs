//! A real browser, headless, by WebDriver.

use std::env;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::demo::Demo;
use crate::material::skipped;
use crate::server::free_port;

/// How long a page may take to show what it must show.
const PATIENCE: Duration = Duration::from_secs(15);

/// Headless, and silent towards the Internet.
const FLAGS: [&str; 10] = [
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,900",
    // Every other name leads nowhere: a test sees where a page would have gone, and nobody else does.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE *.localhost",
];

/// One window of a browser with a profile of its own; closed when dropped.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    session: String,
    port: u16,
    driver: Child,
    _profile: TempDir,
}

impl Browser {
    /// Opens one, and the demo to be looked at. Where there is no browser, or the server was built without the script,
    /// says so and answers nothing.
    ///
    /// `cargo xtask test` has both and sets `TRAC_TEST_BROWSER`: then a browser that does not open is a failure.
    pub async fn with_demo() -> Option<(Self, Demo)> {
        let browser = Self::open().await?;
        let demo = Demo::start();
        if demo.serves_script().await {
            return Some((browser, demo));
        }
        skipped("no script, run cargo xtask build-script");
        None
    }

    /// Opens Chromium, or what `TRAC_TEST_ENGINE` names (`firefox`, `webkit`); where there is none, says so and answers nothing.
    pub async fn open() -> Option<Self> {
        let profile = tempfile::tempdir().expect("a temporary folder");
        let engine = match env::var("TRAC_TEST_ENGINE").as_deref() {
            Ok("firefox") => Engine::firefox(),
            Ok("webkit") => Engine::webkit(),
            _ => Engine::chromium(profile.path()),
        };
        let Some(engine) = engine else {
            skipped("no browser");
            return None;
        };
        let port = free_port();
        let driver = Command::new(engine.driver)
            .arg(format!("--port={port}"))
            .args(engine.arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the driver runs");
        let wanted = engine.wanted.as_object().cloned().expect("an object");
        let url = format!("http://127.0.0.1:{port}");
        // The driver needs a moment to listen.
        let deadline = Instant::now() + PATIENCE;
        loop {
            match ClientBuilder::new(Connector::new()).capabilities(wanted.clone()).connect(&url).await {
                Ok(client) => {
                    let session = client.session_id().await.ok().flatten().unwrap_or_default();
                    return Some(Self { client, session, port, driver, _profile: profile });
                }
                Err(error) if Instant::now() > deadline => panic!("the browser does not start: {error}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Opens a page and waits until it is loaded.
    pub async fn visit(&self, url: &str) {
        let mut opened = self.client.goto(url).await;
        // Firefox tells it here that the page before was still on its way to where the tests cannot go.
        if opened.as_ref().is_err_and(|error| error.to_string().contains("Reached error page")) {
            opened = self.client.goto(url).await;
        }
        opened.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// Goes back to the page before.
    pub async fn back(&self) {
        self.client.back().await.unwrap_or_else(|error| panic!("back: {error}"));
    }

    /// The address in front.
    pub async fn address(&self) -> String {
        self.client.current_url().await.expect("a page is open").to_string()
    }

    /// Waits until this is the address in front, whether or not there is anything.
    pub async fn arrives(&self, address: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.client.current_url().await.map_or_else(|_| String::new(), Into::into) != address {
            assert!(Instant::now() < deadline, "never at {address}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What an expression of JavaScript is worth on the page.
    pub async fn js(&self, expression: &str) -> Value {
        let script = format!("return ({expression});");
        self.client.execute(&script, Vec::new()).await.unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// Runs statements of JavaScript on the page.
    pub async fn run(&self, script: &str) {
        self.client.execute(script, Vec::new()).await.unwrap_or_else(|error| panic!("{script}: {error}"));
    }

    /// What the expression is worth as text; empty if it is none.
    pub async fn text(&self, expression: &str) -> String {
        self.js(expression).await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the expression is worth something and answers it.
    pub async fn until(&self, expression: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        let script = format!("return ({expression});");
        loop {
            // While a page is being left there is nothing to ask.
            // A driver that loses an answer, as WebKit's does where frames come and go, is asked again.
            let asked = tokio::time::timeout(PATIENCE / 5, self.client.execute(&script, Vec::new())).await;
            let value = asked.unwrap_or(Ok(Value::Null)).unwrap_or_default();
            if !matches!(value, Value::Null | Value::Bool(false)) && value != json!("") {
                return value;
            }
            assert!(Instant::now() < deadline, "never: {expression}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Clicks what the selector finds, as a person would.
    pub async fn click(&self, selector: &str) {
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(selector)).await;
        let element = found.unwrap_or_else(|error| panic!("{selector}: {error}"));
        element.click().await.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Clicks what leads elsewhere, whether or not there is anything.
    pub async fn leave_by(&self, selector: &str) {
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(selector)).await;
        let element = found.unwrap_or_else(|error| panic!("{selector}: {error}"));
        // Some drivers call it an error that the other page is not there; `arrives` tells.
        let _ = element.click().await;
    }

    /// Writes into a field.
    pub async fn fill(&self, selector: &str, text: &str) {
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(selector)).await;
        let element = found.unwrap_or_else(|error| panic!("{selector}: {error}"));
        element.send_keys(text).await.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Steps into the frame that the selector finds.
    pub async fn enter(&self, selector: &str) {
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(selector)).await;
        let frame = found.unwrap_or_else(|error| panic!("{selector}: {error}"));
        frame.enter_frame().await.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Keeps a picture as `NAME.png` in the folder `TRAC_SCREENSHOTS`, if that is set.
    pub async fn picture(&self, name: &str) {
        if let Some(folder) = env::var_os("TRAC_SCREENSHOTS") {
            let picture = self.client.screenshot().await.expect("a picture");
            std::fs::write(PathBuf::from(folder).join(format!("{name}.png")), picture).expect("a folder");
        }
    }
}

/// A browser's driver, and what it is asked for.
struct Engine {
    driver: PathBuf,
    arguments: Vec<String>,
    wanted: Value,
}

impl Engine {
    fn chromium(profile: &Path) -> Option<Self> {
        let driver = find("CHROMEDRIVER", &["chromedriver"])?;
        let binary = find("CHROMIUM", &["chromium", "chromium-browser", "google-chrome"])?;
        let mut flags: Vec<String> = FLAGS.iter().map(|&flag| flag.to_owned()).collect();
        flags.push(format!("--user-data-dir={}", profile.display()));
        let options = json!({ "binary": binary, "args": flags });
        let wanted =
            json!({ "browserName": "chrome", "acceptInsecureCerts": true, "goog:chromeOptions": options });
        Some(Self { driver, arguments: Vec::new(), wanted })
    }

    fn firefox() -> Option<Self> {
        let driver = find("GECKODRIVER", &["geckodriver"])?;
        let binary = find("FIREFOX", &["firefox-esr", "firefox"])?;
        // Every other name leads to a proxy that is not there.
        let prefs = json!({
            "network.proxy.type": 1,
            "network.proxy.http": "127.0.0.1",
            "network.proxy.http_port": 9,
            "network.proxy.ssl": "127.0.0.1",
            "network.proxy.ssl_port": 9,
            "network.proxy.no_proxies_on": "localhost, 127.0.0.1, .localhost",
        });
        let options = json!({ "binary": binary, "args": ["-headless"], "prefs": prefs });
        let wanted =
            json!({ "browserName": "firefox", "acceptInsecureCerts": true, "moz:firefoxOptions": options });
        // Two browsers at once share no port for their second protocol.
        let arguments = vec![format!("--websocket-port={}", free_port())];
        Some(Self { driver, arguments, wanted })
    }

    /// The small browser of `WebKitGTK`, which wants a display.
    fn webkit() -> Option<Self> {
        let driver = find("WEBKITDRIVER", &["WebKitWebDriver"])?;
        let binary = env::var_os("MINIBROWSER").map_or_else(mini_browser, |path| Some(path.into()))?;
        let proxy = json!({
            "proxyType": "manual",
            "httpProxy": "127.0.0.1:9",
            "sslProxy": "127.0.0.1:9",
            "noProxy": ["127.0.0.1", "localhost", "*.localhost"],
        });
        let options = json!({ "binary": binary, "args": ["--automation"] });
        let wanted = json!({
            "browserName": "MiniBrowser",
            "acceptInsecureCerts": true,
            "proxy": proxy,
            "webkitgtk:browserOptions": options,
        });
        Some(Self { driver, arguments: Vec::new(), wanted })
    }
}

/// Where distributions put it: beside the library, and on no path.
fn mini_browser() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path());
    let places = folders.flat_map(|folder| {
        ["webkit2gtk-4.1", "webkitgtk-6.0", "webkit2gtk-4.0"]
            .map(|name| folder.join(name).join("MiniBrowser"))
    });
    places.into_iter().find(|place| place.is_file())
}

impl Drop for Browser {
    /// Ends the session, and with it the browser's own processes, also when a test fails half-way.
    fn drop(&mut self) {
        let request = format!(
            "DELETE /session/{} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n",
            self.session, self.port
        );
        // If the driver does not answer any more, ending it is all that can be done.
        let _ = TcpStream::connect(("127.0.0.1", self.port)).and_then(|mut driver| {
            driver.set_read_timeout(Some(PATIENCE))?;
            driver.write_all(request.as_bytes())?;
            driver.read(&mut [0; 64])
        });
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

type Connector = hyper_util::client::legacy::connect::HttpConnector;

/// The program an environment variable names, or the first of these on the path.
fn find(variable: &str, names: &[&str]) -> Option<PathBuf> {
    if let Some(path) = env::var_os(variable) {
        return Some(path.into());
    }
    let path = env::var_os("PATH")?;
    let folders: Vec<_> = env::split_paths(&path).collect();
    let places =
        names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(OsStr::new(name))));
    places.into_iter().find(|place| place.is_file())
}
