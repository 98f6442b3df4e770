//! The number of a list's rows, from counts that the database keeps. Rows are counted one by one only where no
//! kept count has exactly a listing's rows, and at most [`COUNTED_MAX`] of them.

use super::conditions::Conditions;
use super::{Listing, Resource};
use crate::store::StoreError;
use crate::store::rows::{Rows, args};
use crate::trac::Trac;

/// The counts that the database keeps of a resource's rows.
pub(crate) enum Kept {
    /// None: its lists are short, or are lists of one parent's children.
    Nothing,
    /// Tables of counts; the first that has all filters of a listing is read.
    Counts(&'static [Counts]),
    Days(Days),
}

/// A table with the number of rows for each combination of values, in its column `rows`.
pub(crate) struct Counts {
    /// The table, with the alias of the resource, so that the filters' conditions apply to it.
    pub(crate) from: &'static str,
    /// The condition that restricts it to the scope.
    pub(crate) within: &'static str,
    /// The filters whose columns it has.
    pub(crate) filters: &'static [&'static str],
    /// The rows with a value that changes as time passes, if there are any.
    pub(crate) young: Option<Young>,
    /// The columns that identify a combination, each with the expression of the resource that equals it. The
    /// resource's table has an index of these expressions, followed by the ID. Empty if pages are not read from
    /// such an index.
    pub(crate) combination: &'static [(&'static str, &'static str)],
}

/// Rows with a value that changes as time passes. The table counts them by the value they have in the end. There are
/// few at any time.
#[derive(Clone, Copy)]
pub(crate) struct Young {
    /// The condition for such rows.
    pub(crate) is: &'static str,
    /// Whether a filter can show such a row although its combination is not among those of the filter.
    pub(crate) strays: bool,
}

/// The table `click_day`: the number of rows of each day, which also finds a page far down a list.
pub(crate) struct Days {
    /// Which rows of `click_day` count a listing's rows; `None` if none do.
    pub(crate) key: fn(&Listing) -> Option<Key>,
    /// The column of the resource with the time by which it is sorted.
    pub(crate) time: &'static str,
}

/// Rows of `click_day`.
pub(crate) struct Key {
    /// The name they have a number for; `None` for all rows of the scope.
    pub(crate) name: Option<String>,
    /// The expression that counts a listing's rows of a day.
    pub(crate) rows: &'static str,
}

/// The number of rows of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Total {
    Exactly(i64),
    /// More rows than are counted for one request.
    AtLeast(i64),
}

/// The most rows that are counted for one request.
const COUNTED_MAX: i64 = 100_000;

impl Resource {
    /// The number of a listing's rows.
    pub(super) fn total(
        &self,
        rows: Rows<'_>,
        trac: &Trac,
        listing: &Listing,
        conditions: &Conditions,
    ) -> Result<Total, StoreError> {
        match self.counts_of(listing) {
            Some(counts) => self.kept_total(rows, trac, counts, conditions).map(Total::Exactly),
            None => self.counted(rows, trac, conditions),
        }
    }

    /// The kept counts of a listing's rows.
    pub(super) fn counts_of(&self, listing: &Listing) -> Option<&'static Counts> {
        match &self.kept {
            Kept::Counts(tables) => tables.iter().find(|counts| listing.filters_by_only(counts.filters)),
            Kept::Nothing | Kept::Days(_) => None,
        }
    }

    /// The sum of the kept counts, corrected by the rows that are still young.
    fn kept_total(
        &self,
        rows: Rows<'_>,
        trac: &Trac,
        counts: &Counts,
        conditions: &Conditions,
    ) -> Result<i64, StoreError> {
        let read = |sql: &str| -> Result<i64, StoreError> {
            Ok(rows.one(sql, &conditions.args(sql, trac), |row| row.get(0))?.unwrap_or_default())
        };
        let Conditions { shown, last, always, .. } = conditions;
        let Counts { from, within, young, .. } = counts;
        let in_the_end = read(&format!("SELECT coalesce(sum(rows), 0) FROM {from} WHERE {within}{last}"))?;
        let Some(Young { is: young, .. }) = young.filter(|_| conditions.depend_on_time()) else {
            return Ok(in_the_end);
        };
        let Self { from, within, .. } = self;
        // Rows that are listed now less those that will be.
        let of_young = read(&format!(
            "SELECT coalesce(sum(CASE WHEN TRUE{shown} THEN 1 ELSE 0 END - CASE WHEN TRUE{last} THEN 1 ELSE 0 END), 0) \
             FROM {from} WHERE {within} AND {young}{always}"
        ))?;
        Ok(in_the_end.saturating_add(of_young))
    }

    /// Counts the rows, up to [`COUNTED_MAX`].
    fn counted(&self, rows: Rows<'_>, trac: &Trac, conditions: &Conditions) -> Result<Total, StoreError> {
        let sql = format!(
            "SELECT count(*) FROM (SELECT 1 FROM {} WHERE {}{} LIMIT {}) AS counted",
            self.from,
            self.within,
            conditions.shown,
            COUNTED_MAX.saturating_add(1)
        );
        let count = rows.one(&sql, &conditions.args(&sql, trac), |row| row.get(0))?.unwrap_or_default();
        Ok(if count > COUNTED_MAX { Total::AtLeast(COUNTED_MAX) } else { Total::Exactly(count) })
    }
}

/// How many days are read at a time.
const DAYS_TOGETHER: usize = 100;

impl Key {
    /// The number of a listing's rows.
    pub(super) fn total(&self, rows: Rows<'_>) -> Result<i64, StoreError> {
        let sql = Self::select(&format!("coalesce(sum({}), 0)", self.rows), "");
        Ok(rows.one(&sql, args![self.name], |row| row.get(0))?.unwrap_or_default())
    }

    /// The newest days that together have this many rows, or all days; newest first, each with its number.
    pub(super) fn days(&self, rows: Rows<'_>, count: i64) -> Result<Vec<(i64, i64)>, StoreError> {
        let sql = Self::select(
            &format!("day, {}", self.rows),
            &format!("AND day < ?4 ORDER BY day DESC LIMIT {DAYS_TOGETHER}"),
        );
        let (mut days, mut found) = (Vec::<(i64, i64)>::new(), 0_i64);
        loop {
            let before = days.last().map_or(i64::MAX, |(day, _)| *day);
            let read = rows.all(&sql, args![self.name, before], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let is_last = read.len() < DAYS_TOGETHER;
            found = read.iter().fold(found, |sum, (_, rows)| sum.saturating_add(*rows));
            days.extend(read);
            if is_last || found >= count {
                return Ok(days);
            }
        }
    }

    fn select(columns: &str, rest: &str) -> String {
        format!(
            "SELECT {columns} FROM click_day WHERE scope = (SELECT no FROM scope WHERE workspace_id = ?1 AND mode = ?2) \
             AND key = CASE WHEN CAST(?3 AS TEXT) IS NULL THEN 0 ELSE (SELECT no FROM name WHERE id = ?3) END {rest}"
        )
    }
}
