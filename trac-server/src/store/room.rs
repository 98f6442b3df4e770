//! How much room the disk has left.
//!
//! Pages report clicks, leads and claims in any number; webhooks are money. Below a mark of free space nothing more is recorded of
//! pages, and the space left is kept for webhooks.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::error::{StoreError, StoreErrorKind};

const MEGABYTE: u64 = 1 << 20;

/// The room of a data folder.
#[derive(Debug)]
pub(super) struct Room {
    folder: PathBuf,
    /// How many bytes are kept; 0 for none.
    kept: AtomicU64,
    free: AtomicU64,
    is_low: AtomicBool,
}

impl Room {
    pub(super) fn around(database: &Path) -> Self {
        let folder = database.parent().unwrap_or(Path::new(".")).to_owned();
        let (kept, free, is_low) = (AtomicU64::new(0), AtomicU64::new(u64::MAX), AtomicBool::new(false));
        Self { folder, kept, free, is_low }
    }

    /// Keeps so many bytes from now on.
    pub(super) fn keep(&self, bytes: u64) {
        self.kept.store(bytes, Ordering::SeqCst);
        self.look();
    }

    /// Looks how much room there is.
    pub(super) fn look(&self) {
        if self.kept.load(Ordering::SeqCst) == 0 {
            self.note(u64::MAX);
        } else if let Some(free) = free_bytes(&self.folder) {
            self.note(free);
        }
    }

    fn note(&self, free: u64) {
        let kept = self.kept.load(Ordering::SeqCst);
        self.free.store(free, Ordering::SeqCst);
        let was_low = self.is_low.load(Ordering::SeqCst);
        // Once low, it is so until an eighth more is free, or it would be one thing and the other by turns.
        let mark = if was_low { kept.saturating_add(kept.div_euclid(8)) } else { kept };
        let is_low = free < mark;
        if is_low == was_low {
            return;
        }
        self.is_low.store(is_low, Ordering::SeqCst);
        let (free_mb, kept_mb) = (free.div_euclid(MEGABYTE), kept.div_euclid(MEGABYTE));
        if is_low {
            tracing::error!(
                free_mb,
                kept_mb,
                "the disk is nearly full: clicks are no longer recorded, webhooks are"
            );
        } else {
            tracing::info!(free_mb, kept_mb, "the disk has room again: clicks are recorded");
        }
    }

    /// `Err` if too little is left for what pages report.
    pub(super) fn for_pages(&self) -> Result<(), StoreError> {
        if !self.is_low.load(Ordering::SeqCst) {
            return Ok(());
        }
        let [free, kept] =
            [&self.free, &self.kept].map(|bytes| bytes.load(Ordering::SeqCst).div_euclid(MEGABYTE));
        let detail =
            format!("the disk has {free} MB left, less than the {kept} MB that are kept for webhooks");
        Err(StoreError::new(StoreErrorKind::Unavailable, detail))
    }
}

/// What this process may still write there; `None` where that cannot be told. Source: statvfs(3).
#[cfg(target_os = "linux")]
fn free_bytes(folder: &Path) -> Option<u64> {
    let room = rustix::fs::statvfs(folder).ok()?;
    Some(room.f_bavail.saturating_mul(room.f_frsize))
}

#[cfg(not(target_os = "linux"))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_the_mark_no_clicks_are_recorded_until_an_eighth_more_is_free() {
        let room = Room::around(Path::new("/nowhere/trac.db"));
        room.kept.store(800, Ordering::SeqCst);
        let check = |free: u64, want: bool| {
            room.note(free);
            assert_eq!(room.for_pages().is_ok(), want, "{free}");
        };
        check(800, true);
        check(799, false);
        check(899, false);
        check(900, true);
        check(800, true);
        check(0, false);
        room.keep(0);
        assert!(room.for_pages().is_ok(), "nothing is kept");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_folder_has_room() {
        let folder = tempfile::tempdir().unwrap();
        assert!(free_bytes(folder.path()).is_some_and(|free| free > 0));
        let room = Room::around(&folder.path().join("trac.db"));
        room.keep(u64::MAX);
        assert!(room.for_pages().is_err());
        room.keep(1);
        assert!(room.for_pages().is_ok());
    }
}
