//! What is damaged in the spool is kept beside it, for whoever can still make something of it.

use std::io::{self, Write as _};
use std::path::Path;

use super::refused::FILE_NAME;
use super::segment::Segment;
use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::file;

/// Keeps what is damaged in a file of the spool as it is, before the file is emptied.
pub(super) fn keep_damaged(segment: &mut Segment, database: &Path) -> Result<(), StoreError> {
    if !segment.is_damaged() {
        return Ok(());
    }
    let path = database.with_file_name(FILE_NAME);
    let cannot = |error: io::Error| {
        StoreError::new(StoreErrorKind::Unavailable, format!("{}: {error}", path.display()))
    };
    let damaged = segment.damaged().map_err(cannot)?;
    let mut file = file::open_private(&path).map_err(cannot)?;
    file.write_all(&damaged).and_then(|()| file.sync_all()).map_err(cannot)?;
    segment.forget_damaged();
    tracing::error!(
        bytes = damaged.len(),
        "the spool is damaged, by the disk or by another program: the clicks of the damaged lines are not counted, all others are; \
         what is left of those lines is kept in {}",
        path.display()
    );
    Ok(())
}
