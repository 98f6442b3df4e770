//! Memory without an allocator: one stretch of bytes, written from the front during a call and forgotten after it.
//!
//! Texts cross between the languages here, and here alone: JavaScript writes a request at the start and reads the
//! answer where it is told. So nothing is ever freed, and `alloc` serves types that the script does not make.
#![allow(unsafe_code, reason = "a stretch of memory that two languages share cannot be written without")]

use core::cell::{Cell, UnsafeCell};

use trac_core::click::bytes::Sink;

/// Longer texts are nothing the script reads: JavaScript does not send them. Four of them have room.
pub const LONGEST_BYTES: usize = 262_144;

const BYTES: usize = LONGEST_BYTES * 4;

/// The shared stretch of memory. What is written stays as it is for as long as the tape is borrowed.
pub struct Tape {
    bytes: UnsafeCell<[u8; BYTES]>,
    end: Cell<usize>,
}

// SAFETY: the script is instantiated without threads.
unsafe impl Sync for Tape {}

static TAPE: Tape = Tape { bytes: UnsafeCell::new([0; BYTES]), end: Cell::new(0) };

/// Where the stretch begins.
pub(crate) fn address() -> usize {
    TAPE.bytes.get().addr()
}

/// Answers a request of so many bytes: `f` writes the answer and says where it starts; it is put at the beginning, and
/// its length is said.
pub(crate) fn answer(length: usize, f: impl for<'a> FnOnce(&'a Tape, &'a [u8]) -> usize) -> usize {
    TAPE.end.set(length);
    let start = f(&TAPE, TAPE.slice(0, length));
    let answer = TAPE.since(start);
    let length = answer.len();
    // SAFETY: both lie inside the array, and nothing of it is borrowed any more.
    unsafe { core::ptr::copy(answer.as_ptr(), TAPE.bytes.get().cast::<u8>(), length) };
    length
}

impl Tape {
    /// How much is written.
    pub(crate) fn end(&self) -> usize {
        self.end.get()
    }

    /// What is written from there on.
    pub(crate) fn since(&self, start: usize) -> &[u8] {
        self.slice(start, self.end.get())
    }

    /// Takes what JavaScript has written at the end.
    pub(crate) fn take(&self, start: usize, length: usize) -> &[u8] {
        self.end.set(start.wrapping_add(length));
        self.since(start)
    }

    #[inline(never)]
    fn slice(&self, start: usize, end: usize) -> &[u8] {
        if start > end || end > BYTES {
            return &[];
        }
        // SAFETY: inside the array, and never written again while the tape is borrowed: `put` and JavaScript write
        // behind the end alone, and `answer` starts anew when nothing is borrowed any more.
        unsafe {
            core::slice::from_raw_parts(self.bytes.get().cast::<u8>().add(start), end.wrapping_sub(start))
        }
    }
}

impl Sink for &Tape {
    #[inline(never)]
    fn put(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let end = self.end.get();
            if end < BYTES {
                // SAFETY: inside the array, and behind everything that is borrowed.
                unsafe { self.bytes.get().cast::<u8>().add(end).write(*byte) };
                self.end.set(end.wrapping_add(1));
            }
        }
    }
}

#[cfg(target_arch = "wasm32")]
mod bare {
    use core::alloc::{GlobalAlloc, Layout};
    use core::arch::wasm32;
    use core::panic::PanicInfo;
    use core::ptr;

    /// No memory: what would ask for some is not called, and is taken out of the file.
    struct NoMemory;

    #[global_allocator]
    static NONE: NoMemory = NoMemory;

    // SAFETY: a null pointer says that there is nothing to be had.
    unsafe impl GlobalAlloc for NoMemory {
        unsafe fn alloc(&self, _: Layout) -> *mut u8 {
            ptr::null_mut()
        }

        unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
    }

    #[panic_handler]
    fn stop(_: &PanicInfo<'_>) -> ! {
        wasm32::unreachable()
    }
}
