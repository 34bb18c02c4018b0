//! A client: it puts questions to a channel of its own, and gets their answers from another.
//!
//! The number of a question is its sequence number, and the tag of its answer. A client that takes
//! over the pair of one that was killed goes on with the numbers, so an answer to that one's last
//! question is never taken for its own.

use std::fmt;
use std::time::Duration;

use io_shared_core::message::ListCapacity;
use io_shared_core::slot::Loan;
use io_shared_core::{Error, ErrorKind, Holder, Message, Result, clock};

use super::answer::Answer;
use super::awaited::Awaited;
use super::bell;
use super::places::{MOST_CLIENTS, Places};
use super::presence::Served;
use super::terms::{Terms, Types};
use crate::interrupter::Interrupter;
use crate::{Consumer, Producer};

/// A client of a service. It asks one question at a time. [`Service`](crate::Service) has an
/// example.
#[doc(alias = "rpc")]
pub struct Client<Q: Message + ?Sized, A: Message + ?Sized> {
    places: Places,
    types: Types,
    number: u32,
    /// The number of the last question, or of the last answer if that is greater.
    pub(super) last: u64,
    // In this order: a client that takes this pair meanwhile finds the answers new.
    pub(super) answers: Consumer<A>,
    pub(super) questions: Producer<Q>,
}

/// A pair that a client has taken.
struct Taken<Q: Message + ?Sized, A: Message + ?Sized> {
    questions: Producer<Q>,
    answers: Consumer<A>,
    last: u64,
}

impl<Q: Message + ?Sized, A: Message + ?Sized> Client<Q, A> {
    pub(super) fn open(terms: &Terms) -> Result<Self> {
        let places = Places::new(&terms.name)?;
        let types = terms.types::<Q, A>()?;
        if let Some(served) = Served::now(&places) {
            served.check(&places, &types)?;
        }
        // To ask for a role that another one has takes 20 ms.
        let others = places.sweep()?;
        let client = Self::take_pair(places, types, terms, &others)?;
        // After the pair is there: a server that starts now finds it by itself.
        if Served::now(&client.places).is_some() {
            bell::ring(&client.places, terms);
        }
        Ok(client)
    }

    /// Takes the first pair that nobody has.
    fn take_pair(places: Places, types: Types, terms: &Terms, others: &[u32]) -> Result<Self> {
        let mut refusal = None;
        for number in (1..=MOST_CLIENTS).filter(|number| !others.contains(number)) {
            match Self::try_pair(number, &places, terms) {
                Ok(Some(Taken { questions, answers, last })) => {
                    return Ok(Self { places, types, number, last, answers, questions });
                }
                Ok(None) => {}
                Err(error) if is_taken(&error) => refusal = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(refusal.unwrap_or_else(|| {
            let holders = Vec::new();
            Error::new(places.service(), ErrorKind::NoSlot { holders })
        }))
    }

    /// Takes this pair; `None` if what is there is not a whole one.
    fn try_pair(number: u32, places: &Places, terms: &Terms) -> Result<Option<Taken<Q, A>>> {
        let questions = Producer::<Q>::open(terms.questions_of(number, places))?;
        let mut answers = Consumer::<A>::open(terms.answers_of(number, places))?;
        let answered = answers.latest()?.map(|answer| answer.tag());
        if questions.seq() == 0 && answered.is_some() {
            // Answers to a client whose questions were removed: the numbers of these would be taken
            // for others.
            return Ok(None);
        }
        let last = questions.seq().max(answered.unwrap_or(0));
        Ok(Some(Taken { questions, answers, last }))
    }

    /// Asks, and waits for the answer to exactly this question for at most `timeout`.
    /// [`Duration::MAX`] waits without a limit.
    ///
    /// If there is no server, or it is killed meanwhile, the call waits for one: a server that is
    /// started before the time is over answers it. With
    /// [`.requires_server(true)`](crate::Service::requires_server) it ends once the server is lost.
    /// A call that exceeds a second writes one `tracing` warning.
    ///
    /// # Errors
    /// - [`ErrorKind::Timeout`]: there is a server, and it has not answered.
    /// - [`ErrorKind::NoProducer`]: there is no server.
    /// - [`ErrorKind::Mismatch`]: the server has other types, which it names. A call finds this
    ///   within 100 ms.
    /// - [`ErrorKind::Interrupted`]: an [`interrupter`](Self::interrupter) ended the wait.
    /// - [`ErrorKind::Replaced`]: somebody has removed the channel of the question while it waited.
    ///   The next call makes it anew.
    /// - [`ErrorKind::AlreadyHeld`]: this client keeps as many answers as it
    ///   [holds](crate::Service::holds).
    /// - The errors of [`Producer::put`] and of [`Consumer::get`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use std::time::Duration;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-client-call-{}", std::process::id());
    /// use io_shared::{ErrorKind, Service};
    /// let mut client = Service::<f64, f64>::named(name).client()?;
    /// let error = client.call(&2.5, Duration::from_millis(10)).unwrap_err(); // nobody serves
    /// assert!(matches!(error.kind(), ErrorKind::NoProducer { .. }));
    /// # Ok(()) }
    /// ```
    #[inline]
    pub fn call(&mut self, question: &Q, timeout: Duration) -> Result<Answer<'_, A>> {
        self.ask(question)?;
        self.answer(timeout)
    }

    /// Puts a question, and does not wait: [`answer`](Self::answer) does. Returns the question's
    /// number. A question that waits for its answer is given up for this one.
    ///
    /// # Errors
    /// The errors of [`Producer::put`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use std::time::Duration;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-client-ask-{}", std::process::id());
    /// use io_shared::Service;
    /// # let mut server = Service::<f64, f64>::named(name).server()?;
    /// let mut client = Service::<f64, f64>::named(name).client()?;
    /// client.ask(&2.5)?;
    /// // Something else is done meanwhile.
    /// # server.next()?.answer(&5.0)?;
    /// assert_eq!(*client.answer(Duration::from_secs(1))?, 5.0);
    /// # Ok(()) }
    /// ```
    #[inline]
    pub fn ask(&mut self, question: &Q) -> Result<u64> {
        let mut number = match self.questions.seq() < self.last {
            true => self.questions.put_numbered(question, self.last + 1)?,
            false => self.questions.put(question)?,
        };
        if number <= self.last {
            // Somebody has removed the channel, and this put has created it again.
            number = self.questions.put_numbered(question, self.last + 1)?;
        }
        self.last = number;
        Ok(number)
    }

    /// Waits for the answer to the last question, for at most `timeout`. After an error it may be
    /// called again.
    ///
    /// # Errors
    /// The errors of [`call`](Self::call).
    ///
    /// # Examples
    /// [`ask`](Self::ask) has one.
    #[inline]
    pub fn answer(&mut self, timeout: Duration) -> Result<Answer<'_, A>> {
        self.answer_until(clock::deadline(timeout), timeout, true)
    }

    /// As [`answer`](Self::answer). Not `is_last`: the caller goes on with the wait when this time
    /// is over, and reports a long one.
    #[inline]
    pub(super) fn answer_until(
        &mut self,
        deadline: u64,
        timeout: Duration,
        is_last: bool,
    ) -> Result<Answer<'_, A>> {
        let Self { places, types, last, answers, questions, .. } = self;
        let limit = is_last.then_some(timeout);
        let mut awaited = Awaited::new(places, types, questions, *last, limit);
        match answers.get_for(deadline, timeout, &mut awaited) {
            Ok(answer) => Ok(Answer::new(answer)),
            Err(error) => Err(awaited.explain(error)),
        }
    }

    /// Lends a buffer for a question with `elements` elements in its tail, to be filled in place.
    /// The loan's `put` asks; [`answer`](Self::answer) waits. From the loan on, an answer to the
    /// question before is forgotten. The buffer first contains an older question, or zeros.
    ///
    /// # Errors
    /// The errors of [`Producer::loan_len`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use std::time::Duration;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-client-loan-{}", std::process::id());
    /// use io_shared::Service;
    /// # let mut server = Service::<[f32], f32>::named(name).server()?;
    /// let mut client = Service::<[f32], f32>::named(name).client()?;
    /// let mut cloud = client.loan_len(2)?;
    /// cloud.copy_from_slice(&[1.0, 2.0]);
    /// cloud.put()?;
    /// # let question = server.next()?;
    /// # let sum = question.iter().sum();
    /// # question.answer(&sum)?;
    /// assert_eq!(*client.answer(Duration::from_secs(1))?, 3.0);
    /// # Ok(()) }
    /// ```
    pub fn loan_len(&mut self, elements: usize) -> Result<Loan<'_, Q>> {
        let mut loan = self.questions.loan_len(elements)?;
        loan.numbered(self.last + 1, None)?;
        self.last += 1;
        Ok(loan)
    }

    /// As [`loan_len`](Self::loan_len), for a question whose lists have these many elements.
    ///
    /// # Errors
    /// The errors of [`Producer::loan_lists`].
    pub fn loan_lists(&mut self, sizes: impl ListCapacity<Message = Q>) -> Result<Loan<'_, Q>> {
        let mut loan = self.questions.loan_lists(sizes)?;
        loan.numbered(self.last + 1, None)?;
        self.last += 1;
        Ok(loan)
    }

    /// Who serves this client now; `None` if there is no server, or if it has yet to find this
    /// client.
    ///
    /// # Errors
    /// [`ErrorKind::ForkedHandle`], [`ErrorKind::RoleLost`], [`ErrorKind::System`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-client-server-{}", std::process::id());
    /// use io_shared::Service;
    /// let client = Service::<f64, f64>::named(name).client()?;
    /// assert!(client.server()?.is_none());
    /// # Ok(()) }
    /// ```
    pub fn server(&self) -> Result<Option<Holder>> {
        self.answers.producer()
    }

    /// A handle that ends a wait of this client from another thread or from a signal handler.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use std::time::Duration;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-client-interrupter-{}", std::process::id());
    /// use io_shared::{ErrorKind, Service};
    /// let mut client = Service::<f64, f64>::named(name).client()?;
    /// client.interrupter().interrupt();
    /// let error = client.call(&2.5, Duration::MAX).unwrap_err();
    /// assert_eq!(*error.kind(), ErrorKind::Interrupted);
    /// # Ok(()) }
    /// ```
    pub fn interrupter(&self) -> Interrupter {
        self.answers.interrupter()
    }

    /// The service's name.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = format!("doc-client-name-{}", std::process::id());
    /// let client = io_shared::Service::<f64, f64>::named(&name).client()?;
    /// assert_eq!((client.name(), client.number()), (&*format!("/{name}"), 1));
    /// # Ok(()) }
    /// ```
    pub fn name(&self) -> &str {
        self.places.service()
    }

    /// The number of this client's pair of channels, as in `/segment/1/question`.
    ///
    /// # Examples
    /// [`name`](Self::name) has one.
    pub fn number(&self) -> u32 {
        self.number
    }
}

impl<Q: Message, A: Message + ?Sized> Client<Q, A> {
    /// Lends a buffer for a question of a fixed size, to be filled in place. The loan's `put` asks;
    /// [`answer`](Self::answer) waits. From the loan on, an answer to the question before is
    /// forgotten.
    ///
    /// # Errors
    /// The errors of [`Producer::loan`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use std::time::Duration;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-client-loan-sized-{}", std::process::id());
    /// use io_shared::Service;
    /// # let mut server = Service::<[f64; 3], f64>::named(name).server()?;
    /// let mut client = Service::<[f64; 3], f64>::named(name).client()?;
    /// let mut point = client.loan()?;
    /// *point = [1.0, 2.0, 2.0];
    /// point.put()?;
    /// # server.next()?.answer(&3.0)?;
    /// assert_eq!(*client.answer(Duration::from_secs(1))?, 3.0);
    /// # Ok(()) }
    /// ```
    pub fn loan(&mut self) -> Result<Loan<'_, Q>> {
        let mut loan = self.questions.loan()?;
        loan.numbered(self.last + 1, None)?;
        self.last += 1;
        Ok(loan)
    }
}

/// Whether a pair is another's, so that the next one is to be tried.
fn is_taken(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::RoleTaken { .. }
            | ErrorKind::NoSlot { .. }
            | ErrorKind::Mismatch { .. }
            | ErrorKind::NotOwner
            | ErrorKind::NotARegion { .. }
            | ErrorKind::Corrupt { .. }
            | ErrorKind::Busy { .. }
            | ErrorKind::System { call: "open", .. }
    )
}

impl<Q: Message + ?Sized, A: Message + ?Sized> fmt::Debug for Client<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Client");
        shown.field("name", &self.name()).field("number", &self.number).finish_non_exhaustive()
    }
}
