//! Signing in, independent of pages: an e-mail address with a password, then the second factor, or a link.

use trac_core::time::DAY_SECS;

use super::attempts::{self, Tried};
use super::device::Device;
use super::invitation::Open;
use super::member::{has_people, is_member};
use super::person::{self, Person, change_people};
use super::second_factor;
use super::session::{New, Origin};
use crate::access::{Actor, key_hash};
use crate::id::random_hex;
use crate::mail::MailKind;
use crate::problem::Problem;
use crate::store::rows::{Rows, args};
use crate::store::{Everywhere, Priority, Scope, StoreError, mode_of};
use crate::trac::Trac;
use crate::trac::passwords::Checked;

/// How long a person has for the second factor.
const SECOND_FACTOR_SECS: i64 = 5 * 60;

/// The result of a step of a sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A session began: its token.
    Session(String),
    /// The second factor is needed next: the token of the page that asks for it.
    SecondFactor(String),
    /// The password or code is wrong.
    Wrong,
    /// Too many attempts failed: how many seconds to wait.
    Wait(u32),
    /// The person is a member of no workspace.
    NoWorkspace,
    /// The token of the step is used, expired or unknown.
    Over,
}

/// A browser that signs in.
#[derive(Clone, Debug)]
pub(super) struct Visitor {
    pub(super) device: Device,
    /// The session's token that the browser sent.
    pub(super) before: Option<String>,
    /// The token of an invitation that the person accepts by signing in; empty for none.
    pub(super) invitation: String,
}

/// Signs in with an e-mail address and a password.
///
/// # Errors
/// `503` if too many attempts wait, and the store's.
pub(super) async fn with_password(
    trac: &Trac,
    visitor: Visitor,
    email: &str,
    password: String,
) -> Result<Step, Problem> {
    let email = email.trim().to_lowercase();
    if !person::may_be_password(&password) || email.len() > 254 {
        return Ok(Step::Wrong);
    }
    let wanted = email.clone();
    let person = trac.store.read(move |tx| Person::of_email(tx, &wanted)).await?;
    let hash = match check_password(trac, &visitor.device, &email, person.as_ref(), password).await? {
        Ok(hash) => hash,
        Err(secs) => return Ok(Step::Wait(secs)),
    };
    let (Some(mut person), Some(hash)) = (person, hash) else { return Ok(Step::Wrong) };
    person.password = Some(hash);
    proceed(trac, visitor, person, Origin::Password).await
}

/// Checks the password of an account, within the limits. Returns the stored hash if it is right, `None` if it is wrong;
/// `Err` is how many seconds to wait.
///
/// # Errors
/// As [`with_password`].
pub(super) async fn check_password(
    trac: &Trac,
    device: &Device,
    email: &str,
    person: Option<&Person>,
    password: String,
) -> Result<Result<Option<String>, u32>, Problem> {
    let attempt = match attempts::begin(trac, device, Tried::Password, email, person).await? {
        Ok(attempt) => attempt,
        Err(secs) => return Ok(Err(secs)),
    };
    let stored = person.and_then(|person| person.password.clone());
    let checked = match trac.passwords.check(password, stored.clone(), attempt.from).await {
        Ok(checked) => checked,
        Err(busy) => {
            attempt.withdraw(trac).await?;
            return Err(busy);
        }
    };
    match (checked, person) {
        (Checked::Right { renewed }, Some(person)) => {
            attempt.withdraw(trac).await?;
            if let Some(renewed) = &renewed {
                person::renew_hash(trac, person, renewed.clone()).await?;
            }
            Ok(Ok(renewed.or(stored)))
        }
        (_, Some(person)) => {
            attempts::record_failure(trac, person);
            Ok(Ok(None))
        }
        (_, None) => Ok(Ok(None)),
    }
}

/// Goes on after the first factor: to the second one, or into a session.
async fn proceed(trac: &Trac, visitor: Visitor, person: Person, origin: Origin) -> Result<Step, Problem> {
    let (invitation, now, who) = (visitor.invitation.clone(), trac.clock.now(), person.clone());
    let scope = trac.store.read(move |tx| {
        let invited = Open::of_token(tx, &invitation, now)?.filter(|open| open.email == who.email);
        match invited {
            Some(open) => person::first_scope(tx, &open.workspace_id).map(Some),
            None => who.home(tx),
        }
    });
    let Some(scope) = scope.await? else { return Ok(Step::NoWorkspace) };
    if person.has_second_factor {
        return ask_second_factor(trac, &person, scope, origin).await;
    }
    let with = if origin == Origin::Password { "password" } else { "mailed link" };
    enter(trac, visitor, person, Entry { scope, origin, with }).await
}

/// Makes the token of the page that asks for the second factor.
async fn ask_second_factor(
    trac: &Trac,
    person: &Person,
    scope: Scope,
    origin: Origin,
) -> Result<Step, Problem> {
    let (token, until, person) =
        (random_hex::<32>(), trac.clock.now().plus_secs(SECOND_FACTOR_SECS), person.clone());
    let hash = key_hash(&token);
    let written = trac.store.write_in(&scope, Priority::Api, move |rows| {
        if !person.is_unchanged(rows.everywhere())? {
            return Ok(false);
        }
        let sql = "INSERT INTO dashboard_token (workspace_id, mode, hash, kind, expires_at, person_id, origin) \
                   VALUES (?1, ?2, ?3, 'second_factor', ?4, ?5, ?6)";
        rows.write(sql, args![hash, until, person.id, origin.as_str()])?;
        Ok(true)
    });
    Ok(if written.await? { Step::SecondFactor(token) } else { Step::Over })
}

/// A sign-in that waits for its second factor.
struct Waiting {
    scope: Scope,
    origin: Origin,
    person: Person,
}

impl Waiting {
    fn of_token(trac: &Trac, tx: Everywhere<'_>, token: &str) -> Result<Option<Self>, StoreError> {
        let sql = "SELECT workspace_id, mode, origin, person_id FROM dashboard_token \
                   WHERE hash = ?1 AND kind = 'second_factor' AND expires_at >= ?2 AND person_id IS NOT NULL";
        let found = tx.one(sql, args![key_hash(token), trac.clock.now()], |row| {
            let scope = Scope::new(row.text(0)?, mode_of(row.text(1)?));
            let origin = row.get::<Option<String>>(2)?.unwrap_or_default();
            Ok((scope, Origin::from_word(&origin), row.get::<String>(3)?))
        })?;
        let Some((scope, origin, id)) = found else { return Ok(None) };
        Ok(Person::of_id(tx, &id)?.map(|person| Self { scope, origin, person }))
    }
}

/// Signs in with the second factor: a code of the app, or a recovery code.
///
/// # Errors
/// The store's.
pub(super) async fn with_code(
    trac: &Trac,
    visitor: Visitor,
    token: String,
    code: String,
) -> Result<Step, Problem> {
    let (of, wanted) = (trac.clone(), token.clone());
    let waiting = trac.store.read(move |tx| Waiting::of_token(&of, tx, &wanted)).await?;
    let Some(Waiting { scope, origin, person }) = waiting else { return Ok(Step::Over) };
    let begun = attempts::begin(trac, &visitor.device, Tried::Code, &person.email, Some(&person)).await?;
    let attempt = match begun {
        Ok(attempt) => attempt,
        Err(secs) => return Ok(Step::Wait(secs)),
    };
    let (of, id, now) = (trac.clone(), person.id.clone(), trac.clock.now());
    let accepted = trac.store.write_in(&scope, Priority::Api, move |rows| {
        let tx = rows.everywhere();
        let is_recovery = if second_factor::accept_code(tx, &of.store.vault(), &id, &code, now)? {
            false
        } else if second_factor::accept_recovery_code(tx, &id, &code, now)? {
            true
        } else {
            return Ok(Err(Step::Wrong));
        };
        let with = match (origin, is_recovery) {
            (Origin::SingleSignOn, false) => "single sign-on and code",
            (Origin::SingleSignOn, true) => "single sign-on and recovery code",
            (Origin::Mail, false) => "mailed link and code",
            (Origin::Mail, true) => "mailed link and recovery code",
            (_, false) => "password and code",
            (_, true) => "password and recovery code",
        };
        // Two requests may send it at once: one of them deletes it.
        let deleted = tx.write("DELETE FROM dashboard_token WHERE hash = ?1", args![key_hash(&token)])?;
        Ok(if deleted > 0 { Ok(with) } else { Err(Step::Over) })
    });
    match accepted.await? {
        Ok(with) => {
            attempt.withdraw(trac).await?;
            enter(trac, visitor, person, Entry { scope, origin, with }).await
        }
        Err(step) => {
            if step == Step::Wrong {
                attempts::record_failure(trac, &person);
            }
            Ok(step)
        }
    }
}

/// Where a session begins, and how it came about.
struct Entry {
    scope: Scope,
    origin: Origin,
    /// What was shown, for the record.
    with: &'static str,
}

/// Accepts the visitor's invitation, if there is one, and begins the session of a person.
async fn enter(trac: &Trac, visitor: Visitor, person: Person, entry: Entry) -> Result<Step, Problem> {
    let of = trac.clone();
    let Entry { scope, origin, with } = entry;
    let begun = change_people(trac, &scope, move |tx, scope| {
        let (rows, now) = (tx.within(scope), of.clock.now());
        // The password was checked outside of this transaction.
        if !person.is_unchanged(tx)? {
            return Ok(Step::Over);
        }
        let invited = Open::of_token(tx, &visitor.invitation, now)?.filter(|open| open.email == person.email);
        if let Some(open) = invited.filter(|open| open.workspace_id == scope.workspace_id()) {
            open.accept(rows, &of, &person.id, &person.actor())?;
        }
        if !is_member(tx, scope.workspace_id(), &person.id)? {
            return Ok(Step::NoWorkspace);
        }
        attempts::know(tx, &visitor.device, &person.id, now)?;
        let new = New {
            actor: person.actor(),
            person: Some(person.id.clone()),
            origin,
            key: None,
            with,
            device: visitor.device,
            before: visitor.before,
        };
        Ok(Step::Session(new.begin(rows, &of)?))
    });
    begun.await
}

/// Begins the session of a person who proved who they are, as by accepting an invitation or creating the first account.
pub(super) fn begin_for(
    rows: Rows<'_>,
    trac: &Trac,
    visitor: Visitor,
    person: &Person,
    with: &'static str,
) -> Result<String, StoreError> {
    attempts::know(rows.everywhere(), &visitor.device, &person.id, trac.clock.now())?;
    let new = New {
        actor: person.actor(),
        person: Some(person.id.clone()),
        origin: Origin::Password,
        key: None,
        with,
        device: visitor.device,
        before: visitor.before,
    };
    new.begin(rows, trac)
}

/// Signs in with a secret key. `None` once the workspace has people: they open its dashboard.
///
/// # Errors
/// The store's.
pub(super) async fn with_key(
    trac: &Trac,
    visitor: Visitor,
    scope: Scope,
    actor: Actor,
    hash: [u8; 32],
) -> Result<Option<String>, Problem> {
    let of = trac.clone();
    let begun = change_people(trac, &scope, move |tx, scope| {
        if has_people(tx, scope.workspace_id())? {
            return Ok(None);
        }
        let new = New {
            actor,
            person: None,
            origin: Origin::Key,
            key: Some(hash),
            with: "key",
            device: visitor.device,
            before: visitor.before,
        };
        Ok(Some(new.begin(tx.within(scope), &of)?))
    });
    begun.await
}

/// A link that was redeemed.
struct Redeemed {
    scope: Scope,
    origin: Origin,
    person: Option<Person>,
}

/// Signs in with a link, which is valid once.
///
/// # Errors
/// The store's.
pub(super) async fn with_link(trac: &Trac, visitor: Visitor, token: String) -> Result<Step, Problem> {
    let Some(link) = redeem(trac, token).await? else { return Ok(Step::Over) };
    let Redeemed { scope, origin, person } = link;
    let Some(person) = person else {
        let of = trac.clone();
        let begun = change_people(trac, &scope, move |tx, scope| {
            if has_people(tx, scope.workspace_id())? {
                return Ok(Step::Over);
            }
            let new = New {
                actor: Actor::system("login link"),
                person: None,
                origin: Origin::Link,
                key: None,
                with: "link",
                device: visitor.device,
                before: visitor.before,
            };
            Ok(Step::Session(new.begin(tx.within(scope), &of)?))
        });
        return begun.await;
    };
    if origin == Origin::Command {
        // The way in for a person who is locked out: the second factor is not asked for, and the record says so.
        let with = "link of the command line, without the second factor";
        return enter(trac, visitor, person, Entry { scope, origin, with }).await;
    }
    if person.has_second_factor {
        return ask_second_factor(trac, &person, scope, origin).await;
    }
    let with = if origin == Origin::SingleSignOn { "single sign-on" } else { "mailed link" };
    enter(trac, visitor, person, Entry { scope, origin, with }).await
}

/// Whether a link can be redeemed.
///
/// # Errors
/// The store's.
pub(super) async fn is_link(trac: &Trac, token: &str) -> Result<bool, StoreError> {
    let (now, hash) = (trac.clock.now(), key_hash(token));
    let sql = "SELECT 1 FROM dashboard_token WHERE hash = ?1 AND kind = 'link' AND expires_at >= ?2";
    trac.store.read(move |tx| tx.exists(sql, args![hash, now])).await
}

/// Redeems a link; `None` if it is used, expired or unknown.
async fn redeem(trac: &Trac, token: String) -> Result<Option<Redeemed>, StoreError> {
    let now = trac.clock.now();
    let redeemed = trac.store.write(Priority::Api, move |tx| {
        let sql = "SELECT workspace_id, mode, origin, person_id FROM dashboard_token \
                   WHERE hash = ?1 AND kind = 'link' AND expires_at >= ?2";
        let found = tx.one(sql, args![key_hash(&token), now], |row| {
            let scope = Scope::new(row.text(0)?, mode_of(row.text(1)?));
            let origin = row.get::<Option<String>>(2)?.unwrap_or_default();
            Ok((scope, Origin::from_word(&origin), row.get::<Option<String>>(3)?))
        })?;
        let Some((scope, origin, person)) = found else { return Ok(None) };
        let sql = "DELETE FROM dashboard_token WHERE hash = ?1 AND kind = 'link'";
        // Two requests may redeem it at once: one of them deletes it.
        if tx.write(sql, args![key_hash(&token)])? == 0 {
            return Ok(None);
        }
        let person = match person {
            Some(id) => match Person::of_id(tx, &id)? {
                Some(person) => Some(person),
                None => return Ok(None),
            },
            None => None,
        };
        Ok(Some(Redeemed { scope, origin, person }))
    });
    redeemed.await
}

/// How long the link of a new workspace is valid.
pub(crate) const LINK_SECS: i64 = 7 * DAY_SECS;
/// How long a link is valid that a person asked for by mail.
pub(super) const MAILED_LINK_SECS: i64 = MailKind::SignInLink.lasts_secs();

/// Makes a link for the command line that opens the dashboard once, within `secs` seconds: as this person, or as nobody,
/// which works while the workspace has no person.
///
/// Its token is in the query, which is not logged.
///
/// # Errors
/// The store's.
pub(crate) fn new_link(
    rows: Rows<'_>,
    trac: &Trac,
    secs: i64,
    person: Option<&str>,
) -> Result<String, StoreError> {
    let token = new_token(rows, trac, secs, person, Origin::Command)?;
    Ok(format!("{}/dashboard/enter?token={token}", trac.public_url))
}

/// Makes the token of a link.
///
/// # Errors
/// The store's.
pub(super) fn new_token(
    rows: Rows<'_>,
    trac: &Trac,
    secs: i64,
    person: Option<&str>,
    origin: Origin,
) -> Result<String, StoreError> {
    let token = random_hex::<32>();
    let until = trac.clock.now().plus_secs(secs);
    let sql = "INSERT INTO dashboard_token (workspace_id, mode, hash, kind, expires_at, person_id, origin) \
               VALUES (?1, ?2, ?3, 'link', ?4, ?5, ?6)";
    rows.write(sql, args![key_hash(&token), until, person, origin.as_str()])?;
    Ok(token)
}
