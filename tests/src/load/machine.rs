//! Processors, memory and disks, read from Linux's `/proc`.

use std::fs::{self, File};
use std::hint::spin_loop;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

/// Processor time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Used {
    pub(super) micros: u64,
}

impl Used {
    /// The processor time of a process so far, with its children.
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

/// The peak memory of a process.
pub(super) fn peak_kilobytes(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

/// Pins this thread, and the processes it starts, to one processor.
pub(super) fn pin_to(processor: usize) {
    let own = fs::read_link("/proc/thread-self").expect("Linux names the thread");
    let own = own.file_name().and_then(|name| name.to_str()).expect("a number");
    let pinned = Command::new("taskset")
        .args(["--cpu-list", "--pid", &processor.to_string(), own])
        .stdout(Stdio::null())
        .status();
    assert!(pinned.is_ok_and(|status| status.success()), "taskset is needed, and a second processor");
}

/// The time in nanoseconds in which a value in memory goes from one processor to another and back. Two threads
/// of one core, or two cores that share a cache, need about 80. If a virtual machine's processors are moved
/// apart, it can become five times as long from one second to the next, and so can the exchange of bytes between
/// a client and a server on them.
pub(super) fn distance_nanos(one: usize, other: usize) -> u64 {
    const TIMES: u64 = 50_000;
    let shared = AtomicU64::new(0);
    let wait_for = |value| {
        while shared.load(Ordering::Acquire) != value {
            spin_loop();
        }
    };
    let nanos = thread::scope(|threads| {
        threads.spawn(|| {
            pin_to(other);
            for time in 0..=TIMES {
                wait_for(2 * time + 1);
                shared.store(2 * time + 2, Ordering::Release);
            }
        });
        let caller = threads.spawn(|| {
            pin_to(one);
            let call = |time| {
                shared.store(2 * time + 1, Ordering::Release);
                wait_for(2 * time + 2);
            };
            // After both threads have started.
            call(0);
            let begun = Instant::now();
            (1..=TIMES).for_each(call);
            begun.elapsed().as_nanos()
        });
        caller.join().expect("the thread ends")
    });
    u64::try_from(nanos).unwrap_or(u64::MAX) / TIMES
}

/// The time of an fsync of one page: the median of many.
pub(super) fn fsync_micros(folder: &Path) -> u64 {
    let mut file = File::create(folder.join("fsync")).expect("a file");
    let mut times: Vec<_> = (0..101)
        .map(|_| {
            file.write_all(&[1; 4_096]).expect("space");
            let begun = Instant::now();
            file.sync_data().expect("a disk");
            begun.elapsed().as_micros()
        })
        .collect();
    times.sort_unstable();
    times.get(50).and_then(|micros| u64::try_from(*micros).ok()).unwrap_or_default()
}
