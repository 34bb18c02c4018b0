//! One MCAP file.
//!
//! Each value is a message of a generated type (`Recorded`). A cloud or a picture is two messages
//! next to each other, with the same sequence: what comes before the points or pixels on the topic
//! `NAME/_io`, and a PointCloud2 or an Image on the topic itself. The metadata of each MCAP channel
//! says which channel it is of, and has its schema, by which `play` reads the values back.
//!
//! Nothing is written in pieces: a chunk is put together in memory, and is part of the file after
//! each flush, whatever happens to the recorder then.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use io_shared::Schema;
use io_shared_formats::{As, CdrError, Header, Recognized, Recorded, recognize};
use mcap::records::{MessageHeader, Metadata};
use mcap::{Compression, McapError, McapResult, WriteOptions};

use super::Compress;
use super::queue::Taken;
use super::stored::{DATA, HEAD, HEAD_TOPIC, NAME, PART, SCHEMA, WHOLE};

/// A chunk that is larger than this is written.
const CHUNK: u64 = 4 << 20;

/// How values are written.
#[derive(Debug)]
pub(super) struct Format {
    /// How far the wall clock is ahead of CLOCK_MONOTONIC, in nanoseconds.
    pub(super) offset: u64,
    pub(super) compress: Option<Compress>,
    /// What a person says of channels, by their names.
    pub(super) said: HashMap<String, As>,
    pub(super) is_raw: bool,
    pub(super) frame: Option<String>,
}

pub(super) struct File {
    writer: mcap::Writer<fs::File>,
    /// What each channel is in the file, for each schema it had.
    channels: HashMap<(usize, u64), Stored>,
    /// The bytes in the chunk that is not written yet, and in all.
    pending: u64,
    bytes: u64,
    cdr: Vec<u8>,
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("File").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// What a channel of one schema is in the file.
struct Stored {
    schema: Arc<Schema>,
    whole: Part,
    head: Part,
    /// The MCAP channels of PointCloud2 and Image, which come when they are needed.
    data: HashMap<&'static str, u16>,
    header: Header,
    frame: String,
}

/// A generated type, and its MCAP channel when there is one.
struct Part {
    recorded: Recorded,
    id: Option<u16>,
}

impl File {
    pub(super) fn create(path: &Path, format: &Format) -> io::Result<Self> {
        let file = fs::OpenOptions::new().write(true).read(true).create_new(true).open(path)?;
        // One that has no room for its start is of no use to anybody.
        Self::begin(file, format).inspect_err(|_| drop(fs::remove_file(path)))
    }

    fn begin(file: fs::File, format: &Format) -> io::Result<Self> {
        // So that nobody repairs what is not finished. A file system without locks records too.
        let _ = file.try_lock();
        let compression = format.compress.map(|compress| match compress {
            Compress::Lz4 => Compression::Lz4,
            Compress::Zstd => Compression::Zstd,
        });
        let options = WriteOptions::new()
            .profile("ros2")
            .library(concat!("io-shared ", env!("CARGO_PKG_VERSION")))
            .compression(compression)
            .compression_threads(0)
            .chunk_size(None)
            .disable_seeking(true);
        let mut writer = options.create(file).map_err(io_error)?;
        let about = [
            ("clock_offset_ns", format.offset.to_string()),
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ];
        let metadata = about.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        writer
            .write_metadata(&Metadata { name: "io_shared".into(), metadata })
            .map_err(io_error)?;
        Ok(Self { writer, channels: HashMap::new(), pending: 0, bytes: 0, cdr: Vec::new() })
    }

    /// How many bytes the file has, about.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the chunk that was begun is large enough to be written.
    pub(super) fn has_chunk(&self) -> bool {
        self.pending > CHUNK
    }

    /// Writes a value. The inner error: it cannot be converted.
    pub(super) fn write(
        &mut self,
        value: &Taken,
        format: &Format,
    ) -> McapResult<Result<(), CdrError>> {
        let Self { writer, channels, cdr, pending, bytes } = self;
        let key = (value.channel, value.schema.hash());
        let stored = channels.entry(key).or_insert_with(|| Stored::new(value, format));
        if *stored.schema != *value.schema {
            // Other names or units, of the same shape.
            *stored = Stored::new(value, format);
        }
        let said = format.said.get(&*value.name);
        let seen = if format.is_raw { None } else { recognize(&value.schema, &value.bytes, said) };
        let wall = |time: u64| time.wrapping_add(format.offset);
        let put = if value.marks.stamp == 0 { value.received } else { value.marks.stamp };
        let header = MessageHeader {
            channel_id: 0,
            sequence: value.marks.seq as u32,
            log_time: wall(value.received),
            publish_time: wall(put),
        };
        let mut add = |writer: &mut mcap::Writer<fs::File>, channel_id, cdr: &[u8]| {
            *pending += cdr.len() as u64 + 31;
            *bytes += cdr.len() as u64 + 31;
            writer.write_to_known_channel(&MessageHeader { channel_id, ..header }, cdr)
        };
        let (part, head) = match &seen {
            Some(seen) => (&mut stored.head, seen.head),
            None => (&mut stored.whole, &*value.bytes),
        };
        cdr.clear();
        if let Err(error) = part.recorded.encode(value.marks, head, cdr) {
            return Ok(Err(error));
        }
        let id = part.id(writer, value, seen.is_some())?;
        add(writer, id, cdr)?;
        if let Some(seen) = seen {
            cdr.clear();
            let stamp = stored.header.stamp_ns(&value.bytes).unwrap_or(wall(put));
            if let Err(error) = seen.encode(stamp, &stored.frame, cdr) {
                return Ok(Err(error));
            }
            let id = stored.data(writer, value, &seen)?;
            add(writer, id, cdr)?;
        }
        Ok(Ok(()))
    }

    /// Writes the chunk that was begun.
    pub(super) fn flush(&mut self) -> McapResult<()> {
        self.pending = 0;
        self.writer.flush()
    }

    /// Writes the end, and returns what is in the file.
    pub(super) fn finish(&mut self) -> McapResult<mcap::Summary> {
        self.writer.finish()
    }
}

impl Stored {
    fn new(value: &Taken, format: &Format) -> Self {
        let part = |recorded| Part { recorded, id: None };
        let header = Header::of(&value.schema);
        let frame = format.frame.as_deref().or(header.frame_id());
        let frame = frame.unwrap_or(value.name.trim_start_matches('/')).to_owned();
        Self {
            schema: value.schema.clone(),
            whole: part(Recorded::whole(&value.schema)),
            head: part(Recorded::head(&value.schema)),
            data: HashMap::new(),
            header,
            frame,
        }
    }

    /// The MCAP channel of the points or pixels.
    fn data(
        &mut self,
        writer: &mut mcap::Writer<fs::File>,
        value: &Taken,
        seen: &Recognized<'_>,
    ) -> McapResult<u16> {
        let ty = seen.type_name();
        if let Some(id) = self.data.get(ty) {
            return Ok(*id);
        }
        let schema = writer.add_schema(ty, "ros2msg", seen.definition().as_bytes())?;
        let metadata = metadata(&[(NAME, &value.name), (PART, DATA)]);
        let id = writer.add_channel(schema, &value.topic, "cdr", &metadata)?;
        self.data.insert(ty, id);
        Ok(id)
    }
}

impl Part {
    fn id(
        &mut self,
        writer: &mut mcap::Writer<fs::File>,
        value: &Taken,
        is_head: bool,
    ) -> McapResult<u16> {
        if let Some(id) = self.id {
            return Ok(id);
        }
        let definition = self.recorded.definition();
        let ty = writer.add_schema(&definition.name, "ros2msg", definition.text.as_bytes())?;
        let (topic, part) = match is_head {
            true => (format!("{}{HEAD_TOPIC}", value.topic), HEAD),
            false => (value.topic.to_string(), WHOLE),
        };
        let schema = value.schema.to_json();
        let metadata = metadata(&[(NAME, &value.name), (PART, part), (SCHEMA, &schema)]);
        let id = writer.add_channel(ty, &topic, "cdr", &metadata)?;
        self.id = Some(id);
        Ok(id)
    }
}

fn metadata(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn io_error(error: McapError) -> io::Error {
    match error {
        McapError::Io(error) => error,
        other => io::Error::other(other),
    }
}
