//! Programs on one machine hand each other typed data through shared memory as if by assignment: one
//! puts, another gets.
//!
//! - [`Channel`]: a named single slot. A [`Producer`] puts, [`Consumer`]s get the newest value where
//!   it lies, an [`Observer`] looks on.
//! - [`wait_any`]: waits for any of many consumers. With the feature `async`, a consumer's
//!   `into_async()` gives gets that are awaited.
//! - [`Message`]: what may cross; `#[derive(Message)]` on `repr(C)` structs, also on those that end in
//!   a slice.
//! - [`Array`]: the message that carries an array of any dtype and shape, as NumPy saves it; with the
//!   feature `ndarray`, views of that crate are put and read where they lie.
//! - [`Shared`]: a typed value that many programs read and change; [`SharedMmap`] and
//!   [`RwSharedMmap`]: bytes under a lock, used like files; [`UnsafeSharedMmap`]: the bytes of any
//!   object as they are.
//! - [`Error`]: what happened, on which name, and what to do next; matched on by [`ErrorKind`].
//!
//! ```
//! # fn main() -> io_shared::Result<()> {
//! # let name = &format!("/doc-crate-{}", std::process::id());
//! let mut speed = io_shared::producer::<f64>(name)?; // in one program
//! let mut display = io_shared::consumer::<f64>(name)?; // in another, started before or after
//! speed.put(&13.9)?;
//! assert_eq!(*display.get()?, 13.9);
//! # io_shared::Channel::remove(name)
//! # }
//! ```
//!
//! Nothing has to be cleaned up, whoever is killed when. The README says what is guaranteed and when
//! not to use this; DESIGN.md says why it is built as it is, docs/PROOF.md how it is known to work.

#![forbid(unsafe_code)]

#[doc(hidden)]
pub use io_shared_channel::private;
pub use io_shared_channel::*;
pub use io_shared_core::mmap::{self, Bytes, BytesMut, LockError};
pub use io_shared_core::{RwSharedMmap, Shared, SharedMmap, UnsafeSharedMmap};
pub use io_shared_derive::Message;

/// The README's examples, run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
