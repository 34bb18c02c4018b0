#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

#[doc(hidden)]
pub use io_shared_channel::private;
pub use io_shared_channel::*;
pub use io_shared_core::mmap::{Bytes, BytesMut, LockError};
pub use io_shared_core::{Place, RwSharedMmap, Shared, SharedMmap, UnsafeSharedMmap, mmap};
pub use io_shared_derive::Message;
