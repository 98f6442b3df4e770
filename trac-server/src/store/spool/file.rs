//! The file under the spool: lines from its beginning, and behind the last one whatever was there before.
//!
//! Room is taken before it is needed, so that a full disk still has some. The file is emptied by writing
//! zeros over it; what an end in the middle of that leaves is of an older generation and not read behind newer lines. A line counts once it is synchronized: the file
//! ends where the first line that is not whole begins, and a write that failed is written over.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use super::line::{self, Spooled};

/// Room that is taken at the start: some thousand clicks.
pub(super) const ROOM_BYTES: u64 = 1 << 20;
/// The largest spool, where the disk has room: two hundred thousand clicks.
pub(super) const LIMIT_BYTES: u64 = 64 << 20;
/// How much is read at once; no line is longer.
const CHUNK_BYTES: u64 = 1 << 18;

#[derive(Debug)]
pub(super) struct SpoolFile {
    file: File,
    generation: u64,
    /// Up to where the lines are in the store.
    drained: u64,
    /// Where the next line goes.
    end: u64,
    lines: usize,
}

impl SpoolFile {
    /// Opens the file of this process and finds what an earlier one left in it.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] where another process has it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        file.try_lock().map_err(io::Error::from)?;
        let mut spool = Self { file, generation: 0, drained: 0, end: 0, lines: 0 };
        while let Some((lines, end)) = spool.chunk(spool.end, u64::MAX)? {
            spool.lines = spool.lines.saturating_add(lines.len());
            spool.end = end;
        }
        if spool.lines == 0 {
            spool.generation = spool.stale_generation()?.wrapping_add(1);
        }
        Ok(spool)
    }

    /// Takes room for the first lines; what could be taken stays.
    pub(super) fn take_room(&mut self) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        let missing = usize::try_from(ROOM_BYTES.saturating_sub(length)).unwrap_or_default();
        self.file.seek(SeekFrom::Start(length))?;
        self.file.write_all(&vec![0; missing])
    }

    /// How many lines are not in the store yet.
    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    /// Appends lines and synchronizes them. Those that would make the file too long, or cannot be written, count for nothing.
    pub(super) fn append(&mut self, group: &[Spooled]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for spooled in group {
            bytes.extend(spooled.write(self.generation).map_err(io::Error::other)?);
        }
        let end = u64::try_from(bytes.len()).ok().and_then(|length| self.end.checked_add(length));
        let end = end.filter(|end| *end <= LIMIT_BYTES).ok_or(io::ErrorKind::FileTooLarge)?;
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(&bytes)?;
        self.file.sync_data()?;
        self.end = end;
        self.lines = self.lines.saturating_add(group.len());
        Ok(())
    }

    /// The next lines that are not in the store, and where they end.
    pub(super) fn waiting(&mut self) -> io::Result<Option<(Vec<Spooled>, u64)>> {
        if self.drained < self.end { self.chunk(self.drained, self.end) } else { Ok(None) }
    }

    /// Notes that so many lines, up to there, are in the store. When all are, the file is emptied.
    pub(super) fn drained(&mut self, lines: usize, end: u64) -> io::Result<()> {
        (self.drained, self.lines) = (end, self.lines.saturating_sub(lines));
        if self.drained < self.end {
            return Ok(());
        }
        // All of it, not its first byte alone: where visitors came from is nobody's to find here.
        let used = usize::try_from(self.end.min(ROOM_BYTES)).unwrap_or_default();
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&vec![0; used])?;
        if self.file.metadata()?.len() > ROOM_BYTES {
            self.file.set_len(ROOM_BYTES)?;
        }
        self.file.sync_data()?;
        (self.drained, self.end) = (0, 0);
        self.generation = self.generation.wrapping_add(1);
        Ok(())
    }

    /// Whole lines of one generation from `begin` on, before `limit`.
    fn chunk(&mut self, begin: u64, limit: u64) -> io::Result<Option<(Vec<Spooled>, u64)>> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(begin))?;
        (&self.file).take(limit.saturating_sub(begin).min(CHUNK_BYTES)).read_to_end(&mut bytes)?;
        let (mut rest, mut end, mut lines) = (bytes.as_slice(), begin, Vec::new());
        while let Some((generation, spooled, length)) = line::read(rest) {
            if end == 0 {
                self.generation = generation;
            } else if generation != self.generation {
                break;
            }
            lines.push(spooled);
            rest = rest.get(length..).unwrap_or_default();
            end = end.saturating_add(u64::try_from(length).unwrap_or_default());
        }
        Ok((!lines.is_empty()).then_some((lines, end)))
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
