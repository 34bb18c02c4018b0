//! The objects of the package that this project began as: a shared-memory object under POSIX named
//! semaphores.
//!
//! Any of its processes unlinks all of them when it exits, and the next one that starts creates
//! them anew, so each name may lead to another file, or to none, at any moment. [`Objects`] has the
//! files open that it found, compares them with what the names lead to ([`Objects::look`]), opens
//! what is there by then, and creates what is missing. It unlinks nothing.
//!
//! The content is read and written by `pread` and `pwrite`, never through a mapping: an object that
//! others cut short is then a short read, and no SIGBUS. Only semaphores are mapped.
//!
//! Waiting, and what the semaphores mean, is the caller's: `io_shared::legacy`.
//!
//! What must stay true: callers never create a semaphore in place of one that is missing under an
//! object of arrays. A process that still has the old one would not keep this one out.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use crate::error::{Error, ErrorKind, Result};
use crate::os::file::{self, SHM_DIRECTORY};
use crate::os::semaphore::Semaphore;
use crate::region::{self, Location, Name};

/// The object and the semaphores of one name. For the crates that build on this one.
#[doc(hidden)]
#[derive(Debug)]
pub struct Objects {
    location: Location,
    /// The files by name: the object first, then the semaphores.
    files: Vec<PathBuf>,
    /// Each semaphore's name and first value.
    semaphores: Vec<(String, u32)>,
    open: Option<Open>,
}

/// What was found under the names, open.
#[derive(Debug)]
struct Open {
    object: File,
    semaphores: Vec<(Semaphore, File)>,
    /// The device and inode of each file.
    identities: Vec<(u64, u64)>,
    /// How many bytes of the object have memory for certain.
    reserved: u64,
}

/// What the names lead to.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// What is open.
    Same,
    /// Other files than those that are open, complete. `is_object_same`: they have the object in
    /// common, so that processes with different semaphores may use it at once.
    Others {
        /// Whether the object is the one that is open.
        is_object_same: bool,
    },
    /// A part: the peer is starting or ending, or died while it did.
    Part {
        /// Whether the object is there, and has bytes.
        has_object: bool,
        /// Whether any semaphore is there.
        has_semaphore: bool,
    },
    /// Nothing.
    Nothing,
}

impl Objects {
    /// The objects called `name`, none of which is open yet. Each semaphore is named by what is
    /// added to the name, and has a first value.
    ///
    /// # Errors
    /// [`ErrorKind::BadName`]; [`ErrorKind::Unsupported`] in a program built with musl.
    pub fn new(name: &str, semaphores: &[(&str, u32)]) -> Result<Self> {
        let location = Location::from(Name::posix(name)?);
        if !Semaphore::IS_SUPPORTED {
            let what = "this program was built with another C library than glibc, and does not \
                        find the semaphores of programs that were"
                .into();
            return Err(location.error(ErrorKind::Unsupported { what }));
        }
        let shown = location.to_string();
        let bare = shown.trim_start_matches('/');
        let named = |added: &str| format!("/{bare}{added}");
        let files = std::iter::once(Path::new(SHM_DIRECTORY).join(bare))
            .chain(semaphores.iter().map(|(added, _)| {
                Path::new(SHM_DIRECTORY)
                    .join(format!("sem.{}", named(added).trim_start_matches('/')))
            }))
            .collect();
        let semaphores = semaphores.iter().map(|(added, first)| (named(added), *first)).collect();
        Ok(Self { location, files, semaphores, open: None })
    }

    /// The name, as errors show it.
    pub fn name(&self) -> String {
        self.location.to_string()
    }

    /// Whether there are objects that were opened, whatever the names lead to now.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Looks at what the names lead to.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if a file is none of a semaphore; [`ErrorKind::System`].
    pub fn look(&self) -> Result<Found> {
        let (mut identities, mut has_object) = (Vec::with_capacity(self.files.len()), false);
        for (number, path) in self.files.iter().enumerate() {
            let status = match nix::sys::stat::lstat(path) {
                Ok(status) => status,
                Err(Errno::ENOENT) => continue,
                Err(errno) => return Err(Error::system(&self.location, "stat", errno)),
            };
            let size = u64::try_from(status.st_size).unwrap_or(0);
            if number == 0 {
                // It is created empty, and is given its size afterwards.
                if size == 0 {
                    continue;
                }
                has_object = true;
            } else if size < Semaphore::SIZE {
                return Err(self.no_semaphore(path));
            }
            identities.push((status.st_dev, status.st_ino));
        }
        Ok(match (&self.open, identities.len()) {
            (Some(open), _) if open.identities == identities => Found::Same,
            (open, found) if found == self.files.len() => {
                let own = open.as_ref().and_then(|open| open.identities.first());
                Found::Others { is_object_same: own == identities.first() }
            }
            (_, 0) if !self.files.first().is_some_and(|object| object.exists()) => Found::Nothing,
            (_, found) => {
                Found::Part { has_object, has_semaphore: found > usize::from(has_object) }
            }
        })
    }

    /// Opens what the names lead to now, in place of what was open. `false`: not all of it is
    /// there, or it has just changed.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if one of them is something else; [`ErrorKind::System`].
    pub fn open(&mut self) -> Result<bool> {
        self.open = None;
        let [object, semaphores @ ..] = &self.files[..] else { return Ok(false) };
        let object = match file::open_path(object, OFlag::O_RDWR) {
            Ok(object) => object,
            Err(Errno::ENOENT) => return Ok(false),
            Err(errno) => return Err(Error::system(&self.location, "open", errno)),
        };
        region::refuse_region(&self.location, &object)?;
        let mut open = Open { object, semaphores: Vec::new(), identities: Vec::new(), reserved: 0 };
        for path in semaphores {
            match Semaphore::open(path) {
                Ok(opened) => open.semaphores.push(opened),
                Err(error) => match error.kind() {
                    io::ErrorKind::NotFound => return Ok(false),
                    io::ErrorKind::InvalidData => return Err(self.no_semaphore(path)),
                    _ => return Err(self.failed("open", &error)),
                },
            }
        }
        let files = open.semaphores.iter().map(|(_, file)| file);
        for file in std::iter::once(&open.object).chain(files) {
            let metadata = file.metadata().map_err(|error| self.failed("fstat", &error))?;
            open.identities.push((metadata.dev(), metadata.ino()));
        }
        self.open = Some(open);
        let is_whole = self.look()? == Found::Same;
        if !is_whole {
            self.open = None;
        }
        Ok(is_whole)
    }

    /// Creates what is missing: the semaphores first, so that the object never exists without
    /// them. An object without bytes is given `size`.
    ///
    /// # Errors
    /// [`ErrorKind::NoSpace`], [`ErrorKind::FileSizeLimit`], [`ErrorKind::System`].
    pub fn create(&self, size: u64) -> Result<()> {
        region::check_file_size_limit(&self.location, size)?;
        for (name, first) in &self.semaphores {
            Semaphore::create(name, *first).map_err(|error| self.failed("sem_open", &error))?;
        }
        let Some(path) = self.files.first() else { return Ok(()) };
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let object = file::create_path(path, flags, Mode::from_bits_truncate(0o600))
            .map_err(|errno| Error::system(&self.location, "open", errno))?;
        let found = object.metadata().map_err(|error| self.failed("fstat", &error))?;
        match found.len() {
            0 => object.set_len(size).map_err(|error| self.failed("ftruncate", &error)),
            _ => Ok(()),
        }
    }

    /// Reserves memory for the object's first `length` bytes, so that writing them cannot fail
    /// halfway.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfBounds`] if the object is smaller, [`ErrorKind::NoSpace`].
    pub fn reserve(&mut self, length: u64) -> Result<()> {
        let size = self.size()?;
        if length > size {
            return Err(self.location.error(ErrorKind::OutOfBounds { at: 0, length, size }));
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        if length > open.reserved {
            region::allocate(&self.location, &open.object, 0, length)?;
            open.reserved = length;
        }
        Ok(())
    }

    /// How many bytes the object has now.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if nothing is open, [`ErrorKind::System`].
    pub fn size(&self) -> Result<u64> {
        let metadata = self.opened()?.object.metadata();
        Ok(metadata.map_err(|error| self.failed("fstat", &error))?.len())
    }

    /// Reads from `at` on. Returns how many bytes there were, which are fewer at the object's end.
    ///
    /// # Errors
    /// As [`size`](Self::size).
    pub fn read_at(&self, bytes: &mut [u8], at: u64) -> Result<usize> {
        let (object, mut done) = (&self.opened()?.object, 0);
        while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match object.read_at(rest, at + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed("pread", &error)),
            }
        }
        Ok(done)
    }

    /// Writes from `at` on.
    ///
    /// # Errors
    /// As [`size`](Self::size).
    pub fn write_at(&self, bytes: &[u8], at: u64) -> Result<()> {
        let object = &self.opened()?.object;
        object.write_all_at(bytes, at).map_err(|error| self.failed("pwrite", &error))
    }

    /// Takes one of the semaphore of that number, if there is one.
    ///
    /// # Errors
    /// As [`size`](Self::size).
    pub fn try_take(&self, semaphore: usize) -> Result<bool> {
        self.semaphore(semaphore)?.try_take().map_err(|error| self.failed("sem_trywait", &error))
    }

    /// Gives one of the semaphore of that number back.
    ///
    /// # Errors
    /// As [`size`](Self::size).
    pub fn give(&self, semaphore: usize) -> Result<()> {
        self.semaphore(semaphore)?.give().map_err(|error| self.failed("sem_post", &error))
    }

    /// How many the semaphore of that number has.
    ///
    /// # Errors
    /// As [`size`](Self::size).
    pub fn value(&self, semaphore: usize) -> Result<u32> {
        self.semaphore(semaphore)?.value().map_err(|error| self.failed("sem_getvalue", &error))
    }

    /// The error for a semaphore that others have had for `after`.
    pub fn stuck(&self, semaphore: usize, after: Duration) -> Error {
        let shown = |path: &PathBuf| path.display().to_string();
        let semaphore = self.files.get(semaphore + 1).map(shown).unwrap_or_default();
        let files = self.files.iter().map(shown).collect();
        self.location.error(ErrorKind::LegacyLockStuck { semaphore, after, files })
    }

    /// What is missing of the objects, for people.
    pub fn missing(&self) -> String {
        let (there, missing): (Vec<_>, Vec<_>) = self.files.iter().partition(|path| path.exists());
        let list = |paths: &[&PathBuf]| {
            let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            paths.join(" and ")
        };
        match (&there[..], &missing[..]) {
            ([], _) => format!("another program to create {}", list(&missing)),
            (_, []) => format!("{} to have bytes", list(&there)),
            (_, missing) => format!(
                "{}, which {} missing while {} is there (start the other program again, or, if \
                 nobody uses it, remove what is there)",
                list(missing),
                if missing.len() == 1 { "is" } else { "are" },
                list(&there)
            ),
        }
    }

    fn semaphore(&self, number: usize) -> Result<&Semaphore> {
        let semaphore = self.opened()?.semaphores.get(number);
        semaphore
            .map(|(semaphore, _)| semaphore)
            .ok_or_else(|| self.location.error(ErrorKind::NotFound))
    }

    fn opened(&self) -> Result<&Open> {
        self.open.as_ref().ok_or_else(|| self.location.error(ErrorKind::NotFound))
    }

    fn no_semaphore(&self, path: &Path) -> Error {
        let what = format!(
            "{} is no semaphore of this machine's C library, which has {} bytes: stop the programs \
             that use it, and remove it",
            path.display(),
            Semaphore::SIZE
        );
        self.location.error(ErrorKind::Unsupported { what })
    }

    fn failed(&self, call: &'static str, error: &io::Error) -> Error {
        self.location.io_error(call, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_semaphores_under_the_same_object_are_told_from_other_objects() {
        let name = format!("/test-objects-{}", std::process::id());
        let mut objects = Objects::new(&name, &[("", 1), ("_np", 0)]).unwrap();
        let remove =
            |files: &[PathBuf]| files.iter().for_each(|file| std::fs::remove_file(file).unwrap());
        let files = objects.files.clone();
        assert_eq!(objects.look().unwrap(), Found::Nothing);
        objects.create(100).unwrap();
        assert_eq!(objects.look().unwrap(), Found::Others { is_object_same: false });
        assert!(objects.open().unwrap());
        assert_eq!(objects.look().unwrap(), Found::Same);
        remove(&files[1..2]);
        assert_eq!(objects.look().unwrap(), Found::Part { has_object: true, has_semaphore: true });
        objects.create(100).unwrap();
        assert_eq!(objects.look().unwrap(), Found::Others { is_object_same: true });
        remove(&files[..1]);
        assert_eq!(objects.look().unwrap(), Found::Part { has_object: false, has_semaphore: true });
        objects.create(100).unwrap();
        assert_eq!(objects.look().unwrap(), Found::Others { is_object_same: false });
        assert!(objects.open().unwrap());
        remove(&files);
        assert_eq!((objects.look().unwrap(), objects.is_open()), (Found::Nothing, true));
    }
}
