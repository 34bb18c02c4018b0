//! A file that appears whole or not at all.
//!
//! It is made without a name (O_TMPFILE), sized and written, and only then linked. A creator killed
//! at any instruction leaves nothing visible. Where the kernel has no nameless files or /proc is not
//! mounted, a hidden name takes their place, and those of dead creators are swept. Where a security
//! profile refuses these, or refuses to link them, the name begins with the region's own.

use std::fs::{File, Metadata};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, FallocateFlags, FcntlArg, OFlag, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use nix::sys::stat::Mode;
use nix::unistd::linkat;

use crate::crash_point::{CrashPoint, reached};
use crate::error::{Error, ErrorKind, Result};
use crate::os::claim::{Claims, Part};
use crate::region::cause;
use crate::region::location::{Location, above_streams, create_path, keep, open_path, reopen};
use crate::region::name::{UNFINISHED, is_unfinished};

/// How old a hidden name of a dead creator is before it is swept: younger ones may belong to a
/// creator between its open and its lock.
const SWEPT_AFTER: Duration = Duration::from_secs(10);

/// How much of its own name an unfinished one begins with: 255 bytes less what comes after it.
const LONGEST_OWN: usize = 255 - UNFINISHED.len() - 16;

/// Whether this process was refused a link from anything but a name that begins with the region's
/// own: from then on it makes no other. It guards nothing, so its loads and stores are relaxed.
static CONFINED: AtomicBool = AtomicBool::new(false);

/// The file, by how it is kept from sight.
enum Hiding {
    Nameless,
    /// Under a hidden name, which goes when this is dropped.
    Hidden(PathBuf, #[allow(dead_code, reason = "it is held, not used")] Claims),
    /// It never gets a name.
    Memfd,
}

/// A file that is not visible in its place yet: of full size, all zeros at first.
pub(crate) struct Unlinked {
    location: Location,
    file: File,
    hiding: Hiding,
    /// Its name until then begins with its own.
    is_own: bool,
}

impl Unlinked {
    /// A file of `size` bytes, all of them reserved.
    ///
    /// # Errors
    /// [`ErrorKind::NoSpace`], [`ErrorKind::FileSizeLimit`], [`ErrorKind::Unsupported`],
    /// [`ErrorKind::System`].
    pub(crate) fn new(location: &Location, size: u64, mode: Option<u32>) -> Result<Self> {
        check_file_size_limit(location, size)?;
        let ((file, hiding), is_own) = Self::make(location).map_err(|errno| {
            let advice = cause::of_creation(location, "create", errno);
            Error::system(location, "create", errno).advise(advice)
        })?;
        let unlinked = Self { location: location.clone(), file, hiding, is_own };
        location.check_file_system(&unlinked.file)?;
        // fchmod, since the umask has cut the mode that open was given.
        let mode = Mode::from_bits_truncate(mode.unwrap_or(0o600));
        nix::sys::stat::fchmod(&unlinked.file, mode)
            .map_err(|errno| Error::system(location, "fchmod", errno))?;
        allocate(location, &unlinked.file, size)?;
        reached(CrashPoint::RegionSized);
        Ok(unlinked)
    }

    /// And whether it has a name that begins with its own.
    fn make(location: &Location) -> std::result::Result<((File, Hiding), bool), Errno> {
        if let Location::Anonymous = location {
            let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
            let descriptor = above_streams(memfd_create(c"io-shared", flags)?)?;
            return Ok(((File::from(descriptor), Hiding::Memfd), false));
        }
        let directory = location.directory();
        let name = location.path().and_then(Path::file_name);
        let made = if name.is_some() && CONFINED.load(Ordering::Relaxed) {
            Err(Errno::EACCES)
        } else {
            Self::nameless(&directory).or_else(|errno| match errno {
                // No O_TMPFILE on this file system (EISDIR: on this kernel), or no /proc.
                Errno::EOPNOTSUPP | Errno::EISDIR | Errno::EINVAL | Errno::ENOENT => {
                    sweep(&directory);
                    Self::hidden(&directory, "")
                }
                errno => Err(errno),
            })
        };
        match (made, name) {
            // A security profile may confine a program to names that begin with one of its own
            // (a snap's: `/dev/shm/snap.NAME.*`).
            (Err(Errno::EACCES | Errno::EPERM), Some(name)) => {
                sweep(&directory);
                Self::hidden(&directory, &name.to_string_lossy()).map(|made| (made, true))
            }
            (made, _) => made.map(|made| (made, false)),
        }
    }

    fn nameless(directory: &Path) -> std::result::Result<(File, Hiding), Errno> {
        let flags = OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC;
        let file = create_path(directory, flags, Mode::S_IRUSR | Mode::S_IWUSR)?;
        // Linking it will go through /proc.
        drop(reopen(&file, OFlag::O_RDONLY)?);
        Ok((file, Hiding::Nameless))
    }

    /// Under a name that begins with `own`, as far as there is room, and goes on as hidden ones do.
    fn hidden(directory: &Path, own: &str) -> std::result::Result<(File, Hiding), Errno> {
        let own = own.get(..own.floor_char_boundary(LONGEST_OWN)).unwrap_or_default();
        let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_RDWR | OFlag::O_CLOEXEC;
        loop {
            let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0u8);
            let path = directory.join(format!("{own}{UNFINISHED}{random:016x}"));
            match create_path(&path, flags, Mode::S_IRUSR | Mode::S_IWUSR) {
                Ok(file) => {
                    // So that a sweeper sees that it is in use.
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

    /// To write its content to.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// To map and to keep, after the content was written: from now on writes append.
    pub(crate) fn keep(&self) -> Result<File> {
        keep(&self.file).map_err(|errno| Error::system(&self.location, "fcntl", errno))
    }

    /// Another open description of the file.
    pub(crate) fn reopen(&self, access: OFlag) -> Result<File> {
        let opened = match &self.hiding {
            Hiding::Nameless | Hiding::Memfd => reopen(&self.file, access),
            Hiding::Hidden(path, _) => open_path(path, access),
        };
        opened.map_err(|errno| Error::system(&self.location, "open", errno))
    }

    /// Makes the file visible in its place. `false`: something is there already, or a file that is
    /// kept from sight in another way must be made.
    pub(crate) fn link(&self) -> Result<bool> {
        let is_file = matches!(self.location, Location::File(_));
        if is_file {
            // Or a machine that goes down may leave its name without its content.
            sync(&self.location, &self.file)?;
        }
        let to = self.location.path().unwrap_or(Path::new(""));
        let linked = match &self.hiding {
            Hiding::Nameless => {
                let from = format!("/proc/self/fd/{}", self.file.as_raw_fd());
                linkat(AT_FDCWD, from.as_str(), AT_FDCWD, to, AtFlags::AT_SYMLINK_FOLLOW)
            }
            Hiding::Hidden(from, _) => linkat(AT_FDCWD, from, AT_FDCWD, to, AtFlags::empty()),
            Hiding::Memfd => {
                // Nobody it is passed to can cut it short under the others.
                let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
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
            // A profile may allow to make such a file, and refuse to link it.
            Err(Errno::EACCES | Errno::EPERM)
                if !self.is_own && !matches!(self.hiding, Hiding::Memfd) =>
            {
                CONFINED.store(true, Ordering::Relaxed);
                Ok(false)
            }
            // On a file system of another kind these would come from the open before.
            Err(Errno::EPERM | Errno::EOPNOTSUPP) => {
                Err(self.location.error(ErrorKind::Unsupported {
                    what:
                        "this file system has no hard links, by which a region appears whole: use \
                       another"
                            .into(),
                }))
            }
            Err(errno) => {
                let advice = cause::of_refused_link(errno);
                Err(Error::system(&self.location, "linkat", errno).advise(advice))
            }
        }
    }
}

fn sync(location: &Location, file: &File) -> Result<()> {
    match file.sync_all().map_err(|error| error.raw_os_error()) {
        // EINVAL, EROFS: what it lies on keeps nothing by being told to.
        Ok(()) | Err(Some(libc::EINVAL | libc::EROFS)) => Ok(()),
        Err(errno) => {
            Err(Error::system(location, "fsync", Errno::from_raw(errno.unwrap_or(libc::EIO))))
        }
    }
}

/// Where that fails the file is there all the same, and the kernel syncs its name in its own time: who
/// may write to a directory may not be allowed to read it.
fn sync_directory(location: &Location) {
    let opened =
        File::open(location.directory()).map_err(|error| location.io_error("open", &error));
    if let Err(error) = opened.and_then(|directory| sync(location, &directory)) {
        tracing::warn!(region = %location, %error, "its directory was not synced");
    }
}

impl Drop for Unlinked {
    fn drop(&mut self) {
        if let Hiding::Hidden(path, _) = &self.hiding {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Reserves `size` bytes for `file`: not by ftruncate, which succeeds on a full tmpfs and leaves
/// SIGBUS for the first touch.
pub(crate) fn allocate(location: &Location, file: &File, size: u64) -> Result<()> {
    if size == 0 {
        return Ok(());
    }
    let refused = |errno| match errno {
        Errno::ENOSPC | Errno::EDQUOT | Errno::EFBIG => {
            let directory = match location {
                Location::Anonymous => "memory".to_owned(),
                Location::Descriptor(_) => "its file system".to_owned(),
                _ => location.directory().display().to_string(),
            };
            location.error(ErrorKind::NoSpace { needed: size, directory }).advise(cause::room(file))
        }
        errno => Error::system(location, "fallocate", errno),
    };
    // Where there is no room for all of it, none is taken first: not even what the root user may
    // take would do.
    let missing = size.saturating_sub(file.metadata().map_or(size, |m| m.blocks() * 512));
    let free = nix::sys::statvfs::fstatvfs(file)
        .map(|s| s.blocks_free().saturating_mul(s.fragment_size()));
    let lacks = |left: u64| left < missing.saturating_sub(MARGIN);
    if free.is_ok_and(|free| free > 0 && lacks(free))
        || (missing >= MUCH && cause::memory_left(file).is_some_and(lacks))
    {
        return Err(refused(Errno::ENOSPC));
    }
    // In pieces: a signal ends the call, some kernels then undo all of it, and signals may come at
    // any rate. So the pieces shrink with each.
    let (mut done, mut piece) = (0, PIECE);
    while done < size {
        let (at, length) = (signed(done), signed(piece.min(size - done)));
        match nix::fcntl::fallocate(file, FallocateFlags::empty(), at, length) {
            Ok(()) => done += length as u64,
            Err(Errno::EINTR) => piece = (piece / 2).max(SMALLEST_PIECE),
            // ext3, for one.
            Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => {
                return write_zeros(file, size).map_err(|error| {
                    let errno = Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO));
                    match errno {
                        Errno::ENOSPC | Errno::EDQUOT | Errno::EFBIG => refused(errno),
                        errno => Error::system(location, "pwrite", errno),
                    }
                });
            }
            Err(errno) => return Err(refused(errno)),
        }
    }
    Ok(())
}

/// Reserves what lies behind the end of the file, up to `size`, where the file system cannot do so.
fn write_zeros(file: &File, size: u64) -> std::io::Result<()> {
    let zeros = [0; 16 << 10];
    let mut at = file.metadata()?.len();
    while at < size {
        let piece = zeros.get(..(size - at) as usize).unwrap_or(&zeros);
        file.write_all_at(piece, at)?;
        at += piece.len() as u64;
    }
    Ok(())
}

/// How much is reserved at once, in bytes.
const PIECE: u64 = 16 << 20;
/// How little, where signals keep coming: some microseconds' worth.
const SMALLEST_PIECE: u64 = 64 << 10;
/// From how much on the machine's memory is asked for, in bytes: less is there, or nothing works.
const MUCH: u64 = 64 << 20;
/// How far the count of free blocks may be behind, in bytes.
const MARGIN: u64 = 16 << 20;

fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// Above this limit the kernel does not fail a write or fallocate, but sends SIGXFSZ.
pub(crate) fn check_file_size_limit(location: &Location, needed: u64) -> Result<()> {
    match getrlimit(Resource::RLIMIT_FSIZE) {
        Ok((limit, _)) if limit != RLIM_INFINITY && limit < needed => {
            Err(location.error(ErrorKind::FileSizeLimit { needed, limit }))
        }
        _ => Ok(()),
    }
}

/// Removes the hidden names of creators that were killed. One that lives has its claim.
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
            claims.try_claim(Part::Roles).ok()?.then_some(())
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
            let made = Unlinked::hidden(directory.path(), own).unwrap();
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
