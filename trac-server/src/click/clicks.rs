//! `/api/v1/clicks`: lists clicks, and records the click that a merchant sends.

use serde_json::{Value, json};
use trac_core::click::ClickId;
use trac_core::program::Mode;
use trac_core::time::Timestamp;

use super::links::LINKS;
use crate::api::fields::{Fields, Wrong, moment, text};
use crate::api::list::Filter::{By, Is};
use crate::api::list::{Condition, Days, Kept, Key, Listing, Resource, time, word};
use crate::id::random_bits;
use crate::problem::Problem;
use crate::program::{PARTNERS, PROGRAMS};
use crate::store::click::NewClick;
use crate::store::rows::{Row, Rows};
use crate::store::{StoreError, StoreErrorKind, recorder};
use crate::trac::Trac;

/// Clicks.
pub(crate) static CLICKS: Resource = Resource {
    name: "click",
    columns: "c.id, of_program.id AS program_id, of_partner.id AS partner_id, of_link.id AS link_id, c.clicked_at, c.is_unique, \
              c.referrer, c.landing_url",
    from: "click_record AS c JOIN name AS of_program ON of_program.no = c.program JOIN name AS of_partner ON of_partner.no = c.partner \
           LEFT JOIN name AS of_link ON of_link.no = c.link",
    within: "c.scope = (SELECT s.no FROM scope AS s WHERE s.workspace_id = ?1 AND s.mode = ?2)",
    id: "c.id",
    order: &["c.clicked_at", "c.id"],
    filters: &[
        ("click_id", Is("c.id")),
        ("link_id", By(|_| Condition::of("c.link = (SELECT n.no FROM name AS n WHERE n.id = {})"))),
        ("program_id", By(|_| Condition::of("c.program = (SELECT n.no FROM name AS n WHERE n.id = {})"))),
        ("partner_id", By(|_| Condition::of("c.partner = (SELECT n.no FROM name AS n WHERE n.id = {})"))),
        (
            "unique",
            By(|given| Condition::of(if given == "true" { "c.is_unique" } else { "NOT c.is_unique" })),
        ),
    ],
    kept: Kept::Days(Days { key, time: "c.clicked_at" }),
    read,
};

/// The rows of `click_day` that count a listing's clicks.
fn key(listing: &Listing) -> Option<Key> {
    // A number in `click_day` does not show whether it is that of a program, a partner or a link.
    let is_its = |filter: &str, id: &str| {
        let prefix = filter.strip_suffix("_id").unwrap_or_default();
        !id.contains('/') && id.starts_with(prefix.get(..4).unwrap_or_default())
    };
    let ids = ["program_id", "partner_id", "link_id"];
    if !ids.iter().all(|filter| listing.filter(filter).is_none_or(|id| is_its(filter, id))) {
        return None;
    }
    let of = |name| listing.filter(name).map(ToOwned::to_owned);
    let name = match (of("program_id"), of("partner_id"), of("link_id")) {
        (None, None, None) => None,
        (Some(one), None, None) | (None, Some(one), None) | (None, None, Some(one)) => Some(one),
        (Some(program_id), Some(partner_id), None) => Some(format!("{program_id}/{partner_id}")),
        _ => return None,
    };
    let rows = match listing.filter("unique") {
        None => "clicks",
        Some("true") => "unique_clicks",
        Some(_) => "clicks - unique_clicks",
    };
    listing.filter("click_id").is_none().then_some(Key { name, rows })
}

fn read(row: &Row<'_>, _: &Trac) -> Result<Value, StoreError> {
    Ok(json!({
        "id": word(row, "id")?,
        "click_id": word(row, "id")?,
        "program_id": word(row, "program_id")?,
        "partner_id": word(row, "partner_id")?,
        "link_id": word(row, "link_id")?,
        "clicked_at": time(row, "clicked_at")?,
        "unique": row.get::<bool>("is_unique")?,
        "referrer": word(row, "referrer")?,
        "landing_url": word(row, "landing_url")?,
        "created_at": time(row, "clicked_at")?,
    }))
}

/// The body of a click to be recorded.
pub(crate) struct ClickBody {
    link_id: Option<String>,
    program_id: Option<String>,
    partner_id: Option<String>,
    clicked_at: Option<Timestamp>,
    /// The click's ID, which the caller may choose in test mode only.
    pub(crate) click_id: Option<ClickId>,
}

impl ClickBody {
    pub(crate) fn read(mut fields: Fields, mode: Mode) -> Result<Self, Problem> {
        for name in ["clicked_at", "click_id"] {
            if mode == Mode::Live && fields.has(name) {
                fields.note(name, "can be set in test mode only");
            }
        }
        let body = Self {
            link_id: fields.take("link_id", text(1..=64)),
            program_id: fields.take("program_id", text(1..=64)),
            partner_id: fields.take("partner_id", text(1..=64)),
            clicked_at: fields.take("clicked_at", moment),
            click_id: fields.take("click_id", click_id),
        };
        match (&body.link_id, &body.program_id, &body.partner_id) {
            (Some(_), None, None) | (None, Some(_), Some(_)) => {}
            (Some(_), _, _) => fields.note("link_id", "must be sent alone: it names program and partner"),
            (None, None, None) => fields.note("link_id", "is required, or program_id and partner_id"),
            (None, None, Some(_)) => fields.note("program_id", "is required with partner_id"),
            (None, Some(_), None) => fields.note("partner_id", "is required with program_id"),
        }
        fields.finish()?;
        Ok(body)
    }
}

fn click_id(value: &Value) -> Result<ClickId, Wrong> {
    let id = value.as_str().and_then(|text| ClickId::parse(text).ok());
    id.ok_or_else(|| "must be 1 to 200 letters, digits, hyphens and underscores".to_owned())
}

/// Records the click of a body, whatever the status of its program or enrollment: eligibility is decided at
/// the payment.
pub(crate) fn record(rows: Rows<'_>, trac: &Trac, body: ClickBody) -> Result<Value, Problem> {
    let (program_id, partner_id) = match &body.link_id {
        Some(link_id) => {
            let link = LINKS.find(rows, trac, link_id)?;
            let named = |name| link.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            (named("program_id"), named("partner_id"))
        }
        None => (body.program_id.unwrap_or_default(), body.partner_id.unwrap_or_default()),
    };
    PROGRAMS.find(rows, trac, &program_id)?;
    PARTNERS.find(rows, trac, &partner_id)?;
    let now = trac.clock.now();
    let click = NewClick {
        id: body.click_id.unwrap_or_else(|| ClickId::new(now.unix_secs(), random_bits())),
        program_id: program_id.into(),
        partner_id: partner_id.into(),
        link_id: body.link_id.map(Into::into),
        clicked_at: body.clicked_at.unwrap_or(now),
        is_unique: Some(true),
        visitor: None,
        last_click: None,
        referrer: None,
        landing_url: None,
    };
    recorder::insert(rows, &click).map_err(click_exists)?;
    CLICKS.find(rows, trac, click.id.as_str())
}

fn click_exists(error: StoreError) -> Problem {
    if error.kind() == StoreErrorKind::Conflict {
        return Problem::conflict("CLICK_EXISTS", "There is a click with this ID already.");
    }
    error.into()
}
