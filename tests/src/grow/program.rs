//! The program of a grown store, its partners and their links.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::chance::Chance;
use crate::house::{House, Keys};

/// One visit of a link.
pub(super) struct Visit {
    pub(super) slug: String,
    pub(super) address: Ipv4Addr,
}

pub(super) struct Program {
    keys: Keys,
    partners: Vec<String>,
    /// The slugs of all links. Those of partners with many visitors come first.
    slugs: Vec<String>,
}

const CURRENCIES: [&str; 3] = ["usd", "eur", "jpy"];

impl Program {
    /// Creates a program, its partners, their enrollments and links.
    pub(super) async fn create(house: &House, keys: &Keys, chance: &mut Chance, partners: u64) -> Self {
        let terms = json!({
            "name": "Grown", "commission": {"type": "percentage", "rate_bps": 2_000}, "block_self_referral": true,
            "lead_amount_minor": 100, "lead_currency": "usd",
        });
        let program = house.make(keys, "/programs", terms).await;
        let mut made = Self { keys: keys.clone(), partners: Vec::new(), slugs: Vec::new() };
        for number in 0..partners.max(1) {
            let body = json!({"name": format!("Partner {number}"), "email": format!("partner{number}@blog.example")});
            let partner = house.make(keys, "/partners", body).await;
            let enrolled = json!({"program_id": program, "partner_id": partner, "status": "approved"});
            house.make(keys, "/enrollments", enrolled).await;
            let links = if chance.percent(10) { 2 } else { 1 };
            for link in 0..links {
                let slug = format!("p{number}-{link}");
                let body = json!({"program_id": program, "partner_id": partner, "slug": slug,
                    "destination": "https://shop.example/pricing"});
                house.make(keys, "/links", body).await;
                made.slugs.push(slug);
            }
            made.partners.push(partner);
        }
        made
    }

    /// A visit of one of the links. A third of the links has two thirds of the visits.
    pub(super) fn visit(&mut self, chance: &mut Chance) -> Visit {
        let last = i64::try_from(self.slugs.len()).unwrap_or(1) - 1;
        let at = if chance.percent(50) { chance.int(0..=last / 3) } else { chance.int(0..=last) };
        let slug = self.slugs.get(usize::try_from(at).unwrap_or_default()).expect("a link").clone();
        let bits = u32::try_from(chance.int(0x0100_0000..=0x0cff_ffff)).unwrap_or_default();
        Visit { slug, address: Ipv4Addr::from_bits(bits) }
    }

    /// Pays every partner what it is owed, in every currency.
    pub(super) async fn pay_out(&self, house: &House) {
        for partner in &self.partners {
            for currency in CURRENCIES {
                let body = json!({"partner_id": partner, "currency": currency});
                let (status, answer) = house.call(&self.keys, "POST", "/payouts", &body).await;
                let nothing = answer.pointer("/error/code").and_then(Value::as_str) == Some("NOTHING_TO_PAY");
                assert!(status == 201 || nothing, "{status} {answer}");
            }
        }
    }
}
