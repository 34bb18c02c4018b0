//! A peer that follows the conventions of the package that this project began as: one shared-memory
//! object under POSIX named semaphores, by the C library's own calls.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::ops::Deref;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;

use crate::TestName;

/// A semaphore as the C library opened it.
#[derive(Debug)]
pub struct Semaphore(*mut libc::sem_t);

// SAFETY: a semaphore is for any thread of any process.
unsafe impl Send for Semaphore {}
// SAFETY: its calls are atomic.
unsafe impl Sync for Semaphore {}

impl Semaphore {
    /// Opens it, or creates it with the value `first`.
    pub fn open(name: &str, first: u32) -> Self {
        let name = CString::new(name).expect("a name has no zero");
        let mode: libc::c_uint = 0o600;
        // SAFETY: the name ends in a zero, and a mode and a value follow O_CREAT.
        let opened = unsafe { libc::sem_open(name.as_ptr(), libc::O_CREAT, mode, first) };
        assert_ne!(opened, libc::SEM_FAILED, "{}", std::io::Error::last_os_error());
        Self(opened)
    }

    /// Waits until there is one, and takes it.
    pub fn take(&self) {
        // SAFETY: it is open for as long as this lives.
        while unsafe { libc::sem_wait(self.0) } != 0 {}
    }

    /// Gives one back.
    pub fn give(&self) {
        // SAFETY: as in `take`.
        assert_eq!(unsafe { libc::sem_post(self.0) }, 0);
    }

    /// How many there are.
    pub fn value(&self) -> i32 {
        let mut value = 0;
        // SAFETY: as in `take`; the value goes to a local variable.
        assert_eq!(unsafe { libc::sem_getvalue(self.0, &raw mut value) }, 0);
        value
    }
}

impl Drop for Semaphore {
    fn drop(&mut self) {
        // SAFETY: nobody uses it after this.
        unsafe { libc::sem_close(self.0) };
    }
}

/// Opens the object, or creates it, and gives it `size` bytes, as the original does.
pub fn object(name: &str, size: u64) -> File {
    let path = files(name)[0].clone();
    let mut options = OpenOptions::new();
    let object = options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let object = object.open(path).expect("/dev/shm can be written");
    object.set_len(size).expect("there is room");
    object
}

/// The files of a share of arrays: the object, the lock and the flag.
pub fn files(name: &str) -> [PathBuf; 3] {
    let bare = name.trim_start_matches('/');
    [bare.to_owned(), format!("sem.{bare}"), format!("sem.{bare}_np")]
        .map(|file| PathBuf::from("/dev/shm").join(file))
}

/// A share of arrays. Nothing is unlinked when it is dropped, as when its process is killed.
#[derive(Debug)]
pub struct Share {
    name: String,
    /// The object.
    pub object: File,
    /// The lock.
    pub lock: Semaphore,
    /// The flag.
    pub flag: Semaphore,
}

impl Share {
    /// Opens or creates it.
    pub fn open(name: &str, size: u64) -> Self {
        let object = object(name, size);
        let lock = Semaphore::open(name, 1);
        let flag = Semaphore::open(&format!("{name}_np"), 0);
        Self { name: name.to_owned(), object, lock, flag }
    }

    /// Puts a `.npy` file.
    pub fn put(&self, npy: &[u8]) {
        self.lock.take();
        self.object.write_all_at(npy, 0).expect("there is room");
        self.lock.give();
        if self.flag.value() == 0 {
            self.flag.give();
        }
    }

    /// Gets `length` bytes.
    pub fn get(&self, length: usize) -> Vec<u8> {
        let mut npy = vec![0; length];
        self.flag.take();
        self.lock.take();
        self.object.read_exact_at(&mut npy, 0).expect("it is that long");
        self.lock.give();
        npy
    }

    /// Ends as a process of the original does when it exits.
    pub fn exit(self) {
        remove(&self.name);
    }
}

/// Removes what is there of a share.
pub fn remove(name: &str) {
    for file in files(name) {
        let _ = std::fs::remove_file(file);
    }
}

/// A name that no other test has. Dropping it removes its objects, those of locked bytes as well.
#[derive(Debug)]
pub struct Name(TestName);

impl Name {
    /// A name that contains `what`.
    pub fn new(what: &str) -> Self {
        Self(TestName::new(what))
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        remove(self);
        for file in ["_write", "_read"] {
            let _ = std::fs::remove_file(format!("/dev/shm/sem.{}{file}", &self[1..]));
        }
    }
}
