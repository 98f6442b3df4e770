//! People: everyone who signs in with an e-mail address and a password.

use std::collections::BTreeMap;

use serde_json::Value;
use trac_core::program::Mode;

use crate::access::{Actor, ActorKind};
use crate::api::fields;
use crate::id::Kind;
use crate::problem::Problem;
use crate::store::rows::{Row, args};
use crate::store::{Everywhere, Priority, Scope, StoreError, mode_of};
use crate::trac::Trac;
use crate::visible::is_visible;

const PASSWORD_MIN: usize = 12;
const PASSWORD_MAX: usize = 200;
const NAME_MAX: usize = 100;

/// A person, as a sign-in needs them.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) id: String,
    pub(super) email: String,
    pub(super) name: String,
    /// The hash of the password.
    pub(super) password: Option<String>,
    pub(super) has_second_factor: bool,
    /// The workspace and mode that the person opened last.
    last: Option<Scope>,
}

const SELECT: &str = "SELECT id, email, name, password, totp_since, workspace_id, mode FROM person";

impl Person {
    /// The person with an e-mail address in lower case.
    pub(super) fn of_email(tx: Everywhere<'_>, email: &str) -> Result<Option<Self>, StoreError> {
        tx.one(&format!("{SELECT} WHERE email = ?1"), args![email], Self::read)
    }

    /// The person with an e-mail address in lower case, and [where](Self::home) a sign-in leads. `None` for an address
    /// without an account, or a person without a workspace.
    pub(super) async fn at_home(trac: &Trac, email: String) -> Result<Option<(Self, Scope)>, StoreError> {
        let found = trac.store.read(move |tx| {
            let Some(person) = Self::of_email(tx, &email)? else { return Ok(None) };
            Ok(person.home(tx)?.map(|home| (person, home)))
        });
        found.await
    }

    /// The person of an ID.
    pub(super) fn of_id(tx: Everywhere<'_>, id: &str) -> Result<Option<Self>, StoreError> {
        tx.one(&format!("{SELECT} WHERE id = ?1"), args![id], Self::read)
    }

    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let last = match (row.get::<Option<String>>("workspace_id")?, row.get::<Option<String>>("mode")?) {
            (Some(workspace_id), Some(mode)) => Some(Scope::new(&workspace_id, mode_of(&mode))),
            _ => None,
        };
        Ok(Self {
            id: row.get("id")?,
            email: row.get("email")?,
            name: row.get("name")?,
            password: row.get("password")?,
            has_second_factor: row.get::<Option<i64>>("totp_since")?.is_some(),
            last,
        })
    }

    /// Whether password and second factor are still those that were read.
    pub(super) fn is_unchanged(&self, tx: Everywhere<'_>) -> Result<bool, StoreError> {
        let stored = Self::of_id(tx, &self.id)?;
        Ok(stored.is_some_and(|stored| {
            stored.password == self.password && stored.has_second_factor == self.has_second_factor
        }))
    }

    /// The person as the actor of a change.
    pub(super) fn actor(&self) -> Actor {
        Actor { kind: ActorKind::Person, id: self.id.clone(), name: self.name.clone() }
    }

    /// The workspace and mode that a sign-in opens: the last one, if the person is still a member, else the first that
    /// the person joined. `None` for a person without a workspace.
    pub(super) fn home(&self, tx: Everywhere<'_>) -> Result<Option<Scope>, StoreError> {
        let sql = "SELECT workspace_id FROM member WHERE person_id = ?1 ORDER BY since, workspace_id";
        let workspaces: Vec<String> = tx.all(sql, args![self.id], |row| row.get(0))?;
        let last = self.last.as_ref().filter(|last| workspaces.iter().any(|one| one == last.workspace_id()));
        match (last, workspaces.first()) {
            (Some(last), _) => Ok(Some(last.clone())),
            (None, Some(first)) => first_scope(tx, first).map(Some),
            (None, None) => Ok(None),
        }
    }
}

/// The mode that a new member sees first: live, once a program is live.
pub(super) fn first_scope(tx: Everywhere<'_>, workspace_id: &str) -> Result<Scope, StoreError> {
    let live = Scope::new(workspace_id, Mode::Live);
    let sql = "SELECT 1 FROM program WHERE workspace_id = ?1 AND mode = ?2 LIMIT 1";
    Ok(if tx.within(&live).exists(sql, &[])? { live } else { Scope::new(workspace_id, Mode::Test) })
}

/// A person to be stored.
#[derive(Clone, Debug)]
pub(super) struct NewPerson {
    pub(super) email: String,
    pub(super) name: String,
    /// The hash of the password.
    pub(super) password: String,
}

impl NewPerson {
    /// Stores the person and returns the ID.
    ///
    /// # Errors
    /// [`crate::store::StoreErrorKind::Conflict`] if a person has the e-mail address.
    pub(super) fn insert(&self, tx: Everywhere<'_>, trac: &Trac) -> Result<String, StoreError> {
        let id = trac.ids.make(Kind::Person);
        tx.write(
            "INSERT INTO person (id, email, name, password, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            args![id, self.email, self.name, self.password, trac.clock.now()],
        )?;
        Ok(id)
    }
}

/// What is wrong with the fields of a form, by their names.
pub(super) type Wrong = BTreeMap<&'static str, String>;

/// An e-mail address in lower case. What is wrong with it is noted.
pub(super) fn email(text: &str, wrong: &mut Wrong) -> Option<String> {
    match fields::email(&Value::from(text)) {
        Ok(email) => Some(email.to_lowercase()),
        Err(message) => {
            wrong.insert("email", message);
            None
        }
    }
}

/// The name of a person. What is wrong with it is noted.
pub(super) fn name(text: &str, wrong: &mut Wrong) -> Option<String> {
    match fields::text(1..=NAME_MAX)(&Value::from(text)) {
        Ok(name) => Some(name),
        Err(message) => {
            wrong.insert("name", message);
            None
        }
    }
}

/// A new password of the person with this e-mail address. What is wrong with it is noted.
pub(super) fn new_password(text: &str, email: &str, wrong: &mut Wrong) -> Option<String> {
    let length = text.chars().count();
    let message = if !(PASSWORD_MIN..=PASSWORD_MAX).contains(&length) {
        format!("must have {PASSWORD_MIN} to {PASSWORD_MAX} characters")
    } else if !is_visible(text) || text.chars().all(|letter| text.starts_with(letter)) {
        "must have different characters".to_owned()
    } else if text.eq_ignore_ascii_case(email) {
        "must not be your e-mail address".to_owned()
    } else {
        return Some(text.to_owned());
    };
    wrong.insert("password", message);
    None
}

/// Whether a password that was entered can be one: a longer one is not hashed.
pub(super) fn may_be_password(text: &str) -> bool {
    (1..=PASSWORD_MAX).contains(&text.chars().count())
}

/// Replaces the hash of a password by one at today's cost, unless the password was changed meanwhile.
pub(super) async fn renew_hash(trac: &Trac, person: &Person, renewed: String) -> Result<(), StoreError> {
    let (id, old) = (person.id.clone(), person.password.clone());
    let written = trac.store.write(Priority::Api, move |tx| {
        tx.write("UPDATE person SET password = ?3 WHERE id = ?1 AND password = ?2", args![id, old, renewed])
    });
    written.await.map(drop)
}

/// Runs a job that changes the people of a workspace, in the scope of the caller. Such jobs run one after the other,
/// whichever mode and node they come from, so that of two owners who leave at once, one stays.
pub(super) async fn change_people<T, F>(trac: &Trac, scope: &Scope, job: F) -> Result<T, Problem>
where
    T: Send + 'static,
    F: FnOnce(Everywhere<'_>, &Scope) -> Result<T, Problem> + Send + 'static,
{
    let (lock, scope) = (Scope::new(scope.workspace_id(), Mode::Live), scope.clone());
    trac.store.try_write_in(&lock, Priority::Api, move |rows| job(rows.everywhere(), &scope)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_has_twelve_to_two_hundred_different_characters() {
        let check = |text: &str, want: bool| {
            let mut wrong = Wrong::new();
            let password = new_password(text, "ada.lovelace@example.com", &mut wrong);
            assert_eq!((password.is_some(), wrong.contains_key("password")), (want, !want), "{text}");
        };
        check("correct horse", true);
        check("Übergrößen 12", true);
        check("elevenchars", false);
        check(&"ab".repeat(100), true);
        check(&format!("{}c", "ab".repeat(100)), false);
        check("aaaaaaaaaaaaaa", false);
        check("Ada.Lovelace@example.com", false);
        check(&"\u{200b}".repeat(12), false);
    }
}
