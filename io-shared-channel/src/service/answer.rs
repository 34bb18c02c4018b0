//! An answer: what a call returns.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use io_shared_core::Message;
use io_shared_core::slot::{Guard, OwnedGuard};

/// An answer, which lies in shared memory and is read in place. It borrows the
/// [`Client`](crate::Client), so it ends before the next call.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # use std::time::Duration;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-answer-{}", std::process::id());
/// use io_shared::Service;
/// # let mut server = Service::<f64, [u32]>::named(name).server()?;
/// let mut client = Service::<f64, [u32]>::named(name).client()?;
/// client.ask(&2.5)?;
/// # server.next()?.answer(&[2, 5])?;
/// let answer = client.answer(Duration::from_secs(1))?;
/// assert_eq!((&*answer, answer.question()), (&[2, 5][..], 1));
/// # Ok(()) }
/// ```
pub struct Answer<'c, A: Message + ?Sized> {
    guard: Guard<'c, A>,
}

impl<'c, A: Message + ?Sized> Answer<'c, A> {
    #[inline]
    pub(super) fn new(guard: Guard<'c, A>) -> Self {
        Self { guard }
    }

    /// The number of the question that this is the answer to.
    ///
    /// # Examples
    /// [`Answer`] has one.
    pub fn question(&self) -> u64 {
        self.guard.tag()
    }

    /// How long ago the answer was put; `None` if that is not known.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use std::time::Duration;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-answer-age-{}", std::process::id());
    /// # use io_shared::Service;
    /// # let mut server = Service::<f64, f64>::named(name).server()?;
    /// # let mut client = Service::<f64, f64>::named(name).client()?;
    /// # client.ask(&2.5)?;
    /// # server.next()?.answer(&5.0)?;
    /// let answer = client.answer(Duration::from_secs(1))?;
    /// assert!(answer.age().is_some_and(|age| age.as_secs() < 60));
    /// # Ok(()) }
    /// ```
    pub fn age(&self) -> Option<Duration> {
        self.guard.age()
    }

    /// The answer's guard, which outlives the next call. A client keeps one such answer at a time;
    /// for more, open it with [`.holds(n)`](crate::Service::holds).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use std::time::Duration;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-answer-owned-{}", std::process::id());
    /// # use io_shared::Service;
    /// # let mut server = Service::<f64, f64>::named(name).server()?;
    /// # let mut client = Service::<f64, f64>::named(name).client()?;
    /// client.ask(&1.0)?;
    /// # server.next()?.answer(&10.0)?;
    /// let first = client.answer(Duration::from_secs(1))?.into_owned();
    /// client.ask(&2.0)?;
    /// # server.next()?.answer(&20.0)?;
    /// let second = client.answer(Duration::from_secs(1))?;
    /// assert_eq!((*first, *second), (10.0, 20.0));
    /// # Ok(()) }
    /// ```
    pub fn into_owned(self) -> OwnedGuard<A> {
        self.guard.into_owned()
    }
}

impl<A: Message + ?Sized> Deref for Answer<'_, A> {
    type Target = A;

    #[inline]
    fn deref(&self) -> &A {
        &self.guard
    }
}

impl<A: Message + ?Sized> fmt::Debug for Answer<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Answer").field(&self.guard).finish()
    }
}
