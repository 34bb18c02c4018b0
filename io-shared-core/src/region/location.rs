//! Where a region lives: under a shared-memory name, in a file, or behind a descriptor.

use std::fmt;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::Mode;
use nix::sys::statfs::fstatfs;

use crate::error::{Error, ErrorKind, Result};
use crate::region::cause;
use crate::region::name::{DIRECTORY, Name};

/// What shared memory stands behind.
///
/// # Examples
/// ```
/// use io_shared_core::{Name, Location};
/// # fn main() -> io_shared_core::Result<()> {
/// assert_eq!(Location::from(Name::new("cloud_share")?).to_string(), "/cloud_share");
/// assert_eq!(Location::file("/var/lib/robot/state").to_string(), "file /var/lib/robot/state");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Location {
    /// A POSIX shared-memory object, in memory until it is removed or the machine goes down.
    Shm(Name),
    /// A file, which keeps its content.
    File(PathBuf),
    /// A new memory object without a name, which goes with its last descriptor and mapping.
    Anonymous,
    /// What an open descriptor leads to: another process's anonymous object, say.
    Descriptor(Arc<OwnedFd>),
}

/// File systems on which mappings or locks are not shared between all who use a file.
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
    /// The file of that path. A relative one is taken from where the process is now, and stays that
    /// file's wherever the process goes.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        // It fails without a directory to be in, or for no path at all: opening says that.
        Self::File(std::path::absolute(&path).unwrap_or(path))
    }

    /// What that descriptor leads to.
    pub fn descriptor(descriptor: impl Into<OwnedFd>) -> Self {
        let descriptor = descriptor.into();
        // It fails where there are no more descriptors: opening says that.
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
            _ => PathBuf::from(DIRECTORY),
        }
    }

    /// A new open file description of what lies there; `None` if nothing does. One that may write
    /// appends: what another part of the program writes by mistake to its number lands after the
    /// content.
    pub(crate) fn open(&self, access: OFlag) -> Result<Option<File>> {
        let access = match access & OFlag::O_ACCMODE {
            OFlag::O_RDONLY => access,
            _ => access | OFlag::O_APPEND,
        };
        let opened = match self {
            Self::Shm(name) => open_path(name.path(), access),
            Self::File(path) => open_path(path, access),
            Self::Anonymous => return Ok(None),
            Self::Descriptor(descriptor) => {
                // Opened anew: a descriptor from elsewhere shares its locks with its sender, and the
                // same claim would succeed twice.
                let opened = reopen(descriptor, access | OFlag::O_NONBLOCK | OFlag::O_NOCTTY);
                if opened.as_ref().is_err_and(|errno| *errno == Errno::ENOENT) {
                    let what = "without /proc a descriptor cannot be opened anew, and without that \
                                it would share its locks with its sender";
                    return Err(self.error(ErrorKind::Unsupported { what: what.into() }));
                }
                opened
            }
        };
        match opened {
            Ok(file) => {
                let metadata = file.metadata().map_err(|e| self.io_error("fstat", &e))?;
                self.check_kind(&metadata)?;
                self.check_file_system(&file)?;
                Ok(Some(file))
            }
            Err(Errno::ENOENT) => Ok(None),
            Err(Errno::ELOOP) => Err(self.foreign("a symbolic link")),
            Err(Errno::EISDIR) => Err(self.foreign("a directory")),
            Err(Errno::ENXIO | Errno::ENODEV) => Err(self.foreign("a socket or a device")),
            Err(errno @ (Errno::EACCES | Errno::EPERM)) => {
                let advice = cause::of_refused_open(self, errno, access != OFlag::O_RDONLY);
                Err(Error::system(self, "open", errno).advise(advice))
            }
            Err(errno) => Err(Error::system(self, "open", errno)),
        }
    }

    fn check_kind(&self, metadata: &std::fs::Metadata) -> Result<()> {
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
            let what = "it lies on hugetlbfs, whose files are mapped in huge pages only, and neither \
                        read nor written: use /dev/shm, a file elsewhere, or a descriptor without \
                        MFD_HUGETLB";
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

    /// Whether what lies there, in `file`, outlives the machine's uptime.
    pub(crate) fn keeps(&self, file: &File) -> bool {
        const IN_MEMORY: [i64; 3] = [0x0102_1994, 0x9584_58F6, 0x8584_58F6]; // tmpfs, hugetlbfs, ramfs
        match self {
            Self::File(_) => true,
            Self::Shm(_) | Self::Anonymous => false,
            Self::Descriptor(_) => file_system(file).is_some_and(|kind| !IN_MEMORY.contains(&kind)),
        }
    }

    /// Whether `file` lies on an overlay, where it may be in a lower layer: what is mapped of it then is
    /// not what others write, who have it copied up.
    pub(crate) fn is_overlay(&self, file: &File) -> bool {
        const OVERLAY: i64 = 0x794c_7630;
        matches!(self, Self::File(_) | Self::Descriptor(_)) && file_system(file) == Some(OVERLAY)
    }

    /// Device and inode of what lies there now.
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

    /// Whether its name is looked for and not found. Not so where it may not be looked for.
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

/// The kind of file system that `file` lies on, where it can be asked.
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

/// The name of a file system whose files are not the same for everyone who uses them.
fn remote(kind: i64) -> Option<&'static str> {
    REMOTE.iter().find(|(number, _)| kind == *number).map(|(_, what)| *what)
}

/// The device and inode that `path` leads to.
pub(crate) fn identity_at(path: &Path) -> Option<(u64, u64)> {
    nix::sys::stat::lstat(path).ok().map(|status| (status.st_dev, status.st_ino))
}

pub(crate) fn open_path(path: &Path, access: OFlag) -> std::result::Result<File, Errno> {
    // NOFOLLOW, NONBLOCK: whatever lies there is neither followed nor waited for.
    let flags = access | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    create_path(path, flags, Mode::empty())
}

/// As open(2), but that no descriptor below 3 is kept.
pub(crate) fn create_path(
    path: &Path,
    flags: OFlag,
    mode: Mode,
) -> std::result::Result<File, Errno> {
    above_streams(nix::fcntl::open(path, flags, mode)?).map(File::from)
}

/// The first number that is none of a standard stream.
const FIRST_KEPT: i32 = 3;

/// Moves `descriptor` above the numbers of the standard streams. In a program that has closed those
/// it would else become one of them, and the next print would overwrite a region.
pub(crate) fn above_streams(descriptor: OwnedFd) -> std::result::Result<OwnedFd, Errno> {
    if descriptor.as_raw_fd() >= FIRST_KEPT {
        return Ok(descriptor);
    }
    let moved = fcntl(&descriptor, FcntlArg::F_DUPFD_CLOEXEC(FIRST_KEPT))?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(moved) })
}

/// Another descriptor of the same open file description, which appends from now on, as those of
/// [`Location::open`] do.
pub(crate) fn keep(file: &File) -> std::result::Result<File, Errno> {
    let flags = OFlag::from_bits_retain(fcntl(file, FcntlArg::F_GETFL)?);
    fcntl(file, FcntlArg::F_SETFL(flags | OFlag::O_APPEND))?;
    let copy = fcntl(file, FcntlArg::F_DUPFD_CLOEXEC(FIRST_KEPT))?;
    // SAFETY: as above.
    Ok(unsafe { File::from_raw_fd(copy) })
}

/// Another open file description of `file`'s object. ENOENT where /proc is not mounted.
pub(crate) fn reopen(file: &impl AsFd, access: OFlag) -> std::result::Result<File, Errno> {
    let path = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
    create_path(Path::new(&path), access | OFlag::O_CLOEXEC, Mode::empty())
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
