//! The guards of typed state: the value, while its lock is held.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use crate::message::Message;
use crate::message::shown::Shown;
use crate::mmap::handle::LockHold;
use crate::mmap::lock_error::Locked;
use crate::region::Region;

/// The value, while nobody writes it. [`Shared::read`](super::Shared::read) returns it, and has an
/// example.
#[must_use = "a lock is given back when its guard is dropped"]
pub struct StateReadGuard<'a, T: Message> {
    pub(super) lock: LockHold<'a>,
    pub(super) value: PhantomData<&'a T>,
}

/// The value, while nobody else reads or writes it. [`Shared::write`](super::Shared::write) returns
/// it, and has an example.
#[must_use = "a lock is given back when its guard is dropped"]
pub struct StateGuard<'a, T: Message> {
    pub(super) lock: LockHold<'a>,
    pub(super) value: PhantomData<&'a mut T>,
}

impl<T: Message> StateGuard<'_, T> {
    /// Says that the value is whole again after a writer died in the middle.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-state-consistent-{}", std::process::id());
    /// use io_shared::Shared;
    /// use io_shared::mmap::LockError;
    /// # let mut pair = Shared::<[i32; 2]>::open(name)?;
    /// # let mut dying = Shared::<[i32; 2]>::open(name)?;
    /// # std::mem::forget(dying.write()?);
    /// # drop(dying);
    /// // A program was killed between its two writes.
    /// if let Err(LockError::OwnerDied(mut guard)) = pair.write() {
    ///     *guard = [0, 0];
    ///     guard.mark_consistent();
    /// }
    /// assert_eq!(pair.get()?, [0, 0]);
    /// # Shared::<[i32; 2]>::remove(name)
    /// # }
    /// ```
    #[doc(alias = "pthread_mutex_consistent")]
    pub fn mark_consistent(&self) {
        self.lock.handle.mark_consistent();
    }
}

impl<T: Message> DerefMut for StateGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; the writer's lock keeps readers away too, and this guard is
        // borrowed mutably.
        unsafe { &mut *T::from_raw_parts_mut(self.lock.handle.start(), 0) }
    }
}

macro_rules! guard {
    ($Guard:ident) => {
        impl<T: Message> Deref for $Guard<'_, T> {
            type Target = T;

            #[inline]
            fn deref(&self) -> &T {
                const { assert!(T::SHAPE.element.is_none(), "typed state has a fixed size") };
                // SAFETY: the region's one buffer spans a T (its capacity and alignment were
                // checked against T's schema at opening), every bit pattern is a T, or the bytes
                // were checked when the lock was taken, and the lock, held while this guard lives,
                // keeps every other writer away.
                unsafe { &*T::from_raw_parts(self.lock.handle.start(), 0) }
            }
        }

        impl<T: Message> Locked for $Guard<'_, T> {
            #[allow(private_interfaces)]
            fn region(&self) -> &Region {
                &self.lock.handle.region
            }
        }

        impl<T: Message> fmt::Debug for $Guard<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($Guard))
                    .field("name", &self.lock.handle.region.name())
                    .field("value", &Shown(&**self))
                    .finish_non_exhaustive()
            }
        }
    };
}
guard!(StateReadGuard);
guard!(StateGuard);
