//! The end of an MCAP file that was cut off.
//!
//! Readers find what is in a file by its end: the schemas and channels, how many messages there
//! are, and where the chunks lie. A recorder that is killed never writes it. Here the file is read
//! from its start, cut after its last whole record, and given the end that it would have had.
//! Nothing that is whole is moved or copied, so that it also works where the disk is full. A chunk
//! that is damaged stays where it is, but the index leaves it out: readers pass over it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use mcap::records::{ChunkHeader, op};
use mcap::sans_io::linear_reader::{LinearReadEvent, LinearReader, LinearReaderOptions};

use crate::chunk;
use crate::failure::Failure;
use crate::out::Out;
use crate::records::{self, Record};
use crate::units;

/// What was found and done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Repaired {
    /// Whether the end was there already.
    pub(super) was_whole: bool,
    pub(super) messages: u64,
    /// The bytes after the last whole record, which are gone.
    pub(super) cut: u64,
    /// The records that are damaged, which the index leaves out.
    pub(super) damaged: u64,
}

pub(super) fn run(path: &Path, out: &mut Out) -> Result<(), Failure> {
    let shown = path.display();
    let repaired = finish(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::NotFound(format!("there is no file {shown}")),
        _ => Failure::Failed(format!("cannot repair {shown}: {error}")),
    })?;
    let Repaired { was_whole, messages, cut, damaged } = repaired;
    if out.json {
        let object = serde_json::json!({
            "whole": was_whole, "messages": messages, "cut": cut, "damaged": damaged,
        });
        return Ok(out.object(&object)?);
    }
    match was_whole {
        true => out.line(format_args!("{shown} is whole"))?,
        false => {
            let cut = units::bytes(cut);
            let damaged = match damaged {
                0 => String::new(),
                1 => "; 1 damaged part is left out".to_owned(),
                parts => format!("; {parts} damaged parts are left out"),
            };
            out.line(format_args!(
                "{shown} has {messages} messages; {cut} at its end were cut off{damaged}"
            ))?;
        }
    }
    Ok(())
}

/// Writes the end that is missing.
pub(super) fn finish(path: &Path) -> io::Result<Repaired> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    // A file system without locks has files to repair, too.
    if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
        return Err(io::Error::other("a recorder is writing it now"));
    }
    let length = file.metadata()?.len();
    let mut found = Found::default();
    let is_whole = found.scan(&mut file, length)?;
    check_that_it_was_cut(&mut file, &found, length)?;
    let messages = found.counts.values().sum();
    let damaged = found.damaged;
    if is_whole && damaged == 0 {
        return Ok(Repaired { was_whole: true, messages, cut: 0, damaged });
    }
    file.set_len(found.end)?;
    file.seek(SeekFrom::Start(found.end))?;
    let mut to = BufWriter::new(&file);
    found.write_end(&mut to)?;
    to.flush()?;
    let cut = if is_whole { 0 } else { length - found.end };
    Ok(Repaired { was_whole: false, messages, cut, damaged })
}

/// Refuses a file that has its end, of which a record before says a wrong length: what comes after
/// that record would go.
fn check_that_it_was_cut(file: &mut File, found: &Found, length: u64) -> io::Result<()> {
    let rest = length - found.end;
    let mut last = [0; mcap::MAGIC.len()];
    if found.has_data_end || rest < last.len() as u64 {
        return Ok(());
    }
    file.seek(SeekFrom::End(-(last.len() as i64)))?;
    file.read_exact(&mut last)?;
    if last != *mcap::MAGIC {
        return Ok(());
    }
    Err(damaged(format!(
        "it was not cut off, but the record at byte {} says a wrong length, and {} would be lost \
         after it; `io-shared play` plays what comes before, and readers that use the index at \
         its end find the rest",
        found.end,
        units::bytes(rest)
    )))
}

/// Where the messages of an MCAP channel lie in a chunk: their times and offsets.
type Index = BTreeMap<u16, Vec<(u64, u64)>>;

struct Chunk {
    at: u64,
    length: u64,
    header: ChunkHeader,
    /// Where the index of each MCAP channel lies, and how many bytes all indexes have.
    indexes: BTreeMap<u16, u64>,
    index_length: u64,
}

/// What is whole in a file.
#[derive(Default)]
struct Found {
    /// The bytes of each schema's and each channel's record.
    schemas: BTreeMap<u16, Vec<u8>>,
    channels: BTreeMap<u16, Vec<u8>>,
    counts: BTreeMap<u16, u64>,
    times: Option<(u64, u64)>,
    chunks: Vec<Chunk>,
    /// The index of the last chunk, if nothing but indexes came after it.
    last: Option<Index>,
    metadata: Vec<(u64, u64, String)>,
    attachments: u32,
    damaged: u64,
    /// Whether the chunk before is damaged, so that its indexes are of no use.
    is_lost: bool,
    /// Where the last whole record ends.
    end: u64,
    /// Whether the records lead to where the data ends.
    has_data_end: bool,
}

fn damaged(error: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

/// The head of a record.
const HEAD: u64 = chunk::HEAD as u64;

impl Found {
    /// Reads the whole records. Returns whether the file has its end.
    fn scan(&mut self, file: &mut File, length: u64) -> io::Result<bool> {
        let mut from = BufReader::new(file);
        let mut magic = [0; 8];
        if from.read_exact(&mut magic).is_err() || magic != *mcap::MAGIC {
            return Err(damaged("it is no MCAP file"));
        }
        self.end = magic.len() as u64;
        loop {
            let mut head = [0; HEAD as usize];
            if from.read_exact(&mut head).is_err() {
                return Ok(false);
            }
            let (kind, size) =
                (head[0], u64::from_le_bytes(head[1..].try_into().unwrap_or([0; 8])));
            let end = self.end.saturating_add(HEAD).saturating_add(size);
            if kind == 0 || end > length {
                return Ok(false);
            }
            if kind == op::DATA_END {
                self.has_data_end = true;
                // What follows is written anew, unless it is all there.
                let mut rest = head.to_vec();
                from.read_to_end(&mut rest)?;
                return Ok(is_end(&rest, end));
            }
            let mut body = vec![0; size as usize];
            from.read_exact(&mut body)?;
            if !self.record(kind, body) {
                self.damaged += 1;
                self.last = None;
                self.is_lost |= kind == op::CHUNK;
            }
            self.end = end;
        }
    }

    /// Notes a record. `false`: it is damaged.
    fn record(&mut self, kind: u8, body: Vec<u8>) -> bool {
        if kind == op::CHUNK {
            return self.chunk(&body);
        }
        let Some(record) = records::parse(kind, &body) else { return false };
        if !matches!(record, Record::Index(_)) {
            self.last = None;
        }
        match record {
            Record::Index(channel) => {
                if let Some(chunk) = self.chunks.last_mut().filter(|_| !self.is_lost) {
                    chunk.indexes.insert(channel, self.end);
                    chunk.index_length += HEAD + body.len() as u64;
                }
            }
            Record::Metadata(name) => {
                self.metadata.push((self.end, HEAD + body.len() as u64, name));
            }
            Record::Other if kind == op::ATTACHMENT => self.attachments += 1,
            _ => self.note(kind, &body).map_or((), |_| ()),
        }
        true
    }

    /// Notes a schema, a channel or a message. Returns the channel and the time of a message.
    fn note(&mut self, kind: u8, body: &[u8]) -> Option<(u16, u64)> {
        match records::parse(kind, body)? {
            Record::Schema(header, _) => {
                self.schemas.entry(header.id).or_insert_with(|| body.to_vec());
            }
            Record::Channel(channel) => {
                self.channels.entry(channel.id).or_insert_with(|| body.to_vec());
            }
            Record::Message(header, _) => {
                *self.counts.entry(header.channel_id).or_default() += 1;
                let time = header.log_time;
                self.times = Some(match self.times {
                    None => (time, time),
                    Some((first, last)) => (first.min(time), last.max(time)),
                });
                return Some((header.channel_id, time));
            }
            _ => {}
        }
        None
    }

    /// Reads a chunk. `false`: it is damaged.
    fn chunk(&mut self, body: &[u8]) -> bool {
        let Ok((header, records)) = chunk::open(body) else { return false };
        let (mut index, mut at) = (Index::new(), 0);
        while let Some((kind, body, end)) = chunk::record(&records, at) {
            if let Some((channel, time)) = self.note(kind, body) {
                index.entry(channel).or_default().push((time, at as u64));
            }
            at = end;
        }
        let length = HEAD + body.len() as u64;
        let indexes = BTreeMap::new();
        self.chunks.push(Chunk { at: self.end, length, header, indexes, index_length: 0 });
        (self.last, self.is_lost) = (Some(index), false);
        true
    }

    /// Writes what comes after the chunks, at the end of the last whole record.
    fn write_end(&mut self, to: &mut impl Write) -> io::Result<()> {
        let mut at = self.end;
        if let (Some(index), Some(chunk)) = (self.last.take(), self.chunks.last_mut()) {
            // The last chunk's indexes may be there in part.
            for (channel, places) in &index {
                if chunk.indexes.contains_key(channel) {
                    continue;
                }
                chunk.indexes.insert(*channel, at);
                let places = places.iter().flat_map(|(time, offset)| [*time, *offset]);
                let places: Vec<u8> = places.flat_map(u64::to_le_bytes).collect();
                let body = [&channel.to_le_bytes()[..], &sized(&places)].concat();
                let length = record(to, op::MESSAGE_INDEX, &body)?;
                chunk.index_length += length;
                at += length;
            }
        }
        // Without a checksum, which a zero says.
        at += record(to, op::DATA_END, &[0; 4])?;
        for (kind, records) in [(op::SCHEMA, &self.schemas), (op::CHANNEL, &self.channels)] {
            for body in records.values() {
                record(to, kind, body)?;
            }
        }
        record(to, op::STATISTICS, &self.statistics())?;
        for chunk in &self.chunks {
            record(to, op::CHUNK_INDEX, &chunk.index())?;
        }
        for (offset, length, name) in &self.metadata {
            let numbers = [offset.to_le_bytes(), length.to_le_bytes()].concat();
            record(to, op::METADATA_INDEX, &[numbers, sized(name.as_bytes())].concat())?;
        }
        // Where the summary starts, no offsets, no checksum.
        let footer = [&at.to_le_bytes()[..], &[0; 12]].concat();
        record(to, op::FOOTER, &footer)?;
        to.write_all(mcap::MAGIC)
    }

    fn statistics(&self) -> Vec<u8> {
        let (first, last) = self.times.unwrap_or_default();
        let counts = self.counts.iter().flat_map(|(channel, count)| {
            [&channel.to_le_bytes()[..], &count.to_le_bytes()].concat()
        });
        [
            &self.counts.values().sum::<u64>().to_le_bytes()[..],
            &(self.schemas.len() as u16).to_le_bytes(),
            &(self.channels.len() as u32).to_le_bytes(),
            &self.attachments.to_le_bytes(),
            &(self.metadata.len() as u32).to_le_bytes(),
            &(self.chunks.len() as u32).to_le_bytes(),
            &first.to_le_bytes(),
            &last.to_le_bytes(),
            &sized(&counts.collect::<Vec<u8>>()),
        ]
        .concat()
    }
}

/// Whether these bytes are a whole end, from the head of DataEnd on, which lies before `start`.
fn is_end(bytes: &[u8], start: u64) -> bool {
    let options = LinearReaderOptions::default()
        .with_skip_start_magic(true)
        .with_check_finishes_after_end_magic(true)
        .with_validate_summary_section_crc(true)
        .with_record_length_limit(bytes.len());
    let mut reader = LinearReader::new_with_options(options);
    let (mut from, mut is_whole) = (bytes, false);
    while let Some(event) = reader.next_event() {
        match event {
            Ok(LinearReadEvent::ReadRequest(need)) => {
                // Of bytes in memory this is no error.
                let read = from.read(reader.insert(need)).unwrap_or(0);
                if read == 0 && is_whole {
                    return true;
                }
                reader.notify_read(read);
            }
            Ok(LinearReadEvent::Record { opcode, data }) => match records::parse(opcode, data) {
                Some(Record::Footer(summary)) => is_whole = summary == start,
                Some(_) => {}
                None => return false,
            },
            Err(_) => return false,
        }
    }
    is_whole
}

impl Chunk {
    /// The chunk's index record.
    fn index(&self) -> Vec<u8> {
        let ChunkHeader { message_start_time, message_end_time, .. } = &self.header;
        let places = self
            .indexes
            .iter()
            .flat_map(|(channel, at)| [&channel.to_le_bytes()[..], &at.to_le_bytes()].concat());
        [
            &message_start_time.to_le_bytes()[..],
            &message_end_time.to_le_bytes(),
            &self.at.to_le_bytes(),
            &self.length.to_le_bytes(),
            &sized(&places.collect::<Vec<u8>>()),
            &self.index_length.to_le_bytes(),
            &sized(self.header.compression.as_bytes()),
            &self.header.compressed_size.to_le_bytes(),
            &self.header.uncompressed_size.to_le_bytes(),
        ]
        .concat()
    }
}

/// Bytes after how many there are.
fn sized(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_le_bytes()[..], bytes].concat()
}

/// Writes a record, and returns its length.
fn record(to: &mut impl Write, kind: u8, body: &[u8]) -> io::Result<u64> {
    to.write_all(&[kind])?;
    to.write_all(&(body.len() as u64).to_le_bytes())?;
    to.write_all(body)?;
    Ok(HEAD + body.len() as u64)
}
