//! One channel that is given, from when it has a producer until it has none.
//!
//! Others ask for its description, and then for values: each question is the credit for one value.
//! A thread for each that asks ([`asker`]) answers with the newest value as soon as
//! there is one that was not answered yet. This thread is a consumer of the channel, so that it is
//! woken for each value, and rings the bell for those threads; they copy what is newest when they
//! have a question, and not what was newest when the bell rang. One of them is a consumer itself.
//! While there is no other, this thread is none, and nobody else is woken.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use io_shared::inspect::{self, Reader};
use io_shared::{Consumer, ErrorKind, Location};
use serde_json::json;
use zenoh::Wait;
use zenoh::query::Query;

use crate::asker;
use crate::given::{Given, News, SLICE, open};
use crate::key;
use crate::link::Link;
use crate::notice::{Once, say};
use crate::origin::origin;

/// How many may ask for one channel at a time.
const MOST_ASKERS: usize = 256;
/// How long to leave a channel alone that cannot be given.
const RETRY: Duration = Duration::from_secs(1);
/// How often to look whether a channel comes from another machine now.
const ORIGIN_EVERY: Duration = Duration::from_secs(1);

/// Hands a question to the thread of whoever asks.
fn ask(given: &Arc<Given>, query: Query) {
    let parameters = query.parameters();
    let who = parameters.get("as").unwrap_or("").to_owned();
    if who.is_empty() || who.len() > 64 {
        let why = "say who asks: ?as=NAME, with a name of at most 64 bytes";
        let _ = query.reply_err(why).wait();
        return;
    }
    let question = (query, Instant::now());
    let mut askers = given.askers();
    let (query, came) = match askers.get(&who) {
        None => question,
        Some(asker) => match asker.send(question) {
            Ok(()) => return,
            Err(unsent) => unsent.0,
        },
    };
    if askers.len() >= MOST_ASKERS {
        drop(askers); // the wire may be full
        let _ = query.reply_err(format!("{MOST_ASKERS} ask for it already")).wait();
        return;
    }
    let host = query.parameters().get("host").and_then(key::text_of);
    let host = host.unwrap_or_else(|| who.clone());
    let (sender, questions) = channel();
    let _ = sender.send((query, came));
    askers.insert(who.clone(), sender);
    drop(askers);
    given.watcher.unpark(); // from the second on, somebody needs the bell
    let given = given.clone();
    std::thread::spawn(move || asker::run(&given, &who, &host, &questions));
}

/// Gives the channel until its producer is gone.
pub(crate) fn run(link: &Arc<Link>, name: &str, location: &Location) {
    let mut said = Once::default();
    while let Err(error) = give(link, name, location) {
        said.say(format!("{name} is not given: {error}"));
        std::thread::park_timeout(RETRY);
        if link.ends() {
            return;
        }
    }
}

fn give(link: &Arc<Link>, name: &str, location: &Location) -> Result<(), String> {
    let failed = |error: io_shared::Error| error.to_string();
    let (reader, consumer) = match open(location) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Replaced) => {
            return Ok(()); // it has gone again
        }
        opened => opened.map_err(failed)?,
    };
    if !consumer.has_producer().map_err(failed)? {
        return Ok(());
    }
    let from = inspect::entry(location).ok().and_then(|entry| origin(&entry));
    let mut via = vec![link.place.id.clone()];
    via.extend(from.into_iter().flat_map(|origin| origin.via));
    let words = key::of_channel(name);
    let own = &link.place.link;
    let given = Arc::new(Given {
        link: link.clone(),
        name: name.to_owned(),
        location: location.clone(),
        key: key::key("value", &[own, &words]),
        schema: reader.schema().clone(),
        line: reader.line(),
        news: News::of(reader.seq().map_err(failed)?),
        askers: Mutex::default(),
        lead: Mutex::default(),
        watcher: std::thread::current(),
    });
    let failed = |error: zenoh::Error| error.to_string();
    let described = {
        let (given, capacity, via) = (given.clone(), consumer.capacity(), via.clone());
        let key = key::key("schema", &[own, &words]);
        let reply = move |query: Query| describe(&given, capacity, &via, &query);
        link.session.declare_queryable(key).callback(reply).wait().map_err(failed)?
    };
    let asked = {
        let (given, key) = (given.clone(), given.key.clone());
        let ask = move |query| ask(&given, query);
        link.session.declare_queryable(key).callback(ask).wait().map_err(failed)?
    };
    // Last of all: whoever sees it asks.
    let place = &link.place;
    let produced_in = via.last().map_or("", |place| place);
    let host = key::words_of(&place.host.replace('/', "_"));
    let token = key::key("give", &[own, &place.id, &host, produced_in, &words]);
    let token = link.session.liveliness().declare_token(token).wait().map_err(failed)?;
    say(&format!("gives {name}"));
    let why = watch(&given, consumer); // from here on a producer of another type can replace it
    given.end();
    let _ = token.undeclare().wait();
    let _ = asked.undeclare().wait();
    let _ = described.undeclare().wait();
    if !link.ends() {
        say(&format!("gives {name} no more: {why}"));
    }
    Ok(())
}

/// Answers who asks what the channel is: with its schema, and more as an attachment.
fn describe(given: &Given, capacity: u64, via: &[String], query: &Query) {
    let newest = Reader::open(&given.location).and_then(|reader| reader.newest());
    let more = json!({
        "host": given.link.place.host,
        "line": format!("{:016x}", given.line),
        "capacity": capacity,
        "bytes": newest.ok().flatten().map(|newest| newest.bytes),
        "via": via,
    });
    let key = query.key_expr().clone();
    // A question with a pattern is answered under the name that it was asked for.
    let key = match key.is_wild() {
        true => key::key("schema", &[&given.link.place.link, &key::of_channel(&given.name)]),
        false => key.to_string(),
    };
    let reply = query.reply(key, given.schema.to_json()).attachment(more.to_string());
    let _ = reply.wait();
}

/// Rings the bell for each value. Returns why no more come.
fn watch(given: &Given, consumer: Consumer<[u8]>) -> String {
    let mut own = Some(consumer);
    let is_named = given.link.arguments.give.iter().any(|give| give.name() == Some(&given.name));
    let mut looked = Instant::now();
    while !given.link.ends() {
        // A link may have become its producer, which a pattern does not mean.
        if !is_named && looked.elapsed() >= ORIGIN_EVERY {
            looked = Instant::now();
            let entry = inspect::entry(&given.location).ok();
            if let Some(origin) = entry.as_ref().and_then(origin) {
                return format!("it comes from {}, and is not named", origin.host);
            }
        }
        if given.has_one_asker_that_leads() {
            own = None;
            std::thread::park_timeout(SLICE);
            continue;
        }
        let consumer = match &mut own {
            Some(consumer) => consumer,
            None => match open_again(given) {
                Ok(consumer) => own.insert(consumer),
                Err(why) => return why,
            },
        };
        match consumer.get_timeout(SLICE) {
            Ok(value) => {
                let seq = value.seq();
                drop(value);
                given.news.ring(seq);
            }
            Err(error) => match error.kind() {
                ErrorKind::Timeout { .. } => {}
                ErrorKind::NoProducer { .. } => return "it has no producer".to_owned(),
                ErrorKind::Replaced => own = None,
                _ => return error.to_string(),
            },
        }
    }
    "the link ends".to_owned()
}

/// Opens the channel once more. One that has grown goes on with its numbers.
fn open_again(given: &Given) -> Result<Consumer<[u8]>, String> {
    match open(&given.location) {
        Ok((reader, consumer)) if reader.line() == given.line => Ok(consumer),
        Ok(_) => Err("it was removed or replaced".to_owned()),
        Err(error) => match error.kind() {
            ErrorKind::NotFound | ErrorKind::Replaced => Err("it was removed".to_owned()),
            _ => Err(error.to_string()),
        },
    }
}
