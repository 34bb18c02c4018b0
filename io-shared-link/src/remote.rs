//! Another link, from which channels are taken: its host, and its clock.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use zenoh::Wait;
use zenoh::qos::{CongestionControl, Priority};
use zenoh::query::ConsolidationMode;

use crate::clock::{self, Clock, Offset, Trip};
use crate::key;
use crate::link::Link;

/// How often the clocks are compared, and how often at first.
const EVERY: Duration = Duration::from_secs(1);
const AT_FIRST: Duration = Duration::from_millis(20);
/// How many trips are made at first.
const FIRST_TRIPS: usize = 8;

/// A link that gives.
#[derive(Debug)]
pub(crate) struct Remote {
    /// Its number.
    pub(crate) link: String,
    pub(crate) host: String,
    clock: Mutex<Clock>,
}

impl Remote {
    /// Starts to compare clocks, for as long as somebody has the result.
    pub(crate) fn new(link: &Arc<Link>, number: &str, host: &str) -> Arc<Self> {
        let (number, host) = (number.to_owned(), host.to_owned());
        let remote = Arc::new(Self { link: number, host, clock: Mutex::default() });
        let (link, weak) = (link.clone(), Arc::downgrade(&remote));
        std::thread::spawn(move || compare(&link, &weak));
        remote
    }

    /// How far its clock is ahead. `None`: that is not known yet.
    pub(crate) fn offset(&self) -> Option<Offset> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner).offset(clock::now())
    }

    /// Tells it what is not taken, and why.
    pub(crate) fn refuse(&self, link: &Link, why: &str) {
        let key = key::key("refused", &[&self.link]);
        let _ = link.session.put(key, why).congestion_control(CongestionControl::Block).wait();
    }
}

fn compare(link: &Link, remote: &Weak<Remote>) {
    let mut trips = 0;
    while let Some(remote) = remote.upgrade() {
        if link.ends() {
            return;
        }
        if let Some(trip) = make_trip(link, &remote.link) {
            remote.clock.lock().unwrap_or_else(PoisonError::into_inner).note(trip);
            trips += 1;
        }
        drop(remote);
        std::thread::sleep(if trips < FIRST_TRIPS { AT_FIRST } else { EVERY });
    }
}

/// Asks for the time there.
fn make_trip(link: &Link, number: &str) -> Option<Trip> {
    let (sender, answers) = channel();
    let sent = clock::now();
    let get = link.session.get(key::key("clock", &[number]));
    let get = get.priority(Priority::RealTime).congestion_control(CongestionControl::Block);
    let get = get.consolidation(ConsolidationMode::None).express(true).timeout(EVERY * 5);
    let answered = move |reply: zenoh::query::Reply| {
        let received = clock::now();
        let there = reply.result().ok().and_then(|sample| {
            let bytes = sample.payload().to_bytes();
            bytes.first_chunk().map(|word| i64::from_le_bytes(*word))
        });
        let _ = sender.send(there.map(|there| Trip { sent, there, received }));
    };
    get.callback(answered).wait().ok()?;
    // Without an answer, the sender is dropped.
    answers.recv().ok().flatten()
}

/// Answers links that ask for the time here.
pub(crate) fn answer(link: &Arc<Link>) -> Result<(), zenoh::Error> {
    let key = key::key("clock", &[&link.place.link]);
    let own = key.clone();
    let tell = move |query: zenoh::query::Query| {
        let reply = query.reply(&own, clock::now().to_le_bytes().to_vec()).express(true);
        let _ = reply.wait();
    };
    link.session.declare_queryable(key).callback(tell).background().wait()
}
