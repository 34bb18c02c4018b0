//! Reading a channel's newest value again and again, without taking part and without a mapping.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::super::layout::{Kind, VERSION};
use super::super::location::Location;
use super::head::{Head, Unreadable};
use super::newest::{CUT, Fault, Newest, Values};
use crate::error::{Error, ErrorKind, Result};
use crate::message::schema::Schema;
use crate::message::value::{self, Path};
use crate::os::nap::nap;
use crate::os::pace::Pace;
use crate::os::{clock, file::identity_at};

/// How long to go on without a look whether the name still leads here.
const LOOK_EVERY: u64 = 90_000_000;

/// Reads a channel for a tool: any channel, whatever its type, and however it is cut or written
/// over meanwhile.
///
/// Unlike an [`Observer`](https://docs.rs/io-shared/latest/io_shared/struct.Observer.html) it maps
/// nothing, so nothing that happens to the file can end the process.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # use io_shared_core::{Location, Name, inspect};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let name = &format!("/doc-reader-{}", std::process::id());
/// # io_shared::producer::<[u16; 2]>(name)?.put(&[3, 4])?;
/// use io_shared_core::Value;
///
/// let mut reader = inspect::Reader::open(&Location::from(Name::new(name)?))?;
/// let mut bytes = Vec::new();
/// if let Some(newest) = reader.copy(&mut bytes)? {
///     println!("{}: {}", newest.seq, Value::decode(reader.schema(), &bytes)?.json());
/// #   assert_eq!(Value::decode(reader.schema(), &bytes)?.json().to_string(), "[3,4]");
/// }
/// # io_shared::remove(name)?;
/// # Ok(()) }
/// ```
pub struct Reader {
    location: Location,
    identity: (u64, u64),
    file: File,
    head: Head,
    pace: Pace,
}

impl Reader {
    /// Opens the channel at `location` to read.
    ///
    /// # Errors
    /// - [`NotFound`](ErrorKind::NotFound): there is none.
    /// - [`NotARegion`](ErrorKind::NotARegion), [`Corrupt`](ErrorKind::Corrupt): what is there.
    /// - [`Mismatch`](ErrorKind::Mismatch): it is of another layout version, or no channel.
    /// - [`System`](ErrorKind::System): it may not be opened.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::{ErrorKind, Location, Name, inspect::Reader};
    /// # fn main() -> io_shared_core::Result<()> {
    /// let error = Reader::open(&Location::from(Name::new("/nobody-made-this")?)).unwrap_err();
    /// assert_eq!(*error.kind(), ErrorKind::NotFound);
    /// # Ok(()) }
    /// ```
    pub fn open(location: &Location) -> Result<Self> {
        let Some(file) = location.open(OFlag::O_RDONLY)? else {
            return Err(location.error(ErrorKind::NotFound));
        };
        let metadata = file.metadata().map_err(|error| location.io_error("fstat", &error))?;
        let differs = |difference: String| {
            location.error(ErrorKind::Mismatch {
                differences: vec![difference],
                holders: Vec::new(),
                advice: "",
            })
        };
        let head = Head::read(&file).map_err(|unreadable| match unreadable {
            Unreadable::Foreign(what) => location.foreign(what),
            Unreadable::Damaged(what) => Error::corrupt(location, what),
            Unreadable::OtherVersion(found) => {
                differs(format!("layout version: it has {found}, this program {VERSION}"))
            }
        })?;
        if head.layout.kind != Kind::Channel {
            let found = head.layout.kind.describe();
            let error = differs(format!("kind: it is {found}, not a channel"));
            return Err(error.advise("only the values of channels can be read"));
        }
        Ok(Self {
            location: location.clone(),
            identity: (metadata.dev(), metadata.ino()),
            file,
            head,
            pace: Pace::of_tool(),
        })
    }

    /// The channel's name; for a channel in a file, its path.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use io_shared_core::{Location, Name, inspect::Reader};
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-reader-name-{}", std::process::id());
    /// # let speed = io_shared::producer::<f64>(name)?;
    /// let reader = Reader::open(&Location::from(Name::new(name)?))?;
    /// assert_eq!(&reader.name(), name);
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn name(&self) -> String {
        self.location.to_string()
    }

    /// The description of the channel's messages. [`Reader`] has an example.
    pub fn schema(&self) -> &Schema {
        &self.head.schema
    }

    /// A random number that tells this channel from any other that had, or will have, its name. A
    /// channel that grows keeps it, and so do its numbers go on.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use io_shared_core::{Location, Name, inspect::Reader};
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-reader-line-{}", std::process::id());
    /// # let speed = io_shared::producer::<f64>(name)?;
    /// let location = Location::from(Name::new(name)?);
    /// let before = Reader::open(&location)?.line();
    /// assert_eq!(Reader::open(&location)?.line(), before);
    /// io_shared::remove(name)?;
    /// # drop(speed);
    /// let speed = io_shared::producer::<f64>(name)?; // another channel of that name
    /// assert_ne!(Reader::open(&location)?.line(), before);
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn line(&self) -> u64 {
        self.head.prelude.line
    }

    /// The number of the newest value; 0 if nothing was ever put. This is the cheapest look.
    ///
    /// # Errors
    /// [`Corrupt`](ErrorKind::Corrupt): the file was cut short.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use io_shared_core::{Location, Name, inspect::Reader};
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-reader-seq-{}", std::process::id());
    /// # let mut speed = io_shared::producer::<f64>(name)?;
    /// let reader = Reader::open(&Location::from(Name::new(name)?))?;
    /// assert_eq!(reader.seq()?, 0);
    /// speed.put(&13.9)?;
    /// assert_eq!(reader.seq()?, 1);
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn seq(&self) -> Result<u64> {
        self.values().seq().map_err(|fault| self.error(fault))
    }

    /// What is known of the newest value, without its content. `None` if nothing was ever put.
    ///
    /// # Errors
    /// - [`Busy`](ErrorKind::Busy): it was put anew at every try.
    /// - [`Corrupt`](ErrorKind::Corrupt): the file was cut short or written over.
    ///
    /// # Examples
    /// [`Newest`] has one.
    pub fn newest(&self) -> Result<Option<Newest>> {
        self.values().newest().map_err(|fault| self.error(fault))
    }

    /// Copies the newest value into `bytes`, which then are exactly the message. `None` if nothing
    /// was ever put.
    ///
    /// # Errors
    /// - [`Busy`](ErrorKind::Busy): it was put anew at every try.
    /// - [`Corrupt`](ErrorKind::Corrupt): the file was cut short or written over.
    /// - [`System`](ErrorKind::System): there is no memory for a copy.
    ///
    /// # Examples
    /// [`Reader`] has one.
    pub fn copy(&mut self, bytes: &mut Vec<u8>) -> Result<Option<Newest>> {
        let read = self.values().read(self.copying(bytes)).map_err(|fault| self.error(fault))?;
        Ok(read.map(|(newest, ())| self.note(newest)))
    }

    /// Copies the value with this number into `bytes`, if it still lies whole in a buffer. It need
    /// not be the newest, and the channel may have been removed or replaced meanwhile.
    ///
    /// # Errors
    /// - [`Corrupt`](ErrorKind::Corrupt): the file was cut short.
    /// - [`System`](ErrorKind::System): there is no memory for a copy.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use io_shared_core::{Location, Name, inspect::Reader};
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-reader-copy-of-{}", std::process::id());
    /// # let mut speed = io_shared::producer::<f64>(name)?;
    /// let mut bytes = Vec::new();
    /// speed.put(&13.9)?;
    /// speed.put(&14.1)?;
    /// let reader = Reader::open(&Location::from(Name::new(name)?))?;
    /// let first = reader.copy_of(1, &mut bytes)?;
    /// assert_eq!(first.map(|value| value.seq), Some(1));
    /// assert_eq!(bytes, 13.9_f64.to_le_bytes());
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn copy_of(&self, seq: u64, bytes: &mut Vec<u8>) -> Result<Option<Newest>> {
        let found = self.values().find_and(seq, self.copying(bytes));
        Ok(found.map_err(|fault| self.error(fault))?.map(|(value, ())| value))
    }

    /// Copies the part of the newest value that `path` leads to, and no more than it needs. `bytes`
    /// gets the length of the whole message: what is not needed there may be anything. `None` if
    /// nothing was ever put.
    ///
    /// # Errors
    /// As [`copy`](Self::copy). A path that leads nowhere is none: nothing is copied then.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use io_shared_core::{Location, Name, Value, inspect::Reader};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let name = &format!("/doc-reader-copy-part-{}", std::process::id());
    /// # let mut speeds = io_shared::producer::<[f64; 1000]>(name)?;
    /// # speeds.put(&[13.9; 1000])?;
    /// let mut reader = Reader::open(&Location::from(Name::new(name)?))?;
    /// let (path, mut bytes) = ("[7]".parse()?, Vec::new());
    /// if reader.copy_part(&path, &mut bytes)?.is_some() {
    ///     let value = Value::decode(reader.schema(), &bytes)?;
    ///     assert_eq!(value.at(&path)?.as_f64(), Some(13.9));
    /// }
    /// # io_shared::remove(name)?;
    /// # Ok(()) }
    /// ```
    pub fn copy_part(&mut self, path: &Path, bytes: &mut Vec<u8>) -> Result<Option<Newest>> {
        let head = value::head(self.schema());
        let part = |at: u64, length: usize| {
            self.room(bytes, at, length)?;
            self.read(bytes, at, 0..head)?;
            let needed = value::extent(self.schema(), bytes, path);
            self.read(bytes, at, needed.unwrap_or(head..length))
        };
        let read = self.values().read(part).map_err(|fault| self.error(fault))?;
        Ok(read.map(|(newest, ())| self.note(newest)))
    }

    /// What copies bytes of the file.
    fn copying(
        &self,
        bytes: &mut Vec<u8>,
    ) -> impl FnMut(u64, usize) -> std::result::Result<(), Fault> {
        |at, length| {
            self.room(bytes, at, length)?;
            self.read(bytes, at, 0..length)
        }
    }

    /// Gives `bytes` that length, for what lies at `at` in the file.
    fn room(&self, bytes: &mut Vec<u8>, at: u64, length: usize) -> std::result::Result<(), Fault> {
        // Not as long as a hostile capacity may be: as long as the file reaches. Also that may be
        // more than there is memory.
        let there = self.file.metadata().map_err(|_| CUT)?.len();
        if at.checked_add(length as u64).is_none_or(|end| end > there) {
            return Err(CUT);
        }
        bytes.truncate(length);
        let more = length - bytes.len();
        if more > 0 && !may_take(more as u64) {
            return Err(Fault::NoMemory);
        }
        bytes.try_reserve_exact(more).map_err(|_| Fault::NoMemory)?;
        bytes.resize(length, 0);
        Ok(())
    }

    /// Reads `range` of what lies at `at` in the file into the same place in `bytes`.
    fn read(
        &self,
        bytes: &mut [u8],
        at: u64,
        range: Range<usize>,
    ) -> std::result::Result<(), Fault> {
        let range = range.start.min(bytes.len())..range.end.min(bytes.len());
        let from = at + range.start as u64;
        let Some(room) = bytes.get_mut(range) else { return Ok(()) };
        self.file.read_exact_at(room, from).map_err(|_| CUT)
    }

    /// What is known of the value with this number, if it still lies whole in a buffer.
    ///
    /// # Errors
    /// [`Corrupt`](ErrorKind::Corrupt): the file was cut short.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use io_shared_core::{Location, Name, inspect::Reader};
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-reader-find-{}", std::process::id());
    /// # let mut speed = io_shared::producer::<f64>(name)?;
    /// speed.put(&13.9)?;
    /// speed.put(&14.1)?;
    /// let reader = Reader::open(&Location::from(Name::new(name)?))?;
    /// assert_eq!(reader.find(1)?.map(|value| value.seq), Some(1));
    /// assert_eq!(reader.find(3)?, None);
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn find(&self, seq: u64) -> Result<Option<Newest>> {
        self.values().find(seq).map_err(|fault| self.error(fault))
    }

    /// Whether its name still leads to this channel.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use io_shared_core::{Location, Name, inspect::Reader};
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-reader-current-{}", std::process::id());
    /// # let speed = io_shared::producer::<f64>(name)?;
    /// let reader = Reader::open(&Location::from(Name::new(name)?))?;
    /// assert!(reader.is_current());
    /// io_shared::remove(name)?;
    /// assert!(!reader.is_current());
    /// # Ok(()) }
    /// ```
    pub fn is_current(&self) -> bool {
        self.location.path().is_none_or(|path| identity_at(path) == Some(self.identity))
    }

    /// Waits for a value that neither this call nor [`copy`](Self::copy) has returned before, for
    /// at most `timeout`. The first call returns the newest value at once, if there is one. `None`:
    /// the time is over.
    ///
    /// It wakes nobody and is not woken. It looks once for each value of a steady producer, an
    /// eighth to three eighths of a period after the value is due ([`Pace::of_tool`]). Where the
    /// last two periods differ by more than an eighth, and where the period is not known, it looks
    /// every 10 ms at least.
    ///
    /// # Errors
    /// - [`Replaced`](ErrorKind::Replaced): the channel was removed or replaced.
    /// - [`Busy`](ErrorKind::Busy), [`Corrupt`](ErrorKind::Corrupt): as for
    ///   [`newest`](Self::newest).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use io_shared_core::{Location, Name, inspect::Reader};
    /// # use std::time::Duration;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-reader-next-{}", std::process::id());
    /// # let mut speed = io_shared::producer::<f64>(name)?;
    /// let mut reader = Reader::open(&Location::from(Name::new(name)?))?;
    /// speed.put(&13.9)?;
    /// let timeout = Duration::from_millis(10);
    /// assert_eq!(reader.next(timeout)?.map(|newest| newest.seq), Some(1));
    /// assert_eq!(reader.next(timeout)?, None); // the same value again does not count
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn next(&mut self, timeout: Duration) -> Result<Option<Newest>> {
        let deadline = clock::deadline(timeout);
        let mut looked = clock::now_coarse();
        loop {
            if self.seq()? != self.pace.seen()
                && let Some(newest) = self.newest()?
            {
                return Ok(Some(self.note(newest)));
            }
            let now = clock::now();
            if now.saturating_sub(looked) > LOOK_EVERY {
                looked = now;
                if !self.is_current() {
                    return Err(self.location.error(ErrorKind::Replaced));
                }
                // Nothing new comes into a file that was cut, though its start may be there.
                self.values().check_length().map_err(|fault| self.error(fault))?;
            }
            let Some(left) = deadline.checked_sub(now).filter(|left| *left > 0) else {
                return Ok(None);
            };
            nap(self.pace.nap(true).min(Duration::from_nanos(left)));
        }
    }

    /// Notes that `newest` was returned.
    fn note(&mut self, newest: Newest) -> Newest {
        self.pace.note(newest.seq, newest.stamp);
        newest
    }

    fn values(&self) -> Values<'_> {
        Values { file: &self.file, layout: &self.head.layout }
    }

    fn error(&self, fault: Fault) -> Error {
        match fault {
            Fault::Busy => {
                self.location.error(ErrorKind::Busy { doing: "reading its newest value" })
            }
            Fault::Corrupt(what) => Error::corrupt(&self.location, what),
            Fault::NoMemory => Error::system(&self.location, "malloc", Errno::ENOMEM),
        }
    }
}

/// Whether this process may take that much more memory. The kernel promises more than there is, and
/// ends a process that uses it.
fn may_take(bytes: u64) -> bool {
    /// Less than this is there wherever anything runs.
    const LITTLE: u64 = 64 << 20;
    if bytes < LITTLE {
        return true;
    }
    let Ok(memory) = std::fs::read_to_string("/proc/meminfo") else { return true };
    let available = memory.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kilobytes = available.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok());
    kilobytes.is_none_or(|kilobytes: u64| bytes <= kilobytes.saturating_mul(1024) / 8 * 7)
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("name", &self.name()).finish_non_exhaustive()
    }
}
