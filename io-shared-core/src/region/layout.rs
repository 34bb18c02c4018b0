//! Where everything lies in a channel's region. docs/ARCHITECTURE.md has the picture.
//!
//! A [`Layout`] follows from the kind and six numbers. The creator of a region writes it into the
//! prelude. An opener reads the prelude once, computes the layout again from those numbers, and
//! refuses a prelude that says anything else. So no offset is ever taken from shared memory, and
//! every offset has gone through checked arithmetic.

use crate::protocol::MAX_INLINE_WORDS;
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

/// The flag of a region that is removed with its last user.
pub(crate) const EPHEMERAL: u32 = 1;

/// Blocks that different processes write lie this far apart: two cache lines, because prefetchers
/// fetch them in pairs.
pub(crate) const BLOCK: u64 = 128;

pub(crate) const LATEST: u64 = 0x080;
/// What follows `latest` in its line: the mark, the stamp, and the inline value.
pub(crate) const INLINE: u64 = LATEST + 8;
pub(crate) const CONTROL: u64 = 0x100;
/// The first byte of [`CONTROL`], in every layout version.
pub(crate) const RETIRED: u64 = CONTROL;

/// The most buffers of a pool: a byte has to hold an index plus one.
pub(crate) const MOST_BUFFERS: u64 = 255;
/// The most values that one consumer holds at once.
pub(crate) const MOST_HOLDS: u32 = 4;
/// The most handles of a lock.
pub(crate) const MOST_LOCKERS: u32 = 1000;
/// The longest schema text in bytes.
pub(crate) const LONGEST_SCHEMA: u64 = 1 << 20;
/// Bytes of { sequence, length, stamp } before the payload.
const BUFFER_HEADER: u64 = 24;
/// Payloads up to this size share the cache line of the buffer's header. Those of a fixed size are
/// also stored inline next to `latest`, which has as much room.
const SMALL_PAYLOAD: u64 = MAX_INLINE_WORDS as u64 * 8;
/// Where the checksum of a small value lies: after the line that it shares with its buffer's
/// header.
const SMALL_CHECKSUM: u64 = BUFFER_HEADER + SMALL_PAYLOAD;
/// Where the checksum of any other value lies: at the end of its buffer's first line, where no
/// payload is.
const CHECKSUM: u64 = 56;

const _: () = assert!(BUFFER_HEADER + SMALL_PAYLOAD == 64);
const _: () = assert!(INLINE + 16 + SMALL_PAYLOAD == LATEST + 64);
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
    pub(crate) total_size: u64,
    pub(crate) capacity: u64,
    pub(crate) stride: u64,
    pub(crate) buffers_offset: u64,
    pub(crate) schema_hash: u64,
    pub(crate) page_size: u32,
    pub(crate) consumers: u32,
    pub(crate) holds: u32,
    pub(crate) buffers: u32,
    pub(crate) align: u32,
    pub(crate) payload_offset: u32,
    pub(crate) producer_offset: u32,
    pub(crate) consumers_offset: u32,
    pub(crate) schema_offset: u32,
    pub(crate) schema_length: u32,
    pub(crate) flags: u32,
    pub(crate) reserved: [u8; 12],
    /// FNV-1a of everything before it.
    pub(crate) checksum: u64,
}

const _: () = assert!(size_of::<Prelude>() == 128);

/// The kind and six numbers, and what follows from them. Offsets and sizes are in bytes.
///
/// A lock's region is laid out like a channel's: it has the lock word where a channel has `latest`,
/// a slot for each handle where a channel has one for each consumer, and one buffer, which is all
/// payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) kind: Kind,
    /// Consumer slots, or slots of a lock.
    pub(crate) consumers: u32,
    pub(crate) holds: u32,
    pub(crate) capacity: u64,
    pub(crate) align: u32,
    pub(crate) schema_length: u32,
    pub(crate) page_size: u32,

    pub(crate) buffers: u32,
    pub(crate) producer_offset: u32,
    pub(crate) consumers_offset: u32,
    pub(crate) schema_offset: u32,
    pub(crate) buffers_offset: u64,
    pub(crate) payload_offset: u32,
    pub(crate) stride: u64,
    pub(crate) total_size: u64,
}

/// Which number makes a layout impossible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LayoutError {
    Consumers,
    Holds,
    Buffers,
    Align,
    Schema,
    Size,
}

fn producer_offset(slots: u64) -> u64 {
    (CONTROL + 1 + slots).next_multiple_of(BLOCK)
}

/// Where the type's description lies in a region with `slots` slots.
pub(crate) fn schema_offset(slots: u64) -> u64 {
    producer_offset(slots) + BLOCK + slots * BLOCK
}

impl Layout {
    pub(crate) fn plan(
        kind: Kind,
        consumers: u32,
        holds: u32,
        capacity: u64,
        align: u32,
        schema_length: u32,
        page_size: u32,
    ) -> Result<Self, LayoutError> {
        if consumers == 0 {
            return Err(LayoutError::Consumers);
        }
        if holds == 0 || holds > MOST_HOLDS {
            return Err(LayoutError::Holds);
        }
        let channel = kind == Kind::Channel;
        let buffers = if channel { u64::from(consumers) * u64::from(holds) + 2 } else { 1 };
        if buffers > MOST_BUFFERS || (!channel && (consumers > MOST_LOCKERS || holds != 1)) {
            return Err(LayoutError::Buffers);
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
        let align64 = u64::from(align);
        let round_up = |value: u64, to: u64| value.checked_next_multiple_of(to);
        let plan = || {
            let producer_offset = producer_offset(consumers.into());
            let consumers_offset = producer_offset + BLOCK;
            let schema_offset = schema_offset(consumers.into());
            let buffers_offset =
                round_up(schema_offset + u64::from(schema_length), u64::from(page_size))?;
            let padded = round_up(capacity, align64)?;
            let payload_offset = match channel {
                true if padded <= SMALL_PAYLOAD && align <= 8 => BUFFER_HEADER,
                true => align64.max(64),
                false => 0,
            };
            let stride = round_up(payload_offset.checked_add(padded)?, align64.max(BLOCK))?;
            let total_size = stride.checked_mul(buffers)?.checked_add(buffers_offset)?;
            i64::try_from(total_size).ok()?;
            Some(Self {
                kind,
                consumers,
                holds,
                capacity,
                align,
                schema_length,
                page_size,
                buffers: u32::try_from(buffers).ok()?,
                producer_offset: u32::try_from(producer_offset).ok()?,
                consumers_offset: u32::try_from(consumers_offset).ok()?,
                schema_offset: u32::try_from(schema_offset).ok()?,
                buffers_offset,
                payload_offset: u32::try_from(payload_offset).ok()?,
                stride,
                total_size,
            })
        };
        plan().ok_or(LayoutError::Size)
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
    pub(crate) fn prelude(&self, instance: u64, schema_hash: u64, flags: u32) -> Prelude {
        let mut prelude = Prelude {
            magic: MAGIC,
            version: VERSION,
            kind: self.kind as u32,
            instance,
            total_size: self.total_size,
            capacity: self.capacity,
            stride: self.stride,
            buffers_offset: self.buffers_offset,
            schema_hash,
            page_size: self.page_size,
            consumers: self.consumers,
            holds: self.holds,
            buffers: self.buffers,
            align: self.align,
            payload_offset: self.payload_offset,
            producer_offset: self.producer_offset,
            consumers_offset: self.consumers_offset,
            schema_offset: self.schema_offset,
            schema_length: self.schema_length,
            flags,
            reserved: [0; 12],
            checksum: 0,
        };
        prelude.checksum = prelude.sum();
        prelude
    }

    /// The layout that `prelude` describes. It describes one if its checksum holds, and each of its
    /// offsets is the one that follows from its kind and six numbers.
    pub(crate) fn from_prelude(prelude: &Prelude) -> Result<Self, &'static str> {
        if prelude.checksum != prelude.sum() {
            return Err("the header's checksum does not hold");
        }
        let kind = Kind::from_number(prelude.kind).ok_or("the header's kind is unknown")?;
        let layout = Self::plan(
            kind,
            prelude.consumers,
            prelude.holds,
            prelude.capacity,
            prelude.align,
            prelude.schema_length,
            prelude.page_size,
        )
        .map_err(|_| "the header's counts and sizes are out of range")?;
        if layout.prelude(prelude.instance, prelude.schema_hash, prelude.flags & EPHEMERAL)
            == *prelude
        {
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

    #[test]
    fn a_default_channel_lies_where_the_design_says() {
        let layout = Layout::plan(Kind::Channel, 1, 1, 16, 4, 300, 4096).unwrap();
        assert_eq!((layout.buffers, layout.payload_offset), (3, 24));
        assert_eq!((layout.producer_offset, layout.consumers_offset), (0x180, 0x200));
        assert_eq!((layout.schema_offset, layout.buffers_offset), (0x280, 4096));
        assert_eq!(layout.total_size, 4096 + 3 * 128);
        // At most 40 bytes share the header's line.
        assert_eq!(Layout::plan(Kind::Channel, 1, 1, 40, 8, 0, 4096).unwrap().payload_offset, 24);
        assert_eq!(Layout::plan(Kind::Channel, 1, 1, 41, 8, 0, 4096).unwrap().payload_offset, 64);
        assert_eq!(Layout::plan(Kind::Channel, 1, 1, 16, 16, 0, 4096).unwrap().payload_offset, 64);
        assert_eq!(
            Layout::plan(Kind::Channel, 1, 1, 16, 4096, 0, 4096).unwrap().payload_offset,
            4096
        );
    }

    #[test]
    fn a_five_mebibyte_channel_takes_three_payloads_and_a_little() {
        let layout = Layout::plan(Kind::Channel, 1, 1, 5 << 20, 8, 500, 4096).unwrap();
        assert!(layout.total_size <= 3 * (5 << 20) + 16384, "{}", layout.total_size);
    }

    #[test]
    fn impossible_layouts_are_refused() {
        let plan =
            |c, h, cap, al, s| Layout::plan(Kind::Channel, c, h, cap, al, s, 4096).unwrap_err();
        assert_eq!(plan(0, 1, 1, 1, 0), LayoutError::Consumers);
        assert_eq!(plan(1, 0, 1, 1, 0), LayoutError::Holds);
        assert_eq!(plan(1, 5, 1, 1, 0), LayoutError::Holds);
        assert_eq!(plan(254, 1, 1, 1, 0), LayoutError::Buffers);
        assert_eq!(plan(u32::MAX, 4, 1, 1, 0), LayoutError::Buffers);
        assert_eq!(plan(1, 1, 1, 3, 0), LayoutError::Align);
        assert_eq!(plan(1, 1, 1, 0, 0), LayoutError::Align);
        assert_eq!(plan(1, 1, 1, 8192, 0), LayoutError::Align);
        assert_eq!(plan(1, 1, 1, 1, u32::MAX), LayoutError::Schema);
        assert_eq!(plan(1, 1, u64::MAX, 1, 0), LayoutError::Size);
        assert_eq!(plan(1, 1, u64::MAX / 3, 64, 0), LayoutError::Size);
        assert!(Layout::plan(Kind::Channel, 253, 1, 1, 1, 0, 4096).is_ok());
    }

    #[test]
    fn every_flipped_bit_of_a_prelude_is_noticed() {
        let prelude = Layout::plan(Kind::Channel, 2, 1, 100, 8, 77, 4096).unwrap().prelude(5, 6, 0);
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
                prelude.holds %= 6;
                prelude.align = 1 << (prelude.align % 14);
                prelude.page_size = 4096;
            }
            prelude.checksum = prelude.sum();
            if let Ok(layout) = Layout::from_prelude(&prelude) {
                prop_assert!(layout.total_size <= i64::MAX as u64);
            }
        }

        #[test]
        fn parts_never_overlap(
            consumers in 1u32..254,
            holds in 1u32..5,
            capacity in 0u64..1 << 40,
            align in 0u32..13,
            schema in 0u32..1 << 20,
        ) {
            let plan = |align, page| {
                Layout::plan(Kind::Channel, consumers, holds, capacity, align, schema, page)
            };
            let Ok(l) = plan(1 << align, 4096) else {
                return Ok(());
            };
            prop_assert!(CONTROL + 1 + u64::from(consumers) <= u64::from(l.producer_offset));
            prop_assert!(l.producer_offset + 128 <= l.consumers_offset);
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
            prop_assert_eq!(l.buffers_offset + l.stride * u64::from(l.buffers), l.total_size);
        }
    }
}
