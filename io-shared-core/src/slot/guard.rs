//! Guards: a value that is read where it lies in shared memory, or a small one in the slot's own
//! copy.

use std::borrow::Borrow;
use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use super::copied::Known;
use super::value::{Hazard, InlineWords, Value};
use super::{Consumer, Copied, Slot};
use crate::error::Result;
use crate::message::Message;
use crate::message::shown::Shown;
use crate::os::clock;
use crate::protocol::{Ahead, Seat, Which};
use crate::region::Region;

/// A value in shared memory, read where it lies. The producer leaves it alone while the guard
/// lives. (The buffer stays the consumer's until its next get, or until an [`OwnedGuard`] is
/// dropped.)
///
/// A sized value of at most 32 bytes, aligned to at most 8, is stored inline, next to the word that
/// announces it. Its guard reads a copy in the consumer and keeps no buffer, so any number of such
/// guards may live.
///
/// If other code closes the consumer's descriptor and another consumer takes over its slot, the
/// buffer is the producer's again. From then on its guard, owned or not, promises nothing, and the
/// consumer's next get returns [`RoleLost`](crate::ErrorKind::RoleLost). Inline values are copies
/// and stay.
///
/// In a forked child a guard promises nothing once the parent has dropped it: copy what the child
/// is to read before the fork.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-guard-{}", std::process::id());
/// # let channel = || io_shared::Channel::<[f32]>::named(name).elements(3);
/// # let (mut producer, mut consumer) = (channel().producer()?, channel().consumer()?);
/// producer.put(&[1.0, 2.0, 3.0])?;
/// let cloud = consumer.get()?; // in shared memory
/// assert_eq!((cloud.seq(), cloud.len(), cloud[2]), (1, 3, 3.0));
/// # drop(cloud);
/// # io_shared::Channel::remove(name)
/// # }
/// ```
#[must_use = "a value is read through its guard"]
pub struct Guard<'a, T: Message + ?Sized> {
    pub(super) guarded: Guarded<&'a Arc<Region>, T>,
    /// The slot's, borrowed with it: its hazard pointer protects the value until it is used again.
    pub(super) consumer: &'a mut Consumer,
}

/// A [`Guard`] that borrows nothing: it keeps the mapping and the consumer's claim alive by itself,
/// for other threads, async tasks and foreign languages. [`Guard::into_owned`] makes one, and has
/// an example.
#[must_use = "a value is read through its guard"]
pub struct OwnedGuard<T: Message + ?Sized> {
    guarded: Guarded<Arc<Region>, T>,
    seat: Seat,
    /// The copy of an inline value.
    inline: InlineWords,
}

/// A value and the region that it lies in.
pub(super) struct Guarded<R: Borrow<Arc<Region>>, T: Message + ?Sized> {
    pub(super) region: R,
    pub(super) value: Value<T>,
}

// SAFETY: it is a `&T` in effect, while the protocol keeps the producer away or the slot is
// borrowed. Releasing it is one atomic store, which any thread may do. T is Send and Sync by
// Message's supertraits.
unsafe impl<R: Borrow<Arc<Region>> + Send, T: Message + ?Sized> Send for Guarded<R, T> {}
// SAFETY: as above.
unsafe impl<R: Borrow<Arc<Region>> + Sync, T: Message + ?Sized> Sync for Guarded<R, T> {}

/// The value that a get wants.
///
/// # Examples
/// ```
/// use io_shared_core::slot::Wanted;
/// use io_shared_core::{Kind, Location, Message, Name, Slot, Spec, Which};
/// # fn main() -> io_shared_core::Result<()> {
/// # let location = Location::from(Name::new(&format!("/doc-wanted-{}", std::process::id()))?);
/// let spec = Spec { schema: Some(u64::schema()), capacity: Some(8), ..Spec::default() };
/// let mut producer = Slot::producing(&location, &spec)?;
/// let mut consumer = Slot::consuming(&location, None, &spec)?;
/// producer.put_tagged(&5, 41)?;
/// let wanted = |tag| Wanted { tag: Some(tag), ..Which::Unseen.into() };
/// assert!(consumer.acquire::<u64>(wanted(42), |_, nothing| nothing.map(|()| false))?.is_none());
/// producer.put_tagged(&6, 42)?;
/// let found = consumer.acquire::<u64>(wanted(42), |_, nothing| nothing.map(|()| false))?;
/// let owned = found.expect("it was put").into_owned();
/// assert_eq!(*owned, 6);
/// consumer.take_back(owned);
/// # io_shared_core::remove(&location, Kind::Channel)
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Which one.
    pub which: Which,
    /// Only one with this tag. One with another counts as seen, and no more.
    pub tag: Option<u64>,
    /// Whether the caller has just looked and found nothing. What is found now was put since, so
    /// its stamp tells the time, and the clock is not read.
    pub waited: bool,
}

impl From<Which> for Wanted {
    #[inline]
    fn from(which: Which) -> Self {
        Self { which, tag: None, waited: false }
    }
}

impl Slot<Consumer> {
    /// Acquires the value that is wanted. If there is none, or an error occurs, this calls `again`,
    /// which decides: `true` tries again, `false` returns no value, and an error is returned.
    /// `again` may wait, and may replace this slot by another.
    ///
    /// # Errors
    /// The error that `again` returns. It is called with
    /// [`AlreadyHeld`](crate::ErrorKind::AlreadyHeld), [`Busy`](crate::ErrorKind::Busy),
    /// [`Replaced`](crate::ErrorKind::Replaced), [`ForkedHandle`](crate::ErrorKind::ForkedHandle),
    /// [`NoMemory`](crate::ErrorKind::NoMemory), [`Corrupt`](crate::ErrorKind::Corrupt) (also if no
    /// `T` can have the value's length), or [`BadValue`](crate::ErrorKind::BadValue).
    // Always inlined: otherwise each get makes a call that returns a guard, 10 ns of a hand-over.
    #[inline(always)]
    pub fn acquire<T: Message + ?Sized>(
        &mut self,
        wanted: impl Into<Wanted>,
        mut again: impl FnMut(&mut Self, Result<()>) -> Result<bool>,
    ) -> Result<Option<Guard<'_, T>>> {
        let Wanted { which, tag, mut waited } = wanted.into();
        loop {
            let nothing = match self.try_acquire::<T>(which, waited) {
                Ok(Some(value)) if tag.is_some_and(|tag| value.tag != tag) => Ok(()),
                Ok(Some(value)) => {
                    let guarded = Guarded { region: &self.region, value };
                    return Ok(Some(Guard { guarded, consumer: &mut self.side }));
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

    /// Drops a guard of this slot, and keeps for the next one what both need: two atomic
    /// instructions are saved with each, 10 ns.
    ///
    /// # Examples
    /// [`Wanted`] has one.
    #[inline]
    pub fn take_back<T: Message + ?Sized>(&mut self, guard: OwnedGuard<T>) {
        let guard = ManuallyDrop::new(guard);
        guard.release();
        // SAFETY: the guard is neither used nor dropped from here on, and of its fields only this
        // one needs a drop.
        let region = unsafe { ptr::read(&raw const guard.guarded.region) };
        // Not one that the channel had before it grew: its memory goes with its last user.
        if Arc::ptr_eq(&region, &self.region) {
            self.side.spare = Some(region);
        }
    }
}

impl<R: Borrow<Arc<Region>>, T: Message + ?Sized> Guarded<R, T> {
    #[inline]
    fn region(&self) -> &Region {
        self.region.borrow()
    }

    /// 0 if the value has no stamp, or one of another clock.
    fn stamp(&self) -> u64 {
        let Value { sequence, stamp, .. } = self.value;
        self.region().own_stamp(sequence, stamp)
    }
}

impl<T: Message + ?Sized> Drop for OwnedGuard<T> {
    #[inline]
    fn drop(&mut self) {
        self.release();
    }
}

impl<T: Message + ?Sized> Guard<'_, T> {
    /// Copies the value to private memory, word by word and without a reference to shared memory. A
    /// writer that breaks the protocol may tear the copy, but cannot change it afterwards.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported) if `T` is aligned to more than 64,
    /// [`BadValue`](crate::ErrorKind::BadValue) if a writer that breaks the protocol has made the
    /// bytes invalid since the get, [`System`](crate::ErrorKind::System) if there is no memory for
    /// a copy.
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
        let Guarded { region, value, .. } = &self.guarded;
        match value.hazard {
            // The number of elements is the guard's own, and is not read from shared memory again.
            Some(Hazard { buffer, .. }) => {
                Copied::of_buffer(region, buffer, Known::of(value), self.elements())
            }
            None => Copied::of_inline(region, &self.inline(), Known::of(value)),
        }
    }

    /// Whether the message may have bytes that are no value of its type.
    pub(crate) fn has_checks(&self) -> bool {
        T::CHECKED || self.guarded.region.has_checks()
    }

    /// How many pieces of this value are among those that were read ahead in its region.
    pub(crate) fn pieces_ahead(&self, ahead: impl FnOnce(&Arc<Region>) -> Option<Ahead>) -> u64 {
        let Guarded { region, value } = &self.guarded;
        match (value.hazard, ahead(region)) {
            (Some(Hazard { buffer, filling, .. }), Some(ahead)) => ahead.of(filling, buffer),
            _ => 0,
        }
    }

    /// The slot's copy of an inline value.
    #[inline]
    fn inline(&self) -> InlineWords {
        match self.guarded.value {
            Value { hazard: Some(_), .. } => InlineWords::default(),
            // Volatile, so that it is read in words, as it was written a moment ago: a wider read
            // would wait until they have left the store buffer.
            Value { message, .. } => {
                // SAFETY: the message points to the slot's copy, which is borrowed with it.
                let copy = unsafe { &*message.cast::<InlineWords>() };
                copy.each_ref().map(|word| {
                    // SAFETY: it is a reference.
                    unsafe { ptr::from_ref(word).read_volatile() }
                })
            }
        }
    }

    #[inline]
    fn get(&self) -> &T {
        // SAFETY: every bit pattern is a T, or the bytes were checked when the value was taken. In
        // a buffer, `message_in` has checked alignment and length against the layout, which the
        // mapping covers, and until the entry is released the protocol keeps the producer from
        // writing there. The slot's copy has room for a T that `fits_inline`, and nobody writes
        // there while the slot is borrowed, which it is while this guard lives.
        unsafe { &*self.guarded.value.message }
    }

    /// Turns this into a guard that borrows nothing. At most as many may live at once as the
    /// channel has `.holds(n)`, and any number of inline values (see [`Guard`]).
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
    #[inline]
    pub fn into_owned(self) -> OwnedGuard<T> {
        let inline = self.inline();
        let Self { guarded: Guarded { region, value }, consumer } = self;
        let Consumer { protocol, spare, .. } = consumer;
        if let Some(Hazard { entry, .. }) = value.hazard {
            protocol.part_with(entry);
        }
        let spare = spare.take().filter(|spare| Arc::ptr_eq(spare, region));
        let region = spare.unwrap_or_else(|| Arc::clone(region));
        OwnedGuard { guarded: Guarded { region, value }, seat: protocol.seat(), inline }
    }
}

impl<T: Message + ?Sized> OwnedGuard<T> {
    /// Lets the producer have the buffer. From here on the value is not read.
    #[inline]
    fn release(&self) {
        let Guarded { region, value } = &self.guarded;
        // An inherited guard is the parent's.
        if let (Some(Hazard { entry, .. }), false) = (value.hazard, region.is_forked()) {
            // If the slot is another consumer's by now, so is the entry; the next get says so.
            self.seat.release(&**region, entry);
        }
    }

    #[inline]
    fn get(&self) -> &T {
        let value = &self.guarded.value;
        let message = match value.hazard {
            Some(_) => value.message,
            None => T::from_raw_parts(self.inline.as_ptr().cast_mut().cast(), 0),
        };
        // SAFETY: as in the guard that this was, and the copy is borrowed here.
        unsafe { &*message }
    }
}

macro_rules! guard {
    ($Guard:ident, $impl:tt, $Self:ty) => {
        guard!(@ $Guard, $impl, $Self);
    };
    (@ $Guard:ident, [$($generics:tt)*], $Self:ty) => {
        impl<$($generics)*> $Self {
            /// The value's number: 1 for the first value of the channel, and never used again.
            /// [`Guard`] has an example.
            pub fn seq(&self) -> u64 {
                self.guarded.value.sequence
            }

            /// The number that its producer gave it; 0 if it gave none.
            ///
            /// # Examples
            /// ```
            /// # use io_shared_channel as io_shared;
            /// # fn main() -> io_shared::Result<()> {
            /// # let name = &format!("/doc-tag-{}", std::process::id());
            /// # let mut labels = io_shared::producer::<f64>(name)?;
            /// # let mut consumer = io_shared::consumer::<f64>(name)?;
            /// labels.put_tagged(&0.5, 42)?; // the `seq` of what it was made from
            /// assert_eq!(consumer.get()?.tag(), 42);
            /// # io_shared::remove(name)
            /// # }
            /// ```
            pub fn tag(&self) -> u64 {
                self.guarded.value.tag
            }

            /// How many values were put between the last one that this consumer has seen and this
            /// one.
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
            /// speed.put(&14.0)?; // never seen
            /// speed.put(&14.1)?;
            /// assert_eq!(consumer.get()?.missed(), 1);
            /// # io_shared::Channel::remove(name)
            /// # }
            /// ```
            pub fn missed(&self) -> u64 {
                self.guarded.value.missed
            }

            /// The time since the put. `None` if the value has no stamp, or one of another clock:
            /// from before this boot, from another time namespace, or later than now.
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
                self.guarded.region().name()
            }

            /// CLOCK_MONOTONIC at the put, in nanoseconds, exact to 2 us: closer stamps of two
            /// processes may be in either order. 0 if the value has no stamp, or one from the clock
            /// of another boot or time namespace.
            ///
            /// # Examples
            /// ```
            /// # use io_shared_channel as io_shared;
            /// # fn main() -> io_shared::Result<()> {
            /// # let name = &format!("/doc-stamp-{}", std::process::id());
            /// # use std::time::Duration;
            /// # let mut speed = io_shared::producer::<f64>(name)?;
            /// # let mut consumer = io_shared::consumer::<f64>(name)?;
            /// speed.put(&13.9)?;
            /// let first = consumer.get()?.stamp();
            /// speed.put(&14.0)?;
            /// let apart = Duration::from_nanos(consumer.get()?.stamp() - first);
            /// # assert!(first > 0 && apart < Duration::from_secs(60));
            /// # io_shared::remove(name)
            /// # }
            /// ```
            pub fn stamp(&self) -> u64 {
                self.guarded.stamp()
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
                    .field("name", &self.guarded.region().name())
                    .field("seq", &self.seq())
                    .field("value", &Shown(&**self))
                    .finish_non_exhaustive()
            }
        }
    };
}

guard!(Guard, ['a, T: Message + ?Sized], Guard<'a, T>);
guard!(OwnedGuard, [T: Message + ?Sized], OwnedGuard<T>);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, Location, Name, Spec, remove};

    #[test]
    fn a_guard_that_is_taken_back_frees_its_buffer_and_serves_one_of_its_region_only() {
        let name = format!("/guard-taken-back-{}", std::process::id());
        let location = Location::from(Name::new(&name).unwrap());
        let spec = Spec { schema: Some(<[u8]>::schema()), capacity: Some(100), ..Spec::default() };
        let mut producer = Slot::producing(&location, &spec).unwrap();
        let open = || Slot::consuming(&location, None, &spec).unwrap();
        let (mut one, mut other) = (open(), open());
        let get = |consumer: &mut Slot<Consumer>| {
            let guard =
                consumer.acquire::<[u8]>(Which::Unseen, |_, nothing| nothing.map(|()| false));
            guard.unwrap().unwrap().into_owned()
        };
        for turn in 0..20_u8 {
            producer.put::<[u8]>(&[turn; 100]).unwrap();
            // One value may be held, so the one before is not held any more.
            let (ones, others) = (get(&mut one), get(&mut other));
            assert_eq!((&*ones, &*others), (&[turn; 100][..], &[turn; 100][..]));
            one.take_back(others);
            other.take_back(ones);
        }
        let region = Arc::clone(&one.region);
        drop(one);
        other.side.spare = Some(Arc::clone(&region));
        producer.put::<[u8]>(&[20; 100]).unwrap();
        let guard = get(&mut other);
        assert!(Arc::ptr_eq(&guard.guarded.region, &other.region));
        assert_eq!(Arc::strong_count(&region), 1, "what others have kept is let go");

        // A channel that grew frees its old memory.
        let old = Arc::clone(&other.region);
        producer.grow(1000).unwrap();
        producer.put::<[u8]>(&[21; 1000]).unwrap();
        let spec = Spec { comes_from: Some(other.place()), ..spec };
        other.replace_by(Slot::consuming(&location, None, &spec).unwrap());
        other.take_back(guard);
        producer.check_around().unwrap();
        assert_eq!(Arc::strong_count(&old), 1, "nobody uses the region that it had before");
        remove(&location, Kind::Channel).unwrap();
    }
}
