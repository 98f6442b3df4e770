//! One merchant of a house: set up, sent events, and compared with the model.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::stripe_events::{Selected, StripeEvent};
use super::truth::{Payment, Truth};
use crate::chance::Chance;
use crate::house::{House, Keys};

/// A merchant, what really happened to it, and its IDs in the house.
pub(super) struct Shop {
    pub(super) keys: Keys,
    pub(super) truth: Truth,
    pub(super) selected: Selected,
    /// A second endpoint that receives every event in the other form.
    pub(super) second: Option<String>,
    /// The valid signing secrets.
    pub(super) secrets: Vec<String>,
    program: String,
    partners: Vec<String>,
}

/// The ledger entries of a shop by ID, as the API returned them.
pub(super) type Entries = BTreeMap<String, Value>;

impl Shop {
    pub(super) async fn open(house: &House, chance: &mut Chance, name: &str, truth: Truth) -> Self {
        let keys = house.merchant(name).await;
        let program = house.make(&keys, "/programs", truth.rules.to_json()).await;
        let mut partners = Vec::new();
        for partner in &truth.partners {
            let body = json!({"name": "A partner", "email": partner.email});
            let id = house.make(&keys, "/partners", body).await;
            let status = if partner.approved { "approved" } else { "suspended" };
            let mut enrolled = json!({"program_id": program, "partner_id": id, "status": status});
            if let Some(own) = partner.own {
                enrolled["commission"] = own.to_json();
            }
            house.make(&keys, "/enrollments", enrolled).await;
            partners.push(id);
        }
        for click in &truth.clicks {
            let partner = partners.get(click.partner).expect("a partner");
            let at = trac_core::time::Timestamp::from_unix_secs(click.at).to_rfc3339();
            let body =
                json!({"program_id": program, "partner_id": partner, "click_id": click.id, "clicked_at": at});
            house.make(&keys, "/clicks", body).await;
        }
        let secrets = vec![format!("whsec_{name}_1")];
        house.set_secrets(&keys, &keys.endpoint, &secrets).await;
        let mut second = None;
        if chance.percent(25) {
            let body = json!({ "signing_secrets": secrets });
            second = Some(house.make(&keys, "/webhook-endpoints", body).await);
        }
        let selected = Selected::random(chance);
        Self { keys, truth, selected, second, secrets, program, partners }
    }

    /// Changes the program's rate.
    pub(super) async fn revise(&self, house: &House, bps: i64) {
        let body = json!({"commission": {"type": "percentage", "rate_bps": bps}});
        let path = format!("/programs/{}", self.program);
        let (status, answer) = house.call(&self.keys, "PATCH", &path, &body).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// Sets the signing secrets of both endpoints.
    pub(super) async fn set_secrets(&mut self, house: &House, secrets: Vec<String>) {
        for endpoint in [Some(&self.keys.endpoint), self.second.as_ref()].into_iter().flatten() {
            house.set_secrets(&self.keys, endpoint, &secrets).await;
        }
        self.secrets = secrets;
    }

    /// Delivers an event to the first endpoint, and in the other form to the second.
    pub(super) async fn deliver(
        &self,
        house: &House,
        chance: &mut Chance,
        event: &StripeEvent,
    ) -> Result<(), String> {
        if chance.percent(3) {
            let wrong = ["whsec_of_another_endpoint".to_owned()];
            let (status, answer) =
                house.deliver(&self.keys.endpoint, event.body(self.selected.old), &wrong).await;
            if status != 401 {
                return Err(format!("{} under a wrong secret: {status} {answer}", event.id));
            }
        }
        let both = chance.percent(50);
        let secrets = if both { self.secrets.clone() } else { vec![chance.pick(&self.secrets)] };
        let mut posts = vec![(&self.keys.endpoint, self.selected.old)];
        posts.extend(self.second.as_ref().map(|second| (second, !self.selected.old)));
        chance.shuffle(&mut posts);
        for (endpoint, old) in posts {
            let (status, answer) = house.deliver(endpoint, event.body(old), &secrets).await;
            let outcome = answer.pointer("/outcome").and_then(Value::as_str).unwrap_or_default();
            if status != 200
                || outcome == "failed"
                || (!event.livemode && answer["reason"] == "mode_mismatch")
            {
                return Err(format!("{}: {status} {answer}", event.id));
            }
        }
        Ok(())
    }

    /// Compares each payment's commissions with the model, and returns all entries.
    pub(super) async fn compare(&self, house: &House) -> Result<Entries, String> {
        let commissions = house.all(&self.keys, "/commissions").await;
        let mut found: BTreeMap<(String, String, String), i64> = BTreeMap::new();
        let mut entries = Entries::new();
        for commission in &commissions {
            let owner = self.owner(commission).ok_or_else(|| format!("no payment of {commission}"))?;
            entries.extend(self.entries(house, commission).await?);
            let key = (owner.name.clone(), text(commission, "/partner_id"), text(commission, "/currency"));
            *found.entry(key).or_default() += number(commission, "/net_minor");
        }
        found.retain(|_, net| *net != 0);
        let mut want = BTreeMap::new();
        for payment in &self.truth.payments {
            let Some(expected) = self.truth.expected(payment).filter(|one| one.net != 0) else { continue };
            let partner = self.partners.get(expected.partner).expect("a partner").clone();
            want.insert((payment.name.clone(), partner, expected.currency.to_owned()), expected.net);
        }
        if found == want {
            return Ok(entries);
        }
        let wrong = |payment: &&Payment| {
            let of = |sums: &BTreeMap<(String, String, String), i64>| {
                let own = sums.iter().filter(|((name, ..), _)| *name == payment.name);
                own.map(|((_, partner, currency), net)| (partner.clone(), currency.clone(), *net))
                    .collect::<Vec<_>>()
            };
            of(&found) != of(&want)
        };
        let payments: Vec<_> = self.truth.payments.iter().filter(wrong).collect();
        Err(format!(
            "found {found:?}\n wanted {want:?}\n rules {:?} selected {:?}\n payments {payments:#?}\n subscriptions {:?}\n \
             clicks {:?} partners {:?}",
            self.truth.rules, self.selected, self.truth.subscriptions, self.truth.clicks, self.truth.partners
        ))
    }

    /// The payment of a commission.
    fn owner(&self, commission: &Value) -> Option<&Payment> {
        let ids = commission.pointer("/stripe")?.as_object()?;
        let names: Vec<&str> = ["checkout_session", "invoice", "payment_intent", "charge"]
            .into_iter()
            .filter_map(|field| ids.get(field)?.as_str()?.split_once('_'))
            .map(|(_, name)| name)
            .collect();
        self.truth.payments.iter().find(|payment| names.contains(&payment.name.as_str()))
    }

    /// The entries of a commission, whose sum must be the commission.
    async fn entries(&self, house: &House, commission: &Value) -> Result<Entries, String> {
        let rows = house.all(&self.keys, &format!("/commissions/{}/entries", text(commission, "/id"))).await;
        let sum = |kinds: [&str; 2]| -> i64 {
            let own = rows.iter().filter(|row| kinds.contains(&text(row, "/kind").as_str()));
            own.map(|row| number(row, "/amount_minor")).sum()
        };
        let (earned, back) = (sum(["earn", "adjust"]), -sum(["reverse", "restore"]));
        let amount = number(commission, "/amount_minor");
        let stated = (amount, number(commission, "/reversed_minor"), number(commission, "/net_minor"));
        if stated != (earned, back, earned - back) || back < 0 || back > earned {
            return Err(format!("entries {rows:?} are not {commission}"));
        }
        if rows.iter().any(|row| number(row, "/amount_minor") == 0) {
            return Err(format!("an entry of zero in {commission}"));
        }
        // `payout_id` is set later, so it is not compared.
        let without_payout = |mut row: Value| {
            row.as_object_mut().map(|row| row.remove("payout_id"));
            (text(&row, "/id"), row)
        };
        Ok(rows.into_iter().map(without_payout).collect())
    }

    /// Pays every partner what is due, and checks the sums against the model's.
    pub(super) async fn pay_out(&self, house: &House) -> Result<(), String> {
        for (n, partner) in self.partners.iter().enumerate() {
            for currency in ["usd", "eur", "jpy"] {
                let all = self.truth.payments.iter().filter_map(|payment| self.truth.expected(payment));
                let own = all.filter(|one| one.partner == n && one.currency == currency && !one.held);
                let due: i64 = own.map(|one| one.net).sum();
                let body = json!({"partner_id": partner, "currency": currency});
                let (status, answer) = house.call(&self.keys, "POST", "/payouts", &body).await;
                let paid = if status == 201 { number(&answer, "/amount_minor") } else { 0 };
                if paid != due {
                    return Err(format!("a payout of {paid} {currency}, due were {due}: {status} {answer}"));
                }
            }
        }
        Ok(())
    }

    /// Checks that each balance is the earned commissions minus the payouts, and negative only after a
    /// payout.
    pub(super) async fn check_balances(&self, house: &House) -> Result<(), String> {
        for row in house.all(&self.keys, "/balances").await {
            let (partner, currency) = (text(&row, "/partner_id"), text(&row, "/currency"));
            let expected: i64 = self
                .truth
                .payments
                .iter()
                .filter_map(|payment| self.truth.expected(payment))
                .filter(|one| self.partners.get(one.partner) == Some(&partner) && one.currency == currency)
                .map(|one| one.net)
                .sum();
            let [pending, claimed, owed, paid] =
                ["/pending_minor", "/claimed_minor", "/owed_minor", "/paid_minor"]
                    .map(|field| number(&row, field));
            if pending + claimed + owed + paid != expected || (owed < 0 && paid == 0) || pending < 0 {
                return Err(format!("expected a sum of {expected}, but the balance is {row}"));
            }
        }
        Ok(())
    }
}

fn text(row: &Value, pointer: &str) -> String {
    row.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn number(row: &Value, pointer: &str) -> i64 {
    row.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
}
