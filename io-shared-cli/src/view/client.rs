//! One connection: what the client is told of, what it asks for, and what it is sent.
//!
//! After the messages of a value the client is pinged, and its pong says that it has them. Until
//! then nothing more of that channel is sent, and the newest value is next: so a slow client is
//! sent less, nothing is queued for it, and nobody waits.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tungstenite::{Error, Message, WebSocket};

use super::catalogue::{Catalogue, Channel, Found, Topic};
use super::feed::{Feed, Looked, wall_clock};
use super::protocol::{self, Asked, Level};

/// The shortest and the longest wait for messages of the client, after which the channels are
/// looked at that it has subscribed to.
const WAITS: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(100)];
/// How long a write may make no progress before other things are done.
const WRITE: Duration = Duration::from_millis(20);
const CATALOGUE: Duration = Duration::from_secs(1);
/// The most subscriptions of one client.
const MOST: usize = 1024;

/// The connection is over.
struct Over;

struct Client<'c> {
    socket: WebSocket<TcpStream>,
    catalogue: &'c Catalogue,
    found: Arc<Found>,
    /// The topics that the client was told of.
    told: BTreeMap<u32, Topic>,
    /// By the name of the channel.
    feeds: BTreeMap<String, Feed>,
    /// The subscriptions to the topics that belong to no channel, and what is to be sent.
    list: Vec<u32>,
    frames: Vec<u32>,
    looked: Option<Instant>,
    /// Whether the socket has not taken all of what was sent last.
    is_full: bool,
}

pub(super) fn serve(socket: WebSocket<TcpStream>, catalogue: &Catalogue) {
    let client = Client {
        socket,
        catalogue,
        found: Arc::default(),
        told: BTreeMap::new(),
        feeds: BTreeMap::new(),
        list: Vec::new(),
        frames: Vec::new(),
        looked: None,
        is_full: false,
    };
    // Whoever has gone is told nothing.
    let _ = client.run();
}

impl Client<'_> {
    fn run(mut self) -> Result<(), Over> {
        self.socket.get_ref().set_write_timeout(Some(WRITE)).map_err(|_| Over)?;
        self.say(protocol::server_info(&format!("{:x}", wall_clock())))?;
        self.advertise(self.catalogue.own_topics())?;
        loop {
            // While the client does not read, nothing is read of it either, so that it cannot have
            // answers pile up.
            if self.is_full {
                self.is_full = !self.flush()?;
                continue;
            }
            if self.looked.is_none_or(|looked| looked.elapsed() >= CATALOGUE) {
                self.look_around()?;
            }
            self.listen()?;
            self.send_new()?;
        }
    }

    /// Tells the client what has come and gone.
    fn look_around(&mut self) -> Result<(), Over> {
        self.looked = Some(Instant::now());
        self.found = self.catalogue.now();
        let found = Arc::clone(&self.found);
        let own = self.catalogue.own_topics();
        let there = || found.channels.iter().flat_map(|channel| &channel.topics).chain(&own);
        let gone: Vec<u32> = self.told.keys().copied().collect();
        let gone: Vec<u32> =
            gone.into_iter().filter(|id| there().all(|topic| topic.id != *id)).collect();
        if !gone.is_empty() {
            self.told.retain(|id, _| !gone.contains(id));
            self.say(protocol::unadvertise(&gone))?;
        }
        let new = there().filter(|topic| !self.told.contains_key(&topic.id)).cloned().collect();
        self.advertise(new)?;
        for channel in &found.channels {
            if let Some(feed) = self.feeds.get_mut(&channel.name) {
                let same = feed.channel.topics.first().map(|topic| topic.id)
                    == channel.topics.first().map(|topic| topic.id);
                if same {
                    feed.follow(Arc::clone(channel));
                } else {
                    // A client subscribes anew to the new topics.
                    self.feeds.remove(&channel.name);
                }
            }
        }
        self.feeds.retain(|name, _| found.channels.iter().any(|channel| channel.name == *name));
        for subscription in self.list.clone() {
            let mut message = protocol::data(subscription, wall_clock());
            message.extend(found.list.as_bytes());
            self.send(Message::binary(message))?;
        }
        Ok(())
    }

    fn advertise(&mut self, new: Vec<Topic>) -> Result<(), Over> {
        if !new.is_empty() {
            self.say(protocol::advertise(new.iter()))?;
            self.told.extend(new.into_iter().map(|topic| (topic.id, topic)));
        }
        Ok(())
    }

    /// Reads one message of the client, if one comes before it is time to look at a channel.
    fn listen(&mut self) -> Result<(), Over> {
        // The pong of a client is a message, too.
        let ready = self.feeds.values().filter(|feed| feed.is_received);
        let time = ready.map(Feed::nap).min().unwrap_or(WAITS[1]).clamp(WAITS[0], WAITS[1]);
        self.socket.get_ref().set_read_timeout(Some(time)).map_err(|_| Over)?;
        match self.socket.read() {
            Ok(Message::Text(text)) => self.hear(&text),
            Ok(Message::Pong(mark)) => {
                let feeds = self.feeds.values_mut();
                feeds.filter(|feed| feed.mark()[..] == mark[..]).for_each(|feed| {
                    feed.is_received = true;
                });
                Ok(())
            }
            Ok(Message::Binary(_)) => self.warn("clients cannot publish"),
            Ok(Message::Close(_)) => Err(Over),
            Ok(_) => Ok(()),
            Err(Error::Io(error)) if is_later(&error) => Ok(()),
            Err(_) => Err(Over),
        }
    }

    fn hear(&mut self, text: &str) -> Result<(), Over> {
        match Asked::parse(text) {
            Some(Asked::Subscribe(pairs)) => {
                pairs.into_iter().try_for_each(|(id, topic)| self.subscribe(id, topic))
            }
            Some(Asked::Unsubscribe(ids)) => {
                for id in ids {
                    self.list.retain(|known| *known != id);
                    self.frames.retain(|known| *known != id);
                    for feed in self.feeds.values_mut() {
                        feed.subscriptions.retain(|(known, _)| *known != id);
                    }
                }
                self.feeds.retain(|_, feed| !feed.subscriptions.is_empty());
                Ok(())
            }
            Some(Asked::Other(op)) => {
                self.warn(&format!("{op:?} is nothing that a client can do here"))
            }
            None => self.warn("a message could not be read"),
        }
    }

    fn subscribe(&mut self, id: u32, topic: u32) -> Result<(), Over> {
        let all = self.feeds.values().flat_map(|feed| &feed.subscriptions).map(|(id, _)| *id);
        let known: Vec<u32> =
            all.chain(self.list.iter().copied()).chain(self.frames.clone()).collect();
        if known.contains(&id) || known.len() >= MOST {
            return self
                .warn(&format!("subscription {id} is there already, or there are too many"));
        }
        let Some(told) = self.told.get(&topic) else {
            return self.warn(&format!("there is no channel {topic} any more"));
        };
        let own = self.catalogue.own_topics();
        if own.first().is_some_and(|list| list.id == topic) {
            self.list.push(id);
            self.looked = None;
            return Ok(());
        }
        if own.iter().any(|own| own.id == topic) {
            let mut message = protocol::data(id, wall_clock());
            message.extend(self.catalogue.transforms.iter().flatten());
            self.frames.push(id);
            return self.send(Message::binary(message));
        }
        let part = told.part;
        let has = |channel: &&Arc<Channel>| channel.topics.iter().any(|known| known.id == topic);
        let Some(channel) = self.found.channels.iter().find(has) else {
            return self.warn(&format!("channel {topic} has just gone"));
        };
        let feed = self
            .feeds
            .entry(channel.name.clone())
            .or_insert_with(|| Feed::new(Arc::clone(channel)));
        feed.add(id, part);
        Ok(())
    }

    /// Sends the newest values to whoever is ready for them.
    fn send_new(&mut self) -> Result<(), Over> {
        let catalogue = self.catalogue;
        let names: Vec<String> = self.feeds.keys().cloned().collect();
        for name in names {
            let Some(feed) = self.feeds.get_mut(&name) else { continue };
            if !feed.is_received {
                continue;
            }
            match feed.look(catalogue) {
                Looked::Nothing => {}
                Looked::Wrong(what) => self.say(protocol::status(Level::Error, &what))?,
                Looked::Value(messages) => {
                    feed.is_received = false;
                    let mark = feed.mark();
                    for message in messages {
                        self.send(Message::binary(message))?;
                    }
                    self.send(Message::Ping(mark.to_vec().into()))?;
                }
            }
            if self.is_full {
                return Ok(());
            }
        }
        Ok(())
    }

    fn warn(&mut self, what: &str) -> Result<(), Over> {
        self.say(protocol::status(Level::Warning, what))
    }

    fn say(&mut self, text: String) -> Result<(), Over> {
        self.send(Message::text(text))
    }

    /// Sends, or leaves what the socket does not take for later.
    fn send(&mut self, message: Message) -> Result<(), Over> {
        match self.socket.send(message) {
            Ok(()) => Ok(()),
            Err(Error::Io(error)) if is_later(&error) => {
                self.is_full = true;
                Ok(())
            }
            Err(_) => Err(Over),
        }
    }

    /// Whether the socket has taken all that was left.
    fn flush(&mut self) -> Result<bool, Over> {
        match self.socket.flush() {
            Ok(()) => Ok(true),
            Err(Error::Io(error)) if is_later(&error) => Ok(false),
            Err(_) => Err(Over),
        }
    }
}

fn is_later(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
