//! Spans of ten days: `click_span` and `sale_span` have the sums of `click_day` and `sale_day`, so that the groups of
//! a long report are added up from few rows.

/// The days of a span.
const DAYS: i64 = 10;

/// The span of a day, which is a number of days since 1970.
pub(super) const fn of(day: i64) -> i64 {
    day.div_euclid(DAYS)
}

/// A range of days, as whole spans and the days before and after them. The numbers of a range are inclusive; a range
/// that ends before it begins is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Split {
    /// The days before the first whole span.
    pub(crate) before: (i64, i64),
    /// The whole spans.
    pub(crate) spans: (i64, i64),
    /// The days after the last whole span.
    pub(crate) after: (i64, i64),
}

/// Splits the days from `first` to `last`.
pub(crate) const fn split(first: i64, last: i64) -> Split {
    let from = of(first.saturating_add(DAYS - 1));
    let to = of(last.saturating_add(1)).saturating_sub(1);
    if from > to {
        return Split { before: (first, last), spans: (from, to), after: (last.saturating_add(1), last) };
    }
    let (start, end) = (from.saturating_mul(DAYS), to.saturating_add(1).saturating_mul(DAYS));
    Split { before: (first, start.saturating_sub(1)), spans: (from, to), after: (end, last) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_split_into_whole_spans_and_the_days_around_them() {
        let whole = |(first, last): (i64, i64)| (first..=last).collect::<Vec<_>>();
        for first in -25..25 {
            for last in first..first + 45 {
                let Split { before, spans, after } = split(first, last);
                let mut days = whole(before);
                for span in whole(spans) {
                    let of_span: Vec<_> = (first..=last).filter(|day| of(*day) == span).collect();
                    assert_eq!(of_span.len(), 10, "{first}..={last}");
                    days.extend(of_span);
                }
                days.extend(whole(after));
                assert_eq!(days, whole((first, last)));
                assert!(whole(before).len() < 19 && whole(after).len() < 10, "{first}..={last}");
            }
        }
    }
}
