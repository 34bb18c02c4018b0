//! The package that this project began as, on a machine where one side of it cannot be changed.
//!
//! Its processes share a POSIX shared-memory object under named semaphores. This module keeps to
//! those conventions, so that the other side notices no difference:
//!
//! | class of the package | here | semaphores of the object `name`, with their first values |
//! |---|---|---|
//! | `NumpyShare` | [`Producer`], [`Consumer`] | `name` (1), the lock; `name_np` (0), the flag |
//! | `SharedMMap` | [`SharedMmap`] | `name` (1) |
//! | `RWSharedMMap` | [`RwSharedMmap`] | `name_write` (1), `name_read` (how many may read) |
//!
//! A put takes the lock, writes what `numpy.save` writes, gives the lock back, and posts the flag
//! if that is 0. A get waits for the flag, takes the lock, reads, and gives it back.
//!
//! ```
//! # use io_shared_channel as io_shared;
//! # fn main() -> io_shared::Result<()> {
//! # let name = &format!("/doc-legacy-{}", std::process::id());
//! use io_shared::legacy::Share;
//!
//! let mut clouds = Share::named(name).size("5M").producer()?; // or the other side's `put`
//! clouds.put("<f4", &[2], &[0, 0, 128, 63, 0, 0, 0, 64])?;
//!
//! let mut segmentator = Share::named(name).consumer()?; // or the other side's `get`
//! let cloud = segmentator.get()?;
//! assert_eq!((&*cloud.dtype, cloud.shape), ("<f4", vec![2]));
//! # for file in ["", "sem.", "_np"] {
//! #     let (before, after) = if file == "_np" { ("sem.", "_np") } else { (file, "") };
//! #     std::fs::remove_file(format!("/dev/shm/{before}{}{after}", &name[1..])).unwrap();
//! # }
//! # Ok(()) }
//! ```
//!
//! # What these conventions cannot do
//!
//! - A process that dies, or raises an exception, while it has the lock never gives it back, and
//!   nobody can tell it from a slow one. So no wait for a semaphore lasts longer than the
//!   [`lock_timeout`](Share::lock_timeout): then it is [`LegacyLockStuck`], which says how a person
//!   frees it. Our own side holds the lock for one read or write, during which its thread takes no
//!   signal; only SIGKILL can end it there.
//! - Any process that exits unlinks the object and its semaphores. Before each access this side
//!   looks whether the names still lead to the files that it has open, and opens those that they
//!   lead to by then. It unlinks nothing itself.
//! - An array may be received twice, or be lost, when a process dies or exits at that moment.
//! - The lock keeps writers and readers apart only while all of them have the same semaphores. If
//!   the semaphore of the lock was replaced under an object that stayed, what is read is discarded.
//!   A process that is still using the old one is noticed by nobody.
//!
//! Headers are validated, and nothing is ever unpickled. An object that was cut short is an error.
//!
//! [`LegacyLockStuck`]: crate::ErrorKind::LegacyLockStuck

mod bytes;
mod consumer;
mod producer;
mod wait;

use std::time::Duration;

use io_shared_core::{Error, ErrorKind, Result, Size};

#[doc(hidden)] // for `binding`
pub use bytes::LegacyBytes;
pub use bytes::{Guard, GuardMut, RwSharedMmap, SharedMmap};
pub use consumer::Consumer;
pub use producer::Producer;

use crate::AsName;

/// The semaphores of a share of arrays, by number.
const LOCK: usize = 0;
const FLAG: usize = 1;
const SEMAPHORES: [(&str, u32); 2] = [("", 1), ("_np", 0)];

/// How long a semaphore is waited for if nothing else is said.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// The builder of both ends of a `NumpyShare` of the package that this project began as.
///
/// The name is taken as it is: it has no slash after the first character, and lies in no domain.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// use io_shared::legacy::Share;
/// use std::time::Duration;
/// let labels = Share::named("/label_share").lock_timeout(Duration::from_secs(1)).consumer()?;
/// assert_eq!(labels.name(), "/label_share"); // whether or not the other side has started
/// # Ok::<(), io_shared::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Share {
    name: String,
    size: Option<Size>,
    lock_timeout: Duration,
}

impl Share {
    /// The share of this name. [`Share`] has an example.
    pub fn named(name: impl AsName) -> Self {
        Self { name: name.into_name(), size: None, lock_timeout: LOCK_TIMEOUT }
    }

    /// How large the object is, in bytes, where this side creates it: the `size` of the other side.
    /// An object that is there keeps its size.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// use io_shared::{ErrorKind, legacy::Share};
    /// let error = Share::named("/clouds").producer().unwrap_err(); // how large is it?
    /// assert!(matches!(error.kind(), ErrorKind::BadOption { option: "size", .. }));
    /// ```
    #[must_use]
    pub fn size(mut self, size: impl Into<Size>) -> Self {
        self.size = Some(size.into());
        self
    }

    /// How long a wait for a semaphore lasts: 5 seconds by default. It should be longer than the
    /// other side ever holds the lock. [`Share`] has an example.
    #[must_use]
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }

    /// Opens the side that puts, and creates the object and its semaphores if they are missing.
    ///
    /// # Errors
    /// [`ErrorKind::BadName`], [`ErrorKind::BadSize`]; [`ErrorKind::BadOption`] without a size;
    /// [`ErrorKind::Unsupported`] if something else has one of the names, or in a program built
    /// with musl; [`ErrorKind::FileSizeLimit`], [`ErrorKind::System`].
    ///
    /// # Examples
    /// [The module](self) has one.
    pub fn producer(self) -> Result<Producer> {
        let size = size_of_object(&self.name, self.size)?;
        Producer::open(&self.name, size, self.lock_timeout)
    }

    /// Opens the side that gets. It creates nothing: the other side may start later.
    ///
    /// # Errors
    /// [`ErrorKind::BadName`], [`ErrorKind::Unsupported`] in a program built with musl.
    ///
    /// # Examples
    /// [The module](self) has one.
    pub fn consumer(self) -> Result<Consumer> {
        Consumer::open(&self.name, self.lock_timeout)
    }
}

/// The size in bytes, which must be given.
fn size_of_object(name: &str, size: Option<Size>) -> Result<u64> {
    let refused = |found: String, expected: &str| {
        let expected = expected.to_owned();
        Error::new(name, ErrorKind::BadOption { option: "size", found, expected })
    };
    match size.map(|size| size.bytes(name)).transpose()? {
        None => Err(refused("not given".into(), "this side creates the object if it is the first")),
        Some(0) => Err(refused("0".into(), "there must be at least one byte")),
        Some(size) => Ok(size),
    }
}
