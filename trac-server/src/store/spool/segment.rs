//! One file of the spool: lines from its beginning, and behind the last one whatever was there before.
//!
//! Room is taken before it is needed: a full disk still has some, and what is written into it is synchronized without a change
//! of the file's length, which would take as long again. A line counts once it is synchronized: the file ends where the first
//! line that is not whole begins, and a write that failed is written over.
//!
//! The file is emptied by zeros, so that where visitors came from is nobody's to find here. They are not synchronized: whatever an
//! end in the middle of that leaves is in the store already, of an older generation, and not read behind newer lines.

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use trac_core::time::Timestamp;

use super::line::{self, Line, Spooled};

/// Room that is taken at the start: some thousand clicks.
pub(super) const ROOM_BYTES: u64 = 1 << 20;
/// What is kept of the room that a rush took, for the next one.
pub(super) const KEEP_BYTES: u64 = 8 << 20;
/// The largest file, where the disk has room: two hundred thousand clicks.
pub(super) const LIMIT_BYTES: u64 = 64 << 20;
/// How much is read at once; no line is longer.
const CHUNK_BYTES: u64 = 1 << 18;
/// How many clicks are kept in mind, so that they need not be read again.
const IN_MIND_MAX: usize = 32_768;

#[derive(Debug)]
pub(super) struct Segment {
    file: File,
    generation: u64,
    /// Where the next line goes.
    end: u64,
    /// How many lines are not in the store yet.
    lines: usize,
    /// Where the first of them is.
    place: Place,
    /// When the first was made that was there when the file was opened.
    oldest: Option<Timestamp>,
    /// Lines that were there and say nothing to this program, as they are.
    strange: Vec<u8>,
}

/// Where the first line is that is not in the store.
#[derive(Debug)]
enum Place {
    /// All lines are in mind as well, and so many of them are in the store.
    InMind { clicks: Vec<Spooled>, taken: usize },
    /// At so many bytes.
    InFile(u64),
}

/// Lines of the file.
struct Lines {
    clicks: Vec<Spooled>,
    /// Those that say nothing to this program, as they are.
    strange: Vec<u8>,
    /// Where they all end.
    end: u64,
}

/// Lines to be brought in, and where they end in the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunk<'a> {
    pub(super) clicks: Cow<'a, [Spooled]>,
    end: u64,
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
        let (place, strange) = (Place::InFile(0), Vec::new());
        let mut segment = Self { file, generation: 0, end: 0, lines: 0, place, oldest: None, strange };
        while let Some(Lines { clicks, strange, end }) = segment.read(segment.end, u64::MAX)? {
            segment.strange.extend(strange);
            segment.oldest = segment.oldest.or_else(|| Some(clicks.first()?.click.clicked_at));
            segment.lines = segment.lines.saturating_add(clicks.len());
            segment.end = end;
        }
        if segment.end == 0 {
            segment.generation = segment.stale_generation()?.wrapping_add(1);
            segment.place = Place::InMind { clicks: Vec::new(), taken: 0 };
        }
        Ok(segment)
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

    /// The lines that say nothing to this program: a newer one wrote them.
    pub(super) fn strange(&self) -> &[u8] {
        &self.strange
    }

    /// Forgets them: they are kept elsewhere.
    pub(super) fn forget_strange(&mut self) {
        self.strange = Vec::new();
    }

    /// Whether there is anything to be [emptied](Self::empty).
    pub(super) fn is_used(&self) -> bool {
        self.end > 0
    }

    /// Appends lines and synchronizes them. Those that would make the file too long, or cannot be written, count for nothing and are
    /// handed back.
    pub(super) fn append(&mut self, group: Vec<Spooled>) -> Result<(), (io::Error, Vec<Spooled>)> {
        match self.write(&group) {
            Ok(end) => self.end = end,
            Err(error) => return Err((error, group)),
        }
        self.lines = self.lines.saturating_add(group.len());
        if let Place::InMind { clicks, .. } = &mut self.place {
            clicks.extend(group);
            if clicks.len() > IN_MIND_MAX {
                // Nothing is brought in of a file that still grows: they are all in the store, or none.
                self.place = Place::InFile(0);
            }
        }
        Ok(())
    }

    /// Writes lines behind the last one; answers where they end.
    fn write(&mut self, group: &[Spooled]) -> io::Result<u64> {
        let mut bytes = Vec::new();
        for spooled in group {
            spooled.write(self.generation, &mut bytes)?;
        }
        let end = u64::try_from(bytes.len()).ok().and_then(|length| self.end.checked_add(length));
        let end = end.filter(|end| *end <= LIMIT_BYTES).ok_or(io::ErrorKind::FileTooLarge)?;
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(&bytes)?;
        self.file.sync_data()?;
        Ok(end)
    }

    /// The next lines that are not in the store, at most so many of those in mind.
    pub(super) fn waiting(&mut self, limit: usize) -> io::Result<Option<Chunk<'_>>> {
        if self.lines == 0 {
            return Ok(None);
        }
        if let Place::InFile(begin) = self.place {
            let read = self.read(begin, self.end)?;
            return Ok(read.map(|Lines { clicks, end, .. }| Chunk { clicks: Cow::Owned(clicks), end }));
        }
        let Place::InMind { clicks, taken } = &self.place else { return Ok(None) };
        let clicks = clicks.get(*taken..).unwrap_or_default();
        let clicks = clicks.get(..limit).unwrap_or(clicks);
        Ok(Some(Chunk { clicks: Cow::Borrowed(clicks), end: self.end }))
    }

    /// Notes that so many of the lines that were [waiting](Self::waiting), up to there, are in the store.
    pub(super) fn took(&mut self, (count, end): (usize, u64)) {
        self.lines = self.lines.saturating_sub(count);
        match &mut self.place {
            Place::InMind { taken, .. } => *taken = taken.saturating_add(count),
            Place::InFile(begin) => *begin = end,
        }
    }

    /// Begins anew: all that was in the file is in the store.
    pub(super) fn empty(&mut self) -> io::Result<()> {
        let used = usize::try_from(self.end.min(KEEP_BYTES)).unwrap_or_default();
        let mut clicks = match &mut self.place {
            Place::InMind { clicks, .. } => std::mem::take(clicks),
            Place::InFile(_) => Vec::new(),
        };
        clicks.clear();
        (self.end, self.lines) = (0, 0);
        self.place = Place::InMind { clicks, taken: 0 };
        self.generation = self.generation.wrapping_add(1);
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&vec![0; used])?;
        if self.file.metadata()?.len() > KEEP_BYTES {
            self.file.set_len(KEEP_BYTES)?;
        }
        Ok(())
    }

    /// Whole lines of one generation from `begin` on, before `limit`.
    fn read(&mut self, begin: u64, limit: u64) -> io::Result<Option<Lines>> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(begin))?;
        (&self.file).take(limit.saturating_sub(begin).min(CHUNK_BYTES)).read_to_end(&mut bytes)?;
        let (mut rest, mut end) = (bytes.as_slice(), begin);
        let (mut clicks, mut strange) = (Vec::new(), Vec::new());
        while let Some(Line { generation, spooled, length }) = line::read(rest) {
            if end == 0 {
                self.generation = generation;
            } else if generation != self.generation {
                break;
            }
            match spooled {
                Some(spooled) => clicks.push(spooled),
                None => strange.extend(rest.get(..length).unwrap_or_default()),
            }
            rest = rest.get(length..).unwrap_or_default();
            end = end.saturating_add(u64::try_from(length).unwrap_or_default());
        }
        Ok((end > begin).then_some(Lines { clicks, strange, end }))
    }

    /// The newest generation that an emptied file still shows traces of: its first line lacks nothing but its first byte.
    fn stale_generation(&mut self) -> io::Result<u64> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(0))?;
        (&self.file).take(64).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(bytes.get(17..).unwrap_or_default()).into_owned();
        Ok(text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or_default())
    }
}

impl Chunk<'_> {
    /// What [`Segment::took`] is told once they are in the store.
    pub(super) fn taken(&self) -> (usize, u64) {
        (self.clicks.len(), self.end)
    }
}
