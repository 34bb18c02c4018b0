//! The values that came since a number: an iterator over checked copies.

use io_shared_core::slot::Copied;
use io_shared_core::{Message, Result};

/// The values after a number that still lie whole, oldest first. [`Observer::since`] and
/// [`Consumer::since`] return it.
///
/// It ends when there is nothing newer; values that are put meanwhile are among them. An error ends
/// it, too.
///
/// [`Observer::since`]: crate::Observer::since
/// [`Consumer::since`]: crate::Consumer::since
#[must_use = "it copies values as it is asked for them"]
pub struct Since<'a, T: Message + ?Sized> {
    /// Copies the oldest value after a number.
    copy_after: Box<dyn FnMut(u64) -> Result<Option<Copied<T>>> + 'a>,
    seq: u64,
    is_over: bool,
}

impl<'a, T: Message + ?Sized> Since<'a, T> {
    pub(crate) fn new(
        seq: u64,
        copy_after: impl FnMut(u64) -> Result<Option<Copied<T>>> + 'a,
    ) -> Self {
        Self { copy_after: Box::new(copy_after), seq, is_over: false }
    }
}

impl<T: Message + ?Sized> Iterator for Since<'_, T> {
    type Item = Result<Copied<T>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let copy = (self.copy_after)(self.seq).transpose();
        match &copy {
            Some(Ok(copy)) => self.seq = copy.seq(),
            _ => self.is_over = true,
        }
        copy
    }
}

impl<T: Message + ?Sized> std::iter::FusedIterator for Since<'_, T> {}

impl<T: Message + ?Sized> std::fmt::Debug for Since<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Since").field("seq", &self.seq).finish_non_exhaustive()
    }
}
