//! The mails that wait to be sent.

use trac_core::time::{DAY_SECS, Timestamp};

use crate::id::Kind;
use crate::store::rows::{Row, Rows, args};
use crate::store::{Everywhere, Scope, StoreError, mode_of};
use crate::trac::Trac;
use crate::trac::carrier::Letter;

/// The pauses after failures, in seconds. After the last one a mail is not tried again.
const PAUSES_SECS: [i64; 6] = [60, 300, 1_800, 7_200, 18_000, 36_000];
/// After how many seconds a mail is tried again whose sending was begun and never recorded, because the server ended.
const LOST_SECS: i64 = 120;

/// What a mail is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MailKind {
    /// A link that signs a person in; about a person.
    SignInLink,
    /// An invitation to a workspace; about an invitation.
    Invitation,
}

impl MailKind {
    /// The word of the API.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::SignInLink => "sign_in_link",
            Self::Invitation => "invitation",
        }
    }

    /// The kind of a word.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        [Self::SignInLink, Self::Invitation].into_iter().find(|kind| kind.as_str() == word)
    }

    /// For how many seconds it is of use.
    pub(crate) const fn lasts_secs(self) -> i64 {
        match self {
            Self::SignInLink => 15 * 60,
            Self::Invitation => 7 * DAY_SECS,
        }
    }
}

/// What became of a try to send a mail.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Sent(Letter),
    /// Written to the log, because there is no SMTP server.
    Logged(Letter),
    /// It is tried again later.
    Failed(String),
    /// What it is about is over, as an invitation that was revoked.
    Over,
}

/// A mail that is due.
#[derive(Clone, Debug)]
pub(crate) struct Due {
    pub(crate) scope: Scope,
    pub(crate) id: String,
    pub(crate) kind: MailKind,
    pub(crate) to: String,
    /// The ID of the person or invitation.
    pub(crate) about: String,
    attempts: i64,
    created_at: Timestamp,
}

/// Writes a mail into the outbox, in the transaction that causes it. Returns its ID.
///
/// # Errors
/// The store's.
pub(crate) fn queue(
    rows: Rows<'_>,
    trac: &Trac,
    kind: MailKind,
    to: &str,
    about: &str,
) -> Result<String, StoreError> {
    let (id, now) = (trac.ids.make(Kind::Mail), trac.clock.now());
    rows.write(
        "INSERT INTO mail (workspace_id, mode, id, kind, recipient, about, status, attempts, next_at, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'queued', 0, ?7, ?7)",
        args![id, kind.as_str(), to, about, now],
    )?;
    Ok(id)
}

/// How many mails of a kind were written about an object since a time.
///
/// # Errors
/// The store's.
pub(crate) fn recent(
    rows: Rows<'_>,
    kind: MailKind,
    about: &str,
    since: Timestamp,
) -> Result<i64, StoreError> {
    let sql = "SELECT count(*) FROM mail WHERE workspace_id = ?1 AND mode = ?2 AND about = ?3 AND kind = ?4 \
               AND created_at > ?5";
    let found = rows.one(sql, args![about, kind.as_str(), since], |row| row.get(0))?;
    Ok(found.unwrap_or_default())
}

/// The mails that are due, of all workspaces, the oldest first.
///
/// # Errors
/// The store's.
pub(crate) fn due(tx: Everywhere<'_>, now: Timestamp, most: i64) -> Result<Vec<Due>, StoreError> {
    let sql = "SELECT workspace_id, mode, id, kind, recipient, about, attempts, created_at FROM mail \
               WHERE status = 'queued' AND next_at <= ?1 ORDER BY next_at LIMIT ?2";
    let found = tx.all(sql, args![now, most], Due::read)?;
    Ok(found.into_iter().flatten().collect())
}

impl Due {
    fn read(row: &Row<'_>) -> Result<Option<Self>, StoreError> {
        let Some(kind) = MailKind::from_word(row.text("kind")?) else { return Ok(None) };
        Ok(Some(Self {
            scope: Scope::new(row.text("workspace_id")?, mode_of(row.text("mode")?)),
            id: row.get("id")?,
            kind,
            to: row.get("recipient")?,
            about: row.get("about")?,
            attempts: row.get("attempts")?,
            created_at: row.get("created_at")?,
        }))
    }

    /// Whether it is too late to send it.
    pub(crate) fn is_late(&self, now: Timestamp) -> bool {
        now.secs_since(self.created_at) >= self.kind.lasts_secs()
    }

    /// Begins to send it; `false` if another server did.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn begin(&self, rows: Rows<'_>, now: Timestamp) -> Result<bool, StoreError> {
        let sql = "UPDATE mail SET attempts = attempts + 1, next_at = ?5 WHERE workspace_id = ?1 AND mode = ?2 \
                   AND id = ?3 AND status = 'queued' AND next_at <= ?4 AND attempts = ?6";
        Ok(rows.write(sql, args![self.id, now, now.plus_secs(LOST_SECS), self.attempts])? > 0)
    }

    /// Records what became of the try.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn record(&self, rows: Rows<'_>, now: Timestamp, outcome: &Outcome) -> Result<(), StoreError> {
        let (status, letter, error) = match outcome {
            Outcome::Sent(letter) => ("sent", Some(letter), None),
            Outcome::Logged(letter) => ("logged", Some(letter), None),
            Outcome::Failed(error) => match self.pause_secs() {
                Some(pause) => return self.postpone(rows, now.plus_secs(pause), error),
                None => ("failed", None, Some(error.as_str())),
            },
            Outcome::Over => ("canceled", None, None),
        };
        let sql = "UPDATE mail SET status = ?4, next_at = NULL, subject = coalesce(?5, subject), \
                   text = coalesce(?6, text), error = ?7, sent_at = ?8 WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
        let (subject, text) = (letter.map(|letter| letter.subject.clone()), letter.map(Letter::shown));
        let sent_at = letter.map(|_| now);
        rows.write(sql, args![self.id, status, subject, text, error, sent_at])?;
        Ok(())
    }

    /// The pause after this try; `None` after the last.
    fn pause_secs(&self) -> Option<i64> {
        PAUSES_SECS.get(usize::try_from(self.attempts).ok()?).copied()
    }

    fn postpone(&self, rows: Rows<'_>, until: Timestamp, error: &str) -> Result<(), StoreError> {
        let sql =
            "UPDATE mail SET next_at = ?4, error = ?5 WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
        rows.write(sql, args![self.id, until, error])?;
        Ok(())
    }
}
