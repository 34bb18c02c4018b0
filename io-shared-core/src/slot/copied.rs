//! Private copies of a value: for observers, and for consumers that do not trust the writer.

use std::collections::TryReserveError;
use std::fmt;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Deref;
use std::slice;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use nix::errno::Errno;

use super::blocks::{Block, Blocks};
use super::value::Value;
use super::{Consumer, Observer, Slot};
use crate::error::{Error, ErrorKind, Holder, Result};
use crate::message::Message;
use crate::message::shown::Shown;
use crate::os::clock;
use crate::os::clock_id::Clock;
use crate::os::copy;
use crate::protocol::{self, Fault, MAX_INLINE_WORDS, Watched, Words};
use crate::region::{self, Location, Region, Role, Side, Spec};

/// A checked copy of a value: whole when it was made, and unchanged since.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-copied-type-{}", std::process::id());
/// # let mut labels = io_shared::producer::<[u8; 4]>(name)?;
/// use io_shared::Channel;
/// labels.put_tagged(&[1, 0, 0, 1], 42)?;
/// let mut observer = Channel::<[u8; 4]>::named(name).observer()?;
/// let copy = observer.copy()?.expect("a value was put");
/// labels.put(&[0; 4])?; // does not change the copy
/// assert_eq!((*copy, copy.seq(), copy.tag()), ([1, 0, 0, 1], 1, 42));
/// # io_shared::remove(name)
/// # }
/// ```
pub struct Copied<T: Message + ?Sized> {
    seq: u64,
    stamp: u64,
    tag: u64,
    missed: u64,
    /// The clock that the stamp was read from.
    clock: Clock,
    /// The message as it lies in memory, padded with zeros.
    blocks: Blocks,
    elements: usize,
    message: PhantomData<fn() -> Box<T>>,
}

/// What is known of a value besides its message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) seq: u64,
    pub(super) stamp: u64,
    pub(super) tag: u64,
    pub(super) missed: u64,
}

impl Known {
    pub(super) fn of<T: Message + ?Sized>(value: &Value<T>) -> Self {
        let Value { sequence: seq, stamp, tag, missed, .. } = *value;
        Self { seq, stamp, tag, missed }
    }
}

impl<T: Message + ?Sized> Copied<T> {
    /// The value's number: 1 for the first value of the channel, and never used again. [`Copied`]
    /// has an example.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The number that its producer gave it; 0 if it gave none. [`Copied`] has an example.
    pub fn tag(&self) -> u64 {
        self.tag
    }

    /// How many values were put between the one before it and this one, and are not there. Before
    /// it in `since` of an observer or a consumer, or received before it by the consumer whose
    /// guard was copied. 0 for any other copy.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-copied-missed-{}", std::process::id());
    /// # let mut speed = io_shared::producer::<f64>(name)?;
    /// # let mut consumer = io_shared::consumer::<f64>(name)?;
    /// speed.put(&13.9)?;
    /// speed.put(&14.0)?; // the newest wins
    /// assert_eq!(consumer.get()?.to_copy()?.missed(), 1);
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// The time since the put. `None` if the value has no stamp, or one of another clock: from
    /// before this boot, from another time namespace, or later than now.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-copied-age-{}", std::process::id());
    /// # use std::time::Duration;
    /// # io_shared::producer::<f64>(name)?.put(&13.9)?;
    /// # let mut observer = io_shared::Channel::<f64>::named(name).observer()?;
    /// let copy = observer.copy()?.expect("a value was put");
    /// assert!(copy.age().is_some_and(|age| age < Duration::from_secs(60)));
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn age(&self) -> Option<Duration> {
        clock::since(self.stamp())
    }

    /// CLOCK_MONOTONIC at the put, in nanoseconds, exact to 2 us. 0 if the value has no stamp, or
    /// one from the clock of another boot or time namespace.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-copied-stamp-{}", std::process::id());
    /// # use std::time::Duration;
    /// # let mut speed = io_shared::producer::<f64>(name)?;
    /// # let mut consumer = io_shared::consumer::<f64>(name)?;
    /// speed.put(&13.9)?;
    /// let first = consumer.get()?.to_copy()?;
    /// speed.put(&14.0)?;
    /// let second = consumer.get()?.to_copy()?;
    /// let apart = Duration::from_nanos(second.stamp() - first.stamp());
    /// # assert!(first.stamp() > 0 && apart < Duration::from_secs(60));
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn stamp(&self) -> u64 {
        if self.clock.is_still_here() { self.stamp } else { 0 }
    }
}

// Not derived: that would require T: Clone, and only bytes are cloned.
impl<T: Message + ?Sized> Clone for Copied<T> {
    fn clone(&self) -> Self {
        let Self { seq, stamp, tag, missed, clock, elements, message, .. } = *self;
        Self { seq, stamp, tag, missed, clock, blocks: self.blocks.clone(), elements, message }
    }
}

impl<T: Message + ?Sized> Deref for Copied<T> {
    type Target = T;

    fn deref(&self) -> &T {
        let start = self.blocks.as_ptr().cast();
        // SAFETY: whoever made the copy has checked that the blocks span the message, are aligned
        // for it and are a T; and the blocks are borrowed for as long as the
        // message.
        unsafe { &*T::from_raw_parts(start, self.elements) }
    }
}

impl<T: Message + ?Sized> fmt::Debug for Copied<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Copied")
            .field("seq", &self.seq)
            .field("value", &Shown(&**self))
            .finish_non_exhaustive()
    }
}

impl Slot<Observer> {
    /// Opens the slot at `location` to observe it. Read permission suffices.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::Mismatch`], [`ErrorKind::NotARegion`],
    /// [`ErrorKind::Corrupt`], [`ErrorKind::System`].
    pub fn observing(location: &Location, spec: &Spec) -> Result<Self> {
        let attached = region::attach(location, &Role::Observer, spec)?;
        match attached.side {
            Side::Observer => Ok(Self::new(attached.region, Observer(()))),
            _ => Err(location.error(ErrorKind::NotFound)),
        }
    }

    /// The number of the newest value, without a copy of it; 0 if there is none yet.
    ///
    /// # Errors
    /// [`ErrorKind::Replaced`], [`ErrorKind::ForkedHandle`].
    pub fn newest(&self) -> Result<u64> {
        self.check()?;
        let region = &*self.region;
        if region.is_copied_up() {
            return Err(region.error(ErrorKind::Replaced));
        }
        // Relaxed: only the number itself is used.
        let sequence = protocol::Latest::unpack(region.latest().load(Relaxed)).sequence;
        Ok(if sequence <= region.lost() { 0 } else { sequence })
    }

    /// Who has the producer's role now, as its block says; `None` if nobody has.
    ///
    /// # Errors
    /// [`ErrorKind::ForkedHandle`], [`ErrorKind::System`].
    pub fn producer(&self) -> Result<Option<Holder>> {
        self.check_fork()?;
        self.region.producer()
    }

    /// Copies the latest value; `None` if there is none yet.
    ///
    /// # Errors
    /// [`ErrorKind::Busy`] if the producer kept refilling the buffer during the copy,
    /// [`ErrorKind::Replaced`], [`ErrorKind::ForkedHandle`], [`ErrorKind::Corrupt`] (also if no `T`
    /// can have the value's length), [`ErrorKind::BadValue`] if a `bool` or an enum in it has no
    /// such value, [`ErrorKind::Unsupported`] if `T` is aligned to more than 64,
    /// [`ErrorKind::NoMemory`] if there is no address space for the value's buffer,
    /// [`ErrorKind::System`] if there is no memory for a copy.
    pub fn copy<T: Message + ?Sized>(&mut self) -> Result<Option<Copied<T>>> {
        self.check_copying::<T>()?;
        // Before the value is read: whoever judges a value does so before it sets this flag.
        match self.region.may_be_observed() {
            true => self.copy_watched(|region, copy| protocol::watch(region, copy)),
            false => self.copy_sealed(),
        }
    }

    /// Copies the latest value, of which nobody has said since a reboot whether it is whole.
    pub(super) fn copy_sealed<T: Message + ?Sized>(&self) -> Result<Option<Copied<T>>> {
        let region = &*self.region;
        let mut sealed = 0;
        let found = protocol::watch(region, |buffer, length| {
            let (elements, padded) = shape_of::<T>(region, length)?;
            sealed = region.sum_in(buffer);
            // The checksum is the whole message's.
            let blocks = copy_payload(region, buffer, length, padded.max(length as usize));
            Some((blocks, elements, length))
        });
        // After a fault: nobody is refilling it, so a reboot tore it.
        let Ok(Some(Watched { sequence: seq, stamp, tag, copied })) = found else {
            return Ok(None);
        };
        let (blocks, elements, length) = copied;
        let blocks = blocks.map_err(|_| no_memory(region))?;
        let words = || blocks.iter().flat_map(|block| block.0).take(length.div_ceil(8) as usize);
        if region::sum([seq, tag], length, words()) != sealed {
            return Ok(None);
        }
        check_copy::<T>(region, &blocks, region.own_length(length) as usize)?;
        Ok(Some(Copied::new(region, Known { seq, stamp, tag, missed: 0 }, blocks, elements)))
    }

    /// Copies the oldest value after number `seq` that lies whole: see
    /// [`Slot<Consumer>::copy_after`].
    ///
    /// # Errors
    /// The errors of [`copy`](Self::copy).
    pub fn copy_after<T: Message + ?Sized>(&mut self, seq: u64) -> Result<Option<Copied<T>>> {
        self.check_copying::<T>()?;
        match self.region.may_be_observed() {
            true => self.copy_oldest(seq),
            false => Ok(self.copy_sealed()?.filter(|copy| copy.seq > seq)),
        }
    }

    /// Copies the newest value with this tag that lies whole.
    ///
    /// # Errors
    /// The errors of [`copy`](Self::copy).
    pub fn copy_tagged<T: Message + ?Sized>(&mut self, tag: u64) -> Result<Option<Copied<T>>> {
        self.check_copying::<T>()?;
        match self.region.may_be_observed() {
            true => self.copy_newest_tagged(tag),
            false => Ok(self.copy_sealed()?.filter(|copy| copy.tag == tag)),
        }
    }
}

impl Slot<Consumer> {
    /// Copies the oldest value after number `seq` that lies whole, whether or not this consumer has
    /// received it; it does not count as received. `None`: there is none. A number that the channel
    /// has not reached is one of another channel, which this one has replaced: then every value
    /// counts.
    ///
    /// # Errors
    /// The errors of [`Slot<Observer>::copy`].
    pub fn copy_after<T: Message + ?Sized>(&mut self, seq: u64) -> Result<Option<Copied<T>>> {
        self.check_copying::<T>()?;
        self.copy_oldest(seq)
    }

    /// Copies the newest value with this tag that lies whole, as [`copy_after`](Self::copy_after)
    /// does.
    ///
    /// # Errors
    /// The errors of [`Slot<Observer>::copy`].
    pub fn copy_tagged<T: Message + ?Sized>(&mut self, tag: u64) -> Result<Option<Copied<T>>> {
        self.check_copying::<T>()?;
        self.copy_newest_tagged(tag)
    }
}

/// A copy of a message: its blocks, how many elements it has, and its length in bytes.
type Copy = (std::result::Result<Vec<Block>, TryReserveError>, usize, usize);

impl<S> Slot<S> {
    /// Looks whether a `T` can be copied from here now.
    pub(super) fn check_copying<T: Message + ?Sized>(&self) -> Result<()> {
        self.check_fork()?;
        self.check_or_look()?;
        if self.region.is_copied_up() {
            return Err(self.region.error(ErrorKind::Replaced));
        }
        check_alignment::<T>(&self.region)
    }

    fn copy_oldest<T: Message + ?Sized>(&self, seq: u64) -> Result<Option<Copied<T>>> {
        let first = self.region.first_of_history();
        let copy = self
            .copy_watched::<T>(|region, copy| protocol::oldest_after(region, seq, first, copy))?;
        Ok(copy.map(|copy| {
            let before = if copy.seq > seq { seq } else { 0 };
            Copied { missed: copy.seq - before - 1, ..copy }
        }))
    }

    fn copy_newest_tagged<T: Message + ?Sized>(&self, tag: u64) -> Result<Option<Copied<T>>> {
        let first = self.region.first_of_history();
        self.copy_watched(|region, copy| protocol::tagged(region, tag, first, copy))
    }

    /// Copies the value that `find` chooses.
    fn copy_watched<T: Message + ?Sized>(
        &self,
        find: impl FnOnce(
            &Region,
            &mut dyn FnMut(usize, u64) -> Option<Copy>,
        ) -> std::result::Result<Option<Watched<Copy>>, Fault>,
    ) -> Result<Option<Copied<T>>> {
        let region = &*self.region;
        let mut copy = |buffer, length| {
            let (elements, padded) = shape_of::<T>(region, length)?;
            let own = region.own_length(length);
            Some((copy_payload(region, buffer, own, padded), elements, own as usize))
        };
        let found = find(region, &mut copy).map_err(|fault| region.fault(fault))?;
        let Some(Watched { sequence: seq, stamp, tag, copied }) = found else { return Ok(None) };
        let (blocks, elements, length) = copied;
        let blocks = blocks.map_err(|_| no_memory(region))?;
        check_copy::<T>(region, &blocks, length)?;
        Ok(Some(Copied::new(region, Known { seq, stamp, tag, missed: 0 }, blocks, elements)))
    }
}

/// How many elements a `T` of this length in bytes has in the channel, and the bytes that it takes
/// in memory; `None`: no `T` has that length.
fn shape_of<T: Message + ?Sized>(region: &Region, length: u64) -> Option<(usize, usize)> {
    let own = region.own_length(length);
    let fits = length <= region.layout().capacity && region.allows::<T>(own);
    let elements = T::SHAPE.elements_in(own).filter(|_| fits)?;
    Some((elements, T::SHAPE.padded_len_of(elements)?))
}

impl<T: Message + ?Sized> Copied<T> {
    pub(super) fn new(
        region: &Region,
        known: Known,
        blocks: impl Into<Blocks>,
        elements: usize,
    ) -> Self {
        let Known { seq, stamp, tag, missed } = known;
        let (stamp, clock) = (region.own_stamp(seq, stamp), region.clock());
        Self {
            seq,
            stamp,
            tag,
            missed,
            clock,
            blocks: blocks.into(),
            elements,
            message: PhantomData,
        }
    }
}

impl<T: Message + ?Sized> Copied<T> {
    /// Copies the value in a protected buffer, which was found to have `elements`.
    pub(super) fn of_buffer(
        region: &Region,
        buffer: usize,
        known: Known,
        elements: usize,
    ) -> Result<Self> {
        check_alignment::<T>(region)?;
        let lengths = T::SHAPE.wire_len_of(elements).zip(T::SHAPE.padded_len_of(elements));
        let Some((length, padded)) = lengths.filter(|&(_, p)| p as u64 <= region.payload_size())
        else {
            return Err(Error::corrupt(region.name(), "a value is longer than its buffer"));
        };
        let blocks = copy_payload(region, buffer, length as u64, padded);
        let blocks = blocks.map_err(|_| no_memory(region))?;
        check_copy::<T>(region, &blocks, length)?;
        Ok(Self::new(region, known, blocks, elements))
    }

    /// Copies an inline value, which is sized and no larger than these words.
    pub(super) fn of_inline(
        region: &Region,
        words: &[u64; MAX_INLINE_WORDS],
        known: Known,
    ) -> Result<Self> {
        check_alignment::<T>(region)?;
        let mut blocks = Vec::new();
        blocks.try_reserve_exact(1).map_err(|_| no_memory(region))?;
        let [a, b, c, d] = *words;
        blocks.push(Block([a, b, c, d, 0, 0, 0, 0]));
        check_copy::<T>(region, &blocks, T::SHAPE.size)?;
        Ok(Self::new(region, known, blocks, 0))
    }
}

#[cold]
pub(super) fn no_memory(region: &Region) -> Error {
    Error::system(region.name(), "malloc", Errno::ENOMEM)
}

fn check_alignment<T: Message + ?Sized>(region: &Region) -> Result<()> {
    // The region's alignment too: what is copied as bytes may be read as its own type.
    let align = T::SHAPE.align.max(region.layout().align as usize);
    if align <= align_of::<Block>() {
        return Ok(());
    }
    let what = "a copy of a message that is aligned to more than 64".to_owned();
    Err(region.error(ErrorKind::Unsupported { what }))
}

/// Whether the first `length` bytes of a copy, which nobody else can change, are a `T`.
fn check_copy<T: Message + ?Sized>(region: &Region, blocks: &[Block], length: usize) -> Result<()> {
    // SAFETY: the blocks span the message, and are borrowed.
    let checked = unsafe { region.check_message::<T>(blocks.as_ptr().cast(), length) };
    checked.map_err(|invalid| region.bad_value_found::<T>(invalid))
}

/// Copies `length` bytes of a payload that its producer may be writing. Callers use the copy only
/// if the buffer's sequence is the same before and after, or if the buffer is protected.
fn copy_payload(
    region: &Region,
    buffer: usize,
    length: u64,
    padded: usize,
) -> std::result::Result<Vec<Block>, TryReserveError> {
    // Not `vec!`: in a file with holes a message may be larger than the memory.
    let count = padded.div_ceil(size_of::<Block>());
    let mut blocks = Vec::new();
    blocks.try_reserve_exact(count)?;
    blocks.resize(count, Block([0; 8]));
    let (to, length) = (blocks.as_mut_ptr().cast(), length.min(padded as u64) as usize);
    // SAFETY: `length` is at most what the blocks span.
    let bytes = unsafe { slice::from_raw_parts_mut::<MaybeUninit<u8>>(to, length) };
    // SAFETY: `length` is at most the capacity, which lies within the buffer; it is mapped.
    unsafe { copy::shared(region.payload(buffer), bytes) };
    Ok(blocks)
}
