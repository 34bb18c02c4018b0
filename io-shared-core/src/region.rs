//! The shared memory under a channel: mapped, validated, and claimed by one handle.
//!
//! `found.rs` judges what lies in a place, `open.rs` waits for it and maps it, `enter.rs` claims a
//! role in it, `create.rs` makes one that appears whole or not at all, `remove.rs` takes its name
//! away, `linked.rs` has the order of the steps in which that is done and in which one enters,
//! `reboot.rs` judges what a reboot left of it, `blocks.rs` reads and writes the role blocks, `words.rs` gives the protocol and the lock
//! their words. Callers are the slots and the locked mmaps. What must stay true:
//! - The mappings cover the whole [`Layout`], which was checked against the file's size; the file
//!   is as long as that while conforming programs use it (nothing of ours shrinks a region).
//! - A consumer's or observer's mapping of the buffers is read-only.
//! - The claims' descriptor is never mapped.

mod blocks;
pub(crate) mod cause;
mod create;
mod enter;
mod found;
pub(crate) mod layout;
pub(crate) mod linked;
pub(crate) mod location;
pub(crate) mod name;
mod open;
mod reboot;
mod remove;
pub(crate) mod size;
mod unlinked;
mod watch;
mod words;

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use memmap2::MmapRaw;

pub(crate) use create::page_size;
pub(crate) use enter::Side;
pub(crate) use found::{refuse_magic, refuse_region};
pub(crate) use open::{attach, leave_out_of_dumps, tell_of_missing};
pub(crate) use reboot::sum;
pub(crate) use remove::remove;
pub(crate) use unlinked::{Unlinked, allocate, check_file_size_limit};
pub(crate) use watch::Watch;

use crate::error::{Error, ErrorKind, Holder, Result};
use crate::os::claim::{Claims, Part};
use crate::os::clock::Clock;
use crate::os::fork;
pub use layout::Kind;
pub use location::Location;
pub use name::Name;
pub use size::Size;

use crate::message::schema::Schema;
use crate::message::{Message, Shape};
use crate::protocol::Words;
use layout::{Layout, Prelude};

/// How a handle takes part in a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Puts. One at a time.
    Producer,
    /// Gets, in a slot of its own.
    Consumer {
        /// The name under which it takes up the same slot again.
        name: Option<String>,
    },
    /// Reads without taking part.
    Observer,
    /// Locks, to read or to write, in a slot of its own.
    Locker,
}

/// What a program wants of a region: the type, and the builder's options. Whatever is `None` is
/// taken as found, and has its default when the region is created.
#[derive(Debug, Clone, Default)]
pub struct Spec {
    /// What the region is.
    pub kind: Kind,
    /// The type; `None` takes any, and creates nothing.
    pub schema: Option<Schema>,
    /// Bytes of one message with its header fields: at least this.
    pub capacity: Option<u64>,
    /// Consumer slots, or slots of a lock: at least this many. Default 1, or 64.
    pub consumers: Option<u32>,
    /// Values that each consumer may hold at once: at least this many. Default 1, at most 4.
    pub holds: Option<u32>,
    /// Permission bits at creation, exactly. Default 0600.
    pub mode: Option<u32>,
    /// Whether to fault all pages in when the region is mapped.
    pub prefault: bool,
    /// How long to wait for a region, or for one of the right shape.
    pub open_timeout: Option<std::time::Duration>,
    /// How long the region's own lock is waited for, where another has it. Default 1 s.
    pub patience: Option<std::time::Duration>,
    /// Whether a region created here goes with its last user.
    pub ephemeral: bool,
    /// Whether a region of another shape in which nobody lives is replaced, also where that may
    /// lose what it keeps.
    pub replace: bool,
}

/// A mapped region and this handle's claim in it.
pub(crate) struct Region {
    /// The place, as errors show it.
    name: String,
    location: Location,
    /// Device and inode.
    identity: (u64, u64),
    /// Those of the directory, when this handle was opened: of a file's. Shared memory's is a file
    /// system by itself.
    directory: Option<(u64, u64)>,
    /// This process's, when this handle was opened.
    clock: Clock,
    /// Of forks, when this handle was opened.
    generation: u64,
    claims: Option<Claims>,
    header: MmapRaw,
    buffers: Buffers,
    /// What is passed on where there is no name to open, and what an observer, which has no claims,
    /// asks whether a name is left.
    file: Option<File>,
    ephemeral: bool,
    /// Whether this is an observer of a file that may lie in the lower layer of an overlay.
    overlaid: bool,
    /// Whether it outlives the machine's uptime: it lies in a file.
    keeps: bool,
    layout: Layout,
    /// Whether its messages are carried beside `latest`.
    stores_inline: bool,
    schema: Schema,
    /// Threads of this process that sleep for this handle's consumer.
    sleepers: Mutex<usize>,
}

/// The buffers of a region, as long as it lives.
struct Buffers {
    /// Where the first lies.
    start: *mut u8,
    /// Their mapping, where they are mapped apart from the header (read-only).
    _apart: Option<MmapRaw>,
}

// SAFETY: `start` is an address in a mapping that lives as long, which any thread may use.
unsafe impl Send for Buffers {}
// SAFETY: as above.
unsafe impl Sync for Buffers {}

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

    pub(crate) fn error(&self, kind: ErrorKind) -> Error {
        Error::new(&self.name, kind)
    }

    /// That the region was removed or replaced, as its flag or its name says.
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

    /// That `part` is another's, as its words say. Not so where this handle has its claim still, which
    /// nobody else could have won: then something has written over the words.
    #[cold]
    pub(crate) fn role_lost(&self, part: Part) -> ErrorKind {
        if self.has_claims() && self.is_taken(part).is_ok_and(|taken| !taken) {
            return Self::written_over();
        }
        self.unless_damaged(ErrorKind::RoleLost)
    }

    fn written_over() -> ErrorKind {
        ErrorKind::Corrupt { what: "something has written over its header".into() }
    }

    /// `kind`, which the words of the header say; if something has written over the header, that.
    pub(crate) fn unless_damaged(&self, kind: ErrorKind) -> ErrorKind {
        let mut words = [0; size_of::<Prelude>() / 8];
        for (i, word) in words.iter_mut().enumerate() {
            // SAFETY: the header begins with the prelude, whose words only who creates it writes,
            // before it is seen; whoever writes there against that may do so while this looks.
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

    /// Whether this handle was inherited over a fork, and so is the parent's.
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

    /// Whether the name leads elsewhere by now, or nowhere.
    pub(crate) fn is_replaced(&self) -> bool {
        self.is_retired()
            || self.is_copied_up()
            || match self.location.identity() {
                Some(identity) => identity != self.identity,
                None => {
                    let gone = self.location.is_absent() && self.is_in_sight();
                    self.location.path().is_some() && (gone || self.is_unlinked())
                }
            }
    }

    /// Whether the name leads to something else by now.
    pub(crate) fn is_succeeded(&self) -> bool {
        self.location.identity().is_some_and(|identity| identity != self.identity)
    }

    /// Whether the file was copied up, in an overlay, since an observer mapped it: what others write is
    /// not in that mapping, but it is what is read.
    pub(crate) fn is_copied_up(&self) -> bool {
        let Some(file) = self.file.as_ref().filter(|_| self.overlaid) else { return false };
        // Acquire: the look behind the reading comes behind it, by the system call.
        let mapped = || self.latest().load(Ordering::Acquire);
        let (before, mut read) = (mapped(), [0; 8]);
        file.read_exact_at(&mut read, layout::LATEST).is_ok()
            && u64::from_le_bytes(read) != before
            && mapped() == before
    }

    /// Whether a name of it would be found: after a chroot, say, none is.
    fn is_in_sight(&self) -> bool {
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

    /// A descriptor to pass on, of a region that has no name to open.
    pub(crate) fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.file.as_ref().filter(|_| self.location.path().is_none()).map(AsFd::as_fd)
    }

    /// Whether it lies in a file, which outlives the machine's uptime.
    pub(crate) fn keeps(&self) -> bool {
        self.keeps
    }

    /// Writes what was changed to the file, and returns when it is there.
    pub(crate) fn flush(&self) -> Result<()> {
        self.header.flush().map_err(|e| self.location.io_error("msync", &e))
    }

    /// Whether the descriptor of this handle's claims is its still, if it has any.
    pub(crate) fn has_claims(&self) -> bool {
        self.claims.as_ref().is_none_or(|claims| claims.is_own())
    }

    /// Other code has closed the descriptor of this handle's claims.
    #[cold]
    pub(crate) fn claims_lost(&self) -> Error {
        let what = "other code in this program closed the descriptor by which this handle has its role, \
                    so that another may take that over: open it again";
        self.error(self.unless_damaged(ErrorKind::RoleLost)).advise(what)
    }

    /// Whether somebody else has `part`.
    pub(crate) fn is_taken(&self, part: Part) -> Result<bool> {
        if !self.has_claims() {
            return Err(self.claims_lost());
        }
        match &self.claims {
            Some(claims) => claims
                .is_taken(part)
                .map_err(|errno| Error::system(&self.name, "fcntl(F_OFD_GETLK)", errno)),
            None => Err(self.error(ErrorKind::Unsupported {
                what: "an observer has no claim to ask through".into(),
            })),
        }
    }

    /// Who has `part`, by what is written in its block.
    pub(crate) fn holder(&self, part: Part) -> Holder {
        match part {
            Part::Consumer(slot) => {
                let (pid, name) = (self.consumer_pid(slot), self.consumer_name(slot));
                blocks::holder_of(part, pid, &name, self.claims.as_ref())
            }
            _ => blocks::holder_of(part, self.producer_pid(), "", self.claims.as_ref()),
        }
    }

    /// Whether a message of `length` bytes, handled as a `T`, is one that the region's type has. To be
    /// asked where messages of any type are handled as plain bytes; who has the type itself has
    /// asked that.
    #[inline]
    pub(crate) fn allows<T: Message + ?Sized>(&self, length: u64) -> bool {
        const BYTES: Shape = <[u8]>::SHAPE;
        T::SHAPE != BYTES || self.schema.root().shape().elements_in(length).is_some()
    }

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
    fn buffer(&self, buffer: usize) -> *mut u8 {
        assert!(buffer < self.layout.buffers as usize, "buffer indices are checked when read");
        // SAFETY: the mapping covers every buffer, and this is one of them.
        unsafe { self.buffers.start.add(buffer * self.layout.stride as usize) }
    }

    #[inline]
    fn in_header(&self, offset: u64) -> *mut u8 {
        // SAFETY: callers pass offsets of the layout, which the mapping covers.
        unsafe { self.header.as_mut_ptr().add(offset as usize) }
    }

    #[inline]
    fn in_consumer(&self, slot: usize, offset: u64) -> *mut u8 {
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
unsafe fn word64(_region: &Region, at: *mut u8) -> &AtomicU64 {
    // SAFETY: as the caller promises; the mapping lives as long as the region.
    unsafe { AtomicU64::from_ptr(at.cast()) }
}

/// The byte at `at`, as long as the region is mapped.
///
/// # Safety
/// `at` is in a mapping of `region`, and only ever accessed as an atomic byte.
#[inline]
unsafe fn word8(_region: &Region, at: *mut u8) -> &AtomicU8 {
    // SAFETY: as the caller promises; the mapping lives as long as the region.
    unsafe { AtomicU8::from_ptr(at) }
}

impl std::fmt::Debug for Region {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Region").field("name", &self.name).finish_non_exhaustive()
    }
}
