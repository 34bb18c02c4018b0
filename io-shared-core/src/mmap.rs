//! Shared bytes: as they are, under a lock, under a reader-writer lock, and as a typed value.
//!
//! | type | guarded by | in memory |
//! |---|---|---|
//! | [`UnsafeSharedMmap`] | nothing | the object itself, as C and Python programs map it |
//! | [`SharedMmap`] | one lock | a region with a header, a lock and the bytes |
//! | [`RwSharedMmap`] | a lock for one writer or many readers | the same |
//! | [`Shared<T>`] | the same | the same, with `T`'s schema |
//!
//! All are opened through [`MmapOptions`], and the first three are used like files. The locked ones
//! give access only through a guard, so that nobody reaches bytes without the lock. Only guards
//! hand out references, for as long as the lock keeps everyone else away.

mod bytes;
mod guard;
mod handle;
mod lock_error;
mod locked;
mod object;
mod options;
mod racing_copy;
mod state;
mod unguarded;

pub use bytes::{Bytes, BytesMut};
pub use guard::{MmapGuard, MmapReadGuard};
pub use lock_error::{LockError, LockResult};
pub use locked::{RwSharedMmap, SharedMmap};
pub use options::{Mmap, MmapOptions};
pub use state::{Shared, StateBytes, StateGuard, StateReadGuard};
pub use unguarded::UnsafeSharedMmap;
