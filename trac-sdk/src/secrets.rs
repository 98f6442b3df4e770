//! [`WebhookSecrets`]: the signing secrets of a webhook endpoint.

use std::fmt;
use std::sync::Arc;

use trac_core::time::Timestamp;
use trac_core::webhook::signature::is_secret;

use crate::clock::Clock;

/// The signing secrets of a webhook endpoint: one, or several while one is rolled. `Debug` prints how many, and
/// no secret.
///
/// # Examples
/// ```
/// use trac_sdk::WebhookSecrets;
///
/// assert!(WebhookSecrets::new(["whsec_new", "whsec_old"]).is_ok());
/// assert!(WebhookSecrets::new([""]).is_err(), "with an empty secret, every caller could sign");
/// assert!(WebhookSecrets::new(["whsec_x\n"]).is_err(), "a line break was copied too");
/// ```
#[derive(Clone)]
pub struct WebhookSecrets {
    secrets: Arc<[String]>,
    clock: Clock,
}

/// A secret is not 1 to 255 printable ASCII characters without blanks, or no secret was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a signing secret is 1 to 255 printable ASCII characters without blanks, and at least one is needed")]
pub struct UnusableSecret;

impl WebhookSecrets {
    /// The secrets that a delivery may be signed with.
    ///
    /// # Errors
    /// [`UnusableSecret`] if `secrets` is empty or one of them is invalid.
    pub fn new<T: Into<String>>(secrets: impl IntoIterator<Item = T>) -> Result<Self, UnusableSecret> {
        let secrets: Arc<[String]> = secrets.into_iter().map(Into::into).collect();
        let usable = !secrets.is_empty() && secrets.iter().all(|secret| is_secret(secret));
        if usable { Ok(Self { secrets, clock: Clock::system() }) } else { Err(UnusableSecret) }
    }

    /// Uses this clock to check timestamps; for tests.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(String::as_str)
    }
}

impl fmt::Debug for WebhookSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSecrets").field("secrets", &self.secrets.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_printed() {
        let secrets = WebhookSecrets::new(["whsec_x"]).unwrap();
        assert!(!format!("{secrets:?}").contains("whsec"));
    }
}
