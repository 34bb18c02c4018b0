//! The side of a service that answers: opening and closing a server, and waiting for questions.
//! `question.rs` has the questions, and the replies to them.

use std::ffi::c_char;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::time::Duration;

use io_shared_channel as channel;
use io_shared_channel::binding;

use crate::call::call;
use crate::guard::in_place;
use crate::lists::Lists;
use crate::memory::{drop_from_c, into_c, text_into_c};
use crate::options::{Given, ios_options, timeout};
use crate::pointer::{In, Out, OutSlice};
use crate::process::ios_process;
use crate::question::{Reply, ios_question};
use crate::served::Server;
use crate::status::ios_status;

/// The one server of a service.
#[derive(Debug)]
pub struct ios_server(Arc<Server>, channel::Interrupter);

/// Opens a service to answer. There is one server at a time: a second one is `IOS_ROLE_TAKEN`,
/// which names the first.
///
/// Of the options there are `name`, `schema` and `answer_schema`, `capacity` and `answer_capacity`
/// as for `ios_client_open`, `mode`, and `wait_for_role`, with which a second server waits for the
/// first one's end.
///
/// # Safety
/// `options` is NULL, or was set by `ios_options_init` and its texts are valid; `server` is NULL or
/// may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_server_open(
    options: *const ios_options,
    server: *mut *mut ios_server,
) -> ios_status {
    call(|arguments| {
        // SAFETY: a handle may be written to `server`; `options` and its texts are valid during the
        // call.
        let (out, options) = unsafe { arguments.read((Out(server, "server"), Given(options))) }?;
        let schemas = [options.schema.clone(), options.answer_schema.clone()];
        let server = options.service(false)?.server()?;
        let (name, interrupter) = (server.name().to_owned(), server.interrupter());
        let lists = schemas.map(|schema| Lists::of(&name, schema.as_ref()?));
        let server = Server::new(server, lists);
        out.set(into_c(ios_server(Arc::new(server), interrupter)));
        Ok(())
    })
}

/// Closes a server. A live reply keeps the role until it is over. NULL is left alone.
///
/// # Safety
/// `server` is NULL, or came from `ios_server_open` and is closed for the first time, while no
/// other thread uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_server_close(server: *mut ios_server) {
    // SAFETY: it came from `ios_server_open`, which made it by `into_c`, and is closed once.
    unsafe { drop_from_c(server) };
}

/// Waits for a question, of any client, for at most `timeout_ns` (negative: for ever). With 0 it
/// only tries: `IOS_EMPTY` if there is none. Clients have their turns. At its start a server is
/// given the questions that wait: of each client the last one, if it has no answer.
///
/// A server has one question at a time: `IOS_ALREADY_HELD` while the reply to the one before is not
/// over, or while that client's question is held.
///
/// ```c
/// ios_question question;
/// while (ios_server_next(server, -1, &question) == IOS_OK) {
///   // read question.value.data
///   ios_reply_answer(question.reply, labels, length);
///   ios_guard_drop(question.value.guard);
/// }
/// ```
///
/// # Safety
/// `server` is NULL or open; `question` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_server_next(
    server: *mut ios_server,
    timeout_ns: i64,
    question: *mut ios_question,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open server is a live handle, which is used through `&` alone; a struct may be
        // written to `question`.
        let (handle, question) =
            unsafe { arguments.read((In(server, "server"), Out(question, "question"))) }?;
        let timeout = timeout(timeout_ns).unwrap_or(Duration::MAX);
        let (guard, ticket) = handle.0.take(timeout)?;
        let (value, client) = (in_place(guard, &handle.0.questions), ticket.client_number());
        let reply = into_c(Reply::new(Arc::clone(&handle.0), ticket).into());
        question.set(ios_question { value, reply, client });
        Ok(())
    })
}

/// Which clients the server has found, of those that are alive: writes the first `capacity` of them
/// to `clients`, and to `count` how many there are, which may be more.
///
/// # Safety
/// `server` is NULL or open; `clients` has space for `capacity` of them (or is NULL, if `capacity`
/// is 0); `count` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_server_clients(
    server: *const ios_server,
    clients: *mut ios_process,
    capacity: usize,
    count: *mut usize,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open server is a live handle, which is used through `&` alone; `clients` has
        // space for `capacity` of them, which are the call's alone; a number may be written to
        // `count`.
        let (handle, clients, count) = unsafe {
            let clients = OutSlice(clients, capacity, "clients");
            arguments.read((In(server, "server"), clients, Out(count, "count")))
        }?;
        let found = handle.0.inner.enter()?.clients()?;
        count.set(found.len());
        for (to, client) in clients.iter_mut().zip(found) {
            *to = MaybeUninit::new(client.into());
        }
        Ok(())
    })
}

/// The service's name. The caller frees the text with `ios_text_free`.
///
/// # Safety
/// `server` is NULL or open; `name` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_server_name(
    server: *const ios_server,
    name: *mut *mut c_char,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open server is a live handle, which is used through `&` alone; a pointer may
        // be written to `name`.
        let (handle, out) = unsafe { arguments.read((In(server, "server"), Out(name, "name"))) }?;
        out.set(text_into_c(handle.0.name()));
        Ok(())
    })
}

/// Ends the server's current wait with `IOS_INTERRUPTED`, or else its next one, as `ios_interrupt`
/// does for a consumer. No question is lost. NULL is left alone.
///
/// # Safety
/// `server` is NULL or open, and is not closed during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_server_interrupt(server: *const ios_server) {
    // Not in a `call`: that would keep the text of a failure, which allocates.
    // SAFETY: an open server is a live handle, which is used through `&` alone.
    if let Some(server) = unsafe { server.as_ref() } {
        server.1.interrupt();
    }
}

/// As `ios_consumer_end_waits_at_signals`, for a server.
///
/// # Safety
/// `server` is NULL or open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_server_end_waits_at_signals(server: *const ios_server) -> ios_status {
    call(|arguments| {
        // SAFETY: an open server is a live handle, which is used through `&` alone.
        let handle = unsafe { arguments.read(In(server, "server")) }?;
        binding::end_server_waits_at_signals(&*handle.0.inner.enter()?);
        Ok(())
    })
}
