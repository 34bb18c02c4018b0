//! The side that gets, and waiting for many of them.

use std::ffi::{c_char, c_void};
use std::os::fd::AsRawFd;
use std::ptr::null_mut;
use std::time::Duration;

use io_shared_channel::binding::{self, CopyTarget};
use io_shared_channel::{AnyConsumer, Channel, Consumer, Guard, wait_any};

use crate::guard::{held, ios_value};
use crate::handle::Handle;
use crate::options::{Options, ios_options, timeout};
use crate::pointer::{Out, borrow, bytes, give, give_text, list, location, needed_text, take};
use crate::status::{Failure, Outcome, call, ios_status};

/// A consumer of a channel, in a slot of its own.
#[derive(Debug)]
pub struct ios_consumer(Handle<Consumer<[u8]>>);

/// Opens a channel to get. With a schema and a size it creates one that is not there; else it waits
/// for its producer.
///
/// # Safety
/// `options` is NULL or set by `ios_options_init`, with texts that are texts; `consumer` is NULL or
/// may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_consumer_open(
    options: *const ios_options,
    consumer: *mut *mut ios_consumer,
) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::needed(consumer, "consumer") }?;
        // SAFETY: as the caller promises.
        let options = unsafe { Options::read(options) }?;
        let consumer = options.channel(true)?.consumer()?;
        let name = consumer.name().to_owned();
        out.set(give(ios_consumer(Handle::new(consumer, &name))));
        Ok(())
    })
}

/// Closes a consumer. Its slot is given back with the last guard of it. NULL is left alone.
///
/// # Safety
/// `consumer` is NULL, or came from `ios_consumer_open` and is closed for the first time, while no
/// other thread uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_consumer_close(consumer: *mut ios_consumer) {
    call(|| {
        // SAFETY: as the caller promises.
        drop(unsafe { take(consumer) });
        Ok(())
    });
}

/// Waits for a value that this consumer has not had, for at most `timeout_ns` (negative: as long as
/// it takes), and holds it where it lies. With a timeout of 0 it tries: `IOS_EMPTY` if there is none.
///
/// As many values are held at once as the channel has holds, one unless its creator said otherwise:
/// one more is `IOS_ALREADY_HELD`.
///
/// # Safety
/// `consumer` is NULL or open; `value` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_consumer_get(
    consumer: *mut ios_consumer,
    timeout_ns: i64,
    value: *mut ios_value,
) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let handle = &unsafe { borrow(consumer, "consumer") }?.0;
        // SAFETY: as the caller promises.
        let value = unsafe { Out::needed(value, "value") }?;
        let mut consumer = handle.enter()?;
        value.set(held(get(&mut consumer, timeout_ns)?.into_owned()));
        Ok(())
    })
}

/// What gets of messages that differ in their data alone have in common. For callers to whom each
/// argument of a call costs time, as it does in Python.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct ios_gets {
    /// Who gets.
    pub consumer: *mut ios_consumer,
    /// How long it waits, as in `ios_consumer_get`.
    pub timeout_ns: i64,
    /// The bytes before the data; or NULL, if there are none.
    pub header: *const c_void,
    /// How many they are.
    pub header_length: usize,
    /// Where the data goes; or NULL, if there is none.
    pub data: *mut c_void,
    /// How many bytes it has.
    pub length: usize,
    /// Where a get gives the value and its numbers.
    pub value: *mut ios_value,
}

/// As `ios_consumer_get`, with a copy where the message is as expected: if it is the header of `gets`
/// and exactly `length` bytes behind that, these are copied to its `data`, and nothing is held: the
/// value's guard is NULL, and its data is `data`. Any other message is held, as by
/// `ios_consumer_get`. A large message is copied while its producer copies it in, so that `data` may
/// have been written to also where nothing was got, or something else.
///
/// # Safety
/// `gets` is NULL, or its consumer is NULL or open, its header points to `header_length` bytes (or is
/// NULL, if they are 0), its `data` to `length` bytes (or is NULL, if they are 0), and its `value` is
/// NULL or may be written to. Nobody changes any of it during the call, and nobody else looks at
/// `data`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_consumer_get_like(gets: *const ios_gets) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let gets = unsafe { borrow(gets, "gets") }?;
        // SAFETY: as the caller promises.
        let handle = &unsafe { borrow(gets.consumer, "consumer") }?.0;
        // SAFETY: as the caller promises.
        let header = unsafe { bytes(gets.header.cast(), gets.header_length) }?;
        let (data, length) = (gets.data, gets.length);
        // SAFETY: as the caller promises.
        let own = unsafe { location(data.cast(), length) }?;
        // SAFETY: as the caller promises.
        let value = unsafe { Out::needed(gets.value, "value") }?;
        let mut target = CopyTarget::new(header.len(), own);
        let mut consumer = handle.enter()?;
        let guard = match timeout(gets.timeout_ns) {
            Some(Duration::ZERO) => consumer.try_get()?.ok_or(Failure::Empty)?,
            timeout => binding::get_into(&mut *consumer, &mut target, timeout)?,
        };
        if guard.starts_with(header) && binding::copy_out(&guard, target) {
            let (seq, missed, stamp) = (guard.seq(), guard.missed(), guard.stamp());
            value.set(ios_value { guard: null_mut(), data, length, seq, missed, stamp });
        } else {
            value.set(held(guard.into_owned()));
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

/// The latest value, had or not; `IOS_EMPTY` if nothing was ever put. It counts as had from then on.
///
/// # Safety
/// `consumer` is NULL or open; `value` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_consumer_latest(
    consumer: *mut ios_consumer,
    value: *mut ios_value,
) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let handle = &unsafe { borrow(consumer, "consumer") }?.0;
        // SAFETY: as the caller promises.
        let value = unsafe { Out::needed(value, "value") }?;
        let mut consumer = handle.enter()?;
        let guard = consumer.latest()?.ok_or(Failure::Empty)?;
        value.set(held(guard.into_owned()));
        Ok(())
    })
}

/// The sequence of the last value that this consumer has had, in a life before this one too if it
/// has a name; 0 for none.
///
/// # Safety
/// `consumer` is NULL or open; `seq` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_consumer_last_seen(
    consumer: *const ios_consumer,
    seq: *mut u64,
) -> ios_status {
    // SAFETY: as the caller promises.
    unsafe { ask(consumer, seq, |consumer| Ok(consumer.last_seen())) }
}

/// Whether a producer lives.
///
/// # Safety
/// `consumer` is NULL or open; `has` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_consumer_has_producer(
    consumer: *const ios_consumer,
    has: *mut bool,
) -> ios_status {
    // SAFETY: as the caller promises.
    unsafe { ask(consumer, has, |consumer| Ok(consumer.has_producer()?)) }
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
    // SAFETY: as the caller promises.
    unsafe { ask(consumer, capacity, |consumer| Ok(consumer.capacity())) }
}

/// The channel's name or place. The text is the caller's, to be freed by `ios_text_free`.
///
/// # Safety
/// `consumer` is NULL or open; `name` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_consumer_name(
    consumer: *const ios_consumer,
    name: *mut *mut c_char,
) -> ios_status {
    // SAFETY: as the caller promises.
    unsafe { ask(consumer, name, |consumer| Ok(give_text(consumer.name()))) }
}

/// What the messages are, as JSON. It may be another after a reopening (`IOS_REOPEN` and no schema).
/// The text is the caller's, to be freed by `ios_text_free`.
///
/// # Safety
/// `consumer` is NULL or open; `schema` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_consumer_schema(
    consumer: *const ios_consumer,
    schema: *mut *mut c_char,
) -> ios_status {
    // SAFETY: as the caller promises.
    unsafe { ask(consumer, schema, |consumer| Ok(give_text(consumer.schema().to_json()))) }
}

/// A descriptor to pass to another process, of a channel that has no name; -1 where it has one. It is
/// the consumer's, and closed with it.
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
    // SAFETY: as the caller promises.
    unsafe { ask(consumer, fd, descriptor) }
}

/// Waits until at least one of `count` consumers has something to get, for at most `timeout_ns`
/// (negative: as long as it takes; 0: looks once), and says in `ready[i]` whether the i-th has. It
/// takes no value. A consumer whose channel was removed has something, too: its get says so.
///
/// # Safety
/// `consumers` points to `count` pointers, which are NULL or open; `ready` is NULL or `count` bools
/// may be written there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_wait_any(
    consumers: *const *const ios_consumer,
    count: usize,
    timeout_ns: i64,
    ready: *mut bool,
) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let consumers = unsafe { list(consumers, count) }?;
        let mut entered = Vec::with_capacity(consumers.len());
        let mut places = Vec::with_capacity(consumers.len());
        for (i, &consumer) in consumers.iter().enumerate() {
            // SAFETY: as the caller promises.
            entered.push(unsafe { borrow(consumer, "a consumer of the list") }?.0.enter()?);
            // SAFETY: there is place for `count` bools, and this is one of them.
            places.push(unsafe { Out::needed(ready.wrapping_add(i), "ready") }?);
        }
        let any: Vec<&dyn AnyConsumer> =
            entered.iter().map(|consumer| &**consumer as &dyn AnyConsumer).collect();
        let found = wait_any(&any, timeout(timeout_ns).unwrap_or(Duration::MAX))?;
        for (i, location) in places.into_iter().enumerate() {
            location.set(found.contains(i));
        }
        Ok(())
    })
}

/// Removes the channel of that name, like a file. Programs that use it find `IOS_REPLACED`.
///
/// # Safety
/// `name` is NULL or a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_channel_remove(name: *const c_char) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let name = unsafe { needed_text(name, "name") }?;
        Ok(Channel::remove(name)?)
    })
}

/// # Safety
/// `consumer` is NULL or open; `out` is NULL or may be written to.
unsafe fn ask<A>(
    consumer: *const ios_consumer,
    out: *mut A,
    answer: impl FnOnce(&Consumer<[u8]>) -> Outcome<A>,
) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let handle = &unsafe { borrow(consumer, "consumer") }?.0;
        // SAFETY: as the caller promises.
        let out = unsafe { Out::needed(out, "the place for the answer") }?;
        out.set(answer(&*handle.enter()?)?);
        Ok(())
    })
}
