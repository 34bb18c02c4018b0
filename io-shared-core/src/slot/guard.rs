//! A value that is being read where it lies, or, small, where it was carried to.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use super::value::{Held, InlineWords, Value};
use super::{Consumer, Copied, Slot};
use crate::error::Result;
use crate::message::Message;
use crate::message::shown::Shown;
use crate::os::clock;
use crate::protocol::{self, Ahead, Seat, Which};
use crate::region::Region;

/// A value in shared memory, read where it lies: the producer leaves it alone for as long as this lives.
/// (Its buffer stays the consumer's until the next get, or until an [`OwnedGuard`] drops.)
///
/// A sized value of at most 40 bytes, aligned to 8 at most, is read where it comes along with the news
/// of itself: in a copy that its slot has. Its guard holds nothing, and any number of them may live.
///
/// If other code closes the consumer's descriptor, and another consumer takes over its slot, the buffer
/// is the producer's again: from then on a guard of it, owned or not, promises nothing. The consumer's next
/// get says [`RoleLost`](crate::ErrorKind::RoleLost). Values that are copies stay.
///
/// In a child of a fork it promises nothing either, once the parent has let it go: copy before the fork
/// what the child is to read.
#[must_use = "a value is read through its guard"]
pub struct Guard<'a, T: Message + ?Sized> {
    holding: Holding<&'a Arc<Region>, T>,
    /// Of the slot, which is borrowed with it: until it is used again, its entry keeps the value.
    consumer: &'a mut protocol::Consumer,
}

/// A [`Guard`] that borrows nothing: it keeps the mapping and the consumer's claim alive by itself,
/// for other threads, async tasks and foreign languages.
#[must_use = "a value is read through its guard"]
pub struct OwnedGuard<T: Message + ?Sized> {
    holding: Holding<Arc<Region>, T>,
    seat: Seat,
    /// A carried value.
    inline: InlineWords,
}

struct Holding<R: Borrow<Arc<Region>>, T: Message + ?Sized> {
    region: R,
    value: Value<T>,
}

// SAFETY: it is a `&T` in effect, for the time the protocol keeps the producer away or the slot is
// borrowed; releasing it is one atomic store, which any thread may do. T is Send and Sync by Message's supertraits.
unsafe impl<R: Borrow<Arc<Region>> + Send, T: Message + ?Sized> Send for Holding<R, T> {}
// SAFETY: as above.
unsafe impl<R: Borrow<Arc<Region>> + Sync, T: Message + ?Sized> Sync for Holding<R, T> {}

impl Slot<Consumer> {
    /// Holds the latest value, or one not had. When there is nothing to hold, or it went wrong,
    /// `again` is told and decides: try again (`true`), no value (`false`), or an error. It may
    /// wait, and may put another slot in this one's place.
    ///
    /// # Errors
    /// What `again` gives back. It is told of [`AlreadyHeld`](crate::ErrorKind::AlreadyHeld),
    /// [`Busy`](crate::ErrorKind::Busy), [`Replaced`](crate::ErrorKind::Replaced),
    /// [`ForkedHandle`](crate::ErrorKind::ForkedHandle), [`Corrupt`](crate::ErrorKind::Corrupt) (also
    /// where the value's length is none of `T`'s).
    // Always: left alone, it is a call with a guard for an answer in each get, and 10 ns of a hand-over.
    #[inline(always)]
    pub fn acquire<T: Message + ?Sized>(
        &mut self,
        which: Which,
        mut again: impl FnMut(&mut Self, Result<()>) -> Result<bool>,
    ) -> Result<Option<Guard<'_, T>>> {
        let mut waited = false;
        loop {
            let nothing = match self.try_hold::<T>(which, waited) {
                Ok(Some(value)) => {
                    let holding = Holding { region: &self.region, value };
                    return Ok(Some(Guard { holding, consumer: &mut self.side.protocol }));
                }
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            waited = nothing.is_ok();
            if !again(self, nothing)? {
                return Ok(None);
            }
        }
    }
}

impl<R: Borrow<Arc<Region>>, T: Message + ?Sized> Holding<R, T> {
    #[inline]
    fn region(&self) -> &Region {
        self.region.borrow()
    }

    /// 0 if it was not stamped, or by another clock.
    fn stamp(&self) -> u64 {
        let Value { sequence, stamp, .. } = self.value;
        self.region().own_stamp(sequence, stamp)
    }
}

impl<T: Message + ?Sized> Drop for OwnedGuard<T> {
    #[inline]
    fn drop(&mut self) {
        let Holding { region, value } = &self.holding;
        // An inherited guard is the parent's.
        if let (Some(Held { entry, .. }), false) = (value.held, region.is_forked()) {
            // Where the slot is another's, so is the entry; the consumer's next get says so.
            self.seat.release(&**region, entry);
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
    /// let copy = speed.get()?.to_copy()?;
    /// assert_eq!((*copy, copy.seq()), (13.9, 1));
    /// # io_shared::Channel::remove(name)
    /// # }
    /// ```
    pub fn to_copy(&self) -> Result<Copied<T>> {
        let Holding { region, value, .. } = &self.holding;
        match value.held {
            // The number of elements is the guard's own: nothing in shared memory is looked at for it.
            Some(Held { buffer, .. }) => {
                Copied::of_held(region, buffer, value.sequence, value.stamp, self.elements())
            }
            None => Copied::of_inline(region, &self.inline(), value.sequence, value.stamp),
        }
    }

    /// How many pieces of this value are among those that were read ahead in its region.
    pub(crate) fn pieces_ahead(&self, ahead: impl FnOnce(&Arc<Region>) -> Option<Ahead>) -> u64 {
        let Holding { region, value } = &self.holding;
        match (value.held, ahead(region)) {
            (Some(Held { buffer, filling, .. }), Some(ahead)) => ahead.of(filling, buffer),
            _ => 0,
        }
    }

    /// The slot's line, of a value that is carried.
    fn inline(&self) -> InlineWords {
        match self.holding.value {
            Value { held: Some(_), .. } => InlineWords::default(),
            // SAFETY: the message was made of the slot's line, which is borrowed with it.
            Value { message, .. } => unsafe { message.cast::<InlineWords>().read() },
        }
    }

    #[inline]
    fn get(&self) -> &T {
        // SAFETY: every bit pattern is a T. In a buffer, `message_in` has checked alignment and length
        // against the layout, which the mapping covers, and until the entry is released the protocol
        // keeps the producer from writing there. In the slot's line there is room for a T that `fits`,
        // and nobody writes there while the slot is borrowed, as it is for as long as this guard lives.
        unsafe { &*self.holding.value.message }
    }

    /// The guard, borrowing nothing. As many live at once as the channel has holds; of small values
    /// (see [`Guard`]) any number.
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
        let inline = self.inline();
        let Self { holding: Holding { region, value }, consumer } = self;
        if let Some(Held { entry, .. }) = value.held {
            consumer.part_with(entry);
        }
        let holding = Holding { region: Arc::clone(region), value };
        OwnedGuard { holding, seat: consumer.seat(), inline }
    }
}

impl<T: Message + ?Sized> OwnedGuard<T> {
    #[inline]
    fn get(&self) -> &T {
        let value = &self.holding.value;
        let message = match value.held {
            Some(_) => value.message,
            None => T::from_raw_parts(self.inline.as_ptr().cast_mut().cast(), 0),
        };
        // SAFETY: as in the guard that this was, and the line is borrowed here.
        unsafe { &*message }
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
                self.holding.value.sequence
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
                self.holding.value.missed
            }

            /// The time since the put; `None` if it was not stamped, or by another clock: before this
            /// boot, in another time namespace, or later than now.
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
                clock::since(self.stamp())
            }

            /// The name of its channel.
            pub(crate) fn channel(&self) -> &str {
                self.holding.region().name()
            }

            /// CLOCK_MONOTONIC at the put in nanoseconds, to two microseconds: of stamps of two
            /// processes that are closer, either may be the smaller. 0 if it was not stamped, or by
            /// the clock of another boot or time namespace.
            pub fn stamp(&self) -> u64 {
                self.holding.stamp()
            }
        }

        impl<$($generics)*> Deref for $Self {
            type Target = T;

            #[inline]
            fn deref(&self) -> &T {
                self.get()
            }
        }

        impl<$($generics)*> fmt::Debug for $Self {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($Guard))
                    .field("name", &self.holding.region().name())
                    .field("seq", &self.seq())
                    .field("value", &Shown(&**self))
                    .finish_non_exhaustive()
            }
        }
    };
}

guard!(Guard, ['a, T: Message + ?Sized], Guard<'a, T>);
guard!(OwnedGuard, [T: Message + ?Sized], OwnedGuard<T>);
