//! Bar charts as SVG from the server.

/// One bar: a day, or a group of days.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    /// What the bar is of, as in `2026-11-30`.
    pub(crate) label: String,
    /// The value as text, as in `12.34 USD`.
    pub(crate) text: String,
    pub(crate) value: i64,
}

/// A chart. A table with the same values follows it for screen readers.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    pub(crate) title: &'static str,
    pub(crate) bars: Vec<Bar>,
}

/// The height of a chart in its own units; a bar is 10 units wide, with its gap.
const HEIGHT: i64 = 100;

impl Chart {
    /// The width in the chart's own units.
    pub(crate) fn width(&self) -> i64 {
        i64::try_from(self.bars.len()).unwrap_or(i64::MAX).saturating_mul(10)
    }

    /// The bars with their place: distance from the left, from the top, and height.
    pub(crate) fn places(&self) -> Vec<(i64, i64, i64, &Bar)> {
        let most = self.bars.iter().map(|bar| bar.value).max().unwrap_or_default().max(1);
        let place = |(index, bar)| {
            let bar: &Bar = bar;
            let height = i128::from(bar.value.max(0)).saturating_mul(i128::from(HEIGHT));
            let height = height.checked_div(i128::from(most)).unwrap_or_default();
            let height = i64::try_from(height).unwrap_or(HEIGHT).max(i64::from(bar.value > 0));
            let left = i64::try_from(index).unwrap_or(i64::MAX).saturating_mul(10);
            (left, HEIGHT.saturating_sub(height), height, bar)
        };
        self.bars.iter().enumerate().map(place).collect()
    }

    /// Whether any bar has a value.
    pub(crate) fn has_values(&self) -> bool {
        self.bars.iter().any(|bar| bar.value > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_bar_has_the_whole_height_and_a_small_one_can_be_seen() {
        let bar = |value| Bar { label: String::new(), text: String::new(), value };
        let chart = Chart { title: "", bars: vec![bar(0), bar(1), bar(500), bar(1_000), bar(-3)] };
        let places: Vec<_> =
            chart.places().into_iter().map(|(left, top, height, _)| (left, top, height)).collect();
        assert_eq!(places, [(0, 100, 0), (10, 99, 1), (20, 50, 50), (30, 0, 100), (40, 100, 0)]);
        assert_eq!(chart.width(), 50);
        assert!(chart.has_values());
        assert!(!Chart { title: "", bars: vec![bar(0)] }.has_values());
    }
}
