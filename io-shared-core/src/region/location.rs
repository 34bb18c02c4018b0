//! Where a region lies: in shared memory under a name, in a file, or at an open descriptor.
//!
//! A [`Location`] opens what lies there, and refuses what cannot be shared between processes:
//! things that are not files, and file systems whose mappings or locks differ between machines.

use std::fmt;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::statfs::fstatfs;

use super::cause;
use super::name::Name;
use crate::error::{Error, ErrorKind, Result};
use crate::os::file::{FIRST_KEPT, SHM_DIRECTORY, above_streams, identity_at, open_path, reopen};

/// Where a region lies.
///
/// Channels and locked mmaps are usually opened by name, with `Channel::named` or
/// `SharedMmap::named`. Code that takes the location of a channel from its configuration passes a
/// `Location` to `Channel::at` instead.
///
/// # Examples
/// A name in shared memory, and a file:
/// ```
/// use io_shared_core::{Location, Name};
/// # fn main() -> io_shared_core::Result<()> {
/// assert_eq!(Location::from(Name::new("cloud_share")?).to_string(), "/cloud_share");
/// assert_eq!(Location::file("/var/lib/robot/state").to_string(), "file /var/lib/robot/state");
/// # Ok(()) }
/// ```
/// A location that a user gives as text, where a path follows `file:`:
/// ```
/// use io_shared_core::{Location, Name, Result};
///
/// fn parse(text: &str) -> Result<Location> {
///     match text.strip_prefix("file:") {
///         Some(path) => Ok(Location::file(path)),
///         None => Ok(Location::from(Name::new(text)?)),
///     }
/// }
/// # fn main() -> Result<()> {
/// assert!(matches!(parse("/camera/rgb")?, Location::Shm(_)));
/// assert!(matches!(parse("file:/var/lib/robot/state")?, Location::File(_)));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Location {
    /// A POSIX shared-memory object, which stays in memory until it is removed or the machine goes
    /// down.
    #[doc(alias = "shm_open")]
    Shm(Name),
    /// A file, which keeps its content over reboots.
    File(PathBuf),
    /// A new memory object without a name. It goes away with its last descriptor and mapping.
    #[doc(alias = "memfd_create")]
    Anonymous,
    /// The object at an open descriptor, such as another process's anonymous object.
    Descriptor(Arc<OwnedFd>),
}

/// File systems on which mappings or locks are not shared by all users of a file.
const REMOTE: [(i64, &str); 11] = [
    (0x6969, "NFS"),
    (0x6573_5546, "FUSE"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB"),
    (0x517B, "SMB"),
    (0x0102_1997, "9P"),
    (0x00C3_6400, "Ceph"),
    (0x5346_414F, "AFS"),
    (0x6B41_4653, "AFS"),
    (0x7461_636f, "OCFS2"),
    (0x0BD0_0BD0, "Lustre"),
];

/// hugetlbfs.
const HUGE: i64 = 0x9584_58F6;

impl Location {
    /// The file at `path`. A relative path starts at the current directory of this call, and names
    /// the same file after the process has changed its directory.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::Location;
    ///
    /// let Location::File(path) = Location::file("state") else { unreachable!() };
    /// assert!(path.is_absolute() && path.ends_with("state"));
    /// ```
    #[doc(alias = "mmap")]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        // It fails without a current directory, or for an empty path: opening reports that.
        Self::File(std::path::absolute(&path).unwrap_or(path))
    }

    /// The object that `descriptor` leads to.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::Location;
    /// # fn main() -> std::io::Result<()> {
    /// let file = tempfile::tempfile()?;
    /// let location = Location::descriptor(file);
    /// assert!(location.to_string().starts_with("shared memory of descriptor "));
    /// # Ok(()) }
    /// ```
    pub fn descriptor(descriptor: impl Into<OwnedFd>) -> Self {
        let descriptor = descriptor.into();
        // It fails if no descriptors are left: opening reports that.
        let moved = (descriptor.as_raw_fd() < FIRST_KEPT)
            .then(|| descriptor.try_clone().ok().and_then(|copy| above_streams(copy).ok()));
        Self::Descriptor(Arc::new(moved.flatten().unwrap_or(descriptor)))
    }

    /// The path that leads there, if one does.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Shm(name) => Some(name.path()),
            Self::File(path) => Some(path),
            Self::Anonymous | Self::Descriptor(_) => None,
        }
    }

    /// The directory in which it is created.
    pub(crate) fn directory(&self) -> PathBuf {
        match self {
            Self::File(path) => match path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
                _ => PathBuf::from("."),
            },
            _ => PathBuf::from(SHM_DIRECTORY),
        }
    }

    /// A new open file description of the object there; `None` if there is none. One that may write
    /// appends, so that what another part of the program writes to its number by mistake lands
    /// after the content.
    pub(crate) fn open(&self, access: OFlag) -> Result<Option<File>> {
        let access = match access & OFlag::O_ACCMODE {
            OFlag::O_RDONLY => access,
            _ => access | OFlag::O_APPEND,
        };
        let opened = match self {
            Self::Shm(name) => open_path(name.path(), access),
            Self::File(path) => open_path(path, access),
            Self::Anonymous => return Ok(None),
            Self::Descriptor(descriptor) => self.reopen(descriptor, access)?,
        };
        match opened {
            Ok(file) => {
                let metadata = file.metadata().map_err(|e| self.io_error("fstat", &e))?;
                self.check_file_type(&metadata)?;
                self.check_file_system(&file)?;
                Ok(Some(file))
            }
            Err(Errno::ENOENT) => Ok(None),
            Err(Errno::ELOOP) => Err(self.foreign("a symbolic link")),
            Err(Errno::EISDIR) => Err(self.foreign("a directory")),
            Err(Errno::ENXIO | Errno::ENODEV) => Err(self.foreign("a socket or a device")),
            Err(errno @ (Errno::EACCES | Errno::EPERM)) => {
                let writes = access != OFlag::O_RDONLY;
                let advice = cause::of_refused_open(self.path(), errno, writes);
                Err(Error::system(self, "open", errno).advise(advice))
            }
            Err(errno) => Err(Error::system(self, "open", errno)),
        }
    }

    /// Opens the object anew: a received descriptor shares its locks with its sender, so the same
    /// claim would succeed twice.
    fn reopen(
        &self,
        descriptor: &OwnedFd,
        access: OFlag,
    ) -> Result<std::result::Result<File, Errno>> {
        let opened = reopen(descriptor, access | OFlag::O_NONBLOCK | OFlag::O_NOCTTY);
        if opened.as_ref().is_err_and(|errno| *errno == Errno::ENOENT) {
            let what = "without /proc a descriptor cannot be opened anew, and without that it \
                        would share its locks with its sender";
            return Err(self.error(ErrorKind::Unsupported { what: what.into() }));
        }
        Ok(opened)
    }

    fn check_file_type(&self, metadata: &std::fs::Metadata) -> Result<()> {
        let kind = metadata.file_type();
        if kind.is_file() {
            return Ok(());
        }
        Err(self.foreign(match () {
            () if kind.is_dir() => "a directory",
            () if kind.is_fifo() => "a FIFO",
            () if kind.is_socket() => "a socket",
            () => "a device",
        }))
    }

    /// Refuses files whose mappings or locks other machines would not see.
    pub(crate) fn check_file_system(&self, file: &File) -> Result<()> {
        let (Self::File(_) | Self::Descriptor(_)) = self else { return Ok(()) };
        let kind = fstatfs(file).map_err(|e| Error::system(self, "fstatfs", e))?.filesystem_type();
        if kind.0 as i64 == HUGE {
            let what = "it lies on hugetlbfs, whose files can be mapped in huge pages only, and \
                        neither read nor written: use /dev/shm, a file elsewhere, or a descriptor \
                        without MFD_HUGETLB";
            return Err(self.error(ErrorKind::Unsupported { what: what.into() }));
        }
        match remote(kind.0 as i64) {
            None => Ok(()),
            Some(what) => Err(self.error(ErrorKind::Unsupported {
                what: format!(
                    "it lies on {what}, where mappings or locks are not the same for everyone: use \
                     a local file system"
                ),
            })),
        }
    }

    /// Whether the object there, opened as `file`, survives a reboot of the machine.
    pub(crate) fn survives_reboot(&self, file: &File) -> bool {
        // tmpfs, hugetlbfs, ramfs
        const IN_MEMORY: [i64; 3] = [0x0102_1994, HUGE, 0x8584_58F6];
        match self {
            Self::File(_) => true,
            Self::Shm(_) | Self::Anonymous => false,
            Self::Descriptor(_) => file_system(file).is_some_and(|kind| !IN_MEMORY.contains(&kind)),
        }
    }

    /// Whether `file` lies on an overlay, where it may be in a lower layer. A mapping of it then
    /// does not show what others write, because a writer has the file copied up first.
    pub(crate) fn is_overlay(&self, file: &File) -> bool {
        const OVERLAY: i64 = 0x794c_7630;
        matches!(self, Self::File(_) | Self::Descriptor(_)) && file_system(file) == Some(OVERLAY)
    }

    /// Device and inode of the object there now.
    pub(crate) fn identity(&self) -> Option<(u64, u64)> {
        match self {
            Self::Descriptor(descriptor) => {
                let status = nix::sys::stat::fstat(descriptor.as_fd()).ok()?;
                Some((status.st_dev, status.st_ino))
            }
            _ => identity_at(self.path()?),
        }
    }

    /// Device and inode of the directory now.
    pub(crate) fn directory_identity(&self) -> Option<(u64, u64)> {
        std::fs::metadata(self.directory()).ok().map(|metadata| (metadata.dev(), metadata.ino()))
    }

    /// Device and inode of `file`, which was opened here.
    pub(crate) fn identity_of(&self, file: &File) -> Result<(u64, u64)> {
        let metadata = file.metadata().map_err(|e| self.io_error("fstat", &e))?;
        Ok((metadata.dev(), metadata.ino()))
    }

    /// Whether a look for its name finds nothing. `false` if this process may not look for it.
    pub(crate) fn is_absent(&self) -> bool {
        self.path().is_some_and(|path| {
            let found = std::fs::symlink_metadata(path);
            found.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
        })
    }

    pub(crate) fn error(&self, kind: ErrorKind) -> Error {
        Error::new(self, kind)
    }

    pub(crate) fn foreign(&self, found: impl Into<String>) -> Error {
        self.error(ErrorKind::NotARegion { found: found.into() })
    }

    pub(crate) fn io_error(&self, call: &'static str, error: &std::io::Error) -> Error {
        Error::system(self, call, Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
    }
}

impl From<Name> for Location {
    fn from(name: Name) -> Self {
        Self::Shm(name)
    }
}

impl From<&Name> for Location {
    fn from(name: &Name) -> Self {
        Self::Shm(name.clone())
    }
}

/// The kind of file system that `file` lies on, if the kernel tells it.
fn file_system(file: &File) -> Option<i64> {
    let kind = fstatfs(file).ok()?.filesystem_type();
    Some(kind.0 as i64)
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shm(name) => name.fmt(f),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Anonymous => f.write_str("anonymous shared memory"),
            Self::Descriptor(descriptor) => {
                write!(f, "shared memory of descriptor {}", descriptor.as_raw_fd())
            }
        }
    }
}

/// The name of a file system whose files are not the same for all of their users.
fn remote(kind: i64) -> Option<&'static str> {
    REMOTE.iter().find(|(number, _)| kind == *number).map(|(_, what)| *what)
}

#[cfg(test)]
mod tests {
    use nix::sys::statfs::*;

    use super::*;

    #[test]
    fn network_file_systems_are_known_and_local_ones_are_not_among_them() {
        for kind in [NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, FUSE_SUPER_MAGIC, AFS_SUPER_MAGIC] {
            assert!(remote(kind.0).is_some(), "{kind:?}");
        }
        for kind in [TMPFS_MAGIC, EXT4_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC] {
            assert_eq!(remote(kind.0), None, "{kind:?}");
        }
    }
}
