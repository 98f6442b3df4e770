//! What a person may do in a workspace.
//!
//! | role | may |
//! |---|---|
//! | `owner` | everything |
//! | `manager` | everything but people and keys |
//! | `finance` | read everything, pay, correct commissions |
//! | `support` | read everything, replay events without writing |
//! | `viewer` | read everything |
//!
//! A secret key may do what an owner may.

use axum::http::{Method, StatusCode};
use serde::Deserialize;

use crate::problem::Problem;

/// The role of a person in a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// May do everything.
    Owner,
    /// May do everything but change people and keys.
    Manager,
    /// Reads everything, pays, and corrects commissions.
    Finance,
    /// Reads everything, and replays events without writing.
    Support,
    /// Reads everything.
    Viewer,
}

/// What a call needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// Reads, and answers questions.
    Read,
    /// Shows what a replay would change.
    Rehearse,
    /// Pays, or corrects a commission.
    Pay,
    /// Changes programs, partners, links, claims, endpoints and settings.
    Manage,
    /// Changes people and keys.
    Own,
}

impl Role {
    /// All roles, the one that may do most first.
    pub(crate) const ALL: [Self; 5] =
        [Self::Owner, Self::Manager, Self::Finance, Self::Support, Self::Viewer];

    /// The role in the database and the API.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Manager => "manager",
            Self::Finance => "finance",
            Self::Support => "support",
            Self::Viewer => "viewer",
        }
    }

    /// The role of this name.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }

    /// What the role may do, for the page that chooses one.
    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Self::Owner => "may do everything, also invite people and make keys",
            Self::Manager => "may do everything but change people and keys",
            Self::Finance => "reads everything, pays partners and corrects commissions",
            Self::Support => "reads everything, explains sales and shows what a replay would change",
            Self::Viewer => "reads everything and changes nothing",
        }
    }

    /// Whether the role has a right.
    pub(crate) const fn may(self, right: Right) -> bool {
        match right {
            Right::Read => true,
            Right::Rehearse => !matches!(self, Self::Finance | Self::Viewer),
            Right::Pay => matches!(self, Self::Owner | Self::Manager | Self::Finance),
            Right::Manage => matches!(self, Self::Owner | Self::Manager),
            Right::Own => matches!(self, Self::Owner),
        }
    }

    /// Refuses a call that needs a right that the role has not.
    ///
    /// # Errors
    /// `403 FORBIDDEN`.
    pub(crate) fn must(self, right: Right) -> Result<(), Problem> {
        if self.may(right) {
            return Ok(());
        }
        let able = Self::ALL.into_iter().filter(|role| role.may(right)).map(Self::as_str);
        let able: Vec<_> = able.collect();
        let message = format!("Your role is {}. This needs one of: {}.", self.as_str(), able.join(", "));
        Err(Problem::new(StatusCode::FORBIDDEN, "FORBIDDEN", message))
    }
}

/// The right that a call of the management API needs. `path` begins after `/api/v1`.
///
/// Everything that is not listed needs [`Right::Manage`], so that a new route is closed until it is considered.
pub(crate) fn right_of(method: &Method, path: &str, query: Option<&str>) -> Right {
    if method == Method::GET || method == Method::HEAD {
        return Right::Read;
    }
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let rehearses = || {
        let mut pairs = query.unwrap_or_default().split('&');
        pairs.any(|pair| matches!(pair, "dry_run" | "dry_run=" | "dry_run=1" | "dry_run=true"))
    };
    match first {
        "explain" => Right::Read,
        "programs" if path.ends_with("/preview") => Right::Read,
        "events" if path.ends_with("/replay") && rehearses() => Right::Rehearse,
        "payouts" | "payout-batches" | "adjustments" | "commissions" => Right::Pay,
        "api-keys" | "people" | "invitations" => Right::Own,
        _ => Right::Manage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_may_do_what_the_table_says() {
        let rights = [Right::Read, Right::Rehearse, Right::Pay, Right::Manage, Right::Own];
        let check = |role: Role, want: [bool; 5]| {
            assert_eq!(rights.map(|right| role.may(right)), want, "{role:?}");
            assert_eq!(Role::from_word(role.as_str()), Some(role));
        };
        check(Role::Owner, [true, true, true, true, true]);
        check(Role::Manager, [true, true, true, true, false]);
        check(Role::Finance, [true, false, true, false, false]);
        check(Role::Support, [true, true, false, false, false]);
        check(Role::Viewer, [true, false, false, false, false]);
        assert_eq!(Role::from_word("root"), None);
    }

    #[test]
    fn a_call_needs_the_right_of_its_resource() {
        let check = |method: Method, path: &str, query: Option<&str>, want: Right| {
            assert_eq!(right_of(&method, path, query), want, "{method} {path} {query:?}");
        };
        check(Method::GET, "/api-keys", None, Right::Read);
        check(Method::POST, "/explain", None, Right::Read);
        check(Method::POST, "/programs/prog_1/preview", None, Right::Read);
        check(Method::PATCH, "/programs/prog_1", None, Right::Manage);
        check(Method::GET, "/go-live", None, Right::Read);
        check(Method::POST, "/go-live", None, Right::Manage);
        check(Method::POST, "/events/evl_1/replay", Some("rules=now&dry_run=1"), Right::Rehearse);
        check(Method::POST, "/events/evl_1/replay", Some("dry_run"), Right::Rehearse);
        check(Method::POST, "/events/evl_1/replay", Some("dry_run=0"), Right::Manage);
        check(Method::POST, "/events/evl_1/replay", None, Right::Manage);
        check(Method::POST, "/events/evl_1/link", Some("dry_run=1"), Right::Manage);
        check(Method::POST, "/payouts", None, Right::Pay);
        check(Method::PATCH, "/commissions/com_1", None, Right::Pay);
        check(Method::PATCH, "/partners/part_1", None, Right::Manage);
        check(Method::POST, "/customers/cus_1/reassign", None, Right::Manage);
        check(Method::DELETE, "/api-keys/key_1", None, Right::Own);
        check(Method::POST, "/of-tomorrow", None, Right::Manage);
    }
}
