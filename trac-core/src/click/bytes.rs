//! Functions on text as bytes that do not allocate.
//!
//! The browser's script makes the same decisions as the server, in a few kilobytes and without an allocator.
//! So these functions read borrowed bytes and write into a [`Sink`] of the caller; other public functions
//! wrap them and return `String`s.

use alloc::vec::Vec;

/// A buffer to write text into: a `Vec<u8>` on the server, a fixed buffer in the browser.
pub trait Sink {
    /// Appends the bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Splits a text before the first `mark`; without one, the first part is the whole text.
///
/// # Examples
/// ```
/// use trac_core::click::bytes::cut;
///
/// assert_eq!(cut(b"a=b=c", b'='), (&b"a"[..], &b"=b=c"[..]));
/// assert_eq!(cut(b"a", b'='), (&b"a"[..], &b""[..]));
/// ```
#[must_use]
#[inline(never)]
pub fn cut(text: &[u8], mark: u8) -> (&[u8], &[u8]) {
    let at = text.iter().position(|byte| *byte == mark).unwrap_or(text.len());
    text.split_at_checked(at).unwrap_or_default()
}

/// The text without the blanks and control characters around it.
///
/// # Examples
/// ```
/// assert_eq!(trac_core::click::bytes::trim(b" \t a b\n"), b"a b");
/// ```
#[must_use]
#[inline(never)]
pub fn trim(mut text: &[u8]) -> &[u8] {
    while let [0..=b' ', rest @ ..] | [rest @ .., 0..=b' '] = text {
        text = rest;
    }
    text
}

/// The pieces of a text between `mark` bytes, including empty ones. See [`pieces`].
#[derive(Clone, Copy, Debug)]
pub struct Pieces<'a> {
    rest: Option<&'a [u8]>,
    mark: u8,
}

/// The pieces of a text between `mark` bytes, including empty ones.
///
/// # Examples
/// ```
/// use trac_core::click::bytes::pieces;
///
/// assert!(pieces(b"a,,b", b',').eq([&b"a"[..], b"", b"b"]));
/// assert!(pieces(b"", b',').eq([b""]));
/// ```
#[must_use]
pub const fn pieces(text: &[u8], mark: u8) -> Pieces<'_> {
    Pieces { rest: Some(text), mark }
}

impl<'a> Pieces<'a> {
    /// The pieces of `text`; without a text, no pieces.
    pub(crate) const fn of(text: Option<&'a [u8]>, mark: u8) -> Self {
        Self { rest: text, mark }
    }

    /// The part of the text that was not returned yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest.unwrap_or_default()
    }
}

#[expect(clippy::copy_iterator, reason = "it is two machine words, and is iterated more than once")]
impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    #[inline(never)]
    fn next(&mut self) -> Option<&'a [u8]> {
        let (piece, after) = cut(self.rest?, self.mark);
        self.rest = after.get(1..);
        Some(piece)
    }
}

/// The bytes of a name or value in a URL, percent-decoded and with `+` as a blank; a `%` without two hex
/// digits is itself.
///
/// An ID contains neither `%` nor `+`, so an ID from a cookie reads the same.
///
/// # Examples
/// ```
/// use trac_core::click::bytes::Decoded;
///
/// assert!(Decoded(b"a%62+%zz").eq(*b"ab %zz"));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Decoded<'a>(pub &'a [u8]);

#[expect(clippy::copy_iterator, reason = "it is a borrowed text that is iterated more than once")]
impl Iterator for Decoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        u8::try_from(self.advance()).ok()
    }
}

impl Decoded<'_> {
    /// The next byte, or [`END`] after the last. A single number, because returning it takes less code than
    /// an `Option`.
    #[inline(never)]
    fn advance(&mut self) -> u32 {
        let Some((&first, rest)) = self.0.split_first() else { return END };
        self.0 = rest;
        if let (b'%', [high, low, rest @ ..]) = (first, rest) {
            let (high, low) = (hex(*high), hex(*low));
            if high | low < 16 {
                self.0 = rest;
                return high << 4 | low;
            }
        }
        u32::from(if first == b'+' { b' ' } else { first })
    }
}

/// Not a byte: the end of the text.
const END: u32 = 256;

/// Writes the decoded bytes of a value.
#[inline(never)]
pub fn put_decoded(out: &mut impl Sink, value: Decoded<'_>) {
    for byte in value {
        out.put(&[byte]);
    }
}

/// Whether two texts decode to the same bytes.
#[must_use]
#[inline(never)]
pub fn spells(a: Decoded<'_>, b: Decoded<'_>) -> bool {
    a.eq(b)
}

/// The value of a hex digit; 16 for any other byte.
#[inline(never)]
fn hex(digit: u8) -> u32 {
    u32::from(match digit {
        b'0'..=b'9' => digit.wrapping_sub(b'0'),
        b'A'..=b'F' | b'a'..=b'f' => (digit | 0x20).wrapping_sub(b'a' - 10),
        _ => 16,
    })
}

/// Writes a number in decimal, with at least one digit.
pub fn put_decimal(out: &mut impl Sink, number: u32) {
    let mut unit = 1_u32;
    while number.checked_div(unit).is_some_and(|left| left >= 10) {
        unit = unit.wrapping_mul(10);
    }
    while let Some(digits) = number.checked_div(unit) {
        let [last, ..] = digits.wrapping_rem(10).to_le_bytes();
        out.put(&[last | b'0']);
        unit = unit.wrapping_div(10);
    }
}
