//! Reading a file of the spool, in which a damaged line hides nothing but itself.
//!
//! Lines count that are whole and whose turns go on: a line of a smaller turn than one before it lay there already when that was
//! written, and is in the store, or was told as failed. What lies between two lines that count was such a line itself, and is
//! damaged: it is told where, and reading goes on behind it. What lies behind the last line that counts is nothing: a write that a
//! kill cut off, what is left of older lines, or zeros.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;

use super::line::{self, ANY_TURN, LONGEST, Line, Read, Spooled, length};

/// How much is read at once.
pub(super) const CHUNK_BYTES: usize = LONGEST;

/// How far a file is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    /// What is read next.
    at: u64,
    /// Where the last line ends that counts.
    pub(super) end: u64,
    /// Its turn.
    pub(super) turn: u64,
}

/// What a chunk of the file holds.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) clicks: Vec<Spooled>,
    /// Lines that say nothing to this program, in a turn that goes on in any file.
    pub(super) strange: Vec<u8>,
    /// What is damaged.
    pub(super) damaged: Vec<Range<u64>>,
    /// Where the line ends that an emptied file begins with, if the file does.
    pub(super) begin: Option<u64>,
    /// Where the last byte is that is not zero, and ends.
    pub(super) shown: Option<u64>,
}

impl Scan {
    /// Reads on, up to `limit`; `None` once there is nothing more.
    pub(super) fn next(&mut self, mut file: &File, limit: u64) -> io::Result<Option<Found>> {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(self.at))?;
        file.take(limit.saturating_sub(self.at).min(length(CHUNK_BYTES))).read_to_end(&mut bytes)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let is_last = bytes.len() < CHUNK_BYTES;
        let shown = bytes.iter().rposition(|byte| *byte != 0);
        let shown = shown.map(|last| self.at.saturating_add(length(last)).saturating_add(1));
        let (mut found, mut rest) = (Found { shown, ..Found::default() }, bytes.as_slice());
        while !rest.is_empty() {
            let passed = match line::read(rest) {
                Read::Whole(line) => {
                    if line.turn >= self.turn {
                        self.count(&line, &mut found)?;
                    }
                    line.length
                }
                // It is read again with what follows.
                Read::Cut if !is_last && rest.len() < bytes.len() => break,
                Read::Cut | Read::Broken => line::next(rest),
            };
            rest = rest.get(passed..).unwrap_or_default();
            self.at = self.at.saturating_add(length(passed));
        }
        Ok(Some(found))
    }

    /// Counts the line that is read just now.
    fn count(&mut self, line: &Line<'_>, found: &mut Found) -> io::Result<()> {
        if self.at > self.end {
            found.damaged.push(self.end..self.at);
        }
        self.end = self.at.saturating_add(length(line.length));
        self.turn = line.turn;
        if line.is_begin() {
            found.begin = (self.at == 0).then_some(self.end);
        } else if let Some(spooled) = line.spooled() {
            found.clicks.push(spooled);
        } else {
            line::write_as_is(ANY_TURN, line.json, &mut found.strange)?;
        }
        Ok(())
    }
}
