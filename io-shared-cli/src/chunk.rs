//! The records in a chunk of an MCAP file, which may be damaged or hostile.
//!
//! A chunk is looked at as a whole: none of its records is used unless its checksum is right and
//! every record ends within it.

use mcap::records::{ChunkHeader, op};
use mcap::sans_io::linear_reader::{LinearReadEvent, LinearReader, LinearReaderOptions};

use crate::records::{self, Record};

/// The head of a record: its kind and the length of what follows.
pub(crate) const HEAD: usize = 9;

/// How many bytes one compressed byte stands for at most, and what any chunk may have.
const MOST: (usize, usize) = (40_000, 1 << 20);

/// The header of a chunk, and its records one after the other. `body` is the chunk's record without
/// its head.
pub(crate) fn open(body: &[u8]) -> Result<(ChunkHeader, Vec<u8>), String> {
    let Some(Record::Chunk(header, data)) = records::parse(op::CHUNK, body) else {
        return Err("a chunk has fewer bytes than it says".to_owned());
    };
    let length = data.len();
    let is_plain = header.compression.is_empty();
    let most = if is_plain { length } else { length.saturating_mul(MOST.0).saturating_add(MOST.1) };
    if header.uncompressed_size > most as u64 {
        return Err(format!("a chunk of {length} bytes says {}", header.uncompressed_size));
    }
    if is_plain {
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
    let mut all = Vec::new();
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
