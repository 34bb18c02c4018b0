//! Regions, claims, single slots and messages: what io-shared stands on, and the one home of its
//! `unsafe`.
//!
//! Users add the crate `io-shared`; this one is for those who build other things on slots. From the
//! bottom up:
//!
//! - [`Name`] and [`Size`]: what people write.
//! - [`Place`]: a name, a file, or a descriptor.
//! - `region`: shared memory in a place, created whole, validated when opened, removed so that
//!   everyone notices; `claim`: who is alive.
//! - `protocol`: how a slot is put to and got from, generic over its platform, and run by the model
//!   checker as it is.
//! - [`Slot`]: a slot opened in one role, and the one place where shared memory becomes references.
//! - `lock`: who may write and who reads, generic over its platform too; [`mmap`]: bytes and typed
//!   state under it, and bytes without.
//! - [`copy`]: how large messages are copied.
//! - [`Message`] and [`Schema`]: what may cross, and its description; [`Array`]: the message that
//!   carries a NumPy array.
//!
//! No sequence of safe calls yields a reference to memory that a conforming process may write
//! meanwhile, nor one outside a region, whatever the region's bytes are.

pub mod array;
mod claim;
pub mod clock;
pub mod copy;
#[cfg(feature = "crash-points")]
pub mod crash_point;
#[cfg(not(feature = "crash-points"))]
mod crash_point;
mod error;
mod fork;
mod futex;
mod layout;
mod lock;
pub mod message;
pub mod mmap;
#[cfg(test)]
mod model;
mod name;
mod per_process;
mod place;
#[doc(hidden)]
pub mod private;
mod protocol;
mod region;
pub mod schema;
mod size;
pub mod slot;
pub mod text;

pub use array::Array;
pub use error::{Error, ErrorKind, Holder, Result};
pub use message::Message;
pub use mmap::{RwSharedMmap, Shared, SharedMmap, UnsafeSharedMmap};
pub use name::Name;
pub use per_process::PerProcess;
pub use place::Place;
pub use region::{Kind, Role, Spec};
pub use schema::Schema;
pub use size::Size;
pub use slot::{Slot, Which, remove};
pub use text::Text;
