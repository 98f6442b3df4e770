//! trac-server.
