//! The stored form of an event's body: compressed, since two bodies of Stripe's usual size do not fit on one page
//! of the database.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io::{self, Read as _};

use zstd::bulk::Compressor;
use zstd::stream::Decoder;

use super::{StoreError, StoreErrorKind};

/// The first bytes of a compressed body. No text begins with them: they are not UTF-8. Source: RFC 8878, 3.1.1.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The longest body that is decompressed. The server accepts none that is nearly as long.
const LONGEST_BYTES: u64 = 32 << 20;
/// Higher levels save a twentieth more and take twice as long.
const LEVEL: i32 = 1;

thread_local! {
    /// A compressor is a quarter of a megabyte, and is used again.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
}

/// A compressor whose output has a checksum, so that a changed byte does not become another event.
fn checked() -> io::Result<Compressor<'static>> {
    let mut compressor = Compressor::new(LEVEL)?;
    compressor.include_checksum(true)?;
    Ok(compressor)
}

/// An event's body as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredBody(Vec<u8>);

impl StoredBody {
    /// Compresses a body. It is done before the body is passed to the writer, which is busy.
    pub(crate) fn of(body: &[u8]) -> Self {
        let compressed = COMPRESSOR.with_borrow_mut(|compressor| {
            if compressor.is_none() {
                *compressor = checked().ok();
            }
            compressor.as_mut().and_then(|compressor| compressor.compress(body).ok())
        });
        Self(compressed.unwrap_or_else(|| body.to_vec()))
    }

    /// A body that was stored.
    pub(crate) const fn from_stored(stored: Vec<u8>) -> Self {
        Self(stored)
    }

    /// The bytes for the database.
    pub(crate) fn as_stored(&self) -> &[u8] {
        &self.0
    }

    /// The body as it was received. Bodies that an earlier version stored are not compressed.
    ///
    /// # Errors
    /// [`StoreErrorKind::Corrupt`] if it cannot be decompressed.
    pub(crate) fn received(&self) -> Result<Cow<'_, [u8]>, StoreError> {
        if !self.0.starts_with(&MAGIC) {
            return Ok(Cow::Borrowed(&self.0));
        }
        let mut body = Vec::new();
        let read = Decoder::new(self.0.as_slice())
            .and_then(|decoder| decoder.take(LONGEST_BYTES).read_to_end(&mut body));
        match read {
            Ok(_) => Ok(Cow::Owned(body)),
            Err(error) => {
                let detail = format!("the body of an event is damaged: {error}");
                Err(StoreError::new(StoreErrorKind::Corrupt, detail))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_as_it_was_received() {
        let long = r#"{"id":"evt_1","data":{"object":{}}}"#.repeat(1_000);
        for body in ["", "{}", "\u{feff}{}", long.as_str()] {
            let stored = StoredBody::of(body.as_bytes());
            assert_eq!(stored.received().unwrap(), body.as_bytes());
            assert_eq!(StoredBody::from_stored(stored.as_stored().to_vec()), stored);
        }
        assert!(StoredBody::of(long.as_bytes()).as_stored().len() < long.len() / 100);
        // A body that was received in the compressed form is not mistaken for one that the store compressed.
        let twice = StoredBody::of(StoredBody::of(b"{}").as_stored());
        assert_eq!(twice.received().unwrap(), StoredBody::of(b"{}").as_stored());
    }

    #[test]
    fn a_body_of_an_earlier_version_is_not_compressed() {
        let stored = StoredBody::from_stored(b"{\"id\":\"evt_1\"}".to_vec());
        assert_eq!(stored.received().unwrap(), stored.as_stored());
    }

    #[test]
    fn a_damaged_body_is_an_error() {
        let mut bytes = StoredBody::of(b"{\"id\":\"evt_1\"}").as_stored().to_vec();
        bytes.truncate(8);
        let error = StoredBody::from_stored(bytes).received().unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    }
}
