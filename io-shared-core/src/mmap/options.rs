//! The builder of shared bytes.

use std::fmt;
use std::marker::PhantomData;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::message::schema::Schema;
use crate::region::{Kind, Location, Name, Size, Spec};

/// The types that [`MmapOptions`] opens. Only this crate implements it.
pub trait Mmap: Sized {
    #[doc(hidden)]
    fn open(options: &MmapOptions<Self>) -> Result<Self>;

    /// What `name` names.
    #[doc(hidden)]
    fn name(name: &str) -> Result<Name> {
        Name::new(name)
    }
}

/// Shared bytes that are not opened yet: where they are, and how to create them.
///
/// # Examples
/// ```
/// # use io_shared_core as io_shared;
/// use io_shared::SharedMmap;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let name = &format!("/doc-options-{}", std::process::id());
/// let mut shared = SharedMmap::named(name).size("1M").mode(0o660).open()?;
/// assert_eq!(shared.len(), 1 << 20);
/// # SharedMmap::remove(name)?;
/// # Ok(()) }
/// ```
#[must_use = "shared bytes are opened by .open()"]
pub struct MmapOptions<M> {
    location: Result<Location>,
    size: Option<Size>,
    handles: Option<usize>,
    mode: Option<u32>,
    prefault: bool,
    ephemeral: bool,
    replace: bool,
    extend: bool,
    open_timeout: Option<Duration>,
    /// The content of typed state that is created here.
    pub(super) initial: Option<Vec<u8>>,
    /// The type of state, where no Rust type says it.
    pub(super) schema: Option<Schema>,
    opened: PhantomData<fn() -> M>,
}

impl<M: Mmap> MmapOptions<M> {
    pub(super) fn new(location: Result<Location>) -> Self {
        Self {
            location,
            size: None,
            handles: None,
            mode: None,
            prefault: false,
            ephemeral: false,
            replace: false,
            extend: false,
            open_timeout: None,
            initial: None,
            schema: None,
            opened: PhantomData,
        }
    }

    /// The size in bytes, or a text such as `"5M"`. With a size, opening creates what does not
    /// exist, with all bytes reserved and zero. What exists must have at least this size, and keeps
    /// its own.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// let shared = io_shared::SharedMmap::anonymous().size("64K").open()?;
    /// assert_eq!(shared.len(), 65_536);
    /// # Ok(()) }
    /// ```
    #[doc(alias = "ftruncate")]
    pub fn size(mut self, size: impl Into<Size>) -> Self {
        self.size = Some(size.into());
        self
    }

    /// How many handles of a lock may be open at once: 64 by default, at most 1000.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-handles-{}", std::process::id());
    /// use io_shared::{ErrorKind, SharedMmap};
    /// let only = SharedMmap::named(name).size(16).handles(1).open()?;
    /// let error = SharedMmap::named(name).open().unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::NoSlot { .. }));
    /// # drop(only);
    /// # SharedMmap::remove(name)
    /// # }
    /// ```
    pub fn handles(mut self, handles: usize) -> Self {
        self.handles = Some(handles);
        self
    }

    /// The permission bits at creation, independent of the umask. Default `0o600`.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// use std::os::unix::fs::PermissionsExt;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let name = &format!("/doc-mode-{}", std::process::id());
    /// # use io_shared::SharedMmap;
    /// let shared = SharedMmap::named(name).size(16).mode(0o660).open()?; // the group may lock it
    /// let file = std::fs::metadata(format!("/dev/shm{name}"))?;
    /// assert_eq!(file.permissions().mode() & 0o777, 0o660);
    /// # SharedMmap::remove(name)?;
    /// # Ok(()) }
    /// ```
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Whether opening maps all pages in. Default off.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// use io_shared::mmap::BytesMut;
    /// let mut shared = io_shared::SharedMmap::anonymous().size("1M").prefault(true).open()?;
    /// shared.lock()?.as_bytes_mut().fill(7); // causes no page faults
    /// # Ok(()) }
    /// ```
    #[doc(alias = "MAP_POPULATE")]
    pub fn prefault(mut self, prefault: bool) -> Self {
        self.prefault = prefault;
        self
    }

    /// Whether what is created here is removed with its last user. (Only for locked bytes: others
    /// do not know their users.) If the last user is killed, the next one to open it removes it and
    /// creates it anew. Default off.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// use io_shared::SharedMmap;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-ephemeral-{}", std::process::id());
    /// let last = SharedMmap::named(name).size("1K").ephemeral(true).open()?;
    /// drop(last);
    /// assert!(SharedMmap::named(name).open().is_err());
    /// # Ok(()) }
    /// ```
    pub fn ephemeral(mut self, ephemeral: bool) -> Self {
        self.ephemeral = ephemeral;
        self
    }

    /// Whether to replace a region of another kind or type or of a smaller size, if nobody is using
    /// it. Its content is lost. Default off.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-replace-{}", std::process::id());
    /// use io_shared::SharedMmap;
    /// drop(SharedMmap::named(name).size(16).open()?); // nobody is using it
    /// assert!(SharedMmap::named(name).size("1K").open().is_err());
    /// let shared = SharedMmap::named(name).size("1K").replace(true).open()?;
    /// assert_eq!(shared.len(), 1024);
    /// # SharedMmap::remove(name)
    /// # }
    /// ```
    pub fn replace(mut self, replace: bool) -> Self {
        self.replace = replace;
        self
    }

    /// Whether to extend an object without a header that is shorter than `size`. Default off:
    /// opening it is [`ErrorKind::TooShort`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// use io_shared::{ErrorKind, UnsafeSharedMmap};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let path = std::env::temp_dir().join(format!("doc-extend-{}", std::process::id()));
    /// std::fs::write(&path, "")?;
    /// let error = UnsafeSharedMmap::file(&path).size(8).open().unwrap_err();
    /// assert_eq!(*error.kind(), ErrorKind::TooShort { needed: 8, found: 0 });
    /// let shared = UnsafeSharedMmap::file(&path).size(8).extend(true).open()?;
    /// assert_eq!(shared.to_vec(..), [0; 8]);
    /// # std::fs::remove_file(&path)?;
    /// # Ok(()) }
    /// ```
    pub fn extend(mut self, extend: bool) -> Self {
        self.extend = extend;
        self
    }

    /// How long opening without a `size` waits for another program to create the region. By default
    /// it does not wait.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # use std::time::Duration;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-open-timeout-{}", std::process::id());
    /// use io_shared::SharedMmap;
    /// # let owned = name.clone();
    /// // Another program starts later, and creates it.
    /// let other = std::thread::spawn(move || SharedMmap::named(&owned).size("1K").open());
    /// let shared = SharedMmap::named(name).open_timeout(Duration::from_secs(10)).open()?;
    /// assert_eq!(shared.len(), 1024);
    /// # other.join().unwrap()?;
    /// # SharedMmap::remove(name)
    /// # }
    /// ```
    pub fn open_timeout(mut self, timeout: Duration) -> Self {
        self.open_timeout = Some(timeout);
        self
    }

    /// Opens the shared bytes. Creates them if they do not exist and there is a size.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is nothing and no size, [`ErrorKind::Mismatch`],
    /// [`ErrorKind::NoSlot`], [`ErrorKind::TooShort`], [`ErrorKind::NoSpace`],
    /// [`ErrorKind::FileSizeLimit`], [`ErrorKind::BadName`], [`ErrorKind::BadSize`],
    /// [`ErrorKind::BadOption`], [`ErrorKind::NotARegion`], [`ErrorKind::Corrupt`],
    /// [`ErrorKind::Unsupported`] (a network file system), [`ErrorKind::System`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// use io_shared::{ErrorKind, SharedMmap};
    /// let error = SharedMmap::named("/doc-missing").open().unwrap_err(); // no size: not created
    /// assert_eq!(*error.kind(), ErrorKind::NotFound);
    /// ```
    #[doc(alias = "mmap")]
    #[doc(alias = "shm_open")]
    pub fn open(self) -> Result<M> {
        M::open(&self)
    }

    pub(super) fn location(&self) -> Result<Location> {
        self.location.clone()
    }

    pub(super) fn bytes(&self) -> Result<Option<u64>> {
        self.size.as_ref().map(|size| size.bytes(self.place())).transpose()
    }

    /// The location, as errors show it.
    pub(super) fn place(&self) -> String {
        self.location.as_ref().map_or_else(|e| e.name().to_owned(), Location::to_string)
    }

    pub(super) fn mode_bits(&self) -> Option<u32> {
        self.mode
    }

    pub(super) fn patience(&self) -> Duration {
        self.open_timeout.unwrap_or(Duration::ZERO)
    }

    pub(super) fn extends(&self) -> bool {
        self.extend
    }

    /// What to look for or to create.
    pub(super) fn spec(&self, kind: Kind, schema: Schema, size: Option<u64>) -> Result<Spec> {
        self.refuse(&["extend"], "only bytes without a header are extended")?;
        let handles = match self.handles.map(u32::try_from).transpose() {
            Ok(handles) => handles,
            Err(_) => {
                return Err(self.refused("handles", "a smaller number"));
            }
        };
        Ok(Spec {
            history: None,
            kind,
            schema: Some(schema),
            capacity: size,
            consumers: handles,
            holds: None,
            mode: self.mode,
            prefault: self.prefault,
            open_timeout: Some(self.patience()),
            wait_for_role: None,
            ephemeral: self.ephemeral,
            replace: self.replace,
            reopen: false,
            patience: None,
            growing: false,
            comes_from: None,
            initial: self.initial.clone(),
        })
    }

    /// Refuses those of `options` that were given, because they would do nothing.
    pub(super) fn refuse(&self, options: &[&'static str], why: &str) -> Result<()> {
        let given = [
            ("size", self.size.is_some()),
            ("handles", self.handles.is_some()),
            ("ephemeral", self.ephemeral),
            ("replace", self.replace),
            ("extend", self.extend),
        ];
        match given.into_iter().find(|(option, given)| *given && options.contains(option)) {
            Some((option, _)) => Err(self.refused(option, why)),
            None => Ok(()),
        }
    }

    fn refused(&self, option: &'static str, expected: &str) -> Error {
        let found = match option {
            "size" => format!("{:?}", self.size),
            "handles" => self.handles.unwrap_or_default().to_string(),
            _ => "true".to_owned(),
        };
        let expected = expected.to_owned();
        Error::new(self.place(), ErrorKind::BadOption { option, found, expected })
    }
}

impl<M> fmt::Debug for MmapOptions<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MmapOptions")
            .field("location", &self.location)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

pub(super) fn named<M: Mmap>(name: &str) -> MmapOptions<M> {
    MmapOptions::new(M::name(name).map(Location::from))
}

pub(super) fn descriptor<M: Mmap>(descriptor: OwnedFd) -> MmapOptions<M> {
    MmapOptions::new(Ok(Location::descriptor(descriptor)))
}

pub(super) fn file<M: Mmap>(path: PathBuf) -> MmapOptions<M> {
    MmapOptions::new(Ok(Location::file(path)))
}

/// The four kinds of location, as constructors of a type.
macro_rules! locations {
    ($Type:ty $(, $($generics:tt)*)?) => {
        impl$(<$($generics)*>)? $Type {
            /// In shared memory, under this name. [`MmapOptions`](crate::mmap::MmapOptions) has an
            /// example.
            #[doc(alias = "shm_open")]
            pub fn named(name: impl AsRef<str>) -> $crate::mmap::MmapOptions<Self> {
                $crate::mmap::options::named(name.as_ref())
            }

            /// In this file on a local file system, which keeps the content.
            ///
            /// # Examples
            /// ```
            /// # use io_shared_core as io_shared;
            /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
            /// # let path = std::env::temp_dir().join(format!("doc-file-{}", std::process::id()));
            /// use io_shared::mmap::{Bytes, BytesMut};
            /// let open = || io_shared::SharedMmap::file(&path).size(16).open();
            /// open()?.lock()?.as_bytes_mut()[0] = 7;
            /// // After a restart, or a reboot:
            /// assert_eq!(open()?.lock()?.as_bytes()[0], 7);
            /// # std::fs::remove_file(&path)?;
            /// # Ok(()) }
            /// ```
            #[doc(alias = "mmap")]
            pub fn file(path: impl Into<std::path::PathBuf>) -> $crate::mmap::MmapOptions<Self> {
                $crate::mmap::options::file(path.into())
            }

            /// In new shared memory without a name, for processes that are passed its descriptor
            /// ([`as_fd`](Self::as_fd)). [`SharedMmap::as_fd`](crate::SharedMmap::as_fd) has an
            /// example.
            #[doc(alias = "memfd_create")]
            pub fn anonymous() -> $crate::mmap::MmapOptions<Self> {
                $crate::mmap::MmapOptions::new(Ok($crate::region::Location::Anonymous))
            }

            /// The object that an inherited or received descriptor leads to. It is opened anew.
            /// [`SharedMmap::as_fd`](crate::SharedMmap::as_fd) has an example.
            pub fn from_fd(
                descriptor: impl Into<std::os::fd::OwnedFd>,
            ) -> $crate::mmap::MmapOptions<Self> {
                $crate::mmap::options::descriptor(descriptor.into())
            }
        }
    };
}
pub(super) use locations;
