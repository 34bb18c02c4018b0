//! The kernel's bare futexes: the limit of every wait.

use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

/// Wakes all that sleep on the low half of the word.
pub(crate) fn wake(word: &AtomicU64) {
    // SAFETY: FUTEX_WAKE reads no memory, and only looks the address up.
    unsafe { libc::syscall(libc::SYS_futex, address(word), libc::FUTEX_WAKE, 1) };
}

/// Sleeps at most as long as the low half of the word is `found`.
pub(crate) fn wait(word: &AtomicU64, found: u32) {
    let forever = ptr::null::<libc::timespec>();
    // SAFETY: the address is mapped and aligned; no timeout is given.
    unsafe { libc::syscall(libc::SYS_futex, address(word), libc::FUTEX_WAIT, found, forever) };
}

/// What `futex_waitv` takes for a word (`struct futex_waitv`).
#[repr(C)]
pub(crate) struct Awaited {
    expected: u64,
    address: u64,
    flags: u32,
    reserved: u32,
}

impl Awaited {
    /// The low half of the word, as long as it does not change from now on.
    pub(crate) fn unchanged(word: &AtomicU64) -> Self {
        /// FUTEX2_SIZE_U32, shared between processes.
        const OF_32_BITS: u32 = 2;
        let expected = u64::from(word.load(Ordering::Acquire) as u32);
        Self { expected, address: address(word) as u64, flags: OF_32_BITS, reserved: 0 }
    }
}

/// Sleeps at most as long as all words (at most 128) are unchanged. Returns `false` if this kernel
/// cannot.
pub(crate) fn wait_any(words: &[Awaited]) -> bool {
    let (list, count, forever) = (words.as_ptr(), words.len(), ptr::null::<libc::timespec>());
    // SAFETY: the list is alive and so long; no timeout is given.
    let done = unsafe { libc::syscall(libc::SYS_futex_waitv, list, count, 0, forever, 0) };
    let refusals = [libc::ENOSYS, libc::EPERM, libc::EINVAL];
    done >= 0 || !refusals.contains(&std::io::Error::last_os_error().raw_os_error().unwrap_or(0))
}

/// The low half comes first: the machine is little-endian.
fn address(word: &AtomicU64) -> *const u32 {
    word.as_ptr().cast()
}
