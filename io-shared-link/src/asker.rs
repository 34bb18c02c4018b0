//! Somebody that asks for a channel's values: a link on another machine, or any peer of Zenoh.
//!
//! A question is answered with the newest value, once there is one that came after the last answer.
//! So there are never more values on their way than questions were asked, and a slow wire or a slow
//! receiver gets fewer values and not older ones. The answer blocks while the wire is full: this
//! thread, and nobody else.
//!
//! A question says who asks (`as=NAME`), so that several questions of one asker are answered with
//! one value each; on which host (`host=`); and, to begin with, which number the asker has already
//! (`after=`). A question that finds nothing new within some seconds ends without an answer, which
//! tells the asker that the channel lives, and to ask again.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use io_shared::inspect::{Newest, Reader};
use zenoh::Wait;
use zenoh::bytes::ZBytes;
use zenoh::query::Query;

use crate::clock;
use crate::figures::Flow;
use crate::given::Given;
use crate::mark::Mark;
use crate::notice::Once;

/// How long a question waits for a value.
const PATIENCE: Duration = Duration::from_secs(5);
/// When somebody that asks nothing has gone.
const IDLE: Duration = Duration::from_secs(60);

/// Answers the questions of one asker until the channel ends or the asker asks no more.
pub(crate) fn run(given: &Given, who: &str, host: &str, questions: &Receiver<Query>) {
    let host = host.to_owned();
    let flow = Flow { channel: given.name.clone(), direction: "to", host };
    let mut asker = Asker { given, flow, reader: None, last: None, said: Once::default() };
    loop {
        match questions.recv_timeout(IDLE) {
            Ok(query) => {
                if !asker.answer(&query) {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                given.askers().remove(who);
                // One that came while it was forgotten is answered yet.
                while let Ok(query) = questions.try_recv() {
                    asker.answer(&query);
                }
                return;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

#[derive(Debug)]
struct Asker<'a> {
    given: &'a Given,
    flow: Flow,
    reader: Option<Reader>,
    /// The number of the last value that was sent. `None`: none was.
    last: Option<u64>,
    said: Once,
}

impl Asker<'_> {
    /// Answers a question. Returns whether the channel goes on.
    fn answer(&mut self, query: &Query) -> bool {
        let until = Instant::now() + PATIENCE;
        let after = query.parameters().get("after").and_then(|after| after.parse().ok());
        // What it has already is said once, in the first question.
        let last = self.last.or(after).unwrap_or(0);
        self.last = Some(last);
        loop {
            let bell = self.given.news.wait(last, until);
            if bell.ended {
                return false;
            }
            if bell.seq <= last {
                return true; // nothing new: the question ends without an answer
            }
            let mut bytes = Vec::new();
            match self.copy(&mut bytes) {
                Ok(Some(newest)) if newest.seq > last => {
                    self.send(query, newest, bytes, last);
                    return true;
                }
                // It was lost in a reboot, or the bell rang for one that is being replaced.
                Ok(_) => std::thread::park_timeout(Duration::from_millis(1)),
                Err(error) => {
                    let why = format!("{}: a value was not sent: {error}", self.given.name);
                    self.said.say(why);
                    self.reader = None;
                    std::thread::park_timeout(Duration::from_millis(10));
                }
            }
            if Instant::now() >= until {
                return true;
            }
        }
    }

    /// Copies the newest value, also of a channel that has grown since the last one.
    fn copy(&mut self, bytes: &mut Vec<u8>) -> io_shared::Result<Option<Newest>> {
        let reader = match self.reader.take().filter(Reader::is_current) {
            Some(reader) => reader,
            None => Reader::open(&self.given.location)?,
        };
        let reader = self.reader.insert(reader);
        if reader.line() != self.given.line {
            return Ok(None); // its successor: the giving is about to end
        }
        reader.copy(bytes)
    }

    fn send(&mut self, query: &Query, newest: Newest, bytes: Vec<u8>, last: u64) {
        let now = clock::now() as u64;
        let (seq, stamp, tag) = (newest.seq, newest.stamp, newest.tag);
        let mark = Mark { seq, stamp, tag, sent: now, line: self.given.line };
        let length = bytes.len() as u64;
        let reply = query.reply(&self.given.key, ZBytes::from(bytes));
        let reply = reply.attachment(mark.bytes().to_vec()).express(true);
        match reply.wait() {
            Ok(()) => {
                // The first value supersedes nothing that this asker was to get.
                let superseded = if last == 0 { 0 } else { seq - last - 1 };
                let age = (stamp != 0).then(|| now.saturating_sub(stamp));
                self.given.link.figures.note(&self.flow, superseded, length, age);
                self.said.forget();
            }
            Err(error) => {
                let (name, host) = (&self.given.name, &self.flow.host);
                self.said.say(format!("{name}: a value was not sent to {host}: {error}"));
            }
        }
        self.last = Some(seq);
    }
}
