//! Bindings of a customer to clicks, ranked so that the one that counts at a given time is found by binary
//! search.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::attribution::Attribution;
use super::candidate::Rule;
use super::sale::Sale;
use super::world::{Click, World};
use crate::program::{AttributionModel, Pins};
use crate::time::Timestamp;

/// A payment, lead or report that names a click, and so links other payments of the same customer to it.
#[derive(Clone, Debug)]
pub struct Binding<'a> {
    /// The time from which it counts.
    pub at: Timestamp,
    /// The Stripe ID that orders payments of the same second.
    pub name: String,
    /// Our ID of the payment or lead that makes the binding.
    pub sale_id: &'a str,
    /// The click.
    pub click_id: &'a str,
    /// The program of the click.
    pub program_id: &'a str,
    /// The payment or lead that first linked the customer or subscription to the click.
    pub bound_by: &'a str,
    /// The time of that link, at which the window is checked.
    pub bound_at: Timestamp,
    /// Whether `bound_at` is within the window of the click.
    pub is_in_window: bool,
}

/// Ranks bindings; the greatest counts: whether it is in its window, its age, its Stripe ID and our ID.
pub type Rank<'b> = (bool, i64, &'b str, &'b str);

impl<'a> Binding<'a> {
    /// A binding to the click that `value` resolves to. `None` if it resolves to no click, or to one that
    /// represents a promotion code.
    pub(super) fn of(
        world: &'a World,
        sale: &Sale<'a>,
        at: Timestamp,
        value: &str,
        (bound_by, bound_at): (&'a str, Timestamp),
    ) -> Option<Self> {
        let (click_id, click) = world.clicks.get_key_value(value).filter(|(_, click)| !click.is_promotion)?;
        Some(Self {
            at,
            name: sale.named_by.clone(),
            sale_id: sale.id,
            click_id,
            program_id: &click.program_id,
            bound_by,
            bound_at,
            is_in_window: is_in_window(world, sale, click, bound_at),
        })
    }

    /// Its place in the order of bindings: time, Stripe ID, our ID.
    #[must_use]
    pub fn moment(&self) -> (Timestamp, &str, &str) {
        (self.at, &self.name, self.sale_id)
    }

    /// The attribution that this binding gives to other payments of the customer.
    #[must_use]
    pub fn attribution(&self) -> Attribution {
        let (click_id, bound_by) = (self.click_id.into(), self.bound_by.into());
        Attribution { rule: Rule::Customer, click_id, bound_by, bound_at: self.bound_at }
    }

    /// The rank among bindings: a binding inside its window goes before one outside; then the newest counts,
    /// or under `first_click` the oldest.
    #[must_use]
    pub fn rank(&self, model: AttributionModel) -> Rank<'_> {
        let at = self.bound_at.unix_secs();
        let age = match model {
            AttributionModel::LastClick => at,
            AttributionModel::FirstClick => at.saturating_neg(),
        };
        (self.is_in_window, age, &self.name, self.sale_id)
    }
}

/// Checks the window by the program version in force at `bound_at`, or by the version that a replay pinned
/// for the payment.
fn is_in_window(world: &World, sale: &Sale<'_>, click: &Click, bound_at: Timestamp) -> bool {
    let (id, pins) = (&click.program_id, sale.pins());
    let program = world.programs.get(id).and_then(|history| Pins::program(pins, id, history, bound_at));
    program.is_some_and(|version| click.is_in_window(bound_at, version.terms.attribution_window_days))
}

/// Bindings of one customer, by program.
#[derive(Clone, Debug, Default)]
pub struct Bindings<'a>(BTreeMap<&'a str, Ranked<'a>>);

/// Bindings of one customer in one program, in order of time.
#[derive(Clone, Debug, Default)]
struct Ranked<'a> {
    all: Vec<Binding<'a>>,
    /// For each index in `all`, the best binding up to it under `last_click`, and the best one made by
    /// another payment.
    last: Vec<Best>,
    /// The same under `first_click`.
    first: Vec<Best>,
}

/// Indices of the best binding and of the best one made by another payment.
type Best = [Option<usize>; 2];

impl<'a> Bindings<'a> {
    pub(super) fn add(&mut self, binding: Binding<'a>) {
        self.0.entry(binding.program_id).or_default().all.push(binding);
    }

    /// Sorts and ranks the bindings; to be called once after all were added.
    pub(super) fn rank(&mut self) {
        for ranked in self.0.values_mut() {
            ranked.all.sort_by(|one, other| one.moment().cmp(&other.moment()));
            ranked.last = best_so_far(&ranked.all, AttributionModel::LastClick);
            ranked.first = best_so_far(&ranked.all, AttributionModel::FirstClick);
        }
    }

    /// The programs of the bindings.
    pub fn programs(&self) -> impl Iterator<Item = &'a str> {
        self.0.keys().copied()
    }

    /// The binding of a program that counts at `until`, except those that the payment `sale_id` makes itself.
    #[must_use]
    pub fn best(
        &self,
        program_id: &str,
        model: AttributionModel,
        until: Timestamp,
        sale_id: &str,
    ) -> Option<&Binding<'a>> {
        let ranked = self.0.get(program_id)?;
        let places = match model {
            AttributionModel::LastClick => &ranked.last,
            AttributionModel::FirstClick => &ranked.first,
        };
        let known = ranked.all.partition_point(|binding| binding.at <= until);
        let best = places.get(known.checked_sub(1)?)?;
        let mut found = best.iter().flatten().filter_map(|place| ranked.all.get(*place));
        found.find(|binding| binding.sale_id != sale_id)
    }
}

fn best_so_far(all: &[Binding<'_>], model: AttributionModel) -> Vec<Best> {
    let mut best: Best = [None, None];
    let at = |place: Option<usize>| place.and_then(|place| all.get(place));
    let mut places = Vec::with_capacity(all.len());
    for (place, binding) in all.iter().enumerate() {
        let [first, second] = best.map(at);
        let is_above =
            |other: Option<&Binding<'_>>| other.is_none_or(|other| binding.rank(model) > other.rank(model));
        let is_same_sale = first.is_some_and(|first| first.sale_id == binding.sale_id);
        if is_above(first) {
            let next = if is_same_sale { best[1] } else { best[0] };
            best = [Some(place), next];
        } else if !is_same_sale && is_above(second) {
            best[1] = Some(place);
        }
        places.push(best);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A binding made by the payment `sale_id`, which is one letter.
    fn binding(at: i64, sale_id: &'static str, is_in_window: bool) -> Binding<'static> {
        let at = Timestamp::from_unix_secs(at);
        Binding {
            at,
            name: sale_id.into(),
            sale_id,
            click_id: "clk",
            program_id: "prog",
            bound_by: sale_id,
            bound_at: at,
            is_in_window,
        }
    }

    #[test]
    fn the_best_binding_is_the_one_that_a_linear_search_finds() {
        let every = [
            binding(1, "c", false),
            binding(2, "a", true),
            binding(2, "b", true),
            binding(3, "a", true),
            binding(5, "d", false),
            binding(6, "e", true),
        ];
        for all in (0..every.len()).filter_map(|start| every.get(start..)) {
            let mut bindings = Bindings::default();
            for binding in all.iter().rev() {
                bindings.add(binding.clone());
            }
            bindings.rank();
            for until in (0..8).map(Timestamp::from_unix_secs) {
                for sale_id in ["a", "b", "c", "d", "e", "f"] {
                    for model in [AttributionModel::LastClick, AttributionModel::FirstClick] {
                        let known = all.iter().filter(|it| it.at <= until && it.sale_id != sale_id);
                        let want = known.map(|it| it.rank(model)).max();
                        let got = bindings.best("prog", model, until, sale_id).map(|it| it.rank(model));
                        assert_eq!(got, want, "{until:?} {sale_id} {model:?}");
                    }
                }
            }
        }
    }
}
