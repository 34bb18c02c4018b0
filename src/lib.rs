//! Facade.
#![forbid(unsafe_code)]

#[doc(hidden)]
pub use io_shared_core::private;
pub use io_shared_core::{Message, Schema, Text};
pub use io_shared_derive::Message;
