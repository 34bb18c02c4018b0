//! Questions that a server took, and the replies to them.

use std::ffi::c_void;
use std::sync::Arc;

use io_shared_channel::binding::{self, Ticket};
use io_shared_core::ErrorKind;

use crate::call::call;
use crate::client::labelled;
use crate::guard::ios_value;
use crate::label::Label;
use crate::lender::{Lender, ios_loan};
use crate::lists::Lists;
use crate::memory::drop_from_c;
use crate::pointer::{In, Out, Slice, Taken};
use crate::process::ios_process;
use crate::served::Server;
use crate::status::{Failure, Outcome, ios_status};

/// A question, which lies in shared memory.
#[derive(Debug)]
#[repr(C)]
pub struct ios_question {
    /// The question, to be read in place until its guard is dropped. Its `seq` is its number: each
    /// client counts its own.
    pub value: ios_value,
    /// The reply to it, which is used once: `ios_reply_answer`, `ios_reply_loan`,
    /// `ios_reply_loan_lists` or `ios_reply_drop`.
    pub reply: *mut ios_reply,
    /// The number of the client's pair of channels, as in `/segment/1/question`.
    pub client: u32,
}

/// The reply to one question.
#[derive(Debug)]
pub struct ios_reply(Reply);

/// A reply, which its handle or its loan owns.
#[derive(Debug)]
pub(crate) struct Reply {
    server: Arc<Server>,
    ticket: Ticket,
}

impl Reply {
    pub(crate) fn new(server: Arc<Server>, ticket: Ticket) -> Self {
        Self { server, ticket }
    }

    /// A loan of `length` bytes, which has the reply from now on.
    fn lend(self, length: usize) -> Outcome<ios_loan> {
        let reply = Arc::new(self);
        let (loan, ()) = ios_loan::of(Arc::<Self>::clone(&reply), length, || {
            reply.server.reply(&reply.ticket, |mut reply| {
                // Dropped without a put, as that of a producer.
                let mut loan = reply.loan_len(length)?;
                binding::clear_checked(&mut loan);
                Ok((loan.as_mut_ptr(), ()))
            })
        })?;
        Ok(loan)
    }
}

impl From<Reply> for ios_reply {
    fn from(reply: Reply) -> Self {
        Self(reply)
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.server.replied();
    }
}

impl Lender for Reply {
    fn name(&self) -> &str {
        self.server.name()
    }

    fn lists(&self) -> Option<&Lists> {
        self.server.answers()
    }

    fn check_label(&self, _: Option<u64>, _: usize) -> Outcome {
        Err(labelled(self.server.name()))
    }

    fn put(&self, data: *mut u8, length: usize, _: Label) -> Outcome<u64> {
        self.server.reply(&self.ticket, |mut reply| {
            let Some(mut loan) = binding::lend_answer_again(&mut reply, length)? else {
                return Ok(0); // nobody waits for it
            };
            // Until the reply is over, the server answers nothing else.
            assert_eq!(loan.as_mut_ptr(), data, "it is the same buffer");
            match loan.put() {
                // Somebody has removed the channel.
                Err(error) if *error.kind() == ErrorKind::Replaced => Ok(0),
                put => Ok(put?),
            }
        })
    }

    /// Nothing: the reply is over when it is dropped.
    fn give_back(&self) {}
}

/// Answers with a copy of the message of `length` bytes at `data`. If the client is gone by now,
/// nothing happens. The reply is over, whatever the status is: after an error the question has no
/// answer. The question may be read until its guard is dropped.
///
/// # Safety
/// `reply` is NULL, or came with an `ios_question` and is used for the first time; `data` points to
/// `length` bytes (or is NULL, if `length` is 0) that nobody changes during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_reply_answer(
    reply: *mut ios_reply,
    data: *const c_void,
    length: usize,
) -> ios_status {
    call(|arguments| {
        // SAFETY: the reply was made by `into_c` and is handed back once; nobody changes the
        // `length` bytes during the call.
        let (reply, answer) = unsafe {
            arguments.read((Taken(reply, "reply"), Slice(data.cast::<u8>(), length, "data")))
        }?;
        reply.0.server.reply(&reply.0.ticket, |reply| Ok(reply.answer(answer)?))
    })
}

/// Lends a buffer of `length` bytes for the answer, as `ios_producer_loan` does; the question may
/// be read while it is filled. `ios_loan_put` answers; `ios_loan_drop` leaves the question without
/// an answer. The reply is over, whatever the status is.
///
/// # Safety
/// `reply` is NULL, or came with an `ios_question` and is used for the first time; `loan` and
/// `data` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_reply_loan(
    reply: *mut ios_reply,
    length: usize,
    loan: *mut *mut ios_loan,
    data: *mut *mut c_void,
) -> ios_status {
    call(|arguments| {
        // SAFETY: the reply was made by `into_c` and is handed back once; pointers may be written
        // to `loan` and `data`.
        let (reply, out_loan, out_data) = unsafe {
            arguments.read((Taken(reply, "reply"), Out(loan, "loan"), Out(data, "data")))
        }?;
        let loan = reply.0.lend(length)?;
        loan.hand_out(out_loan, out_data);
        Ok(())
    })
}

/// As `ios_reply_loan`, for an answer whose lists have these many elements, as
/// `ios_producer_loan_lists` says.
///
/// # Safety
/// `reply` is NULL, or came with an `ios_question` and is used for the first time; `sizes` points
/// to `count` numbers; `loan` and `data` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_reply_loan_lists(
    reply: *mut ios_reply,
    sizes: *const usize,
    count: usize,
    loan: *mut *mut ios_loan,
    data: *mut *mut c_void,
) -> ios_status {
    call(|arguments| {
        // SAFETY: the reply was made by `into_c` and is handed back once; nobody changes the sizes
        // during the call; pointers may be written to `loan` and `data`.
        let (reply, sizes, out_loan, out_data) = unsafe {
            let sizes = Slice(sizes, count, "sizes");
            let (loan, data) = (Out(loan, "loan"), Out(data, "data"));
            arguments.read((Taken(reply, "reply"), sizes, loan, data))
        }?;
        let server = Arc::clone(&reply.0.server);
        let loan = ios_loan::with_lists(server.answers(), sizes, |length| reply.0.lend(length))?;
        loan.hand_out(out_loan, out_data);
        Ok(())
    })
}

/// Who asks: the client's process; `IOS_EMPTY` if it is gone.
///
/// # Safety
/// `reply` is NULL, or came with an `ios_question` and was not used; `client` is NULL or may be
/// written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_reply_client(
    reply: *const ios_reply,
    client: *mut ios_process,
) -> ios_status {
    call(|arguments| {
        // SAFETY: a reply that was not used is live, and is used through `&` alone; a struct may be
        // written to `client`.
        let (reply, out) = unsafe { arguments.read((In(reply, "reply"), Out(client, "client"))) }?;
        let found = reply.0.server.reply(&reply.0.ticket, |reply| Ok(reply.client()?))?;
        out.set(found.ok_or(Failure::Empty)?.into());
        Ok(())
    })
}

/// Leaves a question without an answer: its client waits until its time is over, and a server that
/// is started later answers it if the client still waits. NULL is left alone.
///
/// # Safety
/// `reply` is NULL, or came with an `ios_question` and is used for the first time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_reply_drop(reply: *mut ios_reply) {
    // SAFETY: it came with a question, which made it by `into_c`, and is handed back once.
    unsafe { drop_from_c(reply) };
}
