//! Which consumers are asleep, or about to look once more before they sleep: a bit for each.
//!
//! The producer looks at the bits after each publish, and makes no system call where all are 0.
//! They stand together in few words, so this look costs the same for one consumer as for 64.

use std::sync::atomic::Ordering::Relaxed;

use super::pool::used;
use super::words::{Bits, Word, Words};

/// How many consumers share a word.
const EACH: usize = u64::BITS as usize;

fn word_and_bit(consumer: usize) -> (usize, u64) {
    (consumer / EACH, 1 << (consumer % EACH))
}

/// Says that a consumer may sleep and, if it `follows`, that it is to be woken also when a value is
/// being filled. A fence comes next.
pub(super) fn raise<W: Words>(words: &W, consumer: usize, follows: bool) {
    let (word, bit) = word_and_bit(consumer);
    if follows {
        // Relaxed: it brings a wake-up forward, no more.
        words.following(word).insert(bit, Relaxed);
    }
    // Relaxed: the fence orders it.
    words.asleep(word).insert(bit, Relaxed);
}

/// Says that a consumer is awake.
pub(super) fn lower<W: Words>(words: &W, consumer: usize) {
    let (word, bit) = word_and_bit(consumer);
    // Relaxed, all three: the claim orders the bit's owners, and a needless wake-up does no harm.
    if words.following(word).load(Relaxed) & bit != 0 {
        words.following(word).remove(bit, Relaxed);
    }
    words.asleep(word).remove(bit, Relaxed);
}

pub(crate) fn is_asleep<W: Words>(words: &W, consumer: usize) -> bool {
    let (word, bit) = word_and_bit(consumer);
    words.asleep(word).load(Relaxed) & bit != 0
}

/// Whether any consumer sleeps.
#[inline]
pub(super) fn is_any_asleep<W: Words>(words: &W) -> bool {
    // Relaxed: the bits carry no data, and the fence of the publish before has ordered them.
    let any = |any, word| any | words.asleep(word).load(Relaxed);
    (0..used(words).div_ceil(EACH)).fold(0, any) != 0
}

/// Whether any consumer sleeps that is to be woken when a value is being filled.
pub(super) fn is_any_following<W: Words>(words: &W) -> bool {
    // Relaxed: whoever is not found here is woken after the publish.
    (0..used(words).div_ceil(EACH)).any(|word| words.following(word).load(Relaxed) != 0)
}
