//! Core.
#![deny(missing_docs)]

mod claim;
pub mod clock;
#[cfg(feature = "crash-points")]
pub mod crash_point;
#[cfg(not(feature = "crash-points"))]
mod crash_point;
mod error;
mod fork;
mod futex;
mod layout;
pub mod message;
mod name;
#[doc(hidden)]
pub mod private;
mod protocol;
mod region;
pub mod schema;
mod size;
pub mod slot;
pub mod text;

pub use error::{Error, ErrorKind, Holder, Result};
pub use message::Message;
pub use name::Name;
pub use region::{Role, Spec};
pub use schema::Schema;
pub use size::Size;
pub use slot::{Slot, Which, remove};
pub use text::Text;
