//! The channel here that a taken channel is put into.

use io_shared::inspect;
use io_shared::{Channel, Error, ErrorKind, Location, Name, Producer, Result};
use zenoh::bytes::ZBytes;

use crate::clock::Offset;
use crate::description::{Description, too_large};
use crate::mark::Mark;
use crate::origin::{Origin, origin};

/// The least that a channel has room for.
const LEAST: u64 = 64;

/// A copy of a channel of another machine.
#[derive(Debug)]
pub(crate) struct Copy {
    location: Location,
    channel: Channel<[u8]>,
    producer: Producer<[u8]>,
    /// The channel there that the numbers here are of. `None`: they are those of a producer here.
    line: Option<u64>,
    most: u64,
    /// What was last said of where the values come from.
    origin: Option<String>,
}

/// What became of a value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Put {
    Done {
        /// How many before it were not carried.
        superseded: u64,
    },
    /// It, or a later one, is here already.
    Old,
}

impl Copy {
    /// Opens the channel as its producer, for values of at most `most` bytes.
    pub(crate) fn open(name: &str, description: &Description, most: u64) -> Result<Self> {
        let location = Location::from(Name::new(name)?);
        let there = inspect::entry(&location).ok();
        let channel = Channel::<[u8]>::at(location.clone()).schema(description.schema.clone());
        let mut channel = channel.mode(0o600);
        if description.schema.root().shape().element.is_some() {
            // In a channel that is there, growth makes room without disturbing anybody.
            let bytes = description.bytes.filter(|_| there.is_none()).unwrap_or(LEAST);
            channel = channel.capacity(bytes.clamp(LEAST, most.max(LEAST))).growing(true);
        }
        let producer = channel.clone().producer()?;
        let line = there.as_ref().and_then(origin).map(|origin| origin.line);
        Ok(Self { location, channel, producer, line, most, origin: None })
    }

    /// The newest number here, if it is one of that channel there.
    pub(crate) fn seq_in(&self, line: u64) -> u64 {
        if self.line == Some(line) { self.producer.seq() } else { 0 }
    }

    /// Writes down where the values come from.
    pub(crate) fn say_origin(
        &mut self,
        host: &str,
        offset: &Offset,
        description: &Description,
    ) -> std::result::Result<(), String> {
        let origin = Origin {
            host: host.to_owned(),
            delay: offset.delay,
            offset: offset.nanos,
            error: offset.error,
            line: self.line.unwrap_or(0),
            via: description.via.clone(),
        };
        let text = self.origin.insert(origin.text());
        self.producer.set_origin(text).map_err(|error| error.to_string())
    }

    /// Puts a value under its number, with a stamp of this machine's clock.
    pub(crate) fn put(
        &mut self,
        payload: &ZBytes,
        mark: &Mark,
        stamp: u64,
    ) -> std::result::Result<Put, String> {
        let length = payload.len();
        if length as u64 > self.most {
            return Err(too_large(length as u64, self.most));
        }
        let failed = |error: Error| error.to_string();
        let mut last = self.producer.seq();
        if mark.seq <= last {
            if self.line == Some(mark.line) {
                return Ok(Put::Old);
            }
            // Numbers go back, as there: whoever uses the channel follows to a new one.
            self.replace().map_err(failed)?;
            last = self.producer.seq();
        }
        match self.put_here(payload, mark, stamp) {
            // It was removed here, and somebody else has put other values since.
            Err(error) if matches!(error.kind(), ErrorKind::BadSeq { .. }) => {
                self.replace().map_err(failed)?;
                self.put_here(payload, mark, stamp).map_err(failed)?;
            }
            done => done.map_err(failed)?,
        }
        let is_first = self.line.replace(mark.line) != Some(mark.line);
        let superseded = if is_first || last == 0 { 0 } else { mark.seq - last - 1 };
        Ok(Put::Done { superseded })
    }

    fn put_here(&mut self, payload: &ZBytes, mark: &Mark, stamp: u64) -> Result<()> {
        let mut loan = self.producer.loan_len(payload.len())?;
        let mut at = 0;
        for slice in payload.slices() {
            if let Some(room) = loan.get_mut(at..at + slice.len()) {
                room.copy_from_slice(slice);
            }
            at += slice.len();
        }
        loan.tag(mark.tag);
        loan.numbered(mark.seq, stamp)?;
        loan.put().map(drop)
    }

    /// Gives the name to a new channel.
    fn replace(&mut self) -> Result<()> {
        match inspect::remove(&self.location) {
            Err(error) if *error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.producer = self.channel.clone().producer()?;
        // At once: without it, the channel looks as if it were produced here.
        self.origin.as_ref().map_or(Ok(()), |origin| self.producer.set_origin(origin))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use io_shared::Message as _;

    use super::*;

    #[test]
    fn a_channel_whose_numbers_begin_again_says_at_once_where_it_comes_from() {
        let name = test_support::TestName::new("begins-again");
        let (schema, via) = (<[u8]>::schema(), vec!["robot".to_owned()]);
        let description = Description { schema, line: 1, capacity: 64, bytes: None, via };
        let mut copy = Copy::open(&name, &description, 64).unwrap();
        let (error, delay) = (Duration::ZERO, Duration::ZERO);
        copy.say_origin("robot", &Offset { nanos: 0, error, delay }, &description).unwrap();
        let location = Location::from(Name::new(&name).unwrap());
        let mut identities = Vec::new();
        for (seq, line) in [(5, 1), (1, 2)] {
            let mark = Mark { seq, stamp: 0, tag: 0, sent: 0, line };
            copy.put(&ZBytes::from(vec![7; 3]), &mark, 0).unwrap();
            let entry = inspect::entry(&location).unwrap();
            assert_eq!(origin(&entry).unwrap().host, "robot", "{seq}");
            identities.push(entry.identity);
        }
        assert_ne!(identities[0], identities[1], "it was replaced");
    }
}
