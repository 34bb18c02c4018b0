//! The side of a service that asks: opening and closing a client, its questions, and the answers.

use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::Duration;

use io_shared_channel as channel;
use io_shared_channel::binding;

use crate::call::call;
use crate::guard::{in_place, ios_value};
use crate::handle::Handle;
use crate::label::Label;
use crate::lender::{Lender, ios_loan};
use crate::lists::Lists;
use crate::memory::{drop_from_c, into_c, text_into_c};
use crate::options::{Given, ios_options, timeout};
use crate::pointer::{In, OptionalOut, Out, Slice};
use crate::process::ios_process;
use crate::producer::already_loaned;
use crate::status::{Failure, Outcome, ios_status};

/// A client of a service: it asks one question at a time.
#[derive(Debug)]
pub struct ios_client(Arc<Client>, channel::Interrupter);

/// A client, which its handle and its loans own together.
#[derive(Debug)]
struct Client {
    inner: Handle<channel::Client<[u8], [u8]>>,
    /// Whether the buffer for its next question is on loan.
    lent: AtomicBool,
    questions: Option<Arc<Lists>>,
    answers: Option<Arc<Lists>>,
}

impl Client {
    fn ask(&self, client: &mut channel::Client<[u8], [u8]>, question: &[u8]) -> Outcome<u64> {
        if self.lent.load(Acquire) {
            return Err(already_loaned(self.inner.name()));
        }
        Ok(client.ask(question)?)
    }

    /// The answer to the last question.
    fn answer(
        &self,
        client: &mut channel::Client<[u8], [u8]>,
        timeout_ns: i64,
    ) -> Outcome<ios_value> {
        let answer = match timeout(timeout_ns) {
            Some(Duration::ZERO) => binding::poll_answer(client, Duration::ZERO)?,
            timeout => Some(client.answer(timeout.unwrap_or(Duration::MAX))?),
        };
        Ok(in_place(answer.ok_or(Failure::Empty)?.into_owned(), &self.answers))
    }

    /// A loan of `length` bytes.
    fn lend(self: &Arc<Self>, length: usize) -> Outcome<ios_loan> {
        // Acquire pairs with the Release of the loan before: its thread has finished with the
        // buffer.
        if self.lent.swap(true, Acquire) {
            return Err(already_loaned(self.inner.name()));
        }
        let (loan, ()) = ios_loan::of(Arc::<Self>::clone(self), length, || {
            let mut client = self.inner.enter()?;
            // Dropped without a put, as that of a producer.
            let mut loan = client.loan_len(length)?;
            binding::clear_checked(&mut loan);
            Ok((loan.as_mut_ptr(), ()))
        })?;
        Ok(loan)
    }
}

impl Lender for Client {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn lists(&self) -> Option<&Lists> {
        self.questions.as_deref()
    }

    fn check_label(&self, _: Option<u64>, _: usize) -> Outcome {
        Err(labelled(self.inner.name()))
    }

    fn put(&self, data: *mut u8, length: usize, _: Label) -> Outcome<u64> {
        let mut client = self.inner.enter()?;
        let mut loan = binding::lend_question_again(&mut client, length)?;
        // While it is on loan, nothing else is asked or lent.
        assert_eq!(loan.as_mut_ptr(), data, "it is the same buffer");
        Ok(loan.put()?)
    }

    fn give_back(&self) {
        self.lent.store(false, Release);
    }
}

/// Why a loan of a service has no label of the caller's.
#[cold]
pub(crate) fn labelled(name: &str) -> Failure {
    let text = format!("{name}: a service numbers and tags its questions and answers itself");
    Failure::Said(ios_status::IOS_UNSUPPORTED, text)
}

/// Opens a service to ask. Takes a pair of channels that nobody uses, or creates one. Does not wait
/// for a server.
///
/// Of the options there are `name`, `schema` and `answer_schema` (the same on both sides, else it
/// is `IOS_MISMATCH`), `capacity` and `answer_capacity` (room ahead of time; the channels become
/// larger when a message does not fit), `holds` (how many answers may be held at once), `mode`, and
/// the flag `IOS_REQUIRES_PRODUCER`.
///
/// # Safety
/// `options` is NULL, or was set by `ios_options_init` and its texts are valid; `client` is NULL or
/// may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_client_open(
    options: *const ios_options,
    client: *mut *mut ios_client,
) -> ios_status {
    call(|arguments| {
        // SAFETY: a handle may be written to `client`; `options` and its texts are valid during the
        // call.
        let (out, options) = unsafe { arguments.read((Out(client, "client"), Given(options))) }?;
        let schemas = [options.schema.clone(), options.answer_schema.clone()];
        let client = options.service(true)?.client()?;
        let (name, interrupter) = (client.name().to_owned(), client.interrupter());
        let [questions, answers] = schemas.map(|schema| Lists::of(&name, schema.as_ref()?));
        let inner = Handle::new(client, &name);
        let client = Client { inner, lent: AtomicBool::new(false), questions, answers };
        out.set(into_c(ios_client(Arc::new(client), interrupter)));
        Ok(())
    })
}

/// Closes a client. Its channels go, unless another client takes them. Live answers stay as they
/// are. NULL is left alone.
///
/// # Safety
/// `client` is NULL, or came from `ios_client_open` and is closed for the first time, while no
/// other thread uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_client_close(client: *mut ios_client) {
    // SAFETY: it came from `ios_client_open`, which made it by `into_c`, and is closed once.
    unsafe { drop_from_c(client) };
}

/// Asks the question of `length` bytes at `data`, and waits for the answer to exactly this question
/// for at most `timeout_ns` (negative: for ever). The answer is held in place, as a value of
/// `ios_consumer_get` is; its `tag` is the question's number.
///
/// If there is no server, or it is killed meanwhile, the call waits for one: a server that is
/// started before the time is over answers it. With `IOS_REQUIRES_PRODUCER` it ends once the server
/// is lost.
///
/// `IOS_TIMEOUT`: there is a server, and it has not answered. `IOS_NO_PRODUCER`: there is none.
/// `IOS_MISMATCH`: the server has other types. With a timeout of 0 it asks, and looks once:
/// `IOS_EMPTY` if the answer is not there; `ios_client_answer` gets it later.
///
/// # Safety
/// `client` is NULL or open; `data` points to `length` bytes (or is NULL, if `length` is 0) that
/// nobody changes during the call; `answer` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_client_call(
    client: *mut ios_client,
    data: *const c_void,
    length: usize,
    timeout_ns: i64,
    answer: *mut ios_value,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open client is a live handle, which is used through `&` alone; nobody changes
        // the `length` bytes during the call; a struct may be written to `answer`.
        let (handle, question, answer) = unsafe {
            let data = Slice(data.cast::<u8>(), length, "data");
            arguments.read((In(client, "client"), data, Out(answer, "answer")))
        }?;
        let mut client = handle.0.inner.enter()?;
        handle.0.ask(&mut client, question)?;
        answer.set(handle.0.answer(&mut client, timeout_ns)?);
        Ok(())
    })
}

/// Puts a question, and does not wait: `ios_client_answer` does. Writes the question's number to
/// `number`, unless that is NULL. A question that waits for its answer is given up for this one.
///
/// # Safety
/// `client` is NULL or open; `data` points to `length` bytes (or is NULL, if `length` is 0) that
/// nobody changes during the call; `number` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_client_ask(
    client: *mut ios_client,
    data: *const c_void,
    length: usize,
    number: *mut u64,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open client is a live handle, which is used through `&` alone; nobody changes
        // the `length` bytes during the call; a number may be written to `number`.
        let (handle, question, number) = unsafe {
            let data = Slice(data.cast::<u8>(), length, "data");
            arguments.read((In(client, "client"), data, OptionalOut(number, "number")))
        }?;
        let mut client = handle.0.inner.enter()?;
        number.set(handle.0.ask(&mut client, question)?);
        Ok(())
    })
}

/// Waits for the answer to the last question, as `ios_client_call` does. After an error it may be
/// called again.
///
/// # Safety
/// `client` is NULL or open; `answer` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_client_answer(
    client: *mut ios_client,
    timeout_ns: i64,
    answer: *mut ios_value,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open client is a live handle, which is used through `&` alone; a struct may be
        // written to `answer`.
        let (handle, answer) =
            unsafe { arguments.read((In(client, "client"), Out(answer, "answer"))) }?;
        let mut client = handle.0.inner.enter()?;
        answer.set(handle.0.answer(&mut client, timeout_ns)?);
        Ok(())
    })
}

/// As `ios_client_answer`, but `IOS_EMPTY` when the time is over: for bindings that wait in slices.
/// `IOS_NO_PRODUCER` is then for clients alone that require a server.
///
/// # Safety
/// As for `ios_client_answer`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_client_poll(
    client: *mut ios_client,
    timeout_ns: i64,
    answer: *mut ios_value,
) -> ios_status {
    call(|arguments| {
        // SAFETY: as in `ios_client_answer`.
        let (handle, answer) =
            unsafe { arguments.read((In(client, "client"), Out(answer, "answer"))) }?;
        let mut client = handle.0.inner.enter()?;
        let timeout = timeout(timeout_ns).unwrap_or(Duration::MAX);
        let found = binding::poll_answer(&mut client, timeout)?.ok_or(Failure::Empty)?;
        answer.set(in_place(found.into_owned(), &handle.0.answers));
        Ok(())
    })
}

/// Lends a buffer of `length` bytes for a question, as `ios_producer_loan` does. `ios_loan_put`
/// asks; `ios_client_answer` waits.
///
/// # Safety
/// `client` is NULL or open; `loan` and `data` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_client_loan(
    client: *mut ios_client,
    length: usize,
    loan: *mut *mut ios_loan,
    data: *mut *mut c_void,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open client is a live handle, which is used through `&` alone; pointers may be
        // written to `loan` and `data`.
        let (handle, out_loan, out_data) = unsafe {
            arguments.read((In(client, "client"), Out(loan, "loan"), Out(data, "data")))
        }?;
        let loan = handle.0.lend(length)?;
        loan.hand_out(out_loan, out_data);
        Ok(())
    })
}

/// As `ios_client_loan`, for a question whose lists have these many elements, as
/// `ios_producer_loan_lists` says.
///
/// # Safety
/// `client` is NULL or open; `sizes` points to `count` numbers; `loan` and `data` are NULL or may
/// be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_client_loan_lists(
    client: *mut ios_client,
    sizes: *const usize,
    count: usize,
    loan: *mut *mut ios_loan,
    data: *mut *mut c_void,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open client is a live handle, which is used through `&` alone; nobody changes
        // the sizes during the call; pointers may be written to `loan` and `data`.
        let (handle, sizes, out_loan, out_data) = unsafe {
            let sizes = Slice(sizes, count, "sizes");
            let (loan, data) = (Out(loan, "loan"), Out(data, "data"));
            arguments.read((In(client, "client"), sizes, loan, data))
        }?;
        let lists = handle.0.lists();
        let loan = ios_loan::with_lists(lists, sizes, |length| handle.0.lend(length))?;
        loan.hand_out(out_loan, out_data);
        Ok(())
    })
}

/// Who serves this client now; `IOS_EMPTY` if there is no server, or if it has yet to find this
/// client.
///
/// # Safety
/// `client` is NULL or open; `server` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_client_server(
    client: *const ios_client,
    server: *mut ios_process,
) -> ios_status {
    // SAFETY: it is what `ask` asks for, of a handle and a struct.
    unsafe {
        ask(client, Out(server, "server"), |client| {
            client.server()?.map(ios_process::from).ok_or(Failure::Empty)
        })
    }
}

/// The number of this client's pair of channels, as in `/segment/1/question`.
///
/// # Safety
/// `client` is NULL or open; `number` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_client_number(
    client: *const ios_client,
    number: *mut u32,
) -> ios_status {
    // SAFETY: it is what `ask` asks for, of a handle and a number.
    unsafe { ask(client, Out(number, "number"), |client| Ok(client.number())) }
}

/// The service's name. The caller frees the text with `ios_text_free`.
///
/// # Safety
/// `client` is NULL or open; `name` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_client_name(
    client: *const ios_client,
    name: *mut *mut c_char,
) -> ios_status {
    // SAFETY: it is what `ask` asks for, of a handle and a pointer.
    unsafe { ask(client, Out(name, "name"), |client| Ok(text_into_c(client.name()))) }
}

/// Ends the client's current wait with `IOS_INTERRUPTED`, or else its next one, as `ios_interrupt`
/// does for a consumer. The question is not given up: `ios_client_answer` waits on. NULL is left
/// alone.
///
/// # Safety
/// `client` is NULL or open, and is not closed during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_client_interrupt(client: *const ios_client) {
    // Not in a `call`: that would keep the text of a failure, which allocates.
    // SAFETY: an open client is a live handle, which is used through `&` alone.
    if let Some(client) = unsafe { client.as_ref() } {
        client.1.interrupt();
    }
}

/// As `ios_consumer_end_waits_at_signals`, for a client.
///
/// # Safety
/// `client` is NULL or open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_client_end_waits_at_signals(client: *const ios_client) -> ios_status {
    call(|arguments| {
        // SAFETY: an open client is a live handle, which is used through `&` alone.
        let handle = unsafe { arguments.read(In(client, "client")) }?;
        binding::end_client_waits_at_signals(&*handle.0.inner.enter()?);
        Ok(())
    })
}

/// Answers a question about the client.
///
/// # Safety
/// `client` is NULL or open; `out` is NULL or may be written to.
unsafe fn ask<A>(
    client: *const ios_client,
    out: Out<A>,
    answer: impl FnOnce(&channel::Client<[u8], [u8]>) -> Outcome<A>,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open client is a live handle, which is used through `&` alone; an answer may
        // be written to `out`.
        let (handle, out) = unsafe { arguments.read((In(client, "client"), out)) }?;
        out.set(answer(&*handle.0.inner.enter()?)?);
        Ok(())
    })
}
