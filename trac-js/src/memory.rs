//! Memory without an allocator: one stretch of bytes, written from the front during a call and forgotten after it.
//!
//! Texts cross between the languages here, and here alone: JavaScript writes a request at the start and reads the
//! answer behind it. So nothing is ever freed, and `alloc` serves types that the script does not make.
#![allow(unsafe_code, reason = "a stretch of memory that two languages share cannot be written without")]

use core::cell::{Cell, UnsafeCell};
use core::marker::PhantomData;

use trac_core::click::bytes::Sink;

/// A request of the longest URL, and the URL once more, have room: JavaScript sends no more than half of this.
const BYTES: usize = 1 << 20;

struct Stretch {
    /// How much is written.
    end: Cell<usize>,
    bytes: UnsafeCell<[u8; BYTES]>,
}

// SAFETY: the script is instantiated without threads.
unsafe impl Sync for Stretch {}

static STRETCH: Stretch = Stretch { end: Cell::new(0), bytes: UnsafeCell::new([0; BYTES]) };

/// The leave to write on the shared stretch during a call.
#[derive(Clone, Copy)]
pub(crate) struct Tape<'a>(PhantomData<&'a Stretch>);

/// Where the stretch begins.
pub(crate) fn address() -> usize {
    STRETCH.bytes.get().addr()
}

/// Answers a request of so many bytes: `f` writes the answer behind it; where that ends is said.
pub(crate) fn answer(length: usize, f: impl for<'a> FnOnce(Tape<'a>, &'a [u8])) -> usize {
    let length = length.min(BYTES);
    STRETCH.end.set(length);
    // SAFETY: inside the array, and never written during the call: `put` writes behind it alone.
    let request = unsafe { core::slice::from_raw_parts(STRETCH.bytes.get().cast::<u8>(), length) };
    f(Tape(PhantomData), request);
    STRETCH.end.get()
}

impl Sink for Tape<'_> {
    #[inline(never)]
    fn put(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let end = STRETCH.end.get();
            if end < BYTES {
                // SAFETY: inside the array, and behind the request.
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
