//! The way to an SMTP server.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lettre::message::{Mailbox, header};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use tokio::time::timeout;

/// How long one mail may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest error that is stored, in characters.
const ERROR_MAX: usize = 300;
/// How many characters of a secret in a row make a text secret.
const QUOTED_MIN: usize = 8;

/// Sends mails to an SMTP server, or writes them to the log if none is configured. Clones share the connections.
#[derive(Clone)]
pub struct Carrier {
    transport: Option<AsyncSmtpTransport<Tokio1Executor>>,
    from: Arc<Mailbox>,
}

/// An address of an SMTP server, or of a sender, that cannot be used; the message does not contain it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnusableAddress(String);

/// The text of a mail.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    /// The part of the text that is stored nowhere: the token of a link.
    pub(crate) secret: String,
}

impl Letter {
    /// The text that may be stored.
    pub(crate) fn shown(&self) -> String {
        if self.secret.is_empty() { self.text.clone() } else { self.text.replace(&self.secret, "…") }
    }

    /// An error of a mail server, cut to a length that is stored. Some servers quote the text of a mail that they refuse:
    /// an error that contains a part of the secret, in whatever encoding, is replaced.
    fn without_secret(&self, error: &str, otherwise: &str) -> String {
        let secret: Vec<char> = self.secret.chars().collect();
        let plain: String = error.chars().filter(char::is_ascii_alphanumeric).collect();
        let quotes = |part: &[char]| plain.contains(&part.iter().collect::<String>());
        if secret.windows(QUOTED_MIN).any(quotes) {
            return otherwise.to_owned();
        }
        error.chars().take(ERROR_MAX).collect()
    }
}

impl Carrier {
    /// Sends from this address, as in `trac <trac@shop.example.com>`, by default `trac@` and the host of `public_url`, by
    /// this server: `smtps://user:password@host`, `smtp://user:password@host?tls=required`, or `smtp://host` for a server
    /// that needs no TLS, such as one on the same machine. Without a server, mails are written to the log.
    ///
    /// # Errors
    /// [`UnusableAddress`] if one of them cannot be read.
    pub fn new(
        smtp_url: Option<&str>,
        from: Option<&str>,
        public_url: &str,
    ) -> Result<Self, UnusableAddress> {
        let from = match from {
            Some(from) => from.parse().map_err(|_| {
                let detail = "mail_from: must be an e-mail address, as in trac <trac@shop.example.com>";
                UnusableAddress(detail.to_owned())
            })?,
            None => Mailbox::new(Some("trac".to_owned()), address_at(public_url)),
        };
        let transport = smtp_url.map(transport).transpose()?;
        Ok(Self { transport, from: Arc::new(from) })
    }

    /// Whether mails go to an SMTP server.
    pub(crate) const fn is_connected(&self) -> bool {
        self.transport.is_some()
    }

    /// Sends a letter. `Ok(false)` if it was written to the log.
    ///
    /// # Errors
    /// What went wrong, for the person who looks at the list of mails.
    pub(crate) async fn carry(&self, letter: &Letter) -> Result<bool, String> {
        let Some(transport) = &self.transport else {
            tracing::info!(
                to = letter.to,
                subject = letter.subject,
                text = letter.text,
                "a mail, which is not sent: there is no SMTP server (TRAC_SMTP_URL)"
            );
            return Ok(false);
        };
        let to: Address =
            letter.to.parse().map_err(|_| "the address of the recipient cannot be used".to_owned())?;
        let message = Message::builder()
            .from(Mailbox::clone(&self.from))
            .to(Mailbox::new(None, to))
            .message_id(None)
            .subject(&letter.subject)
            .header(header::ContentType::TEXT_PLAIN)
            .body(letter.text.clone())
            .map_err(|error| error.to_string())?;
        match timeout(TIMEOUT, transport.send(message)).await {
            Ok(Ok(_)) => Ok(true),
            Ok(Err(error)) => {
                let code = error.status().map(|code| format!("the mail server answered {code}"));
                Err(letter.without_secret(&error.to_string(), &code.unwrap_or_default()))
            }
            Err(_) => Err(format!("the mail server did not answer within {} seconds", TIMEOUT.as_secs())),
        }
    }
}

/// The transport of an address. The password is not part of any error.
fn transport(url: &str) -> Result<AsyncSmtpTransport<Tokio1Executor>, UnusableAddress> {
    let unusable = |_| {
        UnusableAddress(
            "smtp_url: must be smtps://user:password@host or smtp://user:password@host?tls=required"
                .to_owned(),
        )
    };
    let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url).map_err(unusable)?;
    Ok(builder.timeout(Some(TIMEOUT)).build())
}

impl Default for Carrier {
    fn default() -> Self {
        Self { transport: None, from: Arc::new(Mailbox::new(Some("trac".to_owned()), local())) }
    }
}

/// `trac@` and the host of a URL, or that of this machine if it is no domain.
fn address_at(public_url: &str) -> Address {
    let host = public_url.split_once("://").map_or(public_url, |(_, rest)| rest);
    let host = host.split(['/', ':']).next().unwrap_or_default();
    Address::new("trac", host).unwrap_or_else(|_| local())
}

#[expect(clippy::expect_used, reason = "the address is a constant, and a test makes it")]
fn local() -> Address {
    "trac@localhost".parse().expect("an address")
}

impl fmt::Debug for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Carrier").field("is_connected", &self.is_connected()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_quotes_the_link_is_not_stored() {
        let letter = Letter {
            to: "ada@example.com".to_owned(),
            subject: "Sign in".to_owned(),
            text: "https://track.example.com/dashboard/enter?token=0123456789abcdef0123".to_owned(),
            secret: "0123456789abcdef0123".to_owned(),
        };
        let shown = |error: &str| letter.without_secret(error, "refused with 554");
        assert_eq!(shown("550 no such user"), "550 no such user");
        assert_eq!(shown(&"x".repeat(1_000)).len(), ERROR_MAX);
        for quoted in [
            "554 link https://x/enter?token=0123456789abcdef0123 is listed",
            "554 token=3D0123456=\r\n789abcdef0123",
            "554 …6789abcdef…",
        ] {
            assert_eq!(shown(quoted), "refused with 554", "{quoted}");
        }
    }

    #[test]
    fn unusable_addresses_are_explained_without_their_passwords() {
        let check = |url: Option<&str>, from: &str, want: Option<&str>| {
            let made = Carrier::new(url, Some(from), "https://track.example.com");
            let error = made.as_ref().err().map(ToString::to_string);
            assert_eq!(error.is_some(), want.is_some(), "{url:?} {from}: {error:?}");
            if let (Some(error), Some(want)) = (error, want) {
                assert!(error.contains(want) && !error.contains("secret"), "{error}");
            }
        };
        check(None, "trac@shop.example.com", None);
        check(Some("smtps://user:secret@mail.example.com"), "trac <trac@shop.example.com>", None);
        check(Some("smtp://127.0.0.1:2525"), "trac@shop.example.com", None);
        check(Some("smtp://user:secret@mail.example.com:587?tls=required"), "a@b.example", None);
        check(Some("https://user:secret@mail.example.com"), "a@b.example", Some("smtp_url"));
        check(Some("secret"), "a@b.example", Some("smtp_url"));
        check(None, "trac", Some("mail_from"));
        assert!(!Carrier::default().is_connected());
        for (url, want) in [
            ("https://track.example.com/trac", "trac@track.example.com"),
            ("http://127.0.0.1:8787", "trac@127.0.0.1"),
            ("http://localhost:8787", "trac@localhost"),
            ("http://[::1]:8787", "trac@localhost"),
        ] {
            assert_eq!(address_at(url).to_string(), want, "{url}");
        }
    }
}
