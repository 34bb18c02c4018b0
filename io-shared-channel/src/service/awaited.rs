//! The answer that a client waits for: it looks who serves while the wait goes on, and says why
//! there is none when the time is over.

use std::time::Duration;

use io_shared_core::slot::{self, Slot};
use io_shared_core::{Error, ErrorKind, Holder, LongWait, Message, Result, clock};

use super::places::Places;
use super::presence::Served;
use super::terms::Types;
use crate::Producer;
use crate::consumer::Awaits;

/// How long a client waits before it looks who serves, and from then on between two looks, in
/// nanoseconds.
const LOOK_EVERY: u64 = 100_000_000;

/// The answer to a client's last question.
pub(super) struct Awaited<'c, Q: Message + ?Sized> {
    places: &'c Places,
    types: &'c Types,
    /// Where the question lies.
    questions: &'c Producer<Q>,
    /// The question's number, which is the answer's tag.
    number: u64,
    /// How long the whole wait may take. `None`: the caller goes on with it after this one.
    timeout: Option<Duration>,
    /// When to look next. 0: the wait has just begun, and the clock was not read yet.
    look_at: u64,
    long: LongWait,
}

impl<'c, Q: Message + ?Sized> Awaited<'c, Q> {
    #[inline]
    pub(super) fn new(
        places: &'c Places,
        types: &'c Types,
        questions: &'c Producer<Q>,
        number: u64,
        timeout: Option<Duration>,
    ) -> Self {
        let (look_at, long) = (0, LongWait::default());
        Self { places, types, questions, number, timeout, look_at, long }
    }

    /// Looks whether the question is still there, and who serves.
    #[cold]
    fn look_around(&self, slot: &Slot<slot::Consumer>, is_long: bool) -> Result<()> {
        self.look_at_question()?;
        let server = server_of(slot)?;
        let served = match server {
            Some(_) => None, // it has this pair, so it has the same types
            None => Served::now(self.places),
        };
        if let Some(served) = &served {
            served.check(self.places, self.types)?;
        }
        if is_long {
            let is_served = server.is_some() || served.is_some();
            tracing::warn!(
                region = self.places.service(),
                server = is_served,
                "{}: has waited for over a second for an answer; {}",
                self.places.service(),
                if is_served { "its server is running" } else { "there is no server now" },
            );
        }
        Ok(())
    }

    /// A server answers no question whose channel somebody has removed: another client may have one
    /// of the same name by then.
    fn look_at_question(&self) -> Result<()> {
        let advise = |error: Error| match error.kind() {
            ErrorKind::Replaced => error.advise("nobody answers its question any more: ask again"),
            _ => error,
        };
        self.questions.check().map_err(advise)
    }

    /// Why there is no answer when the time is over.
    #[cold]
    fn unanswered(&self, slot: &Slot<slot::Consumer>, after: Duration) -> Error {
        if let Err(error) = self.look_at_question() {
            return error;
        }
        let server = match server_of(slot) {
            Err(error) => return error,
            Ok(Some(server)) => server,
            Ok(None) => match Served::now(self.places) {
                None => return self.without_server(slot.last_producer()),
                Some(served) => match served.check(self.places, self.types) {
                    Err(error) => return error,
                    Ok(()) => served.by,
                },
            },
        };
        let waiting_for =
            format!("the answer to question {}; {} is running", self.number, told(&server));
        Error::new(self.places.service(), ErrorKind::Timeout { after, waiting_for })
    }

    #[cold]
    fn without_server(&self, last: Holder) -> Error {
        let advice = match last.pid {
            Some(_) => format!("{} has ended, and there is no other: start it again", told(&last)),
            None => "there is no server: start it".to_owned(),
        };
        Error::new(self.places.service(), ErrorKind::NoProducer { last })
            .advise(advice + ", or give a call more time to wait for one")
    }

    /// The error of a get, in the words of a service.
    #[cold]
    pub(super) fn explain(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Interrupted => Error::new(self.places.service(), ErrorKind::Interrupted),
            ErrorKind::NoProducer { last } => self.without_server(last.clone()),
            _ => error,
        }
    }
}

impl<Q: Message + ?Sized> Awaits for Awaited<'_, Q> {
    const REPORTS: bool = true;

    #[inline]
    fn tag(&self) -> Option<u64> {
        Some(self.number)
    }

    #[inline]
    fn look(&mut self, slot: &Slot<slot::Consumer>) -> Result<()> {
        // At first the answer is only waited for. The first wait ends after a spin and a sleep.
        if self.look_at == 0 {
            self.look_at = 1;
            return Ok(());
        }
        let now = clock::now();
        if self.timeout.is_none() || now < self.look_at {
            return Ok(());
        }
        self.look_at = now.saturating_add(LOOK_EVERY);
        self.look_around(slot, self.long.is_due(now))
    }

    fn too_late(&mut self, slot: &Slot<slot::Consumer>) -> Result<()> {
        match self.timeout {
            Some(timeout) => Err(self.unanswered(slot, timeout)),
            None => self.look_around(slot, false),
        }
    }
}

/// The living producer of a client's answers.
fn server_of(slot: &Slot<slot::Consumer>) -> Result<Option<Holder>> {
    Ok(slot.producer()?.filter(|_| !slot.is_stale()))
}

/// A server, in words.
fn told(server: &Holder) -> String {
    match (server.pid, &server.command) {
        (Some(pid), Some(command)) => {
            format!("its server (process {pid}, {})", command.escape_debug())
        }
        (Some(pid), None) => format!("its server (process {pid})"),
        _ => "its server".to_owned(),
    }
}
