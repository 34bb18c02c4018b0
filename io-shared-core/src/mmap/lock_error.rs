//! Why a lock was not taken, or was taken over content that may be half-written.

use std::fmt;
use std::io;

use crate::error::{Error, ErrorKind, OWNER_DIED, Result};
use crate::region::Region;

/// What taking a lock returns.
pub type LockResult<G> = std::result::Result<G, LockError<G>>;

/// Why there is no guard, or none without a warning.
///
/// `?` turns it into an [`Error`], an `io::Error` or a boxed error, and gives the lock back.
/// Programs that can repair the content take the guard out:
///
/// # Examples
/// ```
/// # use io_shared_core as io_shared;
/// use io_shared::Shared;
/// use io_shared::mmap::LockError;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-owner-died-{}", std::process::id());
/// let mut pair = Shared::<[i32; 2]>::open(name)?;
/// # let mut dying = Shared::<[i32; 2]>::open(name)?;
/// # std::mem::forget(dying.write()?);
/// # drop(dying);
/// // A program was killed between its two writes.
/// match pair.write() {
///     Ok(_) => unreachable!(),
///     Err(LockError::OwnerDied(mut guard)) => {
///         *guard = [0, 0];
///         guard.mark_consistent();
///     }
///     Err(LockError::Failed(error)) => return Err(error),
/// }
/// assert_eq!(pair.get()?, [0, 0]);
/// # Shared::<[i32; 2]>::remove(name)
/// # }
/// ```
pub enum LockError<G> {
    /// The lock was taken, but an earlier writer died or panicked in the middle: the content may be
    /// half-written. Every lock reports this until somebody calls `mark_consistent`.
    OwnerDied(G),
    /// The lock was not taken.
    Failed(Error),
}

/// Shows the text of the error, for `unwrap()`, and the guard if there is one.
impl<G: fmt::Debug> fmt::Debug for LockError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnerDied(guard) => write!(f, "{OWNER_DIED}: {guard:?}"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl<G> LockError<G> {
    /// The guard, if the lock was taken.
    ///
    /// # Errors
    /// The error, if it was not.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// let mut bytes = io_shared::SharedMmap::anonymous().size(4).open()?;
    /// let guard = bytes.lock().or_else(|error| error.into_guard())?; // whole or not
    /// guard.mark_consistent();
    /// # Ok(()) }
    /// ```
    pub fn into_guard(self) -> Result<G> {
        match self {
            Self::OwnerDied(guard) => Ok(guard),
            Self::Failed(error) => Err(error),
        }
    }
}

impl<G: Locked> From<LockError<G>> for Error {
    /// Gives the lock back. The content stays as it is, and the next lock reports it again.
    fn from(error: LockError<G>) -> Self {
        match error {
            LockError::OwnerDied(guard) => guard.region().error(ErrorKind::OwnerDied),
            LockError::Failed(error) => error,
        }
    }
}

impl<G: Locked> fmt::Display for LockError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnerDied(guard) => guard.region().error(ErrorKind::OwnerDied).fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

// `LockError` is not a `std::error::Error`: with a guard's lifetime in it, it could not be boxed.
// These conversions make `?` work for boxed errors and for `io::Error`; others use
// `.map_err(Error::from)?`.
impl<G: Locked> From<LockError<G>> for Box<dyn std::error::Error> {
    fn from(error: LockError<G>) -> Self {
        Error::from(error).into()
    }
}

impl<G: Locked> From<LockError<G>> for Box<dyn std::error::Error + Send + Sync> {
    fn from(error: LockError<G>) -> Self {
        Error::from(error).into()
    }
}

impl<G: Locked> From<LockError<G>> for io::Error {
    fn from(error: LockError<G>) -> Self {
        Error::from(error).into()
    }
}

/// Guards, of which an error needs the region's name.
pub(crate) mod sealed {
    use super::Region;

    #[allow(unnameable_types, reason = "it seals the guards")]
    pub trait Locked {
        #[allow(private_interfaces, reason = "it seals the guards")]
        fn region(&self) -> &Region;
    }
}
pub(crate) use sealed::Locked;

#[inline]
pub(super) fn clean_or_dirty<G>(guard: G, dirty: bool) -> LockResult<G> {
    if dirty { Err(LockError::OwnerDied(guard)) } else { Ok(guard) }
}
