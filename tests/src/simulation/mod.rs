//! Simulates merchants. From one seed come several months of one or two merchants in one store: purchases,
//! subscriptions, refunds and disputes (a *life*). The ledger is compared with that of a model, which knows
//! every payment.
//!
//! ```text
//! seed ─▶ truth ─┬▶ Stripe's events of it, late, twice, out of order ─▶ trac ─▶ ledger ───────────────┐
//!                └▶ the model: the specified arithmetic over the truth ─▶ the expected ledger ───┴▶ equal
//! ```
//!
//! It also checks that entries are only appended; a commission is the sum of its entries; nothing is clawed
//! back twice; replay and repeats change nothing; a balance is negative only after a payout.

#![expect(clippy::indexing_slicing, reason = "a JSON value returns null for a missing name")]

mod calendar;
mod lives;
mod model;
mod shop;
mod stripe_events;
mod truth;

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::chance::Chance;
use crate::house::House;
use calendar::DAY;
use shop::{Entries, Shop};
use stripe_events::StripeEvent;

/// The start of every simulation: 2026-11-21T08:00:00Z.
const START: i64 = 1_795_248_000;

/// The size of the simulation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Merchants.
    pub merchants: usize,
    /// Payments that really happened.
    pub payments: usize,
    /// Webhooks delivered, repeats included.
    pub deliveries: usize,
    /// Ledger entries.
    pub entries: usize,
}

impl Tally {
    /// Adds the numbers of another seed.
    const fn add(&mut self, other: Self) {
        self.merchants += other.merchants;
        self.payments += other.payments;
        self.deliveries += other.deliveries;
        self.entries += other.entries;
    }
}

/// An action at a time, for the shop with this number.
enum Act {
    Deliver(StripeEvent),
    Revise(i64),
    /// The signing secret is rolled: from now on, the old and the new one are valid.
    Roll,
    /// The old secret is removed.
    Retire,
    Restart,
}

/// Simulates `count` seeds from `first` on, on every core.
///
/// # Errors
/// The first seed whose result differs from the model, and the difference.
pub fn live_all(first: u64, count: u64) -> Result<Tally, String> {
    let end = first.saturating_add(count);
    let next = AtomicU64::new(first);
    let work = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let mut sum = Tally::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                return Ok(sum);
            }
            match runtime.block_on(live(seed)) {
                Ok(tally) => sum.add(tally),
                Err(why) => {
                    next.store(end, Ordering::Relaxed);
                    return Err(format!("seed {seed}: {why}"));
                }
            }
        }
    };
    // A simulation sometimes waits for its store, so two threads per core keep the core busy.
    let workers = thread::available_parallelism().map_or(1, usize::from) * 2;
    let done: Vec<Result<Tally, String>> = thread::scope(|scope| {
        let started: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        started
            .into_iter()
            .map(|one| one.join().unwrap_or_else(|_| Err("a simulation panicked".to_owned())))
            .collect()
    });
    done.into_iter().try_fold(Tally::default(), |mut sum, one| {
        sum.add(one?);
        Ok(sum)
    })
}

/// Simulates one seed.
///
/// # Errors
/// The difference from the model, or the broken invariant.
pub async fn live(seed: u64) -> Result<Tally, String> {
    let mut chance = Chance::of(seed);
    let mut house = House::open(START);
    let mut shops = Vec::new();
    for n in 0..usize::try_from(chance.int(1..=2)).unwrap_or(1) {
        let truth = lives::live(&mut chance, n, START);
        shops.push(Shop::open(&house, &mut chance, &format!("shop{n}"), truth).await);
    }
    let mut tally = Tally { merchants: shops.len(), ..Tally::default() };
    let mut acts = first_acts(&mut chance, &shops);
    let all: Vec<(usize, StripeEvent)> = acts.iter().filter_map(delivery).collect();
    acts.extend(upkeep(&mut chance, &shops));
    tally.deliveries += play(&mut house, &mut chance, &mut shops, acts).await?;
    let before = compare(&house, &shops).await?;

    let replayed = house.replay().await;
    if !replayed.is_empty() {
        return Err(format!("replay changed {replayed:?}"));
    }
    tally.deliveries += repeat(&mut house, &mut chance, &mut shops, all).await?;
    if compare(&house, &shops).await? != before {
        return Err("a repeat appended entries".to_owned());
    }

    house.wait_until(house.clock.now().unix_secs() + 60 * DAY);
    for shop in &shops {
        shop.pay_out(&house).await?;
    }
    tally.deliveries += late_refunds(&mut house, &mut chance, &mut shops).await?;
    let after = compare(&house, &shops).await?;
    if before.iter().any(|(id, entry)| after.get(id) != Some(entry)) {
        return Err("an entry was changed or is gone".to_owned());
    }
    let differing = house.differences().await;
    if !differing.is_empty() {
        return Err(format!("kept rows differ from what they follow from: {differing:#?}"));
    }
    for shop in &shops {
        shop.check_balances(&house).await?;
        tally.payments += shop.truth.payments.len();
    }
    tally.entries = after.len();
    Ok(tally)
}

fn delivery((_, shop, act): &(i64, usize, Act)) -> Option<(usize, StripeEvent)> {
    if let Act::Deliver(event) = act { Some((*shop, event.clone())) } else { None }
}

/// All events of the merchants at their time of arrival: mostly at once, sometimes hours or days late, sometimes
/// twice.
fn first_acts(chance: &mut Chance, shops: &[Shop]) -> Vec<(i64, usize, Act)> {
    let mut acts = Vec::new();
    for (n, shop) in shops.iter().enumerate() {
        for event in stripe_events::events(chance, &shop.truth, shop.selected) {
            acts.extend(arrivals(chance, event).map(|(at, event)| (at, n, Act::Deliver(event))));
        }
        acts.extend(shop.truth.rules.revised.map(|(at, bps)| (at, n, Act::Revise(bps))));
    }
    acts
}

fn arrivals(chance: &mut Chance, event: StripeEvent) -> impl Iterator<Item = (i64, StripeEvent)> + use<> {
    let delay = |chance: &mut Chance| match chance.int(0..=99) {
        0..=64 => chance.int(0..=5),
        65..=84 => chance.int(0..=7_200),
        85..=96 => chance.int(0..=3 * DAY),
        _ => chance.int(0..=60 * DAY),
    };
    let mut times = vec![event.created + delay(chance)];
    if chance.percent(12) {
        times.push(event.created + delay(chance));
    }
    times.into_iter().map(move |at| (at, event.clone()))
}

fn upkeep(chance: &mut Chance, shops: &[Shop]) -> Vec<(i64, usize, Act)> {
    let mut acts = Vec::new();
    for n in 0..shops.len() {
        if chance.percent(40) {
            let at = START + chance.int(0..=60) * DAY;
            acts.push((at, n, Act::Roll));
            acts.push((at + DAY, n, Act::Retire));
        }
    }
    if chance.percent(30) {
        acts.push((START + chance.int(0..=90) * DAY, 0, Act::Restart));
    }
    acts
}

async fn play(
    house: &mut House,
    chance: &mut Chance,
    shops: &mut [Shop],
    mut acts: Vec<(i64, usize, Act)>,
) -> Result<usize, String> {
    acts.sort_by_key(|(at, shop, _)| (*at, *shop));
    let mut deliveries = 0;
    for (at, n, act) in acts {
        house.wait_until(at);
        let shop = shops.get_mut(n).expect("a shop");
        match act {
            Act::Deliver(event) => {
                shop.deliver(house, chance, &event).await?;
                deliveries += 1;
            }
            Act::Revise(bps) => shop.revise(house, bps).await,
            Act::Roll => {
                let old = shop.secrets.last().cloned().unwrap_or_default();
                shop.set_secrets(house, vec![format!("{old}_rolled"), old]).await;
            }
            Act::Retire => {
                let new = shop.secrets.first().cloned().unwrap_or_default();
                shop.set_secrets(house, vec![new]).await;
            }
            Act::Restart => house.restart(),
        }
    }
    Ok(deliveries)
}

/// Delivers up to 40 of the events again, in random order.
async fn repeat(
    house: &mut House,
    chance: &mut Chance,
    shops: &mut [Shop],
    mut all: Vec<(usize, StripeEvent)>,
) -> Result<usize, String> {
    let now = house.clock.now().unix_secs();
    chance.shuffle(&mut all);
    all.truncate(40);
    let acts = all.into_iter().map(|(shop, event)| (now, shop, Act::Deliver(event))).collect();
    play(house, chance, shops, acts).await
}

/// Refunds and disputes after the partners were paid.
async fn late_refunds(house: &mut House, chance: &mut Chance, shops: &mut [Shop]) -> Result<usize, String> {
    let now = house.clock.now().unix_secs();
    let mut acts = Vec::new();
    for (n, shop) in shops.iter_mut().enumerate() {
        for payment in &mut shop.truth.payments {
            if !chance.percent(20) {
                continue;
            }
            let (refunds, disputes) = (payment.refunds.len(), payment.disputes.len());
            lives::add_refunds_and_dispute(chance, payment, now);
            for event in stripe_events::later(chance, payment, shop.selected, refunds, disputes) {
                acts.extend(arrivals(chance, event).map(|(at, event)| (at, n, Act::Deliver(event))));
            }
        }
    }
    play(house, chance, shops, acts).await
}

async fn compare(house: &House, shops: &[Shop]) -> Result<Entries, String> {
    let mut entries = Entries::new();
    for (n, shop) in shops.iter().enumerate() {
        entries.extend(shop.compare(house).await.map_err(|why| format!("shop {n}: {why}"))?);
    }
    Ok(entries)
}
