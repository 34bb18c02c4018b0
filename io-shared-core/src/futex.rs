//! Waiting in the kernel for a word of shared memory to change.
//!
//! The word is the low half of a 64-bit atomic and is passed as a raw pointer: Rust's model has no
//! atomics of mixed size, and the kernel's compare is not an access of this program.

/// Sleeps while the 32 bits at `word` are `expected`, until `until` (CLOCK_MONOTONIC in
/// nanoseconds). May return early for any reason: the caller looks again.
pub(crate) fn wait(word: *const u32, expected: u32, until: u64) {
    let until = libc::timespec {
        tv_sec: i64::try_from(until / 1_000_000_000).unwrap_or(i64::MAX),
        tv_nsec: (until % 1_000_000_000) as i64,
    };
    // Not FUTEX_PRIVATE_FLAG: the other side is another process. BITSET, for its absolute deadline.
    // SAFETY: the kernel reads four bytes at `word` and the timespec; a `word` that is not mapped
    // is EFAULT, not undefined behaviour. Every result means "look again": woken, EAGAIN (the word
    // had changed), ETIMEDOUT, EINTR.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word,
            libc::FUTEX_WAIT_BITSET,
            expected,
            &raw const until,
            std::ptr::null::<u32>(),
            libc::FUTEX_BITSET_MATCH_ANY,
        )
    };
}

/// Wakes everyone who sleeps on `word`; how many there were.
pub(crate) fn wake_all(word: *const u32) -> usize {
    // SAFETY: the kernel uses `word` as a key, and writes nothing.
    let woken = unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAKE, i32::MAX) };
    usize::try_from(woken).unwrap_or(0)
}
