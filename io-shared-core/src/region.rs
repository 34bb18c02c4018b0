//! The shared memory under a channel: mapped, validated, and claimed by one handle.
//!
//! `open.rs` finds or waits for a region and enters it in a role, `create.rs` makes one that
//! appears whole or not at all, `remove.rs` takes its name away, `blocks.rs` reads and writes the
//! role blocks. Callers are the slots. What must stay true:
//! - The mappings cover the whole [`Layout`], which was checked against the file's size; the file
//!   is as long as that while conforming programs use it (nothing of ours shrinks a region).
//! - A consumer's or observer's mapping of the buffers is read-only.
//! - The claims' descriptor is never mapped.

mod blocks;
mod create;
mod open;
mod remove;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering, fence};

use memmap2::MmapRaw;

pub(crate) use open::{Side, attach};
pub(crate) use remove::remove;

use crate::claim::{Claims, Part};
use crate::crash_point::{self, CrashPoint};
use crate::error::{Error, ErrorKind, Holder, Result};
use crate::futex;
use crate::layout::{self, Layout};
use crate::protocol::{Exchange, Word, Words};
use crate::schema::Schema;

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
}

/// What a program wants of a region: the type, and the builder's options. Whatever is `None` is
/// taken as found, and has its default when the region is created.
#[derive(Debug, Clone, Default)]
pub struct Spec {
    /// The type; `None` (observers only) takes any.
    pub schema: Option<Schema>,
    /// Bytes of one message with its header fields: at least this.
    pub capacity: Option<u64>,
    /// Consumer slots: at least this many. Default 1.
    pub consumers: Option<u32>,
    /// Values that each consumer may hold at once: at least this many. Default 1, at most 4.
    pub holds: Option<u32>,
    /// Permission bits at creation, exactly. Default 0600.
    pub mode: Option<u32>,
    /// Whether to fault all pages in when the region is mapped.
    pub prefault: bool,
    /// How long to wait for a region, or for one of the right shape.
    pub open_timeout: Option<std::time::Duration>,
}

/// A mapped region and this handle's claim in it.
pub(crate) struct Region {
    name: String,
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
    /// Declared before the mappings: the claim ends first, so nobody takes over while it is mapped
    /// and nobody minds if it is mapped for longer.
    claims: Option<Claims>,
    header: MmapRaw,
    /// The buffers, where they are mapped apart (read-only).
    apart: Option<MmapRaw>,
    layout: Layout,
    schema: Schema,
}

impl Region {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }

    pub(crate) fn error(&self, kind: ErrorKind) -> Error {
        Error::new(&self.name, kind)
    }

    /// Whether this handle was inherited over a fork, and so is the parent's.
    #[inline]
    pub(crate) fn is_forked(&self) -> bool {
        self.claims.as_ref().is_some_and(Claims::is_forked)
    }

    /// Whether the name leads elsewhere by now, or nowhere.
    pub(crate) fn is_replaced(&self) -> bool {
        self.retired().load(Ordering::Relaxed) != 0
            || open::identity_at(&self.path) != Some(self.identity)
    }

    /// Whether somebody else has `part`.
    pub(crate) fn is_taken(&self, part: Part) -> Result<bool> {
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
                blocks::holder_of(part, self.consumer_pid(slot), &self.consumer_name(slot))
            }
            _ => blocks::holder_of(part, self.producer_pid(), ""),
        }
    }

    /// The payload of a buffer, up to the end of its stride.
    pub(crate) fn payload(&self, buffer: usize) -> *mut u8 {
        self.in_buffer(buffer, u64::from(self.layout.payload_offset))
    }

    /// Bytes from [`payload`](Self::payload) to the end of the buffer.
    pub(crate) fn payload_size(&self) -> u64 {
        self.layout.stride - u64::from(self.layout.payload_offset)
    }

    fn in_buffer(&self, buffer: usize, offset: u64) -> *mut u8 {
        assert!(
            buffer < self.layout.buffers as usize,
            "buffer indices are checked when read"
        );
        let start = buffer as u64 * self.layout.stride + offset;
        match &self.apart {
            // SAFETY: the mapping covers every buffer, `buffer` is one of them, and callers pass an
            // offset below the stride.
            Some(apart) => unsafe { apart.as_mut_ptr().add(start as usize) },
            None => self.in_header(self.layout.buffers_offset + start),
        }
    }

    fn in_header(&self, offset: u64) -> *mut u8 {
        // SAFETY: callers pass offsets of the layout, which the mapping covers.
        unsafe { self.header.as_mut_ptr().add(offset as usize) }
    }

    fn in_consumer(&self, slot: usize, offset: u64) -> *mut u8 {
        assert!(
            slot < self.layout.consumers as usize,
            "a slot of this region"
        );
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

impl Word<u64> for AtomicU64 {
    #[inline]
    fn load(&self, order: Ordering) -> u64 {
        self.load(order)
    }

    #[inline]
    fn store(&self, value: u64, order: Ordering) {
        self.store(value, order);
    }
}

impl Exchange<u64> for AtomicU64 {
    #[inline]
    fn compare_exchange(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> std::result::Result<u64, u64> {
        self.compare_exchange(current, new, success, failure)
    }
}

impl Word<u8> for AtomicU8 {
    #[inline]
    fn load(&self, order: Ordering) -> u8 {
        self.load(order)
    }

    #[inline]
    fn store(&self, value: u8, order: Ordering) {
        self.store(value, order);
    }
}

impl Words for Region {
    type Latest = AtomicU64;
    type Count = AtomicU64;
    type Flag = AtomicU8;

    #[inline]
    fn consumers(&self) -> usize {
        self.layout.consumers as usize
    }

    #[inline]
    fn holds(&self) -> usize {
        self.layout.holds as usize
    }

    #[inline]
    fn buffers(&self) -> usize {
        self.layout.buffers as usize
    }

    #[inline]
    fn latest(&self) -> &AtomicU64 {
        // SAFETY: offset 0x80 is in every header, aligned, and nothing else lies there.
        unsafe { word64(self, self.in_header(layout::LATEST)) }
    }

    #[inline]
    fn retired(&self) -> &AtomicU8 {
        // SAFETY: the first control byte is in every header, and nothing else lies there.
        unsafe { word8(self, self.in_header(layout::RETIRED)) }
    }

    #[inline]
    fn waiting(&self, consumer: usize) -> &AtomicU8 {
        assert!(consumer < self.consumers(), "a slot of this region");
        // SAFETY: the control bytes reach to one behind the last consumer.
        unsafe { word8(self, self.in_header(layout::CONTROL + 1 + consumer as u64)) }
    }

    #[inline]
    fn held(&self, consumer: usize, hold: usize) -> &AtomicU8 {
        assert!(hold < self.holds(), "a hold of this region");
        // SAFETY: the first four bytes of a consumer's block are its held entries.
        unsafe { word8(self, self.in_consumer(consumer, blocks::HELD + hold as u64)) }
    }

    #[inline]
    fn last_seen(&self, consumer: usize) -> &AtomicU64 {
        // SAFETY: the block is aligned to 128 and the offset to 8; nothing else lies there.
        unsafe { word64(self, self.in_consumer(consumer, blocks::LAST_SEEN)) }
    }

    #[inline]
    fn sequence(&self, buffer: usize) -> &AtomicU64 {
        // SAFETY: a buffer is aligned to 128 and starts with its sequence.
        unsafe { word64(self, self.in_buffer(buffer, 0)) }
    }

    #[inline]
    fn length(&self, buffer: usize) -> &AtomicU64 {
        // SAFETY: a buffer is aligned to 128 and its second word is its length.
        unsafe { word64(self, self.in_buffer(buffer, 8)) }
    }

    #[inline]
    fn stamp(&self, buffer: usize) -> &AtomicU64 {
        // SAFETY: a buffer is aligned to 128 and its third word is its stamp.
        unsafe { word64(self, self.in_buffer(buffer, 16)) }
    }

    #[inline]
    fn fence(&self, order: Ordering) {
        fence(order);
    }

    fn wake(&self) -> usize {
        futex::wake_all(self.in_header(layout::LATEST).cast())
    }

    fn wait(&self, low: u32, until: u64) {
        // The low half comes first: the layout is little-endian.
        futex::wait(self.in_header(layout::LATEST).cast(), low, until);
    }

    fn win(&self, consumer: usize) -> bool {
        self.claims
            .as_ref()
            .is_some_and(|c| c.try_claim(Part::Consumer(consumer)) == Ok(true))
    }

    fn unwin(&self, consumer: usize) {
        if let Some(claims) = &self.claims {
            claims.release(Part::Consumer(consumer));
        }
    }

    #[inline(always)]
    fn reached(&self, point: CrashPoint) {
        crash_point::reached(point);
    }
}

impl std::fmt::Debug for Region {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Region")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
