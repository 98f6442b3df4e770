//! A real browser, headless, through WebDriver.

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

/// How long a page may take to show what a test waits for. On a busy machine, a browser needs tens of seconds to start.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Headless, and without access to the Internet.
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
    // No other name resolves: a test sees where a page would have gone, and no request leaves the machine.
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
    /// Opens a browser and starts the demo. Returns `None`, and prints why, if there is no browser or the
    /// server was built without the script.
    ///
    /// `cargo xtask test` installs both and sets `TRAC_TEST_BROWSER`: then a browser that does not start is a
    /// failure.
    pub async fn with_demo() -> Option<(Self, Demo)> {
        let browser = Self::open().await?;
        let demo = Demo::start();
        if demo.serves_script().await {
            return Some((browser, demo));
        }
        skipped("no script, run cargo xtask build-script");
        None
    }

    /// Opens Chromium, or the engine in `TRAC_TEST_ENGINE` (`firefox`, `webkit`). Returns `None`, and prints
    /// why, if there is none.
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
        let deadline = Instant::now() + TIMEOUT;
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

    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    /// Opens a page and waits until it is loaded.
    pub async fn visit(&self, url: &str) {
        let mut opened = self.client.goto(url).await;
        // Firefox reports here that the previous page was still loading an address that the tests block.
        if opened.as_ref().is_err_and(|error| error.to_string().contains("Reached error page")) {
            opened = self.client.goto(url).await;
        }
        opened.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// Goes back to the previous page.
    pub async fn back(&self) {
        self.client.back().await.unwrap_or_else(|error| panic!("back: {error}"));
    }

    /// The URL of the current page.
    pub async fn address(&self) -> String {
        self.client.current_url().await.expect("a page is open").to_string()
    }

    /// Waits until this is the current URL, whether or not the page exists.
    pub async fn arrives(&self, address: &str) {
        let deadline = Instant::now() + TIMEOUT;
        while self.client.current_url().await.map_or_else(|_| String::new(), Into::into) != address {
            assert!(Instant::now() < deadline, "never at {address}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The value of a JavaScript expression on the page.
    pub async fn js(&self, expression: &str) -> Value {
        let script = format!("return ({expression});");
        self.client.execute(&script, Vec::new()).await.unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// Runs statements of JavaScript on the page.
    pub async fn run(&self, script: &str) {
        self.client.execute(script, Vec::new()).await.unwrap_or_else(|error| panic!("{script}: {error}"));
    }

    /// The value of the expression as text; empty if it is not text.
    pub async fn text(&self, expression: &str) -> String {
        self.js(expression).await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the expression has a truthy value and returns it.
    pub async fn until(&self, expression: &str) -> Value {
        let deadline = Instant::now() + TIMEOUT;
        let script = format!("return ({expression});");
        loop {
            // While the page changes, the expression fails. A driver that loses a response, as WebKit's does
            // while frames are added and removed, is asked again.
            let asked = tokio::time::timeout(TIMEOUT / 5, self.client.execute(&script, Vec::new())).await;
            let value = asked.unwrap_or(Ok(Value::Null)).unwrap_or_default();
            if !matches!(value, Value::Null | Value::Bool(false)) && value != json!("") {
                return value;
            }
            assert!(Instant::now() < deadline, "never: {expression}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The click ID that the script found, once it has started: on a busy machine, that is after the page is loaded.
    pub async fn click_id(&self) -> String {
        let found = self.until("window.trac && window.trac.getClickId && window.trac.getClickId()").await;
        found.as_str().unwrap_or_default().to_owned()
    }

    /// Clicks the element of this selector, as a person would.
    pub async fn click(&self, selector: &str) {
        let found = self.client.wait().at_most(TIMEOUT).for_element(Locator::Css(selector)).await;
        let element = found.unwrap_or_else(|error| panic!("{selector}: {error}"));
        element.click().await.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Clicks an element that leads to another page, whether or not that page exists.
    pub async fn leave_by(&self, selector: &str) {
        let found = self.client.wait().at_most(TIMEOUT).for_element(Locator::Css(selector)).await;
        let element = found.unwrap_or_else(|error| panic!("{selector}: {error}"));
        // Some drivers return an error if the other page does not exist; `arrives` checks the URL.
        let _ = element.click().await;
    }

    /// Types text into a field.
    pub async fn fill(&self, selector: &str, text: &str) {
        let found = self.client.wait().at_most(TIMEOUT).for_element(Locator::Css(selector)).await;
        let element = found.unwrap_or_else(|error| panic!("{selector}: {error}"));
        element.send_keys(text).await.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Switches to the frame of this selector.
    pub async fn enter(&self, selector: &str) {
        let found = self.client.wait().at_most(TIMEOUT).for_element(Locator::Css(selector)).await;
        let frame = found.unwrap_or_else(|error| panic!("{selector}: {error}"));
        frame.enter_frame().await.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Saves a screenshot as `NAME.png` in the folder `TRAC_SCREENSHOTS`, if that is set.
    pub async fn picture(&self, name: &str) {
        if let Some(folder) = env::var_os("TRAC_SCREENSHOTS") {
            let picture = self.client.screenshot().await.expect("a picture");
            std::fs::write(PathBuf::from(folder).join(format!("{name}.png")), picture).expect("a folder");
        }
    }
}

/// A browser's driver, its arguments and the requested capabilities.
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
        let wanted = json!({ "browserName": "chrome", "acceptInsecureCerts": true, "goog:chromeOptions": options,
                "goog:loggingPrefs": { "browser": "ALL" } });
        Some(Self { driver, arguments: Vec::new(), wanted })
    }

    fn firefox() -> Option<Self> {
        let driver = find("GECKODRIVER", &["geckodriver"])?;
        let binary = find("FIREFOX", &["firefox-esr", "firefox"])?;
        // All other names go to a proxy that does not exist.
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
        // Two browsers at once need different ports for WebSocket (BiDi).
        let arguments = vec![format!("--websocket-port={}", free_port())];
        Some(Self { driver, arguments, wanted })
    }

    /// The small browser of `WebKitGTK`, which needs a display.
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

/// Where distributions install it: next to the library, not on the path.
fn mini_browser() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path());
    let places = folders.flat_map(|folder| {
        ["webkit2gtk-4.1", "webkitgtk-6.0", "webkit2gtk-4.0"]
            .map(|name| folder.join(name).join("MiniBrowser"))
    });
    places.into_iter().find(|place| place.is_file())
}

impl Drop for Browser {
    /// Ends the session, and with it the browser's own processes, also if a test fails.
    fn drop(&mut self) {
        let request = format!(
            "DELETE /session/{} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n",
            self.session, self.port
        );
        // If the driver no longer responds, it can only be killed.
        let _ = TcpStream::connect(("127.0.0.1", self.port)).and_then(|mut driver| {
            driver.set_read_timeout(Some(TIMEOUT))?;
            driver.write_all(request.as_bytes())?;
            driver.read(&mut [0; 64])
        });
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

type Connector = hyper_util::client::legacy::connect::HttpConnector;

/// The program in an environment variable, or the first of these on the path.
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
