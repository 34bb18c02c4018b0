//! The seam for language bindings: what the typed handles leave out, because Rust programs do
//! better without it.
//!
//! `io-shared-ffi` uses it, for callers that copy every message to memory of their own language. It
//! offers a get that copies out while the producer is still copying in ([`get_into`], then
//! [`copy_out`]), a put of several slices ([`put_parts`]), loans that no borrow keeps
//! ([`lend_again`]), and loans at an address that outlives them ([`window()`]).
//!
//! [`end_waits_at_signals`] is for languages that run their signal handlers only between calls.
//! [`LegacyBytes`] and [`put_legacy`] are [`legacy`] for them.
//!
//! [`take_question`] and [`reply_of`] are for servers whose questions no borrow keeps, and
//! [`poll_answer`] for clients that wait in slices.
//!
//! What callers must keep: the bytes of a [`CopyTarget`] are worthless until [`copy_out`] returns
//! `true`; and whoever hands out the address of a [`Window`] keeps the window for as long as
//! anybody may use that address. [`io_shared_core::binding`] says more.

use std::time::Duration;

pub use io_shared_core::binding::{
    CopyTarget, ListAt, Lists, Placed, Window, clear_checked, copy_out, put_parts, window,
};
use io_shared_core::slot::{Guard, Loan};
use io_shared_core::{Message, Result};

pub use crate::legacy::LegacyBytes;
pub use crate::service::unbound::{
    Ticket, end_client_waits_at_signals, end_server_waits_at_signals, lend_answer_again,
    lend_question_again, poll_answer, reply_of, take_question,
};
use crate::{Consumer, Producer, legacy};

/// Waits for a value, as [`Consumer::get_timeout`] does, and copies pieces of it to `target` while
/// its producer is still writing them. [`copy_out`] copies the rest. Without a `timeout` it waits
/// for ever.
///
/// # Errors
/// The errors of [`Consumer::get_timeout`]. Bytes may have been written to `target` nevertheless.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-get-into-{}", std::process::id());
/// # let channel = || io_shared::Channel::<[u8]>::named(name).elements(4);
/// # let mut producer = channel().producer()?;
/// # let mut consumer = channel().consumer()?;
/// use io_shared::binding::{self, CopyTarget};
/// producer.put(b"head")?;
/// let mut bytes = [std::mem::MaybeUninit::uninit(); 4];
/// let mut target = CopyTarget::new(0, &mut bytes);
/// let guard = binding::get_into(&mut consumer, &mut target, None)?;
/// assert!(binding::copy_out(&guard, target)); // now all bytes are written
/// # io_shared::Channel::remove(name)
/// # }
/// ```
#[inline]
pub fn get_into<'c, T: Message + ?Sized>(
    consumer: &'c mut Consumer<T>,
    target: &mut CopyTarget<'_>,
    timeout: Option<Duration>,
) -> Result<Guard<'c, T>> {
    consumer.get_into(target, timeout)
}

/// Lends the buffer of the last loan again, which was dropped and not put: at the same address, and
/// with what was written there, also if the channel was replaced meanwhile. If the producer has put
/// something else since, it is another buffer.
///
/// # Errors
/// The errors of [`Producer::loan_len`]; here, the channel never grows.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-lend-again-{}", std::process::id());
/// use io_shared::{Channel, binding};
/// let mut producer = Channel::<[u8]>::named(name).elements(4).producer()?;
/// producer.loan_len(4)?.copy_from_slice(b"head"); // dropped, as where C fills a loan
/// Channel::remove(name)?;
/// assert_eq!(binding::lend_again(&mut producer, 4)?.put()?, 1);
/// assert_eq!(*io_shared::Channel::<[u8]>::named(name).consumer()?.get()?, *b"head");
/// # Channel::remove(name)
/// # }
/// ```
pub fn lend_again(producer: &mut Producer<[u8]>, length: usize) -> Result<Loan<'_, [u8]>> {
    producer.lend_again(length)
}

/// From now on a wait of this consumer also ends with
/// [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted) when a signal handler without
/// `SA_RESTART` has run in the thread that sleeps. A handler that ran before the thread fell asleep
/// is not noticed: wait in slices.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-end-at-signals-{}", std::process::id());
/// let speed = io_shared::consumer::<f64>(name)?;
/// io_shared::binding::end_waits_at_signals(&speed);
/// # io_shared::remove(name)
/// # }
/// ```
pub fn end_waits_at_signals<T: Message + ?Sized>(consumer: &Consumer<T>) {
    consumer.end_waits_at_signals();
}

/// Puts a `.npy` file in parts, the first of which has the header. `timeout`: gives up before the
/// lock timeout.
///
/// # Errors
/// Those of [`legacy::Producer::put_npy`], and [`ErrorKind::Timeout`](crate::ErrorKind::Timeout)
/// before the lock counts as stuck.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let name = &format!("/doc-put-legacy-{}", std::process::id());
/// use io_shared::{Array, binding, legacy::Share};
/// let npy = Array::to_bytes("|u1", &[2], &[17, 4])?;
/// let (header, elements) = npy.split_at(128);
/// let mut masks = Share::named(name).size(4096).producer()?;
/// binding::put_legacy(&mut masks, &[header, elements], None)?;
/// assert_eq!(Share::named(name).consumer()?.get()?.data, [17, 4]);
/// # for file in ["", "sem.", "_np"] {
/// #     let (before, after) = if file == "_np" { ("sem.", "_np") } else { (file, "") };
/// #     std::fs::remove_file(format!("/dev/shm/{before}{}{after}", &name[1..]))?;
/// # }
/// # Ok(()) }
/// ```
pub fn put_legacy(
    producer: &mut legacy::Producer,
    parts: &[&[u8]],
    timeout: Option<Duration>,
) -> Result<()> {
    producer.put_parts(parts, timeout)
}
