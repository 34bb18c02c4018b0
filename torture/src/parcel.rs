//! The messages of the harnesses: each reveals when it is torn, old, or another value.
//!
//! The size of a value decides how the library stores it: see [`Size`].

use std::mem::MaybeUninit;

use io_shared::binding::CopyTarget;
use io_shared::{Loan, Message};

/// How large the values of a channel are, which decides how they are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Size {
    /// A [`Card`], which is stored inline, next to `latest`.
    Inline,
    /// A [`Parcel`] of at most [`SMALL_WORDS`], in the same line as its buffer's header.
    Small,
    /// A [`Parcel`] of at most [`COPIED_WORDS`], whose large buffer may be read ahead.
    Large,
}

impl Size {
    /// All of them, by number.
    pub const ALL: [Self; 3] = [Self::Inline, Self::Small, Self::Large];

    /// The most words of a value.
    pub(crate) fn most_words(self) -> usize {
        match self {
            Self::Inline => CARD_WORDS,
            Self::Small => SMALL_WORDS,
            Self::Large => COPIED_WORDS,
        }
    }
}

/// A message of the harnesses.
pub trait Load: Message {
    /// Checks that this is whole and was put as value `sequence`.
    ///
    /// # Errors
    /// What is wrong with it.
    fn verify(&self, sequence: u64) -> Result<(), String>;
}

/// A value of varying length that carries its own number and checksum.
#[derive(Debug, Message)]
#[repr(C)]
pub struct Parcel {
    /// The sequence under which it is put.
    pub number: u64,
    /// The seed of the words.
    pub salt: u64,
    /// The checksum of everything else, including the length.
    pub check: u64,
    /// The payload.
    pub words: [u64],
}

/// The same with a fixed size, the largest that is stored inline.
#[derive(Debug, Clone, Copy, Message)]
#[repr(C)]
pub struct Card {
    number: u64,
    salt: u64,
    check: u64,
    words: [u64; CARD_WORDS],
}

const CARD_WORDS: usize = 1;
const _: () = assert!(size_of::<Card>() == 32, "as much as fits inline");
/// The words of the longest parcel that fits in the line of its buffer's header.
pub const SMALL_WORDS: usize = 1;
/// The most words of a parcel that is filled in place.
pub const MOST_WORDS: usize = 8000;
/// The words of a parcel that is copied in: large enough to be read ahead.
pub const COPIED_WORDS: usize = 40_000;

impl Parcel {
    /// Fills a loan. It calls `pause` half-way, so that the caller can be slow there.
    pub fn fill(loan: &mut Loan<'_, Self>, number: u64, salt: u64, pause: impl FnOnce()) {
        let words = loan.words.len();
        loan.number = number;
        loan.salt = salt;
        loan.check = 0;
        // From the end to the front: a reader that copies from the front then meets new words.
        let (first, second) = loan.words.split_at_mut(words / 2);
        for (i, slot) in second.iter_mut().enumerate().rev() {
            *slot = word(salt, (words / 2 + i) as u64);
        }
        pause();
        for (i, slot) in first.iter_mut().enumerate().rev() {
            *slot = word(salt, i as u64);
        }
        loan.check = sum(loan.number, loan.salt, &loan.words);
    }

    /// Checks that this is a whole parcel, put as value `sequence`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn verify(&self, sequence: u64) -> Result<(), String> {
        verify(sequence, self.number, self.salt, self.check, &self.words)
    }
}

impl Load for Parcel {
    fn verify(&self, sequence: u64) -> Result<(), String> {
        Parcel::verify(self, sequence)
    }
}

impl Card {
    /// Fills a loan, as [`Parcel::fill`] does.
    pub(crate) fn fill(loan: &mut Loan<'_, Self>, number: u64, salt: u64, pause: impl FnOnce()) {
        (loan.number, loan.salt) = (number, salt);
        pause();
        loan.words = std::array::from_fn(|i| word(salt, i as u64));
        loan.check = sum(number, salt, &loan.words);
    }
}

impl Load for Card {
    fn verify(&self, sequence: u64) -> Result<(), String> {
        verify(sequence, self.number, self.salt, self.check, &self.words)
    }
}

fn verify(sequence: u64, number: u64, salt: u64, check: u64, words: &[u64]) -> Result<(), String> {
    if number != sequence {
        return Err(format!("value {sequence} carries the number {number}"));
    }
    if sum(number, salt, words) == check {
        return Ok(());
    }
    let wrong = (0..).zip(words).filter(|(i, w)| **w != word(salt, *i));
    let first = wrong.clone().next().map(|(i, _)| i);
    Err(format!(
        "value {sequence} is torn: {} of {} words are wrong, the first is {first:?}",
        wrong.count(),
        words.len()
    ))
}

fn sum(number: u64, salt: u64, words: &[u64]) -> u64 {
    let start = mix(mix(number) ^ mix(salt ^ words.len() as u64));
    words.iter().fold(start, |sum, word| mix(sum ^ word))
}

/// A message in private memory.
#[derive(Debug)]
pub struct Packed(Vec<u64>);

impl Packed {
    /// A message of `words` words that is to be put as value `number`.
    pub fn of(words: usize, number: u64, salt: u64) -> Self {
        let mut packed = Self::empty(words);
        let load = (0..).map(|i| word(salt, i));
        packed.0.iter_mut().skip(3).zip(load).for_each(|(slot, word)| *slot = word);
        packed.0[..2].copy_from_slice(&[number, salt]);
        packed.0[2] = sum(number, salt, &packed.0[3..]);
        packed
    }

    /// An empty one, to copy a value into.
    pub fn empty(words: usize) -> Self {
        Self(vec![0; 3 + words])
    }

    /// The target of a copy.
    pub fn target(&mut self) -> CopyTarget<'_> {
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut self.0);
        let (start, length) = (bytes.as_mut_ptr().cast::<MaybeUninit<u8>>(), bytes.len());
        // SAFETY: these bytes, for as long as they are borrowed; a target only ever has bytes
        // written to it.
        CopyTarget::new(0, unsafe { std::slice::from_raw_parts_mut(start, length) })
    }

    /// The message: a parcel, or a card if it has no more than `Size::most_words` words.
    ///
    /// # Panics
    /// If it is neither.
    #[allow(clippy::expect_used, reason = "it was packed as such a message")]
    pub fn message<T: Load + ?Sized>(&self) -> &T {
        let bytes = bytemuck::cast_slice(&self.0);
        T::from_prefix(bytes, bytes.len()).expect("as long as such a message")
    }
}

pub(crate) fn word(salt: u64, index: u64) -> u64 {
    salt.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15)).rotate_left(23) ^ index
}

pub(crate) fn mix(sum: u64) -> u64 {
    let sum = (sum ^ sum >> 31).wrapping_mul(0x7fb5_d329_728e_a185);
    sum ^ sum >> 27
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_word_of_a_card_is_noticed() {
        for spoilt in 0..3 + CARD_WORDS {
            let mut packed = Packed::of(CARD_WORDS, 7, 99);
            packed.message::<Card>().verify(7).unwrap();
            assert!(packed.message::<Card>().verify(8).is_err());
            packed.0[spoilt] ^= 1 << 40;
            assert!(packed.message::<Card>().verify(7).is_err(), "{spoilt}");
        }
    }

    #[test]
    fn every_changed_word_is_noticed() {
        let name = format!("/torture-parcel-{}", std::process::id());
        let channel = || io_shared::Channel::<Parcel>::named(&name).elements(40);
        let mut producer = channel().producer().unwrap();
        for spoilt in 0..44 {
            let mut loan = producer.loan_len(40).unwrap();
            Parcel::fill(&mut loan, 7, 99, || ());
            loan.verify(7).unwrap();
            assert!(loan.verify(8).is_err());
            match spoilt {
                0 => loan.number ^= 1 << 40,
                1 => loan.salt ^= 1,
                2 => loan.check ^= 1,
                3 => loan.truncate(39),
                i => loan.words[i - 4] ^= 1 << 63,
            }
            assert!(loan.verify(7).is_err(), "{spoilt}");
        }
        drop(producer);
        io_shared::Channel::remove(&name).unwrap();
    }
}
