//! Sends the mails that wait.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::mail::{Due, Outcome, due};
use crate::people::write_letter;
use crate::store::{Priority, StoreError};
use crate::trac::Trac;
use crate::trac::carrier::Letter;

/// The pause while no mail waits.
const PAUSE: Duration = Duration::from_secs(2);
/// How many mails are looked up at once.
const MOST: i64 = 50;
/// How many mails are sent at the same time: a slow mail server must not hold up all others.
const AT_ONCE: usize = 8;

/// Sends mails until the task is aborted.
pub async fn run(trac: Trac) {
    loop {
        match round(&trac).await {
            Ok(0) => tokio::time::sleep(PAUSE).await,
            Ok(_) => {}
            Err(error) => {
                tracing::error!(%error, "mails could not be sent");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Sends the mails that are due now. Returns how many were begun.
///
/// # Errors
/// [`StoreError`] if the store cannot be read or written.
pub(crate) async fn round(trac: &Trac) -> Result<usize, StoreError> {
    let now = trac.clock.now();
    let mut waiting = trac.store.read(move |tx| due(tx, now, MOST)).await?.into_iter();
    let (mut under_way, mut begun) = (JoinSet::new(), 0_usize);
    loop {
        while under_way.len() < AT_ONCE {
            let Some(mail) = waiting.next() else { break };
            let trac = trac.clone();
            under_way.spawn(async move { send(&trac, mail).await });
        }
        let Some(done) = under_way.join_next().await else { return Ok(begun) };
        let done = done.unwrap_or_else(|error| Err(StoreError::internal(error.to_string())));
        begun = begun.saturating_add(usize::from(done?));
    }
}

/// Sends one mail; `false` if another server does.
async fn send(trac: &Trac, mail: Due) -> Result<bool, StoreError> {
    let Some(letter) = begin(trac, mail.clone()).await? else { return Ok(false) };
    let outcome = match letter {
        Err(outcome) => outcome,
        Ok(letter) => match trac.carrier.carry(&letter).await {
            Ok(true) => Outcome::Sent(letter),
            Ok(false) => Outcome::Logged(letter),
            Err(error) => {
                tracing::warn!(id = mail.id, error, "a mail could not be sent");
                Outcome::Failed(error)
            }
        },
    };
    record(trac, mail, outcome).await?;
    Ok(true)
}

/// Begins to send a mail: `None` if another server did, else its text, or what became of it without one.
async fn begin(trac: &Trac, mail: Due) -> Result<Option<Result<Letter, Outcome>>, StoreError> {
    let (of, scope) = (trac.clone(), mail.scope.clone());
    let begun = trac.store.write_in(&scope, Priority::Api, move |rows| {
        let now = of.clock.now();
        if !mail.begin(rows, now)? {
            return Ok(None);
        }
        if mail.is_late(now) {
            return Ok(Some(Err(Outcome::Over)));
        }
        Ok(Some(write_letter(rows, &of, &mail)?.ok_or(Outcome::Over)))
    });
    begun.await
}

async fn record(trac: &Trac, mail: Due, outcome: Outcome) -> Result<(), StoreError> {
    let (now, scope) = (trac.clock.now(), mail.scope.clone());
    trac.store.write_in(&scope, Priority::Api, move |rows| mail.record(rows, now, &outcome)).await
}
