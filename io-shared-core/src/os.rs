//! What the operating system and the processor offer, wrapped once.
//!
//! Nothing here knows of regions, channels or messages. [`claim`] proves who is alive, [`futex`]
//! waits, `fork` notices that a process was copied, `file` opens files so that descriptors are safe
//! to keep, [`clock`] tells the time, `nap` lets it pass, `long_wait` tells of waits of over a
//! second, [`copy`] copies large values, `per_process` keeps what there is one of in a process.

pub(crate) mod claim;
pub mod clock;
pub mod copy;
pub(crate) mod file;
pub(crate) mod fork;
pub(crate) mod futex;
pub(crate) mod long_wait;
pub(crate) mod nap;
pub(crate) mod per_process;
