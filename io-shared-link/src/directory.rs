//! Who gives what: the tokens of all links, and which of these channels are taken from whom.
//!
//! One thread hears of tokens as they come and go. A channel that `--take` names is taken from the
//! first link that gives it. Another one that gives a channel of the same name is refused, with
//! both hosts named, and steps in when the first one is gone.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use zenoh::Wait;
use zenoh::sample::{Sample, SampleKind};

use crate::key::{self, PROTOCOL, ROOT, Token};
use crate::link::Link;
use crate::notice::say;
use crate::remote::Remote;
use crate::taking::Taking;

/// A token that came or went.
#[derive(Debug)]
struct Event {
    key: String,
    is_there: bool,
}

/// A link that gives a channel.
#[derive(Debug)]
struct Giver {
    link: String,
    host: String,
    /// The place in which the channel's values are produced.
    origin: String,
}

/// What is given and taken now.
#[derive(Debug)]
struct Directory {
    link: Arc<Link>,
    /// Who gives each channel that is asked for, whoever came first first.
    givers: HashMap<String, Vec<Giver>>,
    taken: HashMap<String, (String, Taking)>,
    remotes: HashMap<String, Arc<Remote>>,
}

/// Takes channels until the link ends.
pub(crate) fn start(link: &Arc<Link>) -> Result<(), zenoh::Error> {
    let (sender, events) = channel();
    subscribe(link, sender)?;
    let link = link.clone();
    std::thread::spawn(move || run(link, &events));
    Ok(())
}

fn subscribe(link: &Link, events: Sender<Event>) -> Result<(), zenoh::Error> {
    let heard = move |sample: Sample| {
        let is_there = sample.kind() == SampleKind::Put;
        let _ = events.send(Event { key: sample.key_expr().to_string(), is_there });
    };
    // All protocols: of another one, people are told.
    let all = format!("{ROOT}/*/**");
    let tokens = link.session.liveliness().declare_subscriber(all).history(true);
    tokens.callback(heard).background().wait()
}

fn run(link: Arc<Link>, events: &Receiver<Event>) {
    let (givers, taken, remotes) = (HashMap::new(), HashMap::new(), HashMap::new());
    let mut directory = Directory { link, givers, taken, remotes };
    while let Ok(event) = events.recv() {
        if directory.link.ends() {
            return;
        }
        match Token::of(&event.key) {
            Some(Token::Link { link, host }) => directory.met(&link, &host, event.is_there),
            Some(Token::Other { protocol, host, .. }) if event.is_there => say(&format!(
                "the link on {host} speaks protocol {protocol}, this one protocol {PROTOCOL}: \
                 nothing is given or taken; install the same version on both machines"
            )),
            Some(Token::Give { link, place, host, origin, channel }) => {
                directory.heard(&channel, Giver { link, host, origin }, &place, event.is_there);
            }
            _ => {}
        }
    }
}

impl Directory {
    fn met(&mut self, link: &str, host: &str, is_there: bool) {
        if link == self.link.place.link {
            return;
        }
        match is_there {
            true => say(&format!("connected to {host}")),
            false => {
                self.remotes.remove(link);
                say(&format!("{host} is gone"));
            }
        }
    }

    /// A link gives a channel now, or does so no more.
    fn heard(&mut self, channel: &str, giver: Giver, place: &str, is_there: bool) {
        let own = &self.link.place.id;
        let is_asked = self.link.arguments.take.iter().any(|pattern| pattern.matches(channel));
        // What is produced in this very shared memory is there already, or has come back.
        if !is_asked || place == own || giver.origin == *own {
            return;
        }
        let givers = self.givers.entry(channel.to_owned()).or_default();
        givers.retain(|known| known.link != giver.link);
        let number = giver.link.clone();
        if is_there {
            givers.push(giver);
        }
        match self.taken.get(channel) {
            None => self.take(channel),
            Some((from, _)) if *from == number => {
                // It has ended, or has come back as another one before it was heard to have ended.
                self.taken.remove(channel);
                self.take(channel);
            }
            Some((from, _)) if is_there => self.refuse(channel, &from.clone(), &number),
            Some(_) => {}
        }
    }

    /// Takes a channel from whoever gives it first, if anybody does.
    fn take(&mut self, channel: &str) {
        let Some(giver) = self.givers.get(channel).and_then(|givers| givers.first()) else {
            self.givers.remove(channel);
            return;
        };
        let new = || Remote::new(&self.link, &giver.link, &giver.host);
        let remote = self.remotes.entry(giver.link.clone()).or_insert_with(new).clone();
        let taking = Taking::start(&self.link, &remote, channel);
        self.taken.insert(channel.to_owned(), (giver.link.clone(), taking));
    }

    fn refuse(&mut self, channel: &str, from: &str, second: &str) {
        let Some(givers) = self.givers.get(channel) else { return };
        let giver = |link: &str| givers.iter().find(|giver| giver.link == link);
        let (Some(first), Some(second)) = (giver(from), giver(second)) else { return };
        if first.origin == second.origin {
            return; // the same values on another way
        }
        let why = format!(
            "{channel} is taken from {} and not from {}, which gives it too: one of them has to \
             give it under another name, or stop",
            first.host, second.host
        );
        say(&why);
        let new = || Remote::new(&self.link, &second.link, &second.host);
        let remote = self.remotes.entry(second.link.clone()).or_insert_with(new);
        remote.refuse(&self.link, &format!("{}: {why}", self.link.place.host));
    }
}

/// Says that this link is there, and prints what others tell it.
pub(crate) fn announce(link: &Arc<Link>) -> Result<impl Sized + use<>, zenoh::Error> {
    let place = &link.place;
    let refused = |sample: Sample| {
        if let Ok(why) = sample.payload().try_to_string() {
            say(&format!("refused by {why}"));
        }
    };
    let key = key::key("refused", &[&place.link]);
    link.session.declare_subscriber(key).callback(refused).background().wait()?;
    let host = key::words_of(&place.host.replace('/', "_"));
    let token = key::key("link", &[&place.link, &place.id, &host]);
    link.session.liveliness().declare_token(token).wait()
}
