//! One click as a line of the spool.
//!
//! # Wire form
//! `<sum> <generation> <JSON>\n`: 16 hex digits, the first half of the SHA-256 of all that follows them up to the end of the
//! line; the number of times the file was emptied; the click with its workspace and mode. JSON holds no raw line break, so
//! a line is a line.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use trac_core::program::Mode;

use crate::id::hex;
use crate::store::click::NewClick;
use crate::store::{Scope, StoreError};

/// A click and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Spooled {
    workspace_id: String,
    mode: Mode,
    click: NewClick,
}

impl Spooled {
    pub(super) fn new(scope: &Scope, click: NewClick) -> Self {
        Self { workspace_id: scope.workspace_id().to_owned(), mode: scope.mode(), click }
    }

    /// Brings the click into the store unless it is there.
    pub(super) fn insert_once(&self, tx: &rusqlite::Connection) -> Result<(), StoreError> {
        self.click.insert_once(tx, &Scope::new(&self.workspace_id, self.mode))
    }

    /// Writes the line.
    pub(super) fn write(&self, generation: u64) -> Result<Vec<u8>, StoreError> {
        let rest = format!(" {generation} {}", serde_json::to_string(self)?);
        Ok(format!("{}{rest}\n", sum(rest.as_bytes())).into_bytes())
    }
}

/// The line that bytes begin with: its generation, the click, and its length. `None` for anything but a whole line.
pub(super) fn read(bytes: &[u8]) -> Option<(u64, Spooled, usize)> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (told, rest) = bytes.get(..end)?.split_at_checked(16)?;
    if told != sum(rest).as_bytes() {
        return None;
    }
    let (generation, json) = std::str::from_utf8(rest).ok()?.strip_prefix(' ')?.split_once(' ')?;
    Some((generation.parse().ok()?, serde_json::from_str(json).ok()?, end.saturating_add(1)))
}

fn sum(bytes: &[u8]) -> String {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    hex(digest.first_chunk::<8>().map_or(&[], |first| first))
}

#[cfg(test)]
mod tests {
    use trac_core::click::ClickId;
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
        let line = spooled.write(3).unwrap();
        assert_eq!(read(&line), Some((3, spooled, line.len())));
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
}
