//! A lock, so that only one server at a time runs on a data folder. Two servers would count a key's calls
//! separately, and overwrite each other's public URL in the store.
//!
//! The folder itself is locked, not only a file in it, which could be removed: the lock applies to every path
//! to the folder, whatever the folder contains. Short commands, such as `trac workspace create`, need no lock.

use std::fs::{File, TryLockError};
use std::path::Path;

use super::error::{StoreError, StoreErrorKind};
use super::file;

const FILE_NAME: &str = "serve.lock";

/// The right to serve from a data folder. It ends when this value is dropped, and when the process ends in any
/// way.
#[derive(Debug)]
pub struct FolderLock {
    /// The system releases the locks when the files are closed.
    _locked: Vec<File>,
}

impl FolderLock {
    /// Locks the folder, and creates it if it is missing.
    ///
    /// # Errors
    /// [`StoreErrorKind::Conflict`] if a server runs on it, [`StoreErrorKind::Unavailable`] if it cannot be written.
    pub fn on(data: &Path) -> Result<Self, StoreError> {
        let path = data.join(FILE_NAME);
        let cannot =
            |error| StoreError::new(StoreErrorKind::Unavailable, format!("{}: {error}", path.display()));
        file::make_folder(data).map_err(cannot)?;
        // Earlier versions lock only the file.
        let mut locked = vec![file::open_private(&path).map_err(cannot)?];
        #[cfg(unix)]
        locked.push(File::open(data).map_err(cannot)?);
        for file in &locked {
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let detail = format!("{}: a server runs on this folder already", data.display());
                    return Err(StoreError::new(StoreErrorKind::Conflict, detail));
                }
                // Some file systems have no locks.
                Err(TryLockError::Error(error)) => {
                    tracing::warn!(%error, path = %path.display(), "the file could not be locked");
                }
            }
        }
        Ok(Self { _locked: locked })
    }
}

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

    #[test]
    fn a_folder_is_served_by_one_server_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("new");
        let first = FolderLock::on(&data).unwrap();
        let refused = FolderLock::on(&data).unwrap_err();
        assert_eq!(refused.kind(), StoreErrorKind::Conflict);
        assert!(refused.to_string().contains("new"), "{refused}");
        // Neither a removed lock file nor another path to the folder admits a second server.
        #[cfg(unix)]
        {
            fs::remove_file(data.join(FILE_NAME)).unwrap();
            let other = folder.path().join("other");
            std::os::unix::fs::symlink(&data, &other).unwrap();
            for path in [&data, &other] {
                assert_eq!(
                    FolderLock::on(path).unwrap_err().kind(),
                    StoreErrorKind::Conflict,
                    "{}",
                    path.display()
                );
            }
        }
        drop(first);
        FolderLock::on(&data).unwrap();
    }

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
