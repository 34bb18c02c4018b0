//! Whole regions as bytes: the library makes them, and this module damages and seals them. It uses
//! the offsets of docs/ARCHITECTURE.md, not the library.

use std::fs::File;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;

use io_shared::message::ListCapacity;
use io_shared::{
    Channel, List, ListData, Message, NdList, Result, RwSharedMmap, Schema, Shared, SharedMmap,
    Text,
};

/// A message that ends in a slice.
#[derive(Message, Debug)]
#[repr(C)]
pub struct Scan {
    /// Its number.
    pub frame: u64,
    /// What was seen.
    pub points: [u32],
}

/// Which of two.
#[derive(Message, Debug, Clone, Copy)]
#[repr(u8)]
pub enum Side {
    /// One.
    Left,
    /// The other.
    Right,
}

/// A message with lists, an enum and a bool.
#[derive(Message, Debug)]
#[repr(C)]
pub struct Detections {
    /// Its number.
    pub frame: u64,
    /// Where it was seen.
    pub side: Side,
    /// Whether it is sure.
    pub sure: bool,
    /// Nothing.
    pub _pad: [u8; 6],
    /// What was seen.
    pub boxes: List<[f32; 4]>,
    /// What else was seen.
    pub others: List<[f32; 4]>,
    /// What that is.
    pub names: List<Text<8>>,
    /// How it looks.
    pub image: NdList<u8, 3>,
    /// Where the lists lie.
    pub data: ListData,
}

impl Detections {
    /// The words of the lists, and the enum and the bool before them: offsets and lengths.
    const WORDS: [(u64, usize); 12] = [
        (8, 1),
        (9, 1),
        (16, 8),
        (24, 8),
        (32, 8),
        (40, 8),
        (48, 8),
        (56, 8),
        (64, 8),
        (72, 8),
        (80, 8),
        (88, 8),
    ];

    /// As many elements of each list.
    pub(super) fn sizes(count: usize) -> impl ListCapacity<Message = Detections> {
        let sizes = Detections::capacity().boxes(count).others(count / 2).names(count);
        sizes.image([count, 2, 3])
    }
}

/// A value of typed state.
#[derive(Message, Debug, Clone, Copy)]
#[repr(C)]
pub struct Pose {
    /// Where.
    pub position: [f64; 2],
    /// How sure.
    pub quality: u32,
    /// In which map.
    pub map: u32,
}

/// What a region contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A channel of `u64`: the payload shares the buffer header's line.
    Number,
    /// A channel of [`Scan`] that has buffers for four consumers.
    Scan,
    /// A locked mmap.
    Mmap,
    /// A reader-writer mmap.
    RwMmap,
    /// A [`Pose`].
    State,
    /// A channel of [`Detections`] that has buffers for two consumers.
    Lists,
}

impl Shape {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Number, Self::Scan, Self::Mmap, Self::RwMmap, Self::State, Self::Lists];

    /// Whether it is a channel.
    pub fn is_channel(self) -> bool {
        matches!(self, Self::Number | Self::Scan | Self::Lists)
    }
}

/// The fields of a prelude: name, offset, bytes.
pub const FIELDS: [(&str, usize, usize); 18] = [
    ("version", 8, 4),
    ("kind", 12, 4),
    ("instance", 16, 8),
    ("line", 24, 8),
    ("capacity", 32, 8),
    ("stride", 40, 8),
    ("buffers_offset", 48, 8),
    ("schema_hash", 56, 8),
    ("page_size", 64, 4),
    ("consumers", 68, 4),
    ("align", 72, 4),
    ("payload_offset", 76, 4),
    ("producer_offset", 80, 4),
    ("consumers_offset", 84, 4),
    ("schema_offset", 88, 4),
    ("schema_length", 92, 4),
    ("flags", 96, 4),
    ("reserved", 100, 4),
];

/// The bytes of the prelude.
pub const PRELUDE: usize = 128;
const CHECKSUM: usize = 120;
/// The offset in the producer's block of the number of buffers.
const POOL: usize = 128;

/// A region's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Specimen(pub Vec<u8>);

impl Specimen {
    /// A region of that shape, with a value or two in it.
    ///
    /// # Errors
    /// If there is no room for it.
    pub fn new(shape: Shape) -> Result<Self> {
        let bytes = match shape {
            Shape::Number => {
                let mut producer = Channel::<u64>::anonymous().producer()?;
                producer.put(&1)?;
                producer.put(&2)?;
                contents(producer.as_fd())
            }
            Shape::Scan => {
                let channel = Channel::<Scan>::anonymous().elements(16).consumers(4);
                let mut producer = channel.producer()?;
                for elements in [16, 3] {
                    producer.loan_len(elements)?.put()?;
                }
                contents(producer.as_fd())
            }
            Shape::Lists => {
                let channel = Channel::<Detections>::anonymous().lists(Detections::sizes(16));
                let mut producer = channel.consumers(2).producer()?;
                for count in [16, 3] {
                    producer.loan_lists(Detections::sizes(count))?.put()?;
                }
                contents(producer.as_fd())
            }
            Shape::Mmap => contents(SharedMmap::anonymous().size(100).handles(4).open()?.as_fd()),
            Shape::RwMmap => {
                contents(RwSharedMmap::anonymous().size(100).handles(4).open()?.as_fd())
            }
            Shape::State => contents(Shared::<Pose>::anonymous().handles(4).open()?.as_fd()),
        };
        Ok(Self(bytes))
    }

    /// A number of the prelude; 0 where there is none.
    pub fn field(&self, name: &str) -> u64 {
        let Some((_, at, width)) = FIELDS.iter().find(|(field, ..)| *field == name) else {
            return 0;
        };
        let mut bytes = [0; 8];
        if let Some(from) = self.0.get(*at..at + width) {
            bytes[..*width].copy_from_slice(from);
        }
        u64::from_le_bytes(bytes)
    }

    /// Overwrites a number of the prelude, with as many low bytes as the field has.
    pub fn set_field(&mut self, name: &str, value: u64) {
        if let Some((_, at, width)) = FIELDS.iter().find(|(field, ..)| *field == name) {
            self.write(*at, &value.to_le_bytes()[..*width]);
        }
    }

    /// Overwrites bytes from `at` on, as far as the region goes.
    pub fn write(&mut self, at: usize, bytes: &[u8]) {
        if let Some(to) = self.0.get_mut(at..) {
            for (to, from) in to.iter_mut().zip(bytes) {
                *to = *from;
            }
        }
    }

    /// Flips a bit.
    pub fn flip(&mut self, bit: usize) {
        if let Some(byte) = self.0.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
    }

    /// Updates the schema's hash to match its text, where that is a schema, and the checksum to
    /// match the prelude, so that no sum reveals the damage.
    pub fn seal(&mut self) {
        let start = self.field("schema_offset") as usize;
        let end = start.saturating_add(self.field("schema_length") as usize);
        let text = self.0.get(start..end).and_then(|text| std::str::from_utf8(text).ok());
        if let Some(schema) = text.and_then(|text| Schema::from_json(text).ok()) {
            self.set_field("schema_hash", schema.hash());
        }
        if let Some(before) = self.0.get(..CHECKSUM) {
            let sum = before.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
                (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
            self.write(CHECKSUM, &sum.to_le_bytes());
        }
    }

    /// The same region with another schema's text, sealed. All that depends on the text's length is
    /// right.
    pub fn with_schema(&self, text: &[u8], align: u64) -> Self {
        let mut changed = self.clone();
        let start = self.field("schema_offset") as usize;
        let page = self.field("page_size") as usize;
        let buffers = (start + text.len()).next_multiple_of(page);
        let tail = self.0.get(self.field("buffers_offset") as usize..).unwrap_or_default();
        changed.0.truncate(start);
        changed.0.extend_from_slice(text);
        changed.0.resize(buffers, 0);
        changed.0.extend_from_slice(tail);
        changed.set_field("schema_length", text.len() as u64);
        changed.set_field("buffers_offset", buffers as u64);
        changed.set_field("align", align);
        changed.seal();
        changed
    }

    /// The schema's text.
    pub fn schema(&self) -> &[u8] {
        let start = self.field("schema_offset") as usize;
        self.0.get(start..start + self.field("schema_length") as usize).unwrap_or_default()
    }

    /// How many buffers the channel says that it has.
    pub fn pool(&self) -> u64 {
        let at = self.pool_at();
        let word = self.0.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
        word.map_or(0, u64::from_le_bytes)
    }

    /// Overwrites that number.
    pub fn set_pool(&mut self, buffers: u64) {
        self.write(self.pool_at(), &buffers.to_le_bytes());
    }

    /// Where that number is.
    pub(super) fn pool_at(&self) -> usize {
        self.field("producer_offset") as usize + POOL
    }

    /// The offset within a buffer of its value's checksum.
    pub fn checksum_at(&self) -> u64 {
        if self.field("payload_offset") < 64 { 64 } else { 56 }
    }

    /// The offsets and lengths of the shared words that programs write while they use the region.
    pub fn words(&self) -> Vec<(u64, usize)> {
        let consumers = self.field("consumers");
        let mut words = vec![(0x80, 8), (0x100, 1)];
        // Who sleeps, and who is woken for a part of a value.
        words.extend((0..4).flat_map(|word| [(0x108 + 8 * word, 8), (0x140 + 8 * word, 8)]));
        // Pid, boot id, first sequence, core, dirty flag and used slots (or what a reboot lost),
        // incarnation, time namespace, filled, a lock's checksum; the pool, used slots, and who it
        // is.
        let producer = self.field("producer_offset");
        words.extend(
            [
                (0, 4),
                (8, 8),
                (16, 8),
                (24, 8),
                (32, 4),
                (40, 1),
                (40, 8),
                (48, 8),
                (56, 8),
                (64, 8),
                (72, 8),
                (128, 8),
                (136, 8),
                (160, 8),
                (176, 8),
                (184, 8),
            ]
            .map(|(at, width)| (producer + at, width)),
        );
        // A few slots are enough, and leave the others their share of the random writes.
        for slot in (0..consumers).filter(|slot| *slot < 3 || slot + 1 == consumers) {
            let block = self.field("consumers_offset") + slot * 128;
            // Held or reading, grant, name length, claimed, command, pid, name, last seen,
            // incarnation, time of the claim, PID namespace.
            let fields = [
                (0, 1),
                (1, 1),
                (0, 8),
                (8, 1),
                (9, 1),
                (10, 1),
                (12, 8),
                (28, 4),
                (32, 8),
                (96, 8),
                (104, 8),
                (112, 8),
                (120, 8),
            ];
            words.extend(fields.map(|(at, width)| (block + at, width)));
        }
        if self.field("kind") == 1 {
            for buffer in 0..self.pool() {
                let start = self.field("buffers_offset") + buffer * self.field("stride");
                words.extend([0, 8, 16, 24, self.checksum_at()].map(|at| (start + at, 8)));
                if self.schema() == Detections::schema().to_json().as_bytes() {
                    let start = start + self.field("payload_offset");
                    words.extend(Detections::WORDS.map(|(at, width)| (start + at, width)));
                }
            }
        }
        words
    }
}

fn contents(descriptor: Option<BorrowedFd<'_>>) -> Vec<u8> {
    let Some(file) = descriptor.and_then(|fd| fd.try_clone_to_owned().ok()).map(File::from) else {
        return Vec::new();
    };
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    let mut bytes = vec![0; size as usize];
    // Bytes that cannot be read stay zeros, which are no region: see `tests` below.
    let _ = file.read_exact_at(&mut bytes, 0);
    bytes
}
