//! What is there: every region in shared memory, and who uses it.
//!
//! [`channels`] lists the regions in shared memory; [`entry`] looks at one, in a file too; a
//! [`Reader`] reads the newest value of a channel again and again. A look takes no slot and wakes
//! nobody.
//!
//! How it works: an object is opened with O_PATH and O_NOFOLLOW, so that nothing is followed or
//! waited for. Only a regular file is then opened to read. All bytes are read by pread and never
//! mapped, because a file that is cut short under a mapping is a SIGBUS. Who has a role is asked of
//! the kernel: F_OFD_GETLK works through a descriptor that may only read. A claim proves that its
//! owner lives; the command and the pid next to it are what the owner wrote there.
//!
//! # Examples
//! ```
//! # use io_shared_channel as io_shared;
//! # use io_shared_core::inspect;
//! # fn main() -> io_shared::Result<()> {
//! # let name = &format!("/doc-inspect-{}", std::process::id());
//! # let mut speed = io_shared::producer::<f64>(name)?;
//! # speed.put(&13.9)?;
//! use inspect::Content;
//!
//! for entry in inspect::channels()? {
//!     let Content::Region(region) = &entry.content else { continue };
//!     let producer = region.producer.as_ref().filter(|producer| producer.is_connected);
//!     println!("{} {} {} bytes, {producer:?}", entry.name, region.kind, entry.bytes);
//! }
//! # let found = inspect::channels()?;
//! # let entry = found.iter().find(|entry| &entry.name == name).unwrap();
//! # let Content::Region(region) = &entry.content else { panic!() };
//! # assert!(region.producer.as_ref().unwrap().is_connected);
//! # assert_eq!(region.newest.as_ref().unwrap().seq, 1);
//! # io_shared::remove(name)
//! # }
//! ```

mod claimants;
mod head;

mod idle;
mod json;
mod names;
mod newest;
mod reader;
mod roles;

use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use nix::errno::Errno;
use nix::fcntl::OFlag;

pub use super::layout::Kind;
pub use claimants::{Claimant, claimants};
pub use idle::remove_idle;
pub use names::Names;
pub use newest::Newest;
pub use reader::Reader;
pub use roles::Participant;

use super::domain;
use super::location::Location;
use super::name::{Name, is_unfinished};
use super::remove::{remove_any, remove_unused_if};
use crate::error::{Error, ErrorKind, Result};
use crate::message::schema::Schema;
use crate::os::file::{SHM_DIRECTORY, open_path, reopen};
use crate::os::nap::nap;
pub use crate::os::pace::Pace;

/// An object in shared memory, or a file: where it is, whose it is, and what is in it.
///
/// [The module](self) has an example.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Entry {
    /// The name, as programs open it; for a file, its path.
    pub name: String,
    /// Where it lies.
    pub location: Location,
    /// The size of the file, in bytes.
    pub bytes: u64,
    /// The memory or disk that it takes, in bytes.
    pub allocated: u64,
    /// The permission bits.
    pub mode: u32,
    /// The owner's user id.
    pub uid: u32,
    /// Device and inode, which tell it from any other of its name.
    pub identity: (u64, u64),
    /// When its inode changed last: its creation, or a change of its size or permissions.
    pub changed: SystemTime,
    /// What is in it.
    pub content: Content,
}

/// What an object is. [The module](self) has an example.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Content {
    /// A region of this version.
    Region(Box<Region>),
    /// A region of another layout version, which this program cannot read.
    OtherVersion {
        /// The version.
        version: u32,
        /// Whether somebody uses it.
        is_used: bool,
    },
    /// A region whose content is damaged.
    Damaged {
        /// What is wrong.
        what: String,
        /// Whether somebody uses it.
        is_used: bool,
    },
    /// This user may not read it.
    Refused,
    /// Not a region.
    Foreign {
        /// What it is.
        what: String,
    },
}

/// A region. [The module](self) has an example.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Region {
    /// A channel, or bytes or a value under a lock.
    pub kind: Kind,
    /// The version of the layout.
    pub version: u32,
    /// The description of its values.
    pub schema: Schema,
    /// The most bytes that a value may have.
    pub capacity: u64,
    /// How many consumers a channel may have, or how many handles a lock.
    pub slots: u32,
    /// How many buffers a channel has; 1 for the other kinds.
    pub buffers: u64,
    /// Whether it is removed with its last user.
    pub is_ephemeral: bool,
    /// The newest value of a channel. `None` if nothing was ever put, or while it is written.
    pub newest: Option<Newest>,
    /// How many values per second are put now, by the numbers and stamps of the newest two. `None`
    /// if that is not known: a second look tells it ([`measure_rates`]).
    pub rate: Option<f64>,
    /// The last producer of a channel, whether it is still there or not.
    pub producer: Option<Participant>,
    /// The last owner of each slot that was ever claimed: the consumers of a channel, the handles
    /// of a lock.
    pub consumers: Vec<Participant>,
    /// Whether somebody is replacing or removing it now.
    pub is_being_replaced: bool,
}

impl Entry {
    /// All of it as one line of JSON. The keys stay the same in later versions; a value that is not
    /// known is `null`. Times are in seconds, and points in time count from 1970.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use io_shared_core::{Location, Name, inspect};
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-entry-json-{}", std::process::id());
    /// # let speed = io_shared::producer::<f64>(name)?;
    /// let json = inspect::entry(&Location::from(Name::new(name)?))?.to_json();
    /// assert!(json.contains(r#""kind":"channel""#) && json.contains(r#""seq":null"#));
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn to_json(&self) -> String {
        json::of(self).to_string()
    }
}

impl Region {
    /// Whether somebody has a role in it now.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use io_shared_core::{Location, Name, inspect};
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-is-used-{}", std::process::id());
    /// drop(io_shared::producer::<f64>(name)?);
    /// let entry = inspect::entry(&Location::from(Name::new(name)?))?;
    /// let inspect::Content::Region(region) = entry.content else { unreachable!() };
    /// assert!(!region.is_used());
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn is_used(&self) -> bool {
        self.is_being_replaced || self.participants().any(|participant| participant.is_connected)
    }

    /// The producer and the consumers, whether they are still there or not.
    fn participants(&self) -> impl Iterator<Item = &Participant> {
        self.producer.iter().chain(&self.consumers)
    }
}

/// All regions in shared memory, in the order of their names: those that this process would open by
/// a name, so of its own domain. Objects that this user may not read are among them, since they may
/// be regions.
///
/// # Errors
/// - [`System`](ErrorKind::System): the directory cannot be read.
/// - [`BadName`](ErrorKind::BadName): `IO_SHARED_DOMAIN` is not a domain.
///
/// # Examples
/// [The module](self) has one.
pub fn channels() -> Result<Vec<Entry>> {
    let mut found = objects_that(|location| matches!(location, Location::Shm(_)))?;
    found.retain(|entry| !matches!(entry.content, Content::Foreign { .. }));
    Ok(found)
}

/// All objects in shared memory, in the order of their names: the regions, those of other domains
/// by their paths, and what other programs have there.
///
/// # Errors
/// - [`System`](ErrorKind::System): the directory cannot be read.
/// - [`BadName`](ErrorKind::BadName): `IO_SHARED_DOMAIN` is not a domain.
///
/// # Examples
/// ```
/// use io_shared_core::inspect::{Content, objects};
/// # fn main() -> io_shared_core::Result<()> {
/// for entry in objects()? {
///     if let Content::Foreign { what } = &entry.content {
///         println!("{} is {what}", entry.name);
///     }
/// }
/// # Ok(()) }
/// ```
pub fn objects() -> Result<Vec<Entry>> {
    objects_that(|_| true)
}

/// The objects in shared memory whose location `counts`. No other one is looked at.
fn objects_that(counts: impl Fn(&Location) -> bool) -> Result<Vec<Entry>> {
    domain::own()?; // one that cannot be is an error, and not an empty list
    let failed = |error: std::io::Error| {
        let errno = Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO));
        Error::system(SHM_DIRECTORY, "opendir", errno)
    };
    let mut found = Vec::new();
    for object in std::fs::read_dir(SHM_DIRECTORY).map_err(failed)?.flatten() {
        let file = object.file_name();
        if is_unfinished(&String::from_utf8_lossy(file.as_bytes())) {
            continue;
        }
        let path = object.path();
        let named = file.to_str().and_then(Name::of_file);
        let (name, location) = match named {
            Some(name) => (name.to_string(), Location::from(name)),
            None => (path.display().to_string(), Location::file(&path)),
        };
        if counts(&location) {
            // An error means that it is gone by now.
            found.extend(look_at(name, location, &path).ok());
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// The object at `location`.
///
/// # Errors
/// - [`NotFound`](ErrorKind::NotFound): there is none.
/// - [`Unsupported`](ErrorKind::Unsupported): the location has neither a name nor a path.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// use io_shared_core::{Location, inspect};
/// # fn main() -> io_shared::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// # let path = &directory.path().join("speed");
/// # let speed = io_shared::Channel::<f64>::file(path).producer()?;
/// let entry = inspect::entry(&Location::file(path))?;
/// let inspect::Content::Region(region) = entry.content else { unreachable!() };
/// assert_eq!(region.schema.root().to_string(), "<f8");
/// # Ok(()) }
/// ```
pub fn entry(location: &Location) -> Result<Entry> {
    let Some(path) = location.path() else {
        let what = "it has no name to look at: a region without one is seen through its descriptor";
        return Err(location.error(ErrorKind::Unsupported { what: what.into() }));
    };
    let name = match location {
        Location::File(path) => path.display().to_string(),
        _ => location.to_string(),
    };
    look_at(name, location.clone(), path)
}

/// Removes the region at `location` if nobody uses it, of whatever kind and version it is. Returns
/// whether it did; `false` means that somebody uses it. What it held is lost.
///
/// It takes all claims first, so nobody joins between the look and the removal.
///
/// # Errors
/// - [`NotFound`](ErrorKind::NotFound), [`NotARegion`](ErrorKind::NotARegion).
/// - [`NotOwner`](ErrorKind::NotOwner): only the object's owner may remove it.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # use io_shared_core::{Location, Name, inspect};
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-remove-unused-{}", std::process::id());
/// let speed = io_shared::producer::<f64>(name)?;
/// let location = Location::from(Name::new(name)?);
/// assert!(!inspect::remove_unused(&location)?);
/// drop(speed);
/// assert!(inspect::remove_unused(&location)?);
/// # Ok(()) }
/// ```
pub fn remove_unused(location: &Location) -> Result<bool> {
    remove_unused_if(location, &|_| true)
}

/// Removes the region at `location`, in use or not, of whatever kind and version it is. Programs
/// that use it go on in a new one of that name, or get [`Replaced`](ErrorKind::Replaced).
///
/// # Errors
/// - [`NotFound`](ErrorKind::NotFound), [`NotARegion`](ErrorKind::NotARegion).
/// - [`NotOwner`](ErrorKind::NotOwner): only the object's owner may remove it.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # use io_shared_core::{Location, Name, inspect};
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-inspect-remove-{}", std::process::id());
/// let speed = io_shared::producer::<f64>(name)?;
/// inspect::remove(&Location::from(Name::new(name)?))?;
/// # Ok(()) }
/// ```
pub fn remove(location: &Location) -> Result<()> {
    remove_any(location)
}

/// Looks a second time, after 300 ms, at the channels among `entries` whose rate is not known, and
/// notes their rates. Does nothing if all are known.
///
/// # Examples
/// ```
/// use io_shared_core::inspect;
/// # fn main() -> io_shared_core::Result<()> {
/// let mut entries = inspect::channels()?;
/// inspect::measure_rates(&mut entries);
/// # Ok(()) }
/// ```
pub fn measure_rates(entries: &mut [Entry]) {
    const PAUSE: Duration = Duration::from_millis(300);
    let mut unknown: Vec<(&mut Region, Reader, Newest)> = Vec::new();
    for entry in entries {
        let Content::Region(region) = &mut entry.content else { continue };
        let is_live = region.producer.as_ref().is_some_and(|producer| producer.is_connected);
        if region.kind != Kind::Channel || region.rate.is_some() || !is_live {
            continue;
        }
        let Ok(reader) = Reader::open(&entry.location) else { continue };
        if let Ok(Some(newest)) = reader.newest() {
            unknown.push((region, reader, newest));
        }
    }
    if unknown.is_empty() {
        return;
    }
    nap(PAUSE);
    for (region, reader, before) in unknown {
        if let Ok(Some(now)) = reader.newest() {
            region.rate = before.rate_to(&now);
            region.newest = Some(now);
        }
    }
}

fn look_at(name: String, location: Location, path: &Path) -> Result<Entry> {
    let failed = |errno| match errno {
        Errno::ENOENT => location.error(ErrorKind::NotFound).advise("there is nothing to look at"),
        errno => Error::system(&location, "open", errno),
    };
    let object = open_path(path, OFlag::O_PATH).map_err(failed)?;
    let metadata = object.metadata().map_err(|error| location.io_error("fstat", &error))?;
    let content = match kind_of(&metadata) {
        Some(what) => Content::Foreign { what: what.to_owned() },
        None => match open_to_read(&object, path) {
            Ok(file) => head::read(&file),
            Err(Errno::EACCES | Errno::EPERM) => Content::Refused,
            Err(errno) => return Err(failed(errno)),
        },
    };
    Ok(Entry {
        name,
        bytes: metadata.len(),
        allocated: metadata.blocks().saturating_mul(512),
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        identity: (metadata.dev(), metadata.ino()),
        changed: changed(&metadata),
        content,
        location,
    })
}

/// When an inode changed last.
fn changed(metadata: &std::fs::Metadata) -> SystemTime {
    let nanos = u32::try_from(metadata.ctime_nsec()).unwrap_or(0);
    let changed = Duration::new(u64::try_from(metadata.ctime()).unwrap_or(0), nanos);
    SystemTime::UNIX_EPOCH.checked_add(changed).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// What an object is, other than a regular file.
fn kind_of(metadata: &std::fs::Metadata) -> Option<&'static str> {
    let kind = metadata.file_type();
    match () {
        () if kind.is_file() => None,
        () if kind.is_symlink() => Some("a symbolic link"),
        () if kind.is_dir() => Some("a directory"),
        () if kind.is_fifo() => Some("a FIFO"),
        () if kind.is_socket() => Some("a socket"),
        () => Some("a device"),
    }
}

/// Opens to read the regular file that `object` leads to.
fn open_to_read(object: &File, path: &Path) -> std::result::Result<File, Errno> {
    let access = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    match reopen(object, access) {
        // Without /proc, or in a process that may not look into its own: by the path again, which
        // must lead to the same object.
        Err(Errno::ENOENT | Errno::EACCES) => {
            let file = open_path(path, access)?;
            let identity = |file: &File| file.metadata().map(|found| (found.dev(), found.ino()));
            match (identity(&file), identity(object)) {
                (Ok(found), Ok(wanted)) if found == wanted => Ok(file),
                _ => Err(Errno::ENOENT),
            }
        }
        opened => opened,
    }
}
