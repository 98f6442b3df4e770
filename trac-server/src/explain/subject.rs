//! Looks up an ID or e-mail address: its click, payments and events.

use serde_json::Value;
use trac_core::webhook::report::transaction_id;

use crate::store::StoreError;
use crate::store::rows::{Rows, args};

/// The maximum number of payments in a response.
const PAYMENTS_MAX: u32 = 20;

macro_rules! kinds {
    ($($variant:ident = $words:literal $($prefix:literal)*;)+) => {
        /// The kind of object that an ID belongs to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Kind {
            $($variant,)+
        }

        impl Kind {
            /// The name of the kind for people.
            pub(super) const fn words(self) -> &'static str {
                match self { $(Self::$variant => $words,)+ }
            }

            /// The kind by the ID's prefix.
            fn by_form(id: &str) -> Option<Self> {
                let prefixes = [$($(($prefix, Self::$variant),)*)+];
                prefixes.into_iter().find(|(prefix, _)| id.starts_with(prefix)).map(|(_, kind)| kind)
            }
        }
    };
}

kinds! {
    Event = "event" "evt_";
    LogRow = "event log row" "evl_";
    Session = "checkout session" "cs_";
    PaymentIntent = "payment intent" "pi_";
    Charge = "charge" "ch_" "py_";
    Invoice = "invoice" "in_";
    Refund = "refund" "re_" "pyr_";
    Dispute = "dispute" "dp_" "du_";
    Subscription = "subscription" "sub_";
    Customer = "customer" "cus_";
    Payment = "payment" "pay_";
    Commission = "commission" "com_";
    Entry = "ledger entry" "ent_";
    Attribution = "decision" "att_";
    Lead = "lead" "lead_";
    Report = "reported conversion" "rep_";
    Adjustment = "adjustment" "adj_";
    Payout = "payout" "po_";
    Link = "link" "link_";
    Partner = "partner" "part_";
    Enrollment = "enrollment" "enr_";
    Program = "program" "prog_";
    Endpoint = "webhook endpoint" "we_";
    Other = "other" "ws_" "key_" "ref_";
    Email = "e-mail address";
    Transaction = "transaction";
    Click = "click" "clk_";
}

/// The object that was looked up.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) id: String,
    pub(super) kind: Kind,
    /// The ID of an object that the merchant made: a link, a partner, a payout.
    pub(super) made_id: Option<String>,
    /// The click, if the ID is a known click ID.
    pub(super) click_id: Option<String>,
    /// Its payments, newest first.
    pub(super) payments: Vec<String>,
    /// trac's IDs of its events, newest first.
    pub(super) events: Vec<String>,
}

impl Subject {
    /// Whether the store contains anything about it.
    pub(super) const fn is_found(&self) -> bool {
        !self.payments.is_empty()
            || !self.events.is_empty()
            || self.click_id.is_some()
            || self.made_id.is_some()
    }

    /// Whether the ID is not found in this workspace and mode and does not have the form of a Stripe ID or
    /// e-mail address. An unknown ID of Stripe's still has a story: why it is not known.
    pub(super) const fn is_unknown_here(&self) -> bool {
        let is_of_stripe = matches!(
            self.kind,
            Kind::Event
                | Kind::Session
                | Kind::PaymentIntent
                | Kind::Charge
                | Kind::Invoice
                | Kind::Refund
                | Kind::Dispute
                | Kind::Subscription
                | Kind::Customer
                | Kind::Email
        );
        !is_of_stripe && !self.is_found()
    }

    /// Whether this event of the log is the one that was looked up.
    pub(super) fn names(&self, event: &Value) -> bool {
        event["id"] == *self.id || event["stripe_event_id"] == *self.id
    }
}

pub(super) fn find(rows: Rows<'_>, id: &str) -> Result<Subject, StoreError> {
    let finding = Finding { rows };
    // No ID contains `@`, but an address can begin like one: `in_love@example.com`.
    if id.contains('@') {
        return finding.email(id);
    }
    match Kind::by_form(id) {
        Some(Kind::Click) | None => finding.unprefixed(id),
        Some(kind) => finding.prefixed(id, kind),
    }
}

/// Looks up IDs in these rows.
struct Finding<'a> {
    rows: Rows<'a>,
}

impl Finding<'_> {
    /// The first column of a query with one text, at most [`PAYMENTS_MAX`] rows.
    fn all(&self, sql: &str, id: &str) -> Result<Vec<String>, StoreError> {
        self.rows.all(sql, args![id, PAYMENTS_MAX], |row| row.get(0))
    }

    /// The first column of the first row of a query with one text.
    fn one(&self, sql: &str, id: &str) -> Result<Option<String>, StoreError> {
        self.rows.one(sql, args![id], |row| row.get(0))
    }

    fn payments(&self, condition: &str, id: &str) -> Result<Vec<String>, StoreError> {
        let sql = format!(
            "SELECT p.id FROM payment AS p WHERE p.workspace_id = ?1 AND p.mode = ?2 AND {condition} \
             ORDER BY p.id DESC LIMIT ?4"
        );
        self.all(&sql, id)
    }

    fn of_object(&self, stripe_id: &str) -> Result<Vec<String>, StoreError> {
        self.payments(
            "p.id IN (SELECT o.payment_id FROM payment_object AS o WHERE o.workspace_id = ?1 AND o.mode = ?2 \
             AND o.stripe_id = ?3)",
            stripe_id,
        )
    }

    fn prefixed(&self, id: &str, kind: Kind) -> Result<Subject, StoreError> {
        if let Some(subject) = self.set_up(id, kind)? {
            return Ok(subject);
        }
        if matches!(kind, Kind::Event | Kind::LogRow) {
            return self.event(id, kind);
        }
        let payments = match kind {
            Kind::Subscription => self.payments("p.subscription_id = ?3", id)?,
            Kind::Customer => self.payments("p.customer_id = ?3", id)?,
            Kind::Payment => {
                let own = self.payments("p.id = ?3", id)?;
                if own.is_empty() { self.of_object(id)? } else { own }
            }
            Kind::Commission => self.all(
                "SELECT payment_id FROM commission WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3 LIMIT ?4",
                id,
            )?,
            Kind::Entry => self.all(
                "SELECT c.payment_id FROM ledger_entry AS n JOIN commission AS c ON c.workspace_id = n.workspace_id \
                 AND c.mode = n.mode AND c.id = n.commission_id \
                 WHERE n.workspace_id = ?1 AND n.mode = ?2 AND n.id = ?3 LIMIT ?4",
                id,
            )?,
            Kind::Attribution => self.all(
                "SELECT payment_id FROM attribution WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3 LIMIT ?4",
                id,
            )?,
            Kind::Report => self.all(
                "SELECT conversion_id FROM report WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3 LIMIT ?4",
                id,
            )?,
            Kind::Other => Vec::new(),
            _ => self.of_object(id)?,
        };
        Ok(Subject { payments, events: self.about(id)?, ..Subject::bare(id, kind) })
    }

    fn event(&self, id: &str, kind: Kind) -> Result<Subject, StoreError> {
        let events = self.all(
            "SELECT id FROM event WHERE workspace_id = ?1 AND mode = ?2 \
             AND (id = ?3 OR stripe_event_id = ?3) LIMIT ?4",
            id,
        )?;
        let payments = self.all(
            "SELECT p.id FROM event AS e JOIN payment AS p ON p.workspace_id = e.workspace_id \
             AND p.mode = e.mode AND (p.id = e.subject_id OR p.subscription_id = e.subject_id) \
             WHERE e.workspace_id = ?1 AND e.mode = ?2 AND (e.id = ?3 OR e.stripe_event_id = ?3) \
             ORDER BY p.id DESC LIMIT ?4",
            id,
        )?;
        Ok(Subject { payments, events, ..Subject::bare(id, kind) })
    }

    /// An object that the merchant made, and the payments credited through it; `None` for other kinds.
    fn set_up(&self, id: &str, kind: Kind) -> Result<Option<Subject>, StoreError> {
        let (table, credited_by) = match kind {
            Kind::Payout => ("payout", None),
            Kind::Endpoint => ("webhook_endpoint", None),
            Kind::Link => ("link", Some("p.link_id = ?3")),
            Kind::Partner => ("partner", Some("p.partner_id = ?3")),
            Kind::Program => ("program", Some("p.program_id = ?3")),
            Kind::Enrollment => (
                "enrollment",
                Some(
                    "(p.program_id, p.partner_id) = (SELECT n.program_id, n.partner_id FROM enrollment AS n \
                     WHERE n.workspace_id = ?1 AND n.mode = ?2 AND n.id = ?3)",
                ),
            ),
            _ => return Ok(None),
        };
        let sql = format!("SELECT id FROM {table} WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3");
        let made_id = self.one(&sql, id)?;
        let payments = match credited_by {
            // Its payments have no index of their own, because the newest payments soon include some, if there are any.
            Some(_) if kind == Kind::Program && !self.has_payments(id)? => Vec::new(),
            Some(condition) => self.payments(condition, id)?,
            None => Vec::new(),
        };
        Ok(Some(Subject { made_id, payments, ..Subject::bare(id, kind) }))
    }

    /// Whether any payment is credited to a program.
    fn has_payments(&self, program_id: &str) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM payment_count WHERE workspace_id = ?1 AND mode = ?2 AND program_id = ?3 AND rows > 0";
        self.rows.exists(sql, args![program_id])
    }

    /// The events about an object.
    fn about(&self, id: &str) -> Result<Vec<String>, StoreError> {
        self.all(
            "SELECT id FROM event WHERE workspace_id = ?1 AND mode = ?2 AND object_id = ?3 \
             ORDER BY id DESC LIMIT ?4",
            id,
        )
    }

    /// An e-mail address of a buyer, lead or partner; upper and lower case are the same.
    fn email(&self, id: &str) -> Result<Subject, StoreError> {
        let payments = self.payments(
            "(p.id IN (SELECT a.named_by FROM address AS a WHERE a.workspace_id = ?1 AND a.mode = ?2 AND a.email = ?3) \
             OR p.customer_id IN (SELECT a.named_by FROM address AS a WHERE a.workspace_id = ?1 AND a.mode = ?2 AND a.email = ?3))",
            &id.to_lowercase(),
        )?;
        let partner = "SELECT id FROM partner WHERE workspace_id = ?1 AND mode = ?2 \
             AND email IS NOT NULL AND lower(email) = lower(?3)";
        match self.one(partner, id)? {
            Some(partner) if payments.is_empty() => {
                Ok(Subject { id: id.to_owned(), ..self.prefixed(&partner, Kind::Partner)? })
            }
            _ => Ok(Subject { payments, ..Subject::bare(id, Kind::Email) }),
        }
    }

    /// An ID without a prefix of trac's or Stripe's: tried as a click ID, the merchant's own ID of a customer
    /// or transaction, a link's slug and a partner's code, in this order.
    fn unprefixed(&self, id: &str) -> Result<Subject, StoreError> {
        let click = "SELECT id FROM click WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
        let click_id = self.one(click, id)?;
        let credited = self.payments(
            "(p.click_id = ?3 OR p.id IN (SELECT c.payment_id FROM candidate AS c \
             WHERE c.workspace_id = ?1 AND c.mode = ?2 AND c.value = ?3))",
            id,
        )?;
        if click_id.is_some() || !credited.is_empty() {
            return Ok(Subject { click_id, payments: credited, ..Subject::bare(id, Kind::Click) });
        }
        let of_customer = self.payments(
            "(p.id IN (SELECT x.named_by FROM external_customer AS x WHERE x.workspace_id = ?1 AND x.mode = ?2 \
             AND x.customer_external_id = ?3) \
             OR p.customer_id IN (SELECT x.named_by FROM external_customer AS x WHERE x.workspace_id = ?1 AND x.mode = ?2 \
             AND x.customer_external_id = ?3) \
             OR p.subscription_id IN (SELECT x.named_by FROM external_customer AS x WHERE x.workspace_id = ?1 AND x.mode = ?2 \
             AND x.customer_external_id = ?3))",
            id,
        )?;
        if !of_customer.is_empty() {
            return Ok(Subject { payments: of_customer, ..Subject::bare(id, Kind::Customer) });
        }
        let of_transaction = self.of_object(&transaction_id(id))?;
        if !of_transaction.is_empty() {
            return Ok(Subject { payments: of_transaction, ..Subject::bare(id, Kind::Transaction) });
        }
        let slug = "SELECT id FROM link WHERE workspace_id = ?1 AND mode = ?2 AND slug = ?3 ORDER BY id DESC LIMIT 1";
        let any_case = "SELECT id FROM link WHERE workspace_id = ?1 AND mode = ?2 AND lower(slug) = lower(?3) AND deleted_at IS NULL";
        let code = "SELECT id FROM partner WHERE workspace_id = ?1 AND mode = ?2 AND lower(code) = lower(?3)";
        for (sql, kind) in [(slug, Kind::Link), (any_case, Kind::Link), (code, Kind::Partner)] {
            if let Some(made_id) = self.one(sql, id)? {
                return Ok(Subject { id: id.to_owned(), ..self.prefixed(&made_id, kind)? });
            }
        }
        Ok(Subject::bare(id, Kind::Click))
    }
}

impl Subject {
    fn bare(id: &str, kind: Kind) -> Self {
        Self {
            id: id.to_owned(),
            kind,
            made_id: None,
            click_id: None,
            payments: Vec::new(),
            events: Vec::new(),
        }
    }
}
