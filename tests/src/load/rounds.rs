//! Redirects and nginx in turns, in many short rounds, so that the machine's other load, which differs from
//! second to second, affects both. The largest effect is the distance between its processors: see
//! [`distance_nanos`].

use super::machine::distance_nanos;
use super::redirects::{self, Nginx};
use super::{LOAD_PROCESSOR, Measured, SERVER_PROCESSOR};

const ROUNDS: u64 = 15;
/// From this round-trip time on, the processors count as far apart.
const FAR_NANOS: u64 = 200;

/// One measurement of nginx and one of trac, within seconds.
struct Round {
    /// The distance before, between and after the two.
    nanos: [u64; 3],
    empty: Measured,
    durable: Measured,
}

pub(super) struct Rounds(Vec<Round>);

/// Measures nginx and trac for three times `seconds` each in all, or a little longer.
pub(super) fn measure(nginx: &Nginx, url: &str, process: u32, seconds: u64) -> Rounds {
    let each = (seconds * 3 / ROUNDS).max(1);
    let distance = || distance_nanos(SERVER_PROCESSOR, LOAD_PROCESSOR);
    let round = |_| {
        let (before, empty, between) = (distance(), nginx.measure(each), distance());
        let durable = redirects::measure(url, process, each);
        Round { nanos: [before, between, distance()], empty, durable }
    };
    Rounds((0..ROUNDS).map(round).collect())
}

impl Rounds {
    pub(super) fn report(&self, place: &str, report: &impl Fn(&str)) {
        let median_round = |measured: fn(&Round) -> Measured| {
            let mut all: Vec<_> = self.0.iter().map(measured).collect();
            all.sort_by_key(Measured::rate);
            all.swap_remove(all.len() / 2)
        };
        report(&median_round(|round| round.empty).line("nginx, empty 302"));
        report(&median_round(|round| round.durable).line(&format!("redirect, {place}")));
        let all: Vec<_> = self.0.iter().collect();
        report(&of_nginx("of nginx", &all));
        for is_far in [false, true] {
            let some: Vec<_> = self.0.iter().filter(|round| round.is_far() == Some(is_far)).collect();
            if !some.is_empty() {
                let nanos = median(some.iter().flat_map(|round| round.nanos).collect());
                let how = if is_far { "far" } else { "near" };
                report(&of_nginx(&format!("  with processors {how} ({nanos} ns)"), &some));
            }
        }
    }
}

impl Round {
    /// Whether the processors were far apart all the time; `None` if that changed.
    fn is_far(&self) -> Option<bool> {
        let far = self.nanos.map(|nanos| nanos >= FAR_NANOS);
        (far == [far[0]; 3]).then_some(far[0])
    }
}

/// The ratio of a durable redirect to an empty one of the same round: median, minimum and maximum.
fn of_nginx(name: &str, rounds: &[&Round]) -> String {
    let ratios = |ratio: fn(&Round) -> u64| {
        let all: Vec<_> = rounds.iter().map(|round| ratio(round)).collect();
        let (least, most) = (all.iter().min().copied(), all.iter().max().copied());
        let [median, least, most] = [median(all), least.unwrap_or_default(), most.unwrap_or_default()]
            .map(|ratio| format!("{}.{:02}", ratio / 100, ratio % 100));
        format!("{median} ({least} to {most})")
    };
    let rate = ratios(|round| round.durable.rate() * 100 / round.empty.rate().max(1));
    let cost = ratios(|round| round.empty.cost() * 100 / round.durable.cost().max(1));
    format!("  {name}, {} rounds: {rate} by rate, {cost} by time of the processor", rounds.len())
}

fn median(mut all: Vec<u64>) -> u64 {
    all.sort_unstable();
    all.get(all.len() / 2).copied().unwrap_or_default()
}
