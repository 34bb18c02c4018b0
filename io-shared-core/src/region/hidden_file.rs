//! A file that appears under its name whole, or not at all.
//!
//! A [`HiddenFile`] is created without a name (O_TMPFILE), sized and written, and only then linked.
//! A creator killed at any instruction leaves nothing visible. Where the kernel has no nameless
//! files or /proc is not mounted, a hidden name takes their place; those of dead creators are
//! swept. Where a security profile refuses hidden names, or refuses to link them, the hidden name
//! begins with the region's own. Callers are the creation of regions and the mmap without a lock.

use std::cell::Cell;
use std::fs::{File, Metadata};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use nix::NixPath;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, FcntlArg, OFlag, SealFlag, fcntl};
use nix::sys::stat::Mode;
use nix::unistd::linkat;

use super::location::Location;
use super::name::{UNFINISHED, is_unfinished};
use super::{cause, space};
use crate::crash_point::{CrashPoint, reached};
use crate::error::{Error, ErrorKind, Result};
use crate::os::claim::{Claims, Part};
use crate::os::file::{create_path, duplicate_to_append, memory_file, open_path, reopen};

/// The age at which a dead creator's hidden name is swept. A younger one may belong to a creator
/// between its open and its claim.
const SWEPT_AFTER: Duration = Duration::from_secs(10);

/// How many bytes of the region's own name a hidden name may begin with: 255 less what follows.
const LONGEST_OWN: usize = 255 - UNFINISHED.len() - 16;

/// Whether this process may link only hidden names that begin with the region's own. It found out
/// by a refusal, and makes no others from then on. It guards nothing, so its accesses are relaxed.
static CONFINED: AtomicBool = AtomicBool::new(false);

/// How the file is hidden.
enum Hiding {
    Nameless,
    /// Under a hidden name, which is removed when the file is dropped.
    Hidden(PathBuf, #[allow(dead_code, reason = "held so that sweepers see a user")] Claims),
    /// As `Hidden`; sweepers see a user by the role that its creator has in it.
    Linked(PathBuf),
    /// It never gets a name.
    Memfd,
}

/// A file that is not visible at its location yet. It has its full size, and starts as zeros.
pub(crate) struct HiddenFile {
    location: Location,
    file: File,
    hiding: Hiding,
    /// Whether its hidden name begins with the region's own.
    is_confined: bool,
    /// Whether its hidden name leads to the file that it has taken the place of.
    is_exchanged: Cell<bool>,
}

impl HiddenFile {
    /// A file of `size` bytes, all of them reserved.
    ///
    /// # Errors
    /// [`ErrorKind::NoSpace`], [`ErrorKind::FileSizeLimit`], [`ErrorKind::Unsupported`],
    /// [`ErrorKind::System`].
    pub(crate) fn new(location: &Location, size: u64, mode: Option<u32>) -> Result<Self> {
        space::check_file_size_limit(location, size)?;
        let ((file, hiding), is_confined) =
            Self::make(location).map_err(|errno| refused_creation(location, errno))?;
        let (location, is_exchanged) = (location.clone(), Cell::new(false));
        let hidden = Self { location, file, hiding, is_confined, is_exchanged };
        let location = &hidden.location;
        location.check_file_system(&hidden.file)?;
        // fchmod, because the umask has cut the mode that open was given.
        let mode = Mode::from_bits_truncate(mode.unwrap_or(0o600));
        nix::sys::stat::fchmod(&hidden.file, mode)
            .map_err(|errno| Error::system(location, "fchmod", errno))?;
        space::allocate(location, &hidden.file, 0, size)?;
        reached(CrashPoint::RegionSized);
        Ok(hidden)
    }

    /// A new file, and whether its hidden name begins with the region's own.
    fn make(location: &Location) -> std::result::Result<((File, Hiding), bool), Errno> {
        if let Location::Anonymous = location {
            return Ok(((memory_file()?, Hiding::Memfd), false));
        }
        let directory = location.directory();
        let name = location.path().and_then(Path::file_name);
        let made = if name.is_some() && CONFINED.load(Ordering::Relaxed) {
            Err(Errno::EACCES)
        } else {
            Self::nameless(&directory).or_else(|errno| match errno {
                // This file system has no O_TMPFILE (EISDIR: this kernel has none), or there is no
                // /proc.
                Errno::EOPNOTSUPP | Errno::EISDIR | Errno::EINVAL | Errno::ENOENT => {
                    sweep(&directory);
                    Self::named(&directory, "")
                }
                errno => Err(errno),
            })
        };
        match (made, name) {
            // A security profile may confine a program to names that begin with one of its own
            // (a snap's: `/dev/shm/snap.NAME.*`).
            (Err(Errno::EACCES | Errno::EPERM), Some(name)) => {
                sweep(&directory);
                Self::named(&directory, &name.to_string_lossy()).map(|made| (made, true))
            }
            (made, _) => made.map(|made| (made, false)),
        }
    }

    fn nameless(directory: &Path) -> std::result::Result<(File, Hiding), Errno> {
        let flags = OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC;
        let file = create_path(directory, flags, Mode::S_IRUSR | Mode::S_IWUSR)?;
        // Linking it goes through /proc, so a missing /proc has to show now.
        drop(reopen(&file, OFlag::O_RDONLY)?);
        Ok((file, Hiding::Nameless))
    }

    /// A file under a hidden name that begins with `own`, as far as there is room.
    fn named(directory: &Path, own: &str) -> std::result::Result<(File, Hiding), Errno> {
        let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_RDWR | OFlag::O_CLOEXEC;
        loop {
            let path = hidden_path(directory, own);
            match create_path(&path, flags, Mode::S_IRUSR | Mode::S_IWUSR) {
                Ok(file) => {
                    // The claim shows sweepers that the file is in use.
                    let open = |access| open_path(&path, access).map(|file| Some(file.into()));
                    let claimed = Claims::open(open, |errno| errno).and_then(|claims| {
                        let claims = claims.ok_or(Errno::ENOENT)?;
                        claims.try_claim(Part::Creator)?;
                        Ok(claims)
                    });
                    return match claimed {
                        Ok(claims) => Ok((file, Hiding::Hidden(path, claims))),
                        Err(errno) => {
                            let _ = std::fs::remove_file(&path);
                            Err(errno)
                        }
                    };
                }
                Err(Errno::EEXIST) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// The file to write the content to.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// The file to map and to keep, after the content was written: from now on, writes append.
    pub(crate) fn file_to_keep(&self) -> Result<File> {
        duplicate_to_append(&self.file)
            .map_err(|errno| Error::system(&self.location, "fcntl", errno))
    }

    /// Another open file description of the file.
    pub(crate) fn reopen(&self, access: OFlag) -> Result<File> {
        let opened = match &self.hiding {
            Hiding::Nameless | Hiding::Memfd => reopen(&self.file, access),
            Hiding::Hidden(path, _) | Hiding::Linked(path) => open_path(path, access),
        };
        opened.map_err(|errno| Error::system(&self.location, "open", errno))
    }

    /// Makes the file visible at its location. `false`: something is there already, or a file that
    /// is hidden in another way must be made.
    pub(crate) fn link(&self) -> Result<bool> {
        let is_file = matches!(self.location, Location::File(_));
        if is_file {
            // Without this, a machine that goes down may leave the name without the content.
            sync(&self.location, &self.file)?;
        }
        let to = self.location.path().unwrap_or(Path::new(""));
        let linked = match &self.hiding {
            Hiding::Nameless => {
                let from = format!("/proc/self/fd/{}", self.file.as_raw_fd());
                linkat(AT_FDCWD, from.as_str(), AT_FDCWD, to, AtFlags::AT_SYMLINK_FOLLOW)
            }
            Hiding::Hidden(from, _) | Hiding::Linked(from) => {
                linkat(AT_FDCWD, from, AT_FDCWD, to, AtFlags::empty())
            }
            Hiding::Memfd => {
                // Nobody that receives it can truncate it under the other users.
                let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_SEAL;
                fcntl(&self.file, FcntlArg::F_ADD_SEALS(seals)).map(drop)
            }
        };
        match linked {
            Ok(()) => {
                if is_file {
                    sync_directory(&self.location);
                }
                Ok(true)
            }
            Err(Errno::EEXIST) => Ok(false),
            // A security profile may allow such a file, and refuse to link it.
            Err(Errno::EACCES | Errno::EPERM)
                if !self.is_confined && !matches!(self.hiding, Hiding::Memfd) =>
            {
                CONFINED.store(true, Ordering::Relaxed);
                Ok(false)
            }
            // If the reason were another one, the open would have failed already.
            Err(Errno::EPERM | Errno::EOPNOTSUPP) => {
                let what = "this file system has no hard links, which make a region appear whole: \
                            use another file system";
                Err(self.location.error(ErrorKind::Unsupported { what: what.into() }))
            }
            Err(errno) => {
                let advice = cause::of_refused_link(errno);
                Err(Error::system(&self.location, "linkat", errno).advise(advice))
            }
        }
    }
}

/// A larger region that waits under a hidden name for the name of another.
impl HiddenFile {
    /// Gives the file the owner and the group of the file that it takes the place of. `false`: this
    /// process may not.
    pub(super) fn belong_to(&self, owner: u32, group: u32) -> Result<bool> {
        let own = self.file.metadata().map_err(|error| self.location.io_error("fstat", &error))?;
        if (own.uid(), own.gid()) == (owner, group) {
            return Ok(true);
        }
        match std::os::unix::fs::fchown(&self.file, Some(owner), Some(group)) {
            Ok(()) => Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => Ok(false),
            Err(error) => Err(self.location.io_error("fchown", &error)),
        }
    }

    /// Gives the file a hidden name, whose user sweepers see by a role that the caller has in it.
    /// In a file, its content is on disk first. Sweeps what killed ones have left. `false`: a file
    /// that is hidden in another way must be made.
    pub(super) fn link_hidden(&mut self) -> Result<bool> {
        let directory = self.location.directory();
        sweep(&directory);
        if matches!(self.location, Location::File(_)) {
            sync(&self.location, &self.file)?;
        }
        if !matches!(self.hiding, Hiding::Nameless) {
            return Ok(true);
        }
        let from = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        loop {
            let path = hidden_path(&directory, "");
            let flags = AtFlags::AT_SYMLINK_FOLLOW;
            match linkat(AT_FDCWD, from.as_str(), AT_FDCWD, &path, flags) {
                Ok(()) => {
                    self.hiding = Hiding::Linked(path);
                    return Ok(true);
                }
                Err(Errno::EEXIST) => {}
                Err(Errno::EACCES | Errno::EPERM) => {
                    CONFINED.store(true, Ordering::Relaxed);
                    return Ok(false);
                }
                Err(errno) => {
                    let advice = cause::of_refused_link(errno);
                    return Err(Error::system(&self.location, "linkat", errno).advise(advice));
                }
            }
        }
    }

    /// Makes the location's name lead here, in one step, and no longer to what it led to. With
    /// `keeps`, that has the hidden name from then on, where the file system can exchange names;
    /// otherwise it has none.
    pub(super) fn rename(&self, keeps: bool) -> std::result::Result<(), Errno> {
        let from = self.hidden_path().ok_or(Errno::ENOENT)?;
        let to = self.location.path().ok_or(Errno::ENOENT)?;
        if keeps {
            match exchange_names(from, to) {
                Err(Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP) => {}
                exchanged => {
                    self.is_exchanged.set(exchanged.is_ok());
                    return exchanged;
                }
            }
        }
        nix::fcntl::renameat(AT_FDCWD, from, AT_FDCWD, to)
    }

    /// Its hidden name, if it has one.
    pub(super) fn hidden_path(&self) -> Option<&Path> {
        match &self.hiding {
            Hiding::Hidden(path, _) | Hiding::Linked(path) => Some(path),
            Hiding::Nameless | Hiding::Memfd => None,
        }
    }

    /// Syncs the directory of a file that was renamed.
    pub(super) fn sync_name(&self) {
        if matches!(self.location, Location::File(_)) {
            sync_directory(&self.location);
        }
    }
}

/// Exchanges what two names lead to, in one step: renameat2(2) with RENAME_EXCHANGE.
fn exchange_names(one: &Path, other: &Path) -> std::result::Result<(), Errno> {
    let exchanged = one.with_nix_path(|one| {
        other.with_nix_path(|other| {
            // SAFETY: both are strings that end in a 0 and live through the call. The system call
            // itself, because not every C library has the function.
            let done = unsafe {
                libc::syscall(
                    libc::SYS_renameat2,
                    libc::AT_FDCWD,
                    one.as_ptr(),
                    libc::AT_FDCWD,
                    other.as_ptr(),
                    libc::RENAME_EXCHANGE,
                )
            };
            Errno::result(done).map(drop)
        })
    });
    exchanged??
}

/// A hidden name that begins with `own`, as far as there is room, and is nobody else's.
fn hidden_path(directory: &Path, own: &str) -> PathBuf {
    let own = own.get(..own.floor_char_boundary(LONGEST_OWN)).unwrap_or_default();
    let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0u8);
    directory.join(format!("{own}{UNFINISHED}{random:016x}"))
}

fn refused_creation(location: &Location, errno: Errno) -> Error {
    let error = Error::system(location, "create", errno);
    let is_shm = matches!(location, Location::Shm(_));
    match location.path() {
        Some(_) => error.advise(cause::of_refused_creation(&location.directory(), is_shm, errno)),
        None => error,
    }
}

fn sync(location: &Location, file: &File) -> Result<()> {
    match file.sync_all().map_err(|error| error.raw_os_error()) {
        // EINVAL, EROFS: its file system has nothing to sync.
        Ok(()) | Err(Some(libc::EINVAL | libc::EROFS)) => Ok(()),
        Err(errno) => {
            Err(Error::system(location, "fsync", Errno::from_raw(errno.unwrap_or(libc::EIO))))
        }
    }
}

/// Syncs the directory. If that fails, the file is there all the same, and the kernel syncs its
/// name later: a user who may write to a directory may not be allowed to read it.
fn sync_directory(location: &Location) {
    let opened =
        File::open(location.directory()).map_err(|error| location.io_error("open", &error));
    if let Err(error) = opened.and_then(|directory| sync(location, &directory)) {
        tracing::warn!(region = %location, %error, "its directory was not synced");
    }
}

impl Drop for HiddenFile {
    fn drop(&mut self) {
        if let Some(path) = self.hidden_path().filter(|_| !self.is_exchanged.get()) {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Removes the hidden names of creators that were killed. A living creator has a claim, and so has
/// whoever asks for a history in a region that a channel had before it grew (`exchange.rs`).
fn sweep(directory: &Path) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let is_old = |metadata: Metadata| {
            let age = metadata.modified().map(|at| SystemTime::now().duration_since(at));
            matches!(age, Ok(Ok(age)) if metadata.is_file() && age > SWEPT_AFTER)
        };
        let stale = is_unfinished(&entry.file_name().to_string_lossy())
            && entry.metadata().is_ok_and(is_old);
        let unused = || {
            let open = |access| Ok(open_path(&entry.path(), access).ok().map(OwnedFd::from));
            let claims = Claims::open(open, |errno| errno).ok()??;
            let is_unused = claims.try_claim(Part::Roles).ok()?
                && !claims.is_taken(Part::History).unwrap_or(true);
            is_unused.then_some(())
        };
        if stale && unused().is_some() {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_in(directory: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(directory).unwrap().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn an_unfinished_name_may_begin_with_the_channels_own_and_is_swept_all_the_same() {
        let directory = tempfile::tempdir().unwrap();
        for own in ["snap.robot.cloud", &"x".repeat(250), &"облако".repeat(20), ""] {
            let made = HiddenFile::named(directory.path(), own).unwrap();
            let [name] = &*names_in(directory.path()) else { panic!("one file") };
            assert!(is_unfinished(name), "{name}");
            let begins = name.split(UNFINISHED).next().unwrap();
            assert!(own.starts_with(begins) && begins.len() >= own.len().min(220), "{name}");
            let path = directory.path().join(name);
            let old = SystemTime::now() - Duration::from_secs(60);
            made.0.set_modified(old).unwrap();
            sweep(directory.path());
            assert!(path.exists(), "its creator lives");
            drop(made);
            std::fs::write(&path, "").unwrap();
            File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
            sweep(directory.path());
            assert!(!path.exists(), "its creator is dead");
        }
    }
}
