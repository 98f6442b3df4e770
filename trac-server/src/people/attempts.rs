//! Limits of failed sign-ins, which hold over all nodes and after a restart.
//!
//! | counted by | most | within |
//! |---|---|---|
//! | account and address | 10 | a quarter of an hour |
//! | address | 50 (500 for all addresses that are not public together) | a quarter of an hour |
//! | account | 100 | an hour |
//! | codes of a second factor, by account | 20 | an hour |
//!
//! The third does not count for an address from which the person has signed in before, so that attempts from elsewhere
//! do not lock the person out. An attempt counts as a failure until it has succeeded: concurrent attempts cannot pass
//! a limit together.

use sha2::{Digest as _, Sha256};
use trac_core::program::Mode;
use trac_core::time::{DAY_SECS, Timestamp};

use super::device::Device;
use super::person::Person;
use crate::access::Actor;
use crate::api::activity::{Change, record};
use crate::id::{hex, random_hex};
use crate::store::rows::args;
use crate::store::{Everywhere, Priority, Scope, StoreError};
use crate::trac::Trac;
use crate::trac::passwords::Source;

const QUARTER_SECS: i64 = 15 * 60;
const HOUR_SECS: i64 = 3_600;
const OF_ACCOUNT_AND_ADDRESS: i64 = 10;
const OF_ADDRESS: i64 = 50;
const OF_OTHER_ADDRESSES: i64 = 500;
const OF_ACCOUNT: i64 = 100;
const OF_CODES: i64 = 20;
/// How long an address stays known after the last sign-in from it.
const KNOWN_SECS: i64 = 180 * DAY_SECS;

/// What is counted.
type Subject = [u8; 32];

/// One limit: what it counts, how many at most, and within how many seconds.
#[derive(Clone, Debug)]
struct Limit {
    subject: Subject,
    most: i64,
    secs: i64,
}

/// An attempt that is being answered, and counts as a failure until it is withdrawn.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    id: String,
    at: Timestamp,
    subjects: Vec<Subject>,
    /// Whether the person has signed in from the address before.
    pub(super) from: Source,
}

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    Password,
    Code,
}

fn subject(kind: &str, parts: &[&str]) -> Subject {
    let mut hash = Sha256::new();
    for part in std::iter::once(&kind).chain(parts) {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// The address of a device, for a person's known addresses.
fn address_hash(device: &Device, person: &str) -> Subject {
    subject("known address", &[person, &device.counted().0.to_string()])
}

/// Counts an attempt on an account, or refuses it: `Err` is how many seconds to wait.
///
/// # Errors
/// The store's.
pub(super) async fn begin(
    trac: &Trac,
    device: &Device,
    tried: Tried,
    email: &str,
    person: Option<&Person>,
) -> Result<Result<Attempt, u32>, StoreError> {
    let rules = Rules::of(device, tried, email, person);
    let now = trac.clock.now();
    // Refused attempts write nothing, however many they are.
    let checked = rules.clone();
    if let Err(secs) = trac.store.read(move |tx| checked.check(tx, now)).await? {
        return Ok(Err(secs));
    }
    let id = random_hex::<8>();
    // Attempts on one account are counted one after the other. Those of several nodes may together exceed a limit by as
    // many as there are nodes.
    // Only its hash names the account here: the text of a stranger must not become part of a statement.
    let account = Scope::new(&hex(&subject("account", &[email])), Mode::Live);
    let begun = trac.store.write_in(&account, Priority::Api, move |rows| {
        let tx = rows.everywhere();
        tx.write("DELETE FROM sign_in_failure WHERE at <= ?1", args![now.plus_secs(-HOUR_SECS)])?;
        let (from, limits) = match rules.check(tx, now)? {
            Ok(found) => found,
            Err(secs) => return Ok(Err(secs)),
        };
        let subjects: Vec<_> = limits.iter().map(|limit| limit.subject).collect();
        for subject in &subjects {
            let sql = "INSERT INTO sign_in_failure (subject, at, id) VALUES (?1, ?2, ?3)";
            tx.write(sql, args![subject, now, id])?;
        }
        Ok(Ok(Attempt { id, at: now, subjects, from }))
    });
    begun.await
}

/// The limits of an attempt.
#[derive(Clone, Debug)]
struct Rules {
    /// Those that hold for every address.
    all: Vec<Limit>,
    /// Those that do not hold for a known address.
    of_others: Vec<Limit>,
    /// The person, and the hash of the address.
    known: Option<(String, Subject)>,
}

impl Rules {
    fn of(device: &Device, tried: Tried, email: &str, person: Option<&Person>) -> Self {
        let (address, is_public) = device.counted();
        let address = address.to_string();
        let pair = Limit {
            subject: subject("account and address", &[email, &address]),
            most: OF_ACCOUNT_AND_ADDRESS,
            secs: QUARTER_SECS,
        };
        let of_address = Limit {
            subject: subject("address", &[&address]),
            most: if is_public { OF_ADDRESS } else { OF_OTHER_ADDRESSES },
            secs: QUARTER_SECS,
        };
        let of_account = Limit { subject: subject("account", &[email]), most: OF_ACCOUNT, secs: HOUR_SECS };
        let of_codes = Limit { subject: subject("codes", &[email]), most: OF_CODES, secs: HOUR_SECS };
        let mut of_others = vec![of_account];
        of_others.extend((tried == Tried::Code).then_some(of_codes));
        Self {
            all: vec![pair, of_address],
            of_others,
            known: person.map(|person| (person.id.clone(), address_hash(device, &person.id))),
        }
    }

    /// Where the attempt comes from, and the limits that count it; `Err` is how many seconds to wait.
    fn check(
        &self,
        tx: Everywhere<'_>,
        now: Timestamp,
    ) -> Result<Result<(Source, Vec<Limit>), u32>, StoreError> {
        let is_known = match &self.known {
            Some((person, hash)) => is_known(tx, person, *hash, now)?,
            None => false,
        };
        let mut limits = self.all.clone();
        if !is_known {
            limits.extend(self.of_others.iter().cloned());
        }
        for limit in &limits {
            if let Some(secs) = limit.secs_to_wait(tx, now)? {
                return Ok(Err(secs));
            }
        }
        Ok(Ok((if is_known { Source::Known } else { Source::Stranger }, limits)))
    }
}

impl Limit {
    /// How many seconds to wait, if as many attempts as are allowed were counted.
    fn secs_to_wait(&self, tx: Everywhere<'_>, now: Timestamp) -> Result<Option<u32>, StoreError> {
        let sql = "SELECT at FROM sign_in_failure WHERE subject = ?1 AND at > ?2 ORDER BY at DESC LIMIT 1 OFFSET ?3";
        let since = now.plus_secs(self.secs.saturating_neg());
        let others = self.most.saturating_sub(1);
        let oldest: Option<Timestamp> = tx.one(sql, args![self.subject, since, others], |row| row.get(0))?;
        Ok(oldest.map(|oldest| {
            let secs = oldest.plus_secs(self.secs).secs_since(now).clamp(1, self.secs);
            u32::try_from(secs).unwrap_or(u32::MAX)
        }))
    }
}

fn is_known(tx: Everywhere<'_>, person: &str, hash: Subject, now: Timestamp) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM known_address WHERE person_id = ?1 AND hash = ?2 AND seen_at > ?3";
    tx.exists(sql, args![person, hash, now.plus_secs(-KNOWN_SECS)])
}

/// Forgets all known addresses of a person but this one.
pub(super) fn know_only(
    tx: Everywhere<'_>,
    device: &Device,
    person: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.write("DELETE FROM known_address WHERE person_id = ?1", args![person])?;
    know(tx, device, person, now)
}

/// Remembers that a person signed in from this address.
pub(super) fn know(
    tx: Everywhere<'_>,
    device: &Device,
    person: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let old = now.plus_secs(-KNOWN_SECS);
    tx.write("DELETE FROM known_address WHERE person_id = ?1 AND seen_at <= ?2", args![person, old])?;
    let sql = "INSERT INTO known_address (person_id, hash, seen_at) VALUES (?1, ?2, ?3) \
               ON CONFLICT (person_id, hash) DO UPDATE SET seen_at = excluded.seen_at";
    tx.write(sql, args![person, address_hash(device, person), now])?;
    Ok(())
}

impl Attempt {
    /// Takes the attempt back: it succeeded, or the server could not answer it.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn withdraw(self, trac: &Trac) -> Result<(), StoreError> {
        let withdrawn = trac.store.write(Priority::Api, move |tx| {
            for subject in &self.subjects {
                let sql = "DELETE FROM sign_in_failure WHERE subject = ?1 AND at = ?2 AND id = ?3";
                tx.write(sql, args![subject, self.at, self.id])?;
            }
            Ok(())
        });
        withdrawn.await
    }
}

/// Records a failed attempt on a person's account in the workspace that the person opens: one row for each quarter of an
/// hour. The response does not wait for the write, so that it takes as long for an account that does not exist.
pub(super) fn record_failure(trac: &Trac, person: &Person) {
    let (of, person) = (trac.clone(), person.clone());
    drop(trac.store.write(Priority::Api, move |tx| {
        let Some(home) = person.home(tx)? else { return Ok(()) };
        let now = of.clock.now().unix_secs();
        let quarter = Timestamp::from_unix_secs(now.saturating_sub(now.rem_euclid(QUARTER_SECS)));
        let sql = "INSERT INTO sign_in_failure (subject, at, id) VALUES (?1, ?2, '') ON CONFLICT (subject, at, id) DO NOTHING";
        if tx.write(sql, args![subject("recorded", &[&person.id]), quarter])? == 0 {
            return Ok(());
        }
        let change =
            Change { kind: "person", id: &person.id, verb: "sign_in_failed", before: None, after: None };
        record(tx.within(&home), &of, &Actor::system("sign-in"), &change)
    }));
}
