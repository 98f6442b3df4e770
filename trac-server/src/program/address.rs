//! The parts of a program's link addresses: its slug in `/s/{slug}/{code}`, and the host of its links.
//! Neither belongs to the terms: a change of them does not add a version.

use serde_json::Value;

use crate::api::fields::{Fields, text, token};
use crate::problem::Problem;
use crate::store::rows::{Rows, args};
use crate::store::{StoreError, StoreErrorKind};
use crate::trac::Trac;

/// The fields of a body that change the address; `null` removes a value.
#[expect(clippy::option_option, reason = "absent, null and a value are three different requests")]
pub(super) struct Address {
    slug: Option<Option<String>>,
    tracking_domain: Option<Option<String>>,
}

impl Address {
    pub(super) fn take(fields: &mut Fields, trac: &Trac) -> Self {
        let configured = |value: &Value| {
            let name = text(1..=253)(value)?;
            let domain = trac.hosts.tracking_domain(&name);
            domain.map(ToOwned::to_owned).ok_or_else(|| {
                "must be a host that this server is configured for (--tracking-domain)".to_owned()
            })
        };
        Self {
            slug: fields.take_nullable("slug", token),
            tracking_domain: fields.take_nullable("tracking_domain", configured),
        }
    }

    pub(super) fn write(&self, rows: Rows<'_>, id: &str) -> Result<(), Problem> {
        if let Some(slug) = &self.slug {
            let sql = "UPDATE program SET slug = ?4 WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
            rows.write(sql, args![id, slug]).map_err(slug_taken)?;
        }
        if let Some(domain) = &self.tracking_domain {
            let sql =
                "UPDATE program SET tracking_domain = ?4 WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
            rows.write(sql, args![id, domain])?;
        }
        Ok(())
    }
}

fn slug_taken(error: StoreError) -> Problem {
    if error.kind() == StoreErrorKind::Conflict {
        return Problem::conflict("SLUG_TAKEN", "Another program on this server has this slug.");
    }
    error.into()
}
