//! One click as a line of the spool.
//!
//! # Wire form
//! `<sum> <generation> <JSON>\n`: 16 hex digits, the first half of the SHA-256 of all that follows them up to the end of the
//! line; the number of times the file was emptied; the click with its workspace and mode. JSON holds no raw line break, so
//! a line is a line.

use std::io::{self, Write as _};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::id::hex;
use crate::store::Scope;
use crate::store::click::NewClick;

const SUM_LENGTH: usize = 16;

/// A click and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Spooled {
    #[serde(flatten)]
    pub(super) scope: Scope,
    pub(super) click: NewClick,
}

impl Spooled {
    pub(super) fn new(scope: &Scope, click: NewClick) -> Self {
        Self { scope: scope.clone(), click }
    }

    /// Appends the line.
    pub(super) fn write(&self, generation: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
        let begin = bytes.len();
        bytes.extend([0; SUM_LENGTH]);
        write!(bytes, " {generation} ")?;
        serde_json::to_writer(&mut *bytes, self)?;
        if let Some((place, rest)) =
            bytes.get_mut(begin..).and_then(|line| line.split_at_mut_checked(SUM_LENGTH))
        {
            place.copy_from_slice(sum(rest).as_bytes());
        }
        bytes.push(b'\n');
        Ok(())
    }
}

/// A whole line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) generation: u64,
    /// `None` if this program cannot make anything of it: a newer one wrote it.
    pub(super) spooled: Option<Spooled>,
    pub(super) length: usize,
}

/// The line that bytes begin with. `None` for anything but a whole one.
pub(super) fn read(bytes: &[u8]) -> Option<Line> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (told, rest) = bytes.get(..end)?.split_at_checked(SUM_LENGTH)?;
    if told != sum(rest).as_bytes() {
        return None;
    }
    let (generation, json) = std::str::from_utf8(rest).ok()?.strip_prefix(' ')?.split_once(' ')?;
    let (generation, spooled) = (generation.parse().ok()?, serde_json::from_str(json).ok());
    Some(Line { generation, spooled, length: end.saturating_add(1) })
}

fn sum(bytes: &[u8]) -> String {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    hex(digest.first_chunk::<{ SUM_LENGTH / 2 }>().map_or(&[], |first| first))
}

/// The line of a text that a newer program could have written.
#[cfg(test)]
pub(super) fn of(rest: &[u8]) -> Vec<u8> {
    [sum(rest).as_bytes(), rest, b"\n"].concat()
}

#[cfg(test)]
mod tests {
    use trac_core::click::ClickId;
    use trac_core::program::Mode;
    use trac_core::time::Timestamp;

    use super::*;

    #[test]
    fn only_a_whole_line_is_read() {
        let click = NewClick {
            id: ClickId::new(1, 2),
            program_id: "prog_1".into(),
            partner_id: "part_1".into(),
            link_id: None,
            clicked_at: Timestamp::from_unix_secs(1),
            is_unique: None,
            visitor: Some([7; 16]),
            last_click: None,
            referrer: Some("https://a.example/\n\u{0}ü".into()),
            landing_url: None,
        };
        let spooled = Spooled::new(&Scope::new("ws_1", Mode::Test), click);
        let mut line = Vec::new();
        spooled.write(3, &mut line).unwrap();
        assert_eq!(read(&line), Some(Line { generation: 3, spooled: Some(spooled), length: line.len() }));
        for cut in 0..line.len() {
            assert_eq!(read(&line[..cut]), None, "{cut} bytes of it");
        }
        for at in 0..line.len() {
            let mut flipped = line.clone();
            flipped[at] ^= 1;
            assert_eq!(read(&flipped), None, "a bit of byte {at}");
        }
        assert_eq!(read(&[0; 64]), None);
        assert_eq!(read(b"\n"), None);
    }

    #[test]
    fn a_whole_line_that_says_nothing_to_this_program_is_still_a_line() {
        let line = of(b" 7 {\"click\":{\"by\":\"a newer program\"}}");
        assert_eq!(read(&line), Some(Line { generation: 7, spooled: None, length: line.len() }));
    }
}
