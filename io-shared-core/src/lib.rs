//! Regions, claims, single slots and messages: what io-shared stands on, and the one home of its
//! `unsafe`.
//!
//! Users add the crate `io-shared`; this one is for those who build other things on slots. From the
//! bottom up:
//!
//! - `os`: what the operating system offers, wrapped once: who is alive (`claim`), whether the process
//!   forked, the [`clock`], futexes, how large messages are [copied](copy).
//! - [`message`]: what may cross ([`Message`]), its description ([`Schema`]), and the message that
//!   carries a NumPy array ([`Array`]).
//! - `protocol`: how a slot is put to and got from; `lock`: who may write and who reads. Both are
//!   generic over their platform, and run by the model checker as they are (`model`).
//! - `region`: shared memory in a [`Location`], created whole, validated when opened, removed so that
//!   everyone notices.
//! - [`Slot`]: a slot opened in one role, and the one place where shared memory becomes references.
//! - [`binding`]: what bindings of other languages need of slots.
//! - [`mmap`]: bytes and typed state under a lock, and bytes without.
//!
//! A module uses those above it in this list, and none below.
//!
//! No sequence of safe calls yields a reference to memory that a conforming process may write
//! meanwhile, nor one outside a region, whatever the region's bytes are.

pub mod binding;
#[cfg(feature = "crash-points")]
pub mod crash_point;
#[cfg(not(feature = "crash-points"))]
mod crash_point;
mod error;
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
pub use message::Message;
pub use message::array::{self, Array};
#[doc(hidden)]
pub use message::private;
pub use message::schema::{self, Schema};
pub use message::text::{self, Text};
pub use mmap::{RwSharedMmap, Shared, SharedMmap, UnsafeSharedMmap};
#[doc(hidden)] // for the channel crate
pub use os::long_wait::LongWait;
#[doc(hidden)] // for the channel crate
pub use os::nap::nap;
pub use os::per_process::PerProcess;
pub use os::{clock, copy};
pub use region::{Kind, Location, Name, Role, Size, Spec};
pub use slot::{Slot, Which, remove};
