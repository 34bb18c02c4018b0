//! A mapped region, and this handle's claim in it.
//!
//! Slots and locked mmaps reach shared memory through a [`Region`]. It hands out addresses only
//! within its mappings, says whether its name still leads to it, and turns what it finds into
//! errors. What must stay true:
//! - The mappings cover the header and each buffer that has an address, which were checked against
//!   the file's size. No conforming program shrinks the file; it grows as consumers join.
//! - A consumer's or observer's mapping of the buffers is read-only.
//! - The claims' descriptor is never mapped.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};

use memmap2::MmapRaw;
use nix::errno::Errno;

use super::buffers::Buffers;
use super::layout::{self, Layout, Prelude};
use super::location::Location;
use crate::error::{Error, ErrorKind, Holder, Result};
use crate::message::invalid::Invalid;
use crate::message::schema::{Checks, Schema};
use crate::message::{Message, Shape};
use crate::os::claim::{self, Claims, Part};
use crate::os::clock_id::Clock;
use crate::os::fork;
use crate::protocol::Words;

/// A mapped region and this handle's claim in it.
pub(crate) struct Region {
    /// The location, as errors show it.
    pub(super) name: String,
    pub(super) location: Location,
    /// Device and inode.
    pub(super) identity: (u64, u64),
    /// The number that all regions share that follow each other under one name as a channel grows.
    pub(super) line: u64,
    /// For a file, the device and inode of its directory when this handle was opened. Shared memory
    /// is a file system by itself.
    pub(super) directory: Option<(u64, u64)>,
    /// This process's clock when this handle was opened.
    pub(super) clock: Clock,
    /// The generation of forks when this handle was opened.
    pub(super) generation: u64,
    /// `None` for an observer.
    pub(super) claims: Option<Claims>,
    pub(super) header: MmapRaw,
    pub(super) buffers: Buffers,
    /// Whether this handle has mapped the buffers to write.
    pub(super) writes_buffers: bool,
    /// Whether the pages of added buffers are to be there before they are used.
    pub(super) prefaults: bool,
    /// The file to pass on if there is no name to open; an observer, which has no claims, asks it
    /// whether a name is left, and who has which role.
    pub(super) file: Option<File>,
    /// The hidden name that its file had when this handle created it, and may still have. Without
    /// /proc, it is the only one until the file has its own.
    pub(super) hidden: Option<PathBuf>,
    pub(super) ephemeral: bool,
    /// Whether this handle leaves an ephemeral region to others, although nobody is in it yet.
    pub(super) left_to_others: AtomicBool,
    /// Whether this is an observer of a file that may lie in the lower layer of an overlay.
    pub(super) overlaid: bool,
    /// Whether the region lies in a file, and so survives a reboot of the machine.
    pub(super) survives_reboot: bool,
    pub(super) layout: Layout,
    /// Whether its values are stored inline, next to `latest`.
    pub(super) stores_inline: bool,
    /// What this handle knows of the messages: all of them, or how each begins.
    pub(super) schema: Schema,
    /// The shape of that.
    pub(super) own_shape: Shape,
    /// The most bytes that one message may have, as far as this handle knows it.
    pub(super) own_size: u64,
    /// Bytes of the fields after those that this handle knows, which each message ends in.
    pub(super) unknown: u64,
    /// What must be checked in messages of this schema.
    pub(super) checks: Checks,
    /// How many values before the newest this handle asks for.
    pub(super) own_history: AtomicU32,
    /// Whether this producer asks for a history because consumers or observers of a region that it
    /// has left do, which have yet to follow.
    pub(super) asks_for_others: AtomicBool,
    /// Threads of this process that sleep for this handle's consumer.
    pub(super) sleepers: Mutex<usize>,
}

/// The shape of plain bytes, which may be a message of any type.
const BYTES: Shape = <[u8]>::SHAPE;

impl Region {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    #[inline]
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// This handle's clock.
    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// Whether the region lies in a file, and so survives a reboot of the machine.
    pub(crate) fn survives_reboot(&self) -> bool {
        self.survives_reboot
    }

    /// Whether the region is removed with its last user.
    pub(crate) fn is_ephemeral(&self) -> bool {
        self.ephemeral
    }

    /// Leaves the region's name as it is when this handle goes: consumers are on their way here.
    pub(crate) fn leave_name(&self) {
        self.left_to_others.store(true, Ordering::Relaxed);
    }

    /// Device and inode of the region.
    pub(crate) fn identity(&self) -> (u64, u64) {
        self.identity
    }

    /// A descriptor to pass on, if the region has no name to open.
    pub(crate) fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.file.as_ref().filter(|_| self.location.path().is_none()).map(AsFd::as_fd)
    }

    /// Writes changed pages to the file, and returns when they are there.
    pub(crate) fn flush(&self) -> Result<()> {
        let failed = |error| self.location.io_error("msync", &error);
        self.header.flush().map_err(failed)?;
        self.buffers.flush().map_err(|errno| failed(errno.into()))
    }

    /// Whether this handle was inherited over a fork, and so belongs to the parent.
    #[inline]
    pub(crate) fn is_forked(&self) -> bool {
        fork::is_over(self.generation)
    }

    /// # Errors
    /// [`ErrorKind::ForkedHandle`].
    #[inline]
    pub(crate) fn check_fork(&self) -> Result<()> {
        if self.is_forked() { Err(self.error(ErrorKind::ForkedHandle)) } else { Ok(()) }
    }

    /// The most bytes that one message may have, as far as this handle knows it.
    #[inline]
    pub(crate) fn own_size(&self) -> u64 {
        self.own_size
    }

    /// How much of a message of `length` bytes this handle knows. Of a length that no message can
    /// have, it is one that no part can have either.
    #[inline]
    pub(crate) fn own_length(&self, length: u64) -> u64 {
        length.wrapping_sub(self.unknown)
    }

    /// Whether a message of `length` bytes, treated as a `T`, is one of the region's type. Code
    /// that treats messages of any type as plain bytes has to ask; with the type itself, the length
    /// was checked before.
    #[inline]
    pub(crate) fn allows<T: Message + ?Sized>(&self, length: u64) -> bool {
        T::SHAPE != BYTES || self.own_shape == BYTES || self.own_shape.elements_in(length).is_some()
    }

    /// Whether a message of the region's type may have bytes that are no value of it.
    #[inline]
    pub(crate) fn has_checks(&self) -> bool {
        !self.checks.is_empty()
    }

    /// How many of the first bytes of a message of `length` bytes may be no value of the region's
    /// type: none, the fields, or all.
    #[inline]
    pub(crate) fn checked_length(&self, length: usize) -> usize {
        match self.has_checks() {
            false => 0,
            true if self.checks.has_tail() => length,
            true => self.own_shape.size.min(length),
        }
    }

    /// Whether the `length` bytes at `start` are a `T`; for plain bytes, whether they are a message
    /// of the region's type.
    ///
    /// # Safety
    /// `length` bytes at `start` can be read, nobody writes them during the call, and a `T` may
    /// have that length.
    #[inline]
    pub(crate) unsafe fn check_message<T: Message + ?Sized>(
        &self,
        start: *const u8,
        length: usize,
    ) -> std::result::Result<(), Invalid> {
        if T::CHECKED {
            // SAFETY: as the caller says.
            return unsafe { T::check(start, length) };
        }
        // SAFETY: as the caller says.
        unsafe { self.check_bytes::<T>(start, length) }
    }

    /// If `T` is plain bytes, whether they are a message of the region's type; if it has lists,
    /// whether they lie within it.
    ///
    /// # Safety
    /// As for [`check_message`](Self::check_message).
    #[inline]
    pub(crate) unsafe fn check_bytes<T: Message + ?Sized>(
        &self,
        start: *const u8,
        length: usize,
    ) -> std::result::Result<(), Invalid> {
        if T::HAS_LISTS {
            // SAFETY: as the caller says.
            return unsafe { T::check(start, length) };
        }
        if T::CHECKED || T::SHAPE != BYTES || self.checks.is_empty() {
            return Ok(());
        }
        // SAFETY: as the caller says.
        self.checks.check(unsafe { std::slice::from_raw_parts(start, length) })
    }

    /// The error for bytes that are no `T`, or no message of the region's type.
    #[cold]
    pub(crate) fn bad_value<T: Message + ?Sized>(&self, invalid: Invalid, advice: &str) -> Error {
        let error = match T::CHECKED {
            true => Error::bad_value(&self.name, &T::layout(), invalid),
            false => Error::bad_value(&self.name, self.schema.root(), invalid),
        };
        error.advise(advice)
    }

    /// As [`bad_value`](Self::bad_value), for a value that was found in the region.
    #[cold]
    pub(crate) fn bad_value_found<T: Message + ?Sized>(&self, invalid: Invalid) -> Error {
        match T::CHECKED {
            true => Error::bad_value_found(&self.name, &T::layout(), invalid),
            false => Error::bad_value_found(&self.name, self.schema.root(), invalid),
        }
    }
}

/// Whether the name still leads to this region.
impl Region {
    /// Whether the name leads elsewhere by now, or nowhere.
    pub(crate) fn is_replaced(&self) -> bool {
        self.is_retired()
            || self.is_copied_up()
            || match self.location.identity() {
                Some(identity) => identity != self.identity,
                None => {
                    let gone = self.location.is_absent() && self.sees_directory();
                    self.location.path().is_some() && (gone || self.is_unlinked())
                }
            }
    }

    /// Whether the name leads to something else by now.
    pub(crate) fn is_succeeded(&self) -> bool {
        self.location.identity().is_some_and(|identity| identity != self.identity)
    }

    /// The number that all regions of one growing channel share.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// Whether the name leads to nothing now.
    pub(crate) fn is_gone(&self) -> bool {
        self.location.is_absent()
    }

    /// Whether the file was copied up, in an overlay, since an observer mapped it. That mapping
    /// does not show what others write from then on, but a read of the file does.
    pub(crate) fn is_copied_up(&self) -> bool {
        let Some(file) = self.file.as_ref().filter(|_| self.overlaid) else { return false };
        // Acquire: the second look comes after the read, by the system call.
        let mapped = || self.latest().load(Ordering::Acquire);
        let (before, mut read) = (mapped(), [0; 8]);
        file.read_exact_at(&mut read, layout::LATEST).is_ok()
            && u64::from_le_bytes(read) != before
            && mapped() == before
    }

    /// Whether the directory of its name is the one from before: after a chroot, for one, it is
    /// not.
    fn sees_directory(&self) -> bool {
        let at = self.location.directory_identity();
        at.is_some_and(|at| self.directory.map_or(at.0 == self.identity.0, |then| at == then))
    }

    /// Whether no name at all leads here.
    fn is_unlinked(&self) -> bool {
        match (&self.claims, &self.file) {
            (Some(claims), _) => claims.is_unlinked(),
            (None, Some(file)) => file.metadata().is_ok_and(|metadata| metadata.nlink() == 0),
            (None, None) => true,
        }
    }

    /// Whether a remover has marked the region.
    #[inline]
    pub(crate) fn is_retired(&self) -> bool {
        // Relaxed: nothing is read because of it.
        self.retired().load(Ordering::Relaxed) != 0
    }
}

/// This handle's claims.
impl Region {
    /// Whether this handle still has the descriptor of its claims, if it ever had one.
    pub(crate) fn has_claims(&self) -> bool {
        self.claims.as_ref().is_none_or(|claims| claims.is_own())
    }

    /// Whether another handle has `part`.
    pub(crate) fn is_taken(&self, part: Part) -> Result<bool> {
        if !self.has_claims() {
            return Err(self.claims_lost());
        }
        let taken = match (&self.claims, &self.file) {
            (Some(claims), _) => claims.is_taken(part),
            (None, Some(file)) => claim::is_claimed(file, part),
            (None, None) => Err(Errno::EBADF), // an observer keeps its file
        };
        taken.map_err(|errno| Error::system(&self.name, "fcntl(F_OFD_GETLK)", errno))
    }

    /// Who has the producer's role now.
    pub(crate) fn producer(&self) -> Result<Option<Holder>> {
        Ok(self.is_taken(Part::Producer)?.then(|| self.holder(Part::Producer)))
    }
}

/// Errors of this region.
impl Region {
    pub(crate) fn error(&self, kind: ErrorKind) -> Error {
        Error::new(&self.name, kind)
    }

    /// The error for a region whose flag or name says that it was removed or replaced.
    #[cold]
    pub(crate) fn replaced(&self) -> Error {
        // A remover takes the name before it sets the flag.
        let is_named =
            self.location.path().is_some() && self.location.identity() == Some(self.identity);
        if is_named && self.is_retired() {
            return self.error(Self::written_over());
        }
        self.error(self.unless_damaged(ErrorKind::Replaced))
    }

    /// The error for a `part` whose words say that another handle has it. If this handle still has
    /// its claim, which nobody else could have won, something has written over the words.
    #[cold]
    pub(crate) fn role_lost(&self, part: Part) -> ErrorKind {
        if self.has_claims() && self.is_taken(part).is_ok_and(|taken| !taken) {
            return Self::written_over();
        }
        self.unless_damaged(ErrorKind::RoleLost)
    }

    /// The error after other code has closed the descriptor of this handle's claims.
    #[cold]
    pub(crate) fn claims_lost(&self) -> Error {
        let what = "other code in this program closed the descriptor that holds this handle's \
                    role, so that another handle may take the role over: open it again";
        self.error(self.unless_damaged(ErrorKind::RoleLost)).advise(what)
    }

    fn written_over() -> ErrorKind {
        ErrorKind::Corrupt { what: "something has written over its header".into() }
    }

    /// `kind`, which the words of the header led to; or, if something has written over the header,
    /// the error that says so.
    pub(crate) fn unless_damaged(&self, kind: ErrorKind) -> ErrorKind {
        let mut words = [0; size_of::<Prelude>() / 8];
        for (i, word) in words.iter_mut().enumerate() {
            // SAFETY: the header begins with the prelude. Only the region's creator writes it,
            // before anybody sees the region; whatever writes there against that rule may do so
            // while this looks, which is why the loads are atomic.
            *word = unsafe { word64(self, self.in_header(i as u64 * 8)) }.load(Ordering::Relaxed);
        }
        let prelude: Prelude = zerocopy::transmute!(words);
        let whole = prelude.magic == layout::MAGIC
            && Layout::from_prelude(&prelude).is_ok_and(|layout| layout == self.layout);
        if whole {
            return kind;
        }
        Self::written_over()
    }
}

/// Addresses in the mappings.
impl Region {
    /// The payload of a buffer, up to the end of its stride.
    #[inline]
    pub(crate) fn payload(&self, buffer: usize) -> *mut u8 {
        // SAFETY: the offset is below the stride.
        unsafe { self.buffer(buffer).add(self.layout.payload_offset as usize) }
    }

    /// Bytes from [`payload`](Self::payload) to the end of the buffer.
    #[inline]
    pub(crate) fn payload_size(&self) -> u64 {
        self.layout.stride - u64::from(self.layout.payload_offset)
    }

    #[inline]
    pub(super) fn buffer(&self, buffer: usize) -> *mut u8 {
        let at = self.buffers.at(buffer);
        assert!(!at.is_null(), "a buffer is mapped before it is used");
        at
    }

    #[inline]
    pub(super) fn in_header(&self, offset: u64) -> *mut u8 {
        // SAFETY: callers pass offsets of the layout, which the mapping covers.
        unsafe { self.header.as_mut_ptr().add(offset as usize) }
    }

    #[inline]
    pub(super) fn in_producer(&self, offset: u64) -> *mut u8 {
        self.in_header(u64::from(self.layout.producer_offset) + offset)
    }

    #[inline]
    pub(super) fn in_consumer(&self, slot: usize, offset: u64) -> *mut u8 {
        assert!(slot < self.layout.consumers as usize, "a slot of this region");
        let start = u64::from(self.layout.consumers_offset) + slot as u64 * layout::BLOCK;
        self.in_header(start + offset)
    }
}

/// The 64-bit word at `at`, as long as the region is mapped.
///
/// # Safety
/// `at` is in a mapping of `region`, aligned to 8, and only ever accessed as an atomic of 64 bits.
#[inline]
pub(super) unsafe fn word64(_region: &Region, at: *mut u8) -> &AtomicU64 {
    // SAFETY: the caller promises the address, its alignment and atomic accesses; the mapping lives
    // as long as the region that the result borrows.
    unsafe { AtomicU64::from_ptr(at.cast()) }
}

/// The byte at `at`, as long as the region is mapped.
///
/// # Safety
/// `at` is in a mapping of `region`, and only ever accessed as an atomic byte.
#[inline]
pub(super) unsafe fn word8(_region: &Region, at: *mut u8) -> &AtomicU8 {
    // SAFETY: the caller promises the address and atomic accesses; the mapping lives as long as the
    // region that the result borrows.
    unsafe { AtomicU8::from_ptr(at) }
}

impl std::fmt::Debug for Region {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Region").field("name", &self.name).finish_non_exhaustive()
    }
}
