//! The space that each part of the database takes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::file::{log_of, read_only};
use crate::store::StoreError;
use crate::store::parts::{PARTS, part_of};

/// Pages whose rows were deleted. They are used again before the file grows.
const FREE: &str = "free";
/// The write-ahead log, which is a file of its own.
const LOG: &str = "log";

/// The bytes of each part, with the indexes of its tables. Source: <https://sqlite.org/dbstat.html>.
pub(super) fn measure(file: &Path) -> Result<Vec<(&'static str, u64)>, StoreError> {
    let connection = read_only(file)?;
    let mut bytes: BTreeMap<&'static str, u64> = PARTS.iter().map(|(part, _)| (*part, 0)).collect();
    let mut add = |part, more: u64| {
        let sum = bytes.entry(part).or_default();
        *sum = sum.saturating_add(more);
    };
    let sql = "SELECT coalesce(s.tbl_name, d.name), sum(d.pgsize) FROM dbstat AS d LEFT JOIN sqlite_schema AS s ON s.name = d.name \
               WHERE d.aggregate = TRUE GROUP BY 1";
    let mut read = connection.prepare(sql)?;
    let tables = read.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
    for table in tables {
        let (table, size) = table?;
        add(part_of(&table), size.unsigned_abs());
    }
    let free = "SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size";
    add(FREE, connection.query_row(free, [], |row| row.get::<_, i64>(0))?.unsigned_abs());
    add(LOG, fs::metadata(log_of(file)).map_or(0, |log| log.len()));
    Ok(bytes.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Store, schema};

    #[tokio::test]
    async fn every_part_of_the_file_is_measured() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let parts = store.space().await.unwrap();
        let sum: u64 = parts.iter().filter(|(part, _)| *part != LOG).map(|(_, bytes)| bytes).sum();
        let pages = store.read(|tx| {
            tx.one("SELECT page_count * 4096 FROM pragma_page_count", &[], |row| row.get::<i64>(0))
        });
        assert_eq!(sum, pages.await.unwrap().unwrap().unsigned_abs(), "{parts:?}");
        let tables = store.read(schema::tables).await.unwrap();
        for table in PARTS.iter().flat_map(|(_, tables)| *tables) {
            assert!(tables.iter().any(|one| one == table), "{table}");
        }
    }
}
