//! What travels with each value: 40 bytes, five numbers of 64 bits in little-endian order.

/// The marks of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) seq: u64,
    /// CLOCK_MONOTONIC of the put, in nanoseconds of the giver's clock; 0: unknown.
    pub(crate) stamp: u64,
    pub(crate) tag: u64,
    /// When it was sent, by the same clock.
    pub(crate) sent: u64,
    /// Tells the channel from any other that has, or had, its name there.
    pub(crate) line: u64,
}

impl Mark {
    pub(crate) fn bytes(&self) -> [u8; 40] {
        let words = [self.seq, self.stamp, self.tag, self.sent, self.line];
        let mut bytes = [0; 40];
        for (to, word) in bytes.chunks_exact_mut(8).zip(words) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// `None`: these are no marks. Later versions may append more.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        let word =
            |i: usize| bytes.get(i * 8..)?.first_chunk().map(|word| u64::from_le_bytes(*word));
        let (seq, stamp, tag) = (word(0)?, word(1)?, word(2)?);
        (seq != 0).then_some(Self { seq, stamp, tag, sent: word(3)?, line: word(4)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_come_back_and_what_is_none_does_not() {
        let mark = Mark { seq: 1, stamp: 2, tag: 3, sent: 4, line: u64::MAX };
        assert_eq!(Mark::of(&mark.bytes()), Some(mark));
        assert_eq!(Mark::of(&mark.bytes()[..39]), None);
        assert_eq!(Mark::of(&[0; 40]), None);
    }
}
