//! The rows that pages show, read by column. Each function is one statement.
//!
//! Columns and conditions are those of the API's resources, so that a page and a list always show the same values.

use std::collections::BTreeMap;

use trac_core::time::Timestamp;

use crate::click::{CLICKS, link_path};
use crate::commission::{BALANCES, COMMISSIONS, ENTRIES};
use crate::store::StoreError;
use crate::store::rows::{Arg, Engine, Row, Rows, ToArg as _, args, places};
use crate::web::{Amount, Code, Moment};
use crate::webhook::{EVENTS, Shown};

/// How many rows of each kind a page shows.
pub(super) const ROWS: usize = 30;
/// How many entries of one commission a page shows.
const ENTRIES_OF_ONE: usize = 100;

/// The number of rows of each kind.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) clicks: i64,
    pub(super) events: i64,
    /// The payments and leads that are credited to a click.
    pub(super) credited: i64,
    /// The payments and leads that are not credited to a click.
    pub(super) uncredited: i64,
    pub(super) commissions: i64,
}

/// Counts the rows of the scope.
pub(super) fn counts(rows: Rows<'_>) -> Result<Counts, StoreError> {
    let sql = "SELECT (SELECT coalesce(sum(clicks), 0) FROM click_day WHERE key = 0 \
         AND scope = (SELECT no FROM scope WHERE workspace_id = ?1 AND mode = ?2)) AS clicks, \
         (SELECT coalesce(sum(rows), 0) FROM event_count WHERE workspace_id = ?1 AND mode = ?2) AS events, \
         (SELECT coalesce(sum(rows), 0) FROM commission_count WHERE workspace_id = ?1 AND mode = ?2) AS commissions, \
         coalesce(sum(rows) FILTER (WHERE is_credited), 0) AS credited, \
         coalesce(sum(rows) FILTER (WHERE NOT is_credited), 0) AS uncredited \
         FROM payment_count WHERE workspace_id = ?1 AND mode = ?2";
    let counts = rows.one(sql, &[], |row| {
        Ok(Counts {
            clicks: row.get("clicks")?,
            events: row.get("events")?,
            credited: row.get("credited")?,
            uncredited: row.get("uncredited")?,
            commissions: row.get("commissions")?,
        })
    });
    Ok(counts?.unwrap_or_default())
}

/// The balance of a partner in one currency.
#[derive(Debug)]
pub(super) struct Balance {
    pub(super) partner: String,
    pub(super) pending: Amount,
    pub(super) claimed: Amount,
    pub(super) approved: Amount,
    pub(super) paid: Amount,
    pub(super) owed: Amount,
}

/// The balances of the newest partners, and whether there are more.
pub(super) fn balances(rows: Rows<'_>, now: Timestamp) -> Result<(Vec<Balance>, bool), StoreError> {
    let sql = format!(
        "SELECT {}, coalesce(a.name, b.partner_id) AS partner FROM {} LEFT JOIN partner AS a ON a.workspace_id = ?1 \
         AND a.mode = ?2 AND a.id = b.partner_id WHERE {} ORDER BY b.partner_id DESC, b.currency DESC LIMIT {}",
        BALANCES.columns,
        BALANCES.from,
        BALANCES.within,
        ROWS.saturating_add(1)
    );
    let mut balances = rows.all(&sql, args![now], |row| {
        let approved: i64 = row.get("approved_minor")?;
        let currency: String = row.get("currency")?;
        let amount = |minor| Amount::new(minor, &currency);
        Ok(Balance {
            partner: row.get("partner")?,
            pending: amount(row.get("pending_minor")?),
            claimed: amount(row.get("claimed_minor")?),
            approved: amount(approved),
            paid: amount(row.get("paid_minor")?),
            owed: amount(approved.saturating_add(row.get("unpaid_of_paid_minor")?)),
        })
    })?;
    let has_more = balances.len() > ROWS;
    balances.truncate(ROWS);
    Ok((balances, has_more))
}

/// What is due to all partners in one currency, and what is pending.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) currency: String,
    pub(super) owed_minor: i64,
    pub(super) pending_minor: i64,
}

/// The sums of all balances, by currency.
pub(super) fn due(rows: Rows<'_>, now: Timestamp) -> Result<Vec<Due>, StoreError> {
    // PostgreSQL calls the function behind `sum_minor` for each row.
    let difference = "amount_minor - reversed_minor";
    let sum = match rows.everywhere().engine() {
        Engine::Sqlite => format!("sum_minor({difference})"),
        Engine::Postgres => format!("clamp_minor(sum({difference}))"),
    };
    let sql = format!(
        "SELECT b.currency, b.open_minor, b.held_minor, b.unpaid_minor, coalesce(i.immature_minor, 0) AS immature_minor \
         FROM (SELECT currency, sum_minor(open_minor) AS open_minor, sum_minor(held_minor) AS held_minor, \
         sum_minor(sub_minor(of_paid_minor, paid_minor)) AS unpaid_minor FROM balance \
         WHERE workspace_id = ?1 AND mode = ?2 GROUP BY currency) AS b \
         LEFT JOIN (SELECT currency, {sum} AS immature_minor FROM commission \
         WHERE workspace_id = ?1 AND mode = ?2 AND state = 'open' AND matures_at > ?3 GROUP BY currency) AS i \
         ON i.currency = b.currency ORDER BY b.currency"
    );
    rows.all(&sql, args![now], |row| {
        let immature: i64 = row.get("immature_minor")?;
        let mature = row.get::<i64>("open_minor")?.saturating_sub(immature);
        Ok(Due {
            currency: row.get("currency")?,
            owed_minor: mature.saturating_add(row.get("unpaid_minor")?),
            pending_minor: row.get::<i64>("held_minor")?.saturating_add(immature),
        })
    })
}

/// A click.
#[derive(Debug)]
pub(super) struct Click {
    pub(super) id: String,
    pub(super) at: Moment,
    pub(super) partner: String,
    /// The path of the link that was followed.
    pub(super) path: Option<String>,
    pub(super) referrer: Option<String>,
    pub(super) is_unique: bool,
}

/// The newest clicks.
pub(super) fn clicks(rows: Rows<'_>) -> Result<Vec<Click>, StoreError> {
    let sql = format!(
        "SELECT {}, coalesce(a.name, of_partner.id) AS partner, l.slug FROM {} \
         LEFT JOIN partner AS a ON a.workspace_id = ?1 AND a.mode = ?2 AND a.id = of_partner.id \
         LEFT JOIN link AS l ON l.workspace_id = ?1 AND l.mode = ?2 AND l.id = of_link.id \
         WHERE {} ORDER BY c.clicked_at DESC, c.id DESC LIMIT {ROWS}",
        CLICKS.columns, CLICKS.from, CLICKS.within
    );
    rows.all(&sql, &[], |row| {
        let slug: Option<String> = row.get("slug")?;
        Ok(Click {
            id: row.get("id")?,
            at: Moment(row.get("clicked_at")?),
            partner: row.get("partner")?,
            path: slug.map(|slug| link_path(rows.scope().mode(), &slug)),
            referrer: row.get("referrer")?,
            is_unique: row.get("is_unique")?,
        })
    })
}

/// An event from Stripe, and its outcome.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) at: Moment,
    pub(super) kind: Option<String>,
    pub(super) stripe_event_id: Option<String>,
    pub(super) outcome: String,
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) deliveries: i64,
}

impl Event {
    /// The outcome as a sentence.
    pub(super) fn words(&self) -> &str {
        if self.message.is_empty() { self.code.words() } else { &self.message }
    }
}

/// The newest events, as they are shown at `now`.
pub(super) fn events(rows: Rows<'_>, now: Timestamp) -> Result<Vec<Event>, StoreError> {
    let sql = format!(
        "SELECT {} FROM {} WHERE {} ORDER BY e.id DESC LIMIT {ROWS}",
        EVENTS.columns, EVENTS.from, EVENTS.within
    );
    rows.all(&sql, &[], |row| {
        let (outcome, reason): (String, String) = (row.get("outcome")?, row.get("reason")?);
        let (message, received_at): (String, Timestamp) = (row.get("message")?, row.get("received_at")?);
        let shown = Shown::of(&outcome, &reason, &message, now.secs_since(received_at));
        Ok(Event {
            id: row.get("id")?,
            at: Moment(received_at),
            kind: row.get("type")?,
            stripe_event_id: row.get("stripe_event_id")?,
            outcome: shown.outcome.to_owned(),
            code: Code(shown.reason.to_owned()),
            message: shown.message.to_owned(),
            deliveries: row.get("deliveries")?,
        })
    })
}

/// A commission with its entries.
#[derive(Debug)]
pub(super) struct Commission {
    pub(super) id: String,
    pub(super) at: Moment,
    pub(super) partner: String,
    pub(super) source: String,
    pub(super) month: Option<i64>,
    pub(super) status: String,
    pub(super) net: Amount,
    /// The base that the commission was computed from; zero for a lead.
    pub(super) base: Amount,
    pub(super) reversed: Amount,
    pub(super) matures_at: Moment,
    pub(super) code: Code,
    pub(super) click_id: String,
    /// The IDs of Stripe's objects, by type.
    pub(super) stripe: BTreeMap<String, String>,
    /// Newest first.
    pub(super) entries: Vec<Entry>,
}

impl Commission {
    pub(super) fn is_reversed(&self) -> bool {
        self.status == "reversed"
    }

    /// The reason of the commission; if all of it was taken back, the reason of that entry.
    pub(super) fn reason(&self) -> &Code {
        let taken_back = self.entries.iter().find(|entry| entry.amount.is_negative());
        taken_back.filter(|_| self.is_reversed()).map_or(&self.code, |entry| &entry.code)
    }
}

/// The newest commissions with their status at `now`, and the entries of each. Always two statements.
pub(super) fn commissions(rows: Rows<'_>, now: Timestamp) -> Result<Vec<Commission>, StoreError> {
    let sql = format!(
        "SELECT {}, coalesce(a.name, c.partner_id) AS partner FROM {} \
         LEFT JOIN partner AS a ON a.workspace_id = c.workspace_id AND a.mode = c.mode AND a.id = c.partner_id \
         WHERE {} ORDER BY c.id DESC LIMIT {ROWS}",
        COMMISSIONS.columns, COMMISSIONS.from, COMMISSIONS.within
    );
    let mut commissions = rows.all(&sql, args![now], read_commission)?;
    let ids: Vec<_> = commissions.iter().map(|commission| commission.id.as_str()).collect();
    let mut entries = entries(rows, &ids)?;
    for commission in &mut commissions {
        commission.entries = entries.remove(&commission.id).unwrap_or_default();
    }
    Ok(commissions)
}

fn read_commission(row: &Row<'_>) -> Result<Commission, StoreError> {
    let currency: String = row.get("currency")?;
    let amount = |minor| Amount::new(minor, &currency);
    let stripe: BTreeMap<String, Option<String>> = row.document("stripe")?;
    let stripe = stripe.into_iter().filter_map(|(kind, id)| Some((kind.replace('_', " "), id?)));
    Ok(Commission {
        id: row.get("id")?,
        at: Moment(row.get("created_at")?),
        partner: row.get("partner")?,
        source: row.get("source")?,
        month: row.get("recurring_month")?,
        status: row.get("status")?,
        net: amount(row.get("net_minor")?),
        base: amount(row.get("base_minor")?),
        reversed: amount(row.get("reversed_minor")?),
        matures_at: Moment(row.get("matures_at")?),
        code: Code(row.get("reason")?),
        click_id: row.get("click_id")?,
        stripe: stripe.collect(),
        entries: Vec::new(),
    })
}

/// An entry of the ledger.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) at: Moment,
    pub(super) kind: String,
    pub(super) amount: Amount,
    pub(super) code: Code,
    pub(super) is_paid: bool,
}

/// The newest entries of these commissions, by commission ID.
fn entries(rows: Rows<'_>, commission_ids: &[&str]) -> Result<BTreeMap<String, Vec<Entry>>, StoreError> {
    let mut found: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    if commission_ids.is_empty() {
        return Ok(found);
    }
    let ids: Vec<Arg<'_>> = commission_ids.iter().map(|id| id.to_arg()).collect();
    rows.each(&entries_sql(ids.len()), &ids, |row| {
        let currency: String = row.get("currency")?;
        let entry = Entry {
            at: Moment(row.get("at")?),
            kind: row.get("kind")?,
            amount: Amount::new(row.get("amount_minor")?, &currency),
            code: Code(row.get("reason")?),
            is_paid: row.get::<Option<String>>("payout_id")?.is_some(),
        };
        found.entry(row.get("commission_id")?).or_default().push(entry);
        Ok(())
    })?;
    Ok(found)
}

/// The statement that reads the entries of this many commissions.
pub(super) fn entries_sql(commissions: usize) -> String {
    format!(
        "SELECT * FROM (SELECT {}, row_number() OVER (PARTITION BY n.commission_id ORDER BY n.id DESC) AS place \
         FROM {} WHERE {} AND n.commission_id IN ({})) AS ranked WHERE ranked.place <= {ENTRIES_OF_ONE} \
         ORDER BY ranked.id DESC",
        ENTRIES.columns,
        ENTRIES.from,
        ENTRIES.within,
        places(3, commissions)
    )
}
