//! The service for language bindings: questions and loans that no borrow keeps, and waits in
//! slices.

use std::time::Duration;

use io_shared_core::slot::{Loan, OwnedGuard};
use io_shared_core::{ErrorKind, Message, Result, clock};

use super::answer::Answer;
use super::client::Client;
use super::question::{Question, Reply};
use super::server::Server;

/// A question that was taken by [`take_question`]: what its reply is found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Where its pair is among the server's, until that waits again.
    at: usize,
    /// In which wait of the server it was taken.
    wait: u64,
    /// The question's own number.
    number: u64,
    client: u32,
}

impl Ticket {
    /// The number of the client's pair of channels, as in `/segment/1/question`.
    pub fn client_number(&self) -> u32 {
        self.client
    }
}

/// Waits for a question, as [`Server::next_timeout`] does, and returns it apart from its reply, for
/// which there is [`reply_of`].
///
/// # Errors
/// The errors of [`Server::next_timeout`].
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # use std::time::Duration;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-take-question-{}", std::process::id());
/// use io_shared::{Service, binding};
/// let mut server = Service::<[u8], [u8]>::named(name).server()?;
/// let mut client = Service::<[u8], [u8]>::named(name).client()?;
/// client.ask(b"echo")?;
/// let (question, ticket) = binding::take_question(&mut server, Duration::from_secs(1))?;
/// binding::reply_of(&mut server, &ticket).expect("it is the last one").answer(&question)?;
/// assert_eq!(*client.answer(Duration::from_secs(1))?, *b"echo");
/// # Ok(()) }
/// ```
pub fn take_question<Q: Message + ?Sized, A: Message + ?Sized>(
    server: &mut Server<Q, A>,
    timeout: Duration,
) -> Result<(OwnedGuard<Q>, Ticket)> {
    let at = server.wait(clock::deadline(timeout), timeout)?;
    let (wait, client) = (server.waits, server.pairs[at].client);
    let (question, reply) = Question::new(&mut server.pairs[at]).into_parts();
    Ok((question, Ticket { at, wait, number: reply.number, client }))
}

/// The reply to a question; `None` once the server has waited for another one. [`take_question`]
/// has an example.
pub fn reply_of<'s, Q: Message + ?Sized, A: Message + ?Sized>(
    server: &'s mut Server<Q, A>,
    ticket: &Ticket,
) -> Option<Reply<'s, Q, A>> {
    let is_last = server.waits == ticket.wait;
    let pair = server.pairs.get_mut(ticket.at).filter(|pair| pair.client == ticket.client);
    pair.filter(|_| is_last).map(|pair| Reply { number: ticket.number, pair })
}

/// Lends the buffer of the last loan of an answer again, as
/// [`lend_again`](crate::binding::lend_again) does. `None` if nobody waits for the answer any more.
///
/// # Errors
/// The errors of [`Reply::loan_len`].
pub fn lend_answer_again<'r, Q: Message + ?Sized>(
    reply: &'r mut Reply<'_, Q, [u8]>,
    length: usize,
) -> Result<Option<Loan<'r, [u8]>>> {
    if !reply.pair.is_current()? {
        return Ok(None);
    }
    let mut loan = reply.pair.answers.lend_again(length)?;
    loan.tag(reply.number);
    Ok(Some(loan))
}

/// Lends the buffer of the last loan of a question again, as
/// [`lend_again`](crate::binding::lend_again) does. Nothing was asked since.
///
/// # Errors
/// The errors of [`Client::loan_len`].
pub fn lend_question_again<A: Message + ?Sized>(
    client: &mut Client<[u8], A>,
    length: usize,
) -> Result<Loan<'_, [u8]>> {
    let mut loan = client.questions.lend_again(length)?;
    loan.numbered(client.last, None)?;
    Ok(loan)
}

/// Waits for the answer to the last question, as [`Client::answer`] does, but `None` means that the
/// time is over: for callers that go on waiting. They report long waits themselves.
///
/// # Errors
/// The errors of [`Client::answer`], but no timeout. There is no server
/// ([`NoProducer`](crate::ErrorKind::NoProducer)) only for a client that requires one, and has lost
/// it.
pub fn poll_answer<Q: Message + ?Sized, A: Message + ?Sized>(
    client: &mut Client<Q, A>,
    timeout: Duration,
) -> Result<Option<Answer<'_, A>>> {
    match client.answer_until(clock::deadline(timeout), timeout, false) {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if matches!(error.kind(), ErrorKind::Timeout { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// [`end_waits_at_signals`](crate::binding::end_waits_at_signals), for a client.
pub fn end_client_waits_at_signals<Q: Message + ?Sized, A: Message + ?Sized>(
    client: &Client<Q, A>,
) {
    client.answers.end_waits_at_signals();
}

/// [`end_waits_at_signals`](crate::binding::end_waits_at_signals), for a server.
pub fn end_server_waits_at_signals<Q: Message + ?Sized, A: Message + ?Sized>(
    server: &Server<Q, A>,
) {
    server.bell.end_waits_at_signals();
}
