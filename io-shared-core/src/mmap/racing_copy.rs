//! Copies from and to shared memory that other programs may write at the same time, by relaxed
//! atomic accesses: of words where they are aligned, of single bytes elsewhere.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU8, AtomicU64};

/// How `length` bytes at `at` are accessed: the number of single bytes up to a multiple of 8, and
/// the number of words after them. The rest are single bytes.
fn parts(at: *const u8, length: usize) -> (usize, usize) {
    let head = (at.addr().next_multiple_of(8) - at.addr()).min(length);
    (head, (length - head) / 8)
}

/// Copies from shared memory that others may write meanwhile. The bytes at `from` lie within a
/// mapping.
pub(super) fn copy_out(from: *mut u8, to: &mut [u8]) {
    let (head, words) = parts(from, to.len());
    let (first, rest) = to.split_at_mut(head);
    let (middle, last) = rest.split_at_mut(words * 8);
    for (i, byte) in first.iter_mut().enumerate() {
        *byte = shared_byte(from.wrapping_add(i)).load(Relaxed);
    }
    for (i, word) in middle.chunks_exact_mut(8).enumerate() {
        let at = from.wrapping_add(head + i * 8);
        word.copy_from_slice(&shared_word(at).load(Relaxed).to_ne_bytes());
    }
    for (i, byte) in last.iter_mut().enumerate() {
        *byte = shared_byte(from.wrapping_add(head + words * 8 + i)).load(Relaxed);
    }
}

/// Copies into shared memory that others may read or write meanwhile. The bytes at `to` lie within
/// a mapping.
pub(super) fn copy_in(to: *mut u8, from: &[u8]) {
    let (head, words) = parts(to, from.len());
    let (first, rest) = from.split_at(head);
    let (middle, last) = rest.split_at(words * 8);
    for (i, byte) in first.iter().enumerate() {
        shared_byte(to.wrapping_add(i)).store(*byte, Relaxed);
    }
    for (i, word) in middle.chunks_exact(8).enumerate() {
        let word = word.try_into().map_or(0, u64::from_ne_bytes);
        shared_word(to.wrapping_add(head + i * 8)).store(word, Relaxed);
    }
    for (i, byte) in last.iter().enumerate() {
        shared_byte(to.wrapping_add(head + words * 8 + i)).store(*byte, Relaxed);
    }
}

/// The byte at `at`, which lies in a mapping.
fn shared_byte<'a>(at: *mut u8) -> &'a AtomicU8 {
    // SAFETY: the callers above stay within ranges that were checked against the mapping, and use
    // the reference at once. Other programs may access the byte by any means: that is outside
    // Rust's model, and the reason for relaxed atomics.
    unsafe { AtomicU8::from_ptr(at) }
}

/// The word at `at`, which lies in a mapping and is aligned to 8.
fn shared_word<'a>(at: *mut u8) -> &'a AtomicU64 {
    // SAFETY: as in `shared_byte`; `parts` has aligned it.
    unsafe { AtomicU64::from_ptr(at.cast()) }
}
