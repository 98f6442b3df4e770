//! Switching to the other mode, or to another workspace of the person.

use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::post;
use serde::Deserialize;
use trac_core::program::Mode;

use super::member::is_member;
use super::person::first_scope;
use super::session::Session;
use crate::problem::Problem;
use crate::store::rows::args;
use crate::store::{Everywhere, Priority, Scope, StoreError};
use crate::trac::Trac;

pub(super) fn routes() -> Router<Trac> {
    Router::new().route("/dashboard/mode", post(mode)).route("/dashboard/workspace", post(workspace))
}

#[derive(Deserialize)]
struct ModeForm {
    mode: Mode,
    /// The page to return to.
    #[serde(default)]
    back: String,
}

async fn mode(
    State(trac): State<Trac>,
    session: Session,
    form: Result<Form<ModeForm>, FormRejection>,
) -> Result<Response, Problem> {
    let Ok(Form(ModeForm { mode, back })) = form else {
        return Err(Problem::field("mode", "must be test or live"));
    };
    if !session.may_switch_mode() {
        let message = "This session began with a secret key, which belongs to one mode. Sign in with a key of the other mode, \
                       or create your account.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "FORBIDDEN", message));
    }
    let scope = Scope::new(session.scope.workspace_id(), mode);
    let written = trac.store.write(Priority::Api, move |tx| go_to(tx, &session, &scope));
    written.await?;
    Ok(Redirect::to(&format!("..{}", own_path(&back))).into_response())
}

#[derive(Deserialize)]
struct WorkspaceForm {
    id: String,
}

async fn workspace(
    State(trac): State<Trac>,
    session: Session,
    form: Result<Form<WorkspaceForm>, FormRejection>,
) -> Result<Response, Problem> {
    let Ok(Form(WorkspaceForm { id })) = form else {
        return Err(Problem::field("id", "must be the ID of a workspace"));
    };
    let Some(person) = session.person.clone() else {
        return Err(Problem::not_found("workspace"));
    };
    let switched = trac.store.write(Priority::Api, move |tx| {
        if !is_member(tx, &id, &person.id)? {
            return Ok(false);
        }
        let scope = first_scope(tx, &id)?;
        go_to(tx, &session, &scope)?;
        Ok(true)
    });
    if switched.await? {
        Ok(Redirect::to("../dashboard").into_response())
    } else {
        Err(Problem::not_found("workspace"))
    }
}

/// Moves the session to another scope.
fn go_to(tx: Everywhere<'_>, session: &Session, scope: &Scope) -> Result<(), StoreError> {
    let (workspace_id, mode) = (scope.workspace_id(), scope.mode_str());
    // First the person, then the sessions, as everywhere: two nodes must not lock them in different orders.
    if let Some(person) = &session.person {
        let sql = "UPDATE person SET workspace_id = ?2, mode = ?3 WHERE id = ?1";
        tx.write(sql, args![person.id, workspace_id, mode])?;
    }
    let sql = "UPDATE dashboard_token SET workspace_id = ?2, mode = ?3 WHERE hash = ?1";
    tx.write(sql, args![session.hash, workspace_id, mode])?;
    Ok(())
}

/// The path if it is that of a page of the dashboard, as in `/dashboard/partners?page=2`, else the dashboard's.
fn own_path(path: &str) -> &str {
    let rest = path.strip_prefix("/dashboard").filter(|rest| {
        let is_page = rest.is_empty() || rest.starts_with(['/', '?']);
        let (plain, _) = rest.split_once('?').unwrap_or((rest, ""));
        is_page
            && rest.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\' && byte != b'#')
            && plain.split('/').skip(1).all(|part| !matches!(part, "" | "." | ".."))
    });
    if rest.is_some() { path } else { "/dashboard" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_the_dashboard_are_returned_to() {
        let check = |path: &str, is_own: bool| {
            assert_eq!(own_path(path), if is_own { path } else { "/dashboard" }, "{path}");
        };
        check("/dashboard", true);
        check("/dashboard?status=held", true);
        check("/dashboard/partners/part_1?page=2&next=//x", true);
        check("/dashboard//evil.example", false);
        check("/dashboard/../logout", false);
        check("/dashboards", false);
        check("/api/v1/people", false);
        check("https://evil.example/dashboard", false);
        check("//evil.example/dashboard", false);
        check("/dashboard\\evil", false);
        check("/dashboard/x\r\nset-cookie: a=b", false);
        check("", false);
    }
}
