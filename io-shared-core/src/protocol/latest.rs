//! `latest`: the word that names the newest value, and why the protocol may refuse.

const SEQUENCE_BITS: u32 = 52;
const EPOCH_BITS: u32 = 4;

/// Why the protocol refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Another has taken over the producer's role.
    RoleLost,
    /// Another has taken over this consumer's slot.
    SlotLost(usize),
    /// Guards have all of this consumer's entries, which are as many.
    AlreadyHeld(usize),
    /// `latest` moved at every try.
    Busy,
    SequenceExhausted,
    /// A value was to be put under a number that is not greater than the last, or too large.
    BadNumber {
        number: u64,
        last: u64,
    },
    /// There is no address space for a buffer that was added.
    NoMemory,
    Corrupt(&'static str),
}

/// The word `latest`, unpacked. Its layout is at [`Words::latest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Latest {
    pub(crate) index: usize,
    pub(crate) epoch: u64,
    pub(crate) sequence: u64,
}

impl Latest {
    pub(crate) const LAST_SEQUENCE: u64 = (1 << SEQUENCE_BITS) - 1;

    #[inline]
    pub(crate) fn unpack(word: u64) -> Self {
        Self {
            index: (word >> (SEQUENCE_BITS + EPOCH_BITS)) as usize,
            epoch: word >> SEQUENCE_BITS & ((1 << EPOCH_BITS) - 1),
            sequence: word & Self::LAST_SEQUENCE,
        }
    }

    #[inline]
    pub(crate) fn pack(self) -> u64 {
        (self.index as u64) << (SEQUENCE_BITS + EPOCH_BITS)
            | (self.epoch & ((1 << EPOCH_BITS) - 1)) << SEQUENCE_BITS
            | self.sequence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latest_packs_what_it_unpacks() {
        for (index, epoch, sequence) in
            [(0, 0, 0), (254, 15, Latest::LAST_SEQUENCE), (1, 2, (1 << 32) - 2), (7, 9, 1 << 51)]
        {
            let latest = Latest { index, epoch, sequence };
            assert_eq!(Latest::unpack(latest.pack()), latest);
        }
    }
}
