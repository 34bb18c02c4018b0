//! The side of a share of arrays that gets.
//!
//! It waits for the flag, takes the lock, and copies the array out. Posts of the flag that are left
//! over are taken while it has the lock: each belongs to a put that was over before, so that its
//! array, or a later one, is what is read. So an array for which the flag was posted twice is
//! received once.

use std::time::Duration;

use io_shared_core::array::{Npy, NpyError};
use io_shared_core::legacy::{Found, Objects};
use io_shared_core::{Error, ErrorKind, Result};

use super::wait::{Held, Wait, Waits};
use super::{FLAG, LOCK, SEMAPHORES};
use crate::Interrupter;

/// How many posts of the flag are taken at most.
const MOST_POSTS: u32 = 1 << 16;
/// How much is read before the header says how long the array is, in bytes.
const FIRST_READ: usize = 4096;

/// Gets arrays that the other side puts. [`Share::consumer`](super::Share::consumer) opens it.
///
/// [The module](super) has an example.
#[derive(Debug)]
pub struct Consumer {
    objects: Objects,
    waits: Waits,
    /// The `.npy` file that was got last.
    npy: Vec<u8>,
}

impl Consumer {
    pub(super) fn open(name: &str, lock_timeout: Duration) -> Result<Self> {
        let objects = Objects::new(name, &SEMAPHORES)?;
        Ok(Self { objects, waits: Waits::new(lock_timeout), npy: Vec::new() })
    }

    /// The name, as errors show it. [`Share`](super::Share) has an example.
    pub fn name(&self) -> String {
        self.objects.name()
    }

    /// Waits for the next array, for as long as it takes, and returns it. It lies in this handle
    /// until the next get.
    ///
    /// # Errors
    /// [`ErrorKind::LegacyLockStuck`]; the array is not lost, and the next call tries again.
    /// [`ErrorKind::Npy`] if what was put is no array, is not whole, or is made of Python objects;
    /// the next call waits for the next one. [`ErrorKind::Unsupported`] if something else has one
    /// of the names; [`ErrorKind::Interrupted`]; [`ErrorKind::System`].
    ///
    /// # Examples
    /// [The module](super) has one.
    pub fn get(&mut self) -> Result<Npy<'_>> {
        self.next(None)
    }

    /// As [`get`](Self::get), for at most `timeout`. With zero it looks once.
    ///
    /// # Errors
    /// Those of [`get`](Self::get), and [`ErrorKind::Timeout`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// use io_shared::{ErrorKind, legacy::Share};
    /// use std::time::Duration;
    /// let mut labels = Share::named("/nobody_puts_here").consumer()?;
    /// let error = labels.get_timeout(Duration::from_millis(1)).unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::Timeout { .. }));
    /// # Ok::<(), io_shared::Error>(())
    /// ```
    pub fn get_timeout(&mut self, timeout: Duration) -> Result<Npy<'_>> {
        self.next(Some(timeout))
    }

    /// The `.npy` file of the array that was got last, byte for byte as it was put; empty if there
    /// was none.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// let labels = io_shared::legacy::Share::named("/nobody_puts_here").consumer()?;
    /// assert!(labels.npy().is_empty());
    /// # Ok::<(), io_shared::Error>(())
    /// ```
    pub fn npy(&self) -> &[u8] {
        &self.npy
    }

    /// Ends a wait of this consumer from another thread or a signal handler, within 1 ms.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// use io_shared::{ErrorKind, legacy::Share};
    /// let mut labels = Share::named("/nobody_puts_here").consumer()?;
    /// let interrupter = labels.interrupter();
    /// let stop = std::thread::spawn(move || interrupter.interrupt());
    /// assert_eq!(*labels.get().unwrap_err().kind(), ErrorKind::Interrupted);
    /// # stop.join().unwrap();
    /// # Ok::<(), io_shared::Error>(())
    /// ```
    pub fn interrupter(&self) -> Interrupter {
        self.waits.interrupts.interrupter()
    }

    fn next(&mut self, timeout: Option<Duration>) -> Result<Npy<'_>> {
        let mut wait = Wait::new(timeout);
        loop {
            if self.take_flag()? && self.fetch(&mut wait)? {
                let read = Npy::read(&self.npy);
                return read.map_err(|error| bad_array(&self.objects.name(), error));
            }
            let what = || match self.objects.is_open() {
                true => "an array".to_owned(),
                false => self.objects.missing(),
            };
            wait.nap(&self.objects.name(), &self.waits.interrupts, what)?;
        }
    }

    /// Whether there is something to get: then its flag was taken. What the names led to before
    /// counts only until there is something else.
    fn take_flag(&mut self) -> Result<bool> {
        let is_open = match self.objects.look()? {
            Found::Same => true,
            Found::Others { .. } => self.objects.open()?,
            // The other side has ended, or is ending. What it put last is still here.
            Found::Part { .. } | Found::Nothing => self.objects.is_open(),
        };
        Ok(is_open && self.objects.try_take(FLAG)?)
    }

    /// Copies the array whose flag was taken. `false`: there is none any more.
    fn fetch(&mut self, wait: &mut Wait) -> Result<bool> {
        let Self { objects, waits, npy } = self;
        let objects: &Objects = objects;
        let held = match waits.get(objects, LOCK, wait, || Held::try_new(objects, LOCK)) {
            Ok(Some(held)) => held,
            Ok(None) => return Ok(false),
            Err(error) => {
                // The array stays where it is.
                if objects.value(FLAG)? == 0 {
                    objects.give(FLAG)?;
                }
                return Err(error);
            }
        };
        for _ in 0..objects.value(FLAG)?.min(MOST_POSTS) {
            objects.try_take(FLAG)?;
        }
        let read = read_array(objects, npy);
        // Whether somebody may have written under another lock meanwhile.
        let is_mixed = objects.look()? == Found::Others { is_object_same: true };
        drop(held);
        Ok(read? && !is_mixed)
    }
}

/// Reads the array at the object's start. `false`: nothing was ever written there.
fn read_array(objects: &Objects, npy: &mut Vec<u8>) -> Result<bool> {
    let size = usize::try_from(objects.size()?).unwrap_or(usize::MAX);
    // Most arrays are as long as the one before.
    let mut length = npy.len().max(FIRST_READ).min(size);
    loop {
        npy.resize(length, 0);
        let read = objects.read_at(npy, 0)?;
        npy.truncate(read);
        if npy.iter().take(6).all(|byte| *byte == 0) {
            return Ok(false);
        }
        match Npy::read(npy) {
            Ok(array) => {
                let start = array.data.as_ptr().addr() - npy.as_ptr().addr();
                let end = start + array.data.len();
                npy.truncate(end);
                return Ok(true);
            }
            Err(NpyError::TooShort { expected, .. }) if (length + 1..=size).contains(&expected) => {
                length = expected;
            }
            Err(error) => {
                npy.clear();
                let error = match error {
                    NpyError::TooShort { expected, .. } => {
                        NpyError::TooShort { expected, found: size }
                    }
                    error => error,
                };
                return Err(bad_array(&objects.name(), error));
            }
        }
    }
}

fn bad_array(name: &str, error: NpyError) -> Error {
    Error::new(name, ErrorKind::Npy(error))
}
