//! What the handle of a server and the reply to its last question own together.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::Duration;

use io_shared_channel as channel;
use io_shared_channel::OwnedGuard;
use io_shared_channel::binding::{self, Ticket};
use io_shared_core::ErrorKind;

use crate::handle::Handle;
use crate::lists::Lists;
use crate::status::{Failure, Outcome, ios_status};

/// A server, which its handle and the reply to its last question own together.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) inner: Handle<channel::Server<[u8], [u8]>>,
    /// Whether a question has its reply still. Until then the server takes no other, so a pair of
    /// channels that a loan is of stays.
    asked: AtomicBool,
    pub(crate) questions: Option<Arc<Lists>>,
    answers: Option<Arc<Lists>>,
}

impl Server {
    pub(crate) fn new(
        server: channel::Server<[u8], [u8]>,
        [questions, answers]: [Option<Arc<Lists>>; 2],
    ) -> Self {
        let name = server.name().to_owned();
        let asked = AtomicBool::new(false);
        Self { inner: Handle::new(server, &name), asked, questions, answers }
    }

    /// The service's name, as errors show it.
    pub(crate) fn name(&self) -> &str {
        self.inner.name()
    }

    /// The lists of its answers, if they have any.
    pub(crate) fn answers(&self) -> Option<&Lists> {
        self.answers.as_deref()
    }

    /// Calls `act` with the reply to the question of that ticket, which is the last one.
    pub(crate) fn reply<A>(
        &self,
        ticket: &Ticket,
        act: impl FnOnce(channel::Reply<'_, [u8], [u8]>) -> Outcome<A>,
    ) -> Outcome<A> {
        let mut server = self.inner.enter()?;
        let reply = binding::reply_of(&mut server, ticket);
        act(reply.ok_or_else(|| {
            let text = format!("{}: this question is not the server's last", self.name());
            Failure::Said(ios_status::IOS_PANIC, text)
        })?)
    }

    /// The reply is over.
    pub(crate) fn replied(&self) {
        self.asked.store(false, Release);
    }

    /// Waits for a question.
    pub(crate) fn take(&self, timeout: Duration) -> Outcome<(OwnedGuard<[u8]>, Ticket)> {
        let mut server = self.inner.enter()?;
        // Acquire pairs with the Release of the reply before: its thread has finished with the
        // buffer.
        if self.asked.load(Acquire) {
            return Err(self.still_asked());
        }
        match binding::take_question(&mut server, timeout) {
            Err(error)
                if timeout.is_zero() && matches!(error.kind(), ErrorKind::Timeout { .. }) =>
            {
                Err(Failure::Empty)
            }
            taken => {
                let taken = taken?;
                self.asked.store(true, Release);
                Ok(taken)
            }
        }
    }

    #[cold]
    fn still_asked(&self) -> Failure {
        let text = format!(
            "{}: the question before has no answer yet: call ios_reply_answer, or ios_reply_drop \
             to leave it without one",
            self.name()
        );
        Failure::Said(ios_status::IOS_ALREADY_HELD, text)
    }
}

// The thread that answers need not be the one that took the question.
const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Server>();
};
