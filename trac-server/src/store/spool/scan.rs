//! Reads a file of the spool. A damaged line affects only itself.
//!
//! A line is valid if it is whole and its sequence number is not smaller than that of a valid line before it. A
//! line with a smaller number was in the file already when the line before it was written: it is in the
//! database, or its write was reported as failed. Bytes between two valid lines were a valid line too and are
//! damaged: their range is reported, and reading continues after them. Bytes after the last valid line do not
//! count: they are a write that a kill cut off, the rest of older lines, or zeros.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;

use super::line::{self, ANY_SEQUENCE, LONGEST, Line, Read, Spooled, length};

/// How many bytes are read at once.
pub(super) const CHUNK_BYTES: usize = LONGEST;

/// How far a file has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    /// The position of the next read.
    at: u64,
    /// Where the last valid line ends.
    pub(super) end: u64,
    /// Its sequence number.
    pub(super) sequence: u64,
}

/// The content of a chunk of the file.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) clicks: Vec<Spooled>,
    /// Lines whose JSON this program does not know, with [`ANY_SEQUENCE`], which is valid in any file.
    pub(super) unknown: Vec<u8>,
    /// Damaged ranges.
    pub(super) damaged: Vec<Range<u64>>,
    /// Where the line that marks an emptied file ends, if the file begins with one.
    pub(super) begin: Option<u64>,
    /// Where the last byte of the chunk that is not zero ends.
    pub(super) nonzero_end: Option<u64>,
}

impl Scan {
    /// Reads the next chunk, up to `limit`; `None` at the end.
    pub(super) fn next(&mut self, mut file: &File, limit: u64) -> io::Result<Option<Found>> {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(self.at))?;
        file.take(limit.saturating_sub(self.at).min(length(CHUNK_BYTES))).read_to_end(&mut bytes)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let is_last = bytes.len() < CHUNK_BYTES;
        let nonzero_end = bytes.iter().rposition(|byte| *byte != 0);
        let nonzero_end = nonzero_end.map(|last| self.at.saturating_add(length(last)).saturating_add(1));
        let (mut found, mut rest) = (Found { nonzero_end, ..Found::default() }, bytes.as_slice());
        while !rest.is_empty() {
            let passed = match line::read(rest) {
                Read::Whole(line) => {
                    if line.sequence >= self.sequence {
                        self.accept(&line, &mut found)?;
                    }
                    line.length
                }
                // It is read again together with the next chunk.
                Read::Cut if !is_last && rest.len() < bytes.len() => break,
                Read::Cut | Read::Broken => line::next(rest),
            };
            rest = rest.get(passed..).unwrap_or_default();
            self.at = self.at.saturating_add(length(passed));
        }
        Ok(Some(found))
    }

    /// Accepts the line at the current position as valid.
    fn accept(&mut self, line: &Line<'_>, found: &mut Found) -> io::Result<()> {
        if self.at > self.end {
            found.damaged.push(self.end..self.at);
        }
        self.end = self.at.saturating_add(length(line.length));
        self.sequence = line.sequence;
        if line.is_begin() {
            found.begin = (self.at == 0).then_some(self.end);
        } else if let Some(spooled) = line.spooled() {
            found.clicks.push(spooled);
        } else {
            line::write_as_is(ANY_SEQUENCE, line.json, &mut found.unknown)?;
        }
        Ok(())
    }
}
