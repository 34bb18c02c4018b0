//! The server: it finds its clients, takes their questions in turn, and answers them.
//!
//! A server has a place in each client's pair of channels, and in two channels of the service: its
//! presence, and the bell. It sleeps on all of these at once. A new client rings the bell. Every
//! 50 ms the server looks which clients have gone, and for some that did not ring.
//!
//! What must stay true: a server keeps nothing that the next one would need. Which questions are
//! answered is in the channels of answers.

use std::fmt;
use std::time::Duration;

use io_shared_core::{Error, ErrorKind, Holder, LongWait, Message, Result, clock, inspect};

use super::bell;
use super::pair::{Pair, Refusal};
use super::places::{Place, Places};
use super::presence::Presence;
use super::question::Question;
use super::terms::Terms;
use crate::any_consumer::AnyConsumer;
use crate::interrupter::Interrupter;
use crate::{Consumer, wait_any};

/// How long a server goes without a look for its clients, in nanoseconds.
const LOOK_EVERY: u64 = 50_000_000;

/// The one server of a service. [`Service`](crate::Service) has an example.
pub struct Server<Q: Message + ?Sized, A: Message + ?Sized> {
    // In this order: a successor finds the clients free.
    pub(super) pairs: Vec<Pair<Q, A>>,
    /// Whose turn it is.
    turn: usize,
    /// In which pair the last spin has found a question.
    found: Option<usize>,
    /// How often it has waited for a question: a ticket is of the last wait.
    pub(super) waits: u64,
    pub(super) bell: Consumer<u64>,
    presence: Presence,
    places: Places,
    terms: Terms,
    names: inspect::Names,
    /// Clients whose pairs cannot be joined: their numbers, and which channels of questions these
    /// are.
    refused: Vec<(u32, (u64, u64))>,
    /// When to look for clients next.
    look_at: u64,
}

impl<Q: Message + ?Sized, A: Message + ?Sized> Server<Q, A> {
    pub(super) fn open(terms: &Terms) -> Result<Self> {
        let places = Places::new(&terms.name)?;
        let types = terms.types::<Q, A>()?;
        let presence = Presence::take(&places, terms, &types)?;
        let bell = bell::hang_up(&places, terms)?;
        places.sweep()?;
        let mut server = Self {
            pairs: Vec::new(),
            turn: 0,
            found: None,
            waits: 0,
            bell,
            presence,
            places,
            terms: terms.clone(),
            names: inspect::Names::default(),
            refused: Vec::new(),
            look_at: 0,
        };
        server.look(clock::now())?;
        Ok(server)
    }

    /// Waits for a question, of any client. Clients have their turns.
    ///
    /// At its start a server is given the questions that wait: of each client the last one, if it
    /// has no answer. A wait that exceeds a second writes one `tracing` warning.
    ///
    /// What is wrong with one client's channels or questions is a `tracing` warning, and never an
    /// error here.
    ///
    /// # Errors
    /// - [`ErrorKind::Interrupted`]: an [`interrupter`](Self::interrupter) ended the wait.
    /// - [`ErrorKind::RoleTaken`]: somebody has removed the service's channel `server`, and another
    ///   server has started.
    /// - [`ErrorKind::ForkedHandle`], [`ErrorKind::NoMemory`], [`ErrorKind::System`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use std::time::Duration;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-server-next-{}", std::process::id());
    /// use io_shared::Service;
    /// let mut server = Service::<f64, f64>::named(name).server()?;
    /// # let mut client = Service::<f64, f64>::named(name).client()?;
    /// # client.ask(&2.5)?;
    /// loop {
    ///     let question = server.next()?;
    ///     let answer = *question * 2.0;
    ///     question.answer(&answer)?;
    /// #   break;
    /// }
    /// # assert_eq!(*client.answer(Duration::from_secs(1))?, 5.0);
    /// # Ok(()) }
    /// ```
    #[allow(clippy::should_implement_trait, reason = "a question borrows the server")]
    #[doc(alias = "recv")]
    #[inline]
    pub fn next(&mut self) -> Result<Question<'_, Q, A>> {
        self.next_until(u64::MAX, Duration::MAX)
    }

    /// Like [`next`](Self::next), but waits for at most `timeout`. A timeout of 0 tries once.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`], and the errors of [`next`](Self::next).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use std::time::Duration;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-server-timeout-{}", std::process::id());
    /// use io_shared::{ErrorKind, Service};
    /// let mut server = Service::<f64, f64>::named(name).server()?;
    /// let error = server.next_timeout(Duration::from_millis(10)).unwrap_err(); // nobody asks
    /// assert!(matches!(error.kind(), ErrorKind::Timeout { .. }));
    /// # Ok(()) }
    /// ```
    #[inline]
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<Question<'_, Q, A>> {
        self.next_until(clock::deadline(timeout), timeout)
    }

    #[inline(always)]
    fn next_until(&mut self, deadline: u64, timeout: Duration) -> Result<Question<'_, Q, A>> {
        let at = self.wait(deadline, timeout)?;
        Ok(Question::new(&mut self.pairs[at]))
    }

    /// Waits for a question. Returns which pair has taken it.
    #[inline(always)]
    pub(super) fn wait(&mut self, deadline: u64, timeout: Duration) -> Result<usize> {
        self.waits += 1;
        // The last spin's success counts only now: when it found a question, a client waited for
        // the answer.
        if let Some(found) = self.found.take() {
            self.spun(Some(found));
        }
        // Also if there is always a question: others may wait to be found.
        let now = clock::now_coarse();
        if now >= self.look_at {
            self.look(now)?;
        }
        let mut long = None;
        loop {
            let (at, waited) = self.find(deadline, timeout, &mut long)?;
            self.turn = at + 1;
            match self.pairs[at].take(waited) {
                Ok(true) => return Ok(at),
                // Somebody has removed its channel. A look finds the one that its client makes.
                Ok(false) if self.pairs[at].questions.is_stale() => self.leave(at),
                Ok(false) => {}
                Err(error) => self.not_taken(at, error)?,
            }
        }
    }

    /// Waits until a client may have a question. Returns its pair, and whether there was nothing at
    /// first.
    #[inline(always)]
    fn find(
        &mut self,
        deadline: u64,
        timeout: Duration,
        long: &mut Option<LongWait>,
    ) -> Result<(usize, bool)> {
        loop {
            if let Some(at) = self.ready() {
                return Ok((at, false));
            }
            if let Some(at) = self.spin() {
                return Ok((at, true));
            }
            self.sleep(deadline, timeout, long)?;
        }
    }

    /// The next pair whose turn it is of those that may have a question.
    #[inline]
    fn ready(&self) -> Option<usize> {
        let (before, after) = self.pairs.split_at(self.turn.min(self.pairs.len()));
        let is_ready = |pair: &Pair<Q, A>| pair.is_ready();
        let later = after.iter().position(is_ready).map(|at| before.len() + at);
        later.or_else(|| before.iter().position(is_ready))
    }

    #[cold]
    fn not_taken(&mut self, at: usize, error: Error) -> Result<()> {
        match error.kind() {
            ErrorKind::ForkedHandle
            | ErrorKind::NoMemory { .. }
            | ErrorKind::AlreadyHeld { .. } => return Err(error),
            ErrorKind::BadValue { .. } => {
                tracing::warn!(region = self.name(), "a question was left out: {error}");
            }
            ErrorKind::Busy { .. } => {} // its client asks again and again
            _ => {
                let pair = self.pairs.remove(at);
                let client = pair.client;
                drop(pair); // the descriptors that this frees may be what was lacking
                self.not_joined(client, error.into())?;
            }
        }
        Ok(())
    }

    /// Leaves a pair, and has the next look join it anew if it is still there.
    #[cold]
    fn leave(&mut self, at: usize) {
        self.pairs.remove(at);
        self.names.forget();
    }

    /// Looks at all clients for a while. Returns one that has a question.
    #[inline]
    fn spin(&mut self) -> Option<usize> {
        let pairs = &self.pairs;
        let budget = pairs.iter().map(|pair| pair.questions.budget()).max().unwrap_or(0);
        let looks = budget / pairs.len().clamp(1, u32::MAX as usize) as u32;
        for _ in 0..looks {
            let found = pairs.iter().position(|pair| pair.questions.has_unseen());
            if found.is_some() {
                self.found = found;
                return found;
            }
            std::hint::spin_loop();
        }
        self.spun(None);
        None
    }

    /// Adjusts how long the next spin lasts: this one has found a question there.
    fn spun(&self, found: Option<usize>) {
        for (at, pair) in self.pairs.iter().enumerate() {
            pair.questions.spun(found == Some(at));
        }
    }

    /// Sleeps until a client asks, the bell rings, somebody interrupts, or it is time to look for
    /// clients; or looks for them, if it is.
    #[cold]
    fn sleep(
        &mut self,
        deadline: u64,
        timeout: Duration,
        long: &mut Option<LongWait>,
    ) -> Result<()> {
        let now = clock::now();
        if now >= self.look_at || self.bell.is_ready() {
            self.hear()?;
            self.look(now)?;
            if self.ready().is_some() {
                return Ok(());
            }
        }
        if now >= deadline {
            return Err(self.timed_out(timeout));
        }
        if long.get_or_insert_with(|| LongWait::since(now)).is_due(now) {
            self.report_long_wait();
        }
        let until = deadline.min(self.look_at);
        let questions = self.pairs.iter().map(|pair| &pair.questions as &dyn AnyConsumer);
        let all: Vec<_> = questions.chain([&self.bell as &dyn AnyConsumer]).collect();
        match wait_any::sleep(&all, until) {
            Err(error) if *error.kind() == ErrorKind::Interrupted => {
                Err(Error::new(self.name(), ErrorKind::Interrupted))
            }
            slept => slept,
        }
    }

    /// Takes note of the bell, so that it can ring again.
    fn hear(&mut self) -> Result<()> {
        match self.bell.try_get() {
            Ok(rung) => {
                if rung.is_some() {
                    self.names.forget();
                }
                Ok(())
            }
            Err(error) if *error.kind() == ErrorKind::ForkedHandle => Err(error),
            Err(error) => {
                tracing::debug!(%error, "the bell is out of order");
                Ok(())
            }
        }
    }

    /// Looks which clients have gone and which have come.
    #[cold]
    fn look(&mut self, now: u64) -> Result<()> {
        self.look_at = now.saturating_add(LOOK_EVERY);
        self.presence.keep()?;
        let before = self.pairs.len();
        let mut failed = Ok(());
        self.pairs.retain_mut(|pair| match pair.is_in_use() {
            Ok(is_in_use) => is_in_use,
            Err(error) if *error.kind() == ErrorKind::ForkedHandle => {
                failed = Err(error);
                true
            }
            Err(_) => false, // the next look may find it again
        });
        failed?;
        if self.pairs.len() < before {
            tracing::info!(region = self.name(), clients = self.pairs.len(), "a client has gone");
            self.names.forget();
        }
        let Some(names) = self.names.look()? else { return Ok(()) };
        let places = names.iter().filter_map(|name| self.places.place_of(name));
        let clients: Vec<u32> = places
            .filter_map(|place| match place {
                Place::Question(client) => Some(client),
                _ => None,
            })
            .collect();
        self.refused.retain(|(client, _)| clients.contains(client));
        for client in clients {
            if !self.pairs.iter().any(|pair| pair.client == client) && !self.is_refused(client) {
                self.join(client)?;
            }
        }
        Ok(())
    }

    fn join(&mut self, client: u32) -> Result<()> {
        match Pair::join(client, &self.places, &self.terms) {
            Ok(pair) => {
                self.pairs.push(pair);
                tracing::info!(region = self.name(), client, "a client has come");
            }
            Err(refusal) => return self.not_joined(client, refusal),
        }
        Ok(())
    }

    fn not_joined(&mut self, client: u32, refusal: Refusal) -> Result<()> {
        match refusal {
            Refusal::Gone => {}
            Refusal::Later => self.names.forget(),
            Refusal::Never(error) if *error.kind() == ErrorKind::ForkedHandle => return Err(error),
            Refusal::Never(error) => self.refuse(client, &error),
        }
        Ok(())
    }

    /// Leaves a client alone whose pair this server cannot use.
    #[cold]
    fn refuse(&mut self, client: u32, error: &Error) {
        tracing::warn!(region = self.name(), client, "a client is not served: {error}");
        if let Some(identity) = self.identity(client) {
            self.refused.push((client, identity));
        }
    }

    fn is_refused(&self, client: u32) -> bool {
        let found = self.refused.iter().find(|(refused, _)| *refused == client);
        found.is_some_and(|(_, identity)| self.identity(client) == Some(*identity))
    }

    /// Which channel a client's channel of questions is.
    fn identity(&self, client: u32) -> Option<(u64, u64)> {
        let location = self.places.location(Place::Question(client)).ok()?;
        Some(inspect::entry(&location).ok()?.identity)
    }

    #[cold]
    fn report_long_wait(&self) {
        let (name, clients) = (self.name(), self.pairs.len());
        tracing::warn!(
            region = name,
            clients,
            "{name}: has waited for over a second for a question; it has {clients} clients",
        );
    }

    #[cold]
    fn timed_out(&self, after: Duration) -> Error {
        let waiting_for = match self.pairs.len() {
            0 => "a question; there is no client".to_owned(),
            1 => "a question; there is 1 client".to_owned(),
            clients => format!("a question; there are {clients} clients"),
        };
        Error::new(self.name(), ErrorKind::Timeout { after, waiting_for })
    }

    /// The clients that this server has found, and that are alive.
    ///
    /// # Errors
    /// [`ErrorKind::ForkedHandle`], [`ErrorKind::RoleLost`], [`ErrorKind::System`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-server-clients-{}", std::process::id());
    /// use io_shared::Service;
    /// let client = Service::<f64, f64>::named(name).client()?;
    /// let server = Service::<f64, f64>::named(name).server()?;
    /// assert_eq!(server.clients()?[0].pid, Some(std::process::id()));
    /// # Ok(()) }
    /// ```
    pub fn clients(&self) -> Result<Vec<Holder>> {
        let holders = self.pairs.iter().map(|pair| pair.questions.producer());
        holders.filter_map(Result::transpose).collect()
    }

    /// A handle that ends a wait of this server from another thread or from a signal handler.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-server-interrupter-{}", std::process::id());
    /// use io_shared::{ErrorKind, Service};
    /// let mut server = Service::<f64, f64>::named(name).server()?;
    /// server.interrupter().interrupt();
    /// assert_eq!(*server.next().unwrap_err().kind(), ErrorKind::Interrupted);
    /// # Ok(()) }
    /// ```
    pub fn interrupter(&self) -> Interrupter {
        self.bell.interrupter()
    }

    /// The service's name.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = format!("doc-server-name-{}", std::process::id());
    /// let server = io_shared::Service::<f64, f64>::named(&name).server()?;
    /// assert_eq!(server.name(), format!("/{name}"));
    /// # Ok(()) }
    /// ```
    pub fn name(&self) -> &str {
        self.places.service()
    }
}

impl<Q: Message + ?Sized, A: Message + ?Sized> fmt::Debug for Server<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Server");
        shown
            .field("name", &self.name())
            .field("clients", &self.pairs.len())
            .finish_non_exhaustive()
    }
}
