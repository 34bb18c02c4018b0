//! Copies of messages into shared memory and out of it.
//!
//! The memory that a large message is copied into was last in another core's cache, or in none. A
//! copy by vector stores fetches each line before it overwrites it. `rep movsb` may write whole
//! lines without fetching them, and then a hand-over of large copies takes half as long (measured:
//! "copying put" of `cargo run --release -p io-shared-bench`). C libraries use it for some
//! processors and lengths only: glibc 2.36 stops at the size of the second-level cache on AMD's. So
//! this module uses it where it was measured: on AMD from Zen 5 on. (On Zen 3 and 4 it is slow for
//! some alignments, glibc's bug 30994.)

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU8, AtomicU64};

/// The least bytes to use `rep movsb` for: with fewer it takes as long to start as it saves.
#[cfg(target_arch = "x86_64")]
const LARGE: usize = 4096;

/// The first family of AMD's processors to use it on: Zen 5's.
#[cfg(target_arch = "x86_64")]
const FIRST_FAMILY: u32 = 0x1a;

/// Copies `from` to `to`, as `copy_from_slice` does. On processors with a faster way to copy large
/// slices, uses that.
///
/// # Panics
/// If the slices differ in length.
///
/// # Examples
/// ```
/// let mut to = [0; 3];
/// io_shared_core::copy::slice(&[1, 2, 3], &mut to);
/// assert_eq!(to, [1, 2, 3]);
/// ```
#[inline]
pub fn slice(from: &[u8], to: &mut [u8]) {
    assert_eq!(from.len(), to.len(), "both slices must have the same length");
    // SAFETY: two slices of that length, one of them borrowed mutably and so apart from the other.
    unsafe { bytes(from.as_ptr(), to.as_mut_ptr(), from.len()) };
}

/// Copies `from` to uninitialised bytes, as [`slice()`] does to others.
///
/// # Panics
/// If the slices differ in length.
///
/// # Examples
/// ```
/// let mut to = Vec::with_capacity(3);
/// io_shared_core::copy::slice_uninit(&[1, 2, 3], &mut to.spare_capacity_mut()[..3]);
/// // SAFETY: three bytes were written.
/// unsafe { to.set_len(3) };
/// assert_eq!(to, [1, 2, 3]);
/// ```
#[inline]
pub fn slice_uninit(from: &[u8], to: &mut [MaybeUninit<u8>]) {
    assert_eq!(from.len(), to.len(), "both slices must have the same length");
    // SAFETY: two slices of that length, one of them borrowed mutably and so apart from the other.
    unsafe { bytes(from.as_ptr(), to.as_mut_ptr().cast(), from.len()) };
}

/// As [`ptr::copy_nonoverlapping`].
///
/// # Safety
/// As there: `length` bytes are readable at `from` and writable at `to`, and they do not overlap.
#[inline]
pub(crate) unsafe fn bytes(from: *const u8, to: *mut u8, length: usize) {
    #[cfg(target_arch = "x86_64")]
    if length >= LARGE && writes_whole_lines() {
        // SAFETY: as the caller promises.
        return unsafe { rep_movsb(from, to, length) };
    }
    // SAFETY: as the caller promises.
    unsafe { ptr::copy_nonoverlapping(from, to, length) };
}

/// Copies from memory that others may write meanwhile. If they do, the copy is worthless.
///
/// The writer's stores may be plain, so this is a race outside Rust's memory model. It is confined
/// to relaxed atomic loads, or to one instruction that is opaque to the compiler and loads bytes as
/// those do (SECURITY.md).
///
/// # Safety
/// The memory at `from` is mapped and readable for as many bytes as `to` has.
pub(crate) unsafe fn shared(from: *mut u8, to: &mut [MaybeUninit<u8>]) {
    #[cfg(target_arch = "x86_64")]
    if to.len() >= LARGE && writes_whole_lines() {
        // SAFETY: as the caller promises; `to` is borrowed mutably, and so lies elsewhere.
        return unsafe { rep_movsb(from, to.as_mut_ptr().cast(), to.len()) };
    }
    // SAFETY: as the caller promises.
    unsafe { relaxed(from, to) };
}

/// Copies as [`shared`] does, by loads of words, and of bytes before and after them.
///
/// # Safety
/// As for [`shared`].
unsafe fn relaxed(from: *mut u8, to: &mut [MaybeUninit<u8>]) {
    let head = from.addr().next_multiple_of(8) - from.addr();
    let (first, rest) = to.split_at_mut(head.min(to.len()));
    let (words, last) = rest.as_chunks_mut::<8>();
    let (middle, end) = (first.len(), first.len() + words.len() * 8);
    for (i, word) in words.iter_mut().enumerate() {
        let at = from.wrapping_add(middle + i * 8);
        // SAFETY: it lies among the bytes that may be read, at a multiple of 8.
        let shared = unsafe { AtomicU64::from_ptr(at.cast()) };
        *word = shared.load(Relaxed).to_ne_bytes().map(MaybeUninit::new);
    }
    for (at, byte) in (0..).zip(first).chain((end..).zip(last)) {
        // SAFETY: it lies among the bytes that may be read.
        let shared = unsafe { AtomicU8::from_ptr(from.wrapping_add(at)) };
        byte.write(shared.load(Relaxed));
    }
}

/// Copies by one instruction. Its stores may be seen in any order among themselves, but none after
/// a store of a later instruction, and so none after a later Release (Intel SDM 3A 9.2.4; glibc's
/// memcpy relies on this on AMD's too). To the compiler it is a call that may touch any memory.
///
/// # Safety
/// As for [`bytes`].
#[cfg(target_arch = "x86_64")]
unsafe fn rep_movsb(from: *const u8, to: *mut u8, length: usize) {
    // SAFETY: as the caller promises; the direction flag is clear at every `asm!`.
    unsafe {
        std::arch::asm!(
            "rep movsb",
            inout("rcx") length => _,
            inout("rsi") from => _,
            inout("rdi") to => _,
            options(nostack, preserves_flags)
        );
    }
}

/// Whether `rep movsb` is known to be fastest on this processor, for all alignments.
#[cfg(target_arch = "x86_64")]
#[inline]
fn writes_whole_lines() -> bool {
    // Not a OnceLock: a fork during another thread's initialisation would leave the child waiting
    // for ever. Asking twice does no harm.
    static KNOWN: AtomicU8 = AtomicU8::new(UNKNOWN);
    match KNOWN.load(Relaxed) {
        UNKNOWN => {
            let found = ask_the_processor();
            KNOWN.store(u8::from(found), Relaxed);
            found
        }
        known => known != 0,
    }
}

#[cfg(target_arch = "x86_64")]
const UNKNOWN: u8 = 2;

#[cfg(target_arch = "x86_64")]
#[cold]
fn ask_the_processor() -> bool {
    use std::arch::x86_64::__cpuid;

    let maker = __cpuid(0);
    let is_amd =
        [maker.ebx, maker.edx, maker.ecx].map(u32::to_le_bytes).as_flattened() == b"AuthenticAMD";
    is_amd && family(__cpuid(1).eax) >= FIRST_FAMILY && std::is_x86_feature_detected!("ermsb")
}

/// The processor's family, from `cpuid`'s answer (AMD APM 3, E.3.2).
#[cfg(target_arch = "x86_64")]
fn family(kind: u32) -> u32 {
    match (kind >> 8) & 0xf {
        0xf => 0xf + ((kind >> 20) & 0xff),
        family => family,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Copy = fn(&[u8], &mut [u8]);

    /// Every way to copy, whatever this processor is, between slices of the same length.
    const WAYS: &[Copy] = &[
        slice,
        // SAFETY: both slices have this length.
        #[cfg(target_arch = "x86_64")]
        |from, to| unsafe { rep_movsb(from.as_ptr(), to.as_mut_ptr(), to.len()) },
        // SAFETY: both slices have the same length.
        |from, to| unsafe { shared(from.as_ptr().cast_mut(), uninit(to)) },
        // SAFETY: both slices have the same length.
        |from, to| unsafe { relaxed(from.as_ptr().cast_mut(), uninit(to)) },
    ];

    fn uninit(bytes: &mut [u8]) -> &mut [MaybeUninit<u8>] {
        // SAFETY: the same bytes; a copy only ever writes initialised ones.
        unsafe { std::slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), bytes.len()) }
    }

    #[test]
    fn a_copy_is_all_that_was_asked_for_and_nothing_else() {
        let from: Vec<u8> = (0..40_000_u32).map(|i| (i % 251) as u8).collect();
        for copy in WAYS {
            for length in [0, 1, 7, 63, 64, 4095, 4096, 4097, 30_000] {
                for (start, end) in [(0, 0), (1, 0), (0, 1), (16, 64), (63, 4095), (4096, 4080)] {
                    let mut to = vec![255; end + length + 64];
                    copy(&from[start..start + length], &mut to[end..end + length]);
                    assert_eq!(to[end..end + length], from[start..start + length]);
                    let (before, after) = (&to[..end], &to[end + length..]);
                    assert!(before.iter().chain(after).all(|&byte| byte == 255), "{length}");
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "both slices must have the same length")]
    fn slices_of_two_lengths_are_refused() {
        slice(&[1, 2], &mut [0]);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn families_are_read_as_cpuid_writes_them() {
        for (kind, expected) in [
            (0x00b0_0f21, 0x1a), // Zen 5
            (0x00a2_0f10, 0x19), // Zen 3
            (0x0080_0f11, 0x17), // Zen
            (0x0009_06ea, 0x6),  // Coffee Lake
        ] {
            assert_eq!(family(kind), expected, "{kind:x}");
        }
    }
}
