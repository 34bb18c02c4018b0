//! Waiting in the kernel for a word of shared memory to change.
//!
//! The word is the low half of a 64-bit atomic and is passed as a raw pointer: Rust's model has no
//! atomics of mixed size, and the kernel's compare is not an access of this program.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};

use nix::errno::Errno;

use crate::os::clock;
use crate::os::nap::nap_until;

/// The most words of one wait: futex_waitv's FUTEX_WAITV_MAX.
pub(crate) const MOST: usize = 128;

/// A word to wait for: the low half of an atomic, and its value while nothing is new.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Awaited<'a> {
    pub(crate) word: &'a AtomicU64,
    pub(crate) low: u32,
}

impl Awaited<'_> {
    fn pointer(&self) -> *const u32 {
        // The low half comes first: the layout is little-endian.
        self.word.as_ptr().cast()
    }

    fn is_unmoved(&self) -> bool {
        self.word.load(Relaxed) as u32 == self.low
    }
}

/// Sleeps while the low half has the expected value, at most until `until` (CLOCK_MONOTONIC in
/// nanoseconds). May return early for any reason: the caller looks again.
pub(crate) fn wait(word: Awaited<'_>, until: u64) {
    sleep_by(&[word], until, || wait_for_one(word, until));
}

/// Waits as [`wait`] does for at most [`MOST`] words: sleeps while each has the expected value.
/// Returns at once if there are none. Returns whether a signal handler ended the sleep.
///
/// The first `interrupts` of the words are interrupts. If the kernel has no call for several words,
/// and only one is not an interrupt, that one wakes as ever, and the interrupts wait for `until`.
pub(crate) fn wait_any(words: &[Awaited<'_>], interrupts: usize, until: u64) -> bool {
    let mut signalled = false;
    let sleep = || {
        let slept = match words {
            [one] => wait_for_one(*one, until),
            _ => waitv(words, until),
        };
        let slept = match (slept, words.get(interrupts..)) {
            (Err(error), Some([one])) if is_refusal(error) => wait_for_one(*one, until),
            (slept, _) => slept,
        };
        signalled = slept == Err(Errno::EINTR);
        slept
    };
    if !words.is_empty() {
        sleep_by(words, until, sleep);
    }
    signalled
}

/// Whether a sleep failed for another reason than that it is time to look again.
fn is_refusal(error: Errno) -> bool {
    !matches!(error, Errno::EAGAIN | Errno::EINTR | Errno::ETIMEDOUT)
}

/// Sleeps by `sleep`. If that does not sleep, dozes between looks, so that no wait spins.
///
/// Linux before 5.16 has no futex_waitv, and a seccomp filter that does not know a call may answer
/// anything: any error, or success.
fn sleep_by(words: &[Awaited<'_>], until: u64, sleep: impl FnOnce() -> Result<(), Errno>) {
    /// A sleep that ends sooner than this, in nanoseconds, was none, unless a word has moved.
    const NO_SLEEP: u64 = 10_000;
    /// How many sleeps in a row were none. One may have been a real wake-up; a filter lies again
    /// and again, so the looks become as rare as with a filter that refuses. Relaxed: a hint for
    /// all threads.
    static NONE: AtomicU32 = AtomicU32::new(0);
    let began = clock::now();
    match sleep() {
        Err(error) if is_refusal(error) => look_and_doze(words, until, FIRST_DOZE),
        Ok(()) | Err(_) => {
            let now = clock::now();
            let slept = now >= began.saturating_add(NO_SLEEP) || now >= until;
            if slept || !words.iter().all(Awaited::is_unmoved) {
                NONE.store(0, Relaxed);
                return;
            }
            let none = NONE.load(Relaxed).min(5);
            NONE.store(none + 1, Relaxed);
            look_and_doze(words, until.min(now.saturating_add(LONGEST_DOZE)), FIRST_DOZE << none);
        }
    }
}

fn wait_for_one(word: Awaited<'_>, until: u64) -> Result<(), Errno> {
    let until = clock::timespec(until);
    // Not FUTEX_PRIVATE_FLAG: the other side is another process. BITSET, for its absolute deadline.
    // SAFETY: the kernel reads four bytes at the word, and the timespec; a word that is not mapped
    // is EFAULT, not undefined behaviour. Every result means "look again": woken, EAGAIN (the word
    // has changed), ETIMEDOUT, EINTR, or a refusal.
    let woken = unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.pointer(),
            libc::FUTEX_WAIT_BITSET,
            word.low,
            &raw const until,
            std::ptr::null::<u32>(),
            libc::FUTEX_BITSET_MATCH_ANY,
        )
    };
    Errno::result(woken).map(drop)
}

fn waitv(words: &[Awaited<'_>], until: u64) -> Result<(), Errno> {
    /// `struct futex_waitv` of linux/futex.h.
    #[repr(C)]
    struct Waiter {
        val: u64,
        uaddr: u64,
        flags: u32,
        reserved: u32,
    }
    /// FUTEX2_SIZE_U32. Not FUTEX2_PRIVATE: the other side is another process.
    const SIZE_U32: u32 = 2;
    let waiters: Vec<Waiter> = words
        .iter()
        .map(|word| Waiter {
            val: word.low.into(),
            uaddr: word.pointer().addr() as u64,
            flags: SIZE_U32,
            reserved: 0,
        })
        .collect();
    let until = clock::timespec(until);
    // SAFETY: the kernel reads the given number of waiters, the timespec, and four bytes at each
    // address; an address that is not mapped is EFAULT. All results but a refusal mean "look
    // again".
    let woken = unsafe {
        libc::syscall(
            libc::SYS_futex_waitv,
            waiters.as_ptr(),
            waiters.len() as libc::c_uint,
            0 as libc::c_uint,
            &raw const until,
            libc::CLOCK_MONOTONIC,
        )
    };
    Errno::result(woken).map(drop)
}

/// The shortest and the longest time between two looks at the words, in nanoseconds.
const FIRST_DOZE: u64 = 50_000;
const LONGEST_DOZE: u64 = 1_000_000;

/// Waits if the right call is refused. It sleeps on the last word or, if that is refused too, for a
/// time, and looks at the other words in between: at first every 50 us, later every 1 ms. So a
/// wake-up comes up to 1 ms late, and a waiter wakes up to 1,000 times a second.
fn look_and_doze(words: &[Awaited<'_>], until: u64, first: u64) {
    let Some(last) = words.last() else { return };
    let mut doze = first.min(LONGEST_DOZE);
    while words.iter().all(Awaited::is_unmoved) {
        let now = clock::now();
        if now >= until {
            return;
        }
        let end = until.min(now.saturating_add(doze));
        // The result is ignored: it may come from the filter.
        let _ = wait_for_one(*last, end);
        if last.is_unmoved() {
            nap_until(end);
        }
        doze = (doze * 2).min(LONGEST_DOZE);
    }
}

/// Wakes every thread that sleeps on `word`, and returns how many there were.
pub(crate) fn wake_all(word: *const u32) -> usize {
    // SAFETY: the kernel uses `word` as a key, and writes nothing.
    let woken = unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAKE, i32::MAX) };
    usize::try_from(woken).unwrap_or(0)
}
