//! trac.js.
