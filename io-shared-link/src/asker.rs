//! Somebody that asks for a channel's values: a link on another machine, or any peer of Zenoh.
//!
//! A question is answered with the newest value, once there is one that came after the last answer.
//! So there are never more values on their way than questions were asked, and a slow wire or a slow
//! receiver gets fewer values and not older ones. The answer blocks while the wire is full: this
//! thread, and nobody else.
//!
//! One asker's thread is a consumer of the channel while there are questions. It is woken by the
//! producer, and sends a large value from where it lies, which keeps a buffer from the producer
//! until the value is on its way. The threads of others wait for the bell, and copy what is newest.
//!
//! A question says who asks (`as=NAME`), so that several questions of one asker are answered with
//! one value each; on which host (`host=`); and, to begin with, which number the asker has already
//! (`after=`). A question that finds nothing new within some seconds ends without an answer, which
//! tells the asker that the channel lives, and to ask again.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use io_shared::inspect::Reader;
use io_shared::{ErrorKind, Guard, OwnedGuard};
use zenoh::Wait;
use zenoh::bytes::ZBytes;
use zenoh::query::Query;

use crate::clock;
use crate::credit::SMALL;
use crate::figures::Flow;
use crate::given::{Given, Leader, Question, SLICE};
use crate::mark::Mark;
use crate::notice::Once;

/// How long after it came a question ends without a value.
const PATIENCE: Duration = Duration::from_secs(5);
/// When somebody that asks nothing has gone.
const IDLE: Duration = Duration::from_secs(60);

/// Answers the questions of one asker until the channel ends or the asker asks no more.
pub(crate) fn run(given: &Given, who: &str, host: &str, questions: &Receiver<Question>) {
    let host = host.to_owned();
    let flow = Flow { channel: given.name.clone(), direction: "to", host };
    let said = Once::default();
    let mut asker = Asker { given, flow, leader: None, reader: None, last: None, said };
    loop {
        let mut question = questions.recv_timeout(SLICE);
        if matches!(question, Err(RecvTimeoutError::Timeout)) {
            // A consumer that gets nothing would have the producer wait for it.
            asker.leader = None;
            question = questions.recv_timeout(IDLE);
        }
        match question {
            Ok(question) => {
                if !asker.answer(&question) {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                given.askers().remove(who);
                // One that came while it was forgotten is answered yet.
                while let Ok(question) = questions.try_recv() {
                    asker.answer(&question);
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
    leader: Option<Leader<'a>>,
    reader: Option<Reader>,
    /// The number of the last value that was sent. `None`: none was.
    last: Option<u64>,
    said: Once,
}

/// A value to be sent.
struct Value {
    seq: u64,
    stamp: u64,
    tag: u64,
    bytes: Bytes,
}

/// What a wait for a value has found.
enum Found {
    Value(Value),
    Nothing,
    /// No more values come.
    Ended,
}

/// A value where it lies in shared memory.
struct Held(OwnedGuard<[u8]>);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Guard<'_, [u8]>> for Value {
    fn from(value: Guard<'_, [u8]>) -> Self {
        let (seq, stamp, tag) = (value.seq(), value.stamp(), value.tag());
        let bytes = match value.len() as u64 {
            ..=SMALL => Bytes::copy_from_slice(&value),
            _ => Bytes::from_owner(Held(value.into_owned())),
        };
        Self { seq, stamp, tag, bytes }
    }
}

impl Asker<'_> {
    /// Answers a question. Returns whether the channel goes on.
    fn answer(&mut self, (query, came): &Question) -> bool {
        let until = *came + PATIENCE;
        let after = query.parameters().get("after").and_then(|after| after.parse().ok());
        // What it has already is said once, in the first question.
        let last = self.last.or(after).unwrap_or(0);
        self.last = Some(last);
        let found = match self.get(last, until) {
            Some(found) => found,
            None => self.newest(last, until),
        };
        match found {
            Found::Value(value) => self.send(query, value, last),
            Found::Nothing => {} // the question ends without an answer
            Found::Ended => return false,
        }
        true
    }

    /// Gets a value after number `last`, as a consumer. `None`: it is no consumer.
    fn get(&mut self, last: u64, until: Instant) -> Option<Found> {
        if self.leader.is_none() {
            // It may have grown, or all consumers' slots may be taken: values are copied then.
            self.leader = Leader::of(self.given).ok()?;
        }
        let consumer = &mut self.leader.as_mut()?.consumer;
        loop {
            if self.given.news.ended() {
                return Some(Found::Ended);
            }
            let left = until.saturating_duration_since(Instant::now());
            match consumer.get_timeout(left.min(SLICE)) {
                Ok(value) if value.seq() > last => return Some(Found::Value(value.into())),
                Ok(_) => {}
                Err(error) => match error.kind() {
                    ErrorKind::Timeout { .. } => {}
                    // Zenoh has kept the last one.
                    ErrorKind::AlreadyHeld { .. } => return None,
                    _ => {
                        self.leader = None;
                        return None;
                    }
                },
            }
            // After a look: a question may have waited while the wire was full.
            if left.is_zero() {
                return Some(Found::Nothing);
            }
        }
    }

    /// Copies the newest value, once there is one after number `last`.
    fn newest(&mut self, last: u64, until: Instant) -> Found {
        loop {
            let bell = self.given.news.wait(last, until);
            if bell.ended {
                return Found::Ended;
            }
            if bell.seq <= last {
                return Found::Nothing;
            }
            match self.copy() {
                Ok(Some(value)) if value.seq > last => return Found::Value(value),
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
                return Found::Nothing;
            }
        }
    }

    /// Copies the newest value, also of a channel that has grown since the last one.
    fn copy(&mut self) -> io_shared::Result<Option<Value>> {
        let reader = match self.reader.take().filter(Reader::is_current) {
            Some(reader) => reader,
            None => Reader::open(&self.given.location)?,
        };
        let reader = self.reader.insert(reader);
        if reader.line() != self.given.line {
            return Ok(None); // its successor: the giving is about to end
        }
        let mut bytes = Vec::new();
        let newest = reader.copy(&mut bytes)?;
        Ok(newest.map(|newest| Value {
            seq: newest.seq,
            stamp: newest.stamp,
            tag: newest.tag,
            bytes: bytes.into(),
        }))
    }

    fn send(&mut self, query: &Query, value: Value, last: u64) {
        let now = clock::now() as u64;
        let Value { seq, stamp, tag, bytes } = value;
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
