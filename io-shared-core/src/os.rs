//! What the operating system and the processor offer, wrapped once.
//!
//! Nothing here knows of regions, channels or messages. [`claim`] proves who is alive, and [`fork`]
//! notices that a process was copied. `file` opens files so that their descriptors are safe to
//! keep. [`clock`] tells the time, `clock_id` says whose time it is, and `nap` lets it pass.
//! [`futex`] waits for a word to change, and `long_wait` reports waits of over a second. `pace`
//! says when whoever is not woken looks again. [`copy`] copies large values. `per_process` keeps
//! values that each process has once. `semaphore` is a POSIX named semaphore of the C library.

pub(crate) mod claim;
pub mod clock;
pub(crate) mod clock_id;
pub mod copy;
pub(crate) mod file;
pub(crate) mod fork;
pub(crate) mod futex;
pub(crate) mod long_wait;
pub(crate) mod nap;
pub(crate) mod pace;
pub(crate) mod per_process;
pub(crate) mod semaphore;
