//! Filling: copies into a loan, piece by piece. Consumers read ahead what of a large message is
//! already there, and sleepers are woken before its end.

use super::{Loan, Producer};
use crate::error::Result;
use crate::message::Message;
use crate::os::copy;
use crate::protocol;

/// Bytes of a piece of a message that is read ahead.
pub(crate) const PIECE: usize = 64 << 10;
/// Messages of at least this length may be read ahead: the copies of smaller ones finish before
/// that pays off.
pub(crate) const LEAST_AHEAD: usize = 2 * PIECE;
/// For copies at least this large, sleepers are woken early, so that the wake-up overlaps the copy.
const LEAST_ROUSED: usize = 8 * PIECE;

impl<T: Message + ?Sized> Loan<'_, T> {
    /// Copies the bytes of a value with the same number of elements into the loan.
    #[inline]
    pub(super) fn fill_with(&mut self, bytes: &[u8]) {
        if bytes.len() < LEAST_AHEAD {
            self.copy_bytes(bytes);
        } else {
            self.copy_in(&[bytes]);
        }
    }

    /// Fills the whole message with `parts`, one after the other. Callers have checked that
    /// together they are as long as the message.
    fn copy_in(&mut self, parts: &[&[u8]]) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let Producer { protocol: producer, .. } = &mut self.slot.side;
        let (region, start) = (&*self.slot.region, self.message.cast::<u8>());
        let mut at = 0;
        for part in parts {
            let mut from = *part;
            while !from.is_empty() {
                let piece = PIECE - at % PIECE;
                let (copied, rest) = from.split_at(piece.min(from.len()));
                let to = start.wrapping_add(at);
                // SAFETY: the message is this loan's alone and spans all parts; each part is
                // borrowed, and so lies elsewhere.
                unsafe { copy::bytes(copied.as_ptr(), to, copied.len()) };
                at += copied.len();
                from = rest;
                if at % PIECE == 0 && at < length && length >= LEAST_AHEAD {
                    producer.fill(region, (at / PIECE) as u64);
                    if at == PIECE && length >= LEAST_ROUSED {
                        protocol::Producer::rouse(region);
                    }
                }
            }
        }
    }

    /// What [`binding::put_parts`](crate::binding::put_parts) does.
    #[inline]
    pub(crate) fn put_parts(mut self, parts: &[&[u8]]) -> Result<u64> {
        self.slot.check_fork()?;
        let length = parts.iter().try_fold(0_usize, |sum, part| sum.checked_add(part.len()));
        let expected = T::SHAPE.wire_len_of(self.elements());
        assert!(length.is_some() && length == expected, "the buffer was opened for these parts");
        self.copy_in(parts);
        if T::CHECKED {
            // SAFETY: the parts fill the message, which is this loan's alone.
            let checked = unsafe { T::check(self.message.cast(), length.unwrap_or(0)) };
            checked.map_err(|invalid| self.slot.bad_value::<T>(invalid))?;
        }
        self.put()
    }
}

impl Loan<'_, [u8]> {
    /// Acts as if this many pieces had just been copied in.
    #[cfg(test)]
    pub(crate) fn say_filled(&mut self, pieces: u64) {
        let (producer, region) = (&mut self.slot.side.protocol, &*self.slot.region);
        producer.fill(region, pieces);
        protocol::Producer::rouse(region);
    }
}
