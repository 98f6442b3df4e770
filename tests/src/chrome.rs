//! What only Chromium can do: other sizes and colours of a window, small pictures, the log of the console.

use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use fantoccini::wd::WebDriverCompatibleCommand;
use reqwest::{Method, Url};
use serde_json::{Value, json};

use crate::browser::Browser;

/// Light or dark, as the reader's system has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// Dark text on a light ground.
    Light,
    /// Light text on a dark ground.
    Dark,
}

/// A command of `chromedriver` beyond WebDriver.
#[derive(Debug)]
struct Command {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Command {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, <Url as FromStr>::Err> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

impl Browser {
    /// Calls a method of Chromium's developer tools.
    pub async fn tools(&self, method: &str, parameters: &Value) -> Value {
        let body = json!({ "cmd": method, "params": parameters });
        let command = Command { path: "goog/cdp/execute", body };
        self.client().issue_cmd(command).await.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Shows pages in a window of this size.
    pub async fn resize(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.tools("Emulation.setDeviceMetricsOverride", &size).await;
    }

    /// Shows pages in these colours, and without animations.
    pub async fn colours(&self, colours: Colours) {
        let scheme = if colours == Colours::Light { "light" } else { "dark" };
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.tools("Emulation.setEmulatedMedia", &json!({ "features": features })).await;
    }

    /// Runs a script in every page that is opened from now on, before the page's own.
    pub async fn begin_with(&self, script: &str) {
        self.tools("Page.enable", &json!({})).await;
        self.tools("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": script })).await;
    }

    /// The errors on the console since the last call, without those that say that the page itself has a status of an
    /// error.
    pub async fn console_errors(&self) -> Vec<String> {
        let command = Command { path: "se/log", body: json!({ "type": "browser" }) };
        let log = self.client().issue_cmd(command).await.expect("the driver keeps a log");
        let address = self.address().await;
        let text = |line: &Value, name: &str| line.get(name).and_then(Value::as_str).map(str::to_owned);
        let errors = log.as_array().into_iter().flatten().filter_map(|line| {
            let message =
                text(line, "message").filter(|_| text(line, "level").as_deref() == Some("SEVERE"))?;
            let is_of_page = message.starts_with(&format!("{address} - Failed to load resource"));
            (!is_of_page).then_some(message)
        });
        errors.collect()
    }

    /// A picture in this format of Chromium (`jpeg`, `webp`): of the window, or of the whole page.
    pub async fn photograph(&self, format: &str, quality: u32, is_whole: bool) -> Vec<u8> {
        let wanted = json!({ "format": format, "quality": quality, "captureBeyondViewport": is_whole });
        let picture = self.tools("Page.captureScreenshot", &wanted).await;
        let data = picture.get("data").and_then(Value::as_str).expect("a picture");
        BASE64_STANDARD.decode(data).expect("base64")
    }
}
