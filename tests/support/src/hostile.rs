//! Regions as a hostile program may write them: sound by their header, and wrong in what they say.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use io_shared::Schema;

use super::TestName;

/// Where the parts of a channel with one consumer slot lie, in bytes (layout version 3).
const LATEST: u64 = 0x80;
const PRODUCER: usize = 0x180;
const SCHEMA: usize = 0x400;
const PAGE: u64 = 4096;

/// A channel that nobody has opened. [`write`](Self::write) makes its file.
#[derive(Debug, Clone)]
pub struct Hostile {
    schema: Schema,
    capacity: u64,
    /// The bytes before the schema of a channel of this boot, for the clock that is noted there.
    head: Vec<u8>,
    /// How many buffers it says that it has.
    pub buffers: u64,
    /// The text of the schema, which need not be one.
    pub text: Vec<u8>,
}

impl Hostile {
    /// A channel of this schema and capacity.
    pub fn new(schema: &str, capacity: u64) -> Self {
        let name = TestName::new("sound");
        io_shared::producer::<u64>(&name).unwrap().put(&1).unwrap();
        let head = std::fs::read(name.path()).unwrap();
        let schema = Schema::from_json(schema).unwrap();
        let text = schema.to_json().into_bytes();
        Self { schema, capacity, head, buffers: 3, text }
    }

    fn payload_offset(&self) -> u64 {
        let align = self.schema.root().shape().align as u64;
        if self.capacity <= 32 && align <= 8 { 32 } else { align.max(64) }
    }

    /// Bytes from one buffer to the next.
    fn stride(&self) -> u64 {
        let align = self.schema.root().shape().align as u64;
        let padded = self.capacity.next_multiple_of(align);
        (self.payload_offset() + padded).next_multiple_of(align.max(128))
    }

    fn buffers_offset(&self) -> u64 {
        (SCHEMA as u64 + self.text.len() as u64).next_multiple_of(PAGE)
    }

    /// Writes the file, as long as it has to be, with holes where nothing is written.
    pub fn write(&self, path: &Path) -> File {
        let mut bytes = b"ioshared".to_vec();
        bytes.extend([3u32, 1].map(u32::to_le_bytes).concat());
        let hash = self.schema.hash();
        let wide = [7, 7, self.capacity, self.stride(), self.buffers_offset(), hash];
        bytes.extend(wide.map(u64::to_le_bytes).concat());
        let align = self.schema.root().shape().align as u32;
        let (payload, length) = (self.payload_offset() as u32, self.text.len() as u32);
        let narrow = [PAGE as u32, 1, align, payload, 0x180, 0x380, SCHEMA as u32, length, 0];
        bytes.extend(narrow.map(u32::to_le_bytes).concat());
        bytes.extend([0; 20]);
        bytes.extend(checksum(&bytes).to_le_bytes());
        bytes.resize(PRODUCER, 0);
        bytes.extend(&self.head[PRODUCER..PRODUCER + 128]);
        bytes.extend([self.buffers, 0].map(u64::to_le_bytes).concat());
        bytes.resize(SCHEMA, 0);
        bytes.extend(&self.text);
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(true);
        let file = options.open(path).unwrap();
        file.write_all_at(&bytes, 0).unwrap();
        let end = self.buffers_offset() + self.stride() * self.buffers.min(255);
        file.set_len(end.next_multiple_of(PAGE)).unwrap();
        file
    }

    /// Writes into the first buffer that it has value `seq` of `length` bytes, and `content`; then
    /// into `latest` that `named` is the newest value, and in the first buffer.
    pub fn put(&self, file: &File, seq: u64, named: u64, length: u64, content: &[u8]) {
        let stamp = now();
        let header = [seq, length, stamp, 0].map(u64::to_le_bytes).concat();
        file.write_all_at(&header, self.buffers_offset()).unwrap();
        file.write_all_at(content, self.buffers_offset() + self.payload_offset()).unwrap();
        file.write_all_at(&named.to_le_bytes(), LATEST).unwrap();
    }
}

/// Writes `word` at `at` into the header of the region in `file`, and a checksum that fits.
pub fn write_word(file: &File, at: u64, word: u64) {
    file.write_all_at(&word.to_le_bytes(), at).unwrap();
    let mut header = [0; 120];
    file.read_exact_at(&mut header, 0).unwrap();
    file.write_all_at(&checksum(&header).to_le_bytes(), 120).unwrap();
}

/// CLOCK_MONOTONIC in nanoseconds.
fn now() -> u64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).unwrap();
    std::time::Duration::from(now).as_nanos() as u64
}

/// The checksum of a header, from its first 120 bytes.
pub fn checksum(header: &[u8]) -> u64 {
    let fnv = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    header[..120].iter().fold(0xcbf2_9ce4_8422_2325, fnv)
}
