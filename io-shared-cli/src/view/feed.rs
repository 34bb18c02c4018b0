//! The values of one channel for one connection: the newest, as soon as the client has the one
//! before.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use io_shared::inspect::Pace;
use io_shared::{Channel as Open, Copied, Error, ErrorKind, Observer};
use io_shared_formats::{CompressedImage, Header, Marks, recognize};

use super::catalogue::{Catalogue, Channel, Form, Part, form_of};
use super::{jpeg, protocol};

#[derive(Debug)]
pub(super) struct Feed {
    pub(super) channel: Arc<Channel>,
    observer: Option<Observer<[u8]>>,
    /// The number of the last value that was sent.
    last: u64,
    pace: Pace,
    /// The subscriptions, and the part that each is for.
    pub(super) subscriptions: Vec<(u32, Part)>,
    /// Whether the client has received what was sent last.
    pub(super) is_received: bool,
    /// What was said last that is wrong, so that it is said once.
    said: Option<String>,
}

/// What a look has found.
#[derive(Debug)]
pub(super) enum Looked {
    Nothing,
    /// Messages to send.
    Value(Vec<Vec<u8>>),
    /// Something to say.
    Wrong(String),
}

impl Feed {
    pub(super) fn new(channel: Arc<Channel>) -> Self {
        Self {
            channel,
            observer: None,
            last: 0,
            pace: Pace::of_tool(),
            subscriptions: Vec::new(),
            is_received: true,
            said: None,
        }
    }

    /// Sends a part of each value from now on, the newest at once.
    pub(super) fn add(&mut self, subscription: u32, part: Part) {
        self.subscriptions.push((subscription, part));
        self.last = 0;
    }

    /// What a ping for it says, and the pong repeats.
    pub(super) fn mark(&self) -> [u8; 4] {
        self.channel.topics.first().map_or(0, |topic| topic.id).to_le_bytes()
    }

    /// Goes on with a region that has taken the place of the one before.
    pub(super) fn follow(&mut self, channel: Arc<Channel>) {
        self.channel = channel;
    }

    /// How long until the next look at the channel.
    pub(super) fn nap(&self) -> Duration {
        self.pace.nap(true)
    }

    pub(super) fn look(&mut self, catalogue: &Catalogue) -> Looked {
        match self.copy() {
            Ok(None) => Looked::Nothing,
            Ok(Some(copied)) => {
                self.last = copied.seq();
                self.pace.note(copied.seq(), copied.stamp());
                let form = match self.channel.form {
                    Form::Cdr => Form::Cdr, // its schema says so
                    _ => form_of(
                        &self.channel.schema,
                        &copied,
                        self.channel.said.as_ref(),
                        catalogue.jpeg.is_some(),
                    ),
                };
                if form != self.channel.form {
                    // An array of another kind: other topics.
                    catalogue.note(&self.channel, form);
                    return Looked::Nothing;
                }
                match self.encode(&copied, catalogue.jpeg) {
                    Ok(messages) => {
                        self.said = None;
                        Looked::Value(messages)
                    }
                    Err(what) => self.wrong(what),
                }
            }
            Err(error) => {
                self.observer = None;
                match error.kind() {
                    // The list says so, and it may come back.
                    ErrorKind::NotFound | ErrorKind::Replaced | ErrorKind::Timeout { .. } => {
                        self.last = 0;
                        Looked::Nothing
                    }
                    ErrorKind::Busy { .. } => Looked::Nothing,
                    _ => self.wrong(error.to_string()),
                }
            }
        }
    }

    fn wrong(&mut self, what: String) -> Looked {
        if self.said.as_ref() == Some(&what) {
            return Looked::Nothing;
        }
        self.said = Some(what.clone());
        Looked::Wrong(format!("{}: {what}", self.channel.name))
    }

    /// The newest value, if it was not copied before.
    fn copy(&mut self) -> Result<Option<Copied<[u8]>>, Error> {
        let observer = match &mut self.observer {
            Some(observer) => observer,
            none => {
                let open = Open::<[u8]>::at(self.channel.location.clone()).any_schema();
                let open = open.reopen(false).open_timeout(Duration::ZERO);
                none.insert(open.observer()?)
            }
        };
        if *observer.schema() != self.channel.schema {
            // The catalogue finds out within a second, and has other topics then. Or the channel
            // has its old type back by then, in another region.
            self.observer = None;
            return Ok(None);
        }
        let newest = observer.seq()?;
        if newest == 0 || newest == self.last {
            return Ok(None);
        }
        observer.copy()
    }

    fn encode(&self, copied: &Copied<[u8]>, quality: Option<u8>) -> Result<Vec<Vec<u8>>, String> {
        let marks = Marks { seq: copied.seq(), stamp: copied.stamp(), tag: copied.tag() };
        let received = wall_clock();
        let put = received.saturating_sub(copied.age().unwrap_or_default().as_nanos() as u64);
        let channel = &self.channel;
        let seen = match channel.form {
            Form::Whole | Form::Cdr => None,
            _ => recognize(&channel.schema, copied, channel.said.as_ref()),
        };
        let header = Header::of(&channel.schema);
        let frame = header.frame_id().unwrap_or(channel.name.trim_start_matches('/'));
        let put = header.stamp_ns(copied).unwrap_or(put);
        let text = |error: io_shared_formats::CdrError| error.to_string();
        let one = |(subscription, part): &(u32, Part)| {
            let mut message = protocol::data(*subscription, received);
            match (part, &seen) {
                (Part::Data, Some(seen)) if channel.form == Form::Jpeg => {
                    let image = seen.image(put, frame).ok_or("it is no picture")?;
                    let data = &jpeg::encode(&image, quality.unwrap_or(80))?;
                    let (frame_id, format) = (frame.to_owned(), "jpeg".to_owned());
                    CompressedImage { stamp_ns: put, frame_id, format, data }
                        .encode(&mut message)
                        .map_err(text)?;
                }
                (Part::Data, Some(seen)) => seen.encode(put, frame, &mut message).map_err(text)?,
                _ if channel.form == Form::Cdr => message.extend(&**copied),
                (_, seen) => {
                    let bytes = seen.as_ref().map_or(&**copied, |seen| seen.head);
                    channel.recorded.encode(marks, bytes, &mut message).map_err(text)?;
                }
            }
            Ok(message)
        };
        self.subscriptions.iter().map(one).collect()
    }
}

/// Nanoseconds since 1970.
pub(super) fn wall_clock() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_nanos() as u64
}
