//! A question, as a server takes it, and the reply to it.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use io_shared_core::message::ListCapacity;
use io_shared_core::slot::{Loan, OwnedGuard};
use io_shared_core::{ErrorKind, Holder, Message, Result};

use super::pair::Pair;

/// A question, which lies in shared memory and is read in place until it is answered.
///
/// Dropping it leaves it without an answer: its client waits until its time is over, and a server
/// that is started later answers it if the client still waits. Its buffer is free again when it is
/// answered, or when the server takes this client's next question.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # use std::time::Duration;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-question-{}", std::process::id());
/// use io_shared::Service;
/// let mut server = Service::<[f32], f32>::named(name).server()?;
/// # let mut client = Service::<[f32], f32>::named(name).client()?;
/// # client.ask(&[1.0, 2.0])?;
/// let question = server.next()?;
/// let sum = question.iter().sum();
/// question.answer(&sum)?;
/// # assert_eq!(*client.answer(Duration::from_secs(1))?, 3.0);
/// # Ok(()) }
/// ```
#[must_use = "a question waits for its answer"]
pub struct Question<'s, Q: Message + ?Sized, A: Message + ?Sized> {
    /// It has taken the question.
    pair: &'s mut Pair<Q, A>,
}

impl<'s, Q: Message + ?Sized, A: Message + ?Sized> Question<'s, Q, A> {
    /// Of a pair that has taken a question.
    #[inline]
    pub(super) fn new(pair: &'s mut Pair<Q, A>) -> Self {
        Self { pair }
    }

    /// Answers with a copy of `answer`. If the client is gone by now, nothing happens.
    ///
    /// # Errors
    /// After an error the question has no answer: [`ErrorKind::NoSpace`] if there is no room for
    /// it, [`ErrorKind::BadLength`], [`ErrorKind::BadValue`], [`ErrorKind::ForkedHandle`],
    /// [`ErrorKind::NoMemory`], [`ErrorKind::Corrupt`]; [`ErrorKind::TooLarge`] if this process may
    /// not make the channel of answers larger, as it is another user's.
    ///
    /// # Examples
    /// [`Question`] has one.
    #[inline]
    pub fn answer(self, answer: &A) -> Result<()> {
        let number = self.pair.number();
        let answered = Reply { number, pair: &mut *self.pair }.answer(answer);
        self.pair.let_go(); // only now: the client waits for the answer
        answered
    }

    /// The question and the reply apart, so that an answer is filled in place while the question is
    /// read.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use std::time::Duration;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-question-parts-{}", std::process::id());
    /// use io_shared::Service;
    /// let mut server = Service::<[f32], [u32]>::named(name).server()?;
    /// # let mut client = Service::<[f32], [u32]>::named(name).client()?;
    /// # client.ask(&[1.0, 2.0])?;
    /// let (cloud, mut reply) = server.next()?.into_parts();
    /// let mut labels = reply.loan_len(cloud.len())?;
    /// for (label, height) in labels.iter_mut().zip(&*cloud) {
    ///     *label = u32::from(*height > 1.5);
    /// }
    /// labels.put()?;
    /// # assert_eq!(*client.answer(Duration::from_secs(1))?, [0, 1]);
    /// # Ok(()) }
    /// ```
    pub fn into_parts(self) -> (OwnedGuard<Q>, Reply<'s, Q, A>) {
        let guard = self.pair.part_with();
        let number = guard.seq();
        (guard, Reply { number, pair: self.pair })
    }

    /// The question's number. Each client counts its own.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-question-seq-{}", std::process::id());
    /// # use io_shared::Service;
    /// # let mut server = Service::<f64, f64>::named(name).server()?;
    /// # let mut client = Service::<f64, f64>::named(name).client()?;
    /// let asked = client.ask(&2.5)?;
    /// let question = server.next()?;
    /// assert_eq!((question.seq(), question.client_number()), (asked, client.number()));
    /// # Ok(()) }
    /// ```
    pub fn seq(&self) -> u64 {
        self.pair.number()
    }

    /// How long ago the question was put; `None` if that is not known.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-question-age-{}", std::process::id());
    /// # use io_shared::Service;
    /// # let mut server = Service::<f64, f64>::named(name).server()?;
    /// # let mut client = Service::<f64, f64>::named(name).client()?;
    /// # client.ask(&2.5)?;
    /// let question = server.next()?;
    /// if question.age().is_some_and(|age| age.as_secs() > 60) {
    ///     drop(question); // nobody waits for it any more
    /// #   unreachable!();
    /// }
    /// # Ok(()) }
    /// ```
    pub fn age(&self) -> Option<Duration> {
        self.pair.age()
    }

    /// Who asks: the client's process; `None` if it is gone.
    ///
    /// # Errors
    /// [`ErrorKind::ForkedHandle`], [`ErrorKind::RoleLost`], [`ErrorKind::System`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-question-client-{}", std::process::id());
    /// # use io_shared::Service;
    /// # let mut server = Service::<f64, f64>::named(name).server()?;
    /// # let mut client = Service::<f64, f64>::named(name).client()?;
    /// # client.ask(&2.5)?;
    /// let question = server.next()?;
    /// let who = question.client()?.expect("it waits");
    /// assert_eq!(who.pid, Some(std::process::id()));
    /// # Ok(()) }
    /// ```
    pub fn client(&self) -> Result<Option<Holder>> {
        self.pair.questions.producer()
    }

    /// The number of the client's pair of channels, as in `/segment/1/question`.
    ///
    /// # Examples
    /// [`seq`](Self::seq) has one.
    pub fn client_number(&self) -> u32 {
        self.pair.client
    }
}

impl<Q: Message + ?Sized, A: Message + ?Sized> Deref for Question<'_, Q, A> {
    type Target = Q;

    #[inline]
    fn deref(&self) -> &Q {
        self.pair.question()
    }
}

impl<Q: Message + ?Sized, A: Message + ?Sized> fmt::Debug for Question<'_, Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Question");
        shown.field("client", &self.pair.client).field("question", &self.seq()).finish()
    }
}

/// The reply to one question. [`Question::into_parts`] makes it, and has an example.
#[must_use = "a question waits for its answer"]
pub struct Reply<'s, Q: Message + ?Sized, A: Message + ?Sized> {
    pub(super) number: u64,
    pub(super) pair: &'s mut Pair<Q, A>,
}

impl<Q: Message + ?Sized, A: Message + ?Sized> Reply<'_, Q, A> {
    /// Who asks, as [`Question::client`] says it.
    ///
    /// # Errors
    /// The errors of [`Question::client`].
    pub fn client(&self) -> Result<Option<Holder>> {
        self.pair.questions.producer()
    }

    /// Answers with a copy of `answer`, as [`Question::answer`] does.
    ///
    /// # Errors
    /// The errors of [`Question::answer`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use std::time::Duration;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-reply-answer-{}", std::process::id());
    /// # use io_shared::Service;
    /// # let mut server = Service::<[u8], [u8]>::named(name).server()?;
    /// # let mut client = Service::<[u8], [u8]>::named(name).client()?;
    /// # client.ask(b"echo")?;
    /// let (question, reply) = server.next()?.into_parts();
    /// reply.answer(&question)?; // the question lives until it is copied
    /// # assert_eq!(*client.answer(Duration::from_secs(1))?, *b"echo");
    /// # Ok(()) }
    /// ```
    #[inline]
    pub fn answer(self, answer: &A) -> Result<()> {
        if !self.pair.is_current()? {
            return Ok(());
        }
        match self.pair.answers.put_tagged(answer, self.number) {
            // Somebody has removed the channel: the server's next look leaves it.
            Err(error) if *error.kind() == ErrorKind::Replaced => Ok(()),
            put => put.map(drop),
        }
    }

    /// Lends a buffer for an answer with `elements` elements in its tail, to be filled in place.
    /// The loan's `put` answers. The buffer first contains an older answer, or zeros.
    ///
    /// # Errors
    /// The errors of [`Question::answer`], and [`ErrorKind::Replaced`] if somebody has removed the
    /// channel.
    ///
    /// # Examples
    /// [`Question::into_parts`] has one.
    pub fn loan_len(&mut self, elements: usize) -> Result<Loan<'_, A>> {
        self.pair.check_current()?;
        let mut loan = self.pair.answers.loan_len(elements)?;
        loan.tag(self.number);
        Ok(loan)
    }

    /// As [`loan_len`](Self::loan_len), for an answer whose lists have these many elements.
    ///
    /// # Errors
    /// The errors of [`loan_len`](Self::loan_len).
    pub fn loan_lists(&mut self, sizes: impl ListCapacity<Message = A>) -> Result<Loan<'_, A>> {
        self.pair.check_current()?;
        let mut loan = self.pair.answers.loan_lists(sizes)?;
        loan.tag(self.number);
        Ok(loan)
    }
}

impl<Q: Message + ?Sized, A: Message> Reply<'_, Q, A> {
    /// Lends a buffer for an answer of a fixed size, to be filled in place. The loan's `put`
    /// answers.
    ///
    /// # Errors
    /// The errors of [`loan_len`](Self::loan_len).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use std::time::Duration;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-reply-loan-{}", std::process::id());
    /// # use io_shared::Service;
    /// # let mut server = Service::<[f32; 2], [f32; 2]>::named(name).server()?;
    /// # let mut client = Service::<[f32; 2], [f32; 2]>::named(name).client()?;
    /// # client.ask(&[1.0, 2.0])?;
    /// let (question, mut reply) = server.next()?.into_parts();
    /// let mut answer = reply.loan()?;
    /// *answer = question.map(|number| number * 2.0);
    /// answer.put()?;
    /// # assert_eq!(*client.answer(Duration::from_secs(1))?, [2.0, 4.0]);
    /// # Ok(()) }
    /// ```
    pub fn loan(&mut self) -> Result<Loan<'_, A>> {
        self.pair.check_current()?;
        let mut loan = self.pair.answers.loan()?;
        loan.tag(self.number);
        Ok(loan)
    }
}

impl<Q: Message + ?Sized, A: Message + ?Sized> fmt::Debug for Reply<'_, Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Reply");
        shown.field("client", &self.pair.client).field("question", &self.number).finish()
    }
}
