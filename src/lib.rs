//! Facade.
#![forbid(unsafe_code)]

pub use io_shared_channel::*;
#[doc(hidden)]
pub use io_shared_channel::private;
pub use io_shared_derive::Message;
