//! What can be set: by flag, by environment, by a TOML file, in this order. The only reader of the environment.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use serde::Deserialize;
use trac_core::cookie;

use crate::proxy::Network;

/// Where the store is if nothing else is said.
const DATA: &str = "trac-data";
/// Where the server listens if nothing else is said.
const LISTEN: &str = "127.0.0.1:8787";
/// Where Stripe is asked if nothing else is said.
const STRIPE_API_URL: &str = "https://api.stripe.com";

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
    /// Decide stored events again under today's rules, and print what changes.
    Replay {
        /// Show what would change, and write nothing.
        #[arg(long)]
        dry_run: bool,
        /// Only events received since then (RFC 3339).
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
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
    /// Make a data folder of a backup. The folder must not hold anything yet.
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

/// The options every command understands. Each is also a variable `TRAC_…` and a key of the file.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct Options {
    /// A TOML file with these options; keys are written with underscores.
    #[arg(long, env = "TRAC_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// The folder that keeps everything [default: trac-data].
    #[arg(long, env = "TRAC_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Address and port to listen on [default: 127.0.0.1:8787].
    #[arg(long, env = "TRAC_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// How the server is reached from outside [default: http:// and the address].
    #[arg(long, env = "TRAC_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// The registrable domain for the click cookie where the tracker serves the merchant's site too; several with commas, of which
    /// the host of each request chooses.
    #[arg(long, env = "TRAC_COOKIE_DOMAIN", value_name = "DOMAIN", value_delimiter = ',')]
    #[serde(default, deserialize_with = "one_or_many")]
    pub cookie_domain: Option<Vec<String>>,
    /// Hosts beside that of the public URL that lead here too, with commas between: a program's links may be shown under one.
    #[arg(long, env = "TRAC_TRACKING_DOMAIN", value_name = "HOST", value_delimiter = ',')]
    #[serde(default, deserialize_with = "one_or_many")]
    pub tracking_domain: Option<Vec<String>>,
    /// The networks of the proxies in front, such as 10.0.0.0/8, with commas between: their Forwarded and X-Forwarded-For headers
    /// are believed, and nobody else's.
    #[arg(long, env = "TRAC_TRUSTED_PROXY", value_name = "CIDR", value_delimiter = ',')]
    #[serde(default, deserialize_with = "one_or_many")]
    pub trusted_proxy: Option<Vec<Network>>,
    /// The master key that seals secrets, as 64 hex digits [default: the file master.key in the data folder].
    #[arg(long, env = "TRAC_MASTER_KEY", value_name = "HEX", hide_env_values = true)]
    pub master_key: Option<MasterKey>,
    /// Where Stripe is asked for links that no event told, for merchants who have set a restricted key [default:
    /// `https://api.stripe.com`]. Without TLS only on this machine.
    #[arg(long, env = "TRAC_STRIPE_API_URL", value_name = "URL")]
    pub stripe_api_url: Option<String>,
    /// What to log: `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `trac_server=debug` [default: info].
    #[arg(long, env = "TRAC_LOG", value_name = "FILTER")]
    pub log: Option<String>,
    /// Log one JSON object a line.
    #[arg(long, env = "TRAC_LOG_JSON", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub log_json: Option<bool>,
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

/// Everything settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The folder that keeps everything.
    pub data: PathBuf,
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// How the server is reached from outside, without a slash at the end, if somebody said so.
    pub public_url: Option<String>,
    /// `Domain` of the click cookie, by host.
    pub cookie_domain: Vec<String>,
    /// Hosts under which links may be shown.
    pub tracking_domain: Vec<String>,
    /// The proxies in front.
    pub trusted_proxy: Vec<Network>,
    /// The master key, if it was given.
    pub master_key: Option<MasterKey>,
    /// Where Stripe is asked, without a slash at the end.
    pub stripe_api_url: String,
    /// What to log.
    pub log: String,
    /// Whether to log JSON.
    pub log_json: bool,
}

/// A master key as it was written. It shows itself to nobody.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct MasterKey(String);

impl MasterKey {
    /// The key, for the store that opens with it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for MasterKey {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// An option that cannot be used; the message is one line for the person who set it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl Options {
    /// Fills what is missing from the file, then from the defaults.
    ///
    /// # Errors
    /// [`ConfigError`] if the file cannot be read or an option makes no sense.
    pub fn settle(self) -> Result<Config, ConfigError> {
        let file = self.config.as_deref().map(read).transpose()?.unwrap_or_default();
        let listen = match self.listen.or(file.listen) {
            Some(listen) => listen,
            None => LISTEN.parse().map_err(|error| ConfigError(format!("{LISTEN}: {error}")))?,
        };
        Ok(Config {
            data: self.data.or(file.data).unwrap_or_else(|| DATA.into()),
            listen,
            public_url: self.public_url.or(file.public_url).as_deref().map(public_url).transpose()?,
            cookie_domain: each(self.cookie_domain.or(file.cookie_domain), cookie_domain)?,
            tracking_domain: each(self.tracking_domain.or(file.tracking_domain), tracking_domain)?,
            trusted_proxy: self.trusted_proxy.or(file.trusted_proxy).unwrap_or_default(),
            master_key: self.master_key.or(file.master_key),
            stripe_api_url: match self.stripe_api_url.or(file.stripe_api_url) {
                Some(url) => stripe_api_url(&url)?,
                None => STRIPE_API_URL.to_owned(),
            },
            log: self.log.or(file.log).unwrap_or_else(|| "info".to_owned()),
            log_json: self.log_json.or(file.log_json).unwrap_or_default(),
        })
    }
}

fn read(file: &Path) -> Result<Options, ConfigError> {
    let named = |error: &dyn std::fmt::Display| {
        // TOML's errors draw the line they mean; the first line says it.
        let text = error.to_string();
        ConfigError(format!("{}: {}", file.display(), text.lines().next().unwrap_or_default()))
    };
    let text = std::fs::read_to_string(file).map_err(|error| named(&error))?;
    toml::from_str(&text).map_err(|error| named(&error.message()))
}

/// An http(s) URL with a host, with its slashes at the end taken off.
fn public_url(text: &str) -> Result<String, ConfigError> {
    let wrong = || ConfigError(format!("public URL {text:?}: must be an http:// or https:// address"));
    let uri: http::Uri = text.parse().map_err(|_| wrong())?;
    let http = matches!(uri.scheme_str(), Some("http" | "https"));
    let plain = uri.query().is_none() && uri.authority().is_some_and(|host| !host.as_str().contains('@'));
    if http && plain { Ok(text.trim_end_matches('/').to_owned()) } else { Err(wrong()) }
}

/// An address that a key may be sent to: with TLS, or on this machine.
fn stripe_api_url(text: &str) -> Result<String, ConfigError> {
    let wrong = || {
        ConfigError(format!(
            "Stripe API URL {text:?}: must be an https:// address, or http:// on this machine"
        ))
    };
    let uri: http::Uri = text.parse().map_err(|_| wrong())?;
    let host = uri.host().unwrap_or_default();
    let here = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    let safe = uri.scheme_str() == Some("https") || (uri.scheme_str() == Some("http") && here);
    let plain = uri.query().is_none() && uri.authority().is_some_and(|host| !host.as_str().contains('@'));
    if safe && plain && !host.is_empty() { Ok(text.trim_end_matches('/').to_owned()) } else { Err(wrong()) }
}

/// A domain name of several labels, which a cookie can be set for.
fn cookie_domain(text: &str) -> Result<String, ConfigError> {
    let widest_to_whole = cookie::domains(text).last();
    if widest_to_whole == Some(text) {
        return Ok(text.to_owned());
    }
    Err(ConfigError(format!("cookie domain {text:?}: must be a domain name, such as example.com")))
}

/// A host name, perhaps with a port: what stands between `https://` and the path.
fn tracking_domain(text: &str) -> Result<String, ConfigError> {
    let name = text.trim().to_ascii_lowercase();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':');
    let authority = name.parse::<http::uri::Authority>().ok();
    if name.bytes().all(plain) && authority.is_some_and(|authority| !authority.host().is_empty()) {
        return Ok(name);
    }
    Err(ConfigError(format!("tracking domain {text:?}: must be a host name, such as go.example.com")))
}

/// Checks each of a list; one that is not there is empty.
fn each(
    list: Option<Vec<String>>,
    check: fn(&str) -> Result<String, ConfigError>,
) -> Result<Vec<String>, ConfigError> {
    list.unwrap_or_default().iter().map(|text| check(text)).collect()
}

/// A list in the file, or the one thing that would be in it.
fn one_or_many<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany<T> {
        One(T),
        Many(Vec<T>),
    }
    Ok(Some(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    }))
}

/// A name that a page can show.
fn workspace_name(text: &str) -> Result<String, String> {
    let name = text.trim();
    let fits = (1..=200).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if fits {
        Ok(name.to_owned())
    } else {
        Err("must be 1 to 200 characters, none of them a control character".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_domain_is_one_that_a_cookie_can_be_set_for() {
        let check = |text: &str, want: bool| assert_eq!(cookie_domain(text).is_ok(), want, "{text:?}");
        check("example.com", true);
        check("shop.example.co.uk", true);
        check("localhost", false);
        check("127.0.0.1", false);
        check("", false);
        check("a b; HttpOnly", false);
        check("https://example.com", false);
    }

    #[test]
    fn a_workspace_is_called_what_a_page_can_show() {
        let check = |text: &str, want: Option<&str>| {
            assert_eq!(workspace_name(text).ok().as_deref(), want, "{text:?}");
        };
        check(" My shop ", Some("My shop"));
        check("Bücher & <Kaffee>", Some("Bücher & <Kaffee>"));
        check("", None);
        check("  ", None);
        check("a\u{1b}[31m", None);
        check("a\nb", None);
        check(&"x".repeat(201), None);
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("trac.toml");
        std::fs::write(&file, "listen = \"127.0.0.1:1\"\npublic_url = \"https://t.example.com/\"\n").unwrap();
        let options = Options {
            config: Some(file),
            listen: Some("127.0.0.1:2".parse().unwrap()),
            ..Options::default()
        };
        let config = options.settle().unwrap();
        assert_eq!(config.listen.port(), 2);
        assert_eq!(config.public_url.as_deref(), Some("https://t.example.com"));
        assert_eq!(config.data, PathBuf::from("trac-data"));
    }

    #[test]
    fn a_key_is_sent_under_tls_or_stays_on_this_machine() {
        let check = |text: &str, want: Option<&str>| {
            assert_eq!(stripe_api_url(text).ok().as_deref(), want, "{text}");
        };
        check("https://api.stripe.com/", Some("https://api.stripe.com"));
        check("http://127.0.0.1:8789", Some("http://127.0.0.1:8789"));
        check("http://localhost:1/stripe/", Some("http://localhost:1/stripe"));
        check("http://[::1]:1", Some("http://[::1]:1"));
        check("http://api.stripe.com", None);
        check("http://127.0.0.1.evil.example", None);
        check("http://127.0.0.1@evil.example", None);
        check("https://api.stripe.com?key=1", None);
        check("ftp://127.0.0.1", None);
        check("api.stripe.com", None);
        check("", None);
    }

    #[test]
    fn lists_are_read_from_the_file_as_one_or_many() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("trac.toml");
        let settle = |text: &str| {
            std::fs::write(&file, text).unwrap();
            Options { config: Some(file.clone()), ..Options::default() }.settle()
        };
        let config = settle(
            "cookie_domain = \"shop.example\"\ntracking_domain = [\"Go.tea.example\", \"a.example:8443\"]\n\
             trusted_proxy = [\"10.0.0.0/8\"]",
        );
        let config = config.unwrap();
        assert_eq!(config.cookie_domain, ["shop.example"]);
        assert_eq!(config.tracking_domain, ["go.tea.example", "a.example:8443"]);
        assert_eq!(config.trusted_proxy, ["10.0.0.0/8".parse().unwrap()]);
        for wrong in [
            "tracking_domain = \"https://go.example\"",
            "tracking_domain = [\"go.example/x\"]",
            "tracking_domain = \"\"",
            "tracking_domain = \"a@go.example\"",
            "trusted_proxy = \"10.0.0.0/99\"",
            "cookie_domain = [\"localhost\"]",
        ] {
            assert!(settle(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("trac.toml");
        std::fs::write(&file, "lisen = \"127.0.0.1:1\"").unwrap();
        let options = Options { config: Some(file), ..Options::default() };
        let error = options.settle().unwrap_err().to_string();
        assert!(error.contains("trac.toml") && error.contains("lisen"), "{error}");
        assert_eq!(error.lines().count(), 1);
        for url in ["ftp://x", "t.example.com", "http://user@x", "https://x/?a=b", ""] {
            let options = Options { public_url: Some(url.to_owned()), ..Options::default() };
            assert!(options.settle().is_err(), "{url}");
        }
    }
}
