//! Regions, claims, single slots and messages: the base of io-shared, and the only home of its
//! `unsafe`.
//!
//! Users add the crate [`io-shared`](https://docs.rs/io-shared). This one is for code that builds
//! something else on slots, such as bindings for another language. A slot hands the newest value of
//! one type from a producer to consumers and observers in other processes:
//!
//! ```
//! use io_shared_core::{Kind, Location, Message, Name, Slot, Spec, Which};
//! # fn main() -> io_shared_core::Result<()> {
//! # let name = format!("/doc-front-page-{}", std::process::id());
//! let location = Location::from(Name::new(&name)?);
//! let spec = Spec { schema: Some(u64::schema()), capacity: Some(8), ..Spec::default() };
//! let mut producer = Slot::producing(&location, &spec)?;
//! let mut consumer = Slot::consuming(&location, None, &spec)?;
//!
//! let mut loan = producer.loan::<u64>(0)?;
//! *loan = 42;
//! loan.put()?;
//! let value = consumer.acquire::<u64>(Which::Unseen, |_, nothing| nothing.map(|()| false))?;
//! assert_eq!(value.as_deref(), Some(&42));
//! # drop(value);
//! # io_shared_core::remove(&location, Kind::Channel)
//! # }
//! ```
//!
//! # Modules
//!
//! A module uses those above it in this list, and none below:
//!
//! - `os` wraps what the operating system offers: who is alive (`claim`), whether the process
//!   forked, the [`clock`], futexes, files, and [copies](copy) of large values.
//! - [`message`] says what may cross between processes ([`Message`]), describes it ([`Schema`]),
//!   and has the messages that are a NumPy array ([`Array`]) and a text ([`Text`]).
//! - [`Error`] is the one error type, with an [`ErrorKind`] for programs and a text for people.
//! - `protocol` puts to a slot and gets from it; `lock` lets in one writer or many readers. Both
//!   are generic over their platform, and the model checker runs them as they are (`model`).
//! - `region` is the shared memory at a [`Location`]: it is created whole, validated when it is
//!   opened, and removed so that everyone notices. [`inspect`] lists what is there.
//! - [`Slot`] is a slot opened in one role, and the only place where shared memory becomes
//!   references. [`binding`] is what bindings for other languages need of it.
//! - [`mmap`] has bytes and typed state under a lock ([`SharedMmap`], [`RwSharedMmap`],
//!   [`Shared`]), and bytes without one ([`UnsafeSharedMmap`]). `legacy` has the objects of the
//!   package that this project began as.
//!
//! # Safety
//!
//! No sequence of safe calls yields a reference to memory that a conforming process may write
//! meanwhile, nor to memory outside a region, whatever the region's bytes are.

pub mod binding;
#[cfg(feature = "crash-points")]
pub mod crash_point;
#[cfg(not(feature = "crash-points"))]
mod crash_point;
mod error;
#[doc(hidden)] // for the channel crate
pub mod legacy;
mod lock;
pub mod message;
pub mod mmap;
#[cfg(test)]
mod model;
mod os;
mod protocol;
mod region;
pub mod slot;

pub use error::{Error, ErrorKind, Holder, Result};
pub use message::array::{self, Array};
#[doc(hidden)]
pub use message::private;
pub use message::schema::{self, Schema};
pub use message::text::{self, Text};
pub use message::value::{self, Value};
pub use message::{DurationNs, List, ListData, Message, NdList, SystemTimeNs};
pub use mmap::{RwSharedMmap, Shared, SharedMmap, UnsafeSharedMmap};
#[doc(hidden)] // for the channel crate
pub use os::long_wait::LongWait;
#[doc(hidden)] // for the channel crate
pub use os::nap::nap;
pub use os::per_process::PerProcess;
pub use os::{clock, copy};
pub use region::inspect;
pub use region::{Kind, Location, Name, Place, Role, Size, Spec};
pub use slot::{Slot, Which, remove};
