//! All actions, each a form that calls the management API.

pub(super) mod partners;
pub(super) mod programs;
pub(super) mod enrollments;
pub(super) mod links;
pub(super) mod claims;
pub(super) mod commissions;
pub(super) mod customers;
pub(super) mod payouts;
pub(super) mod events;
pub(super) mod endpoints;
pub(super) mod keys;
pub(super) mod mails;
pub(super) mod workspace;

use super::act::Act;

/// Every action.
pub(super) static ACTS: &[&Act] = &[
    &partners::CREATE,
    &partners::CHANGE,
    &partners::DELETE,
    &enrollments::CREATE,
    &enrollments::APPROVE,
    &enrollments::REJECT,
    &enrollments::SUSPEND,
    &enrollments::BAN,
    &enrollments::TERMS,
    &enrollments::PROGRAM_TERMS,
    &enrollments::DELETE,
    &programs::CREATE,
    &programs::CHANGE,
    &programs::DELETE,
    &links::CREATE,
    &links::CHANGE,
    &links::ARCHIVE,
    &links::REOPEN,
    &links::DELETE,
    &links::PURGE,
    &claims::APPROVE,
    &claims::REJECT,
    &claims::REFUND,
    &claims::APPROVE_LEAD,
    &claims::REJECT_LEAD,
    &commissions::HOLD,
    &commissions::APPROVE,
    &commissions::REJECT,
    &commissions::RESTORE,
    &commissions::ADJUST,
    &customers::ASSIGN,
    &customers::NOBODY,
    &customers::UNDO,
    &payouts::CREATE,
    &events::LINK,
    &events::REPLAY,
    &events::REPLAY_NOW,
    &endpoints::CREATE,
    &endpoints::SECRETS,
    &endpoints::STRIPE_KEY,
    &endpoints::ACCOUNT,
    &keys::CREATE,
    &keys::CHANGE,
    &keys::ROLL,
    &keys::REVOKE,
    &keys::TOKEN_SECRET,
    &mails::RESEND,
    &workspace::CHANGE,
];

/// The action with this name.
pub(super) fn find(name: &str) -> Option<&'static Act> {
    ACTS.iter().find(|act| act.name == name).copied()
}
