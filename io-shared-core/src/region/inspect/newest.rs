//! A channel's newest value, read from its file.
//!
//! A buffer's header has the number of the value in it, and 0 while it is written. A look reads
//! `latest`, then the buffer, then the number again: only if that is still the one that `latest`
//! said, the value in between is whole. A look that reads `latest` and meets another number tries
//! again.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering::Acquire;
use std::sync::atomic::fence;
use std::time::Duration;

use super::super::blocks::{self, NotedClock};
use super::super::layout::{self, Layout};
use crate::os::clock_id::Clock;
use crate::protocol::{Latest, MOST_BUFFERS};

/// How often a value is looked at again that was put meanwhile.
const TRIES: usize = 16;

/// How long after its newest value a channel has a rate: this many periods and a second.
const PERIODS: f64 = 5.0;

/// What is known of a channel's newest value.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # use io_shared_core::{Location, Name, inspect};
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-newest-{}", std::process::id());
/// # let mut speed = io_shared::producer::<f64>(name)?;
/// speed.put_tagged(&13.9, 42)?;
/// let reader = inspect::Reader::open(&Location::from(Name::new(name)?))?;
/// let newest = reader.newest()?.expect("a value was put");
/// assert_eq!((newest.seq, newest.tag, newest.bytes), (1, 42, 8));
/// # io_shared::remove(name)
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Newest {
    /// Its number.
    pub seq: u64,
    /// CLOCK_MONOTONIC at the put, in nanoseconds; 0 if it has none of this boot's clock.
    pub stamp: u64,
    /// The tag that its producer gave it; 0 for none.
    pub tag: u64,
    /// How many bytes it has.
    pub bytes: u64,
}

impl Newest {
    /// The time since the put. `None` if it has no stamp of this boot's clock.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use io_shared_core::{Location, Name, inspect};
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-newest-age-{}", std::process::id());
    /// # let mut speed = io_shared::producer::<f64>(name)?;
    /// # speed.put(&13.9)?;
    /// let reader = inspect::Reader::open(&Location::from(Name::new(name)?))?;
    /// let newest = reader.newest()?.expect("a value was put");
    /// assert!(newest.age().is_some_and(|age| age.as_secs() < 60));
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn age(&self) -> Option<Duration> {
        crate::os::clock::since(self.stamp)
    }

    /// How many values per second were put from this one to `later`, a later value of the same
    /// channel. `None` if the two do not tell it: they are the same, or have no stamps.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use io_shared_core::{Location, Name, inspect};
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-newest-rate-{}", std::process::id());
    /// # let mut speed = io_shared::producer::<f64>(name)?;
    /// # speed.put(&13.9)?;
    /// let reader = inspect::Reader::open(&Location::from(Name::new(name)?))?;
    /// let first = reader.newest()?.expect("a value was put");
    /// # std::thread::sleep(std::time::Duration::from_millis(1));
    /// speed.put(&14.1)?;
    /// let second = reader.newest()?.expect("a value was put");
    /// assert!(first.rate_to(&second).is_some_and(|hz| hz > 0.0 && hz < 1000.0));
    /// assert_eq!(first.rate_to(&first), None);
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn rate_to(&self, later: &Newest) -> Option<f64> {
        let values = later.seq.checked_sub(self.seq).filter(|values| *values > 0)?;
        let nanos = later.stamp.checked_sub(self.stamp).filter(|nanos| *nanos > 0)?;
        (self.stamp > 0).then(|| values as f64 * 1e9 / nanos as f64)
    }
}

/// Why a value cannot be read.
#[derive(Debug)]
pub(super) enum Fault {
    /// It was put anew at every try.
    Busy,
    /// It is not in the file, or longer than it may be.
    Corrupt(&'static str),
    /// There is no memory for a copy of it.
    NoMemory,
}

/// The file ends before what was to be read.
pub(super) const CUT: Fault = Fault::Corrupt("it was cut to less than its values");

/// The values of a channel.
#[derive(Clone, Copy)]
pub(super) struct Values<'a> {
    pub(super) file: &'a File,
    pub(super) layout: &'a Layout,
}

impl Values<'_> {
    /// The number in `latest`. 0: nothing was ever put.
    pub(super) fn seq(&self) -> Result<u64, Fault> {
        Ok(self.latest()?.sequence)
    }

    /// Whether the file is as long as its buffers need.
    pub(super) fn check_length(&self) -> Result<(), Fault> {
        let expected = self.layout.size(self.clock()?.buffers);
        let there = self.file.metadata().map_err(|_| CUT)?.len();
        if there < expected { Err(CUT) } else { Ok(()) }
    }

    /// What is known of the newest value. `None`: there is none.
    pub(super) fn newest(&self) -> Result<Option<Newest>, Fault> {
        Ok(self.read(|_, _| Ok(()))?.map(|(newest, ())| newest))
    }

    /// The newest value, and what `copy` made of it (offset in the file, length in bytes). The
    /// bytes that it reads may be torn: it is called again then.
    pub(super) fn read<C>(
        &self,
        mut copy: impl FnMut(u64, usize) -> Result<C, Fault>,
    ) -> Result<Option<(Newest, C)>, Fault> {
        let mut misses = 0;
        for _ in 0..TRIES {
            let latest = self.latest()?;
            let clock = self.clock()?;
            if latest.sequence <= clock.lost {
                return Ok(None);
            }
            let Some(buffer) = self.buffer(latest.index as u64) else {
                return Err(Fault::Corrupt("`latest` names a buffer that it does not have"));
            };
            let [sequence, length, stamp, tag] = self.words(buffer)?;
            if sequence != latest.sequence {
                // While `latest` names a value, nobody writes to its buffer.
                fence(Acquire);
                misses += usize::from(self.latest()? == latest);
                continue;
            }
            let length_there = usize::try_from(length.min(self.layout.capacity)).unwrap_or(0);
            let copied = copy(buffer + u64::from(self.layout.payload_offset), length_there);
            // Acquire: a look that finds the same number comes after all that was read before.
            fence(Acquire);
            if self.words(buffer)?[0] != sequence {
                continue;
            }
            if length > self.layout.capacity {
                return Err(Fault::Corrupt("a message is longer than the capacity"));
            }
            let copied = copied?;
            let stamp = if clock.is_of(sequence) { stamp } else { 0 };
            return Ok(Some((Newest { seq: sequence, stamp, tag, bytes: length }, copied)));
        }
        Err(match misses {
            TRIES => Fault::Corrupt("`latest` names a value that is not in its buffer"),
            _ => Fault::Busy,
        })
    }

    /// What is known of the value with this number. `None`: it lies in no buffer.
    pub(super) fn find(&self, seq: u64) -> Result<Option<Newest>, Fault> {
        Ok(self.find_and(seq, |_, _| Ok(()))?.map(|(newest, ())| newest))
    }

    /// The value with this number, and what `copy` made of it, as [`read`](Self::read) does.
    pub(super) fn find_and<C>(
        &self,
        seq: u64,
        mut copy: impl FnMut(u64, usize) -> Result<C, Fault>,
    ) -> Result<Option<(Newest, C)>, Fault> {
        let clock = self.clock()?;
        let buffers = clock.buffers.min(MOST_BUFFERS);
        for buffer in (0..buffers).filter_map(|number| self.buffer(number)) {
            let words = self.words(buffer)?;
            let [found, bytes, stamp, tag] = words;
            if found != seq || seq <= clock.lost || bytes > self.layout.capacity {
                continue;
            }
            let length = usize::try_from(bytes).unwrap_or(0);
            let copied = copy(buffer + u64::from(self.layout.payload_offset), length);
            // Acquire: a look that finds the same words comes after all that was read before.
            fence(Acquire);
            if self.words(buffer)? == words {
                let stamp = if clock.is_of(seq) { stamp } else { 0 };
                return Ok(Some((Newest { seq, stamp, tag, bytes }, copied?)));
            }
        }
        Ok(None)
    }

    /// Values per second, by the newest two values that lie whole in the buffers; `None` if there
    /// are no two, or if they say nothing about now because both are old.
    pub(super) fn rate(&self) -> Option<f64> {
        let newest = self.newest().ok()??;
        let clock = self.clock().ok()?;
        let others = (0..clock.buffers.min(MOST_BUFFERS)).filter_map(|buffer| {
            let [seq, bytes, stamp, tag] = self.words(self.buffer(buffer)?).ok()?;
            let counts = seq > 0 && seq < newest.seq && clock.is_of(seq);
            counts.then_some(Newest { seq, stamp, tag, bytes })
        });
        let before = others.max_by_key(|other| other.seq)?;
        let rate = before.rate_to(&newest)?;
        let recent = Duration::try_from_secs_f64(1.0 + PERIODS / rate).ok()?;
        (newest.age()? <= recent).then_some(rate)
    }

    fn latest(&self) -> Result<Latest, Fault> {
        let [word] = self.read_words(layout::LATEST)?;
        // Acquire: what is read from now on is at least as new as this word.
        fence(Acquire);
        Ok(Latest::unpack(word))
    }

    /// Where a buffer starts. `None`: there is no such buffer.
    fn buffer(&self, number: u64) -> Option<u64> {
        // The layout was planned for this many.
        (number < MOST_BUFFERS).then(|| self.layout.buffers_offset + number * self.layout.stride)
    }

    /// Sequence, length, stamp and tag of a buffer.
    fn words(&self, buffer: u64) -> Result<[u64; 4], Fault> {
        self.read_words(buffer)
    }

    fn read_words<const N: usize>(&self, at: u64) -> Result<[u64; N], Fault> {
        let mut bytes = [[0; 8]; N];
        match self.file.read_exact_at(bytes.as_flattened_mut(), at) {
            Ok(()) => Ok(bytes.map(u64::from_le_bytes)),
            Err(_) => Err(CUT),
        }
    }

    fn clock(&self) -> Result<Stamped, Fault> {
        let mut block = [0; layout::PRODUCER as usize];
        match self.file.read_exact_at(&mut block, self.layout.producer_offset.into()) {
            Ok(()) => Ok(Stamped::by(&block)),
            Err(_) => Err(Fault::Corrupt("it was cut to less than its header")),
        }
    }
}

/// What the producer's block says: which values were stamped by this process's clock, and how many
/// buffers there are.
struct Stamped {
    is_own: bool,
    first: u64,
    lost: u64,
    buffers: u64,
}

impl Stamped {
    fn by(producer: &[u8]) -> Self {
        let noted = blocks::noted_clock(producer);
        let is_own = Clock::here().is(noted.boot, noted.namespace);
        let NotedClock { first_sequence: first, lost, pool: buffers, .. } = noted;
        Self { is_own, first, lost, buffers }
    }

    fn is_of(&self, sequence: u64) -> bool {
        self.is_own && sequence >= self.first
    }
}
