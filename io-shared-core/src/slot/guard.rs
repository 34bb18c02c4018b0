//! A value that is being read where it lies.

use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::{Consuming, Copied, Slot};
use crate::clock;
use crate::error::{Error, Result};
use crate::message::Message;
use crate::protocol::{Hold, Reader, Which, Words};
use crate::region::Region;

/// A value in shared memory, read where it lies: the producer leaves it alone until this is dropped.
#[must_use = "a value is read through its guard"]
pub struct Guard<'a, T: Message + ?Sized> {
    holding: Holding<&'a Arc<Region>, T>,
    slot: PhantomData<&'a mut Slot<Consuming>>,
}

/// A [`Guard`] that borrows nothing: it keeps the mapping and the consumer's claim alive by itself,
/// for other threads, async tasks and foreign languages.
#[must_use = "a value is read through its guard"]
pub struct OwnedGuard<T: Message + ?Sized> {
    holding: Holding<Arc<Region>, T>,
}

struct Holding<R: Borrow<Arc<Region>>, T: Message + ?Sized> {
    region: R,
    consumer: usize,
    hold: Hold,
    stamp: u64,
    message: *const T,
}

// SAFETY: it is a `&T` in effect, for the time the protocol keeps the producer away; releasing it is
// one atomic store, which any thread may do. T is Send and Sync by Message's supertraits.
unsafe impl<R: Borrow<Arc<Region>> + Send, T: Message + ?Sized> Send for Holding<R, T> {}
// SAFETY: as above.
unsafe impl<R: Borrow<Arc<Region>> + Sync, T: Message + ?Sized> Sync for Holding<R, T> {}

impl Slot<Consuming> {
    /// Holds the latest value, or one not had. When there is nothing to hold, or it went wrong,
    /// `again` is told and decides: try again (`true`), no value (`false`), or an error. It may
    /// wait, and may put another slot in this one's place.
    ///
    /// # Errors
    /// What `again` gives back. It is told of [`AlreadyHeld`](crate::ErrorKind::AlreadyHeld),
    /// [`Busy`](crate::ErrorKind::Busy), [`Replaced`](crate::ErrorKind::Replaced),
    /// [`ForkedHandle`](crate::ErrorKind::ForkedHandle), [`Corrupt`](crate::ErrorKind::Corrupt) (also
    /// where the value's length is none of `T`'s).
    #[inline]
    pub fn hold<T: Message + ?Sized>(
        &mut self,
        which: Which,
        mut again: impl FnMut(&mut Self, Result<()>) -> Result<bool>,
    ) -> Result<Option<Guard<'_, T>>> {
        let mut looked = false;
        loop {
            let nothing = match self.try_hold::<T>(which, looked) {
                Ok(Some((hold, stamp, message))) => {
                    let consumer = self.side.0.consumer();
                    let region = &self.region;
                    let holding = Holding { region, consumer, hold, stamp, message };
                    return Ok(Some(Guard { holding, slot: PhantomData }));
                }
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            if !again(self, nothing)? {
                return Ok(None);
            }
            looked = true;
        }
    }

    /// `looked`: it was looked where the name leads when there was nothing to hold, or a slice of a
    /// wait ago.
    #[inline]
    fn try_hold<T: Message + ?Sized>(
        &mut self,
        which: Which,
        looked: bool,
    ) -> Result<Option<(Hold, u64, *const T)>> {
        self.check_fork()?;
        if which == Which::Current {
            // There is always something to hold, so this is the only look.
            self.check_stale()?;
            self.look(clock::now_coarse())?;
        }
        let reader = &self.side.0;
        let region = &*self.region;
        let Some(hold) = reader.hold(region, which).map_err(|fault| region.fault(fault))? else {
            self.check_stale()?;
            self.look(clock::now_coarse())?;
            return Ok(None);
        };
        let stamp = region.stamp(hold.buffer).load(Relaxed);
        // From here on the buffer is the value's: an error gives it back.
        let message = self.message_in::<T>(hold.buffer);
        let current = match stamp {
            0 if looked => Ok(()),
            0 => self.look(clock::now_coarse()),
            stamp => self.look(stamp),
        };
        match current.and(message) {
            Ok(message) => Ok(Some((hold, stamp, message))),
            Err(error) => {
                self.side.0.release(&*self.region, hold.entry);
                Err(error)
            }
        }
    }

    /// The message in a held buffer, if its length is one that a `T` can have.
    #[inline]
    fn message_in<T: Message + ?Sized>(&self, buffer: usize) -> Result<*const T> {
        let region = &*self.region;
        // Read once, and checked as it was read.
        let length = region.length(buffer).load(Relaxed);
        let elements = T::SHAPE.elements_in(length).filter(|&elements| {
            length <= self.capacity()
                && region.allows::<T>(length)
                && T::SHAPE
                    .padded_len_of(elements)
                    .is_some_and(|padded| padded as u64 <= region.payload_size())
        });
        let start = region.payload(buffer);
        match elements {
            Some(elements) if start.addr().is_multiple_of(T::SHAPE.align) => {
                Ok(T::from_raw_parts(start, elements))
            }
            Some(_) => {
                Err(Error::corrupt(region.name(), "its payloads are not aligned for its type"))
            }
            None => {
                let what = format!("a value of {length} bytes is none that this type can have");
                Err(Error::corrupt(region.name(), what))
            }
        }
    }
}

impl<R: Borrow<Arc<Region>>, T: Message + ?Sized> Holding<R, T> {
    #[inline]
    fn region(&self) -> &Region {
        self.region.borrow()
    }

    #[inline]
    fn get(&self) -> &T {
        // SAFETY: `message_in` has checked alignment and length against the layout, which the
        // mapping covers; every bit pattern is a T; and until the entry is released the protocol
        // keeps the producer from writing there.
        unsafe { &*self.message }
    }

    fn age(&self) -> Option<Duration> {
        if self.stamp == 0 || !self.region().is_of_this_boot(self.hold.sequence) {
            return None;
        }
        Some(Duration::from_nanos(clock::now().saturating_sub(self.stamp)))
    }
}

impl<R: Borrow<Arc<Region>>, T: Message + ?Sized> Drop for Holding<R, T> {
    #[inline]
    fn drop(&mut self) {
        // An inherited guard is the parent's.
        let region = self.region();
        if !region.is_forked() {
            Reader::release_entry(region, self.consumer, self.hold.entry);
        }
    }
}

impl<T: Message + ?Sized> Guard<'_, T> {
    /// A private copy of the value, taken word by word without a reference to shared memory: what a
    /// writer that breaks the protocol does to the buffer may tear the copy, but does not change it
    /// afterwards.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported) if `T` is aligned to more than 64,
    /// [`System`](crate::ErrorKind::System) if there is no memory for a copy.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-copied-{}", std::process::id());
    /// # io_shared::producer::<f64>(name)?.put(&13.9)?;
    /// let mut speed = io_shared::consumer::<f64>(name)?;
    /// let copy = speed.get()?.copied()?;
    /// assert_eq!((*copy, copy.seq()), (13.9, 1));
    /// # io_shared::Channel::remove(name)
    /// # }
    /// ```
    pub fn copied(&self) -> Result<Copied<T>> {
        let Holding { region, hold, stamp, .. } = &self.holding;
        // The number of elements is the guard's own: nothing in shared memory is looked at for it.
        Copied::of_held(region, hold, *stamp, self.holding.get().elements())
    }

    /// The guard, borrowing nothing. As many live at once as the channel has holds.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-into-owned-{}", std::process::id());
    /// # io_shared::producer::<[f32; 2]>(name)?.put(&[1.0, 2.0])?;
    /// # let mut consumer = io_shared::consumer::<[f32; 2]>(name)?;
    /// let cloud = consumer.get()?.into_owned();
    /// let sum = std::thread::spawn(move || cloud.iter().sum::<f32>());
    /// assert_eq!(sum.join().unwrap(), 3.0);
    /// # io_shared::Channel::remove(name)
    /// # }
    /// ```
    pub fn into_owned(self) -> OwnedGuard<T> {
        let holding = ManuallyDrop::new(self.holding);
        let Holding { region, consumer, hold, stamp, message } = *holding;
        let region = Arc::clone(region);
        OwnedGuard { holding: Holding { region, consumer, hold, stamp, message } }
    }
}

macro_rules! guard {
    ($Guard:ident, $impl:tt, $Self:ty) => {
        guard!(@ $Guard, $impl, $Self);
    };
    (@ $Guard:ident, [$($generics:tt)*], $Self:ty) => {
        impl<$($generics)*> $Self {
            /// The value's number: 1 for the first of the channel, never given again.
            pub fn seq(&self) -> u64 {
                self.holding.hold.sequence
            }

            /// Values put since the one this consumer had before this, and never had by it.
            ///
            /// # Examples
            /// ```
            /// # use io_shared_channel as io_shared;
            /// # fn main() -> io_shared::Result<()> {
            /// # let name = &format!("/doc-missed-{}", std::process::id());
            /// # let mut speed = io_shared::producer::<f64>(name)?;
            /// # let mut consumer = io_shared::consumer::<f64>(name)?;
            /// speed.put(&13.9)?;
            /// assert_eq!(consumer.get()?.missed(), 0);
            /// speed.put(&14.0)?; // never had
            /// speed.put(&14.1)?;
            /// assert_eq!(consumer.get()?.missed(), 1);
            /// # io_shared::Channel::remove(name)
            /// # }
            /// ```
            pub fn missed(&self) -> u64 {
                self.holding.hold.missed
            }

            /// The time since the put; `None` if it was not stamped, or before this boot.
            ///
            /// # Examples
            /// ```
            /// # use io_shared_channel as io_shared;
            /// # fn main() -> io_shared::Result<()> {
            /// # let name = &format!("/doc-age-{}", std::process::id());
            /// # use std::time::Duration;
            /// # io_shared::producer::<f64>(name)?.put(&13.9)?;
            /// # let mut consumer = io_shared::consumer::<f64>(name)?;
            /// let value = consumer.get()?;
            /// let fresh = value.age().is_some_and(|age| age < Duration::from_secs(60));
            /// assert!(fresh);
            /// # io_shared::Channel::remove(name)
            /// # }
            /// ```
            pub fn age(&self) -> Option<Duration> {
                self.holding.age()
            }

            /// The name of its channel.
            pub(crate) fn channel(&self) -> &str {
                self.holding.region().name()
            }

            /// CLOCK_MONOTONIC at the put in nanoseconds; 0 if it was not stamped. Of another
            /// boot's clock where [`age`](Self::age) is `None`.
            pub fn stamp(&self) -> u64 {
                self.holding.stamp
            }
        }

        impl<$($generics)*> Deref for $Self {
            type Target = T;

            #[inline]
            fn deref(&self) -> &T {
                self.holding.get()
            }
        }

        impl<$($generics)*> fmt::Debug for $Self {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($Guard))
                    .field("name", &self.holding.region().name())
                    .field("seq", &self.seq())
                    .finish_non_exhaustive()
            }
        }
    };
}

guard!(Guard, ['a, T: Message + ?Sized], Guard<'a, T>);
guard!(OwnedGuard, [T: Message + ?Sized], OwnedGuard<T>);
