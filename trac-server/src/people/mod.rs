//! The people who use the dashboard: their accounts, roles and sessions.
//!
//! A workspace begins without people: a link of the command line or a secret key opens its dashboard. The first visitor
//! creates an account and becomes the owner; from then on people open it, and keys are for the API alone. Others join by
//! invitations. A person signs in with an e-mail address and a password, and a second factor if they have turned it on.
//! A person whose password and codes are lost gets in by `trac login-link`.

mod device;
mod session;
mod person;
mod member;
mod invitation;
mod removal;
mod attempts;
mod second_factor;
mod entry;
mod letters;
mod frame;
mod sign_in;
mod mailed_link;
mod single_sign_on;
mod join_page;
mod welcome_page;
mod account_page;
mod people_page;
mod switch;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};

use crate::trac::Trac;
use crate::web::{self, own_forms_only};

pub(crate) use entry::{LINK_SECS, new_link};
pub(crate) use frame::visitor_of;
pub(crate) use invitation::INVITATIONS;
pub(crate) use letters::write as write_letter;
pub(crate) use member::{PEOPLE, emails, member_of_email};
pub(crate) use session::{Session, end_sessions, sessions};

/// The routes of the management API.
pub(crate) fn api_routes() -> Router<Trac> {
    Router::new().merge(member::routes()).merge(invitation::routes()).merge(removal::routes())
}

/// The pages.
pub(crate) fn routes(trac: &Trac) -> Router<Trac> {
    Router::new()
        .merge(sign_in::routes())
        .merge(mailed_link::routes())
        .merge(single_sign_on::routes())
        .merge(join_page::routes())
        .merge(welcome_page::routes())
        .merge(account_page::routes())
        .merge(people_page::routes())
        .merge(switch::routes())
        .layer(from_fn_with_state(trac.clone(), own_forms_only))
        .layer(from_fn(web::guard))
}

#[cfg(test)]
mod tests;
