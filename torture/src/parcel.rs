//! The message of every harness: one that shows when it is torn, old, or another's.

use std::mem::MaybeUninit;

use io_shared::{Loan, Message};
use io_shared_core::slot::Room;

/// A value of varying length that carries its own number and checksum.
#[derive(Debug, Message)]
#[repr(C)]
pub struct Parcel {
    /// The sequence under which it is put.
    pub number: u64,
    /// What the words are made from.
    pub salt: u64,
    /// Over everything else, the length included.
    pub check: u64,
    /// The load.
    pub words: [u64],
}

/// The most words of a parcel that is filled in place.
pub const MOST_WORDS: usize = 8000;
/// The words of one that is copied in: enough for its readers to follow.
pub const COPIED_WORDS: usize = 40_000;

impl Parcel {
    /// Fills a loan. `pause` is called half-way, for whoever wants to be slow there.
    pub fn fill(loan: &mut Loan<'_, Self>, number: u64, salt: u64, pause: impl FnOnce()) {
        let words = loan.words.len();
        loan.number = number;
        loan.salt = salt;
        loan.check = 0;
        // From the end to the front: who copies from the front meanwhile meets the new words.
        let (first, second) = loan.words.split_at_mut(words / 2);
        for (i, slot) in second.iter_mut().enumerate().rev() {
            *slot = word(salt, (words / 2 + i) as u64);
        }
        pause();
        for (i, slot) in first.iter_mut().enumerate().rev() {
            *slot = word(salt, i as u64);
        }
        loan.check = loan.sum();
    }

    /// Whether this is a whole parcel, put as value `sequence`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn verify(&self, sequence: u64) -> Result<(), String> {
        if self.number != sequence {
            return Err(format!("value {sequence} carries the number {}", self.number));
        }
        let words = self.words.len();
        if self.sum() == self.check {
            return Ok(());
        }
        let wrong = (0..words as u64).zip(&self.words).filter(|(i, w)| **w != word(self.salt, *i));
        let first = wrong.clone().next().map(|(i, _)| i);
        Err(format!(
            "value {sequence} is torn: {} of {words} words are wrong, the first is {first:?}",
            wrong.count()
        ))
    }

    fn sum(&self) -> u64 {
        let start = mix(mix(self.number) ^ mix(self.salt ^ self.words.len() as u64));
        self.words.iter().fold(start, |sum, word| mix(sum ^ word))
    }
}

/// A parcel of [`COPIED_WORDS`] in memory of one's own.
#[derive(Debug)]
pub struct Packed(Vec<u64>);

impl Packed {
    /// One that is to be put as value `number`.
    pub fn of(number: u64, salt: u64) -> Self {
        let mut packed = Self::empty();
        let words = (0..).map(|i| word(salt, i));
        packed.0.iter_mut().skip(3).zip(words).for_each(|(slot, word)| *slot = word);
        packed.0[..2].copy_from_slice(&[number, salt]);
        packed.0[2] = packed.parcel().sum();
        packed
    }

    /// An empty one, for a copy to be made in.
    pub fn empty() -> Self {
        Self(vec![0; 3 + COPIED_WORDS])
    }

    /// Room for a copy.
    pub fn room(&mut self) -> Room<'_> {
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut self.0);
        let (start, length) = (bytes.as_mut_ptr().cast::<MaybeUninit<u8>>(), bytes.len());
        // SAFETY: these bytes, for as long as they are borrowed; a room only ever has bytes written
        // to it.
        Room::new(0, unsafe { std::slice::from_raw_parts_mut(start, length) })
    }

    /// The parcel.
    ///
    /// # Panics
    /// Never: the bytes are as many, and as aligned, as a parcel's.
    #[allow(clippy::expect_used, reason = "it does not depend on what it is called with")]
    pub fn parcel(&self) -> &Parcel {
        let bytes = bytemuck::cast_slice(&self.0);
        Parcel::from_prefix(bytes, bytes.len()).expect("as long as a parcel")
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
