//! Random numbers that a seed determines completely.

use std::ops::RangeInclusive;

/// A small generator (`SplitMix64`). The same seed gives the same numbers on every machine.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// A generator with this seed.
    pub(crate) const fn of(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// An integer of the range, both ends included.
    pub(crate) fn int(&mut self, range: RangeInclusive<i64>) -> i64 {
        let width = range.end().abs_diff(*range.start()).saturating_add(1);
        range.start().saturating_add_unsigned(self.next() % width)
    }

    /// True in `cases` of a hundred cases.
    pub(crate) fn percent(&mut self, cases: i64) -> bool {
        self.int(0..=99) < cases
    }

    /// One of several.
    pub(crate) fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        let last = i64::try_from(items.len()).unwrap_or(1) - 1;
        let at = usize::try_from(self.int(0..=last)).unwrap_or_default();
        items.get(at).expect("something to choose from").clone()
    }

    /// Shuffles the items.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.int(0..=i64::try_from(last).unwrap_or_default());
            items.swap(last, usize::try_from(other).unwrap_or_default());
        }
    }
}
