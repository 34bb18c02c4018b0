//! Which channels there are, and what they are for viewers.
//!
//! A channel is one topic, or two if its values are clouds or pictures: the points or pixels, and
//! next to them `NAME/_io` with the number, stamp and tag of the value and its other fields, as in
//! recordings. Two more topics are the list of the channels (`/io_shared/channels`) and, with
//! `--tf`, the frames.
//!
//! Looks are a second apart, and only while somebody is connected. They read a few bytes of each
//! channel. Of an array one value is read as well, once, since only its header says what it is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use io_shared::inspect::{self, Content, Entry, Kind, Newest, Reader, Region};
use io_shared::{Array, Location, Message, Schema};
use io_shared_formats::{
    As, COMPRESSED_IMAGE, CdrType, Definition, IMAGE, POINT_CLOUD2, Recorded, TF_MESSAGE,
    is_cloud_type, recognize, topic,
};
use serde_json::{Value as Json, json};

use super::{Options, jpeg};
use crate::failure::Failure;
use crate::named;

const EVERY: Duration = Duration::from_secs(1);

/// The topic of the list, and its number.
const LIST: (u32, &str) = (1, "/io_shared/channels");
/// The topic of the frames.
const FRAMES: (u32, &str) = (2, "/tf_static");
const FIRST: u32 = 3;

/// What the values of a channel are for viewers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A message of a generated type.
    Whole,
    /// CDR of the type that its schema brings along, sent as it is.
    Cdr,
    Cloud,
    Image,
    Jpeg,
}

/// Which part of a value a topic has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it, in a generated type.
    Whole,
    /// What comes before the points or pixels.
    Head,
    /// The points or pixels.
    Data,
}

#[derive(Debug, Clone)]
pub(super) struct Topic {
    pub(super) id: u32,
    pub(super) name: String,
    pub(super) encoding: &'static str,
    pub(super) type_name: String,
    pub(super) definition: String,
    pub(super) part: Part,
}

/// A channel that can be shown.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) name: String,
    pub(super) location: Location,
    pub(super) schema: Schema,
    pub(super) form: Form,
    /// The type of all of a value, or of what comes before its points or pixels.
    pub(super) recorded: Recorded,
    pub(super) said: Option<As>,
    pub(super) topics: Vec<Topic>,
    identity: (u64, u64),
}

/// What one look has found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) channels: Vec<Arc<Channel>>,
    /// The list, as JSON.
    pub(super) list: String,
}

#[derive(Debug)]
pub(super) struct Catalogue {
    names: Vec<(String, Location)>,
    said: HashMap<String, As>,
    pub(super) jpeg: Option<u8>,
    pub(super) transforms: Option<Vec<u8>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    looked: Option<Instant>,
    found: Arc<Found>,
    topics: u32,
    /// Which channel has a topic of that name.
    owners: HashMap<String, String>,
    /// The newest values at the last look, by which rates are told.
    newest: HashMap<(u64, u64), Newest>,
    /// What the values of regions were when somebody looked at one.
    forms: HashMap<(u64, u64), Form>,
}

impl State {
    /// A topic that no other channel has: names that differ may become one topic.
    fn free_topic(&mut self, name: &str) -> String {
        self.owners.retain(|_, owner| owner != name);
        let wanted = topic(name);
        let others = (2..).map(|number| format!("{wanted}_{number}"));
        let is_free = |topic: &String| {
            let is_own = [LIST.1, FRAMES.1].contains(&&**topic);
            !is_own && !self.owners.contains_key(topic) && !self.owners.contains_key(&head(topic))
        };
        let found = std::iter::once(wanted.clone()).chain(others).find(is_free).unwrap_or(wanted);
        for topic in [head(&found), found.clone()] {
            self.owners.insert(topic, name.to_owned());
        }
        found
    }
}

/// The topic of what comes before the points or pixels.
fn head(topic: &str) -> String {
    format!("{topic}/_io")
}

impl Catalogue {
    pub(super) fn new(options: &Options, transforms: Option<Vec<u8>>) -> Result<Self, Failure> {
        let named = |name: &String| {
            let location = named::location(name)?;
            Ok((listed(&location), location))
        };
        let said = |(name, kind): &(String, As)| Ok((named(name)?.0, kind.clone()));
        Ok(Self {
            names: options.names.iter().map(named).collect::<Result<_, Failure>>()?,
            said: options.said.iter().map(said).collect::<Result<_, Failure>>()?,
            jpeg: options.jpeg,
            transforms,
            state: Mutex::default(),
        })
    }

    /// The topics that belong to no channel.
    pub(super) fn own_topics(&self) -> Vec<Topic> {
        let own = |(id, name): (u32, &str), encoding, type_name: &str, definition: &str| Topic {
            id,
            name: name.to_owned(),
            encoding,
            type_name: type_name.to_owned(),
            definition: definition.to_owned(),
            part: Part::Whole,
        };
        let list = r#"{"type":"object","properties":{"channels":{"type":"array"}}}"#;
        let mut topics = vec![own(LIST, "json", "io_shared.Channels", list)];
        if self.transforms.is_some() {
            topics.push(own(FRAMES, "cdr", "tf2_msgs/msg/TFMessage", TF_MESSAGE));
        }
        topics
    }

    /// What there is. All who ask within a second are told the same.
    pub(super) fn now(&self) -> Arc<Found> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.is_none_or(|looked| looked.elapsed() >= EVERY) {
            let found = self.look(&mut state);
            state.found = Arc::new(found);
            state.looked = Some(Instant::now());
        }
        Arc::clone(&state.found)
    }

    /// Says that a value of the channel has another form. Its topics are new ones then.
    pub(super) fn note(&self, channel: &Channel, form: Form) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.forms.insert(channel.identity, form);
        state.looked = None;
    }

    fn look(&self, state: &mut State) -> Found {
        let mut entries = match &self.names[..] {
            [] => inspect::channels().unwrap_or_default(),
            names => names.iter().filter_map(|(_, at)| inspect::entry(at).ok()).collect(),
        };
        entries.retain(is_channel);
        state.owners.retain(|_, owner| entries.iter().any(|entry| entry.name == *owner));
        let mut channels = Vec::new();
        let mut list: Vec<Json> = Vec::new();
        let mut newest = HashMap::new();
        for entry in &mut entries {
            let identity = entry.identity;
            let mut shown = None;
            if let Content::Region(region) = &mut entry.content {
                if let Some(now) = region.newest {
                    let before = state.newest.get(&identity);
                    region.rate = before.and_then(|before| before.rate_to(&now)).or(region.rate);
                    newest.insert(identity, now);
                }
                shown = self.shown(state, &entry.name, &entry.location, identity, region);
            }
            let mut line: Json = serde_json::from_str(&entry.to_json()).unwrap_or_default();
            if let Some(line) = line.as_object_mut() {
                let topics = shown.iter().flat_map(|channel| &channel.topics);
                line.insert("topics".to_owned(), topics.map(|topic| topic.id).collect());
            }
            list.push(line);
            channels.extend(shown);
        }
        let is_there = |name: &str| entries.iter().any(|entry| entry.name == name);
        for (name, _) in self.names.iter().filter(|(name, _)| !is_there(name)) {
            list.push(json!({ "name": name, "state": "absent", "topics": [] }));
        }
        state.newest = newest;
        state.forms.retain(|identity, _| entries.iter().any(|entry| entry.identity == *identity));
        Found { channels, list: json!({ "channels": list }).to_string() }
    }

    /// The channel as it was, if it is the same, or a new one.
    fn shown(
        &self,
        state: &mut State,
        name: &str,
        location: &Location,
        identity: (u64, u64),
        region: &Region,
    ) -> Option<Arc<Channel>> {
        let said = self.said.get(name);
        let form = match state.forms.get(&identity) {
            Some(form) => *form,
            None => form_in(location, &region.schema, said, self.jpeg.is_some())?,
        };
        state.forms.insert(identity, form);
        let before = state.found.channels.iter().find(|channel| channel.name == name);
        if let Some(before) = before
            && before.form == form
            && before.schema == region.schema
        {
            // A region that grew, or that was replaced by one of the same type, is the same topic.
            return Some(match before.identity == identity {
                true => Arc::clone(before),
                false => Arc::new(Channel {
                    identity,
                    name: name.to_owned(),
                    location: location.clone(),
                    schema: region.schema.clone(),
                    recorded: before.recorded.clone(),
                    said: said.cloned(),
                    topics: before.topics.clone(),
                    form,
                }),
            });
        }
        let recorded = match form {
            Form::Whole | Form::Cdr => Recorded::whole(&region.schema),
            _ => Recorded::head(&region.schema),
        };
        let generated = match (form, CdrType::of(&region.schema)) {
            (Form::Cdr, Ok(Some(ty))) => ty.definition().clone(),
            _ => recorded.definition(),
        };
        let topics = topics(state.free_topic(name), form, generated, &mut state.topics);
        Some(Arc::new(Channel {
            name: name.to_owned(),
            location: location.clone(),
            schema: region.schema.clone(),
            form,
            recorded,
            said: said.cloned(),
            topics,
            identity,
        }))
    }
}

/// The name under which a channel is listed, however a user writes it.
fn listed(location: &Location) -> String {
    match location {
        Location::File(path) => path.display().to_string(),
        named => named.to_string(),
    }
}

fn is_channel(entry: &Entry) -> bool {
    match &entry.content {
        Content::Region(region) => region.kind == Kind::Channel,
        _ => true,
    }
}

/// What the values of a region are. `None`: there is none yet that tells it.
fn form_in(location: &Location, schema: &Schema, said: Option<&As>, jpeg: bool) -> Option<Form> {
    if said.is_none() && matches!(CdrType::of(schema), Ok(Some(_))) {
        return Some(Form::Cdr);
    }
    if *schema.root() != Array::layout() {
        // The type alone decides. A value may be as large as the region says, which may lie.
        return Some(if is_cloud_type(schema, said) { Form::Cloud } else { Form::Whole });
    }
    let mut bytes = Vec::new();
    let mut reader = Reader::open(location).ok()?;
    reader.copy(&mut bytes).ok()??;
    Some(form_of(schema, &bytes, said, jpeg))
}

/// What a value is.
pub(super) fn form_of(schema: &Schema, bytes: &[u8], said: Option<&As>, jpeg: bool) -> Form {
    match recognize(schema, bytes, said) {
        None => Form::Whole,
        Some(recognized) => match recognized.image(0, "") {
            None => Form::Cloud,
            Some(image) if jpeg && jpeg::can_encode(&image.encoding) => Form::Jpeg,
            Some(_) => Form::Image,
        },
    }
}

/// The topics of a channel. Each gets a number that no other ever had. `own` is the type of what is
/// no cloud or picture.
fn topics(shown: String, form: Form, own: Definition, numbers: &mut u32) -> Vec<Topic> {
    let mut new = |name: String, type_name: String, definition: String, part| {
        *numbers += 1;
        let id = FIRST + *numbers;
        Topic { id, name, encoding: "cdr", type_name, definition, part }
    };
    let data = match form {
        Form::Whole | Form::Cdr => return vec![new(shown, own.name, own.text, Part::Whole)],
        Form::Cloud => ("sensor_msgs/msg/PointCloud2", POINT_CLOUD2),
        Form::Image => ("sensor_msgs/msg/Image", IMAGE),
        Form::Jpeg => ("sensor_msgs/msg/CompressedImage", COMPRESSED_IMAGE),
    };
    vec![
        new(shown.clone(), data.0.to_owned(), data.1.to_owned(), Part::Data),
        new(head(&shown), own.name, own.text, Part::Head),
    ]
}
