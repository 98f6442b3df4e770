//! A disk of a few megabytes, for tests that fill it.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::material::say;

/// A file system in memory, unmounted on drop.
#[derive(Debug)]
pub struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// Mounts one. Returns `None`, and prints why, if that is not allowed: only root on Linux may.
    #[must_use]
    pub fn mount(megabytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self { folder });
        }
        say("skipped: a small disk can be mounted by root on Linux only");
        None
    }

    /// Its mount point.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    /// Writes this many megabytes.
    pub fn occupy(&self, megabytes: usize) {
        let mut ballast = File::options().create(true).append(true).open(self.ballast()).expect("a file");
        ballast.write_all(&vec![0; megabytes << 20]).expect("space");
    }

    /// Fills the disk completely.
    pub fn fill(&self) {
        let mut ballast = File::options().create(true).append(true).open(self.ballast()).expect("a file");
        for size in [65_536, 4_096, 512, 1] {
            while ballast.write(&vec![0; size]).is_ok_and(|written| written > 0) {}
        }
    }

    /// Deletes what [`Self::occupy`] and [`Self::fill`] wrote.
    pub fn clear(&self) {
        fs::remove_file(self.ballast()).expect("an existing file");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // `--lazy` unmounts it even if a process still has a file open there.
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}
