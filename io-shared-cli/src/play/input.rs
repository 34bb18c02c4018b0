//! The messages of an MCAP file, from its start to its end or to where it was cut off.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use mcap::records;
use mcap::sans_io::linear_reader::{LinearReadEvent, LinearReader, LinearReaderOptions};

use crate::chunk;
use crate::failure::Failure;
use crate::records::Record;

/// A definition of messages.
#[derive(Debug, Clone)]
pub(super) struct Schema {
    pub(super) id: u16,
    pub(super) name: String,
    pub(super) encoding: String,
    pub(super) text: String,
}

#[derive(Debug)]
pub(super) struct Message {
    pub(super) channel: u16,
    pub(super) sequence: u32,
    pub(super) log_time: u64,
    pub(super) data: Vec<u8>,
}

#[derive(Debug)]
pub(super) enum Next {
    Schema(Schema),
    Channel(records::Channel),
    Message(Message),
    /// A record or a chunk is damaged: why. The next one is whole again.
    Damaged(String),
    End,
    /// The file ends too early, or it is not known where the next record starts: why.
    Cut(String),
}

pub(super) struct Input {
    file: BufReader<File>,
    reader: LinearReader,
    shown: String,
    /// The records of a chunk, and where the next of them starts.
    chunk: Vec<u8>,
    at: usize,
    has_begun: bool,
    is_over: bool,
}

impl Input {
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let shown = path.display().to_string();
        let file = File::open(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Failure::NotFound(format!("there is no file {shown}")),
            _ => Failure::Failed(format!("cannot read {shown}: {error}")),
        })?;
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        // No record is longer than the file, whatever it says.
        let options = LinearReaderOptions::default()
            .with_emit_chunks(true)
            .with_record_length_limit(usize::try_from(length).unwrap_or(usize::MAX));
        let reader = LinearReader::new_with_options(options);
        let file = BufReader::new(file);
        let (chunk, at) = (Vec::new(), 0);
        Ok(Self { file, reader, shown, chunk, at, has_begun: false, is_over: false })
    }

    pub(super) fn next(&mut self) -> Result<Next, Failure> {
        while !self.is_over {
            if let Some((kind, body, end)) = chunk::record(&self.chunk, self.at) {
                self.at = end;
                match parse(kind, body) {
                    Some(next) => return Ok(next),
                    None => continue,
                }
            }
            let Some(event) = self.reader.next_event() else { break };
            match event {
                Ok(LinearReadEvent::ReadRequest(need)) => {
                    let read = self.file.read(self.reader.insert(need)).map_err(|error| {
                        Failure::Failed(format!("cannot read {}: {error}", self.shown))
                    })?;
                    self.reader.notify_read(read);
                }
                Ok(LinearReadEvent::Record { opcode, data }) => {
                    self.has_begun = true;
                    if opcode == records::op::DATA_END {
                        // What follows repeats what was there.
                        self.is_over = true;
                        break;
                    }
                    if opcode == records::op::CHUNK {
                        match chunk::open(data) {
                            Ok((_, chunk)) => (self.chunk, self.at) = (chunk, 0),
                            Err(why) => return Ok(Next::Damaged(why)),
                        }
                        continue;
                    }
                    if let Some(next) = parse(opcode, data) {
                        return Ok(next);
                    }
                }
                Err(_) if !self.has_begun => {
                    let text = format!("{} is no MCAP file, or has nothing in it", self.shown);
                    return Err(Failure::Failed(text));
                }
                Err(error) => {
                    self.is_over = true;
                    return Ok(Next::Cut(error.to_string()));
                }
            }
        }
        Ok(Next::End)
    }
}

/// What `play` takes of a record. `None`: nothing.
fn parse(opcode: u8, data: &[u8]) -> Option<Next> {
    let Some(record) = crate::records::parse(opcode, data) else {
        return Some(Next::Damaged("a record has fewer bytes than it says".to_owned()));
    };
    match record {
        Record::Schema(header, data) => Some(Next::Schema(Schema {
            id: header.id,
            name: header.name,
            encoding: header.encoding,
            text: String::from_utf8_lossy(data).into_owned(),
        })),
        Record::Channel(channel) => Some(Next::Channel(channel)),
        Record::Message(header, data) => Some(Next::Message(Message {
            channel: header.channel_id,
            sequence: header.sequence,
            log_time: header.log_time,
            data: data.to_vec(),
        })),
        _ => None,
    }
}
