//! A lock, so that only one server at a time runs on a data folder. Two servers would count a key's calls
//! separately, and overwrite each other's public URL in the store.
//!
//! The folder itself is locked, not only a file in it, which could be removed: the lock applies to every path
//! to the folder, whatever the folder contains. Short commands, such as `trac workspace create`, need no lock.

use std::fs::{File, TryLockError};
use std::path::Path;

use super::error::{StoreError, StoreErrorKind};
use super::private;

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
        private::make_folder(data).map_err(cannot)?;
        // Earlier versions lock only the file.
        let mut locked = vec![private::open(&path).map_err(cannot)?];
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
}
