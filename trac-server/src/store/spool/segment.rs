//! One file of the spool: lines from its beginning, and behind the last one whatever was there before.
//!
//! Room is taken before it is needed: a full disk still has some, and what is written into it is synchronized without a change
//! of the file's length, which would take as long again. A line counts once it is synchronized; a write that failed is written over
//! by one of a later turn, behind which nothing of it [counts](super::scan).
//!
//! The file is emptied by zeros, so that where visitors came from is nobody's to find here, behind a line that tells the turn of that.
//! They are not synchronized: whatever an end in the middle of it leaves is in the store already, of an earlier turn, and does not count.

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::Path;

use trac_core::time::Timestamp;

use super::line::{self, Spooled, length};
use super::scan::{Found, Scan};

/// Room that is taken at the start: some thousand clicks.
pub(super) const ROOM_BYTES: u64 = 1 << 20;
/// What is kept of the room that a rush took, for the next one.
pub(super) const KEEP_BYTES: u64 = 8 << 20;
/// The largest file, where the disk has room: two hundred thousand clicks.
pub(super) const LIMIT_BYTES: u64 = 64 << 20;
/// How much memory is kept for what is written next.
const BUFFER_BYTES: usize = 1 << 20;
/// How many clicks are kept in mind, so that they need not be read again.
const IN_MIND_MAX: usize = 32_768;

#[derive(Debug)]
pub(super) struct Segment {
    file: File,
    /// The number of the last write, also of one that failed.
    turn: u64,
    /// Where lines begin: behind the one that says that the file was emptied.
    begin: u64,
    /// Where the next line goes.
    end: u64,
    /// How far it shows anything but zeros.
    shown: u64,
    /// How many lines are not in the store yet.
    lines: usize,
    /// Where the first of them is.
    place: Place,
    /// When the first was made that was there when the file was opened.
    oldest: Option<Timestamp>,
    /// Lines that were there and say nothing to this program.
    strange: Vec<u8>,
    /// What was there and is damaged.
    damaged: Vec<Range<u64>>,
    /// For what is written next.
    bytes: Vec<u8>,
}

/// Where the first line is that is not in the store.
#[derive(Debug)]
enum Place {
    /// All lines are in mind as well, and so many of them are in the store.
    InMind { clicks: Vec<Spooled>, taken: usize },
    /// The file is read so far.
    InFile(Scan),
}

/// Lines to be brought in, and how far the file is read with them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunk<'a> {
    pub(super) clicks: Cow<'a, [Spooled]>,
    read: Scan,
}

impl Segment {
    /// Opens a file of this process and finds what an earlier one left in it.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] where another process has it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let segment = Self::open_by(OpenOptions::new().create(true).truncate(false), path)?;
        // A file that is new has a name once its folder is synchronized.
        #[cfg(unix)]
        if let Some(Err(error)) = path.parent().map(|folder| File::open(folder)?.sync_all()) {
            tracing::debug!(%error, "the folder of the spool could not be synchronized");
        }
        Ok(segment)
    }

    /// [`Self::open`] for a file that must be there.
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
            segment.note(found);
        }
        (segment.turn, segment.end) = (scan.turn, scan.end);
        if segment.end == 0 && segment.shown > line::BEGIN_LENGTH {
            // There is no whole line at all, and not just the beginning of the first.
            segment.damaged.push(0..segment.shown);
            segment.end = segment.shown;
        }
        if segment.lines > 0 {
            segment.place = Place::InFile(Scan::default());
        }
        Ok(segment)
    }

    fn of(file: File) -> Self {
        let place = Place::InMind { clicks: Vec::new(), taken: 0 };
        let (strange, damaged, bytes) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            file,
            turn: 0,
            begin: 0,
            end: 0,
            shown: 0,
            lines: 0,
            place,
            oldest: None,
            strange,
            damaged,
            bytes,
        }
    }

    fn note(&mut self, found: Found) {
        let Found { clicks, strange, damaged, begin, shown } = found;
        self.oldest = self.oldest.or_else(|| Some(clicks.first()?.click.clicked_at));
        self.lines = self.lines.saturating_add(clicks.len());
        self.strange.extend(strange);
        self.damaged.extend(damaged);
        self.begin = begin.unwrap_or(self.begin);
        self.shown = shown.unwrap_or(self.shown);
    }

    /// Takes room for the first lines. Where there is not enough, an eighth of what could be taken stays: the store will need as much
    /// again, and once more for its log.
    pub(super) fn take_room(&mut self) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        let missing = usize::try_from(ROOM_BYTES.saturating_sub(length)).unwrap_or_default();
        self.file.seek(SeekFrom::Start(length))?;
        let taken = self.file.write_all(&vec![0; missing]);
        if taken.is_err() {
            let more = self.file.metadata()?.len().saturating_sub(length);
            self.file.set_len(length.saturating_add(more.div_euclid(8)))?;
        }
        taken
    }

    /// How many lines are not in the store yet.
    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    /// Lets another process have the file.
    pub(super) fn release(&self) {
        if let Err(error) = self.file.unlock() {
            tracing::debug!(%error, "the spool stays locked");
        }
    }

    /// When the first line was made of those that an earlier process left.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.oldest
    }

    /// The lines that say nothing to this program: a newer one wrote them. They are in the form of [`super::refused`].
    pub(super) fn strange(&self) -> &[u8] {
        &self.strange
    }

    /// Forgets them: they are kept elsewhere.
    pub(super) fn forget_strange(&mut self) {
        self.strange = Vec::new();
    }

    /// Whether anything is damaged of what an earlier process left.
    pub(super) fn is_damaged(&self) -> bool {
        !self.damaged.is_empty()
    }

    /// What is left of the damaged lines: all but zeros, with a line break in front, and no turn behind which others would not count.
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
            line::write_in_any_turn(&bytes, &mut all)?;
        }
        Ok(all)
    }

    /// Forgets what is damaged: it is kept elsewhere.
    pub(super) fn forget_damaged(&mut self) {
        self.damaged = Vec::new();
    }

    /// Whether there is anything to be [emptied](Self::empty).
    pub(super) fn is_used(&self) -> bool {
        self.shown > self.begin
    }

    /// Appends lines and synchronizes them, and takes them out of `group`. Those that would make the file too long, or cannot be
    /// written, count for nothing and stay there.
    pub(super) fn append(&mut self, group: &mut Vec<Spooled>) -> io::Result<()> {
        self.write(group)?;
        self.lines = self.lines.saturating_add(group.len());
        if let Place::InMind { clicks, .. } = &mut self.place {
            clicks.append(group);
            if clicks.len() > IN_MIND_MAX {
                // Nothing is brought in of a file that still grows: they are all in the store, or none.
                self.place = Place::InFile(Scan::default());
            }
        }
        group.clear();
        Ok(())
    }

    /// Writes lines behind the last one.
    fn write(&mut self, group: &[Spooled]) -> io::Result<()> {
        self.turn = self.turn.saturating_add(1);
        self.bytes.clear();
        self.bytes.shrink_to(BUFFER_BYTES);
        let mut begin = self.begin;
        if self.end == 0 {
            line::write_begin(self.turn, &mut self.bytes)?;
            begin = line::BEGIN_LENGTH;
        }
        for spooled in group {
            spooled.write(self.turn, &mut self.bytes)?;
        }
        let end = self.end.saturating_add(length(self.bytes.len()));
        if end > LIMIT_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.shown = self.shown.max(end);
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(&self.bytes)?;
        self.file.sync_data()?;
        (self.begin, self.end) = (begin, end);
        Ok(())
    }

    /// The next lines that are not in the store, at most so many of those in mind.
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
        let Place::InMind { clicks, taken } = &self.place else { return Ok(None) };
        let clicks = clicks.get(*taken..).unwrap_or_default();
        let clicks = clicks.get(..limit).unwrap_or(clicks);
        Ok(Some(Chunk { clicks: Cow::Borrowed(clicks), read: Scan::default() }))
    }

    /// Notes that so many of the lines that were [waiting](Self::waiting), up to there, are in the store.
    pub(super) fn took(&mut self, (count, read): (usize, Scan)) {
        self.lines = self.lines.saturating_sub(count);
        match &mut self.place {
            Place::InMind { taken, .. } => *taken = taken.saturating_add(count),
            Place::InFile(before) => *before = read,
        }
    }

    /// Begins anew: all that was in the file is in the store.
    pub(super) fn empty(&mut self) -> io::Result<()> {
        let used = usize::try_from(self.shown.min(KEEP_BYTES)).unwrap_or_default();
        let mut clicks = match &mut self.place {
            Place::InMind { clicks, .. } => std::mem::take(clicks),
            Place::InFile(_) => Vec::new(),
        };
        clicks.clear();
        (self.begin, self.end, self.lines) = (0, 0, 0);
        self.place = Place::InMind { clicks, taken: 0 };
        self.turn = self.turn.saturating_add(1);
        self.bytes.clear();
        line::write_begin(self.turn, &mut self.bytes)?;
        self.bytes.resize(used.max(self.bytes.len()), 0);
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&self.bytes)?;
        if self.file.metadata()?.len() > KEEP_BYTES {
            self.file.set_len(KEEP_BYTES)?;
        }
        (self.begin, self.end, self.shown) = (line::BEGIN_LENGTH, line::BEGIN_LENGTH, line::BEGIN_LENGTH);
        Ok(())
    }
}

impl Chunk<'_> {
    /// What [`Segment::took`] is told once they are in the store.
    pub(super) fn taken(&self) -> (usize, Scan) {
        (self.clicks.len(), self.read)
    }
}
