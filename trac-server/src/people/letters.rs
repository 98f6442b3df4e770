//! The mails about accounts: the link that signs a person in, and invitations.

use super::entry::{self, MAILED_LINK_SECS};
use super::invitation::mailed_token;
use super::member::is_member;
use super::person::Person;
use super::session::Origin;
use crate::mail::{Due, MailKind};
use crate::store::StoreError;
use crate::store::rows::{Rows, args};
use crate::trac::Trac;
use crate::trac::carrier::Letter;
use crate::web::Language;

/// Writes a mail and stores the hash of the token of its link. `None` if what it is about is over.
///
/// # Errors
/// The store's.
pub(crate) fn write(rows: Rows<'_>, trac: &Trac, due: &Due) -> Result<Option<Letter>, StoreError> {
    match due.kind {
        MailKind::SignInLink => sign_in_link(rows, trac, due),
        MailKind::Invitation => invitation(rows, trac, due),
    }
}

fn sign_in_link(rows: Rows<'_>, trac: &Trac, due: &Due) -> Result<Option<Letter>, StoreError> {
    let (tx, workspace_id) = (rows.everywhere(), rows.scope().workspace_id());
    let person = Person::of_id(tx, &due.about)?.filter(|person| person.email == due.to);
    let Some(person) = person else { return Ok(None) };
    if !is_member(tx, workspace_id, &person.id)? {
        return Ok(None);
    }
    let language = tx.one("SELECT language FROM person WHERE id = ?1", args![person.id], |row| {
        row.get::<Option<String>>(0)
    })?;
    let language = Language::from_code(&language.flatten().unwrap_or_default());
    let token = entry::new_token(rows, trac, MAILED_LINK_SECS, Some(&person.id), Origin::Mail)?;
    let name = workspace_name(rows)?;
    let link = format!("{}/dashboard/enter?token={token}", trac.public_url);
    let lines = [
        language.say("Open this link to sign in. It works once, within 15 minutes:").to_owned(),
        link,
        language
            .say("If you did not ask for it, ignore this mail: without the link nothing happens.")
            .to_owned(),
    ];
    let subject = language.say("Sign in to {workspace}").replace("{workspace}", &name);
    Ok(Some(Letter { to: due.to.clone(), subject, text: paragraphs(&lines), secret: token }))
}

fn invitation(rows: Rows<'_>, trac: &Trac, due: &Due) -> Result<Option<Letter>, StoreError> {
    let Some((token, open)) = mailed_token(rows, trac, &due.about)? else { return Ok(None) };
    let language = Language::default();
    let link = format!("{}/dashboard/join?token={token}", trac.public_url);
    let who = language
        .say("{person} invites you to {workspace} as {role}. This link works once, within seven days:");
    let who = who
        .replace("{role}", open.role.as_str())
        .replace("{workspace}", &open.workspace)
        .replace("{person}", &open.invited_by);
    let lines = [who, link, language.say("If you do not know who this is, ignore this mail.").to_owned()];
    let subject = language.say("An invitation to {workspace}").replace("{workspace}", &open.workspace);
    Ok(Some(Letter { to: due.to.clone(), subject, text: paragraphs(&lines), secret: token }))
}

fn workspace_name(rows: Rows<'_>) -> Result<String, StoreError> {
    let id = rows.scope().workspace_id();
    let name =
        rows.everywhere().one("SELECT name FROM workspace WHERE id = ?1", args![id], |row| row.get(0))?;
    Ok(name.unwrap_or_default())
}

fn paragraphs(lines: &[String]) -> String {
    lines.join("\n\n") + "\n"
}
