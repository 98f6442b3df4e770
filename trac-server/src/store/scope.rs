//! The workspace and mode whose rows a query reads or writes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use trac_core::program::Mode;

/// One workspace in one mode. A query in a scope cannot read or write rows of another.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Scope {
    workspace_id: Arc<str>,
    mode: Mode,
}

impl Scope {
    /// The scope of a workspace in a mode.
    #[must_use]
    pub fn new(workspace_id: &str, mode: Mode) -> Self {
        Self { workspace_id: workspace_id.into(), mode }
    }

    /// The workspace's ID, as `ws_…`.
    #[must_use]
    pub fn workspace_id(&self) -> &str {
        &self.workspace_id
    }

    /// Test or live.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// The same workspace in its other mode.
    #[must_use]
    pub(crate) fn other_mode(&self) -> Self {
        let mode = match self.mode {
            Mode::Test => Mode::Live,
            Mode::Live => Mode::Test,
        };
        Self { workspace_id: Arc::clone(&self.workspace_id), mode }
    }

    /// The mode as stored in the column `mode`: `test` or `live`.
    #[must_use]
    pub const fn mode_str(&self) -> &'static str {
        self.mode.as_str()
    }
}

/// Parses a value of the column `mode`.
pub(crate) fn mode_of(column: &str) -> Mode {
    if column == "live" { Mode::Live } else { Mode::Test }
}
