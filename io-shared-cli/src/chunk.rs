//! The records in a chunk of an MCAP file, which may be damaged or hostile.
//!
//! A chunk is looked at as a whole: none of its records is used unless its checksum is right and
//! every record ends within it.

use mcap::records::{ChunkHeader, op};
use mcap::sans_io::linear_reader::{LinearReadEvent, LinearReader, LinearReaderOptions};

use crate::records::{self, Record};

/// The head of a record: its kind and the length of what follows.
pub(crate) const HEAD: usize = 9;

/// How many bytes one compressed byte stands for at most, by the method of compression.
const MOST: [(&str, usize); 2] = [("lz4", 255), ("zstd", 40_000)];
/// What any chunk may have.
const LITTLE: usize = 1 << 20;

/// The header of a chunk, and its records one after the other. `body` is the chunk's record without
/// its head.
pub(crate) fn open(body: &[u8]) -> Result<(ChunkHeader, Vec<u8>), String> {
    let Some(Record::Chunk(header, data)) = records::parse(op::CHUNK, body) else {
        return Err("a chunk has fewer bytes than it says".to_owned());
    };
    let length = data.len();
    let method = &*header.compression;
    let most = match MOST.iter().find(|(name, _)| *name == method) {
        Some((_, most)) => length.saturating_mul(*most).saturating_add(LITTLE),
        None if method.is_empty() => length,
        None => return Err(format!("a chunk is compressed by {method}, and not by lz4 or zstd")),
    };
    if header.uncompressed_size > most as u64 {
        return Err(format!("a chunk of {length} bytes says {}", header.uncompressed_size));
    }
    let size = header.uncompressed_size as usize;
    let mut all = room_for(size)
        .ok_or_else(|| format!("there is no memory for a chunk that says it has {size} bytes"))?;
    if method.is_empty() {
        // The reader below believes this.
        check(data)?;
    }
    let options = LinearReaderOptions::default()
        .with_skip_start_magic(true)
        .with_skip_end_magic(true)
        .with_prevalidate_chunk_crcs(true)
        .with_record_length_limit(most.max(body.len()));
    let mut reader = LinearReader::new_with_options(options);
    let head = [&[op::CHUNK][..], &(body.len() as u64).to_le_bytes()].concat();
    let mut from = std::io::Read::chain(&*head, body);
    while let Some(event) = reader.next_event() {
        match event.map_err(|error| error.to_string())? {
            LinearReadEvent::ReadRequest(need) => {
                let read = std::io::Read::read(&mut from, reader.insert(need));
                reader.notify_read(read.map_err(|error| error.to_string())?);
            }
            LinearReadEvent::Record { opcode, data } => {
                all.push(opcode);
                all.extend_from_slice(&(data.len() as u64).to_le_bytes());
                all.extend_from_slice(data);
            }
        }
    }
    check(&all)?;
    Ok((header, all))
}

/// Room for the records of a chunk, if there is memory for them twice: the reader has them, too.
/// The kernel promises more than there is, and ends a process that uses it.
fn room_for(size: usize) -> Option<Vec<u8>> {
    let (mut all, mut reader) = (Vec::new(), Vec::<u8>::new());
    all.try_reserve_exact(size).ok()?;
    reader.try_reserve_exact(size).ok()?;
    let memory = match size {
        ..=LITTLE => String::new(),
        _ => std::fs::read_to_string("/proc/meminfo").unwrap_or_default(),
    };
    let available = memory.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kilobytes = available.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok());
    let fits = |kilobytes: usize| size <= kilobytes.saturating_mul(1024 / 2) / 8 * 7;
    kilobytes.is_none_or(fits).then_some(all)
}

/// The record that starts at `at`: its kind, its body, and where it ends. `None`: there is none.
pub(crate) fn record(records: &[u8], at: usize) -> Option<(u8, &[u8], usize)> {
    let (head, rest) = records.get(at..)?.split_first_chunk::<HEAD>()?;
    let [kind, length @ ..] = *head;
    let length = usize::try_from(u64::from_le_bytes(length)).ok()?;
    Some((kind, rest.get(..length)?, at.checked_add(HEAD)?.checked_add(length)?))
}

/// Checks that the last record ends where the chunk does.
fn check(records: &[u8]) -> Result<(), String> {
    let mut at = 0;
    while let Some((_, _, end)) = record(records, at) {
        at = end;
    }
    match at == records.len() {
        true => Ok(()),
        false => Err("a record reaches beyond its chunk".to_owned()),
    }
}
