//! Copies of the latest value for those who take no part.

use std::collections::TryReserveError;
use std::fmt;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Deref;
use std::slice;
use std::time::Duration;

use nix::errno::Errno;

use super::{Observer, Slot};
use crate::error::{Error, ErrorKind, Result};
use crate::message::Message;
use crate::message::shown::Shown;
use crate::os::clock::{self, Clock};
use crate::os::copy;
use crate::protocol::{self, MAX_INLINE_WORDS};
use crate::region::Location;
use crate::region::{self, Region, Role, Side, Spec};

/// A checked copy of a value.
pub struct Copied<T: Message + ?Sized> {
    seq: u64,
    stamp: u64,
    /// By which the stamp is told.
    clock: Clock,
    /// The message as it lies in memory, filled up with zeros.
    lines: Vec<Line>,
    elements: usize,
    message: PhantomData<fn() -> Box<T>>,
}

/// A piece of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(64))]
struct Line([u64; 8]);

impl<T: Message + ?Sized> Copied<T> {
    /// The value's number: 1 for the first of the channel, never given again.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The time since the put; `None` if it was not stamped, or by another clock: before this boot, in
    /// another time namespace, or later than now.
    pub fn age(&self) -> Option<Duration> {
        clock::since(self.stamp())
    }

    /// CLOCK_MONOTONIC at the put in nanoseconds, to two microseconds; 0 if it was not stamped, or by the
    /// clock of another boot or time namespace.
    pub fn stamp(&self) -> u64 {
        if self.clock.is_still_here() { self.stamp } else { 0 }
    }
}

// Not derived: that would ask for a T that can be cloned, and only its bytes are.
impl<T: Message + ?Sized> Clone for Copied<T> {
    fn clone(&self) -> Self {
        let Self { seq, stamp, clock, elements, message, .. } = *self;
        Self { seq, stamp, clock, lines: self.lines.clone(), elements, message }
    }
}

impl<T: Message + ?Sized> Deref for Copied<T> {
    type Target = T;

    fn deref(&self) -> &T {
        let start = self.lines.as_ptr().cast();
        // SAFETY: `copy` has seen to it that the lines span the message and are aligned for it;
        // every bit pattern is a T, and the lines are borrowed for as long as the message.
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
    /// Opens the slot of that name to look on. Read permission suffices.
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

    /// Copies the latest value; `None` if there is none yet.
    ///
    /// # Errors
    /// [`ErrorKind::Busy`] if the producer kept refilling what was being copied,
    /// [`ErrorKind::Replaced`], [`ErrorKind::ForkedHandle`], [`ErrorKind::Corrupt`] (also where the value's length is none of
    /// `T`'s), [`ErrorKind::Unsupported`] if `T` is aligned to more than 64, [`ErrorKind::System`]
    /// if there is no memory for a copy.
    pub fn copy<T: Message + ?Sized>(&mut self) -> Result<Option<Copied<T>>> {
        self.check_fork()?;
        self.check_stale()?;
        self.look(clock::now_coarse())?;
        if self.region.is_copied_up() {
            return Err(self.region.error(ErrorKind::Replaced));
        }
        let region = &*self.region;
        check_alignment::<T>(region)?;
        // Before the value is looked for: who judges it does so before it says so.
        let is_judged = region.may_be_observed();
        let mut sealed = 0;
        let copied = protocol::watch(region, |buffer, length| {
            let elements = T::SHAPE
                .elements_in(length)
                .filter(|_| length <= self.capacity() && region.allows::<T>(length))?;
            let padded = T::SHAPE.padded_len_of(elements)?;
            sealed = if is_judged { 0 } else { region.sum_in(buffer) };
            Some((copy_lines(region, buffer, length, padded), (elements, length)))
        });
        let copied = match copied {
            Err(_) if !is_judged => None, // nobody refills it: a reboot tore it
            copied => copied.map_err(|fault| region.fault(fault))?,
        };
        let Some((seq, stamp, (lines, (elements, length)))) = copied else { return Ok(None) };
        let lines = lines.map_err(|_| no_memory(region))?;
        let words = || lines.iter().flat_map(|line| line.0).take(length.div_ceil(8) as usize);
        if !is_judged && region::sum(seq, length, words()) != sealed {
            return Ok(None);
        }
        let (stamp, clock) = (region.own_stamp(seq, stamp), region.clock());
        Ok(Some(Copied { seq, stamp, clock, lines, elements, message: PhantomData }))
    }
}

impl<T: Message + ?Sized> Copied<T> {
    /// Copies the value in a held buffer, which has been found to have `elements`.
    pub(super) fn of_held(
        region: &Region,
        buffer: usize,
        seq: u64,
        stamp: u64,
        elements: usize,
    ) -> Result<Self> {
        check_alignment::<T>(region)?;
        let lengths = T::SHAPE.wire_len_of(elements).zip(T::SHAPE.padded_len_of(elements));
        let Some((length, padded)) = lengths.filter(|&(_, p)| p as u64 <= region.payload_size())
        else {
            return Err(Error::corrupt(region.name(), "a value is longer than its buffer"));
        };
        let lines = copy_lines(region, buffer, length as u64, padded);
        let lines = lines.map_err(|_| no_memory(region))?;
        let (stamp, clock) = (region.own_stamp(seq, stamp), region.clock());
        Ok(Self { seq, stamp, clock, lines, elements, message: PhantomData })
    }

    /// A value that was carried, and so is sized and no larger than these words.
    pub(super) fn of_inline(
        region: &Region,
        words: &[u64; MAX_INLINE_WORDS],
        seq: u64,
        stamp: u64,
    ) -> Result<Self> {
        check_alignment::<T>(region)?;
        let mut lines = Vec::new();
        lines.try_reserve_exact(1).map_err(|_| no_memory(region))?;
        let [a, b, c, d, e] = *words;
        lines.push(Line([a, b, c, d, e, 0, 0, 0]));
        let (stamp, clock) = (region.own_stamp(seq, stamp), region.clock());
        Ok(Self { seq, stamp, clock, lines, elements: 0, message: PhantomData })
    }
}

#[cold]
fn no_memory(region: &Region) -> Error {
    Error::system(region.name(), "malloc", Errno::ENOMEM)
}

fn check_alignment<T: Message + ?Sized>(region: &Region) -> Result<()> {
    // The region's, too: what is copied as bytes may be read as what it is.
    let align = T::SHAPE.align.max(region.layout().align as usize);
    if align <= align_of::<Line>() {
        return Ok(());
    }
    let what = "a copy of a message that is aligned to more than 64".to_owned();
    Err(region.error(ErrorKind::Unsupported { what }))
}

/// Copies `length` bytes of a payload that its producer may be writing. What it gives is used only if
/// the buffer's sequence was the same before and after.
fn copy_lines(
    region: &Region,
    buffer: usize,
    length: u64,
    padded: usize,
) -> std::result::Result<Vec<Line>, TryReserveError> {
    // Not `vec!`: in a file with holes a message may be larger than any memory.
    let count = padded.div_ceil(size_of::<Line>());
    let mut lines = Vec::new();
    lines.try_reserve_exact(count)?;
    lines.resize(count, Line([0; 8]));
    let (to, length) = (lines.as_mut_ptr().cast(), length.min(padded as u64) as usize);
    // SAFETY: so many bytes are no more than the lines have.
    let bytes = unsafe { slice::from_raw_parts_mut::<MaybeUninit<u8>>(to, length) };
    // SAFETY: `length` is at most the capacity, which lies within the buffer; it is mapped.
    unsafe { copy::shared(region.payload(buffer), bytes) };
    Ok(lines)
}
