//! The caller of the management API: a secret key, or a person at the dashboard.

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::role::{Role, right_of};
use super::{bearer, key_refusal, route, secret_key};
use crate::problem::Problem;
use crate::store::Scope;
use crate::trac::Trac;

/// Who changes something, for the record of all changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Actor {
    pub(crate) kind: ActorKind,
    /// The person's or key's ID; empty for the server itself and for a login link without a person.
    pub(crate) id: String,
    /// The name at the time of the change.
    pub(crate) name: String,
}

/// The kind of an [`Actor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ActorKind {
    Person,
    Key,
    /// The server, a command on its machine, or a login link that such a command made.
    System,
}

impl ActorKind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Key => "key",
            Self::System => "system",
        }
    }
}

impl Actor {
    /// The server itself, or a command on its machine.
    pub(crate) fn system(name: &str) -> Self {
        Self { kind: ActorKind::System, id: String::new(), name: name.to_owned() }
    }
}

/// The workspace and mode of a call of the management API, with the caller. The request reads and writes rows of this
/// scope only.
///
/// The dashboard inserts it into the extensions of the requests that it makes for a person. Otherwise the secret key in
/// `Authorization` determines it, and may do what an owner may.
#[derive(Clone, Debug)]
pub(crate) struct Merchant {
    pub(crate) scope: Scope,
    pub(crate) actor: Actor,
    pub(crate) role: Role,
}

impl FromRequestParts<Trac> for Merchant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, trac: &Trac) -> Result<Self, Problem> {
        let caller = match parts.extensions.get::<Self>() {
            Some(caller) => caller.clone(),
            None => Self::of_key(parts, trac).await?,
        };
        caller.role.must(right_of(&parts.method, parts.uri.path(), parts.uri.query()))?;
        Ok(caller)
    }
}

impl Merchant {
    /// The caller of a secret key.
    async fn of_key(parts: &Parts, trac: &Trac) -> Result<Self, Problem> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let key = header.and_then(bearer).ok_or_else(Problem::unauthorized)?.to_owned();
        if let Some(key) = secret_key(trac, key.clone()).await? {
            return Ok(Self { actor: key.actor(), scope: key.scope, role: Role::Owner });
        }
        let cause = key_refusal(trac, route(&parts.extensions), Some(key), "secret").await?;
        Err(Problem::unauthorized_because(cause.meaning()))
    }
}

#[cfg(test)]
mod tests;
