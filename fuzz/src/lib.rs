//! The memory that one input may take, counted where it is allocated, and a
//! place for libFuzzer to stand on when an input has used up the stack.
//!
//! The checks themselves stand in the crates that they are about, where
//! `cargo test` replays the corpora and the regressions.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static COUNTED: Counted = Counted;

/// The system's allocator, with a count of the bytes that are in use.
struct Counted;

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        more(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        more(size);
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

fn more(size: usize) {
    let now = NOW.fetch_add(size, Ordering::Relaxed) + size;
    PEAK.fetch_max(now, Ordering::Relaxed);
}

/// Runs a check that may hold `most` bytes of memory at once.
///
/// # Panics
/// Where it held more.
pub fn within(most: usize, check: impl FnOnce()) {
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    check();
    let held = PEAK.load(Ordering::Relaxed).saturating_sub(before);
    assert!(held <= most, "{held} bytes of memory were held at once, expected at most {most}");
}

/// Lets libFuzzer tell of an overflown stack: its handler of the signal keeps
/// the flag that is set here, and so runs on a stack of its own.
///
/// # Panics
/// Where the kernel refuses.
pub fn prepare() {
    const BYTES: usize = 256 << 10;
    let stack = libc::stack_t {
        ss_sp: Box::leak(vec![0_u8; BYTES].into_boxed_slice()).as_mut_ptr().cast(),
        ss_flags: 0,
        ss_size: BYTES,
    };
    // SAFETY: the stack is never freed, and nothing else is on it.
    assert_eq!(unsafe { libc::sigaltstack(&stack, std::ptr::null_mut()) }, 0);
    // SAFETY: all zeros are the action of the system, with an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: `action` is whole and names no handler.
    assert_eq!(unsafe { libc::sigaction(libc::SIGSEGV, &action, std::ptr::null_mut()) }, 0);
}
