//! The seam for language bindings: what the typed handles leave out, because Rust programs do
//! better without it.
//!
//! A binding copies messages to memory that its language owns, puts messages that lie in several
//! pieces, and lends buffers by address to code that no borrow checker follows. `io-shared-ffi`
//! uses this module for the C library, and the Python package uses it through that library.
//! Programs in Rust read values through a [`Guard`](crate::slot::Guard) and fill a
//! [`Loan`] in place.
//!
//! | function | what it does |
//! |---|---|
//! | `get_into` (in `io_shared_channel`) | waits for a value, and copies pieces of it meanwhile |
//! | [`read_ahead`] | copies the pieces that the producer has written so far |
//! | [`copy_out`] | copies the rest of the value to the [`CopyTarget`] |
//! | [`put_parts`] | fills a loan with several slices, one after the other, and publishes it |
//! | [`clear_checked`] | zeroes the part of a loan that may be no value of its type |
//! | [`window`] | maps a loan's bytes a second time, at an address that outlives the loan |
//! | [`Lists`] | finds and lays out the lists of a message by its schema |
//!
//! What callers must keep:
//!
//! - The bytes of a [`CopyTarget`] are worthless until [`copy_out`] returns `true`: what was read
//!   ahead may belong to a value that was never published.
//! - Whoever hands out the address of a [`Window`] keeps the window for as long as anybody may use
//!   that address, and [severs](Window::sever) it before the producer lends the buffer again, if
//!   somebody may still write to it.

mod copy_target;
mod lists;

use std::sync::Arc;

pub use crate::message::placed::ListAt;
pub use crate::slot::window::Window;
pub use copy_target::{CopyTarget, copy_out, read_ahead};
pub use lists::{Lists, Placed};

use crate::error::Result;
use crate::message::Message;
use crate::slot::Loan;

/// Copies `parts` into the loan, one after the other, and publishes it. Consumers may read a large
/// message ahead during the copy, and sleepers are woken before its end. Returns the value's
/// number.
///
/// # Errors
/// The errors of [`Loan::put`].
///
/// # Panics
/// If the parts together are not as long as the message that the loan was opened for.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-put-parts-{}", std::process::id());
/// use io_shared::{Channel, binding};
/// let mut producer = Channel::<[u8]>::named(name).elements(9).producer()?;
/// let mut consumer = Channel::<[u8]>::named(name).consumer()?;
/// binding::put_parts(producer.loan_len(9)?, &[b"head", b"cloud"])?;
/// assert_eq!(*consumer.get()?, *b"headcloud");
/// # Channel::remove(name)
/// # }
/// ```
#[inline]
pub fn put_parts<T: Message + ?Sized>(loan: Loan<'_, T>, parts: &[&[u8]]) -> Result<u64> {
    loan.put_parts(parts)
}

/// Sets the part of the message that must be checked by the channel's schema to 0, as it is in a
/// loan of a type in Rust: the fields, if a `bool` or an enum is among them, and a tail that has
/// some. The bytes of an older message may be no value of theirs.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # use io_shared_core::Message;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-clear-checked-{}", std::process::id());
/// use io_shared::{Channel, binding};
/// let flags = Channel::<[u8]>::named(name).schema(<[bool]>::schema());
/// let mut producer = flags.capacity(4).producer()?;
/// let mut loan = producer.loan_len(4)?;
/// loan.fill(7); // as another program may have left it
/// binding::clear_checked(&mut loan);
/// assert_eq!(*loan, [0; 4]);
/// # Channel::remove(name)
/// # }
/// ```
#[inline]
pub fn clear_checked(loan: &mut Loan<'_, [u8]>) {
    loan.clear_checked();
}

/// Maps the loan's bytes a second time, at an address that stays mapped as long as the [`Window`]:
/// for callers that cannot prove who still has the address. Later loans of the same buffer share
/// the window until it is [severed](Window::sever).
///
/// # Errors
/// [`ErrorKind::System`](crate::ErrorKind::System) if the kernel refuses a second mapping, or the
/// process has no address space for it.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-window-{}", std::process::id());
/// use io_shared::{Channel, binding};
/// let mut producer = Channel::<[u8]>::named(name).elements(5).producer()?;
/// let mut consumer = Channel::<[u8]>::named(name).consumer()?;
/// let mut loan = producer.loan_len(5)?;
/// let window = binding::window(&mut loan)?;
/// let address = window.as_mut_ptr();
/// unsafe { address.copy_from(b"hello".as_ptr(), 5) };
/// loan.put()?;
/// assert_eq!(*consumer.get()?, *b"hello");
/// window.sever(name)?; // somebody has kept the address
/// unsafe { address.write(b'J') };
/// assert_eq!(consumer.latest()?.as_deref(), Some(&b"hello"[..]));
/// # Channel::remove(name)
/// # }
/// ```
pub fn window(loan: &mut Loan<'_, [u8]>) -> Result<Arc<Window>> {
    loan.window()
}
