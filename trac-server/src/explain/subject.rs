//! What an ID or e-mail address means here: the click, and the payments it leads to.

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::store::{Scope, StoreError};

/// Stories are told of at most so many payments.
const PAYMENTS_MAX: u32 = 20;

/// What is asked about.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) id: String,
    pub(super) kind: &'static str,
    /// The click, where the ID is one.
    pub(super) click_id: Option<String>,
    /// The payments it leads to, newest first.
    pub(super) payments: Vec<String>,
    /// Our IDs of the events it leads to, newest first.
    pub(super) events: Vec<String>,
}

impl Subject {
    /// Whether the ID is of our own making and not known in this workspace and mode.
    pub(super) fn is_unknown_here(&self) -> bool {
        let ours = ["payment", "commission", "event log row", "click", "other"].contains(&self.kind);
        ours && self.payments.is_empty() && self.events.is_empty() && self.click_id.is_none()
    }
}

/// What kind of ID it is by its form.
fn kind(id: &str) -> &'static str {
    let prefixes = [
        ("evt_", "event"),
        ("evl_", "event log row"),
        ("cs_", "checkout session"),
        ("pi_", "payment intent"),
        ("ch_", "charge"),
        ("py_", "charge"),
        ("in_", "invoice"),
        ("re_", "refund"),
        ("pyr_", "refund"),
        ("dp_", "dispute"),
        ("du_", "dispute"),
        ("sub_", "subscription"),
        ("cus_", "customer"),
        ("pay_", "payment"),
        ("com_", "commission"),
        // What is set up rather than happens has no story.
        ("prog_", "other"),
        ("part_", "other"),
        ("enr_", "other"),
        ("link_", "other"),
        ("we_", "other"),
        ("ws_", "other"),
        ("po_", "other"),
    ];
    let known = prefixes.into_iter().find(|(prefix, _)| id.starts_with(prefix));
    known.map_or(if id.contains('@') { "e-mail address" } else { "click" }, |(_, kind)| kind)
}

pub(super) fn find(connection: &Connection, scope: &Scope, id: &str) -> Result<Subject, StoreError> {
    let kind = kind(id);
    let all = |sql: &str| -> Result<Vec<String>, StoreError> {
        let mut statement = connection.prepare_cached(sql)?;
        let key = params![scope.workspace_id(), scope.mode_str(), id, PAYMENTS_MAX];
        Ok(statement.query_map(key, |row| row.get(0))?.collect::<Result<_, _>>()?)
    };
    let (mut click_id, mut events) = (None, Vec::new());
    let payments = match kind {
        "event" | "event log row" => {
            events = all("SELECT id FROM event WHERE workspace_id = ?1 AND mode = ?2 \
                          AND (id = ?3 OR stripe_event_id = ?3) LIMIT ?4")?;
            all("SELECT p.id FROM event AS e JOIN payment AS p ON p.workspace_id = e.workspace_id \
                 AND p.mode = e.mode AND (p.id = e.subject_id OR p.subscription_id = e.subject_id) \
                 WHERE e.workspace_id = ?1 AND e.mode = ?2 AND (e.id = ?3 OR e.stripe_event_id = ?3) \
                 ORDER BY p.id DESC LIMIT ?4")?
        }
        "subscription" => of_payments(&all, "subscription_id = ?3")?,
        "customer" => of_payments(&all, "customer_id = ?3")?,
        "payment" => of_payments(&all, "id = ?3")?,
        "commission" => all("SELECT payment_id FROM commission \
                             WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3 LIMIT ?4")?,
        // Addresses stand in the facts as JSON strings, in whatever case they were typed.
        "e-mail address" => of_payments(&all, "instr(lower(facts), lower('\"' || ?3 || '\"')) > 0")?,
        "click" => {
            click_id = click(connection, scope, id)?;
            of_payments(
                &all,
                "(decision ->> '$.attribution.click_id' = ?3 \
                 OR EXISTS (SELECT 1 FROM json_each(decision, '$.candidates') WHERE value ->> '$.value' = ?3))",
            )?
        }
        _ => all("SELECT payment_id FROM payment_object \
                  WHERE workspace_id = ?1 AND mode = ?2 AND stripe_id = ?3 LIMIT ?4")?,
    };
    if events.is_empty() {
        events = all("SELECT id FROM event WHERE workspace_id = ?1 AND mode = ?2 AND object_id = ?3 \
                      ORDER BY id DESC LIMIT ?4")?;
    }
    Ok(Subject { id: id.to_owned(), kind, click_id, payments, events })
}

fn of_payments(
    all: &impl Fn(&str) -> Result<Vec<String>, StoreError>,
    condition: &str,
) -> Result<Vec<String>, StoreError> {
    all(&format!(
        "SELECT id FROM payment WHERE workspace_id = ?1 AND mode = ?2 AND {condition} ORDER BY id DESC LIMIT ?4"
    ))
}

fn click(connection: &Connection, scope: &Scope, id: &str) -> Result<Option<String>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT id FROM click WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3")?;
    let key = params![scope.workspace_id(), scope.mode_str(), id];
    Ok(statement.query_row(key, |row| row.get(0)).optional()?)
}
