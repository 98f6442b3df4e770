//! Memory without `std`: an allocator with one free list for each power of two, a panic handler that traps, and
//! statics for a program with one thread.
#![allow(unsafe_code, reason = "an allocator and shared statics cannot be written without")]

use core::cell::RefCell;

/// A static value of a program that has one thread.
pub(crate) struct Global<T>(RefCell<T>);

// SAFETY: the script is instantiated without threads, so no other thread ever sees the value.
unsafe impl<T> Sync for Global<T> {}

impl<T> Global<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(RefCell::new(value))
    }

    /// Uses the value. Where it is in use already, which only a call from within `f` could bring about, there is
    /// nothing to be had.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.0.try_borrow_mut().ok().map(|mut value| f(&mut value))
    }
}

#[cfg(target_arch = "wasm32")]
mod bare {
    use core::alloc::{GlobalAlloc, Layout};
    use core::arch::wasm32;
    use core::cell::Cell;
    use core::panic::PanicInfo;
    use core::ptr;

    const PAGE_BYTES: usize = 65_536;
    const SMALLEST_BYTES: usize = 16;
    const CLASSES: usize = 28;

    /// Blocks of 16, 32, 64 … bytes. A freed block heads the list of its size; new ones are cut from the end of
    /// memory, which grows by whole pages and is never given back.
    struct Blocks {
        free: [Cell<*mut u8>; CLASSES],
        next: Cell<usize>,
    }

    // SAFETY: one thread, as above.
    unsafe impl Sync for Blocks {}

    #[global_allocator]
    static BLOCKS: Blocks =
        Blocks { free: [const { Cell::new(ptr::null_mut()) }; CLASSES], next: Cell::new(0) };

    impl Blocks {
        /// The list for a block, and the bytes of it.
        fn class(layout: Layout) -> (usize, usize) {
            let bytes = layout.size().max(layout.align()).max(SMALLEST_BYTES).next_power_of_two();
            let class = bytes.trailing_zeros().saturating_sub(SMALLEST_BYTES.trailing_zeros());
            (usize::try_from(class).unwrap_or(CLASSES), bytes)
        }

        /// Cuts a block from the end, which stays aligned to its size because sizes are powers of two.
        fn cut(&self, bytes: usize) -> *mut u8 {
            let end = wasm32::memory_size::<0>().wrapping_mul(PAGE_BYTES);
            let next = if self.next.get() == 0 { end } else { self.next.get() };
            let start = next.wrapping_add(bytes).wrapping_sub(1) & !bytes.wrapping_sub(1);
            let needed = start.wrapping_add(bytes);
            if needed > end {
                let pages = needed.wrapping_sub(end).div_ceil(PAGE_BYTES);
                if wasm32::memory_grow::<0>(pages) == usize::MAX {
                    return ptr::null_mut();
                }
            }
            self.next.set(needed);
            ptr::with_exposed_provenance_mut(start)
        }
    }

    #[expect(clippy::cast_ptr_alignment, reason = "a block is aligned to its size, 16 bytes at least")]
    // SAFETY: a block is at least as large and as aligned as asked for, and is in nobody else's hands: it comes
    // fresh from the end, or from the list of blocks that were given back.
    unsafe impl GlobalAlloc for Blocks {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            let (class, bytes) = Self::class(layout);
            let Some(list) = self.free.get(class) else { return ptr::null_mut() };
            let head = list.get();
            if head.is_null() {
                return self.cut(bytes);
            }
            // SAFETY: a listed block holds the pointer to the next one in its first bytes.
            list.set(unsafe { head.cast::<*mut u8>().read() });
            head
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            if let Some(list) = self.free.get(Self::class(layout).0) {
                // SAFETY: the block is at least 16 bytes, aligned to its size, and no longer used.
                unsafe { block.cast::<*mut u8>().write(list.get()) };
                list.set(block);
            }
        }
    }

    #[panic_handler]
    fn stop(_: &PanicInfo<'_>) -> ! {
        wasm32::unreachable()
    }
}
