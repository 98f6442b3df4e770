//! How much free space the disk has.
//!
//! Pages report any number of clicks, leads and claims; webhooks are about money. Below a threshold of free
//! space, reports from pages are no longer recorded, and the rest is reserved for webhooks.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::store::error::{StoreError, StoreErrorKind};

const MEGABYTE: u64 = 1 << 20;

/// The free space of a data folder's disk.
#[derive(Debug)]
pub(super) struct Room {
    folder: PathBuf,
    /// How many bytes are reserved; 0 for none.
    reserved: AtomicU64,
    free: AtomicU64,
    is_low: AtomicBool,
}

impl Room {
    pub(super) fn around(database: &Path) -> Self {
        let folder = database.parent().unwrap_or(Path::new(".")).to_owned();
        let (reserved, free, is_low) = (AtomicU64::new(0), AtomicU64::new(u64::MAX), AtomicBool::new(false));
        Self { folder, reserved, free, is_low }
    }

    /// Reserves this many bytes from now on.
    pub(super) fn reserve(&self, bytes: u64) {
        self.reserved.store(bytes, Ordering::SeqCst);
        self.measure();
    }

    /// Measures the free space.
    pub(super) fn measure(&self) {
        if self.reserved.load(Ordering::SeqCst) == 0 {
            self.update(u64::MAX);
        } else if let Some(free) = free_bytes(&self.folder) {
            self.update(free);
        }
    }

    fn update(&self, free: u64) {
        let reserved = self.reserved.load(Ordering::SeqCst);
        self.free.store(free, Ordering::SeqCst);
        let was_low = self.is_low.load(Ordering::SeqCst);
        // Once low, the space counts as low until an eighth more than `reserved` is free, so that the state
        // does not flicker.
        let mark = if was_low { reserved.saturating_add(reserved.div_euclid(8)) } else { reserved };
        let is_low = free < mark;
        if is_low == was_low {
            return;
        }
        self.is_low.store(is_low, Ordering::SeqCst);
        let (free_mb, kept_mb) = (free.div_euclid(MEGABYTE), reserved.div_euclid(MEGABYTE));
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

    /// Returns an error if too little space is left to record what pages report.
    pub(super) fn check_for_pages(&self) -> Result<(), StoreError> {
        if !self.is_low.load(Ordering::SeqCst) {
            return Ok(());
        }
        let [free, reserved] =
            [&self.free, &self.reserved].map(|bytes| bytes.load(Ordering::SeqCst).div_euclid(MEGABYTE));
        let detail =
            format!("the disk has {free} MB left, less than the {reserved} MB reserved for webhooks");
        Err(StoreError::new(StoreErrorKind::Unavailable, detail))
    }
}

/// How many bytes this process can still write to the folder's disk; `None` if that is unknown.
/// Source: statvfs(3).
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
        room.reserved.store(800, Ordering::SeqCst);
        let check = |free: u64, want: bool| {
            room.update(free);
            assert_eq!(room.check_for_pages().is_ok(), want, "{free}");
        };
        check(800, true);
        check(799, false);
        check(899, false);
        check(900, true);
        check(800, true);
        check(0, false);
        room.reserve(0);
        assert!(room.check_for_pages().is_ok(), "nothing is reserved");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_free_space_of_a_folder_is_measured() {
        let folder = tempfile::tempdir().unwrap();
        assert!(free_bytes(folder.path()).is_some_and(|free| free > 0));
        let room = Room::around(&folder.path().join("trac.db"));
        room.reserve(u64::MAX);
        assert!(room.check_for_pages().is_err());
        room.reserve(1);
        assert!(room.check_for_pages().is_ok());
    }
}
