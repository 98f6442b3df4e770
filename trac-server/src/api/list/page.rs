//! One page of a list.

use serde_json::{Value, json};
use trac_core::time::DAY_SECS;

use super::conditions::Conditions;
use super::kept::{Days, Kept, Total};
use super::merged::Runs;
use super::{Listing, Resource};
use crate::problem::Problem;
use crate::store::StoreError;
use crate::store::rows::{Arg, Rows};
use crate::trac::Trac;

/// Where the rows of a page are.
struct Span {
    /// An additional condition, beginning with ` AND `, or nothing.
    condition: String,
    /// How many rows that fulfil all conditions come before the page.
    skip: i64,
    /// How many rows are read: one more than are shown, to see whether there are more.
    take: i64,
    /// Whether `skip` counts from the oldest row.
    from_the_end: bool,
}

impl Resource {
    /// Reads one page of rows.
    pub(crate) fn list(&self, rows: Rows<'_>, trac: &Trac, listing: &Listing) -> Result<Value, Problem> {
        let mut conditions = self.conditions(listing)?;
        let runs = self.runs(rows, trac, listing, &conditions)?;
        let take = i64::from(listing.limit).saturating_add(1);
        let (total, span) = match (&listing.starting_after, &self.kept) {
            (Some(id), _) => (None, self.after(rows, trac, id, &mut conditions, take)?),
            (None, Kept::Days(days)) => match (days.key)(listing) {
                Some(key) => {
                    let (total, skip) = (key.total(rows)?, listing.skipped());
                    let newest = key.days(rows, skip.saturating_add(take))?;
                    (Some(Total::Exactly(total)), by_day(days, &newest, skip, take))
                }
                None => (Some(self.total(rows, trac, listing, &conditions)?), plain(listing.skipped(), take)),
            },
            (None, _) => {
                let total = self.total(rows, trac, listing, &conditions)?;
                (Some(total), from_nearer_end(total, listing.skipped(), take))
            }
        };
        let mut data = self.read_span(rows, trac, runs, &mut conditions, &span)?;
        let limit = usize::try_from(listing.limit).unwrap_or(usize::MAX);
        let has_more = data.len() > limit;
        data.truncate(limit);
        let page = total.map(|_| listing.page);
        let (total, at_least) = match total {
            Some(Total::Exactly(total)) => (Some(total), None),
            Some(Total::AtLeast(rows)) => (None, Some(rows)),
            None => (None, None),
        };
        let mut answer = json!({
            "data": data,
            "meta": { "total": total, "page": page, "limit": listing.limit, "has_more": has_more },
        });
        if let (Some(at_least), Some(meta)) =
            (at_least, answer.get_mut("meta").and_then(Value::as_object_mut))
        {
            meta.insert("total_at_least".to_owned(), at_least.into());
        }
        Ok(answer)
    }

    /// The rows after the row of this ID.
    fn after(
        &self,
        rows: Rows<'_>,
        trac: &Trac,
        after: &str,
        conditions: &mut Conditions,
        take: i64,
    ) -> Result<Span, Problem> {
        if self.one(rows, trac, after)?.is_none() {
            return Err(Problem::field("starting_after", "must be the ID of a row of this list"));
        }
        let (order, place) = (self.order.join(", "), conditions.bind(after.to_owned()));
        let Self { from, within, id, .. } = self;
        let condition =
            format!(" AND ({order}) < (SELECT {order} FROM {from} WHERE {within} AND {id} = {place})");
        Ok(Span { condition, ..plain(0, take) })
    }

    fn read_span(
        &self,
        rows: Rows<'_>,
        trac: &Trac,
        runs: Option<Runs>,
        conditions: &mut Conditions,
        span: &Span,
    ) -> Result<Vec<Value>, StoreError> {
        let direction = if span.from_the_end { "ASC" } else { "DESC" };
        let sorted: Vec<_> = self.order.iter().map(|column| format!("{column} {direction}")).collect();
        let sorted = sorted.join(", ");
        let merged = runs.map(|runs| self.merged(runs, conditions, &span.condition));
        if merged.as_ref().is_some_and(String::is_empty) {
            return Ok(Vec::new());
        }
        let next = conditions.values.len().saturating_add(4);
        let limit = format!("LIMIT ?{next} OFFSET ?{}", next.saturating_add(1));
        let Self { columns, from, within, id, .. } = self;
        let rest = format!(
            "FROM {from} WHERE {within}{}{} ORDER BY {sorted} {limit}",
            conditions.shown, span.condition
        );
        let of_ids = |ids: &str| {
            format!("SELECT {columns} FROM {from} WHERE {within} AND {id} IN ({ids}) ORDER BY {sorted}")
        };
        let sql = match merged {
            Some(ids) => of_ids(&format!("{ids} ORDER BY found {direction} {limit}")),
            // An index alone can skip the rows before the page, if only their IDs are selected.
            None if span.skip > 0 && !id.contains(' ') => of_ids(&format!("SELECT {id} {rest}")),
            None => format!("SELECT {columns} {rest}"),
        };
        let mut args = conditions.args("?3", trac);
        args.extend([Arg::Integer(span.take), Arg::Integer(span.skip)]);
        let mut data = rows.all(&sql, &args, |row| (self.read)(row, trac))?;
        if span.from_the_end {
            data.reverse();
        }
        Ok(data)
    }
}

const fn plain(skip: i64, take: i64) -> Span {
    Span { condition: String::new(), skip, take, from_the_end: false }
}

/// Skips the rows before the page, or those after it if they are fewer.
fn from_nearer_end(total: Total, skip: i64, take: i64) -> Span {
    let Total::Exactly(total) = total else { return plain(skip, take) };
    let left = total.saturating_sub(skip);
    if left >= skip {
        return plain(skip, take);
    }
    let take = take.min(left).max(0);
    Span { skip: left.saturating_sub(take).max(0), take, from_the_end: true, ..plain(0, 0) }
}

/// Skips whole days by their counts: only rows of the days of the page are read.
fn by_day(days: &Days, counts: &[(i64, i64)], skip: i64, take: i64) -> Span {
    let (mut skip, mut found, mut span) = (skip, 0_i64, None::<(i64, i64)>);
    for (day, count) in counts {
        if span.is_none() && *count <= skip {
            skip = skip.saturating_sub(*count);
            continue;
        }
        span = Some((*day, span.map_or(*day, |(_, newest)| newest)));
        found = found.saturating_add(*count);
        if found >= skip.saturating_add(take) {
            break;
        }
    }
    let Some((oldest, newest)) = span else { return plain(0, 0) };
    let time = days.time;
    let (from, until) = (oldest.saturating_mul(DAY_SECS), newest.saturating_add(1).saturating_mul(DAY_SECS));
    Span { condition: format!(" AND {time} >= {from} AND {time} < {until}"), ..plain(skip, take) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_in_the_older_half_is_read_from_the_end() {
        let check = |total, skip, take, want: (i64, i64, bool)| {
            let span = from_nearer_end(Total::Exactly(total), skip, take);
            assert_eq!((span.skip, span.take, span.from_the_end), want, "{total} {skip} {take}");
        };
        check(100, 0, 11, (0, 11, false));
        check(100, 50, 11, (50, 11, false));
        check(100, 60, 11, (29, 11, true));
        check(100, 90, 11, (0, 10, true));
        check(100, 95, 11, (0, 5, true));
        check(100, 100, 11, (0, 0, true));
        check(100, 500, 11, (0, 0, true));
        check(0, 0, 11, (0, 11, false));
        let span = from_nearer_end(Total::AtLeast(100), 90, 11);
        assert_eq!((span.skip, span.take, span.from_the_end), (90, 11, false));
    }

    #[test]
    fn days_before_the_page_are_skipped_whole() {
        let days = Days { key: |_| None, time: "at" };
        let check = |skip, want: (i64, i64, i64)| {
            let counts = [(9, 10), (8, 0), (7, 5), (3, 100)];
            let span = by_day(&days, &counts, skip, 11);
            let (oldest, newest, skip) = want;
            let times = format!(" AND at >= {} AND at < {}", oldest * DAY_SECS, (newest + 1) * DAY_SECS);
            assert_eq!((span.condition, span.skip, span.take), (times, skip, 11));
        };
        check(0, (7, 9, 0));
        check(4, (7, 9, 4));
        check(5, (3, 9, 5));
        check(10, (3, 7, 0));
        check(15, (3, 3, 0));
        check(114, (3, 3, 99));
        let span = by_day(&days, &[(9, 10)], 10, 11);
        assert_eq!((span.condition.as_str(), span.take), ("", 0));
    }
}
