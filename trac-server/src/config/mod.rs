//! The options: a flag takes precedence over the environment, the environment over the TOML file. Only this
//! module reads the environment.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;

use crate::http::listen::CONNECTIONS_PER_ADDRESS;
use crate::http::proxy::Network;

mod command;
mod retention;
mod value;

#[cfg(feature = "demo")]
pub use command::DemoOptions;
pub use command::{Command, CommandLine, KeyCommand, SecretsCommand, WorkspaceCommand};
pub use retention::Retention;
use value::{cookie_domain, each, one_or_many, public_url, stripe_api_url, tracking_domain};

/// The default data folder.
const DATA: &str = "trac-data";
/// The default listen address.
const LISTEN: &str = "127.0.0.1:8787";
/// The default limits of visits and calls of one address in a minute: less than a third of the calls that a
/// workspace may receive.
pub(crate) const VISITS_PER_ADDRESS: u32 = 300;
pub(crate) const CALLS_PER_ADDRESS: u32 = 300;
/// How many megabytes of the disk stay free by default: enough for some ten thousand events and the WAL next
/// to the database.
const KEEP_FREE_MB: u32 = 256;
/// How many milliseconds a visitor waits by default until the click is on disk. That usually takes one or two.
pub(crate) const VISITOR_WAIT_MS: u32 = 450;
/// With less, clicks would be on disk and their visitors gone without their IDs.
const VISITOR_WAIT_MIN_MS: u32 = 50;
/// The default base URL of Stripe's API.
pub(crate) const STRIPE_API_URL: &str = "https://api.stripe.com";

/// The options of every command. Each is also a variable `TRAC_…` and a key of the file.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct Options {
    /// A TOML file with these options; keys are written with underscores.
    #[arg(long, env = "TRAC_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// The data folder [default: trac-data].
    #[arg(long, env = "TRAC_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The PostgreSQL database that several servers share, as `postgres://user:password@host/database`
    /// [default: the file trac.db in the data folder]. The data folder then has only this server's spool.
    #[arg(long, env = "TRAC_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<Hidden>,
    /// Address and port to listen on [default: 127.0.0.1:8787].
    #[arg(long, env = "TRAC_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// The URL under which callers reach the server [default: http:// and the listen address].
    #[arg(long, env = "TRAC_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// The registrable domain for the click cookie if the tracker is under the merchant's domain. Several are
    /// separated by commas; each request gets the one that contains its host.
    #[arg(long, env = "TRAC_COOKIE_DOMAIN", value_name = "DOMAIN", value_delimiter = ',')]
    #[serde(default, deserialize_with = "one_or_many")]
    pub cookie_domain: Option<Vec<String>>,
    /// Further hosts that lead to this server, separated by commas. A program may show its links under one of
    /// them.
    #[arg(long, env = "TRAC_TRACKING_DOMAIN", value_name = "HOST", value_delimiter = ',')]
    #[serde(default, deserialize_with = "one_or_many")]
    pub tracking_domain: Option<Vec<String>>,
    /// The networks of the proxies in front of the server, such as 10.0.0.0/8, separated by commas. Only
    /// their Forwarded and X-Forwarded-For headers count.
    #[arg(long, env = "TRAC_TRUSTED_PROXY", value_name = "CIDR", value_delimiter = ',')]
    #[serde(default, deserialize_with = "one_or_many")]
    pub trusted_proxy: Option<Vec<Network>>,
    /// How many visits of one address are recorded in a minute; further visitors are redirected and counted
    /// as a flood. 0 for any number [default: 300].
    #[arg(long, env = "TRAC_VISITS_PER_ADDRESS", value_name = "NUMBER")]
    pub visits_per_address: Option<u32>,
    /// How many calls for clicks, leads and conversions pages may make from one address in a minute. 0 for
    /// any number [default: 300].
    #[arg(long, env = "TRAC_CALLS_PER_ADDRESS", value_name = "NUMBER")]
    pub calls_per_address: Option<u32>,
    /// How many milliseconds a visitor waits at most until the click is on disk; then the visitor is redirected without
    /// a click ID [default: 450].
    #[arg(long, env = "TRAC_VISITOR_WAIT_MS", value_name = "MILLISECONDS")]
    pub visitor_wait_ms: Option<u32>,
    /// Address and port to serve /metrics on; the main address then no longer serves it.
    #[arg(long, env = "TRAC_METRICS_LISTEN", value_name = "ADDRESS")]
    pub metrics_listen: Option<SocketAddr>,
    /// How many connections one address may have, unless it belongs to a trusted proxy; 0 for any number
    /// [default: 512].
    #[arg(long, env = "TRAC_CONNECTIONS_PER_ADDRESS", value_name = "NUMBER")]
    pub connections_per_address: Option<usize>,
    /// How many megabytes of the disk stay free for webhooks: with less, visitors are redirected and their
    /// clicks are not recorded; 0 to disable [default: 256].
    #[arg(long, env = "TRAC_KEEP_FREE_MB", value_name = "MEGABYTES")]
    pub keep_free_mb: Option<u32>,
    /// Delete the bodies of events after this many days; such an event can no longer be replayed. 0 to keep them
    /// [default: 0].
    #[arg(long, env = "TRAC_KEEP_BODIES_DAYS", value_name = "DAYS")]
    pub keep_bodies_days: Option<u32>,
    /// Delete clicks that nothing refers to after this many days, but no earlier than 31 days after the longest
    /// attribution window; their numbers by day are kept. 0 to keep them [default: 0].
    #[arg(long, env = "TRAC_KEEP_CLICKS_DAYS", value_name = "DAYS")]
    pub keep_clicks_days: Option<u32>,
    /// Delete rejected and ignored events after this many days. 0 to keep them [default: 0].
    #[arg(long, env = "TRAC_KEEP_LOG_DAYS", value_name = "DAYS")]
    pub keep_log_days: Option<u32>,
    /// Delete refused calls after this many days. 0 to keep them [default: 30].
    #[arg(long, env = "TRAC_KEEP_REFUSALS_DAYS", value_name = "DAYS")]
    pub keep_refusals_days: Option<u32>,
    /// The master key that seals secrets, as 64 hex digits [default: the file master.key in the data folder].
    #[arg(long, env = "TRAC_MASTER_KEY", value_name = "HEX", hide_env_values = true)]
    pub master_key: Option<Hidden>,
    /// The base URL of Stripe's API. Objects that no event contained are requested there if a merchant has
    /// set a restricted key [default: `https://api.stripe.com`]. http:// on this machine only.
    #[arg(long, env = "TRAC_STRIPE_API_URL", value_name = "URL")]
    pub stripe_api_url: Option<String>,
    /// The SMTP server for mails: `smtps://user:password@host`, or `smtp://user:password@host?tls=required` for STARTTLS.
    /// Without one, mails are written to the log.
    #[arg(long, env = "TRAC_SMTP_URL", value_name = "URL", hide_env_values = true)]
    pub smtp_url: Option<Hidden>,
    /// The sender of mails, as in `trac <trac@shop.example.com>` [default: trac at the host of the public URL].
    #[arg(long, env = "TRAC_MAIL_FROM", value_name = "ADDRESS")]
    pub mail_from: Option<String>,
    /// The provider of OpenID Connect by which people may sign in, as in `https://accounts.google.com`. At the provider,
    /// register the address `/dashboard/sso/done` of this server.
    #[arg(long, env = "TRAC_OIDC_ISSUER", value_name = "URL")]
    pub oidc_issuer: Option<String>,
    /// The client ID that the provider has assigned to this server.
    #[arg(long, env = "TRAC_OIDC_CLIENT_ID", value_name = "ID")]
    pub oidc_client_id: Option<String>,
    /// The client's secret.
    #[arg(long, env = "TRAC_OIDC_CLIENT_SECRET", value_name = "SECRET", hide_env_values = true)]
    pub oidc_client_secret: Option<Hidden>,
    /// The name of the provider on the sign-in page [default: single sign-on].
    #[arg(long, env = "TRAC_OIDC_NAME", value_name = "NAME")]
    pub oidc_name: Option<String>,
    /// What to log: `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `trac_server=debug` [default: info].
    #[arg(long, env = "TRAC_LOG", value_name = "FILTER")]
    pub log: Option<String>,
    /// Log one JSON object per line.
    #[arg(long, env = "TRAC_LOG_JSON", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub log_json: Option<bool>,
}

/// The final options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The data folder.
    pub data: PathBuf,
    /// The URL of the PostgreSQL database, if the store is not the file in the data folder.
    pub database_url: Option<Hidden>,
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// The URL under which callers reach the server, without a trailing slash, if set.
    pub public_url: Option<String>,
    /// The domains for the click cookie; the request's host selects one.
    pub cookie_domain: Vec<String>,
    /// Hosts under which links may be shown.
    pub tracking_domain: Vec<String>,
    /// The networks of the proxies in front of the server.
    pub trusted_proxy: Vec<Network>,
    /// How many visits of one address are recorded in a minute; 0 for any number.
    pub visits_per_address: u32,
    /// How many calls pages may make in a minute from one address; 0 for any number.
    pub calls_per_address: u32,
    /// How many milliseconds a visitor waits at most until the click is on disk.
    pub visitor_wait_ms: u32,
    /// The address for `/metrics`, if it is not the main one.
    pub metrics_listen: Option<SocketAddr>,
    /// How many connections one address may have; 0 for any number.
    pub connections_per_address: usize,
    /// How many megabytes of the disk stay free for webhooks.
    pub keep_free_mb: u32,
    /// How long rows are kept that no money rests on.
    pub retention: Retention,
    /// The master key, if set.
    pub master_key: Option<Hidden>,
    /// The base URL of Stripe's API, without a trailing slash.
    pub stripe_api_url: String,
    /// The URL of the SMTP server, if there is one.
    pub smtp_url: Option<Hidden>,
    /// The sender of mails, if set.
    pub mail_from: Option<String>,
    /// The provider of OpenID Connect, if there is one.
    pub oidc: Option<Oidc>,
    /// What to log.
    pub log: String,
    /// Whether to log JSON.
    pub log_json: bool,
}

/// The options of a provider of OpenID Connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oidc {
    /// The URL of the provider.
    pub issuer: String,
    /// The ID of this server at the provider.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Hidden,
    /// The name on the sign-in page.
    pub name: String,
}

/// A value that contains a secret: the master key, the URL of the database. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Hidden(String);

impl Hidden {
    /// The value, for opening the store.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Hidden {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hidden(…)")
    }
}

/// An invalid option; the message is one line for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

/// How long a visitor waits, in milliseconds.
fn visitor_wait(given: Option<u32>) -> Result<u32, ConfigError> {
    let wait_ms = given.unwrap_or(VISITOR_WAIT_MS);
    if wait_ms < VISITOR_WAIT_MIN_MS {
        return Err(ConfigError(format!("visitor_wait_ms: must be at least {VISITOR_WAIT_MIN_MS}")));
    }
    Ok(wait_ms)
}

/// The provider of OpenID Connect, if all that it needs is given.
fn oidc(
    issuer: Option<String>,
    client_id: Option<String>,
    client_secret: Option<Hidden>,
    name: Option<String>,
) -> Result<Option<Oidc>, ConfigError> {
    match (issuer, client_id, client_secret) {
        (None, None, None) => Ok(None),
        (Some(issuer), Some(client_id), Some(client_secret)) => {
            let name = name.unwrap_or_else(|| "single sign-on".to_owned());
            Ok(Some(Oidc { issuer, client_id, client_secret, name }))
        }
        _ => {
            let detail =
                "oidc_issuer, oidc_client_id and oidc_client_secret belong together: set all of them";
            Err(ConfigError(detail.to_owned()))
        }
    }
}

impl Options {
    /// Fills missing options from the file, then from the defaults.
    ///
    /// # Errors
    /// [`ConfigError`] if the file cannot be read or an option is invalid.
    pub fn settle(self) -> Result<Config, ConfigError> {
        let file = self.config.as_deref().map(read).transpose()?.unwrap_or_default();
        let listen = match self.listen.or(file.listen) {
            Some(listen) => listen,
            None => LISTEN.parse().map_err(|error| ConfigError(format!("{LISTEN}: {error}")))?,
        };
        let kept = Retention::default();
        let database_url = self.database_url.or(file.database_url);
        let master_key = self.master_key.or(file.master_key);
        if database_url.is_some() && master_key.is_none() {
            let detail = "--database-url needs --master-key (TRAC_MASTER_KEY), the same for every server: 64 hex digits, \
                          for example from openssl rand -hex 32";
            return Err(ConfigError(detail.to_owned()));
        }
        let oidc = oidc(
            self.oidc_issuer.or(file.oidc_issuer),
            self.oidc_client_id.or(file.oidc_client_id),
            self.oidc_client_secret.or(file.oidc_client_secret),
            self.oidc_name.or(file.oidc_name),
        )?;
        Ok(Config {
            database_url,
            data: self.data.or(file.data).unwrap_or_else(|| DATA.into()),
            listen,
            public_url: self.public_url.or(file.public_url).as_deref().map(public_url).transpose()?,
            cookie_domain: each(self.cookie_domain.or(file.cookie_domain), cookie_domain)?,
            tracking_domain: each(self.tracking_domain.or(file.tracking_domain), tracking_domain)?,
            trusted_proxy: self.trusted_proxy.or(file.trusted_proxy).unwrap_or_default(),
            visits_per_address: self
                .visits_per_address
                .or(file.visits_per_address)
                .unwrap_or(VISITS_PER_ADDRESS),
            calls_per_address: self.calls_per_address.or(file.calls_per_address).unwrap_or(CALLS_PER_ADDRESS),
            visitor_wait_ms: visitor_wait(self.visitor_wait_ms.or(file.visitor_wait_ms))?,
            metrics_listen: self.metrics_listen.or(file.metrics_listen),
            connections_per_address: self
                .connections_per_address
                .or(file.connections_per_address)
                .unwrap_or(CONNECTIONS_PER_ADDRESS),
            keep_free_mb: self.keep_free_mb.or(file.keep_free_mb).unwrap_or(KEEP_FREE_MB),
            retention: Retention {
                bodies_days: self.keep_bodies_days.or(file.keep_bodies_days).unwrap_or(kept.bodies_days),
                clicks_days: self.keep_clicks_days.or(file.keep_clicks_days).unwrap_or(kept.clicks_days),
                log_days: self.keep_log_days.or(file.keep_log_days).unwrap_or(kept.log_days),
                refusals_days: self
                    .keep_refusals_days
                    .or(file.keep_refusals_days)
                    .unwrap_or(kept.refusals_days),
            },
            master_key,
            stripe_api_url: match self.stripe_api_url.or(file.stripe_api_url) {
                Some(url) => stripe_api_url(&url)?,
                None => STRIPE_API_URL.to_owned(),
            },
            oidc,
            smtp_url: self.smtp_url.or(file.smtp_url),
            mail_from: self.mail_from.or(file.mail_from),
            log: self.log.or(file.log).unwrap_or_else(|| "info".to_owned()),
            log_json: self.log_json.or(file.log_json).unwrap_or_default(),
        })
    }
}

fn read(file: &Path) -> Result<Options, ConfigError> {
    let named = |error: &dyn std::fmt::Display| {
        // TOML errors are several lines with an excerpt; the first line is the message.
        let text = error.to_string();
        ConfigError(format!("{}: {}", file.display(), text.lines().next().unwrap_or_default()))
    };
    let text = std::fs::read_to_string(file).map_err(|error| named(&error))?;
    toml::from_str(&text).map_err(|error| named(&error.message()))
}

#[cfg(test)]
mod tests;
