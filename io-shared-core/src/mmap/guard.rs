//! Guards: the lock, held; and a handle of a lock.

use std::fmt;
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
use std::os::fd::BorrowedFd;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::bytes::{self, Bytes, BytesMut};
use crate::error::{Error, ErrorKind, Holder, OWNER_DIED, Result};
use crate::lock::{self, LockFault, LockWords, Locker};
use crate::message::shown::Shown;
use crate::os::claim::Part;
use crate::os::clock;
use crate::os::copy;
use crate::os::long_wait::LongWait;
use crate::region::Location;
use crate::region::{self, Kind, Region, Role, Side, Spec, Watch};

/// Why there is no guard, or none without a warning.
///
/// `?` turns it into an [`Error`], an `io::Error` or a boxed error, which gives the lock back. Who
/// can repair the content takes the guard out:
///
/// # Examples
/// ```
/// # use io_shared_core as io_shared;
/// use io_shared::Shared;
/// use io_shared::mmap::LockError;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-owner-died-{}", std::process::id());
/// let mut pair = Shared::<[i32; 2]>::open(name)?;
/// # let mut dying = Shared::<[i32; 2]>::open(name)?;
/// # std::mem::forget(dying.write()?);
/// # drop(dying);
/// // A program was killed between its two writes.
/// match pair.write() {
///     Ok(_) => unreachable!(),
///     Err(LockError::OwnerDied(mut guard)) => {
///         *guard = [0, 0];
///         guard.mark_consistent();
///     }
///     Err(LockError::Failed(error)) => return Err(error),
/// }
/// assert_eq!(pair.get()?, [0, 0]);
/// # Shared::<[i32; 2]>::remove(name)
/// # }
/// ```
pub enum LockError<G> {
    /// The lock was taken, but a writer died or panicked in the middle before: the content may be
    /// half-written. It stays so for everyone until somebody calls `mark_consistent`.
    OwnerDied(G),
    /// The lock was not taken.
    Failed(Error),
}

/// The text of the error, for `unwrap()`, and the guard if there is one.
impl<G: fmt::Debug> fmt::Debug for LockError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnerDied(guard) => write!(f, "{OWNER_DIED}: {guard:?}"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl<G> LockError<G> {
    /// The guard, if there is one.
    ///
    /// # Errors
    /// The error, if there is none.
    pub fn into_guard(self) -> Result<G> {
        match self {
            Self::OwnerDied(guard) => Ok(guard),
            Self::Failed(error) => Err(error),
        }
    }
}

impl<G: Locked> From<LockError<G>> for Error {
    /// Gives the lock back; the content stays as it is, and is still reported to the next.
    fn from(error: LockError<G>) -> Self {
        match error {
            LockError::OwnerDied(guard) => guard.region().error(ErrorKind::OwnerDied),
            LockError::Failed(error) => error,
        }
    }
}

impl<G: Locked> fmt::Display for LockError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnerDied(guard) => guard.region().error(ErrorKind::OwnerDied).fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

// `LockError` is no `std::error::Error`: with a guard's lifetime in it, it could not be boxed. These
// make `?` work where errors are boxed or are `io::Error`s; elsewhere `.map_err(Error::from)?` does.
impl<G: Locked> From<LockError<G>> for Box<dyn std::error::Error> {
    fn from(error: LockError<G>) -> Self {
        Error::from(error).into()
    }
}

impl<G: Locked> From<LockError<G>> for Box<dyn std::error::Error + Send + Sync> {
    fn from(error: LockError<G>) -> Self {
        Error::from(error).into()
    }
}

impl<G: Locked> From<LockError<G>> for io::Error {
    fn from(error: LockError<G>) -> Self {
        Error::from(error).into()
    }
}

/// A guard of a region.
pub(crate) mod sealed {
    use super::Region;

    #[allow(unnameable_types, reason = "it seals the guards")]
    pub trait Locked {
        #[allow(private_interfaces, reason = "it seals the guards")]
        fn region(&self) -> &Region;
    }
}
pub(crate) use sealed::Locked;

/// A handle of a lock: its region, its slot, its position.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) region: Region,
    locker: Locker,
    pub(super) position: u64,
    watch: Watch,
    /// Whether a lock of this handle was found to be another's when it was given back.
    robbed: bool,
    /// Whether it had the lock to write.
    wrote: bool,
}

/// How long to wait for a lock.
#[derive(Clone, Copy)]
pub(super) enum Wait {
    Ever,
    No,
    For(Duration),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

impl Handle {
    pub(super) fn open(location: &Location, spec: &Spec) -> Result<Self> {
        let attached = region::attach(location, &Role::Locker, spec)?;
        match attached.side {
            Side::Locker(locker) => Ok(Self {
                region: attached.region,
                locker,
                position: 0,
                watch: Watch::new(),
                robbed: false,
                wrote: false,
            }),
            _ => Err(location.error(ErrorKind::NotFound)),
        }
    }

    /// Takes the lock; whether its content is dirty.
    #[inline]
    pub(super) fn lock(&mut self, access: Access, wait: Wait) -> Result<bool> {
        self.region.check_fork()?;
        self.watch.check(&self.region)?;
        let now = clock::now_coarse();
        self.watch.look(&self.region, now)?;
        if self.is_lost() {
            return Err(self.lost());
        }
        let until = match wait {
            Wait::Ever => u64::MAX,
            Wait::No => 0,
            Wait::For(time) => clock::deadline(time).max(1),
        };
        self.wrote |= access == Access::Write;
        // First for as long as a wait is not told of.
        let mut locked = self.lock_until(access, until.min(now.saturating_add(LongWait::LONG)));
        if matches!(locked, Err(LockFault::Blocked)) {
            locked = self.lock_long(access, until);
        }
        match locked {
            // It may have waited, and lost its slot meanwhile.
            Ok(()) if self.is_lost() => {
                self.unlock(access);
                Err(self.lost())
            }
            Ok(()) => Ok(self.locker.is_dirty(&self.region)),
            Err(fault) => Err(self.refused(fault, wait)),
        }
    }

    #[inline]
    fn lock_until(&self, access: Access, until: u64) -> std::result::Result<(), LockFault> {
        match access {
            Access::Read => self.locker.read(&self.region, until),
            Access::Write => self.locker.lock(&self.region, until),
        }
    }

    /// Goes on with a wait that has not had the lock within a second, or in its time, and says so if
    /// it is the former.
    #[cold]
    fn lock_long(&self, access: Access, until: u64) -> std::result::Result<(), LockFault> {
        if until <= clock::now() {
            return Err(LockFault::Blocked);
        }
        let holders: Vec<String> = self.holders().map(|holder| holder.to_string()).collect();
        tracing::warn!(
            region = self.region.name(),
            "has waited for over a second for the lock of {}; who has it: {}",
            self.region.name(),
            if holders.is_empty() { "nobody any more".to_owned() } else { holders.join("; ") },
        );
        self.lock_until(access, until)
    }

    /// Who else writes, waits for readers to leave, or reads.
    fn holders(&self) -> impl Iterator<Item = Holder> {
        let region = &self.region;
        // Relaxed: they are only told of.
        let writer = lock::owner(region.word().load(Relaxed));
        let reads = |slot: &usize| region.reading(*slot).load(Relaxed) != 0;
        let readers =
            (0..region.used_slots()).filter(move |slot| region.has_readers() && reads(slot));
        let own = self.locker.slot;
        let others = writer.into_iter().chain(readers).filter(move |slot| *slot != own);
        others.filter(|slot| *slot < region.slots()).map(|slot| region.holder(Part::Consumer(slot)))
    }

    #[cold]
    fn refused(&self, fault: LockFault, wait: Wait) -> Error {
        if fault == LockFault::Gone && !self.region.has_claims() {
            return self.region.claims_lost();
        }
        self.region.error(match (fault, wait) {
            (LockFault::WouldDeadlock, _) => ErrorKind::WouldDeadlock,
            (LockFault::Gone, _) => self.region.unless_damaged(ErrorKind::Replaced),
            (LockFault::Corrupt(what), _) => ErrorKind::Corrupt { what: what.to_owned() },
            (LockFault::Blocked, Wait::For(after)) => {
                ErrorKind::Timeout { after, waiting_for: "the lock".into() }
            }
            (LockFault::Blocked, _) => ErrorKind::WouldBlock,
        })
    }

    /// Whether this handle's slot is another's, or was treated as a dead one's: other code has closed
    /// its descriptor, and with it its claim.
    #[inline]
    fn is_lost(&self) -> bool {
        // Relaxed: nobody's data is read because of this.
        let taken = self.region.taken(self.locker.slot).load(Relaxed);
        self.robbed || taken as u32 != self.locker.incarnation()
    }

    #[cold]
    fn lost(&self) -> Error {
        self.region.slot_lost(self.locker.slot)
    }

    #[inline]
    pub(super) fn unlock(&mut self, access: Access) {
        // An inherited guard is the parent's.
        if !self.region.is_forked() {
            let had = match access {
                // A flag that is down was taken down by a writer that found the claim free; one in a slot
                // that is another's is that one's.
                Access::Read => {
                    let had =
                        !self.is_lost() && self.region.reading(self.locker.slot).load(Relaxed) != 0;
                    if had {
                        self.locker.unread(&self.region);
                    }
                    had
                }
                Access::Write => self.locker.unlock(&self.region),
            };
            self.robbed |= !had;
        }
    }

    /// Writes the content to its file, with a checksum; waits for a writer to end.
    pub(super) fn flush(&self) -> Result<()> {
        if self.region.survives_reboot() {
            self.check_slot()?;
            self.seal(u64::MAX).map_err(|fault| self.refused(fault, Wait::Ever))?;
        }
        self.region.flush()
    }

    fn check_slot(&self) -> Result<()> {
        self.region.check_fork()?;
        if self.is_lost() { Err(self.lost()) } else { Ok(()) }
    }

    /// The same, for whoever writes.
    fn flush_written(&self) -> Result<()> {
        self.check_slot()?;
        self.region.seal_content();
        self.region.flush()
    }

    /// Writes the checksum of the content, under the lock, for which it waits until then.
    fn seal(&self, until: u64) -> std::result::Result<(), LockFault> {
        let region = &self.region;
        if region.layout().kind == Kind::Mmap {
            self.locker.lock(region, until)?;
            region.seal_content();
            self.locker.unlock(region);
        } else {
            self.locker.read(region, until)?;
            region.seal_content();
            self.locker.unread(region);
        }
        Ok(())
    }

    pub(super) fn mark_consistent(&self) {
        if !self.region.is_forked() && !self.is_lost() {
            self.locker.mark_consistent(&self.region);
        }
    }

    /// A writer did not get to its end: a panic passes through its guard, or it says so.
    pub(super) fn mark_dirty(&self) {
        if !self.region.is_forked() && !self.is_lost() {
            self.locker.mark_dirty(&self.region);
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.region.layout().capacity as usize
    }

    pub(super) fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.region.as_fd()
    }

    #[inline]
    pub(super) fn start(&self) -> *mut u8 {
        self.region.payload(0)
    }

    pub(super) fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = bytes::seek(self.region.name(), self.position, to, self.len())?;
        Ok(self.position)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let is_due = self.wrote && self.region.survives_reboot() || self.region.is_unsealed();
        if is_due && !self.region.is_forked() && !self.is_lost() {
            // Who has the lock now writes the checksum when it leaves.
            let _ = self.seal(0);
        }
    }
}

/// A lock that is held: given back when this is dropped.
#[derive(Debug)]
pub(super) struct Hold<'a> {
    pub(super) handle: &'a mut Handle,
    access: Access,
    was_panicking: bool,
}

impl<'a> Hold<'a> {
    /// Takes the lock, and says whether the content is dirty.
    // Always inlined, as are its callers: put together in memory and read back in one piece, what it
    // returns costs as much as an atomic exchange.
    #[inline(always)]
    pub(super) fn take(handle: &'a mut Handle, access: Access, wait: Wait) -> Result<(Self, bool)> {
        let dirty = handle.lock(access, wait)?;
        Ok((Self { handle, access, was_panicking: std::thread::panicking() }, dirty))
    }
}

impl Drop for Hold<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.access == Access::Write && !self.was_panicking && std::thread::panicking() {
            self.handle.mark_dirty();
        }
        self.handle.unlock(self.access);
    }
}

/// The bytes, for writing and reading, while nobody else reads or writes them.
///
/// It is a file ([`Read`], [`BufRead`], [`Write`], [`Seek`]) and a slice ([`Bytes::as_bytes`],
/// [`BytesMut::as_bytes_mut`]). A write that does not fit writes nothing. A panic that passes
/// through it marks the content dirty, as a death does.
#[must_use = "a lock is given back when its guard is dropped"]
pub struct MmapGuard<'a>(Hold<'a>);

/// The bytes, for reading, together with other readers: a file ([`Read`], [`BufRead`], [`Seek`])
/// and a slice ([`Bytes::as_bytes`]).
#[must_use = "a lock is given back when its guard is dropped"]
pub struct MmapReadGuard<'a>(Hold<'a>);

pub(super) type Guarded<G> = std::result::Result<G, LockError<G>>;

#[inline]
pub(super) fn clean_or_dirty<G>(guard: G, dirty: bool) -> Guarded<G> {
    if dirty { Err(LockError::OwnerDied(guard)) } else { Ok(guard) }
}

#[inline]
pub(super) fn lock(handle: &mut Handle, wait: Wait) -> Guarded<MmapGuard<'_>> {
    match Hold::take(handle, Access::Write, wait) {
        Ok((hold, dirty)) => clean_or_dirty(MmapGuard(hold), dirty),
        Err(error) => Err(LockError::Failed(error)),
    }
}

#[inline]
pub(super) fn read(handle: &mut Handle, wait: Wait) -> Guarded<MmapReadGuard<'_>> {
    match Hold::take(handle, Access::Read, wait) {
        Ok((hold, dirty)) => clean_or_dirty(MmapReadGuard(hold), dirty),
        Err(error) => Err(LockError::Failed(error)),
    }
}

impl MmapGuard<'_> {
    /// Says that the content is whole again after a writer died in the middle. Until then every
    /// lock of it, by whomever, is [`LockError::OwnerDied`].
    pub fn mark_consistent(&self) {
        self.0.handle.mark_consistent();
    }

    /// Says that the content may be half-written, as a death or a panic in the middle does: for a
    /// writer that gives up there by itself. Every lock from then on is [`LockError::OwnerDied`], until
    /// somebody has made the content right.
    pub fn mark_dirty(&self) {
        self.0.handle.mark_dirty();
    }
}

macro_rules! readable {
    ($Guard:ident) => {
        impl Locked for $Guard<'_> {
            #[allow(private_interfaces)]
            fn region(&self) -> &Region {
                &self.0.handle.region
            }
        }

        impl fmt::Debug for $Guard<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($Guard))
                    .field("name", &self.region().name())
                    .field("bytes", &Shown(self.as_bytes()))
                    .finish_non_exhaustive()
            }
        }

        impl $Guard<'_> {
            /// Bytes that there are.
            #[allow(clippy::len_without_is_empty, reason = "is_empty is beside it")]
            pub fn len(&self) -> usize {
                self.0.handle.len()
            }

            /// Whether there are none.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            fn rest(&self) -> &[u8] {
                let position = self.0.handle.position as usize;
                self.as_bytes().get(position..).unwrap_or_default()
            }
        }

        impl Bytes for $Guard<'_> {
            #[inline]
            fn as_bytes(&self) -> &[u8] {
                let handle = &*self.0.handle;
                // SAFETY: the region's one buffer spans its capacity and is mapped while the region
                // lives; the lock, held while this guard lives, keeps every other writer away; the
                // guard is borrowed for as long as the slice.
                unsafe { std::slice::from_raw_parts(handle.start(), handle.len()) }
            }
        }

        impl Read for $Guard<'_> {
            fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
                let rest = self.rest();
                let read = rest.len().min(to.len());
                copy::slice(&rest[..read], &mut to[..read]);
                self.consume(read);
                Ok(read)
            }
        }

        impl BufRead for $Guard<'_> {
            fn fill_buf(&mut self) -> io::Result<&[u8]> {
                Ok(self.rest())
            }

            fn consume(&mut self, amount: usize) {
                let size = self.len() as u64;
                let handle = &mut *self.0.handle;
                handle.position = handle.position.saturating_add(amount as u64).min(size);
            }
        }

        impl Seek for $Guard<'_> {
            fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
                self.0.handle.seek(to)
            }
        }
    };
}
readable!(MmapGuard);
readable!(MmapReadGuard);

impl BytesMut for MmapGuard<'_> {
    #[inline]
    fn as_bytes_mut(&mut self) -> &mut [u8] {
        let handle = &mut *self.0.handle;
        // SAFETY: as in `as_bytes`; the writer's lock keeps readers away too, and this guard is
        // borrowed mutably for as long as the slice.
        unsafe { std::slice::from_raw_parts_mut(handle.start(), handle.len()) }
    }

    fn write_byte(&mut self, byte: u8) -> Result<()> {
        let range = self.next(1)?;
        self.as_bytes_mut()[range.start] = byte;
        self.0.handle.position = range.end as u64;
        Ok(())
    }

    fn move_within(&mut self, to: u64, from: u64, length: u64) -> Result<()> {
        let size = self.len();
        let name = self.0.handle.region.name();
        let to = bytes::range(name, to, length, size)?;
        let from = bytes::range(name, from, length, size)?;
        self.as_bytes_mut().copy_within(from, to.start);
        Ok(())
    }
}

impl MmapGuard<'_> {
    fn next(&self, length: usize) -> Result<std::ops::Range<usize>> {
        let handle = &*self.0.handle;
        bytes::range(handle.region.name(), handle.position, length as u64, handle.len())
    }
}

impl Write for MmapGuard<'_> {
    /// Writes all of `from` at the position, or nothing.
    ///
    /// # Errors
    /// An `io::Error` that carries [`ErrorKind::OutOfBounds`] if it does not fit.
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let range = self.next(from.len())?;
        self.0.handle.position = range.end as u64;
        if let Some(to) = self.as_bytes_mut().get_mut(range) {
            copy::slice(from, to);
        }
        Ok(from.len())
    }

    /// Writes the content to the file, if there is one, with its checksum, and returns when it is there
    /// (msync): a reboot does not cost it.
    fn flush(&mut self) -> io::Result<()> {
        Ok(self.0.handle.flush_written()?)
    }
}
