//! Programs on one machine share typed data through shared memory as if by assignment: one puts a
//! value, others get the newest.
//!
//! ```
//! # fn main() -> io_shared::Result<()> {
//! # let name = &format!("/doc-crate-{}", std::process::id());
//! let mut speed = io_shared::producer::<f64>(name)?; // in one program
//! let mut display = io_shared::consumer::<f64>(name)?; // in another, started before or after
//! speed.put(&13.9)?;
//! assert_eq!(*display.get()?, 13.9);
//! # io_shared::remove(name)
//! # }
//! ```
//!
//! The newest value wins: a put never waits, and a consumer that is late misses values, but never
//! sees an old or a torn one. Nothing has to be cleaned up, whichever program is killed when.
//!
//! # Channels
//!
//! - [`producer`] and [`consumer`] open a channel with its defaults; [`Channel`] is the builder
//!   with all options; [`remove`] removes a channel, as one removes a file.
//! - A [`Producer`] puts a copy ([`put`](Producer::put)), or lends the buffer to fill in place
//!   ([`loan`](Producer::loan), a [`Loan`]).
//! - A [`Consumer`] borrows the newest value where it lies ([`get`](Consumer::get), a [`Guard`] or
//!   [`OwnedGuard`]), or copies it ([`Guard::to_copy`], a [`Copied`]).
//! - An [`Observer`] looks on: it takes no slot and needs only read permission.
//! - [`wait_any`] waits for any of many consumers and returns which are [`Ready`]. With the feature
//!   `async`, `Consumer::into_async` makes an `AsyncConsumer`, whose gets are awaited.
//!
//! # Services
//!
//! - [`Service`] is the builder of a [`Client`], which calls, and of the [`Server`], which answers:
//!   each call returns the [`Answer`] to exactly its own [`Question`].
//!
//! # Messages
//!
//! - [`trait@Message`] is what may cross a process boundary. `#[derive(Message)]` implements it for
//!   `repr(C)` structs, also for those that end in a slice or have lists, and for enums without
//!   fields.
//! - [`List`] and [`NdList`] are fields of any length along one axis or several; [`ListData`] is
//!   the last field of a struct that has them. [`Text`] is a short string.
//! - [`SystemTimeNs`] and [`DurationNs`] are times, which convert from and to those of the standard
//!   library.
//! - [`Array`] carries an array of any dtype and shape, as NumPy saves it. With the feature
//!   `ndarray`, views of that crate are put and read where they lie.
//! - [`Schema`] describes a message to programs that do not have its Rust type, and a [`Value`] is
//!   one decoded by it, shown as YAML, JSON or CSV.
//!
//! # Shared state
//!
//! - [`Shared`] is a typed value that many programs read and change under a lock.
//! - [`SharedMmap`] and [`RwSharedMmap`] are bytes under a lock, used like files ([`Bytes`],
//!   [`BytesMut`]). [`LockError`] tells that the last holder of a lock was killed.
//! - [`UnsafeSharedMmap`] is the bytes of any shared memory object, without a lock.
//!
//! # What is there
//!
//! - [`inspect`] lists the regions in shared memory: what they are, and who uses them.
//! - [`legacy`] has the arrays and bytes of the Python package that this project began as, which
//!   may stay as it is on the other side.
//!
//! # Errors and names
//!
//! - [`Error`] names the channel, what happened, and what to do next. Match on its [`ErrorKind`];
//!   a [`Holder`] in it says who has a role.
//! - A [`Location`] is where a channel or mapping lies: a [`Name`], a file, or a descriptor. A
//!   [`Size`] is a number of bytes or a text such as `"5M"`.
//! - [`binding`] is the seam for bindings to other languages.
//!
//! # Further reading
//!
//! - [README](https://github.com/io-shared/io-shared#readme): what is guaranteed, how fast it is,
//!   and when not to use it.
//! - [ARCHITECTURE](https://github.com/io-shared/io-shared/blob/main/docs/ARCHITECTURE.md): how a
//!   put and a get work, from user code to the cache line, and a glossary.
//! - [RATIONALE](https://github.com/io-shared/io-shared/blob/main/docs/RATIONALE.md): why it is
//!   built as it is.
//! - [PROOF](https://github.com/io-shared/io-shared/blob/main/docs/PROOF.md): how it is known to
//!   work. [FAULTS](https://github.com/io-shared/io-shared/blob/main/docs/FAULTS.md): what holds
//!   when things go wrong, each with its test.

#![forbid(unsafe_code)]

#[doc(hidden)]
pub use io_shared_channel::private;
pub use io_shared_channel::*;
pub use io_shared_core::inspect;
pub use io_shared_core::mmap::{self, Bytes, BytesMut, LockError};
pub use io_shared_core::{RwSharedMmap, Shared, SharedMmap, UnsafeSharedMmap};
pub use io_shared_derive::Message;

/// The README's examples, run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

/// The guide's examples, run.
#[cfg(doctest)]
#[doc = include_str!("../docs/guide/first-channel.md")]
#[doc = include_str!("../docs/guide/messages.md")]
#[doc = include_str!("../docs/guide/arrays.md")]
#[doc = include_str!("../docs/guide/consumers.md")]
#[doc = include_str!("../docs/guide/waiting.md")]
#[doc = include_str!("../docs/guide/restarts.md")]
#[doc = include_str!("../docs/guide/services.md")]
#[doc = include_str!("../docs/guide/every-value.md")]
#[doc = include_str!("../docs/guide/files.md")]
#[doc = include_str!("../docs/guide/testing.md")]
#[doc = include_str!("../docs/guide/recording.md")]
mod guide {}
