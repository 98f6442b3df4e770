//! Memory without an allocator: one buffer, written from the start in each call and reused by the next.
//!
//! Only this buffer passes text between the languages: JavaScript writes a request at the start and reads the response
//! behind it. So nothing is ever allocated or freed.
#![allow(unsafe_code, reason = "JavaScript writes into this buffer by its address")]

use core::cell::{Cell, UnsafeCell};
use core::marker::PhantomData;

use trac_core::click::bytes::Sink;

/// Enough for a request with the longest URL and a response with the same URL: JavaScript sends at most half of this.
const BYTES: usize = 1 << 20;

struct Buffer {
    /// Where the written bytes end.
    end: Cell<usize>,
    bytes: UnsafeCell<[u8; BYTES]>,
}

// SAFETY: the script is instantiated without threads.
unsafe impl Sync for Buffer {}

static BUFFER: Buffer = Buffer { end: Cell::new(0), bytes: UnsafeCell::new([0; BYTES]) };

/// The permission to append to the buffer during a call.
#[derive(Clone, Copy)]
pub(crate) struct Tape<'a>(PhantomData<&'a Buffer>);

/// The address of the buffer.
pub(crate) fn address() -> usize {
    BUFFER.bytes.get().addr()
}

/// Lets `f` write the response to a request of `length` bytes behind it. Returns where the response ends.
pub(crate) fn answer(length: usize, f: impl for<'a> FnOnce(Tape<'a>, &'a [u8])) -> usize {
    let length = length.min(BYTES);
    BUFFER.end.set(length);
    // SAFETY: inside the array, and never written during the call: `put` only writes behind it.
    let request = unsafe { core::slice::from_raw_parts(BUFFER.bytes.get().cast::<u8>(), length) };
    f(Tape(PhantomData), request);
    BUFFER.end.get()
}

impl Sink for Tape<'_> {
    #[inline(never)]
    fn put(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let end = BUFFER.end.get();
            if end < BYTES {
                // SAFETY: inside the array, and behind the request.
                unsafe { BUFFER.bytes.get().cast::<u8>().add(end).write(*byte) };
                BUFFER.end.set(end.wrapping_add(1));
            }
        }
    }
}

#[cfg(target_arch = "wasm32")]
mod no_std {
    use core::alloc::{GlobalAlloc, Layout};
    use core::arch::wasm32;
    use core::panic::PanicInfo;
    use core::ptr;

    /// An allocator that always fails. No function that allocates is called, so `wasm-opt` removes them.
    struct NoMemory;

    #[global_allocator]
    static NONE: NoMemory = NoMemory;

    // SAFETY: a null pointer reports that the allocation failed.
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
