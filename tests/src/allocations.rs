//! How often threads allocate.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use anyhow::Result;

/// More threads than any test of this has.
const THREADS: usize = 256;

static COUNTS: [Count; THREADS] = [const { Count::new() }; THREADS];

struct Count {
    /// Its number, 0 while nobody has the place.
    thread: AtomicI32,
    allocations: AtomicU64,
}

impl Count {
    const fn new() -> Self {
        Self {
            thread: AtomicI32::new(0),
            allocations: AtomicU64::new(0),
        }
    }
}

/// The system's allocator, and a count of what each thread asks of it. To be used it has to be the
/// `#[global_allocator]`.
#[derive(Debug)]
pub struct Counting;

#[expect(unsafe_code, reason = "an allocator's functions are unsafe")]
// SAFETY: everything is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    // SAFETY: the caller promises what the trait asks for.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller has promised what is asked for here.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: likewise.
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: likewise.
        unsafe { System.dealloc(pointer, layout) }
    }

    // SAFETY: likewise.
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: likewise.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// How often the threads of this process that have this name have allocated.
pub fn of_threads(name: &str) -> Result<u64> {
    let mut all = 0;
    for entry in fs::read_dir("/proc/self/task")? {
        let entry = entry?;
        if fs::read_to_string(entry.path().join("comm"))?.trim() == name {
            let thread: i32 = entry.file_name().to_string_lossy().parse()?;
            let of_thread = |count: &&Count| count.thread.load(Ordering::Relaxed) == thread;
            let counted = COUNTS.iter().find(of_thread);
            all += counted.map_or(0, |count| count.allocations.load(Ordering::Relaxed));
        }
    }
    Ok(all)
}

fn count() {
    let this = nix::unistd::gettid().as_raw();
    for count in &COUNTS {
        let taken = count
            .thread
            .compare_exchange(0, this, Ordering::Relaxed, Ordering::Relaxed);
        if taken.is_ok() || taken == Err(this) {
            count.allocations.fetch_add(1, Ordering::Relaxed);
            return;
        }
    }
}
