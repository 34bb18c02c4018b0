//! Where everything lies in a channel's region. docs/ARCHITECTURE.md has the picture.
//!
//! A [`Layout`] follows from the kind and five numbers. The creator of a region writes it into the
//! prelude. An opener reads the prelude once, computes the layout again from those numbers, and
//! refuses a prelude that says anything else. So no offset is ever taken from shared memory, and
//! every offset has gone through checked arithmetic.
//!
//! The number of a channel's buffers is not among them: consumers that join add buffers, and the
//! file grows (`pool.rs`).

use crate::protocol::{MAX_INLINE_WORDS, MOST_BUFFERS, OWN_BUFFERS};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

#[cfg(not(all(target_endian = "little", target_pointer_width = "64", target_os = "linux")))]
compile_error!("io-shared regions are defined for 64-bit little-endian Linux");

/// The first eight bytes of every region, written last.
pub(crate) const MAGIC: [u8; 8] = *b"ioshared";
/// Bump this when old programs cannot use new regions, or vice versa.
pub(crate) const VERSION: u32 = 3;

/// What is in a region.
///
/// # Examples
/// ```
/// use io_shared_core::{Kind, Spec};
/// assert_eq!(Spec::default().kind, Kind::Channel);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u32)]
pub enum Kind {
    /// A channel: a slot and its buffers.
    #[default]
    Channel = 1,
    /// Bytes under one lock.
    Mmap = 2,
    /// Bytes under a reader-writer lock.
    RwMmap = 3,
    /// A typed value under a reader-writer lock.
    State = 4,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::Channel, Kind::Mmap, Kind::RwMmap, Kind::State];

    pub(crate) fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u32 == number)
    }

    /// The word for it in errors.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Kind::Channel => "a channel",
            Kind::Mmap => "a locked mmap",
            Kind::RwMmap => "a reader-writer mmap",
            Kind::State => "typed state",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Kind::Channel => "channel",
            Kind::Mmap => "locked mmap",
            Kind::RwMmap => "reader-writer mmap",
            Kind::State => "typed state",
        })
    }
}

/// The flag of a region that is removed with its last user.
pub(crate) const EPHEMERAL: u32 = 1;

/// Blocks that different processes write lie this far apart: two cache lines, because prefetchers
/// fetch them in pairs.
pub(crate) const BLOCK: u64 = 128;

pub(crate) const LATEST: u64 = 0x080;
/// What follows `latest` in its line: the mark, the stamp, the tag, and the inline value.
pub(crate) const INLINE: u64 = LATEST + 8;
/// In a lock's region: how many writes there were, in the line of the lock word.
pub(crate) const WRITES: u64 = LATEST + 8;
pub(crate) const CONTROL: u64 = 0x100;
/// The first byte of [`CONTROL`], in every layout version.
pub(crate) const RETIRED: u64 = CONTROL;

/// The consumer slots of a channel, unless its creator asks for more.
pub(crate) const USUAL_CONSUMERS: u32 = 64;
/// The most consumer slots: each needs a buffer.
pub(crate) const MOST_CONSUMERS: u32 = (MOST_BUFFERS - OWN_BUFFERS) as u32;
/// The most handles of a lock.
pub(crate) const MOST_LOCKERS: u32 = 1000;
/// Bytes of the producer's block.
pub(crate) const PRODUCER: u64 = 4 * BLOCK;
/// The longest schema text in bytes.
pub(crate) const LONGEST_SCHEMA: u64 = 1 << 20;
/// Bytes of { sequence, length, stamp, tag } before the payload.
const BUFFER_HEADER: u64 = 32;
/// Payloads up to this size share the cache line of the buffer's header. Those of a fixed size are
/// also stored inline next to `latest`, which has as much room.
const SMALL_PAYLOAD: u64 = MAX_INLINE_WORDS as u64 * 8;
/// Where the checksum of a small value lies: after the line that it shares with its buffer's
/// header.
const SMALL_CHECKSUM: u64 = BUFFER_HEADER + SMALL_PAYLOAD;
/// Where the checksum of any other value lies: at the end of its buffer's first line, where no
/// payload is.
const CHECKSUM: u64 = 56;

/// How many words of 64 such bits there are.
pub(crate) const SLEEPER_WORDS: usize = (MOST_CONSUMERS as usize).div_ceil(64);

const _: () = assert!(ASLEEP + SLEEPER_WORDS as u64 * 8 <= FOLLOWING);
const _: () = assert!(BUFFER_HEADER + SMALL_PAYLOAD == 64);
const _: () = assert!(INLINE + 24 + SMALL_PAYLOAD == LATEST + 64);
const _: () = assert!(BUFFER_HEADER <= CHECKSUM && SMALL_CHECKSUM + 8 <= BLOCK);

/// The immutable start of a region, which is checked before anything else is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Prelude {
    pub(crate) magic: [u8; 8],
    pub(crate) version: u32,
    pub(crate) kind: u32,
    /// A random number that tells this region from any other of its name.
    pub(crate) instance: u64,
    /// The same in all regions that follow each other under one name as a channel grows: the values
    /// are numbered on through them.
    pub(crate) line: u64,
    pub(crate) capacity: u64,
    pub(crate) stride: u64,
    pub(crate) buffers_offset: u64,
    pub(crate) schema_hash: u64,
    pub(crate) page_size: u32,
    pub(crate) consumers: u32,
    pub(crate) align: u32,
    pub(crate) payload_offset: u32,
    pub(crate) producer_offset: u32,
    pub(crate) consumers_offset: u32,
    pub(crate) schema_offset: u32,
    pub(crate) schema_length: u32,
    pub(crate) flags: u32,
    pub(crate) reserved: [u8; 20],
    /// FNV-1a of everything before it.
    pub(crate) checksum: u64,
}

const _: () = assert!(size_of::<Prelude>() == 128);

/// The kind and five numbers, and what follows from them. Offsets and sizes are in bytes.
///
/// A lock's region is laid out like a channel's: it has the lock word where a channel has `latest`,
/// a slot for each handle where a channel has one for each consumer, and one buffer, which is all
/// payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) kind: Kind,
    /// Consumer slots, or slots of a lock.
    pub(crate) consumers: u32,
    pub(crate) capacity: u64,
    pub(crate) align: u32,
    pub(crate) schema_length: u32,
    pub(crate) page_size: u32,

    pub(crate) producer_offset: u32,
    pub(crate) consumers_offset: u32,
    pub(crate) schema_offset: u32,
    pub(crate) buffers_offset: u64,
    pub(crate) payload_offset: u32,
    pub(crate) stride: u64,
}

/// Which number makes a layout impossible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LayoutError {
    Consumers,
    Align,
    Schema,
    Size,
}

/// A bit for each consumer that sleeps.
pub(crate) const ASLEEP: u64 = CONTROL + 8;
/// A bit for each that is to be woken when a value is being filled.
pub(crate) const FOLLOWING: u64 = CONTROL + 64;
const PRODUCER_OFFSET: u64 = CONTROL + BLOCK;
const CONSUMERS_OFFSET: u64 = PRODUCER_OFFSET + PRODUCER;

/// Where the type's description lies in a region with `slots` slots.
pub(crate) fn schema_offset(slots: u64) -> u64 {
    CONSUMERS_OFFSET + slots * BLOCK
}

impl Layout {
    pub(crate) fn plan(
        kind: Kind,
        consumers: u32,
        capacity: u64,
        align: u32,
        schema_length: u32,
        page_size: u32,
    ) -> Result<Self, LayoutError> {
        let channel = kind == Kind::Channel;
        let most = if channel { MOST_CONSUMERS } else { MOST_LOCKERS };
        if consumers == 0 || consumers > most {
            return Err(LayoutError::Consumers);
        }
        if !page_size.is_power_of_two() || u64::from(page_size) < BLOCK {
            return Err(LayoutError::Size);
        }
        if !align.is_power_of_two() || align > page_size {
            return Err(LayoutError::Align);
        }
        if u64::from(schema_length) > LONGEST_SCHEMA {
            return Err(LayoutError::Schema);
        }
        let (align64, page64) = (u64::from(align), u64::from(page_size));
        let round_up = |value: u64, to: u64| value.checked_next_multiple_of(to);
        let plan = || {
            let schema_offset = schema_offset(consumers.into());
            let buffers_offset = round_up(schema_offset + u64::from(schema_length), page64)?;
            let padded = round_up(capacity, align64)?;
            let payload_offset = match channel {
                true if padded <= SMALL_PAYLOAD && align <= 8 => BUFFER_HEADER,
                true => align64.max(64),
                false => 0,
            };
            let stride = round_up(payload_offset.checked_add(padded)?, align64.max(BLOCK))?;
            let layout = Self {
                kind,
                consumers,
                capacity,
                align,
                schema_length,
                page_size,
                producer_offset: PRODUCER_OFFSET as u32,
                consumers_offset: CONSUMERS_OFFSET as u32,
                schema_offset: u32::try_from(schema_offset).ok()?,
                buffers_offset,
                payload_offset: u32::try_from(payload_offset).ok()?,
                stride,
            };
            // The largest that it can get.
            let most = if channel { MOST_BUFFERS } else { 1 };
            let size = stride.checked_mul(most)?.checked_add(buffers_offset + page64)?;
            i64::try_from(size).ok()?;
            Some(layout)
        };
        plan().ok_or(LayoutError::Size)
    }

    /// Bytes of the file with this many buffers. For a channel these are whole pages.
    pub(crate) fn size(&self, buffers: u64) -> u64 {
        let size = self.buffers_offset + self.stride * buffers.min(MOST_BUFFERS);
        match self.kind {
            Kind::Channel => size.next_multiple_of(self.page_size.into()),
            _ => size,
        }
    }

    /// Whether messages share the line of their buffer's header, and so fit next to `latest` too.
    pub(crate) fn is_small(&self) -> bool {
        u64::from(self.payload_offset) == BUFFER_HEADER
    }

    /// Where the checksum of its value lies in a channel's buffer. No put or get accesses these
    /// bytes.
    pub(crate) fn checksum_offset(&self) -> u64 {
        if self.is_small() { SMALL_CHECKSUM } else { CHECKSUM }
    }

    /// The prelude of a new region.
    pub(crate) fn prelude(
        &self,
        instance: u64,
        line: u64,
        schema_hash: u64,
        flags: u32,
    ) -> Prelude {
        let mut prelude = Prelude {
            magic: MAGIC,
            version: VERSION,
            kind: self.kind as u32,
            instance,
            line,
            capacity: self.capacity,
            stride: self.stride,
            buffers_offset: self.buffers_offset,
            schema_hash,
            page_size: self.page_size,
            consumers: self.consumers,
            align: self.align,
            payload_offset: self.payload_offset,
            producer_offset: self.producer_offset,
            consumers_offset: self.consumers_offset,
            schema_offset: self.schema_offset,
            schema_length: self.schema_length,
            flags,
            reserved: [0; 20],
            checksum: 0,
        };
        prelude.checksum = prelude.sum();
        prelude
    }

    /// The layout that `prelude` describes. It describes one if its checksum holds, and each of its
    /// offsets is the one that follows from its kind and five numbers.
    pub(crate) fn from_prelude(prelude: &Prelude) -> Result<Self, &'static str> {
        if prelude.checksum != prelude.sum() {
            return Err("the header's checksum does not hold");
        }
        let kind = Kind::from_number(prelude.kind).ok_or("the header's kind is unknown")?;
        let layout = Self::plan(
            kind,
            prelude.consumers,
            prelude.capacity,
            prelude.align,
            prelude.schema_length,
            prelude.page_size,
        )
        .map_err(|_| "the header's counts and sizes are out of range")?;
        let flags = prelude.flags & EPHEMERAL;
        if layout.prelude(prelude.instance, prelude.line, prelude.schema_hash, flags) == *prelude {
            Ok(layout)
        } else {
            Err("the header's offsets do not follow from its counts and sizes")
        }
    }
}

impl Prelude {
    fn sum(&self) -> u64 {
        let bytes = self.as_bytes();
        let before = bytes.len() - size_of::<u64>();
        bytes.iter().take(before).fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
            (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn channel(
        consumers: u32,
        capacity: u64,
        align: u32,
        schema: u32,
    ) -> Result<Layout, LayoutError> {
        Layout::plan(Kind::Channel, consumers, capacity, align, schema, 4096)
    }

    #[test]
    fn a_default_channel_lies_where_the_design_says() {
        let layout = channel(64, 16, 4, 300).unwrap();
        assert_eq!((layout.producer_offset, layout.consumers_offset), (0x180, 0x380));
        assert_eq!((layout.schema_offset, layout.buffers_offset), (0x2380, 3 * 4096));
        assert_eq!((layout.payload_offset, layout.stride), (32, 128));
        assert_eq!(layout.size(3), 4 * 4096);
        // 32 bytes are the most that share the header's line.
        assert_eq!(channel(1, 32, 8, 0).unwrap().payload_offset, 32);
        assert_eq!(channel(1, 33, 8, 0).unwrap().payload_offset, 64);
        assert_eq!(channel(1, 16, 16, 0).unwrap().payload_offset, 64);
        assert_eq!(channel(1, 16, 4096, 0).unwrap().payload_offset, 4096);
    }

    #[test]
    fn a_five_mebibyte_channel_takes_three_payloads_and_a_little() {
        let layout = channel(64, 5 << 20, 8, 500).unwrap();
        assert!(layout.size(4) <= 4 * (5 << 20) + 20 * 1024, "{}", layout.size(4));
        assert!(layout.size(3) <= 3 * (5 << 20) + 20 * 1024, "{}", layout.size(3));
    }

    #[test]
    fn impossible_layouts_are_refused() {
        let plan = |consumers, capacity, align, schema| {
            channel(consumers, capacity, align, schema).unwrap_err()
        };
        assert_eq!(plan(0, 1, 1, 0), LayoutError::Consumers);
        assert_eq!(plan(254, 1, 1, 0), LayoutError::Consumers);
        assert_eq!(plan(u32::MAX, 1, 1, 0), LayoutError::Consumers);
        assert_eq!(plan(1, 1, 3, 0), LayoutError::Align);
        assert_eq!(plan(1, 1, 0, 0), LayoutError::Align);
        assert_eq!(plan(1, 1, 8192, 0), LayoutError::Align);
        assert_eq!(plan(1, 1, 1, u32::MAX), LayoutError::Schema);
        assert_eq!(plan(1, u64::MAX, 1, 0), LayoutError::Size);
        assert_eq!(plan(1, u64::MAX / 255, 64, 0), LayoutError::Size);
        assert!(channel(253, 1, 1, 0).is_ok());
        assert!(Layout::plan(Kind::Mmap, 1001, 1, 1, 0, 4096).is_err());
    }

    #[test]
    fn every_flipped_bit_of_a_prelude_is_noticed() {
        let prelude = channel(2, 100, 8, 77).unwrap().prelude(5, 4, 6, 0);
        assert!(Layout::from_prelude(&prelude).is_ok());
        for bit in 0..128 * 8 {
            let mut bytes = [0; 128];
            bytes.copy_from_slice(prelude.as_bytes());
            bytes[bit / 8] ^= 1 << (bit % 8);
            let flipped = Prelude::read_from_bytes(&bytes).unwrap();
            assert!(Layout::from_prelude(&flipped).is_err(), "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn a_hostile_prelude_with_a_valid_checksum_is_refused_or_in_bounds(
            bytes in proptest::array::uniform32(any::<u32>()),
            small in any::<bool>(),
        ) {
            let mut prelude = Prelude::read_from_bytes(bytes.as_bytes()).unwrap();
            if small {
                prelude.consumers %= 300;
                prelude.align = 1 << (prelude.align % 14);
                prelude.page_size = 4096;
            }
            prelude.checksum = prelude.sum();
            if let Ok(layout) = Layout::from_prelude(&prelude) {
                prop_assert!(layout.size(MOST_BUFFERS) <= i64::MAX as u64);
            }
        }

        #[test]
        fn parts_never_overlap(
            consumers in 1u32..254,
            capacity in 0u64..1 << 40,
            align in 0u32..13,
            schema in 0u32..1 << 20,
        ) {
            let Ok(l) = channel(consumers, capacity, 1 << align, schema) else {
                return Ok(());
            };
            prop_assert!(FOLLOWING + 32 <= u64::from(l.producer_offset));
            prop_assert!(l.producer_offset + 512 <= l.consumers_offset);
            prop_assert!(l.consumers_offset + consumers * 128 <= l.schema_offset);
            prop_assert!(u64::from(l.schema_offset + schema) <= l.buffers_offset);
            prop_assert_eq!(l.buffers_offset % 4096, 0);
            prop_assert_eq!(l.stride % BLOCK, 0);
            prop_assert_eq!((l.buffers_offset + u64::from(l.payload_offset)) % (1 << align), 0);
            prop_assert!(u64::from(l.payload_offset) + capacity <= l.stride);
            let checksum = l.checksum_offset();
            prop_assert!(checksum % 8 == 0 && checksum >= BUFFER_HEADER);
            prop_assert!(checksum + 8 <= l.stride);
            prop_assert!(
                checksum + 8 <= u64::from(l.payload_offset)
                    || u64::from(l.payload_offset) + capacity <= checksum
            );
            prop_assert!(l.size(3) >= l.buffers_offset + 3 * l.stride && l.size(3) % 4096 == 0);
        }
    }
}
