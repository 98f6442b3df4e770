//! Mails: what waits to be sent, what was sent, and the way to an SMTP server.
//!
//! A mail is a row that is written in the transaction that causes it, so that none is lost and none is sent for a change
//! that was rolled back. The row names what the mail is about and not its text: the text is written when it is sent, so
//! that it tells what is true then, and the token of a link is stored nowhere but as a hash. A mail is sent at least once:
//! if the server ends between sending and recording it, it is sent again.
//!
//! Without an SMTP server the text is written to the log.

mod outbox;
mod mails;

pub(crate) use mails::{MAILS, routes};
pub(crate) use outbox::{Due, MailKind, Outcome, due, queue, recent};
