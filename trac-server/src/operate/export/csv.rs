//! `trac export --csv`: the API's resources as tables for people.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::Value;
use trac_core::program::Mode;

use super::table::unusable;
use super::write::{cannot, workspaces};
use crate::api::csv;
use crate::api::list::Resource;
use crate::click::{CLICKS, LINKS};
use crate::commission::{BALANCES, COMMISSIONS, ENTRIES, PAYOUTS};
use crate::conversion::{ATTRIBUTIONS, CONVERSIONS, LEADS};
use crate::program::{ENROLLMENTS, PARTNERS, PROGRAMS};
use crate::store::{Everywhere, Scope, StoreError, make_private_folder, new_private_file};
use crate::trac::Trac;
use crate::webhook::EVENTS;

/// The tables, by file name.
pub const SHEETS: [&str; 13] = [
    "programs",
    "partners",
    "enrollments",
    "links",
    "clicks",
    "events",
    "leads",
    "conversions",
    "commissions",
    "entries",
    "payouts",
    "balances",
    "attributions",
];

fn resource(sheet: &str) -> Option<&'static Resource> {
    Some(match sheet {
        "programs" => &PROGRAMS,
        "partners" => &PARTNERS,
        "enrollments" => &ENROLLMENTS,
        "links" => &LINKS,
        "clicks" => &CLICKS,
        "events" => &EVENTS,
        "leads" => &LEADS,
        "conversions" => &CONVERSIONS,
        "commissions" => &COMMISSIONS,
        "entries" => &ENTRIES,
        "payouts" => &PAYOUTS,
        "balances" => &BALANCES,
        "attributions" => &ATTRIBUTIONS,
        _ => return None,
    })
}

/// Writes one file for each resource of the API, `commissions.csv` and so on, into a folder that has none of
/// them yet: workspace and mode, then the fields of the API. Nested fields are JSON.
///
/// # Errors
/// [`crate::store::StoreErrorKind::Unavailable`] if there is no such workspace, the folder cannot be written,
/// or it contains one of the files.
pub async fn export_csv(trac: &Trac, workspace_id: Option<&str>, folder: &Path) -> Result<(), StoreError> {
    let (trac, wanted, folder) = (trac.clone(), workspace_id.map(ToOwned::to_owned), folder.to_owned());
    let store = trac.store.clone();
    store
        .read(move |tx| {
            let workspaces = workspaces(tx, wanted.as_deref())?;
            make_private_folder(&folder)
                .map_err(|error| unusable(format!("{}: {error}", folder.display())))?;
            for sheet in SHEETS {
                let path = folder.join(format!("{sheet}.csv"));
                let file = new_private_file(&path);
                let file = file.map_err(|error| unusable(format!("{}: {error}", path.display())))?;
                let resource =
                    resource(sheet).ok_or_else(|| StoreError::internal("a sheet without a resource"))?;
                write_sheet(tx, &trac, resource, &workspaces, file)?;
            }
            Ok(())
        })
        .await
}

fn write_sheet(
    tx: Everywhere<'_>,
    trac: &Trac,
    resource: &Resource,
    workspaces: &[String],
    file: File,
) -> Result<(), StoreError> {
    let mut out = BufWriter::new(file);
    let mut names: Vec<String> = Vec::new();
    for workspace in workspaces {
        for mode in [Mode::Test, Mode::Live] {
            let scope = Scope::new(workspace, mode);
            let rows = tx.within(&scope);
            resource.each(rows, trac, |row| {
                let Value::Object(row) = row else { return Ok(()) };
                if names.is_empty() {
                    names = row.keys().cloned().collect();
                    let head = ["workspace_id", "mode"].into_iter().chain(names.iter().map(String::as_str));
                    line(&mut out, head.map(Value::from))?;
                }
                let scope = [Value::from(scope.workspace_id()), Value::from(scope.mode_str())];
                let fields = names.iter().map(|name| row.get(name).cloned().unwrap_or_default());
                line(&mut out, scope.into_iter().chain(fields))
            })?;
        }
    }
    let file = out.into_inner().map_err(|error| cannot(error.error()))?;
    file.sync_all().map_err(|error| cannot(&error))
}

fn line(out: &mut impl Write, values: impl Iterator<Item = Value>) -> Result<(), StoreError> {
    let cells: Vec<_> = values.map(|value| csv::cell(&value)).collect();
    write!(out, "{}\r\n", cells.join(",")).map_err(|error| cannot(&error))
}
