//! The side that puts.

use std::ffi::{c_char, c_void};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::Duration;

use io_shared_channel::Producer;
use io_shared_channel::binding::{self, Window};
use io_shared_core::{Error, ErrorKind, Holder};

use crate::handle::Handle;
use crate::options::{IOS_REOPEN, Options, ios_options, timeout};
use crate::pointer::{Out, borrow, bytes, give, give_text, take, take_needed};
use crate::status::{Failure, Outcome, call, ios_status};

/// The one producer of a channel.
#[derive(Debug)]
pub struct ios_producer(Arc<Lender>);

/// A buffer lent to a producer, to be filled in place.
///
/// It keeps the producer. While it lives nothing opens another channel in that one's place, so its
/// bytes stay mapped.
#[derive(Debug)]
pub struct ios_loan {
    lender: Arc<Lender>,
    data: *mut u8,
    length: usize,
}

/// The bytes of a loan at an address that stays mapped until the window is dropped, whatever becomes of
/// the loan, the producer and its channel. For callers that cannot prove who keeps the address.
#[derive(Debug)]
pub struct ios_window {
    window: Arc<Window>,
    name: String,
}

#[derive(Debug)]
struct Lender {
    producer: Handle<Producer<[u8]>>,
    lent: AtomicBool,
    /// Whether a removed channel is opened anew.
    reopens: bool,
}

/// How often a put is tried again in a channel that was opened in the place of a removed one: that
/// one may be removed, too.
const REOPENED: u32 = 8;

impl Lender {
    /// Notes that the buffer is lent, to one.
    fn lend(&self) -> Outcome {
        // Acquire, with the Release of the loan before: its thread is through with the buffer.
        match self.lent.swap(true, Acquire) {
            false => Ok(()),
            true => Err(self.already_loaned()),
        }
    }

    #[cold]
    fn already_loaned(&self) -> Failure {
        let text = format!(
            "{}: the buffer is lent already: put or drop that loan first",
            self.producer.name()
        );
        Failure::Said(ios_status::IOS_ALREADY_LOANED, text)
    }

    fn give_back(&self) {
        self.lent.store(false, Release);
    }

    fn loan(&self, length: usize) -> Outcome<*mut u8> {
        let mut producer = self.producer.enter()?;
        let mut loan = producer.loan_len(length)?;
        // Not put here, and so the buffer is lent out anew by the next loan: when this one is put.
        Ok(loan.as_mut_ptr())
    }

    fn loan_window(&self, length: usize) -> Outcome<(*mut u8, ios_window)> {
        let mut producer = self.producer.enter()?;
        let mut loan = producer.loan_len(length)?;
        let window = binding::window(&mut loan)?;
        // As in `loan`.
        Ok((loan.as_mut_ptr(), ios_window { window, name: self.producer.name().to_owned() }))
    }

    fn put_parts(&self, header: &[u8], data: &[u8]) -> Outcome<u64> {
        let mut producer = self.producer.enter()?;
        if self.lent.load(Acquire) {
            return Err(self.already_loaned());
        }
        let mut again = if self.reopens { REOPENED } else { 0 };
        loop {
            match put_parts(&mut producer, header, data) {
                Err(error) if again > 0 && *error.kind() == ErrorKind::Replaced => again -= 1,
                put => return Ok(put?),
            }
        }
    }

    fn put(&self, data: *mut u8, length: usize) -> Outcome<u64> {
        let mut producer = self.producer.enter()?;
        let mut loan = producer.loan_len(length)?;
        // It is the same one, unless another channel was opened in the place of that one.
        if loan.as_mut_ptr() != data {
            return Err(Error::new(self.producer.name(), ErrorKind::Replaced).into());
        }
        Ok(loan.put()?)
    }
}

#[inline]
fn put_parts(producer: &mut Producer<[u8]>, header: &[u8], data: &[u8]) -> Result<u64, Error> {
    // It does not overflow: neither is longer than isize::MAX.
    binding::put_parts(producer.loan_len(header.len() + data.len())?, &[header, data])
}

// A loan may be put by another thread than the one that was lent it: the buffer is the loan's alone.
const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Lender>();
    is_send_and_sync::<ios_window>();
};

impl Drop for ios_loan {
    fn drop(&mut self) {
        self.lender.give_back();
    }
}

/// Opens a channel to put. Creates it if it is not there; replaces it if it has another shape and
/// nobody lives in it.
///
/// # Safety
/// `options` is NULL or set by `ios_options_init`, with texts that are texts; `producer` is NULL or
/// may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_open(
    options: *const ios_options,
    producer: *mut *mut ios_producer,
) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::needed(producer, "producer") }?;
        // SAFETY: as the caller promises.
        let options = unsafe { Options::read(options) }?;
        options.refuse(&[(options.consumer_name.is_some(), "consumer_name")], "it puts")?;
        let reopens = options.has(IOS_REOPEN);
        let producer = options.channel(false)?.producer()?;
        let name = producer.name().to_owned();
        let producer = Handle::new(producer, &name);
        let lent = AtomicBool::new(false);
        out.set(give(ios_producer(Arc::new(Lender { producer, lent, reopens }))));
        Ok(())
    })
}

/// Closes a producer; the channel and its last value stay. A loan that lives keeps the role until it
/// is put or dropped. NULL is left alone.
///
/// # Safety
/// `producer` is NULL, or came from `ios_producer_open` and is closed for the first time, while no
/// other thread uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_close(producer: *mut ios_producer) {
    call(|| {
        // SAFETY: as the caller promises.
        drop(unsafe { take(producer) });
        Ok(())
    });
}

/// Puts a copy of the message of `length` bytes at `data`: the newest value from now on. Never waits
/// for anybody. Gives the value's sequence to `seq`, if that is not NULL.
///
/// # Safety
/// `producer` is NULL or open; `data` points to `length` bytes (or is NULL, if they are 0) that
/// nobody changes during the call; `seq` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_put(
    producer: *mut ios_producer,
    data: *const c_void,
    length: usize,
    seq: *mut u64,
) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let lender = &unsafe { borrow(producer, "producer") }?.0;
        // SAFETY: as the caller promises.
        let message = unsafe { bytes(data.cast(), length) }?;
        // SAFETY: as the caller promises.
        let seq = unsafe { Out::optional(seq) };
        let mut producer = lender.producer.enter()?;
        if lender.lent.load(Acquire) {
            return Err(lender.already_loaned());
        }
        seq.set(producer.put(message)?);
        Ok(())
    })
}

/// What puts of messages that differ in their data alone have in common. For callers to whom each
/// argument of a call costs time, as it does in Python.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct ios_puts {
    /// Who puts.
    pub producer: *mut ios_producer,
    /// The bytes before the data; or NULL, if there are none.
    pub header: *const c_void,
    /// How many they are.
    pub header_length: usize,
    /// Bytes of data behind them.
    pub length: usize,
    /// Where a put gives the value's sequence; or NULL.
    pub seq: *mut u64,
}

/// As `ios_producer_put`, of the message that is the header of `puts` and then its `length` bytes at
/// `data`.
///
/// # Safety
/// `puts` is NULL, or its producer is NULL or open, its header points to `header_length` bytes (or is
/// NULL, if they are 0), and its `seq` is NULL or may be written to; `data` points to its `length`
/// bytes (or is NULL, if they are 0). Nobody changes any of it during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_put_like(
    puts: *const ios_puts,
    data: *const c_void,
) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let puts = unsafe { borrow(puts, "puts") }?;
        // SAFETY: as the caller promises.
        let lender = &unsafe { borrow(puts.producer, "producer") }?.0;
        // SAFETY: as the caller promises.
        let header = unsafe { bytes(puts.header.cast(), puts.header_length) }?;
        // SAFETY: as the caller promises.
        let data = unsafe { bytes(data.cast(), puts.length) }?;
        // SAFETY: as the caller promises.
        let seq = unsafe { Out::optional(puts.seq) };
        seq.set(lender.put_parts(header, data)?);
        Ok(())
    })
}

/// Lends a buffer of `length` bytes at `*data`, in shared memory and seen by nobody yet. It is aligned
/// for the channel's type; its content is that of an older message, or zeros. One loan at a time.
///
/// # Safety
/// `producer` is NULL or open; `loan` and `data` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_loan(
    producer: *mut ios_producer,
    length: usize,
    loan: *mut *mut ios_loan,
    data: *mut *mut c_void,
) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let lender = &unsafe { borrow(producer, "producer") }?.0;
        // SAFETY: as the caller promises.
        let out_loan = unsafe { Out::needed(loan, "loan") }?;
        // SAFETY: as the caller promises.
        let out_data = unsafe { Out::needed(data, "data") }?;
        lender.lend()?;
        let mut loan = ios_loan { lender: Arc::clone(lender), data: std::ptr::null_mut(), length };
        loan.data = lender.loan(length)?;
        out_data.set(loan.data.cast());
        out_loan.set(give(loan));
        Ok(())
    })
}

/// As `ios_producer_loan`, with the bytes at `*data` those of `*window`, which keeps them mapped until it
/// is dropped: after the put, and also when the producer opens another channel or is closed. The buffer
/// is the same, so the promises at the put are, too: for whoever cannot keep them there is
/// `ios_window_sever`.
///
/// # Safety
/// `producer` is NULL or open; `loan`, `window` and `data` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_loan_window(
    producer: *mut ios_producer,
    length: usize,
    loan: *mut *mut ios_loan,
    window: *mut *mut ios_window,
    data: *mut *mut c_void,
) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let lender = &unsafe { borrow(producer, "producer") }?.0;
        // SAFETY: as the caller promises.
        let out_loan = unsafe { Out::needed(loan, "loan") }?;
        // SAFETY: as the caller promises.
        let out_window = unsafe { Out::needed(window, "window") }?;
        // SAFETY: as the caller promises.
        let out_data = unsafe { Out::needed(data, "data") }?;
        lender.lend()?;
        let mut loan = ios_loan { lender: Arc::clone(lender), data: std::ptr::null_mut(), length };
        let (data, window) = lender.loan_window(length)?;
        loan.data = data;
        out_data.set(window.window.as_mut_ptr().cast());
        out_window.set(give(window));
        out_loan.set(give(loan));
        Ok(())
    })
}

/// Makes the bytes of a window this process's own, with the content that they have: what is written
/// there from now on is seen by nobody else. For a loan that is dropped while somebody may still write
/// to its bytes. `IOS_SYSTEM`: there is no memory for them, and they are the buffer's as before.
///
/// # Safety
/// `window` is NULL or was not dropped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_window_sever(window: *const ios_window) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let window = unsafe { borrow(window, "window") }?;
        Ok(window.window.sever(&window.name)?)
    })
}

/// Lets go of a window, from any thread. NULL is left alone.
///
/// # Safety
/// `window` is NULL, or came from `ios_producer_loan_window` and is dropped for the first time; nobody
/// uses its bytes any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_window_drop(window: *mut ios_window) {
    call(|| {
        // SAFETY: as the caller promises.
        drop(unsafe { take(window) });
        Ok(())
    });
}

/// Publishes the first `length` bytes of a loan, at most as many as were lent, and wakes whoever
/// waits. Gives the value's sequence to `seq`, if that is not NULL. The loan is over, whatever the
/// status is.
///
/// # Safety
/// `loan` is NULL, or came from `ios_producer_loan` and was neither put nor dropped; nobody writes to
/// its bytes any more; `seq` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_loan_put(
    loan: *mut ios_loan,
    length: usize,
    seq: *mut u64,
) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let loan = unsafe { take_needed(loan, "loan") }?;
        // SAFETY: as the caller promises.
        let seq = unsafe { Out::optional(seq) };
        if length > loan.length {
            let (length, size) = (length as u64, loan.length as u64);
            let kind = ErrorKind::OutOfBounds { at: 0, length, size };
            return Err(Error::new(loan.lender.producer.name(), kind).into());
        }
        seq.set(loan.lender.put(loan.data, length)?);
        Ok(())
    })
}

/// Gives a loan back; nothing is published. NULL is left alone.
///
/// # Safety
/// `loan` is NULL, or came from `ios_producer_loan` and was neither put nor dropped; nobody writes to
/// its bytes any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_loan_drop(loan: *mut ios_loan) {
    call(|| {
        // SAFETY: as the caller promises.
        drop(unsafe { take(loan) });
        Ok(())
    });
}

/// Waits until every consumer that is there now has had the last value put; gives to `had`, if that
/// is not NULL, how many have. `IOS_TIMEOUT` names those that have not.
///
/// # Safety
/// `producer` is NULL or open; `had` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_wait_taken(
    producer: *mut ios_producer,
    timeout_ns: i64,
    had: *mut usize,
) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let lender = &unsafe { borrow(producer, "producer") }?.0;
        // SAFETY: as the caller promises.
        let had = unsafe { Out::optional(had) };
        let timeout = timeout(timeout_ns).unwrap_or(Duration::MAX);
        had.set(lender.producer.enter()?.wait_taken(timeout)?);
        Ok(())
    })
}

/// Writes the last value put, with its checksum, to the channel's file, and returns when it is there: it is
/// given after a reboot, and after a power cut. Does nothing for a channel in memory. A value that is put
/// afterwards is not synced.
///
/// # Safety
/// `producer` is NULL or open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_sync(producer: *mut ios_producer) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let lender = &unsafe { borrow(producer, "producer") }?.0;
        Ok(lender.producer.enter()?.sync()?)
    })
}

/// How many consumers live.
///
/// # Safety
/// `producer` is NULL or open; `consumers` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_consumers(
    producer: *const ios_producer,
    consumers: *mut usize,
) -> ios_status {
    // SAFETY: as the caller promises.
    unsafe { ask(producer, consumers, |producer| Ok(producer.connected()?.len())) }
}

/// The bytes of a consumer's name, with the zero at its end.
pub const IOS_NAME_LENGTH: usize = 64;

/// A consumer that lives, by what it wrote down.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct ios_holder {
    /// Its slot: 0 for the first.
    pub slot: u32,
    /// Its process, as that one knows itself (in its own PID namespace); 0 if unknown.
    pub pid: u32,
    /// The name under which it goes on where it stopped; empty if it has none.
    pub name: [c_char; IOS_NAME_LENGTH],
}

/// Which consumers live: writes the first `room` of them to `holders`, and to `count` how many there
/// are, which may be more.
///
/// # Safety
/// `producer` is NULL or open; `holders` has place for `room` of them (or is NULL, if `room` is 0);
/// `count` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_holders(
    producer: *const ios_producer,
    holders: *mut ios_holder,
    room: usize,
    count: *mut usize,
) -> ios_status {
    let list = |producer: &Producer<[u8]>| {
        let found = producer.connected()?;
        for (i, holder) in found.iter().take(room).enumerate() {
            // SAFETY: there is place for `room`, as the caller promises, and `i` is less.
            let location = unsafe { Out::needed(holders.wrapping_add(i), "holders") }?;
            location.set(holder_of(holder));
        }
        Ok(found.len())
    };
    // SAFETY: as the caller promises.
    unsafe { ask(producer, count, list) }
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

/// The sequence of the last value put, by this producer or one before it; 0 for none.
///
/// # Safety
/// `producer` is NULL or open; `seq` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_seq(
    producer: *const ios_producer,
    seq: *mut u64,
) -> ios_status {
    // SAFETY: as the caller promises.
    unsafe { ask(producer, seq, |producer| Ok(producer.seq())) }
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
    // SAFETY: as the caller promises.
    unsafe { ask(producer, capacity, |producer| Ok(producer.capacity())) }
}

/// The channel's name or place. The text is the caller's, to be freed by `ios_text_free`.
///
/// # Safety
/// `producer` is NULL or open; `name` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_name(
    producer: *const ios_producer,
    name: *mut *mut c_char,
) -> ios_status {
    // SAFETY: as the caller promises.
    unsafe { ask(producer, name, |producer| Ok(give_text(producer.name()))) }
}

/// What the messages are, as JSON. The text is the caller's, to be freed by `ios_text_free`.
///
/// # Safety
/// `producer` is NULL or open; `schema` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_schema(
    producer: *const ios_producer,
    schema: *mut *mut c_char,
) -> ios_status {
    // SAFETY: as the caller promises.
    unsafe { ask(producer, schema, |producer| Ok(give_text(producer.schema().to_json()))) }
}

/// A descriptor to pass to another process, of a channel that has no name; -1 where it has one. It is
/// the producer's, and closed with it.
///
/// # Safety
/// `producer` is NULL or open; `fd` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_fd(
    producer: *const ios_producer,
    fd: *mut i32,
) -> ios_status {
    let descriptor =
        |producer: &Producer<[u8]>| Ok(producer.as_fd().map_or(-1, |fd| fd.as_raw_fd()));
    // SAFETY: as the caller promises.
    unsafe { ask(producer, fd, descriptor) }
}

/// # Safety
/// `producer` is NULL or open; `out` is NULL or may be written to.
unsafe fn ask<A>(
    producer: *const ios_producer,
    out: *mut A,
    answer: impl FnOnce(&Producer<[u8]>) -> Outcome<A>,
) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let lender = &unsafe { borrow(producer, "producer") }?.0;
        // SAFETY: as the caller promises.
        let out = unsafe { Out::needed(out, "the place for the answer") }?;
        out.set(answer(&*lender.producer.enter()?)?);
        Ok(())
    })
}
