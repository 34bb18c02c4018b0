//! The side that puts: opening and closing a producer, putting copies, asking about the channel.
//! Loans, which are filled in place, are in `loan.rs`.

use std::ffi::{c_char, c_void};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::Duration;

use io_shared_channel as channel;
use io_shared_channel::binding::{self, Window};
use io_shared_core::Holder;

use crate::call::call;
use crate::handle::Handle;
use crate::label::Label;
use crate::lender::{Lender, ios_loan};
use crate::lists::Lists;
use crate::memory::{drop_from_c, into_c, text_into_c};
use crate::options::{Given, ios_options, timeout};
use crate::pointer::{In, OptionalOut, Out, OutSlice, Slice};
use crate::status::{Failure, Outcome, ios_status};

/// The one producer of a channel.
#[derive(Debug)]
pub struct ios_producer(pub(crate) Arc<Producer>, pub(crate) channel::Interrupter);

/// A producer, which its handle and its loans own together.
#[derive(Debug)]
pub(crate) struct Producer {
    inner: Handle<channel::Producer<[u8]>>,
    /// Whether its buffer is on loan.
    lent: AtomicBool,
    /// The lists of its messages. A channel that takes the name has the same type.
    lists: Option<Arc<Lists>>,
}

impl Producer {
    /// A loan of `length` bytes.
    pub(crate) fn lend(self: &Arc<Self>, length: usize) -> Outcome<ios_loan> {
        self.mark_as_lent()?;
        let (loan, ()) = ios_loan::of(Arc::<Self>::clone(self), length, || {
            let mut producer = self.inner.enter()?;
            let mut loan = producer.loan_len(length)?;
            binding::clear_checked(&mut loan);
            // This loan is dropped here without a put. The one that `put` takes is of the same
            // buffer.
            Ok((loan.as_mut_ptr(), ()))
        })?;
        Ok(loan)
    }

    /// As [`lend`](Self::lend), with a mapping of the bytes that outlives the producer.
    pub(crate) fn lend_window(self: &Arc<Self>, length: usize) -> Outcome<(ios_loan, Arc<Window>)> {
        self.mark_as_lent()?;
        ios_loan::of(Arc::<Self>::clone(self), length, || {
            let mut producer = self.inner.enter()?;
            let mut loan = producer.loan_len(length)?;
            binding::clear_checked(&mut loan);
            let window = binding::window(&mut loan)?;
            Ok((loan.as_mut_ptr(), window))
        })
    }

    /// Marks the buffer as lent, to one loan.
    fn mark_as_lent(&self) -> Outcome {
        // Acquire pairs with the Release of the loan before: its thread has finished with the
        // buffer.
        match self.lent.swap(true, Acquire) {
            false => Ok(()),
            true => Err(already_loaned(self.name())),
        }
    }

    fn put_parts(&self, header: &[u8], data: &[u8], label: Label) -> Outcome<u64> {
        let mut producer = self.inner.enter()?;
        if self.lent.load(Acquire) {
            return Err(already_loaned(self.name()));
        }
        Ok(label.put_parts(&mut producer, header, data)?)
    }
}

/// Why a buffer cannot be lent or put now.
#[cold]
pub(crate) fn already_loaned(name: &str) -> Failure {
    let text = format!("{name}: the buffer is on loan: put or drop that loan first");
    Failure::Said(ios_status::IOS_ALREADY_LOANED, text)
}

impl Lender for Producer {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn lists(&self) -> Option<&Lists> {
        self.lists.as_deref()
    }

    fn check_label(&self, number: Option<u64>, length: usize) -> Outcome {
        let Some(number) = number else { return Ok(()) };
        let mut producer = self.inner.enter()?;
        Ok(binding::lend_again(&mut producer, length)?.numbered(number, None)?)
    }

    fn put(&self, data: *mut u8, length: usize, label: Label) -> Outcome<u64> {
        let mut producer = self.inner.enter()?;
        let mut loan = binding::lend_again(&mut producer, length)?;
        // While it is on loan, nothing else is put or lent.
        assert_eq!(loan.as_mut_ptr(), data, "it is the same buffer");
        label.apply(&mut loan)?;
        Ok(loan.put()?)
    }

    fn give_back(&self) {
        self.lent.store(false, Release);
    }
}

// The thread that puts a loan need not be the one that took it: the buffer is the loan's alone.
const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Producer>();
};

/// Opens a channel to put. Creates the channel if it does not exist, and replaces it if it has
/// another shape and nobody is using it.
///
/// # Safety
/// `options` is NULL, or was set by `ios_options_init` and its texts are valid; `producer` is NULL
/// or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_open(
    options: *const ios_options,
    producer: *mut *mut ios_producer,
) -> ios_status {
    call(|arguments| {
        // SAFETY: a handle may be written to `producer`; `options` and its texts are valid during
        // the call.
        let (out, options) =
            unsafe { arguments.read((Out(producer, "producer"), Given(options))) }?;
        let consumers = [(options.consumer_name.is_some(), "options.consumer_name")];
        options.refuse(&consumers, "it is for consumers only")?;
        let producer = options.channel(false)?.producer()?;
        let (name, interrupter) = (producer.name().to_owned(), producer.interrupter());
        let lists = Lists::of(&name, producer.schema());
        let inner = Handle::new(producer, &name);
        let lent = AtomicBool::new(false);
        let producer = Arc::new(Producer { inner, lent, lists });
        out.set(into_c(ios_producer(producer, interrupter)));
        Ok(())
    })
}

/// Closes a producer. The channel and its last value stay. A live loan keeps the role until it is
/// put or dropped. NULL is left alone.
///
/// # Safety
/// `producer` is NULL, or came from `ios_producer_open` and is closed for the first time, while no
/// other thread uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_close(producer: *mut ios_producer) {
    // SAFETY: it came from `ios_producer_open`, which made it by `into_c`, and is closed once.
    unsafe { drop_from_c(producer) };
}

/// Puts a copy of the message of `length` bytes at `data`, which becomes the channel's newest
/// value. Never waits for anybody. Writes the value's sequence number to `seq`, unless that is
/// NULL.
///
/// # Safety
/// `producer` is NULL or open; `data` points to `length` bytes (or is NULL, if `length` is 0) that
/// nobody changes during the call; `seq` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_put(
    producer: *mut ios_producer,
    data: *const c_void,
    length: usize,
    seq: *mut u64,
) -> ios_status {
    // SAFETY: the contract is the same.
    unsafe { ios_producer_put_tagged(producer, data, length, 0, seq) }
}

/// As `ios_producer_put`, with a tag: any number of the caller's, which consumers and observers
/// find in the value. A stage of a pipeline tags its output with the `seq` of its input, so that
/// the two can be paired.
///
/// # Safety
/// As for `ios_producer_put`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_put_tagged(
    producer: *mut ios_producer,
    data: *const c_void,
    length: usize,
    tag: u64,
    seq: *mut u64,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open producer is a live handle, which is used through `&` alone; nobody
        // changes the `length` bytes during the call; a number may be written to `seq`.
        let (handle, message, seq) = unsafe {
            let data = Slice(data.cast::<u8>(), length, "data");
            arguments.read((In(producer, "producer"), data, OptionalOut(seq, "seq")))
        }?;
        let mut producer = handle.0.inner.enter()?;
        if handle.0.lent.load(Acquire) {
            return Err(already_loaned(handle.0.name()));
        }
        seq.set(producer.put_tagged(message, tag)?);
        Ok(())
    })
}

/// As `ios_producer_put_tagged`, under the number `number` in place of the next one. Numbers only
/// go up: consumers count those that were left out as missed, and a number that is not greater than
/// the last is `IOS_BAD_SEQ`. It is for programs that pass on, or replay, what was numbered
/// elsewhere.
///
/// `stamp` is when the value was put at first, in nanoseconds of CLOCK_MONOTONIC on this machine,
/// or `IOS_NOW`. A time of another clock has to be converted first; 0 stands for no stamp, and the
/// value has no age then.
///
/// # Safety
/// As for `ios_producer_put`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_put_numbered(
    producer: *mut ios_producer,
    data: *const c_void,
    length: usize,
    number: u64,
    stamp: u64,
    tag: u64,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open producer is a live handle, which is used through `&` alone; nobody
        // changes the `length` bytes during the call.
        let (handle, message) = unsafe {
            arguments.read((In(producer, "producer"), Slice(data.cast::<u8>(), length, "data")))
        }?;
        handle.0.put_parts(&[], message, Label { tag, number: Some(number), stamp })?;
        Ok(())
    })
}

/// The arguments that puts have in common when their messages differ only in the data. It is for
/// callers that pay for each argument of a call, such as Python.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct ios_puts {
    /// The producer.
    pub producer: *mut ios_producer,
    /// The bytes before the data, or NULL if there are none.
    pub header: *const c_void,
    /// The length of the header.
    pub header_length: usize,
    /// The length of the data, which follows the header.
    pub length: usize,
    /// Where a put writes the value's sequence number, or NULL.
    pub seq: *mut u64,
    /// The tag of each value, as in `ios_producer_put_tagged`; 0 for none.
    pub tag: u64,
    /// The number of the value, as in `ios_producer_put_numbered`; 0 for the next.
    pub number: u64,
    /// The stamp of a value that has a number, in nanoseconds, or `IOS_NOW`.
    pub stamp: u64,
}

/// As `ios_producer_put`. The message is the header of `puts`, followed by its `length` bytes at
/// `data`.
///
/// # Safety
/// `puts` is NULL or valid: its producer is NULL or open, its header points to `header_length`
/// bytes (or is NULL, if that is 0), and its `seq` is NULL or may be written to. `data` points to
/// its `length` bytes (or is NULL, if that is 0). Nobody changes any of it during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_put_like(
    puts: *const ios_puts,
    data: *const c_void,
) -> ios_status {
    call(|arguments| {
        // SAFETY: nobody changes the struct during the call.
        let puts = unsafe { arguments.read(In(puts, "puts")) }?;
        // SAFETY: its fields are as in `ios_producer_put`; nobody changes header or data during the
        // call.
        let (handle, header, data, seq) = unsafe {
            let header = Slice(puts.header.cast::<u8>(), puts.header_length, "header");
            let data = Slice(data.cast::<u8>(), puts.length, "data");
            let seq = OptionalOut(puts.seq, "seq");
            arguments.read((In(puts.producer, "producer"), header, data, seq))
        }?;
        let ios_puts { tag, stamp, .. } = *puts;
        let number = (puts.number != 0).then_some(puts.number);
        seq.set(handle.0.put_parts(header, data, Label { tag, number, stamp })?);
        Ok(())
    })
}

/// Waits until every consumer that is connected now has received the last value put. Writes how
/// many have to `received`, unless that is NULL. The text of `IOS_TIMEOUT` names those that have
/// not.
///
/// # Safety
/// `producer` is NULL or open; `received` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_wait_taken(
    producer: *mut ios_producer,
    timeout_ns: i64,
    received: *mut usize,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open producer is a live handle, which is used through `&` alone; a number may
        // be written to `received`.
        let (handle, received) = unsafe {
            arguments.read((In(producer, "producer"), OptionalOut(received, "received")))
        }?;
        let timeout = timeout(timeout_ns).unwrap_or(Duration::MAX);
        received.set(handle.0.inner.enter()?.wait_taken(timeout)?);
        Ok(())
    })
}

/// Writes the last value put, with its checksum, to the channel's file, and returns when it is
/// stored. It then survives a reboot or a power cut. Does nothing for a channel in memory. A value
/// that is put afterwards needs a sync of its own.
///
/// # Safety
/// `producer` is NULL or open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_sync(producer: *mut ios_producer) -> ios_status {
    call(|arguments| {
        // SAFETY: an open producer is a live handle, which is used through `&` alone.
        let handle = unsafe { arguments.read(In(producer, "producer")) }?;
        Ok(handle.0.inner.enter()?.sync()?)
    })
}

/// The bytes of a consumer's name, with the zero at its end.
pub const IOS_NAME_LENGTH: usize = 64;

/// A live consumer, as it recorded itself.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct ios_holder {
    /// Its slot, counted from 0.
    pub slot: u32,
    /// Its process ID in its own PID namespace; 0 if unknown.
    pub pid: u32,
    /// The name under which it resumes after a restart; empty if it has none.
    pub name: [c_char; IOS_NAME_LENGTH],
}

/// How many consumers are connected, that is, are alive.
///
/// # Safety
/// `producer` is NULL or open; `count` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_connected(
    producer: *const ios_producer,
    count: *mut usize,
) -> ios_status {
    // SAFETY: it is what `ask` asks for, of a handle and a number.
    unsafe { ask(producer, Out(count, "count"), |producer| Ok(producer.connected()?.len())) }
}

/// Which consumers are connected: writes the first `capacity` of them to `holders`, and to `count`
/// how many there are, which may be more.
///
/// # Safety
/// `producer` is NULL or open; `holders` has space for `capacity` of them (or is NULL, if
/// `capacity` is 0); `count` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_holders(
    producer: *const ios_producer,
    holders: *mut ios_holder,
    capacity: usize,
    count: *mut usize,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open producer is a live handle, which is used through `&` alone; `holders` has
        // space for `capacity` of them, which are the call's alone; a number may be written to
        // `count`.
        let (handle, holders, count) = unsafe {
            let holders = OutSlice(holders, capacity, "holders");
            arguments.read((In(producer, "producer"), holders, Out(count, "count")))
        }?;
        let found = handle.0.inner.enter()?.connected()?;
        for (to, holder) in holders.iter_mut().zip(&found) {
            *to = MaybeUninit::new(holder_of(holder));
        }
        count.set(found.len());
        Ok(())
    })
}

fn holder_of(holder: &Holder) -> ios_holder {
    let mut name = [0; IOS_NAME_LENGTH];
    let bytes = holder.name.as_deref().unwrap_or_default().bytes();
    for (to, from) in name[..IOS_NAME_LENGTH - 1].iter_mut().zip(bytes) {
        *to = from as c_char;
    }
    let slot = holder.slot.and_then(|slot| u32::try_from(slot).ok()).unwrap_or(u32::MAX);
    ios_holder { slot, pid: holder.pid.unwrap_or(0), name }
}

/// The sequence number of the last value put, by this producer or by one before it; 0 if there is
/// none.
///
/// # Safety
/// `producer` is NULL or open; `seq` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_seq(
    producer: *const ios_producer,
    seq: *mut u64,
) -> ios_status {
    // SAFETY: it is what `ask` asks for, of a handle and a number.
    unsafe { ask(producer, Out(seq, "seq"), |producer| Ok(producer.seq())) }
}

/// The most bytes that one message may have.
///
/// # Safety
/// `producer` is NULL or open; `capacity` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_capacity(
    producer: *const ios_producer,
    capacity: *mut u64,
) -> ios_status {
    // SAFETY: it is what `ask` asks for, of a handle and a number.
    unsafe { ask(producer, Out(capacity, "capacity"), |producer| Ok(producer.capacity())) }
}

/// The channel's name or location. The caller frees the text with `ios_text_free`.
///
/// # Safety
/// `producer` is NULL or open; `name` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_name(
    producer: *const ios_producer,
    name: *mut *mut c_char,
) -> ios_status {
    // SAFETY: it is what `ask` asks for, of a handle and a pointer.
    unsafe { ask(producer, Out(name, "name"), |producer| Ok(text_into_c(producer.name()))) }
}

/// The type of the messages, as JSON. The caller frees the text with `ios_text_free`.
///
/// # Safety
/// `producer` is NULL or open; `schema` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_schema(
    producer: *const ios_producer,
    schema: *mut *mut c_char,
) -> ios_status {
    let schema_of =
        |producer: &channel::Producer<[u8]>| Ok(text_into_c(producer.schema().to_json()));
    // SAFETY: it is what `ask` asks for, of a handle and a pointer.
    unsafe { ask(producer, Out(schema, "schema"), schema_of) }
}

/// A descriptor to pass to another process, of a channel without a name; -1 if the channel has a
/// name. It belongs to the producer, and is closed with it.
///
/// # Safety
/// `producer` is NULL or open; `fd` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_fd(
    producer: *const ios_producer,
    fd: *mut i32,
) -> ios_status {
    let descriptor =
        |producer: &channel::Producer<[u8]>| Ok(producer.as_fd().map_or(-1, |fd| fd.as_raw_fd()));
    // SAFETY: it is what `ask` asks for, of a handle and a number.
    unsafe { ask(producer, Out(fd, "fd"), descriptor) }
}

/// Answers a question about the channel.
///
/// # Safety
/// `producer` is NULL or open; `out` is NULL or may be written to.
unsafe fn ask<A>(
    producer: *const ios_producer,
    out: Out<A>,
    answer: impl FnOnce(&channel::Producer<[u8]>) -> Outcome<A>,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open producer is a live handle, which is used through `&` alone; an answer may
        // be written to `out`.
        let (handle, out) = unsafe { arguments.read((In(producer, "producer"), out)) }?;
        out.set(answer(&*handle.0.inner.enter()?)?);
        Ok(())
    })
}
