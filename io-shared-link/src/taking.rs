//! One channel that is taken: from when another link gives it until it gives it no more.
//!
//! A thread asks for the channel's description, opens the channel here as its producer, and then
//! asks for values and puts what it is answered, under the same numbers and tags, with stamps of
//! this machine's clock. How many questions it has open says [`credit`](crate::credit).
//!
//! When the thread ends, it gives up the producer's role, so that consumers here see that nobody
//! produces.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use io_shared::ErrorKind;
use zenoh::Wait;
use zenoh::qos::{CongestionControl, Priority};
use zenoh::query::{ConsolidationMode, Reply};
use zenoh::sample::Sample;

use crate::clock;
use crate::copy::{Copy, Put};
use crate::credit::Credit;
use crate::description::{self, Description};
use crate::figures::Flow;
use crate::key;
use crate::link::Link;
use crate::mark::Mark;
use crate::notice::{Once, say};
use crate::remote::Remote;

/// Values up to this size go before all larger ones.
const SMALL: u64 = 16 << 10;
/// How long after a failure to try again.
const RETRY: Duration = Duration::from_millis(500);
/// How long a question stays open: the giver, or the end of the connection, ends it much earlier.
const FOREVER: Duration = Duration::from_secs(24 * 3600);
/// How often the origin is written down again.
const ORIGIN_EVERY: Duration = Duration::from_millis(500);

/// The handle of the thread. Dropping it ends the taking, and waits for that.
#[derive(Debug)]
pub(crate) struct Taking {
    ends: Arc<AtomicBool>,
    events: Sender<(Round, Event)>,
    thread: Option<JoinHandle<()>>,
}

/// Of which opening of the channel a question was: answers to earlier ones come late.
type Round = u64;

/// What the thread waits for.
#[derive(Debug)]
enum Event {
    Value(Sample),
    /// The giver says why it does not answer.
    Refused(String),
    /// A question that was asked then has ended, after an answer or without.
    Ended {
        asked: Instant,
    },
    Stop,
}

impl Taking {
    pub(crate) fn start(link: &Arc<Link>, remote: &Arc<Remote>, channel_name: &str) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let (sender, events) = channel();
        let taker = Taker {
            link: link.clone(),
            remote: remote.clone(),
            name: channel_name.to_owned(),
            ends: ends.clone(),
            sender: sender.clone(),
            round: 0,
            said: Once::default(),
        };
        let thread = std::thread::spawn(move || taker.run(&events));
        Self { ends, events: sender, thread: Some(thread) }
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        self.ends.store(true, Relaxed);
        let _ = self.events.send((0, Event::Stop));
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join(); // a panic has been printed
        }
    }
}

#[derive(Debug)]
struct Taker {
    link: Arc<Link>,
    remote: Arc<Remote>,
    name: String,
    ends: Arc<AtomicBool>,
    sender: Sender<(Round, Event)>,
    round: Round,
    said: Once,
}

impl Taker {
    fn ends(&self) -> bool {
        self.ends.load(Relaxed) || self.link.ends()
    }

    fn run(mut self, events: &Receiver<(Round, Event)>) {
        while !self.ends() {
            match self.take(events) {
                Ok(()) => {}
                Err(_) if self.ends() => {}
                Err(why) => self.refuse(&why),
            }
            // Not at once: what was refused is refused again.
            if !self.ends() {
                std::thread::park_timeout(RETRY);
            }
        }
    }

    /// Says on both sides why the channel is not taken.
    fn refuse(&mut self, why: &str) {
        let why = why.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        let (name, host) = (&self.name, &self.remote.host);
        if self.said.say(format!("{name} of {host} is not taken: {why}")) {
            let here = &self.link.place.host;
            self.remote.refuse(&self.link, &format!("{here}: {name} is not taken: {why}"));
        }
    }

    /// Takes the channel until it ends, or something goes wrong.
    fn take(&mut self, events: &Receiver<(Round, Event)>) -> Result<(), String> {
        let Some(description) = description::ask(&self.link, &self.remote.link, &self.name) else {
            return Ok(()); // it has gone again
        };
        let most = self.link.arguments.max_size;
        description.check(&self.link.place.id, most)?;
        let Some(mut copy) = self.open(&description)? else { return Ok(()) };
        say(&format!("takes {} from {}", self.name, self.remote.host));
        self.said.forget();
        let done = self.receive(&description, &mut copy, events);
        drop(copy);
        let (name, host) = (&self.name, &self.remote.host);
        if done.is_ok() && !self.link.ends() {
            say(&format!("takes {name} from {host} no more: it has no producer there"));
        }
        done
    }

    /// Opens the channel here. Waits while somebody else is its producer. `None`: the taking ends.
    fn open(&mut self, description: &Description) -> Result<Option<Copy>, String> {
        loop {
            if self.ends() {
                return Ok(None);
            }
            // Before the first value, so that its stamp can be translated.
            if self.remote.offset().is_none() {
                std::thread::park_timeout(Duration::from_millis(5));
                continue;
            }
            let most = self.link.arguments.max_size;
            match Copy::open(&self.name, description, most) {
                Ok(copy) => return Ok(Some(copy)),
                Err(error) => match error.kind() {
                    ErrorKind::RoleTaken { holder } => {
                        let pid = holder.pid.map_or_else(String::new, |pid| format!(" ({pid})"));
                        let who = holder.command.as_deref().unwrap_or("another program");
                        let who = format!("{who}{pid}");
                        self.refuse(&format!(
                            "{who} on {} is its producer, and has precedence until it ends",
                            self.link.place.host
                        ));
                        std::thread::park_timeout(RETRY);
                    }
                    _ => return Err(error.to_string()),
                },
            }
        }
    }

    /// Asks for values and puts them. Returns when the channel, or the taking, ends.
    fn receive(
        &mut self,
        description: &Description,
        copy: &mut Copy,
        events: &Receiver<(Round, Event)>,
    ) -> Result<(), String> {
        self.round += 1;
        let (channel, host) = (self.name.clone(), self.remote.host.clone());
        let flow = Flow { channel, direction: "from", host };
        let who = format!("{:016x}", fastrand::u64(..));
        let after = copy.seq_in(description.line);
        let mut credit = Credit::new(description.bytes);
        let (mut open, mut said_origin) = (0, None::<Instant>);
        let (mut is_first, mut is_answered) = (true, false);
        loop {
            let Some(offset) = self.remote.offset() else { return Ok(()) };
            if said_origin.is_none_or(|said| said.elapsed() >= ORIGIN_EVERY) {
                said_origin = Some(Instant::now());
                copy.say_origin(&self.remote.host, &offset, description)?;
            }
            while open < credit.questions(offset.delay * 2) {
                self.ask(&who, is_first.then_some(after), credit.size)?;
                is_first = false;
                open += 1;
            }
            match events.recv_timeout(ORIGIN_EVERY) {
                Ok((_, Event::Stop)) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Ok((round, _)) if round != self.round => {}
                Err(RecvTimeoutError::Timeout) => {}
                Ok((_, Event::Value(sample))) => {
                    is_answered = true;
                    let mark = mark_of(&sample)?;
                    credit.note(sample.payload().len() as u64, &mark);
                    // The next question is on its way while this value is put.
                    if open <= credit.questions(offset.delay * 2) {
                        self.ask(&who, None, credit.size)?;
                        open += 1;
                    }
                    if mark.line != description.line {
                        return Ok(()); // of a new channel there, which may have another type
                    }
                    self.put(copy, &sample, &mark, &flow)?;
                }
                Ok((_, Event::Refused(why))) => return Err(why),
                Ok((_, Event::Ended { asked })) => {
                    open -= 1;
                    let was_answered = std::mem::take(&mut is_answered);
                    // Without a connection questions end at once; it is heard of in a moment.
                    if !was_answered && asked.elapsed() < RETRY {
                        std::thread::park_timeout(Duration::from_millis(20));
                    }
                }
            }
            if self.ends() {
                return Ok(());
            }
        }
    }
}

impl Taker {
    /// Puts a value.
    fn put(
        &self,
        copy: &mut Copy,
        sample: &Sample,
        mark: &Mark,
        flow: &Flow,
    ) -> Result<(), String> {
        let now = clock::now();
        let stamp = self.remote.offset().map_or(0, |offset| offset.here(mark.stamp, now));
        match copy.put(sample.payload(), mark, stamp)? {
            Put::Old => {}
            Put::Done { superseded } => {
                let age = (stamp != 0).then(|| (now as u64).saturating_sub(stamp));
                let bytes = sample.payload().len() as u64;
                self.link.figures.note(flow, superseded, bytes, age);
            }
        }
        Ok(())
    }

    /// Asks for a value. `after`: which number is here already, in the first question.
    fn ask(&self, who: &str, after: Option<u64>, size: u64) -> Result<(), String> {
        let host = key::words_of(&self.link.place.host.replace('/', "_"));
        let mut selector = key::key("value", &[&self.remote.link, &key::of_channel(&self.name)]);
        selector.push_str(&format!("?as={who};host={host}"));
        if let Some(after) = after {
            selector.push_str(&format!(";after={after}"));
        }
        let priority = if size <= SMALL { Priority::InteractiveHigh } else { Priority::Data };
        let get = self.link.session.get(selector).priority(priority).express(true);
        let get = get.congestion_control(CongestionControl::Block).timeout(FOREVER);
        let get = get.consolidation(ConsolidationMode::None);
        let (sender, round) = (self.sender.clone(), self.round);
        let question = Question { sender, round, asked: Instant::now() };
        let answered = move |reply: Reply| {
            let event = match reply.into_result() {
                Ok(sample) => Event::Value(sample),
                Err(error) => {
                    let why = error.payload().try_to_string();
                    Event::Refused(why.unwrap_or_default().into_owned())
                }
            };
            let _ = question.sender.send((question.round, event));
        };
        get.callback(answered).wait().map_err(|error| format!("cannot ask: {error}"))
    }
}

fn mark_of(sample: &Sample) -> Result<Mark, String> {
    let marks = sample.attachment().map(|marks| marks.to_bytes());
    let mark = marks.and_then(|marks| Mark::of(&marks));
    mark.ok_or_else(|| "a value has no marks; is it the same version there?".to_owned())
}

/// An open question. Zenoh drops it when no answer comes any more.
#[derive(Debug)]
struct Question {
    sender: Sender<(Round, Event)>,
    round: Round,
    asked: Instant,
}

impl Drop for Question {
    fn drop(&mut self) {
        let _ = self.sender.send((self.round, Event::Ended { asked: self.asked }));
    }
}
