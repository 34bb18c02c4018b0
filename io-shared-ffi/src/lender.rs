//! Whoever lends a buffer of a channel to C: a producer, the client of a service, or the reply to a
//! question. `loan.rs` has what C does with a loan.

use std::cell::Cell;
use std::ffi::c_void;
use std::sync::Arc;

use crate::label::{IOS_NOW, Label};
use crate::lists::{Lists, no_lists};
use crate::memory::into_c;
use crate::pointer::Answer;
use crate::status::Outcome;

/// Who lends a buffer, one at a time. While it is on loan, the lender opens no other channel, so
/// the loan's bytes stay mapped.
pub(crate) trait Lender: std::fmt::Debug + Send + Sync {
    /// The channel's name, as errors show it.
    fn name(&self) -> &str;

    /// The lists of its messages, if they have any.
    fn lists(&self) -> Option<&Lists>;

    /// Refuses a number that the next value, of `length` bytes, cannot have; and any label, with
    /// `None`, if the lender labels its values itself.
    fn check_label(&self, number: Option<u64>, length: usize) -> Outcome;

    /// Publishes the first `length` bytes of the buffer at `data`, under this label.
    fn put(&self, data: *mut u8, length: usize, label: Label) -> Outcome<u64>;

    /// Marks the buffer as free.
    fn give_back(&self);
}

/// A buffer, lent to be filled in place. It keeps its lender.
#[derive(Debug)]
pub struct ios_loan {
    pub(crate) lender: Arc<dyn Lender>,
    data: *mut u8,
    pub(crate) length: usize,
    /// The tag, number and stamp that it is put with.
    pub(crate) label: Cell<Label>,
}

impl ios_loan {
    /// A loan of the `length` bytes that `lend` returns, and what it returns besides. The lender
    /// has marked its buffer as lent, and takes it back when the loan is dropped.
    pub(crate) fn of<T>(
        lender: Arc<dyn Lender>,
        length: usize,
        lend: impl FnOnce() -> Outcome<(*mut u8, T)>,
    ) -> Outcome<(Self, T)> {
        let label = Cell::new(Label { tag: 0, number: None, stamp: IOS_NOW });
        let mut loan = Self { lender, data: std::ptr::null_mut(), length, label };
        let (data, more) = lend()?;
        loan.data = data;
        Ok((loan, more))
    }

    /// A message with lists of these sizes, of which the fields are zeros and the lists are set.
    pub(crate) fn with_lists(
        lists: Option<&Lists>,
        sizes: &[usize],
        lend: impl FnOnce(usize) -> Outcome<Self>,
    ) -> Outcome<Self> {
        let lists = lists.ok_or_else(no_lists)?;
        lists.check_sizes(sizes)?;
        let (words, length) = lists.lay_out(sizes);
        let loan = lend(length)?;
        // SAFETY: the loan has `length` bytes, of which the first are the fields, and nobody else
        // has them yet.
        unsafe { loan.data.write_bytes(0, lists.start()) };
        for (at, word) in words {
            // SAFETY: the words of lists lie among the fields, at multiples of 8.
            unsafe { loan.data.wrapping_add(at).cast::<u64>().write(word.to_le()) };
        }
        Ok(loan)
    }

    /// Gives it to C, with where its bytes are.
    pub(crate) fn hand_out(self, loan: Answer<'_, *mut Self>, data: Answer<'_, *mut c_void>) {
        data.set(self.data());
        loan.set(into_c(self));
    }

    /// Where its bytes are.
    pub(crate) fn data(&self) -> *mut c_void {
        self.data.cast()
    }

    /// The bytes, with the lists of the message; `None` if it has none.
    pub(crate) fn lists(&self) -> Option<(&Lists, *mut u8, usize)> {
        Some((self.lender.lists()?, self.data, self.length))
    }
}

impl Drop for ios_loan {
    fn drop(&mut self) {
        self.lender.give_back();
    }
}
