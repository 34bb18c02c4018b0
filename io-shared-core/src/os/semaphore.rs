//! A POSIX named semaphore, as the C library of this machine has it: for [`legacy`](crate::legacy).
//!
//! The calls on it are the C library's own (`sem_trywait`, `sem_post`, `sem_getvalue`), since the
//! layout of a `sem_t` belongs to that library: glibc changed it in 2.21. Opening is our own.
//! `sem_open` maps a file of any length, so that using an empty one would end in SIGBUS, and it
//! does not say which file it has mapped; here the length is checked, and the file is kept, so that
//! its inode can be compared with the one that has the name.
//!
//! What must stay true: only a file that is long enough for a `sem_t` is mapped. (Nothing that
//! follows the conventions ever shortens such a file: POSIX has no call for it. Callers look at its
//! length before each use all the same.)

use std::ffi::CString;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

use memmap2::{MmapOptions, MmapRaw};
use nix::errno::Errno;
use nix::fcntl::OFlag;

use crate::os::file::open_path;

/// A semaphore that is open. It is closed when this is dropped, and nothing is unlinked.
#[derive(Debug)]
pub(crate) struct Semaphore(MmapRaw);

impl Semaphore {
    /// The length of its file in bytes.
    pub(crate) const SIZE: u64 = size_of::<libc::sem_t>() as u64;

    /// Whether this program finds the semaphores of others: musl keeps them in other files than
    /// glibc, with another layout.
    pub(crate) const IS_SUPPORTED: bool = cfg!(target_env = "gnu");

    /// Creates the semaphore `name` with the value `initial`, or leaves the one that is there. It
    /// appears whole: `sem_open` links a finished file to the name.
    pub(crate) fn create(name: &str, initial: u32) -> io::Result<()> {
        let name = CString::new(name)?;
        let (mode, value): (libc::c_uint, libc::c_uint) = (0o600, initial);
        // SAFETY: the name ends in a zero, and lives during the call. With O_CREAT, sem_open reads
        // a mode and a value, both unsigned. It does not touch the memory that it maps.
        let made = unsafe { libc::sem_open(name.as_ptr(), libc::O_CREAT, mode, value) };
        if made == libc::SEM_FAILED {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: it was just opened, and nobody else has the pointer.
        let closed = unsafe { libc::sem_close(made) };
        Errno::result(closed).map(drop).map_err(io::Error::from)
    }

    /// Opens the semaphore in the file `path`, and returns it with that file.
    ///
    /// # Errors
    /// `InvalidData` if it is no regular file, or too short for a semaphore.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, File)> {
        let file = open_path(path, OFlag::O_RDWR)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() || metadata.len() < Self::SIZE {
            return Err(ErrorKind::InvalidData.into());
        }
        let map = MmapOptions::new().len(Self::SIZE as usize).map_raw(&file)?;
        Ok((Self(map), file))
    }

    /// Takes one, if there is one: `false` if the value is 0.
    pub(crate) fn try_take(&self) -> io::Result<bool> {
        loop {
            // SAFETY: the mapping is shared, writable, aligned to a page, as long as a `sem_t`, and
            // lives as long as `self`. Any bytes are a `sem_t` to the C library: its calls only
            // compare, add and wake. Other processes change them by atomic operations alone.
            let taken = unsafe { libc::sem_trywait(self.pointer()) };
            match Errno::result(taken) {
                Ok(_) => return Ok(true),
                Err(Errno::EAGAIN) => return Ok(false),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Gives one back, and wakes a process that sleeps for it.
    pub(crate) fn give(&self) -> io::Result<()> {
        // SAFETY: as in `try_take`.
        let given = unsafe { libc::sem_post(self.pointer()) };
        Errno::result(given).map(drop).map_err(io::Error::from)
    }

    /// How many there are to take.
    pub(crate) fn value(&self) -> io::Result<u32> {
        let mut value = 0;
        // SAFETY: as in `try_take`; the value goes to a local variable.
        let read = unsafe { libc::sem_getvalue(self.pointer(), &raw mut value) };
        Errno::result(read)?;
        Ok(u32::try_from(value).unwrap_or(0))
    }

    fn pointer(&self) -> *mut libc::sem_t {
        self.0.as_mut_ptr().cast()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn semaphore(what: &str, initial: u32) -> (String, std::path::PathBuf, Semaphore) {
        let bare = format!("test-semaphore-{what}-{}", std::process::id());
        let path = Path::new("/dev/shm").join(format!("sem.{bare}"));
        let name = format!("/{bare}");
        Semaphore::create(&name, initial).unwrap();
        let (open, _) = Semaphore::open(&path).unwrap();
        (name, path, open)
    }

    #[test]
    fn it_counts_what_is_taken_and_given_and_a_second_create_changes_nothing() {
        let (name, path, semaphore) = semaphore("counts", 2);
        assert!(semaphore.try_take().unwrap());
        Semaphore::create(&name, 7).unwrap();
        assert_eq!(semaphore.value().unwrap(), 1);
        assert!(semaphore.try_take().unwrap());
        assert!(!semaphore.try_take().unwrap());
        semaphore.give().unwrap();
        assert_eq!(Semaphore::open(&path).unwrap().0.value().unwrap(), 1);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn it_wakes_a_process_that_sleeps_in_the_c_librarys_own_wait() {
        let (name, path, semaphore) = semaphore("wakes", 0);
        let opened = std::thread::spawn(move || {
            let name = CString::new(name).unwrap();
            // SAFETY: the name ends in a zero, and without O_CREAT no more arguments are read.
            let theirs = unsafe { libc::sem_open(name.as_ptr(), 0) };
            assert_ne!(theirs, libc::SEM_FAILED);
            // SAFETY: it was just opened.
            assert_eq!(unsafe { libc::sem_wait(theirs) }, 0);
        });
        // Most likely it sleeps by then; if not, the test passes for another reason.
        std::thread::sleep(std::time::Duration::from_millis(50));
        semaphore.give().unwrap();
        opened.join().unwrap();
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_file_that_is_no_semaphore_is_refused_before_it_is_mapped() {
        let (_, path, _) = semaphore("refused", 1);
        std::fs::write(&path, [0; Semaphore::SIZE as usize - 1]).unwrap();
        assert_eq!(Semaphore::open(&path).unwrap_err().kind(), ErrorKind::InvalidData);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(Semaphore::open(&path).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
