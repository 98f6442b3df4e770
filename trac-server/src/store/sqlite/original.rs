//! The database file as it was when the store was opened.

use std::fs::File;
use std::path::Path;

use super::file;
use crate::store::error::{StoreError, StoreErrorKind};

/// The identities of the database file and its log when the store was opened.
#[derive(Debug)]
pub(super) struct Original {
    #[cfg(unix)]
    files: Vec<(std::path::PathBuf, [u64; 2])>,
}

impl Original {
    /// Records the device and inode of the database and its log.
    pub(super) fn of(database: &Path) -> Self {
        #[cfg(not(unix))]
        let _ = database;
        Self {
            #[cfg(unix)]
            files: [database.to_owned(), file::log_of(database)]
                .into_iter()
                .filter_map(|path| identity(&path).map(|identity| (path, identity)))
                .collect(),
        }
    }

    /// Checks that the paths still refer to the same files. Writes to a removed file are lost with it, and
    /// SQLite does not notice.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`], naming the file.
    pub(super) fn is_in_place(&self) -> Result<(), StoreError> {
        #[cfg(unix)]
        for (path, known) in &self.files {
            if identity(path) != Some(*known) {
                let detail = format!("{} was removed or replaced under the running server", path.display());
                return Err(StoreError::new(StoreErrorKind::Unavailable, detail));
            }
        }
        Ok(())
    }
}

/// Whether a path refers to this open file, and not to another one that took its place.
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    return file.metadata().is_ok_and(|metadata| identity(path) == Some(identity_of(&metadata)));
    #[cfg(not(unix))]
    return file.metadata().is_ok() && path.exists();
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<[u64; 2]> {
    std::fs::metadata(path).ok().map(|metadata| identity_of(&metadata))
}

#[cfg(unix)]
fn identity_of(metadata: &std::fs::Metadata) -> [u64; 2] {
    use std::os::unix::fs::MetadataExt as _;
    [metadata.dev(), metadata.ino()]
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_file_that_was_removed_or_replaced_is_not_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let (file, aside) = (folder.path().join("trac.db"), folder.path().join("aside"));
        fs::write(&file, "one").unwrap();
        let original = Original::of(&file);
        original.is_in_place().unwrap();
        fs::rename(&file, &aside).unwrap();
        assert_eq!(original.is_in_place().unwrap_err().kind(), StoreErrorKind::Unavailable);
        fs::write(&file, "two").unwrap();
        assert!(original.is_in_place().is_err());
        fs::rename(&aside, &file).unwrap();
        original.is_in_place().unwrap();
    }
}
