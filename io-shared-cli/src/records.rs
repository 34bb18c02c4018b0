//! The records of an MCAP file that may be damaged or hostile.
//!
//! The parser of the crate `mcap` makes room for as much as a length says before it has the bytes.
//! This one reads what is there, and takes no memory that the file does not stand for.

use std::collections::BTreeMap;

use mcap::records::{Channel, ChunkHeader, MessageHeader, SchemaHeader, op};

/// What a record is, as far as `play` and `record --repair` need it.
#[derive(Debug)]
pub(crate) enum Record<'b> {
    Schema(SchemaHeader, &'b [u8]),
    Channel(Channel),
    Message(MessageHeader, &'b [u8]),
    Chunk(ChunkHeader, &'b [u8]),
    /// The channel that the index of a chunk is of.
    Index(u16),
    /// The name of what was noted.
    Metadata(String),
    /// Where the summary starts.
    Footer(u64),
    Other,
}

/// Reads a record without its head. `None`: it is damaged.
pub(crate) fn parse(kind: u8, body: &[u8]) -> Option<Record<'_>> {
    let mut fields = Fields(body);
    Some(match kind {
        op::SCHEMA => {
            let header =
                SchemaHeader { id: fields.u16()?, name: fields.text()?, encoding: fields.text()? };
            let length = fields.u32()?;
            Record::Schema(header, fields.take(length as usize)?)
        }
        op::CHANNEL => Record::Channel(Channel {
            id: fields.u16()?,
            schema_id: fields.u16()?,
            topic: fields.text()?,
            message_encoding: fields.text()?,
            metadata: fields.pairs()?,
        }),
        op::MESSAGE => {
            let header = MessageHeader {
                channel_id: fields.u16()?,
                sequence: fields.u32()?,
                log_time: fields.u64()?,
                publish_time: fields.u64()?,
            };
            Record::Message(header, fields.0)
        }
        op::CHUNK => {
            let header = ChunkHeader {
                message_start_time: fields.u64()?,
                message_end_time: fields.u64()?,
                uncompressed_size: fields.u64()?,
                uncompressed_crc: fields.u32()?,
                compression: fields.text()?,
                compressed_size: fields.u64()?,
            };
            let length = usize::try_from(header.compressed_size).ok()?;
            Record::Chunk(header, fields.take(length)?)
        }
        op::MESSAGE_INDEX => Record::Index(fields.u16()?),
        op::METADATA => {
            let name = fields.text()?;
            fields.pairs()?;
            Record::Metadata(name)
        }
        op::FOOTER => Record::Footer(fields.u64()?),
        _ => Record::Other,
    })
}

/// What was not read yet.
struct Fields<'b>(&'b [u8]);

impl<'b> Fields<'b> {
    fn take(&mut self, bytes: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Option<String> {
        let length = self.u32()?;
        Some(String::from_utf8_lossy(self.take(length as usize)?).into_owned())
    }

    fn pairs(&mut self) -> Option<BTreeMap<String, String>> {
        let length = self.u32()?;
        let mut fields = Fields(self.take(length as usize)?);
        let mut pairs = BTreeMap::new();
        while !fields.0.is_empty() {
            pairs.insert(fields.text()?, fields.text()?);
        }
        Some(pairs)
    }
}
