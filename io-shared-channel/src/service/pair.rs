//! A client's pair of channels, as the server has it: it gets questions from one, and puts answers
//! to the other.

use std::time::Duration;

use io_shared_core::slot::{Kept, OwnedGuard, Wanted, Which};
use io_shared_core::{Error, ErrorKind, Message, Result, inspect};

use nix::libc::{EACCES, EPERM};

use super::places::{Place, Places};
use super::terms::Terms;
use crate::{Consumer, Producer};

/// The server's part in one client's pair.
#[derive(Debug)]
pub(super) struct Pair<Q: Message + ?Sized, A: Message + ?Sized> {
    pub(super) client: u32,
    /// The question of the last answer in this pair, by whomever it was given, when this server
    /// joined. Questions up to it are answered.
    answered: u64,
    /// Whether nothing was taken yet. What waits may have been taken by a server that was killed.
    is_new: bool,
    /// The question that the server works on, or has dropped.
    taken: Taken<Q>,
    // In this order: a new client that finds the answers without their questions takes another
    // pair.
    pub(super) questions: Consumer<Q>,
    pub(super) answers: Producer<A>,
}

/// A question that was taken.
#[derive(Debug)]
enum Taken<Q: Message + ?Sized> {
    /// A small one, or none: it lies in the slot of the consumer of questions.
    Kept(Kept),
    Owned(OwnedGuard<Q>),
}

impl<Q: Message + ?Sized> Default for Taken<Q> {
    fn default() -> Self {
        Self::Kept(Kept::default())
    }
}

/// Why a server has not joined a pair.
pub(super) enum Refusal {
    /// There is no client any more.
    Gone,
    /// It may be possible later.
    Later,
    /// It will not be possible with this client.
    Never(Error),
}

impl<Q: Message + ?Sized, A: Message + ?Sized> Pair<Q, A> {
    /// Joins the pair of a living client.
    pub(super) fn join(
        client: u32,
        places: &Places,
        terms: &Terms,
    ) -> std::result::Result<Self, Refusal> {
        let questions = Consumer::<Q>::join(terms.questions_of(client, places))?;
        if !questions.has_producer()? {
            return Err(Refusal::Gone);
        }
        // A channel of answers that somebody removes is left: then the pair is another one.
        let options = terms.answers_of(client, places);
        let answers = Producer::<A>::open(crate::options::Options { reopen: false, ..options })?;
        // Nobody else puts there now.
        let location = places.location(Place::Answer(client))?;
        let last = inspect::Reader::open(&location)?.newest()?;
        let answered = last.map_or(0, |answer| answer.tag);
        Ok(Self { client, answered, is_new: true, taken: Taken::default(), questions, answers })
    }

    /// Whether a look may find a question. Looks at a few words.
    #[inline]
    pub(super) fn is_ready(&self) -> bool {
        self.is_new || self.questions.is_ready()
    }

    /// Takes the question that waits, if there is one that nobody has answered. Returns whether
    /// there was. `waited`: the caller has just looked and found nothing.
    #[inline(always)]
    pub(super) fn take(&mut self, waited: bool) -> Result<bool> {
        self.let_go();
        let answered = self.answered;
        let which = match std::mem::take(&mut self.is_new) {
            true => Which::Current,
            false => Which::Unseen,
        };
        let question = self.questions.try_wanted(Wanted { waited, ..which.into() })?;
        match question {
            Some(question) if question.seq() > answered => {
                self.taken = match question.keep() {
                    Ok(kept) => Taken::Kept(kept),
                    Err(guard) => Taken::Owned(guard.into_owned()),
                };
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Lets go of the question that the server has worked on.
    #[inline]
    pub(super) fn let_go(&mut self) {
        if let Taken::Owned(_) = self.taken
            && let Taken::Owned(question) = std::mem::take(&mut self.taken)
        {
            self.questions.take_back(question);
        }
    }

    /// The question that was taken.
    #[allow(clippy::expect_used, reason = "the slot has not acquired another one since")]
    #[inline]
    pub(super) fn question(&self) -> &Q {
        match &self.taken {
            Taken::Kept(_) => self.questions.kept().expect("it was taken"),
            Taken::Owned(guard) => guard,
        }
    }

    /// Its number.
    #[inline]
    pub(super) fn number(&self) -> u64 {
        match &self.taken {
            Taken::Kept(kept) => kept.seq(),
            Taken::Owned(guard) => guard.seq(),
        }
    }

    /// How long ago it was put.
    pub(super) fn age(&self) -> Option<Duration> {
        match &self.taken {
            Taken::Kept(kept) => self.questions.age_of(*kept),
            Taken::Owned(guard) => guard.age(),
        }
    }

    /// Hands it over.
    #[allow(clippy::expect_used, reason = "the slot has not acquired another one since")]
    pub(super) fn part_with(&mut self) -> OwnedGuard<Q> {
        match std::mem::take(&mut self.taken) {
            Taken::Kept(kept) => self.questions.guard_of(kept).expect("it was taken").into_owned(),
            Taken::Owned(guard) => guard,
        }
    }

    /// Whether the pair is still one of a living client.
    pub(super) fn is_in_use(&mut self) -> Result<bool> {
        if self.answers.check().is_err() {
            return Ok(false);
        }
        // While the client's channel grows, its producer is elsewhere.
        Ok(self.questions.has_producer()? || self.questions.is_succeeded())
    }

    /// Whether the question that this server has taken may still be answered: its client, or the
    /// next one that has this pair, would know the answer for an old one.
    #[inline]
    pub(super) fn is_current(&mut self) -> Result<bool> {
        if self.questions.is_stale() { self.is_followed() } else { Ok(true) }
    }

    /// As [`is_current`](Self::is_current), as an error.
    #[inline]
    pub(super) fn check_current(&mut self) -> Result<()> {
        match self.is_current()? {
            true => Ok(()),
            false => Err(Error::new(self.questions.name(), ErrorKind::Replaced)),
        }
    }

    /// Whether the channel of questions goes on in another one, because it has grown.
    #[cold]
    fn is_followed(&mut self) -> Result<bool> {
        let line = self.questions.line();
        Ok(self.questions.follow()? && self.questions.line() == line)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::Gone,
            // Another one is just leaving, or has been here for longer than is allowed.
            ErrorKind::RoleTaken { .. }
            | ErrorKind::NoSlot { .. }
            | ErrorKind::Busy { .. }
            | ErrorKind::Replaced
            | ErrorKind::NoSpace { .. }
            | ErrorKind::NoMemory { .. } => Self::Later,
            // A lack of permission stays; a lack of descriptors may pass.
            ErrorKind::System { errno, .. } if !matches!(*errno, EACCES | EPERM) => Self::Later,
            _ => Self::Never(error),
        }
    }
}
