//! End-to-end tests of trac.
