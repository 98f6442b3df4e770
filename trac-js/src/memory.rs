//! Memory without an allocator: one stretch of bytes, written from the front during a call and forgotten after it.
//!
//! Texts cross between the languages here, and here alone: JavaScript writes a request at the start and reads the
//! answer where it is told. So nothing is ever freed, and `alloc` serves types that the script does not make.
#![allow(unsafe_code, reason = "a stretch of memory that two languages share cannot be written without")]

use core::cell::{Cell, UnsafeCell};
use core::marker::PhantomData;

use trac_core::click::bytes::Sink;

/// Longer texts are nothing the script reads: JavaScript does not send them. Four of them have room.
const LONGEST_BYTES: usize = 262_144;

const BYTES: usize = LONGEST_BYTES * 4;

struct Stretch {
    /// How much is written.
    end: Cell<usize>,
    bytes: UnsafeCell<[u8; BYTES]>,
}

// SAFETY: the script is instantiated without threads.
unsafe impl Sync for Stretch {}

static STRETCH: Stretch = Stretch { end: Cell::new(0), bytes: UnsafeCell::new([0; BYTES]) };

/// The leave to write on the shared stretch during a call. What is written stays as it is as long as the call lasts.
#[derive(Clone, Copy)]
pub(crate) struct Tape<'a>(PhantomData<&'a Stretch>);

/// Where the stretch begins.
pub(crate) fn address() -> usize {
    STRETCH.bytes.get().addr()
}

/// Answers a request of so many bytes: `f` writes the answer and says where it starts; it is put at the beginning, and
/// its length is said.
pub(crate) fn answer(length: usize, f: impl for<'a> FnOnce(Tape<'a>, &'a [u8]) -> usize) -> usize {
    let tape = Tape(PhantomData);
    let start = f(tape, tape.take(0, length));
    let answer = tape.since(start);
    let length = answer.len();
    // SAFETY: both lie inside the array, and nothing of it is borrowed any more.
    unsafe { core::ptr::copy(answer.as_ptr(), STRETCH.bytes.get().cast::<u8>(), length) };
    length
}

impl<'a> Tape<'a> {
    /// How much is written.
    #[expect(clippy::unused_self, reason = "whoever has no leave has no business here")]
    pub(crate) fn end(self) -> usize {
        STRETCH.end.get()
    }

    /// What is written from there on.
    pub(crate) fn since(self, start: usize) -> &'a [u8] {
        let length = self.end().wrapping_sub(start);
        if length > BYTES || start > BYTES {
            return &[];
        }
        // SAFETY: inside the array, because the end is, and never written again during the call: `put` and JavaScript
        // write behind the end alone.
        unsafe { core::slice::from_raw_parts(STRETCH.bytes.get().cast::<u8>().add(start), length) }
    }

    /// Takes what JavaScript has written at the end.
    pub(crate) fn take(self, start: usize, length: usize) -> &'a [u8] {
        STRETCH.end.set(start.wrapping_add(length).min(BYTES));
        self.since(start)
    }
}

impl Sink for Tape<'_> {
    #[inline(never)]
    fn put(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let end = STRETCH.end.get();
            if end < BYTES {
                // SAFETY: inside the array, and behind everything that is borrowed.
                unsafe { STRETCH.bytes.get().cast::<u8>().add(end).write(*byte) };
                STRETCH.end.set(end.wrapping_add(1));
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
