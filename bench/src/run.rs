//! The one-way ends of a system, and the ping-pong that they play.

use std::hint;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Result, clock};

/// The payload sizes, in bytes.
pub(crate) const PAYLOADS: [usize; 4] = [16, 4096, 1 << 20, 5 << 20];

/// How the receiving side waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Wait {
    /// It polls.
    Poll,
    /// It sleeps, in the system's default way.
    Block,
}

/// From the measuring process to the peer, or from the peer to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Direction {
    There,
    Back,
}

/// One connection, known to both processes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Spec {
    /// Distinguishes this connection from the others of the run.
    pub(crate) label: String,
    pub(crate) direction: Direction,
    /// Bytes of one message.
    pub(crate) payload: usize,
    pub(crate) wait: Wait,
    /// How many receiving ends there may be.
    pub(crate) receivers: usize,
}

impl Spec {
    /// A connection from the measuring process to its peer.
    pub(crate) fn new(label: impl Into<String>, payload: usize, wait: Wait) -> Self {
        Self { label: label.into(), direction: Direction::There, payload, wait, receivers: 1 }
    }

    pub(crate) fn back(&self) -> Self {
        Self { direction: Direction::Back, ..self.clone() }
    }

    /// The payload in words.
    pub(crate) fn words(&self) -> usize {
        self.payload / 8
    }

    /// A name that no other connection of the run has.
    pub(crate) fn name(&self) -> String {
        format!("{}-{}-{:?}-{:?}", self.label, self.payload, self.wait, self.direction)
    }
}

/// The end that messages go into.
pub(crate) trait Outgoing {
    /// Hands over message number `seq`. `touch`: writes the whole payload.
    fn send(&mut self, seq: u64, touch: bool) -> Result<()>;
}

/// The end that messages come out of.
pub(crate) trait Incoming {
    /// Takes message number `seq` if it is there. `touch`: reads the whole payload.
    fn try_receive(&mut self, seq: u64, touch: bool) -> Result<bool>;

    /// Polls until message number `seq` is there, and takes it.
    #[inline]
    fn poll(&mut self, seq: u64, touch: bool) -> Result<()> {
        while !self.try_receive(seq, touch)? {
            hint::spin_loop();
        }
        Ok(())
    }

    /// Sleeps until message number `seq` is there, and takes it.
    fn block(&mut self, seq: u64, touch: bool) -> Result<()>;
}

/// More words than this are written and read in functions of their own. Inlined, where their loops
/// come to lie decides a fifth of the time that 1 MiB takes, from build to build.
const APART: usize = 512;

/// Writes the payload of message `seq`.
#[inline]
pub(crate) fn fill(words: &mut [u64], seq: u64) {
    if words.len() > APART { fill_apart(words, seq) } else { words.fill(seq) }
}

#[inline(never)]
fn fill_apart(words: &mut [u64], seq: u64) {
    words.fill(seq);
}

/// Reads the whole payload of message `seq` and checks it.
#[inline]
pub(crate) fn check(words: &[u64], seq: u64) -> Result<()> {
    let sum = if words.len() > APART { sum_apart(words) } else { sum(words) };
    if sum == seq.wrapping_mul(words.len() as u64) { Ok(()) } else { Err(torn(seq)) }
}

#[inline]
fn sum(words: &[u64]) -> u64 {
    words.iter().fold(0, |sum, word| sum.wrapping_add(*word))
}

#[inline(never)]
fn sum_apart(words: &[u64]) -> u64 {
    sum(words)
}

#[cold]
fn torn(seq: u64) -> Box<dyn std::error::Error> {
    format!("message {seq} is not what was sent").into()
}

/// One run of a ping-pong.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) touch: bool,
    pub(crate) wait: Wait,
    pub(crate) trips: u64,
    /// The number of the first message. Numbers go on from run to run.
    pub(crate) first: u64,
    /// How long the measuring side sleeps before each trip.
    pub(crate) pause: Option<Duration>,
}

/// Both ends of one process.
pub(crate) trait Ends {
    /// The ticks that each round trip took.
    fn ping(&mut self, run: &Run, times: &mut Vec<u64>) -> Result<()>;
    fn pong(&mut self, run: &Run) -> Result<()>;
}

impl<O: Outgoing, I: Incoming> Ends for (O, I) {
    fn ping(&mut self, run: &Run, times: &mut Vec<u64>) -> Result<()> {
        let (out, back) = self;
        let mut before = clock::now();
        for seq in run.first..run.first + run.trips {
            if let Some(pause) = run.pause {
                thread::sleep(pause);
                before = clock::now();
            }
            out.send(seq, run.touch)?;
            receive(back, seq, run)?;
            let now = clock::now();
            times.push(now - before);
            before = now;
        }
        Ok(())
    }

    fn pong(&mut self, run: &Run) -> Result<()> {
        let (back, there) = self;
        for seq in run.first..run.first + run.trips {
            receive(there, seq, run)?;
            back.send(seq, run.touch)?;
        }
        Ok(())
    }
}

#[inline]
fn receive<I: Incoming>(end: &mut I, seq: u64, run: &Run) -> Result<()> {
    match run.wait {
        Wait::Poll => end.poll(seq, run.touch),
        Wait::Block => end.block(seq, run.touch),
    }
}
