//! How much one processor does.
