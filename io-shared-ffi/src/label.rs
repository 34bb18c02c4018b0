//! What a value is put with, besides its message.

use io_shared_channel::{Loan, Producer, binding};
use io_shared_core::Error;

/// The time of a put, in place of a stamp.
pub const IOS_NOW: u64 = u64::MAX;

/// What a value is put with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Label {
    pub(crate) tag: u64,
    /// `None`: the next.
    pub(crate) number: Option<u64>,
    /// Of a value with a number.
    pub(crate) stamp: u64,
}

impl Label {
    #[inline]
    pub(crate) fn apply(self, loan: &mut Loan<'_, [u8]>) -> Result<(), Error> {
        loan.tag(self.tag);
        match self.number {
            None => Ok(()),
            Some(number) => loan.numbered(number, (self.stamp != IOS_NOW).then_some(self.stamp)),
        }
    }

    /// Puts the message of `header`, followed by `data`.
    #[inline]
    pub(crate) fn put_parts(
        self,
        producer: &mut Producer<[u8]>,
        header: &[u8],
        data: &[u8],
    ) -> Result<u64, Error> {
        // The sum does not overflow: neither is longer than isize::MAX.
        let mut loan = producer.loan_len(header.len() + data.len())?;
        self.apply(&mut loan)?;
        binding::put_parts(loan, &[header, data])
    }
}
