//! One click as a line of the spool.
//!
//! # Wire form
//! `\n<sum> <length> <sequence> <JSON>`, the numbers as 8, 8 and 16 hex digits:
//! * the line break is in front, so that a line is found after a damaged one. Directly after a whole line, it
//!   is not checked;
//! * the sum is the CRC-32 of all bytes after it;
//! * the length is that of the line in bytes, with its line break;
//! * the sequence number is that of the write that appended the line. It is greater than that of every earlier
//!   write to the file, including those that failed or were wiped since. A line after one with a greater number
//!   is older and does not count;
//! * the JSON is the click with its workspace and mode, or `null` in the line that marks an emptied file. It
//!   contains no raw line break, so that no input of a visitor is ever read as a line.
//!
//! A sum of 32 bits protects against torn writes and bit rot, not against an attacker who can write the owner's
//! files. It detects every change within 32 consecutive bits, and every three flipped bits of a line up to
//! eleven kilobytes. Of other damage one in four thousand million passes; that would also need a length that
//! fits, a sequence number that is not too small, and the JSON of a click.

use std::io;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::store::Scope;
use crate::store::click::NewClick;

/// The positions of the parts of a line.
const SUM: Range<usize> = 1..9;
const LENGTH: Range<usize> = 10..18;
const SEQUENCE: Range<usize> = 19..35;
const JSON: usize = 36;
/// The longest line, in bytes.
pub(super) const LONGEST: usize = 1 << 18;
/// The JSON of the line that marks an emptied file.
const BEGIN: &[u8] = b"null";
/// The length of that line; every click's line is longer.
pub(super) const BEGIN_LENGTH: u64 = 40;

/// The sequence number of all lines in a file where their order has no meaning.
pub(super) const ANY_SEQUENCE: u64 = 1;

/// A click with its workspace and mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct Spooled {
    #[serde(flatten)]
    pub(in crate::store) scope: Scope,
    pub(in crate::store) click: NewClick,
}

impl Spooled {
    pub(in crate::store) fn new(scope: &Scope, click: NewClick) -> Self {
        Self { scope: scope.clone(), click }
    }

    /// Appends the line.
    ///
    /// # Errors
    /// [`io::ErrorKind::FileTooLarge`] if it would be longer than [`LONGEST`].
    pub(super) fn write(&self, sequence: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
        write(sequence, bytes, |bytes| Ok(serde_json::to_writer(bytes, self)?))
    }
}

/// Appends the line that marks an emptied file.
pub(super) fn write_begin(sequence: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    write_as_is(sequence, BEGIN, bytes)
}

/// Appends a line of JSON that this program does not know.
pub(super) fn write_as_is(sequence: u64, json: &[u8], bytes: &mut Vec<u8>) -> io::Result<()> {
    write(sequence, bytes, |bytes| {
        bytes.extend(json);
        Ok(())
    })
}

/// Appends bytes unchanged, except that whole lines among them get [`ANY_SEQUENCE`].
pub(super) fn write_in_any_sequence(mut bytes: &[u8], all: &mut Vec<u8>) -> io::Result<()> {
    while !bytes.is_empty() {
        let passed = match read(bytes) {
            Read::Whole(line) => {
                write_as_is(ANY_SEQUENCE, line.json, all)?;
                line.length
            }
            Read::Cut | Read::Broken => {
                let passed = next(bytes);
                all.extend(bytes.get(..passed).unwrap_or_default());
                passed
            }
        };
        bytes = bytes.get(passed..).unwrap_or_default();
    }
    Ok(())
}

fn write(
    sequence: u64,
    bytes: &mut Vec<u8>,
    json: impl FnOnce(&mut Vec<u8>) -> io::Result<()>,
) -> io::Result<()> {
    let begin = bytes.len();
    bytes.extend([b' '; JSON]);
    json(bytes)?;
    let line = bytes.get_mut(begin..).unwrap_or_default();
    if line.len() > LONGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let length = length(line.len());
    put(line, 0..1, b"\n");
    put(line, LENGTH, &digits::<8>(length));
    put(line, SEQUENCE, &digits::<16>(sequence));
    let sum = sum(line);
    put(line, SUM, &sum);
    Ok(())
}

/// A whole line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) sequence: u64,
    pub(super) json: &'a [u8],
    pub(super) length: usize,
}

impl Line<'_> {
    /// Whether it is the line that marks an emptied file.
    pub(super) fn is_begin(&self) -> bool {
        self.json == BEGIN
    }

    /// The click; `None` if this program does not know the JSON, which a newer one wrote.
    pub(super) fn spooled(&self) -> Option<Spooled> {
        serde_json::from_slice(self.json).ok()
    }
}

/// The result of reading a line at the beginning of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read<'a> {
    Whole(Line<'a>),
    /// May be a line if more bytes follow.
    Cut,
    /// Not a line.
    Broken,
}

/// Reads the line at the beginning of `bytes`.
pub(super) fn read(bytes: &[u8]) -> Read<'_> {
    let Some(head) = bytes.get(..JSON) else { return Read::Cut };
    let (Some(length), Some(sequence)) = (number(head, LENGTH), number(head, SEQUENCE)) else {
        return Read::Broken;
    };
    let Some(length) = usize::try_from(length).ok().filter(|length| (JSON..=LONGEST).contains(length)) else {
        return Read::Broken;
    };
    let Some(line) = bytes.get(..length) else { return Read::Cut };
    if line.get(SUM) != Some(&sum(line)) {
        return Read::Broken;
    }
    Read::Whole(Line { sequence, json: line.get(JSON..).unwrap_or_default(), length })
}

/// Where the next line may begin after a broken one.
pub(super) fn next(bytes: &[u8]) -> usize {
    let next = bytes.iter().skip(1).position(|byte| *byte == b'\n');
    next.map_or(bytes.len(), |between| between.saturating_add(1))
}

/// A length in memory as a position in a file.
pub(super) fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// The checksum of a line, as it is written.
fn sum(line: &[u8]) -> [u8; 8] {
    digits(crc32fast::hash(line.get(SUM.end..).unwrap_or_default()).into())
}

fn digits<const N: usize>(mut number: u64) -> [u8; N] {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        let place = usize::try_from(number & 15).unwrap_or_default();
        *digit = b"0123456789abcdef".get(place).copied().unwrap_or_default();
        number >>= 4;
    }
    digits
}

fn number(head: &[u8], place: Range<usize>) -> Option<u64> {
    let digits = std::str::from_utf8(head.get(place)?).ok()?;
    u64::from_str_radix(digits, 16).ok()
}

fn put(line: &mut [u8], place: Range<usize>, digits: &[u8]) {
    if let Some(place) = line.get_mut(place).filter(|place| place.len() == digits.len()) {
        place.copy_from_slice(digits);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests;
    use super::*;

    fn spooled(referrer: &str) -> Spooled {
        let click = NewClick { link_id: None, referrer: Some(referrer.into()), ..tests::click(2) };
        Spooled::new(&tests::scope(), click)
    }

    #[test]
    fn only_a_whole_line_is_read() {
        let spooled = spooled("https://a.example/\n\u{0}ü");
        let mut line = Vec::new();
        spooled.write(3, &mut line).unwrap();
        assert!(!line[1..].contains(&b'\n'), "the only line break is in front");
        let Read::Whole(read_again) = read(&line) else { panic!("the line is whole") };
        assert_eq!((read_again.sequence, read_again.length), (3, line.len()));
        assert_eq!((read_again.spooled(), read_again.is_begin()), (Some(spooled), false));
        for cut in 0..line.len() {
            assert_eq!(read(&line[..cut]), Read::Cut, "{cut} bytes of it");
        }
        for at in 1..line.len() {
            for bit in 0..8 {
                let mut flipped = line.clone();
                flipped[at] ^= 1 << bit;
                assert!(!matches!(read(&flipped), Read::Whole(_)), "bit {bit} of byte {at}");
            }
        }
        line[0] = b'*';
        line.push(b'*');
        assert!(matches!(read(&line), Read::Whole(_)), "the bytes before and after it do not matter");
        assert_eq!(read(&[0; 64]), Read::Broken);
        assert_eq!(read(b"\n"), Read::Cut);
    }

    #[test]
    fn a_line_has_the_documented_form() {
        let mut line = Vec::new();
        write_begin(10, &mut line).unwrap();
        // The sum as `python3 -c 'import zlib; print("%08x" % zlib.crc32(b" 00000028 000000000000000a null"))'` prints it.
        assert_eq!(line, b"\ne773e463 00000028 000000000000000a null");
        assert_eq!(BEGIN_LENGTH, u64::try_from(line.len()).unwrap());
        assert!(matches!(read(&line), Read::Whole(line) if line.is_begin() && line.spooled().is_none()));
    }

    #[test]
    fn a_line_that_would_be_too_long_to_be_read_is_not_written() {
        for (more, want) in [(0, true), (LONGEST, false)] {
            assert_eq!(spooled(&"x".repeat(more)).write(1, &mut Vec::new()).is_ok(), want, "{more}");
        }
        for (length, want) in [(LONGEST - JSON, true), (LONGEST - JSON + 1, false)] {
            let mut line = Vec::new();
            assert_eq!(write_as_is(1, &vec![b'x'; length], &mut line).is_ok(), want, "{length}");
            assert_eq!(matches!(read(&line), Read::Whole(_)), want, "{length}");
        }
    }

    #[test]
    fn the_next_line_begins_with_a_line_break() {
        let check = |bytes: &[u8], want: usize| assert_eq!(next(bytes), want, "{bytes:?}");
        check(b"", 0);
        check(b"broken", 6);
        check(b"\nbroken", 7);
        check(b"\nbroken\nnext\n", 7);
        check(b"\n\nnext", 1);
        check(b"\0\0\nnext\n", 2);
    }
}
