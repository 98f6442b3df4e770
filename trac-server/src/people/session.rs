//! Sessions of the dashboard: a random token in a cookie that scripts cannot read (`HttpOnly`) and other sites
//! cannot send (`SameSite=Strict`).
//!
//! | begun by | the session ends when |
//! |---|---|
//! | a person | the person leaves the workspace |
//! | a secret key | the key is revoked or rolled, or the first person joins the workspace |
//! | a link without a person | the first person joins the workspace |
//!
//! During the overlap after a roll, the old key can still begin sessions, which end when the overlap does. Every session
//! ends after seven days, and after twelve hours without a request for a page. The role is read at each request.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde_json::{Value, json};
use trac_core::time::{DAY_SECS, Timestamp};

use super::device::Device;
use crate::access::role::Role;
use crate::access::{Actor, ActorKind, Merchant, key_hash};
use crate::api::activity::{Change, record};
use crate::api::list::{time, word};
use crate::id::{Kind, random_hex};
use crate::problem::Problem;
use crate::store::rows::{Row, Rows, args};
use crate::store::{Everywhere, Priority, Scope, StoreError, mode_of};
use crate::trac::Trac;
use crate::web::Language;

const COOKIE: &str = "trac_session";
/// The name over https, under which no other host and no plain http can set a cookie.
/// Source: <https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis-22#section-4.1.3.2>.
const HOST_COOKIE: &str = "__Host-trac_session";
/// How long a session lasts.
const SESSION_SECS: i64 = 7 * DAY_SECS;
/// How long a session lasts without a request for a page.
const IDLE_SECS: i64 = 12 * 3_600;
/// `seen_at` is updated at most this often, so that not every request for a page writes.
const SEEN_SECS: i64 = 600;
/// How long after a sign-in by a link of the command line a person may set a new password without the old one.
const RESCUE_SECS: i64 = 15 * 60;

/// A session: who looks at the pages of which workspace and mode, and what they may do.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// The ID that lists of sessions show.
    pub(crate) id: String,
    pub(crate) scope: Scope,
    pub(crate) actor: Actor,
    pub(crate) role: Role,
    /// `None` for a session by a key, or by a link without a person: the workspace has no person yet.
    pub(crate) person: Option<SignedIn>,
    pub(crate) language: Language,
    /// The hash of the token.
    pub(super) hash: [u8; 32],
    /// What began it.
    pub(super) origin: Origin,
    begun_at: Timestamp,
}

/// The person of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SignedIn {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) email: String,
}

/// What began a session, or what made a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A link that a command on the server's machine made.
    Command,
    /// A link in a mail.
    Mail,
    /// A provider of OpenID Connect.
    SingleSignOn,
    /// A link without a person.
    Link,
    Key,
    Password,
}

impl Origin {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Mail => "mail",
            Self::SingleSignOn => "sso",
            Self::Link => "link",
            Self::Key => "key",
            Self::Password => "password",
        }
    }

    /// The origin of this name. An unknown one has no privilege.
    pub(super) fn from_word(word: &str) -> Self {
        let all = [Self::Command, Self::Mail, Self::SingleSignOn, Self::Link, Self::Key, Self::Password];
        all.into_iter().find(|origin| origin.as_str() == word).unwrap_or(Self::Mail)
    }
}

impl FromRequestParts<Trac> for Session {
    /// A redirect to the login page.
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, trac: &Trac) -> Result<Self, Response> {
        let found =
            Self::of(trac, &parts.headers).await.map_err(|error| Problem::from(error).into_response())?;
        let Some((session, seen_at)) = found else {
            return Err(Redirect::to(&sign_in_from(parts.uri.path())).into_response());
        };
        // The script of an open page sends these requests, even if the page is not looked at.
        let is_from_script = ["/changes", "/live"].iter().any(|end| parts.uri.path().ends_with(end));
        let now = trac.clock.now();
        if !is_from_script && seen_at.is_none_or(|seen| now.secs_since(seen) >= SEEN_SECS) {
            record_seen(trac, &session, now);
        }
        Ok(session)
    }
}

/// The relative path from a page to the login page.
fn sign_in_from(path: &str) -> String {
    let under = path.find("/dashboard").and_then(|begin| path.get(begin..)).unwrap_or_default();
    match under.matches('/').count() {
        0 | 1 => "dashboard/login".to_owned(),
        depth => format!("{}login", "../".repeat(depth.saturating_sub(2))),
    }
}

impl Session {
    /// The active session of a request, and when it last requested a page.
    ///
    /// # Errors
    /// The store's.
    async fn of(trac: &Trac, headers: &HeaderMap) -> Result<Option<(Self, Option<Timestamp>)>, StoreError> {
        let Some(token) = token(trac, headers) else { return Ok(None) };
        let language = Language::of_headers(headers);
        let (hash, now) = (key_hash(&token), trac.clock.now());
        trac.store.read(move |tx| find(tx, hash, now, language)).await
    }

    /// The active session of a request, if it has one.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn if_any(trac: &Trac, headers: &HeaderMap) -> Result<Option<Self>, StoreError> {
        Ok(Self::of(trac, headers).await?.map(|(session, _)| session))
    }

    /// The caller of the management API for what this session does.
    pub(crate) fn caller(&self) -> Merchant {
        Merchant { scope: self.scope.clone(), actor: self.actor.clone(), role: self.role }
    }

    /// Whether the session may show the other mode: a key belongs to one.
    pub(crate) fn may_switch_mode(&self) -> bool {
        self.origin != Origin::Key
    }

    /// Whether the person may set a new password without the old one, and turn off the second factor without a code: a
    /// command on the server's machine let them in a moment ago.
    pub(super) fn is_rescue(&self, now: Timestamp) -> bool {
        self.origin == Origin::Command && now.secs_since(self.begun_at) <= RESCUE_SECS
    }
}

fn find(
    tx: Everywhere<'_>,
    hash: [u8; 32],
    now: Timestamp,
    language: Language,
) -> Result<Option<(Session, Option<Timestamp>)>, StoreError> {
    let sql = "SELECT t.id, t.workspace_id, t.mode, t.seen_at, t.begun_at, t.origin, k.id AS key_id, \
               coalesce(k.name, k.prefix || '_…' || k.last_four) AS key_name, p.id AS person_id, p.name, p.email, p.language, \
               m.role FROM dashboard_token AS t LEFT JOIN api_key AS k ON k.hash = t.key_hash \
               LEFT JOIN person AS p ON p.id = t.person_id \
               LEFT JOIN member AS m ON m.workspace_id = t.workspace_id AND m.person_id = t.person_id \
               WHERE t.hash = ?1 AND t.kind = 'session' AND t.expires_at >= ?2 \
               AND (t.seen_at IS NULL OR t.seen_at >= ?3) AND (t.key_hash IS NULL OR (k.hash IS NOT NULL \
               AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > ?2))) \
               AND (m.role IS NOT NULL OR (t.person_id IS NULL AND NOT EXISTS \
               (SELECT 1 FROM member AS o WHERE o.workspace_id = t.workspace_id)))";
    tx.one(sql, args![hash, now, now.plus_secs(-IDLE_SECS)], |row| read(row, hash, language))
}

fn read(
    row: &Row<'_>,
    hash: [u8; 32],
    accepted: Language,
) -> Result<(Session, Option<Timestamp>), StoreError> {
    let text = |column: &str| row.get::<Option<String>>(column);
    let need = |column: &str| Ok::<_, StoreError>(text(column)?.unwrap_or_default());
    let scope = Scope::new(row.text("workspace_id")?, mode_of(row.text("mode")?));
    let person = match text("person_id")? {
        Some(id) => Some(SignedIn { id, name: need("name")?, email: need("email")? }),
        None => None,
    };
    let actor = match (&person, text("key_id")?) {
        (Some(person), _) => person.actor(),
        (None, Some(id)) => Actor { kind: ActorKind::Key, id, name: need("key_name")? },
        (None, None) => Actor::system("login link"),
    };
    let role = match text("role")? {
        // A role of a newer version may do as little as possible.
        Some(role) => Role::from_word(&role).unwrap_or(Role::Viewer),
        None => Role::Owner,
    };
    let session = Session {
        id: need("id")?,
        scope,
        actor,
        role,
        person,
        language: text("language")?.map_or(accepted, |code| Language::from_code(&code)),
        hash,
        origin: Origin::from_word(&need("origin")?),
        begun_at: row.get::<Option<Timestamp>>("begun_at")?.unwrap_or(Timestamp::from_unix_secs(0)),
    };
    Ok((session, row.get("seen_at")?))
}

impl SignedIn {
    /// The person as the actor of a change.
    pub(super) fn actor(&self) -> Actor {
        Actor { kind: ActorKind::Person, id: self.id.clone(), name: self.name.clone() }
    }
}

/// Records the time of a request for a page. The response does not wait for the write.
fn record_seen(trac: &Trac, session: &Session, now: Timestamp) {
    let (hash, scope) = (session.hash, session.scope.clone());
    let person = session.person.as_ref().map(|person| person.id.clone());
    drop(trac.store.write(Priority::Api, move |tx| {
        tx.write("UPDATE dashboard_token SET seen_at = ?2 WHERE hash = ?1", args![hash, now])?;
        let Some(person) = person else { return Ok(0) };
        let sql = "UPDATE member SET last_seen_at = ?3 WHERE workspace_id = ?1 AND person_id = ?2";
        tx.write(sql, args![scope.workspace_id(), person, now])
    }));
}

/// The name of the cookie.
fn cookie_name(trac: &Trac) -> &'static str {
    if trac.is_https() { HOST_COOKIE } else { COOKIE }
}

/// The session's token in the cookies.
pub(super) fn token(trac: &Trac, headers: &HeaderMap) -> Option<String> {
    cookie_value(headers, cookie_name(trac)).map(ToOwned::to_owned)
}

/// The value of a cookie, unless it is empty.
pub(super) fn cookie_value<'h>(headers: &'h HeaderMap, wanted: &str) -> Option<&'h str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(name, value)| (name == wanted && !value.is_empty()).then_some(value))
}

/// The `Set-Cookie` value for a token; an empty token removes the cookie.
fn cookie(trac: &Trac, token: &str) -> Option<HeaderValue> {
    let secure = if trac.is_https() { "; Secure" } else { "" };
    let life_secs = if token.is_empty() { 0 } else { SESSION_SECS };
    let name = cookie_name(trac);
    let line = format!("{name}={token}; Path=/; Max-Age={life_secs}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&line).ok()
}

/// A redirect that sets the cookie; an empty token removes it.
pub(super) fn redirect_with(trac: &Trac, token: &str, to: &str) -> Response {
    let mut response = Redirect::to(to).into_response();
    if let Some(cookie) = cookie(trac, token) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// A session that begins.
#[derive(Clone, Debug)]
pub(super) struct New {
    pub(super) actor: Actor,
    /// The person, if the session is one's.
    pub(super) person: Option<String>,
    pub(super) origin: Origin,
    /// The hash of the key that was entered, if any.
    pub(super) key: Option<[u8; 32]>,
    /// What was shown to begin it, for the record.
    pub(super) with: &'static str,
    pub(super) device: Device,
    /// The token that the browser sent. A sign-in ends its session, so that no token outlives a change of person.
    pub(super) before: Option<String>,
}

impl New {
    /// Begins the session in the scope of `rows` and returns its token.
    pub(super) fn begin(self, rows: Rows<'_>, trac: &Trac) -> Result<String, StoreError> {
        let (token, id, now) = (random_hex::<32>(), trac.ids.make(Kind::Session), trac.clock.now());
        let tx = rows.everywhere();
        // First the person, then the sessions, as everywhere: two nodes must not lock them in different orders.
        if let Some(person) = &self.person {
            let sql = "UPDATE person SET workspace_id = ?2, mode = ?3 WHERE id = ?1";
            tx.write(sql, args![person, rows.scope().workspace_id(), rows.scope().mode_str()])?;
        }
        tx.write("DELETE FROM dashboard_token WHERE expires_at < ?1", args![now])?;
        if let Some(before) = self.before {
            tx.write("DELETE FROM dashboard_token WHERE hash = ?1", args![key_hash(&before)])?;
        }
        let address = self.device.address_text();
        rows.write(
            "INSERT INTO dashboard_token (workspace_id, mode, hash, kind, expires_at, begun_at, seen_at, key_hash, id, person_id, \
             origin, agent, address) VALUES (?1, ?2, ?3, 'session', ?4, ?5, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            args![
                key_hash(&token),
                now.plus_secs(SESSION_SECS),
                now,
                self.key,
                id,
                self.person,
                self.origin.as_str(),
                self.device.agent,
                address
            ],
        )?;
        if let Some(person) = &self.person {
            let scope = rows.scope();
            let sql = "UPDATE member SET last_seen_at = ?3 WHERE workspace_id = ?1 AND person_id = ?2";
            tx.write(sql, args![scope.workspace_id(), person, now])?;
        }
        let after = json!({ "with": self.with, "agent": self.device.agent });
        let change = Change { kind: "session", id: &id, verb: "began", before: None, after: Some(&after) };
        record(rows, trac, &self.actor, &change)?;
        Ok(token)
    }
}

/// Ends the session of a request, if it has one.
///
/// # Errors
/// The store's.
pub(super) async fn end(trac: &Trac, headers: &HeaderMap) -> Result<(), StoreError> {
    let Some(session) = Session::if_any(trac, headers).await? else { return Ok(()) };
    let (trac, store) = (trac.clone(), trac.store.clone());
    let ended = store.write_in(&session.scope.clone(), Priority::Api, move |rows| {
        let ended =
            rows.everywhere().write("DELETE FROM dashboard_token WHERE hash = ?1", args![session.hash])?;
        if ended > 0 {
            let change =
                Change { kind: "session", id: &session.id, verb: "ended", before: None, after: None };
            record(rows, &trac, &session.actor, &change)?;
        }
        Ok(())
    });
    ended.await
}

/// A session of a person, as their account page lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnSession {
    pub(crate) id: String,
    pub(crate) workspace: String,
    pub(crate) agent: String,
    pub(crate) address: Option<String>,
    pub(crate) begun_at: Timestamp,
    pub(crate) seen_at: Timestamp,
}

/// The active sessions of a person in all workspaces, the newest first.
///
/// # Errors
/// The store's.
pub(crate) fn sessions_of(
    tx: Everywhere<'_>,
    person: &str,
    now: Timestamp,
) -> Result<Vec<OwnSession>, StoreError> {
    let sql = "SELECT t.id, w.name, t.agent, t.address, t.begun_at, t.seen_at FROM dashboard_token AS t \
               JOIN workspace AS w ON w.id = t.workspace_id \
               JOIN member AS m ON m.workspace_id = t.workspace_id AND m.person_id = t.person_id \
               WHERE t.person_id = ?1 AND t.kind = 'session' AND t.expires_at >= ?2 AND t.seen_at >= ?3 \
               ORDER BY t.begun_at DESC, t.id DESC";
    tx.all(sql, args![person, now, now.plus_secs(-IDLE_SECS)], |row| {
        Ok(OwnSession {
            id: row.get("id")?,
            workspace: row.get("name")?,
            agent: row.get::<Option<String>>("agent")?.unwrap_or_default(),
            address: row.get("address")?,
            begun_at: row.get("begun_at")?,
            seen_at: row.get("seen_at")?,
        })
    })
}

/// Ends a session of a person. `false` if the person has no such session.
///
/// # Errors
/// The store's.
pub(crate) fn revoke(tx: Everywhere<'_>, person: &str, id: &str) -> Result<bool, StoreError> {
    let sql = "DELETE FROM dashboard_token WHERE person_id = ?1 AND id = ?2 AND kind = 'session'";
    Ok(tx.write(sql, args![person, id])? > 0)
}

/// Ends everything that opens the dashboard for a person but one session. Returns their number.
///
/// # Errors
/// The store's.
pub(super) fn revoke_others(tx: Everywhere<'_>, person: &str, own: [u8; 32]) -> Result<usize, StoreError> {
    let sql = "DELETE FROM dashboard_token WHERE person_id = ?1 AND hash <> ?2";
    tx.write(sql, args![person, own])
}

/// The active sessions and unused links, of a workspace or of all.
///
/// # Errors
/// The store's.
pub(crate) async fn sessions(trac: &Trac, workspace: Option<&str>) -> Result<Vec<Value>, StoreError> {
    let (now, workspace) = (trac.clock.now(), workspace.map(ToOwned::to_owned));
    let read = trac.store.read(move |tx| {
        let sql = "SELECT t.kind, t.workspace_id, w.name, t.mode, t.begun_at, t.seen_at, t.expires_at, p.email, \
             k.prefix || '_…' || k.last_four AS key FROM dashboard_token AS t \
             JOIN workspace AS w ON w.id = t.workspace_id LEFT JOIN api_key AS k ON k.hash = t.key_hash \
             LEFT JOIN person AS p ON p.id = t.person_id \
             LEFT JOIN member AS m ON m.workspace_id = t.workspace_id AND m.person_id = t.person_id \
             WHERE (CAST(?1 AS TEXT) IS NULL OR t.workspace_id = ?1) AND t.expires_at >= ?2 AND (t.seen_at IS NULL OR t.seen_at >= ?3) \
             AND t.kind <> 'second_factor' AND (t.person_id IS NOT NULL OR NOT EXISTS \
             (SELECT 1 FROM member AS o WHERE o.workspace_id = t.workspace_id)) AND (t.person_id IS NULL OR m.role IS NOT NULL) \
             AND (t.key_hash IS NULL OR (k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > ?2))) \
             ORDER BY t.workspace_id, t.mode, t.begun_at NULLS FIRST";
        tx.all(sql, args![workspace, now, now.plus_secs(-IDLE_SECS)], |row| {
            Ok(json!({
                "kind": word(row, "kind")?,
                "workspace_id": word(row, "workspace_id")?,
                "workspace": word(row, "name")?,
                "mode": word(row, "mode")?,
                "email": word(row, "email")?,
                "key": word(row, "key")?,
                "begun_at": time(row, "begun_at")?,
                "seen_at": time(row, "seen_at")?,
                "expires_at": time(row, "expires_at")?,
            }))
        })
    });
    read.await
}

/// Ends all sessions and unused links, of a workspace or of all, for `trac workspace sessions --end`. Returns their number.
///
/// # Errors
/// The store's.
pub(crate) async fn end_sessions(trac: &Trac, workspace: Option<&str>) -> Result<usize, StoreError> {
    let (trac, store, workspace) = (trac.clone(), trac.store.clone(), workspace.map(ToOwned::to_owned));
    let ended = store.write(Priority::Api, move |tx| {
        let sql = "SELECT workspace_id, mode, count(*) FROM dashboard_token \
                   WHERE CAST(?1 AS TEXT) IS NULL OR workspace_id = ?1 GROUP BY workspace_id, mode ORDER BY workspace_id, mode";
        let scopes = tx.all(sql, args![workspace], |row| {
            Ok((Scope::new(row.text(0)?, mode_of(row.text(1)?)), row.get::<i64>(2)?))
        })?;
        for (scope, count) in scopes {
            let (id, after) = (scope.workspace_id(), json!({ "ended": count }));
            let (kind, verb) = ("workspace", "sessions_ended");
            let change = Change { kind, id, verb, before: None, after: Some(&after) };
            record(tx.within(&scope), &trac, &Actor::system("trac workspace sessions --end"), &change)?;
        }
        tx.write(
            "DELETE FROM dashboard_token WHERE CAST(?1 AS TEXT) IS NULL OR workspace_id = ?1",
            args![workspace],
        )
    });
    ended.await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_page_leads_to_the_login_page() {
        let check = |path, want| assert_eq!(sign_in_from(path), want, "{path}");
        check("/dashboard", "dashboard/login");
        check("/dashboard/why", "login");
        check("/dashboard/partners/part_1", "../login");
        check("/dashboard/payouts/po_1/file", "../../login");
    }
}
