//! One file of the spool: lines from its beginning, and after the last one old bytes that no longer count.
//!
//! Space is reserved before it is needed: so the file has some even on a full disk, and a write into it is
//! synchronized without changing the file's length, which would take as long again. A line is valid once it is
//! synchronized. A failed write is overwritten by the next one, which has a larger sequence number, so that no
//! rest of the failed write is [valid](super::scan).
//!
//! The file is emptied by writing a first line with a new sequence number and zeros after it, so that visitors'
//! referrers cannot be read from it later. The zeros are not synchronized: lines that survive a crash during
//! that write are in the database already, have a smaller sequence number and do not count.

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::Path;

use trac_core::time::Timestamp;

use super::line::{self, Spooled, length};
use super::scan::{Found, Scan};

/// The space that is reserved at the start: some thousand clicks.
pub(super) const RESERVE_BYTES: u64 = 1 << 20;
/// The space that an emptied file keeps after a rush, for the next one.
pub(super) const KEEP_BYTES: u64 = 8 << 20;
/// The largest size of a file: two hundred thousand clicks.
pub(super) const LIMIT_BYTES: u64 = 64 << 20;
/// How much memory the write buffer keeps between writes.
const BUFFER_BYTES: usize = 1 << 20;
/// How many clicks are kept in memory, so that they need not be read again.
const IN_MEMORY_MAX: usize = 32_768;

#[derive(Debug)]
pub(super) struct Segment {
    file: File,
    /// The sequence number of the last write, successful or not.
    sequence: u64,
    /// Where clicks begin: after the line that marks an emptied file.
    begin: u64,
    /// Where the next line is written.
    end: u64,
    /// Where the last byte that is not zero ends.
    nonzero_end: u64,
    /// How many lines are not in the database yet.
    lines: usize,
    /// Where the first of those lines is.
    place: Place,
    /// The time of the first click that was in the file when it was opened.
    oldest: Option<Timestamp>,
    /// Lines that were in the file when it was opened and whose JSON this program does not know.
    unknown: Vec<u8>,
    /// Damaged ranges that were in the file when it was opened.
    damaged: Vec<Range<u64>>,
    /// The buffer of the next write.
    bytes: Vec<u8>,
}

/// Where the first line that is not in the database is.
#[derive(Debug)]
enum Place {
    /// All clicks are in memory as well, and the first `stored` of them are in the database.
    InMemory { clicks: Vec<Spooled>, stored: usize },
    /// The clicks are read from the file, up to here so far.
    InFile(Scan),
}

/// Clicks to be brought in, and how far the file has been read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunk<'a> {
    pub(super) clicks: Cow<'a, [Spooled]>,
    read: Scan,
}

impl Segment {
    /// Opens and locks a file, creates it if it is missing, and finds the clicks that an earlier process left
    /// in it.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if another process has locked it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let segment = Self::open_by(OpenOptions::new().create(true).truncate(false), path)?;
        // The directory entry of a new file is durable once its folder is synchronized.
        #[cfg(unix)]
        if let Some(Err(error)) = path.parent().map(|folder| File::open(folder)?.sync_all()) {
            tracing::debug!(%error, "the folder of the spool could not be synchronized");
        }
        Ok(segment)
    }

    /// [`Self::open`] for a file that must exist.
    pub(super) fn open_left(path: &Path) -> io::Result<Self> {
        Self::open_by(&mut OpenOptions::new(), path)
    }

    fn open_by(options: &mut OpenOptions, path: &Path) -> io::Result<Self> {
        options.read(true).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
        let file = options.open(path)?;
        file.try_lock().map_err(io::Error::from)?;
        let mut segment = Self::of(file);
        let mut scan = Scan::default();
        while let Some(found) = scan.next(&segment.file, u64::MAX)? {
            segment.add(found);
        }
        (segment.sequence, segment.end) = (scan.sequence, scan.end);
        if segment.end == 0 && segment.nonzero_end > line::BEGIN_LENGTH {
            // The file has no whole line, and more bytes than a first line that was cut off.
            segment.damaged.push(0..segment.nonzero_end);
            segment.end = segment.nonzero_end;
        }
        if segment.lines > 0 {
            segment.place = Place::InFile(Scan::default());
        }
        Ok(segment)
    }

    fn of(file: File) -> Self {
        let place = Place::InMemory { clicks: Vec::new(), stored: 0 };
        let (unknown, damaged, bytes) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            file,
            sequence: 0,
            begin: 0,
            end: 0,
            nonzero_end: 0,
            lines: 0,
            place,
            oldest: None,
            unknown,
            damaged,
            bytes,
        }
    }

    fn add(&mut self, found: Found) {
        let Found { clicks, unknown, damaged, begin, nonzero_end } = found;
        self.oldest = self.oldest.or_else(|| Some(clicks.first()?.click.clicked_at));
        self.lines = self.lines.saturating_add(clicks.len());
        self.unknown.extend(unknown);
        self.damaged.extend(damaged);
        self.begin = begin.unwrap_or(self.begin);
        self.nonzero_end = nonzero_end.unwrap_or(self.nonzero_end);
    }

    /// Reserves space for the first lines. If the disk is too full, only an eighth of the space that was
    /// available stays reserved: the database needs as much again, and once more for its log.
    pub(super) fn reserve(&mut self) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        let missing = usize::try_from(RESERVE_BYTES.saturating_sub(length)).unwrap_or_default();
        self.file.seek(SeekFrom::Start(length))?;
        let reserved = self.file.write_all(&vec![0; missing]);
        if reserved.is_err() {
            let more = self.file.metadata()?.len().saturating_sub(length);
            self.file.set_len(length.saturating_add(more.div_euclid(8)))?;
        }
        reserved
    }

    /// How many lines are not in the database yet.
    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    /// Unlocks the file for other processes.
    pub(super) fn release(&self) {
        if let Err(error) = self.file.unlock() {
            tracing::debug!(%error, "the spool could not be unlocked");
        }
    }

    /// The time of the first click that an earlier process left.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.oldest
    }

    /// The lines whose JSON this program does not know, written by a newer one. They are in the form of
    /// [`super::refused`].
    pub(super) fn unknown(&self) -> &[u8] {
        &self.unknown
    }

    /// Forgets the unknown lines: they are stored elsewhere.
    pub(super) fn forget_unknown(&mut self) {
        self.unknown = Vec::new();
    }

    /// Whether any lines that an earlier process left are damaged.
    pub(super) fn is_damaged(&self) -> bool {
        !self.damaged.is_empty()
    }

    /// The bytes of the damaged lines without zeros, with a line break in front, and with
    /// [`line::ANY_SEQUENCE`] in whole lines among them, so that they invalidate no others.
    pub(super) fn damaged(&self) -> io::Result<Vec<u8>> {
        let (mut file, mut all) = (&self.file, Vec::new());
        for Range { start, end } in &self.damaged {
            let mut bytes = Vec::new();
            file.seek(SeekFrom::Start(*start))?;
            file.take(end.saturating_sub(*start)).read_to_end(&mut bytes)?;
            bytes.retain(|byte| *byte != 0);
            if bytes.first().is_some_and(|first| *first != b'\n') {
                all.push(b'\n');
            }
            line::write_in_any_sequence(&bytes, &mut all)?;
        }
        Ok(all)
    }

    /// Forgets the damaged lines: they are stored elsewhere.
    pub(super) fn forget_damaged(&mut self) {
        self.damaged = Vec::new();
    }

    /// Whether the file contains anything that must be [emptied](Self::empty).
    pub(super) fn is_used(&self) -> bool {
        self.nonzero_end > self.begin
    }

    /// Appends clicks, synchronizes them, and removes them from `group`. If they would make the file too long,
    /// or cannot be written, none of them counts and all stay in `group`.
    pub(super) fn append(&mut self, group: &mut Vec<Spooled>) -> io::Result<()> {
        self.write(group)?;
        self.lines = self.lines.saturating_add(group.len());
        if let Place::InMemory { clicks, .. } = &mut self.place {
            clicks.append(group);
            if clicks.len() > IN_MEMORY_MAX {
                // The active file is never partly brought in: all its clicks are in the database, or none.
                self.place = Place::InFile(Scan::default());
            }
        }
        group.clear();
        Ok(())
    }

    /// Writes clicks after the last line.
    fn write(&mut self, group: &[Spooled]) -> io::Result<()> {
        self.sequence = self.sequence.saturating_add(1);
        self.bytes.clear();
        self.bytes.shrink_to(BUFFER_BYTES);
        let mut begin = self.begin;
        if self.end == 0 {
            line::write_begin(self.sequence, &mut self.bytes)?;
            begin = line::BEGIN_LENGTH;
        }
        for spooled in group {
            spooled.write(self.sequence, &mut self.bytes)?;
        }
        let end = self.end.saturating_add(length(self.bytes.len()));
        if end > LIMIT_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.nonzero_end = self.nonzero_end.max(end);
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(&self.bytes)?;
        self.file.sync_data()?;
        (self.begin, self.end) = (begin, end);
        Ok(())
    }

    /// The next clicks that are not in the database; at most `limit` of those in memory.
    pub(super) fn waiting(&mut self, limit: usize) -> io::Result<Option<Chunk<'_>>> {
        if self.lines == 0 {
            return Ok(None);
        }
        if let Place::InFile(mut read) = self.place {
            while let Some(Found { clicks, .. }) = read.next(&self.file, self.end)? {
                if !clicks.is_empty() {
                    return Ok(Some(Chunk { clicks: Cow::Owned(clicks), read }));
                }
            }
            return Ok(None);
        }
        let Place::InMemory { clicks, stored } = &self.place else { return Ok(None) };
        let clicks = clicks.get(*stored..).unwrap_or_default();
        let clicks = clicks.get(..limit).unwrap_or(clicks);
        Ok(Some(Chunk { clicks: Cow::Borrowed(clicks), read: Scan::default() }))
    }

    /// Records that `count` of the [waiting](Self::waiting) lines, read up to `read`, are in the database.
    pub(super) fn advance(&mut self, (count, read): (usize, Scan)) {
        self.lines = self.lines.saturating_sub(count);
        match &mut self.place {
            Place::InMemory { stored, .. } => *stored = stored.saturating_add(count),
            Place::InFile(before) => *before = read,
        }
    }

    /// Empties the file: all its clicks are in the database.
    pub(super) fn empty(&mut self) -> io::Result<()> {
        let used = usize::try_from(self.nonzero_end.min(KEEP_BYTES)).unwrap_or_default();
        let mut clicks = match &mut self.place {
            Place::InMemory { clicks, .. } => std::mem::take(clicks),
            Place::InFile(_) => Vec::new(),
        };
        clicks.clear();
        (self.begin, self.end, self.lines) = (0, 0, 0);
        self.place = Place::InMemory { clicks, stored: 0 };
        self.sequence = self.sequence.saturating_add(1);
        self.bytes.clear();
        line::write_begin(self.sequence, &mut self.bytes)?;
        self.bytes.resize(used.max(self.bytes.len()), 0);
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&self.bytes)?;
        if self.file.metadata()?.len() > KEEP_BYTES {
            self.file.set_len(KEEP_BYTES)?;
        }
        (self.begin, self.end, self.nonzero_end) =
            (line::BEGIN_LENGTH, line::BEGIN_LENGTH, line::BEGIN_LENGTH);
        Ok(())
    }
}

impl Chunk<'_> {
    /// The argument for [`Segment::advance`] once these clicks are in the database.
    pub(super) fn progress(&self) -> (usize, Scan) {
        (self.clicks.len(), self.read)
    }
}
