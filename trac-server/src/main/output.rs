//! Standard output, which its reader may close before the end, as `head` does.

use std::io::{self, ErrorKind, Write};

/// Standard output. Bytes written after its reader closed it are dropped, which is not a failure of the
/// command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output;

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        unless_closed(io::stdout().write(bytes), bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        unless_closed(io::stdout().flush(), ())
    }
}

fn unless_closed<T>(written: io::Result<T>, dropped: T) -> io::Result<T> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(dropped),
        written => written,
    }
}
