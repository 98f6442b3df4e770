//! The steps `program`, `partner` and `link`: what the merchant makes before anything can be credited.
//!
//! Of many rows only the oldest and the newest are looked at.

use trac_core::time::Timestamp;

use super::step::Step;
use crate::click::link_path;
use crate::store::StoreError;
use crate::store::rows::Rows;
use crate::trac::Trac;

/// How many of the oldest, and how many of the newest rows are looked at.
const LOOKED_AT: usize = 50;

/// What a step looks for: the name and status of rows.
struct Sought {
    /// The columns: the name and the current status.
    columns: &'static str,
    /// The tables; the first one is `t`.
    from: &'static str,
    /// The status that completes the step.
    wanted: &'static str,
}

const PROGRAMS: Sought = Sought {
    columns: "t.name, (SELECT v.status FROM program_version AS v WHERE v.workspace_id = t.workspace_id AND v.mode = t.mode \
              AND v.program_id = t.id ORDER BY v.number DESC LIMIT 1)",
    from: "program AS t",
    wanted: "active",
};

const PARTNERS: Sought = Sought {
    columns: "p.name, (SELECT v.status FROM enrollment_version AS v WHERE v.workspace_id = t.workspace_id AND v.mode = t.mode \
              AND v.enrollment_id = t.id ORDER BY v.number DESC LIMIT 1)",
    from: "enrollment AS t JOIN partner AS p ON p.workspace_id = t.workspace_id AND p.mode = t.mode AND p.id = t.partner_id",
    wanted: "approved",
};

const LINKS: Sought = Sought {
    columns: "t.slug, CASE WHEN coalesce(t.deleted_at, t.purged_at) IS NOT NULL THEN 'deleted' \
              WHEN t.archived_at IS NOT NULL THEN 'archived' ELSE 'active' END",
    from: "link AS t",
    wanted: "active",
};

/// A row with its name and status.
struct Found {
    name: String,
    status: String,
    created_at: Timestamp,
}

impl Sought {
    /// The oldest of the looked-at rows with the wanted status; else the newest row.
    fn find(&self, rows: Rows<'_>) -> Result<Option<Found>, StoreError> {
        let Self { columns, from, wanted } = self;
        let mut newest = None;
        for order in ["", " DESC"] {
            let sql = format!(
                "SELECT {columns}, t.created_at FROM {from} WHERE t.workspace_id = ?1 AND t.mode = ?2 \
                 ORDER BY t.id{order} LIMIT {LOOKED_AT}"
            );
            let found = rows.all(&sql, &[], |row| {
                let status: Option<String> = row.get(1)?;
                Ok(Found { name: row.get(0)?, status: status.unwrap_or_default(), created_at: row.get(2)? })
            })?;
            for row in found {
                if row.status == *wanted {
                    return Ok(Some(row));
                }
                if !order.is_empty() && newest.is_none() {
                    newest = Some(row);
                }
            }
        }
        Ok(newest)
    }

    fn is_met(&self, found: &Found) -> bool {
        found.status == self.wanted
    }
}

/// The step `program`.
pub(super) fn program(rows: Rows<'_>) -> Result<Step, StoreError> {
    const ID: &str = "program";
    Ok(match PROGRAMS.find(rows)? {
        Some(found) if PROGRAMS.is_met(&found) => {
            Step::done(ID, Some(found.created_at), format!("The program {} is active.", found.name))
        }
        Some(found) => Step::waiting(
            ID,
            format!("The program {} is {}: its partners earn nothing new.", found.name, found.status),
            "Open the program and set it to active.",
        ),
        None => Step::waiting(
            ID,
            "There is no program yet.",
            "Make a program: it says what partners earn, and for how long after a click.",
        ),
    })
}

/// The step `partner`.
pub(super) fn partner(rows: Rows<'_>) -> Result<Step, StoreError> {
    const ID: &str = "partner";
    if let Some(found) = PARTNERS.find(rows)? {
        return Ok(if PARTNERS.is_met(&found) {
            Step::done(ID, Some(found.created_at), format!("{} is approved as a partner.", found.name))
        } else {
            Step::waiting(
                ID,
                format!("{} is {} in the program, and earns nothing yet.", found.name, found.status),
                "Open the partner and approve the enrollment.",
            )
        });
    }
    let any = "SELECT name FROM partner WHERE workspace_id = ?1 AND mode = ?2 ORDER BY id LIMIT 1";
    Ok(match rows.one(any, &[], |row| row.get::<String>(0))? {
        Some(name) => Step::waiting(
            ID,
            format!("{name} is a partner, but takes part in no program."),
            "Open the partner and enroll it in your program.",
        ),
        None => Step::waiting(
            ID,
            "There is no partner yet.",
            "Add the first partner; to try everything out, add yourself.",
        ),
    })
}

/// The step `link`.
pub(super) fn link(rows: Rows<'_>, trac: &Trac) -> Result<Step, StoreError> {
    const ID: &str = "link";
    Ok(match LINKS.find(rows)? {
        Some(found) if LINKS.is_met(&found) => {
            let path = link_path(rows.scope().mode(), &found.name);
            Step::done(ID, Some(found.created_at), format!("{}{path} leads to your shop.", trac.public_url))
        }
        Some(found) => Step::waiting(
            ID,
            format!("The link {} is {}, and counts no visitors.", found.name, found.status),
            "Make a new link for a partner, or restore the archived one.",
        ),
        None => Step::waiting(
            ID,
            "There is no link yet.",
            "Make a link for your first partner; it leads to the page where customers start.",
        ),
    })
}
