//! The dashboard: everything that a merchant does, without a terminal.
//!
//! Pages show what the management API returns, and forms call it (`api.rs`). Lists, pages of single objects and actions
//! are tables: `lists.rs`, `details.rs`, `acts/`. The overview refreshes itself when something changed (`changes.rs`).

mod api;
mod names;
mod value;
mod terms;
mod column;
mod act;
mod acts;
mod desk;
mod choices;
mod rows;
mod preview;
mod doing;
mod listing;
mod lists;
mod story;
mod extra;
mod detail;
mod details;
mod queries;
mod changes;
mod report;
mod overview;
mod first_link;
mod setup_page;
mod go_live_page;
mod analytics_page;
mod settings_page;
mod why_page;
mod file;

pub(crate) use api::Api;

use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Redirect;
use axum::routing::{any, get};
use axum::{Extension, Router};

use crate::problem::Problem;
use crate::trac::Trac;
use crate::web::{self, own_forms_only};

/// All routes under `/dashboard`, and a redirect to it from the root. `api` has the routes of the management API.
pub(crate) fn routes(trac: &Trac, api: Api) -> Router<Trac> {
    let mut routes = Router::new();
    for page in lists::LISTS {
        routes = routes.route(&format!("/dashboard/{}", page.path), get(move |desk| page.serve(desk)));
    }
    for page in details::DETAILS {
        let route = format!("/dashboard/{}/{{id}}", page.path);
        routes = routes.route(&route, get(move |id, desk| page.serve(id, desk)));
    }
    routes
        .route("/dashboard/do/{act}", get(doing::show).post(doing::submit))
        .merge(overview::routes())
        .merge(setup_page::routes())
        .merge(go_live_page::routes())
        .merge(analytics_page::routes())
        .merge(settings_page::routes())
        .merge(changes::routes())
        .merge(why_page::routes())
        .merge(file::routes())
        .layer(Extension(api))
        .layer(from_fn_with_state(trac.clone(), own_forms_only))
        .route("/", get(async || Redirect::to("dashboard")))
        .route("/dashboard/", get(async || Redirect::to("../dashboard")))
        // A wrong address is shown as a page, too.
        .route("/dashboard/{*rest}", any(async || Problem::not_found("page")))
        .merge(web::routes())
        .layer(from_fn(web::guard))
}

#[cfg(test)]
mod tests;
