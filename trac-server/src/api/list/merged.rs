//! The pages of a filtered list, merged from an index that has all columns of the kept counts.
//!
//! The counts list the combinations of values that there are. In the index, the rows of one combination are next
//! to each other in the order of their IDs. So whatever the filters are, a page is the merge of a few runs.

use super::conditions::Conditions;
use super::kept::{Counts, Young};
use super::{Listing, Resource};
use crate::store::StoreError;
use crate::store::rows::{Cell, Rows};
use crate::trac::Trac;

/// The most combinations that are merged. A filter that more combinations fulfil is so wide that a page finds its
/// rows without them.
const MERGED_MAX: usize = 100;

/// The combinations in which a listing looks for its rows.
pub(super) struct Runs {
    counts: &'static Counts,
    combinations: Vec<Vec<Cell>>,
}

impl Resource {
    /// The runs of which a listing's pages are merged; `None` if they are read otherwise.
    pub(super) fn runs(
        &self,
        rows: Rows<'_>,
        trac: &Trac,
        listing: &Listing,
        conditions: &Conditions,
    ) -> Result<Option<Runs>, StoreError> {
        let counts = self.counts_of(listing).filter(|counts| !counts.combination.is_empty());
        let Some(counts) = counts.filter(|_| !listing.filters.is_empty()) else { return Ok(None) };
        let combinations = counts.combinations(rows, trac, conditions)?;
        Ok((combinations.len() <= MERGED_MAX).then_some(Runs { counts, combinations }))
    }

    /// The `SELECT` of the IDs, as `found`, of the rows that also fulfil `condition`; empty if there are none. The
    /// caller sorts it.
    pub(super) fn merged(&self, runs: Runs, conditions: &mut Conditions, condition: &str) -> String {
        let Runs { counts, combinations } = runs;
        let Self { from, within, id, .. } = self;
        let select = |which: &str, shown: &str| {
            format!("SELECT {id} AS found FROM {from} WHERE {within}{which}{shown}{condition}")
        };
        let mut selects = Vec::new();
        for combination in combinations {
            let which = counts.is(combination, conditions);
            selects.push(select(&which, &conditions.of_these));
        }
        let strays = counts.young.filter(|young| young.strays && conditions.depend_on_time());
        if let Some(Young { is: young, .. }) = strays {
            let others = format!(" AND {young} AND NOT (TRUE{})", conditions.among);
            selects.push(select(&others, &conditions.shown));
        }
        selects.join(" UNION ALL ")
    }
}

impl Counts {
    /// The combinations in which a listing looks for its rows; one more than are merged if there are more.
    fn combinations(
        &self,
        rows: Rows<'_>,
        trac: &Trac,
        conditions: &Conditions,
    ) -> Result<Vec<Vec<Cell>>, StoreError> {
        let Self { from, within, combination, .. } = self;
        let columns: Vec<_> = combination.iter().map(|(column, _)| *column).collect();
        let sql = format!(
            "SELECT DISTINCT {} FROM {from} WHERE {within}{} AND rows > 0 LIMIT {}",
            columns.join(", "),
            conditions.among,
            MERGED_MAX.saturating_add(1)
        );
        rows.all(&sql, &conditions.args(&sql, trac), |row| {
            (0..columns.len()).map(|at| row.get(at)).collect::<Result<Vec<Cell>, StoreError>>()
        })
    }

    /// The condition for rows of this combination.
    fn is(&self, values: Vec<Cell>, conditions: &mut Conditions) -> String {
        let equal = self.combination.iter().zip(values).map(|((_, expression), value)| {
            let value = match value {
                // The only numbers in combinations are yes and no.
                Cell::Integer(number) => (if number == 0 { "FALSE" } else { "TRUE" }).to_owned(),
                Cell::Text(text) => conditions.bind(text),
                Cell::Null | Cell::Bytes(_) => "NULL".to_owned(),
            };
            format!(" AND {expression} = {value}")
        });
        equal.collect()
    }
}
