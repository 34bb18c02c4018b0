//! The side that gets, and waiting for several consumers at once.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ffi::{c_char, c_void};
use std::os::fd::AsRawFd;
use std::ptr::null_mut;
use std::sync::Arc;
use std::time::Duration;

use io_shared_channel::binding::{self, CopyTarget};
use io_shared_channel::{AnyConsumer, Channel, Consumer, Guard, Interrupter, wait_any};

use crate::call::call;
use crate::guard::{copied, in_place, ios_value};
use crate::handle::Handle;
use crate::lists::Lists;
use crate::memory::{drop_from_c, into_c, text_into_c};
use crate::options::{Given, ios_options, timeout};
use crate::pointer::{CText, In, Out, OutSlice, Slice};
use crate::process::ios_process;
use crate::status::{Failure, Outcome, ios_status};

/// A consumer of a channel, in a slot of its own.
#[derive(Debug)]
pub struct ios_consumer(
    pub(crate) Handle<Consumer<[u8]>>,
    pub(crate) Interrupter,
    /// The lists of its messages. A channel that takes the name has the same type.
    Option<Arc<Lists>>,
);

/// Opens a channel to get. With a schema and a size it creates the channel if it does not exist;
/// otherwise it waits for a producer to create it.
///
/// A consumer may join at any time, also while the producer is putting. It takes a slot. There are
/// 64 slots, or as many as the `consumers` option of the channel's creator says, if that is more.
/// If all are taken, it is `IOS_NO_SLOT`. A consumer reserves one more buffer for each value that
/// it may hold, unless the channel has buffers to spare. If there is no memory for them, it is
/// `IOS_NO_SPACE`, and nobody else is affected.
///
/// # Safety
/// `options` is NULL, or was set by `ios_options_init` and its texts are valid; `consumer` is NULL
/// or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_consumer_open(
    options: *const ios_options,
    consumer: *mut *mut ios_consumer,
) -> ios_status {
    call(|arguments| {
        // SAFETY: a handle may be written to `consumer`; `options` and its texts are valid during
        // the call.
        let (out, options) =
            unsafe { arguments.read((Out(consumer, "consumer"), Given(options))) }?;
        let consumer = options.channel(true)?.consumer()?;
        let (name, interrupter) = (consumer.name().to_owned(), consumer.interrupter());
        let lists = Lists::of(&name, consumer.schema());
        out.set(into_c(ios_consumer(Handle::new(consumer, &name), interrupter, lists)));
        Ok(())
    })
}

/// Closes a consumer. Its slot becomes free when its last guard is dropped. NULL is left alone.
///
/// # Safety
/// `consumer` is NULL, or came from `ios_consumer_open` and is closed for the first time, while no
/// other thread uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_consumer_close(consumer: *mut ios_consumer) {
    // SAFETY: it came from `ios_consumer_open`, which made it by `into_c`, and is closed once.
    unsafe { drop_from_c(consumer) };
}

/// Waits for a value that this consumer has not seen yet, for at most `timeout_ns` (negative: for
/// ever), and holds the value in place, without a copy. With a timeout of 0 it only tries:
/// `IOS_EMPTY` if there is none.
///
/// A consumer holds as many values at once as its `holds` option says: one, unless it was opened
/// with more. Getting one more is `IOS_ALREADY_HELD`.
///
/// # Safety
/// `consumer` is NULL or open; `value` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_consumer_get(
    consumer: *mut ios_consumer,
    timeout_ns: i64,
    value: *mut ios_value,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open consumer is a live handle, which is used through `&` alone; a struct may
        // be written to `value`.
        let (handle, value) =
            unsafe { arguments.read((In(consumer, "consumer"), Out(value, "value"))) }?;
        let mut consumer = handle.0.enter()?;
        value.set(in_place(get(&mut consumer, timeout_ns)?.into_owned(), &handle.2));
        Ok(())
    })
}

/// The arguments that gets have in common when their messages differ only in the data. It is for
/// callers that pay for each argument of a call, such as Python.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct ios_gets {
    /// The consumer.
    pub consumer: *mut ios_consumer,
    /// How long it waits, as in `ios_consumer_get`.
    pub timeout_ns: i64,
    /// The bytes before the data, or NULL if there are none.
    pub header: *const c_void,
    /// The length of the header.
    pub header_length: usize,
    /// Where the data goes, or NULL if there is none.
    pub data: *mut c_void,
    /// The length of the data.
    pub length: usize,
    /// Where a get writes the value and its numbers.
    pub value: *mut ios_value,
}

/// As `ios_consumer_get`, with a copy if the message is as expected: the header of `gets`, followed
/// by exactly `length` bytes. These are copied to its `data`, and nothing is held: the value's
/// guard is NULL, and its data is `data`. Any other message is held, as by `ios_consumer_get`.
///
/// A large message is copied out while its producer is still copying it in. So `data` may also have
/// been written to if nothing was got, or something else.
///
/// # Safety
/// `gets` is NULL or valid: its consumer is NULL or open, its header points to `header_length`
/// bytes (or is NULL, if that is 0), its `data` to `length` bytes (or is NULL, if that is 0), and
/// its `value` is NULL or may be written to. Nobody changes any of it during the call, and nobody
/// else looks at `data`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_consumer_get_like(gets: *const ios_gets) -> ios_status {
    call(|arguments| {
        // SAFETY: nobody changes the struct during the call.
        let gets = unsafe { arguments.read(In(gets, "gets")) }?;
        let (data, length) = (gets.data, gets.length);
        // SAFETY: an open consumer is a live handle, which is used through `&` alone; nobody
        // changes the header during the call; `data` is the call's alone; a struct may be written
        // to `value`.
        let (handle, header, own, value) = unsafe {
            let header = Slice(gets.header.cast::<u8>(), gets.header_length, "header");
            let own = OutSlice(data.cast::<u8>(), length, "data");
            let value = Out(gets.value, "value");
            arguments.read((In(gets.consumer, "consumer"), header, own, value))
        }?;
        let mut target = CopyTarget::new(header.len(), own);
        let mut consumer = handle.0.enter()?;
        let guard = match timeout(gets.timeout_ns) {
            Some(Duration::ZERO) => consumer.try_get()?.ok_or(Failure::Empty)?,
            timeout => binding::get_into(&mut *consumer, &mut target, timeout)?,
        };
        if guard.starts_with(header) && binding::copy_out(&guard, target) {
            let (seq, missed, stamp) = (guard.seq(), guard.missed(), guard.stamp());
            let (guard, tag) = (null_mut(), guard.tag());
            value.set(ios_value { guard, data, length, seq, missed, stamp, tag });
        } else {
            value.set(in_place(guard.into_owned(), &handle.2));
        }
        Ok(())
    })
}

#[inline]
fn get(consumer: &mut Consumer<[u8]>, timeout_ns: i64) -> Outcome<Guard<'_, [u8]>> {
    match timeout(timeout_ns) {
        None => Ok(consumer.get()?),
        Some(Duration::ZERO) => consumer.try_get()?.ok_or(Failure::Empty),
        Some(timeout) => Ok(consumer.get_timeout(timeout)?),
    }
}

/// The latest value, seen before or not; `IOS_EMPTY` if nothing was ever put. It counts as seen
/// afterwards.
///
/// # Safety
/// `consumer` is NULL or open; `value` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_consumer_latest(
    consumer: *mut ios_consumer,
    value: *mut ios_value,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open consumer is a live handle, which is used through `&` alone; a struct may
        // be written to `value`.
        let (handle, value) =
            unsafe { arguments.read((In(consumer, "consumer"), Out(value, "value"))) }?;
        let mut consumer = handle.0.enter()?;
        let guard = consumer.latest()?.ok_or(Failure::Empty)?;
        value.set(in_place(guard.into_owned(), &handle.2));
        Ok(())
    })
}

/// As `ios_observer_since`, for a consumer, whether or not it has seen the value. The copy does not
/// count as seen.
///
/// # Safety
/// As for `ios_consumer_latest`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_consumer_since(
    consumer: *mut ios_consumer,
    seq: u64,
    value: *mut ios_value,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open consumer is a live handle, which is used through `&` alone; a struct may
        // be written to `value`.
        let (handle, value) =
            unsafe { arguments.read((In(consumer, "consumer"), Out(value, "value"))) }?;
        let copy = handle.0.enter()?.since(seq).next().ok_or(Failure::Empty)?;
        value.set(copied(copy?, &handle.2));
        Ok(())
    })
}

/// A copy of the value with this tag: the newest that still lies whole, or one that comes within
/// `timeout_ns`. 0 does not wait, and returns `IOS_EMPTY` if there is none; negative waits for
/// ever. Values that come meanwhile count as seen.
///
/// # Safety
/// As for `ios_consumer_latest`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_consumer_tagged(
    consumer: *mut ios_consumer,
    tag: u64,
    timeout_ns: i64,
    value: *mut ios_value,
) -> ios_status {
    call(|arguments| {
        // SAFETY: as in `ios_consumer_since`.
        let (handle, value) =
            unsafe { arguments.read((In(consumer, "consumer"), Out(value, "value"))) }?;
        let mut consumer = handle.0.enter()?;
        let copy = match timeout(timeout_ns) {
            Some(Duration::ZERO) => consumer.tagged(tag)?.ok_or(Failure::Empty)?,
            timeout => consumer.tagged_timeout(tag, timeout.unwrap_or(Duration::MAX))?,
        };
        value.set(copied(copy, &handle.2));
        Ok(())
    })
}

/// The sequence number of the last value that this consumer has seen; 0 if there is none. A
/// consumer with a name remembers it across restarts.
///
/// # Safety
/// `consumer` is NULL or open; `seq` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_consumer_last_seen(
    consumer: *const ios_consumer,
    seq: *mut u64,
) -> ios_status {
    // SAFETY: it is what `ask` asks for, of a handle and a number.
    unsafe { ask(consumer, Out(seq, "seq"), |consumer| Ok(consumer.last_seen())) }
}

/// Whether a producer is alive.
///
/// # Safety
/// `consumer` is NULL or open; `has` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_consumer_has_producer(
    consumer: *const ios_consumer,
    has: *mut bool,
) -> ios_status {
    // SAFETY: it is what `ask` asks for, of a handle and a bool.
    unsafe { ask(consumer, Out(has, "has"), |consumer| Ok(consumer.has_producer()?)) }
}

/// Who the living producer is; `IOS_EMPTY` if there is none.
///
/// # Safety
/// `consumer` is NULL or open; `producer` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_consumer_producer(
    consumer: *const ios_consumer,
    producer: *mut ios_process,
) -> ios_status {
    let who = |consumer: &Consumer<[u8]>| {
        consumer.producer()?.map(ios_process::from).ok_or(Failure::Empty)
    };
    // SAFETY: it is what `ask` asks for, of a handle and a struct.
    unsafe { ask(consumer, Out(producer, "producer"), who) }
}

/// The most bytes that one message may have.
///
/// # Safety
/// `consumer` is NULL or open; `capacity` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_consumer_capacity(
    consumer: *const ios_consumer,
    capacity: *mut u64,
) -> ios_status {
    // SAFETY: it is what `ask` asks for, of a handle and a number.
    unsafe { ask(consumer, Out(capacity, "capacity"), |consumer| Ok(consumer.capacity())) }
}

/// The channel's name or location. The caller frees the text with `ios_text_free`.
///
/// # Safety
/// `consumer` is NULL or open; `name` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_consumer_name(
    consumer: *const ios_consumer,
    name: *mut *mut c_char,
) -> ios_status {
    // SAFETY: it is what `ask` asks for, of a handle and a pointer.
    unsafe { ask(consumer, Out(name, "name"), |consumer| Ok(text_into_c(consumer.name()))) }
}

/// The type of the messages, as JSON. The caller frees the text with `ios_text_free`.
///
/// # Safety
/// `consumer` is NULL or open; `schema` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_consumer_schema(
    consumer: *const ios_consumer,
    schema: *mut *mut c_char,
) -> ios_status {
    let schema_of = |consumer: &Consumer<[u8]>| Ok(text_into_c(consumer.schema().to_json()));
    // SAFETY: it is what `ask` asks for, of a handle and a pointer.
    unsafe { ask(consumer, Out(schema, "schema"), schema_of) }
}

/// A descriptor to pass to another process, of a channel without a name; -1 if the channel has a
/// name. It belongs to the consumer, and is closed with it.
///
/// # Safety
/// `consumer` is NULL or open; `fd` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_consumer_fd(
    consumer: *const ios_consumer,
    fd: *mut i32,
) -> ios_status {
    let descriptor =
        |consumer: &Consumer<[u8]>| Ok(consumer.as_fd().map_or(-1, |fd| fd.as_raw_fd()));
    // SAFETY: it is what `ask` asks for, of a handle and a number.
    unsafe { ask(consumer, Out(fd, "fd"), descriptor) }
}

/// A descriptor that is readable while the consumer has something to get, for event loops: `poll`,
/// epoll, Qt, libuv. It is level-triggered. Each call sets `fd` to the same one; the first call
/// makes it. When it is readable, call `ios_consumer_get` with a timeout of 0, and never read from
/// it. Each get, also one that returns `IOS_EMPTY`, makes it unreadable if nothing is left. It may
/// be readable once too often for each value. It is also readable when a get would fail.
///
/// It is closed with the consumer, and on exec. In a forked child it does nothing.
///
/// # Safety
/// `consumer` is NULL or open; `fd` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_consumer_ready_fd(
    consumer: *mut ios_consumer,
    fd: *mut i32,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open consumer is a live handle, which is used through `&` alone; a number may
        // be written to `fd`.
        let (handle, fd) = unsafe { arguments.read((In(consumer, "consumer"), Out(fd, "fd"))) }?;
        fd.set(handle.0.enter()?.ready_fd()?.as_raw_fd());
        Ok(())
    })
}

/// Waits until at least one of `count` consumers has something to get, for at most `timeout_ns`
/// (negative: for ever; 0: looks once). Sets `ready[i]` to whether the i-th consumer has. Takes no
/// value. A consumer whose channel was replaced is ready too: its get opens the new channel, or
/// reports that (`IOS_NO_REOPEN`). So is one that has lost the producer that it requires.
/// `IOS_TIMEOUT`: none has anything, also with a timeout of 0; nothing is written to `ready`.
///
/// # Safety
/// `consumers` points to `count` pointers, each NULL or open; `ready` is NULL or `count` bools may
/// be written there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_wait_any(
    consumers: *const *const ios_consumer,
    count: usize,
    timeout_ns: i64,
    ready: *mut bool,
) -> ios_status {
    call(|arguments| {
        // SAFETY: nobody changes the `count` pointers during the call; as many bools may be written
        // to `ready`, which are the call's alone.
        let (consumers, ready) = unsafe {
            arguments.read((Slice(consumers, count, "list"), OutSlice(ready, count, "ready")))
        }?;
        // A consumer may be in the list more than once.
        let mut entered = BTreeMap::new();
        for &consumer in consumers {
            // SAFETY: each open consumer is a live handle, which is used through `&` alone.
            let handle = unsafe { arguments.read(In(consumer, "a consumer of the list")) }?;
            if let Entry::Vacant(new) = entered.entry(consumer) {
                new.insert(handle.0.enter()?);
            }
        }
        let any: Vec<&dyn AnyConsumer> =
            consumers.iter().map(|consumer| &*entered[consumer] as &dyn AnyConsumer).collect();
        let found = wait_any(&any, timeout(timeout_ns).unwrap_or(Duration::MAX))?;
        for (i, ready) in ready.iter_mut().enumerate() {
            ready.write(found.contains(i));
        }
        Ok(())
    })
}

/// Removes the channel of that name, as one removes a file. Open handles follow the name to a new
/// channel, which the next put of a producer creates, or say `IOS_REPLACED` (`IOS_NO_REOPEN`).
///
/// # Safety
/// `name` is NULL or a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_channel_remove(name: *const c_char) -> ios_status {
    call(|arguments| {
        // SAFETY: the text ends in a zero, and nobody changes it during the call.
        let name = unsafe { arguments.read(CText(name, "name")) }?;
        Ok(Channel::remove(name)?)
    })
}

/// Answers a question about the channel.
///
/// # Safety
/// `consumer` is NULL or open; `out` is NULL or may be written to.
unsafe fn ask<A>(
    consumer: *const ios_consumer,
    out: Out<A>,
    answer: impl FnOnce(&Consumer<[u8]>) -> Outcome<A>,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open consumer is a live handle, which is used through `&` alone; an answer may
        // be written to `out`.
        let (handle, out) = unsafe { arguments.read((In(consumer, "consumer"), out)) }?;
        out.set(answer(&*handle.0.enter()?)?);
        Ok(())
    })
}
