//! What the system says of processors, memory and disks. Linux tells it under `/proc`.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio, id};
use std::time::Instant;

/// Time of the processor.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Used {
    pub(super) micros: u64,
}

impl Used {
    /// What a process has used so far, with its children.
    pub(super) fn by(process: u32) -> Self {
        let own = ticks(process);
        let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
        let children = children.unwrap_or_default();
        let theirs: u64 = children.split_whitespace().filter_map(|child| child.parse().ok()).map(ticks).sum();
        // A tick is a hundredth of a second.
        Self { micros: (own + theirs) * 10_000 }
    }

    pub(super) fn since(self, before: Self) -> Self {
        Self { micros: self.micros - before.micros }
    }
}

/// User and system time, the 14th and 15th field. Source: proc(5).
fn ticks(process: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let after_name = stat.rsplit_once(") ").map(|(_, rest)| rest).unwrap_or_default();
    after_name.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
}

/// The most memory a process has had.
pub(super) fn peak_kilobytes(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

/// Keeps this thread, and what it starts, to one processor.
pub(super) fn keep_to(processor: usize) {
    let kept = Command::new("taskset")
        .args(["--cpu-list", "--pid", &processor.to_string(), &id().to_string()])
        .stdout(Stdio::null())
        .status();
    assert!(kept.is_ok_and(|status| status.success()), "taskset is needed, and a second processor");
}

/// How long the disk takes to have a page for certain: the median of many.
pub(super) fn fsync_micros(folder: &Path) -> u64 {
    let mut file = File::create(folder.join("fsync")).expect("a file");
    let mut taken: Vec<_> = (0..101)
        .map(|_| {
            file.write_all(&[1; 4_096]).expect("room");
            let begun = Instant::now();
            file.sync_data().expect("a disk");
            begun.elapsed().as_micros()
        })
        .collect();
    taken.sort_unstable();
    taken.get(50).and_then(|micros| u64::try_from(*micros).ok()).unwrap_or_default()
}
