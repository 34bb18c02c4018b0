//! The side of a share of arrays that puts.
//!
//! It goes further than the conventions ask, in ways that the other side cannot notice: memory is
//! reserved before the lock is taken, so that no write fails halfway; the flag is taken down before
//! the array is overwritten, so that a put that is killed leaves nothing to get; and a put whose
//! objects were unlinked meanwhile is done again in those that have the names now.

use std::time::Duration;

use io_shared_core::array::{Npy, NpyError};
use io_shared_core::legacy::{Found, Objects};
use io_shared_core::{Array, Error, ErrorKind, Result};

use super::wait::{Held, Wait, Waits};
use super::{FLAG, LOCK, SEMAPHORES};
use crate::Interrupter;

/// Puts arrays that the other side gets. [`Share::producer`](super::Share::producer) opens it.
///
/// [The module](super) has an example.
#[derive(Debug)]
pub struct Producer {
    objects: Objects,
    waits: Waits,
    size: u64,
}

impl Producer {
    pub(super) fn open(name: &str, size: u64, lock_timeout: Duration) -> Result<Self> {
        let mut objects = Objects::new(name, &SEMAPHORES)?;
        let mut waits = Waits::new(lock_timeout);
        waits.try_open(&mut objects, size)?;
        Ok(Self { objects, waits, size })
    }

    /// The name, as errors show it. [`put_npy`](Self::put_npy) has an example.
    pub fn name(&self) -> String {
        self.objects.name()
    }

    /// Puts an array, whose last index varies fastest. It waits for the lock alone, and takes the
    /// place of an array that nobody has got yet.
    ///
    /// # Errors
    /// [`ErrorKind::Npy`] if it is no array that NumPy reads; [`ErrorKind::OutOfBounds`] if it does
    /// not fit; [`ErrorKind::LegacyLockStuck`]; [`ErrorKind::Timeout`] if a part of the objects is
    /// missing for as long as the lock timeout; [`ErrorKind::NoSpace`], [`ErrorKind::Unsupported`],
    /// [`ErrorKind::Interrupted`], [`ErrorKind::System`]. Then nothing was put.
    ///
    /// # Examples
    /// [The module](super) has one.
    pub fn put(&mut self, dtype: &str, shape: &[usize], elements: &[u8]) -> Result<()> {
        let npy = Array::to_bytes(dtype, shape, elements)
            .map_err(|error| Error::new(self.name(), ErrorKind::Npy(error)))?;
        self.put_parts(&[&npy], None)
    }

    /// Puts a whole `.npy` file, such as the bytes of an [`Array`].
    ///
    /// # Errors
    /// Those of [`put`](Self::put).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let name = &format!("/doc-legacy-npy-{}", std::process::id());
    /// use io_shared::{Array, legacy::Share};
    /// let mut masks = Share::named(name).size(4096).producer()?;
    /// assert_eq!(masks.name(), **name);
    /// masks.put_npy(&Array::to_bytes("|b1", &[2, 2], &[1, 0, 0, 1])?)?;
    /// assert!(masks.put_npy(b"no array").is_err());
    /// # for file in ["", "sem.", "_np"] {
    /// #     let (before, after) = if file == "_np" { ("sem.", "_np") } else { (file, "") };
    /// #     std::fs::remove_file(format!("/dev/shm/{before}{}{after}", &name[1..]))?;
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn put_npy(&mut self, npy: &[u8]) -> Result<()> {
        self.put_parts(&[npy], None)
    }

    /// Ends a wait of this producer from another thread or a signal handler, within 1 ms.
    ///
    /// # Examples
    /// [`Consumer::interrupter`](super::Consumer::interrupter) has one.
    pub fn interrupter(&self) -> Interrupter {
        self.waits.interrupts.interrupter()
    }

    /// Puts a `.npy` file in parts, the first of which has the header. It waits for `timeout`, or
    /// as long as the lock timeout.
    pub(crate) fn put_parts(&mut self, parts: &[&[u8]], timeout: Option<Duration>) -> Result<()> {
        let length = parts.iter().map(|part| part.len() as u64).sum();
        match Npy::read(parts.first().copied().unwrap_or_default()) {
            Err(NpyError::TooShort { expected, .. }) if expected as u64 <= length => {}
            Err(error) => return Err(Error::new(self.name(), ErrorKind::Npy(error))),
            Ok(_) => {}
        }
        let mut opening = Wait::new(Some(timeout.unwrap_or(self.waits.lock_timeout)));
        // The wait for the lock has a limit of its own.
        let mut locking = Wait::new(timeout);
        loop {
            self.waits.open(&mut self.objects, self.size, &mut opening)?;
            self.objects.reserve(length)?;
            let objects = &self.objects;
            let lock = || Held::try_new(objects, LOCK);
            if let Some(held) = self.waits.get(objects, LOCK, &mut locking, lock)? {
                write(objects, parts)?;
                drop(held);
                if objects.value(FLAG)? == 0 {
                    objects.give(FLAG)?;
                }
                if objects.look()? == Found::Same {
                    return Ok(());
                }
            }
            // They were unlinked meanwhile: whoever starts next would not find the array.
            let what = || "objects that nobody unlinks meanwhile".to_owned();
            opening.nap(&objects.name(), &self.waits.interrupts, what)?;
        }
    }
}

/// Overwrites the array. The flag is down from before until whoever has the lock posts it.
fn write(objects: &Objects, parts: &[&[u8]]) -> Result<()> {
    for _ in 0..objects.value(FLAG)?.min(1 << 16) {
        objects.try_take(FLAG)?;
    }
    let mut at = 0;
    for part in parts {
        objects.write_at(part, at)?;
        at += part.len() as u64;
    }
    Ok(())
}
