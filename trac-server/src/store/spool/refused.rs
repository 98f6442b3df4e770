//! The file `clicks.refused`: clicks that the database rejects while it accepts others, lines that this program
//! does not know, and damaged lines. They are stored next to the spool, so that they can be repaired later and
//! do not delay other clicks.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::line::{ANY_SEQUENCE, Spooled};
use super::segment::Segment;
use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::private;

const FILE_NAME: &str = "clicks.refused";

/// The file, created when it is first needed. It has the spool's form: renamed to a spool file, it is brought
/// in.
pub(in crate::store) struct Refused(PathBuf);

impl Refused {
    pub(in crate::store) fn in_folder(folder: &Path) -> Self {
        Self(folder.join(FILE_NAME))
    }

    /// Stores clicks on disk.
    pub(in crate::store) fn store(&self, refused: &[(&Spooled, StoreError)]) -> Result<(), StoreError> {
        let Some((first, error)) = refused.first() else { return Ok(()) };
        let mut bytes = Vec::new();
        for (spooled, _) in refused {
            spooled.write(ANY_SEQUENCE, &mut bytes).map_err(|error| self.cannot(&error))?;
        }
        self.append(&bytes)?;
        let (count, first) = (refused.len(), first.click.id.as_str());
        tracing::error!(%error, count, first, "clicks that the database rejects are stored in {}", self.0.display());
        Ok(())
    }

    /// Stores unknown lines unchanged.
    pub(super) fn store_unknown(&self, lines: &[u8]) -> Result<(), StoreError> {
        if lines.is_empty() {
            return Ok(());
        }
        self.append(lines)?;
        tracing::error!("clicks that a newer program wrote are stored in {}", self.0.display());
        Ok(())
    }

    /// Stores the damaged lines of a spool file, before that file is emptied.
    pub(super) fn store_damaged(&self, segment: &Segment) -> Result<(), StoreError> {
        if !segment.is_damaged() {
            return Ok(());
        }
        let damaged = segment.damaged().map_err(|error| self.cannot(&error))?;
        self.append(&damaged)?;
        tracing::error!(
            bytes = damaged.len(),
            "the spool is damaged, by the disk or by another program: the clicks of the damaged lines are not recorded, all others are; \
             the remains of those lines are stored in {}",
            self.0.display()
        );
        Ok(())
    }

    /// Appends all bytes, or none if the disk is full: the caller tries again later.
    fn append(&self, bytes: &[u8]) -> Result<(), StoreError> {
        let write = |mut file: File| {
            let length = file.metadata()?.len();
            let written = file.write_all(bytes).and_then(|()| file.sync_all());
            if written.is_err() {
                file.set_len(length)?;
            }
            written
        };
        private::open(&self.0).and_then(write).map_err(|error| self.cannot(&error))
    }

    fn cannot(&self, error: &io::Error) -> StoreError {
        StoreError::new(StoreErrorKind::Unavailable, format!("{}: {error}", self.0.display()))
    }
}
