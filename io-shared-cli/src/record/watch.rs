//! One channel that is observed: until it comes, over its successors, and when it has gone.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use io_shared::inspect::{Newest, Reader};
use io_shared::{Channel, Error, ErrorKind, Location, Observer, Schema};
use io_shared_formats::Marks;

use super::Options;
use super::count::Count;
use super::queue::{Bytes, Queue, Taken};
use super::writer;
use crate::failure::Failure;
use crate::named;

/// How many values before the newest `--every` has kept.
const HISTORY: usize = 14;
/// How often to look for a channel that is not there.
const ABSENT: Duration = Duration::from_millis(50);
/// The shortest and the longest time between two looks.
const LOOKS: [Duration; 2] = [Duration::from_micros(50), Duration::from_millis(10)];
/// From this period on, a value is copied only when its consumers have had time to read it: so much
/// later, a quarter of the period or less.
const SLOW: Duration = Duration::from_millis(20);
const LATER: Duration = Duration::from_millis(25);
/// How often a channel may have been replaced since the last look but one.
const MOST_SUCCESSORS: usize = 16;
/// More buffers than a channel has.
const MOST: u64 = 255;
/// When to say that a channel is waited for.
const SILENT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Watch {
    name: Arc<str>,
    topic: Arc<str>,
    location: Location,
    number: usize,
    every: bool,
    /// Whether a person named it, and not `--all`.
    is_named: bool,
    open: Option<Open>,
    /// What tells the channel from others of its name; one that grows keeps it.
    line: Option<u64>,
    /// The number of the last value that was copied or counted.
    last: u64,
    /// The number of the newest value when this last looked.
    due: u64,
    /// Whether a channel was ever there.
    was_there: bool,
    started: Instant,
    /// Whether it was said why nothing comes, since a value came.
    has_told: bool,
    has_told_bad: bool,
    /// The values that were not there any more when they were looked for.
    pub(super) missed: u64,
    /// When to look again.
    pub(super) look_at: Instant,
    newest: Option<(u64, u64)>,
    period: Duration,
    /// Whether a value was seen that the next look copies.
    has_put_off: bool,
}

/// A channel that is there.
#[derive(Debug)]
struct Open {
    observer: Observer<[u8]>,
    /// What still reads a channel that was removed.
    reader: Reader,
    schema: Arc<Schema>,
}

impl Watch {
    pub(super) fn new(
        name: &str,
        topic: &str,
        number: usize,
        options: &Options,
    ) -> Result<Self, Failure> {
        Ok(Self {
            name: name.into(),
            topic: topic.into(),
            location: named::location(name)?,
            number,
            every: options.every,
            is_named: !options.all,
            open: None,
            line: None,
            last: 0,
            due: 0,
            was_there: false,
            started: Instant::now(),
            has_told: false,
            has_told_bad: false,
            missed: 0,
            look_at: Instant::now(),
            newest: None,
            period: Duration::ZERO,
            has_put_off: false,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Looks for what came since the last look, and copies it: now, or at the next look, when the
    /// consumers that it woke have read it.
    pub(super) fn look(&mut self, queue: &Queue) -> Result<(), Failure> {
        if !self.is_open()? {
            self.look_at = Instant::now() + ABSENT;
        } else if self.puts_off() {
            self.look_at = Instant::now() + LATER.min(self.period / 4);
        } else {
            self.copy(queue);
        }
        Ok(())
    }

    /// Copies what came since the last look, at the end: also from a channel that has grown since,
    /// and from that one's successor. What was there and could not be copied is missed.
    pub(super) fn look_last(&mut self, queue: &Queue) -> Result<(), Failure> {
        for _ in 0..MOST_SUCCESSORS {
            if !self.is_open()? {
                break;
            }
            self.copy(queue);
            if self.open.is_some() {
                self.missed += self.due.saturating_sub(self.last);
                break;
            }
        }
        Ok(())
    }

    fn is_open(&mut self) -> Result<bool, Failure> {
        Ok(self.open.is_some() || self.find()?)
    }

    /// Whether the channel is slow, and its newest value was not seen before.
    fn puts_off(&mut self) -> bool {
        let Some(open) = self.open.as_mut().filter(|_| self.period >= SLOW) else { return false };
        let is_new = open.observer.seq().is_ok_and(|newest| newest != self.last);
        self.has_put_off = is_new && !self.has_put_off;
        self.has_put_off
    }

    fn copy(&mut self, queue: &Queue) {
        if let Err(error) = self.copy_new(queue) {
            match error.kind() {
                ErrorKind::Busy { .. } => {}
                ErrorKind::Replaced => {
                    // What cannot be read any more is missed.
                    let _ = self.copy_rest(queue);
                    self.open = None;
                    // Its successor is there already, if it has one.
                    self.look_at = Instant::now();
                    return;
                }
                ErrorKind::BadValue { .. } => self.pass_bad(&error),
                _ => match self.copy_rest(queue) {
                    // An observer copies no value that is aligned to more than 64; a reader does.
                    Ok(()) if matches!(error.kind(), ErrorKind::Unsupported { .. }) => {}
                    Ok(()) => self.lose(&error),
                    Err(error) => self.lose(&error),
                },
            }
        }
        let part = if self.every { self.period * 3 } else { self.period / 4 };
        let pause = match self.period {
            Duration::ZERO => LOOKS[1],
            _ => part.clamp(LOOKS[0], LOOKS[1]),
        };
        self.look_at = Instant::now() + pause;
    }

    /// Opens the channel. `false`: it is not there.
    fn find(&mut self) -> Result<bool, Failure> {
        let channel = Channel::<[u8]>::at(self.location.clone()).any_schema().reopen(false);
        let channel = channel.open_timeout(Duration::ZERO);
        let channel = if self.every { channel.history(HISTORY) } else { channel };
        // The number first: whoever sees the channel mapped may count on its next value.
        let opened = Reader::open(&self.location).and_then(|reader| {
            let newest = reader.seq()?;
            let mut observer = channel.observer()?;
            Ok((newest.min(observer.seq()?), observer, reader))
        });
        let (newest, observer, reader) = match opened {
            Ok(opened) => opened,
            Err(error) if is_absent(&error) => {
                self.wait_for(&error);
                return Ok(false);
            }
            // A successor that cannot be read, or one of all: the others go on.
            Err(error) if self.was_there || !self.is_named => {
                self.lose(&error);
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        };
        if !reader.is_current() {
            // Replaced since the reader has it, so that the observer may have its successor.
            return Ok(false);
        }
        match self.line.replace(reader.line()) {
            // The newest value is the first one that is recorded.
            None => self.last = newest.saturating_sub(1),
            // Another channel has other values, also if it has come as far.
            Some(line) if line != reader.line() => (self.last, self.newest) = (0, None),
            Some(_) => {}
        }
        self.was_there = true;
        let schema = Arc::new(observer.schema().clone());
        self.open = Some(Open { observer, reader, schema });
        Ok(true)
    }

    /// Copies what there is now. What comes meanwhile is the next look's: where values come faster
    /// than they are copied, other channels are looked at in between, and the end is seen.
    fn copy_new(&mut self, queue: &Queue) -> Result<(), Error> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let newest = open.observer.seq()?;
        self.due = newest;
        if newest == self.last || newest == 0 {
            return Ok(());
        }
        while let Some(open) = &mut self.open {
            let copied = open.observer.since(self.last).next().transpose()?;
            let Some(copied) = copied else { break };
            let marks = Marks { seq: copied.seq(), stamp: copied.stamp(), tag: copied.tag() };
            self.push(queue, marks, Bytes::Copied(copied));
            if self.last >= newest {
                break;
            }
        }
        Ok(())
    }

    /// Copies what still lies in a channel that was removed or replaced, or that an observer does
    /// not copy. The rest is missed.
    fn copy_rest(&mut self, queue: &Queue) -> Result<(), Error> {
        let Some(open) = &self.open else { return Ok(()) };
        let (newest, mut failed) = (open.reader.seq()?, Ok(()));
        for seq in newest.saturating_sub(MOST).max(self.last) + 1..=newest {
            let Some(open) = &self.open else { break };
            let mut bytes = Vec::new();
            match open.reader.copy_of(seq, &mut bytes) {
                Ok(Some(Newest { stamp, tag, .. })) => {
                    self.push(queue, Marks { seq, stamp, tag }, Bytes::Read(bytes));
                }
                Ok(None) => {}
                Err(error) => failed = Err(error),
            }
        }
        self.pass(newest);
        failed
    }

    /// Goes past a value that is none of its type, after those that came before it.
    fn pass_bad(&mut self, error: &Error) {
        let Some(open) = &self.open else { return };
        let lies_there = |seq: &u64| matches!(open.reader.find(*seq), Ok(Some(_)));
        let bad = (self.due.saturating_sub(MOST).max(self.last) + 1..=self.due).find(lies_there);
        self.pass(bad.unwrap_or(self.due));
        if !std::mem::replace(&mut self.has_told_bad, true) {
            let _ = writeln!(std::io::stderr(), "not recorded: {error}");
        }
    }

    /// Counts the values up to this number as missed.
    fn pass(&mut self, seq: u64) {
        if seq > self.last {
            self.missed += seq - self.last;
            self.last = seq;
        }
    }

    /// Hands a value over to be written. Those between it and the last one are missed.
    fn push(&mut self, queue: &Queue, marks: Marks, bytes: Bytes) {
        let Some(open) = &self.open else { return };
        let Marks { seq, stamp, .. } = marks;
        if let Some((before, then)) = self.newest
            && let Some(values) = seq.checked_sub(before).filter(|values| *values > 0)
            && let Some(nanos) = stamp.checked_sub(then)
        {
            self.period = Duration::from_nanos(nanos / values);
        }
        let before = if seq > self.last { self.last } else { 0 };
        self.missed += seq - before - 1;
        (self.last, self.newest) = (seq, Some((seq, stamp)));
        self.has_told = false;
        queue.push(Taken {
            channel: self.number,
            name: self.name.clone(),
            topic: self.topic.clone(),
            schema: open.schema.clone(),
            marks,
            received: writer::now(),
            bytes,
        });
    }

    /// Says once that the channel is not there.
    fn wait_for(&mut self, error: &Error) {
        if self.started.elapsed() < SILENT || self.has_told {
            return;
        }
        self.has_told = true;
        let what = match error.kind() {
            ErrorKind::NotFound if self.was_there => "the channel has gone".to_owned(),
            ErrorKind::NotFound => "there is no channel yet".to_owned(),
            _ => error.to_string(),
        };
        let _ = writeln!(std::io::stderr(), "waiting for {}: {what}", self.name);
    }

    /// Goes on without the channel until it can be opened again.
    fn lose(&mut self, error: &Error) {
        if !std::mem::replace(&mut self.has_told, true) {
            let _ = writeln!(std::io::stderr(), "not recorded: {error}");
        }
        self.open = None;
    }

    /// What is said of the channel at the end.
    pub(super) fn count(&self, done: &writer::Done, lost: &HashMap<usize, u64>) -> Count {
        let written = done.channels.get(&self.number).copied().unwrap_or_default();
        let lost = lost.get(&self.number).copied().unwrap_or(0);
        Count {
            name: self.name.to_string(),
            values: written.values,
            missed: self.missed + lost + written.refused,
            bytes: written.bytes,
            was_there: self.was_there,
        }
    }
}

fn is_absent(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound
            | ErrorKind::Timeout { .. }
            | ErrorKind::Replaced
            | ErrorKind::Busy { .. }
    )
}
