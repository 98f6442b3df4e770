//! Calendar months, computed here: the model must not use the code that it checks.

/// Seconds in a day.
pub(super) const DAY: i64 = 86_400;

/// The same time of day `months` later, UTC; a day that the month does not have becomes its last day.
pub(super) fn plus_months(time: i64, months: i64) -> i64 {
    let (year, month, day) = date_of(time.div_euclid(DAY));
    let index = year * 12 + (month - 1) + months;
    let (year, month) = (index.div_euclid(12), index.rem_euclid(12) + 1);
    let day = day.min(days_in(year, month));
    days_since_1970(year, month, day) * DAY + time.rem_euclid(DAY)
}

const fn is_leap(year: i64) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let years: i64 = (1970..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum();
    let months: i64 = (1..month).map(|month| days_in(year, month)).sum();
    years + months + day - 1
}

fn date_of(mut days: i64) -> (i64, i64, i64) {
    let mut year = 1970;
    while days >= if is_leap(year) { 366 } else { 365 } {
        days -= if is_leap(year) { 366 } else { 365 };
        year += 1;
    }
    let mut month = 1;
    while days >= days_in(year, month) {
        days -= days_in(year, month);
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_end_on_days_that_exist() {
        let check = |from: (i64, i64, i64), months, want: (i64, i64, i64)| {
            let at = |(year, month, day)| days_since_1970(year, month, day) * DAY + 3_600;
            assert_eq!(plus_months(at(from), months), at(want), "{from:?} + {months}");
            assert_eq!(date_of(days_since_1970(from.0, from.1, from.2)), from);
        };
        check((2025, 1, 31), 1, (2025, 2, 28));
        check((2024, 1, 31), 1, (2024, 2, 29));
        check((2026, 11, 30), 3, (2027, 2, 28));
        check((2026, 12, 15), 1, (2027, 1, 15));
    }
}
