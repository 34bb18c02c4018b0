//! What each MCAP channel of a file is: a channel that was recorded, or what another program wrote.

use std::collections::{BTreeSet, HashMap};
use std::io::Write as _;
use std::sync::Arc;

use io_shared::{Location, Schema};
use io_shared_formats::{CdrError, Foreign, Marks, Recorded, TEXT_BYTES};
use mcap::records;

use super::input::{self, Message};
use crate::failure::Failure;
use crate::named;
use crate::out::plain;
use crate::record::stored;

/// How many of the channels in a file are named in a message.
const SHOWN: usize = 10;

/// A value that is to be put.
#[derive(Debug)]
pub(super) struct Value {
    /// The channel.
    pub(super) name: Arc<str>,
    pub(super) schema: Arc<Schema>,
    pub(super) bytes: Vec<u8>,
    /// Number and tag; a number of 0 is the next one.
    pub(super) marks: Marks,
}

#[derive(Debug)]
enum Track {
    /// Values as they were.
    Whole(Arc<str>, Arc<Schema>, Recorded),
    /// What comes before points or pixels.
    Head(Arc<str>, Arc<Schema>, Recorded),
    /// Points or pixels, of the channel with this name.
    Data(Arc<str>, Foreign),
    Foreign(Arc<str>, Arc<Schema>, Foreign),
    /// What cannot be played.
    None,
}

/// What came before points or pixels that did not come yet.
#[derive(Debug)]
struct Pending {
    sequence: u32,
    marks: Marks,
    bytes: Vec<u8>,
    schema: Arc<Schema>,
}

#[derive(Debug, Default)]
pub(super) struct Tracks {
    remap: HashMap<String, String>,
    /// The channels of the file, and which entries of `remap` name them or their topics.
    names: BTreeSet<String>,
    matched: BTreeSet<String>,
    schemas: HashMap<u16, input::Schema>,
    tracks: HashMap<u16, Track>,
    pending: HashMap<Arc<str>, Pending>,
    /// What was said already.
    told: BTreeSet<String>,
    has_told_damaged: bool,
    /// The topics, and those of which it was said why a value is left out.
    topics: HashMap<u16, String>,
    told_topics: BTreeSet<u16>,
}

impl Tracks {
    pub(super) fn new(remap: Vec<(String, String)>) -> Self {
        Self { remap: remap.into_iter().collect(), ..Self::default() }
    }

    /// Forgets what was read: the file is read anew.
    pub(super) fn restart(&mut self) {
        self.schemas.clear();
        self.tracks.clear();
        self.pending.clear();
    }

    /// Says something once.
    fn tell(&mut self, what: String) {
        if self.told.insert(what.clone()) {
            // An error here says nothing about the values.
            let _ = writeln!(std::io::stderr(), "{}", plain(&what));
        }
    }

    /// Says why a value is left out, of the first one of each topic.
    pub(super) fn tell_left_out(&mut self, message: &Message, why: &str) {
        let Message { channel, sequence, .. } = message;
        if self.told_topics.insert(*channel) {
            let topic = self.topics.get(channel).map_or("", String::as_str);
            let _ = writeln!(std::io::stderr(), "{}: value {sequence} {why}", plain(topic));
        }
    }

    /// Says of the first part of a file that is damaged why it is left out.
    pub(super) fn tell_damaged(&mut self, file: &str, why: &str) {
        if !std::mem::replace(&mut self.has_told_damaged, true) {
            self.tell(format!("{file}: what is damaged is not played ({why})"));
        }
    }

    /// Says which entries of `--remap` name nothing in the file, which was read to its end.
    pub(super) fn tell_unmatched(&mut self) {
        let from: BTreeSet<&String> = self.remap.keys().collect();
        let unmatched: Vec<String> =
            from.into_iter().filter(|from| !self.matched.contains(*from)).cloned().collect();
        let names = self.names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>();
        let more = if self.names.len() > SHOWN { ", .." } else { "" };
        let names = format!("{}{more}", names.join(", "));
        for from in unmatched {
            let what = format!("--remap {from}: no such channel or topic was recorded");
            self.tell(format!("{what}; there is {names}"));
        }
    }

    pub(super) fn add_schema(&mut self, schema: input::Schema) {
        self.schemas.insert(schema.id, schema);
    }

    pub(super) fn add_channel(&mut self, channel: records::Channel) -> Result<(), Failure> {
        let id = channel.id;
        if self.tracks.contains_key(&id) {
            return Ok(());
        }
        let own = channel.metadata.get(stored::NAME);
        let name = named::full(own.unwrap_or(&channel.topic));
        let remapped = self.remapped(&name, &channel);
        let is_remapped = remapped.is_some();
        let target: Arc<str> = remapped.as_ref().unwrap_or(&name).as_str().into();
        // A recording may come from anybody: it does not say which files are written.
        let track = match named::location(&target) {
            Ok(Location::File(_)) if !is_remapped => {
                let what = format!("it names a file: say --remap={name}=NAME to play it");
                self.skip(&channel, &what)
            }
            Err(error) if !is_remapped => {
                let (why, other) = (error.text(), "gives it another name");
                self.skip(&channel, &format!("{why}; --remap={name}=NAME {other}"))
            }
            Err(error) => return Err(error),
            Ok(_) if own.is_some() => self.own(target, &channel)?,
            Ok(_) => self.foreign(target, &channel),
        };
        self.names.insert(name);
        self.topics.insert(id, channel.topic);
        self.tracks.insert(id, track);
        Ok(())
    }

    /// What `--remap` says of a channel, by its name or else by its topic.
    fn remapped(&mut self, name: &str, channel: &records::Channel) -> Option<String> {
        let topic = &channel.topic;
        let is_head = channel.metadata.get(stored::PART).is_some_and(|part| part == stored::HEAD);
        let topic = topic.strip_suffix(stored::HEAD_TOPIC).filter(|_| is_head).unwrap_or(topic);
        let topic = named::full(topic);
        let (from, to) = [name, &topic].iter().find_map(|from| self.remap.get_key_value(*from))?;
        self.matched.insert(from.clone());
        Some(to.clone())
    }

    fn own(&mut self, target: Arc<str>, channel: &records::Channel) -> Result<Track, Failure> {
        let part = channel.metadata.get(stored::PART).map(String::as_str);
        if part == Some(stored::DATA) {
            return Ok(match self.definition(channel) {
                Ok(foreign) => Track::Data(target, foreign),
                Err(why) => self.skip(channel, &why),
            });
        }
        let text = channel.metadata.get(stored::SCHEMA).map_or("", String::as_str);
        let schema = match Schema::from_json(text) {
            Ok(schema) => Arc::new(schema),
            Err(error) => return Ok(self.skip(channel, &format!("its schema is damaged: {error}"))),
        };
        Ok(match part {
            Some(stored::WHOLE) => Track::Whole(target, schema.clone(), Recorded::whole(&schema)),
            Some(stored::HEAD) => Track::Head(target, schema.clone(), Recorded::head(&schema)),
            _ => self.skip(channel, "a newer version has recorded it"),
        })
    }

    fn foreign(&mut self, name: Arc<str>, channel: &records::Channel) -> Track {
        let foreign = match self.definition(channel) {
            Ok(foreign) => foreign,
            Err(why) => return self.skip(channel, &why),
        };
        if foreign.is_cdr() {
            let what = "a channel cannot have its type, so it is put as CDR";
            self.tell(format!("{}: {what}", channel.topic));
        } else if foreign.cuts_texts() {
            let what = format!("texts are cut to {TEXT_BYTES} bytes");
            self.tell(format!("{}: {what}", channel.topic));
        }
        Track::Foreign(name, Arc::new(foreign.schema().clone()), foreign)
    }

    fn definition(&self, channel: &records::Channel) -> Result<Foreign, String> {
        let Some(schema) = self.schemas.get(&channel.schema_id) else {
            return Err("it has no schema".to_owned());
        };
        if channel.message_encoding != "cdr" || schema.encoding != "ros2msg" {
            let (message, schema) = (&channel.message_encoding, &schema.encoding);
            return Err(format!("it has {message} messages described by {schema}, not ROS 2's"));
        }
        Foreign::parse(&schema.name, &schema.text).map_err(|error| error.to_string())
    }

    fn skip(&mut self, channel: &records::Channel, why: &str) -> Track {
        self.tell(format!("{}: not played: {why}", channel.topic));
        Track::None
    }

    /// The value that a message is, or that it completes.
    pub(super) fn value(&mut self, message: &Message) -> Option<Value> {
        let Message { channel, sequence, data, .. } = message;
        let found = match self.tracks.get(channel)? {
            Track::None => return None,
            Track::Whole(name, schema, recorded) => recorded.decode(data).map(|(marks, bytes)| {
                Some(Value { name: name.clone(), schema: schema.clone(), bytes, marks })
            }),
            Track::Foreign(name, schema, foreign) => foreign.decode(data).map(|bytes| {
                let (name, schema, marks) = (name.clone(), schema.clone(), Marks::default());
                Some(Value { name, schema, bytes, marks })
            }),
            Track::Head(name, schema, recorded) => recorded.decode(data).map(|(marks, bytes)| {
                let pending = Pending { sequence: *sequence, marks, bytes, schema: schema.clone() };
                self.pending.insert(name.clone(), pending);
                None
            }),
            Track::Data(name, foreign) => foreign.payload(data).map(|points| {
                let head = self.pending.remove(name)?;
                let Pending { marks, mut bytes, schema, .. } =
                    Some(head).filter(|head| head.sequence == *sequence)?;
                bytes.extend_from_slice(points);
                Some(Value { name: name.clone(), schema, bytes, marks })
            }),
        };
        match found {
            Ok(value) => value,
            Err(error) => {
                let what = match error {
                    CdrError::Unsupported { .. } | CdrError::Encapsulation(_) => "cannot be played",
                    _ => "is damaged",
                };
                self.tell_left_out(message, &format!("{what}: {}", plain(&error.to_string())));
                None
            }
        }
    }
}
