//! One channel that is taken: from when another link gives it until it gives it no more.
//!
//! A thread asks for the channel's description, opens the channel here as its producer, and then
//! asks for values and puts what it is answered, under the same numbers and tags, with stamps of
//! this machine's clock. A small value is put by the thread of Zenoh's that has received it, which
//! saves the time that another takes to wake. How many questions are open says
//! [`credit`](crate::credit).
//!
//! When the thread ends, it gives up the producer's role, so that consumers here see that nobody
//! produces.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use io_shared::ErrorKind;
use zenoh::Wait;
use zenoh::qos::{CongestionControl, Priority};
use zenoh::query::{ConsolidationMode, Reply};
use zenoh::sample::Sample;

use crate::clock::{self, Offset};
use crate::copy::{Copy, Put};
use crate::credit::{Credit, SMALL};
use crate::description::{self, Description};
use crate::figures::Flow;
use crate::key;
use crate::link::{Link, Produces};
use crate::mark::Mark;
use crate::notice::{Once, say};
use crate::remote::Remote;

/// How long after a failure to try again.
const RETRY: Duration = Duration::from_millis(500);
/// How long a question stays open, but for the time that its answer travels. The giver ends it
/// after 5 s, and so does the end of the connection. Zenoh keeps a timer of 800 bytes for each
/// question until this time is over, answered or not, so it is no longer than it has to be.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many bytes of an answer travel per second at the least. A question is given twice the time
/// after one that was too late.
const SLOWEST: u64 = 10_000;
const LONGEST: Duration = Duration::from_secs(3600);
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
    /// One that is too large to be put by the thread that has received it.
    Value(Sample),
    /// The size and the marks of a small one, which was put; or why it was not.
    Put(Result<(u64, Mark), String>),
    /// The giver says why it does not answer.
    Refused(String),
    /// There was no answer in time. One that is on its way is lost.
    Late,
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
        let Some((copy, _produces)) = self.open(&description)? else { return Ok(()) };
        say(&format!("takes {} from {}", self.name, self.remote.host));
        self.said.forget();
        let (channel, host) = (self.name.clone(), self.remote.host.clone());
        let flow = Flow { channel, direction: "from", host };
        let (link, remote) = (self.link.clone(), self.remote.clone());
        let (line, copy) = (description.line, Mutex::new(Some(copy)));
        let taken = Arc::new(Taken { link, remote, flow, line, copy });
        let closes = Closes(&taken);
        let done = self.receive(&description, &taken, events);
        drop(closes);
        let (name, host) = (&self.name, &self.remote.host);
        if done.is_ok() && !self.link.ends() {
            say(&format!("takes {name} from {host} no more: it has no producer there"));
        }
        done
    }

    /// Opens the channel here. Waits while somebody else is its producer. `None`: the taking ends.
    fn open(&mut self, description: &Description) -> Result<Option<(Copy, Produces)>, String> {
        loop {
            if self.ends() {
                return Ok(None);
            }
            // Before the first value, so that its stamp can be translated.
            let Some(offset) = self.remote.offset() else {
                std::thread::park_timeout(Duration::from_millis(5));
                continue;
            };
            let most = self.link.arguments.max_size;
            // Before it has a producer, which is not one whose values are given.
            let produces = Produces::new(&self.link, &self.name);
            match Copy::open(&self.name, description, most) {
                Ok(mut copy) => {
                    copy.say_origin(&self.remote.host, &offset, description)?;
                    return Ok(Some((copy, produces)));
                }
                Err(error) => match error.kind() {
                    ErrorKind::RoleTaken { holder } => {
                        drop(produces);
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
        taken: &Arc<Taken>,
        events: &Receiver<(Round, Event)>,
    ) -> Result<(), String> {
        self.round += 1;
        let mut who = name_of_asker();
        let mut after = taken.seq_in(description.line);
        let mut credit = Credit::new(description.bytes);
        let (mut open, mut said_origin) = (0, None::<Instant>);
        let (mut is_first, mut is_answered, mut patience) = (true, false, PATIENCE);
        loop {
            let Some(offset) = self.remote.offset() else { return Ok(()) };
            if said_origin.is_none_or(|said| said.elapsed() >= ORIGIN_EVERY) {
                said_origin = Some(Instant::now());
                taken.say_origin(&offset, description)?;
            }
            while open < credit.questions(offset.delay * 2) {
                self.ask(taken, &who, is_first.then_some(after), credit.size, patience)?;
                is_first = false;
                open += 1;
            }
            match events.recv_timeout(ORIGIN_EVERY) {
                Ok((_, Event::Stop)) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Ok((round, _)) if round != self.round => {}
                Err(RecvTimeoutError::Timeout) => {}
                Ok((_, Event::Value(sample))) => {
                    (is_answered, patience) = (true, PATIENCE);
                    let mark = mark_of(&sample)?;
                    credit.note(sample.payload().len() as u64, &mark);
                    // The next question is on its way while this value is put.
                    if open <= credit.questions(offset.delay * 2) {
                        self.ask(taken, &who, None, credit.size, patience)?;
                        open += 1;
                    }
                    if mark.line != description.line {
                        return Ok(()); // of a new channel there, which may have another type
                    }
                    taken.put(&sample, &mark)?;
                }
                Ok((_, Event::Put(put))) => {
                    (is_answered, patience) = (true, PATIENCE);
                    let (size, mark) = put?;
                    credit.note(size, &mark);
                    if mark.line != description.line {
                        return Ok(());
                    }
                }
                Ok((_, Event::Refused(why))) => return Err(why),
                // As somebody else, who is sent the newest value again.
                Ok((_, Event::Late)) => {
                    self.round += 1;
                    (open, is_first, patience) = (0, true, (patience * 2).min(LONGEST));
                    (who, after) = (name_of_asker(), taken.seq_in(description.line));
                }
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
    /// Asks for a value. `after`: which number is here already, in the first question.
    fn ask(
        &self,
        taken: &Arc<Taken>,
        who: &str,
        after: Option<u64>,
        size: u64,
        patience: Duration,
    ) -> Result<(), String> {
        let host = key::words_of(&self.link.place.host.replace('/', "_"));
        let mut selector = key::key("value", &[&self.remote.link, &key::of_channel(&self.name)]);
        selector.push_str(&format!("?as={who};host={host}"));
        if let Some(after) = after {
            selector.push_str(&format!(";after={after}"));
        }
        let priority = if size <= SMALL { Priority::InteractiveHigh } else { Priority::Data };
        let get = self.link.session.get(selector).priority(priority).express(true);
        let get = get
            .congestion_control(CongestionControl::Block)
            .timeout(patience + Duration::from_secs(size / SLOWEST));
        let get = get.consolidation(ConsolidationMode::None);
        let (sender, round) = (self.sender.clone(), self.round);
        let question = Question { sender, round, asked: Instant::now() };
        let taken = taken.clone();
        let answered = move |reply: Reply| {
            let event = match reply.into_result() {
                Ok(sample) if sample.payload().len() as u64 <= SMALL => {
                    Event::Put(taken.put_small(&sample))
                }
                Ok(sample) => Event::Value(sample),
                // In Zenoh's words, which are no giver's.
                Err(error) if *error.payload().to_bytes() == *b"Timeout" => Event::Late,
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

/// The channel here, for the threads that put what has come.
#[derive(Debug)]
struct Taken {
    link: Arc<Link>,
    remote: Arc<Remote>,
    flow: Flow,
    /// Tells the channel there from any other that has, or had, its name.
    line: u64,
    /// `None`: the taking has ended. Questions may still be open.
    copy: Mutex<Option<Copy>>,
}

impl Taken {
    fn copy(&self) -> MutexGuard<'_, Option<Copy>> {
        self.copy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest number here, if it is one of that channel there.
    fn seq_in(&self, line: u64) -> u64 {
        self.copy().as_ref().map_or(0, |copy| copy.seq_in(line))
    }

    fn say_origin(&self, offset: &Offset, description: &Description) -> Result<(), String> {
        let say = |copy: &mut Copy| copy.say_origin(&self.remote.host, offset, description);
        self.copy().as_mut().map_or(Ok(()), say)
    }

    /// Puts a value by the thread that has received it. Returns its size and its marks.
    fn put_small(&self, sample: &Sample) -> Result<(u64, Mark), String> {
        let mark = mark_of(sample)?;
        self.put(sample, &mark)?;
        Ok((sample.payload().len() as u64, mark))
    }

    /// Puts a value, unless it is of another channel than the one that was opened here.
    fn put(&self, sample: &Sample, mark: &Mark) -> Result<(), String> {
        if mark.line != self.line {
            return Ok(());
        }
        let now = clock::now();
        let stamp = self.remote.offset().map_or(0, |offset| offset.here(mark.stamp, now));
        let mut copy = self.copy();
        let Some(copy) = &mut *copy else { return Ok(()) };
        match copy.put(sample.payload(), mark, stamp)? {
            Put::Old => {}
            Put::Done { superseded } => {
                let age = (stamp != 0).then(|| (now as u64).saturating_sub(stamp));
                let bytes = sample.payload().len() as u64;
                self.link.figures.note(&self.flow, superseded, bytes, age);
            }
        }
        Ok(())
    }
}

/// Gives up the producer's role when it is dropped, although questions are still open.
struct Closes<'a>(&'a Taken);

impl Drop for Closes<'_> {
    fn drop(&mut self) {
        *self.0.copy() = None;
    }
}

/// What a taking is called where it asks. Each has a name of its own.
fn name_of_asker() -> String {
    format!("{:016x}", fastrand::u64(..))
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
