//! The address of a database: a URL of the form `postgres://user:password@host:port/database?option=value`.
//!
//! The options are those of libpq. Source: <https://www.postgresql.org/docs/current/libpq-connect.html>.

use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use postgres::Config;
use postgres::config::{Host, SslMode};

use super::tls::{Tls, Trust};
use crate::store::{StoreError, StoreErrorKind};

/// How long a new connection may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// After this time without an answer, a connection counts as broken.
const SILENT_LIMIT: Duration = Duration::from_secs(10);
/// The time between two probes of a silent connection.
const KEEPALIVE: Duration = Duration::from_secs(2);

/// Where the database is, and how it is reached.
#[derive(Clone, Debug)]
pub(super) struct Address {
    pub(super) config: Config,
    pub(super) tls: Tls,
}

impl Address {
    /// Parses a URL.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`] if it has another form. The message does not contain the password.
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        let wrong = |why: &str| {
            let detail = format!(
                "the database URL {why}; it has the form postgres://user:password@host/database?sslmode=require"
            );
            StoreError::new(StoreErrorKind::Unavailable, detail)
        };
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(wrong("does not begin with postgres://"));
        }
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut mode, mut root, mut rest) = (None, None, Vec::new());
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let decoded = |value: &str| percent_decode_str(value).decode_utf8_lossy().into_owned();
            match option.split_once('=') {
                Some(("sslmode", value)) => mode = Some(decoded(value)),
                Some(("sslrootcert", value)) => root = Some(decoded(value)),
                _ => rest.push(option),
            }
        }
        let plain = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
        let mut config: Config = plain.parse().map_err(|error: postgres::Error| wrong(&reason(&error)))?;
        if config.get_dbname().is_none() {
            return Err(wrong("names no database"));
        }
        let root = root.filter(|root| root != "system").map(PathBuf::from);
        let (mode, trust) = match mode.as_deref() {
            Some("disable") => (SslMode::Disable, Trust::Anyone),
            // As in libpq, a certificate to compare with is compared with.
            Some("require") => (SslMode::Require, root.map_or(Trust::Anyone, |root| Trust::Root(Some(root)))),
            Some("verify-ca") => (SslMode::Require, Trust::Root(root)),
            Some("verify-full") => (SslMode::Require, Trust::Host(root)),
            None | Some("prefer") => (SslMode::Prefer, Trust::Anyone),
            Some(_) => return Err(wrong("has an unknown sslmode")),
        };
        config.ssl_mode(mode);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_LIMIT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENT_LIMIT);
        }
        if config.get_application_name().is_none() {
            config.application_name("trac");
        }
        if !query.contains("keepalives") {
            config.keepalives_idle(SILENT_LIMIT).keepalives_interval(KEEPALIVE).keepalives_retries(3);
        }
        Ok(Self { config, tls: Tls::new(&trust)? })
    }

    /// The hosts and the database, for messages.
    pub(super) fn name(&self) -> String {
        let hosts = self.config.get_hosts().iter().map(|host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(folder) => folder.display().to_string(),
        });
        let hosts = hosts.collect::<Vec<_>>().join(",");
        format!("the database {} at {hosts}", self.config.get_dbname().unwrap_or_default())
    }
}

/// What is wrong with a URL, without the URL.
fn reason(error: &postgres::Error) -> String {
    let source = std::error::Error::source(error).map(|source| format!(": {source}"));
    format!("cannot be read{}", source.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_and_its_password_is_in_no_message() {
        let read = |url: &str| Address::parse(url).map(|address| address.config);
        let config =
            read("postgres://anna:s3cret@db.example:5433/trac?sslmode=verify-full&connect_timeout=2")
                .unwrap();
        assert_eq!((config.get_user(), config.get_dbname()), (Some("anna"), Some("trac")));
        assert_eq!((config.get_ports(), config.get_ssl_mode()), (&[5433][..], SslMode::Require));
        assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(2)));
        assert_eq!(read("postgresql://db/trac").unwrap().get_ssl_mode(), SslMode::Prefer);
        for url in [
            "mysql://anna:s3cret@db/trac",
            "postgres://anna:s3cret@db:port/trac",
            "postgres://anna:s3cret@db",
            "postgres://anna:s3cret@db/trac?sslmode=perhaps",
            "postgres://anna:s3cret@db/trac?s3cret=1",
            "postgres://anna:s3cret@db/trac?sslmode=verify-full&sslrootcert=/is/not/there.pem",
        ] {
            let error = read(url).unwrap_err();
            assert!(!error.to_string().contains(":s3cret"), "{error}");
        }
        let shown = format!("{:?}", Address::parse("postgres://anna:s3cret@db/trac").unwrap());
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}
