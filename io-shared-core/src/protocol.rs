//! The protocol of one slot: how a value gets from its producer to its consumers.
//!
//! A slot is a pool of buffers and one word, `latest`, which names the buffer of the newest value.
//! - **Put.** The producer picks a buffer that is neither the latest nor held ([`Producer::loan`]),
//!   fills it, and makes `latest` name it by one compare-exchange ([`Producer::publish`]). Then it
//!   wakes the consumers that sleep ([`Producer::wake`]).
//! - **Get.** A consumer publishes a hazard pointer: it stores the buffer that `latest` names in
//!   one of its held entries, passes a fence, and looks at `latest` again ([`Consumer::protect`]).
//!   If `latest` still names the buffer, the producer leaves that buffer alone while the entry
//!   names it. Small values need no hazard pointer: a copy is stored inline, in the cache line of
//!   `latest`, under a sequence lock ([`Consumer::read_inline`]).
//! - **Observe.** An observer stores nothing. It copies, and checks afterwards that the buffer's
//!   sequence has not changed ([`watch`]).
//! - **History.** Whoever asks for the values before the newest has buffers added for them, and the
//!   producer then takes the one that it used longest ago (`history`).
//! - **Join.** A consumer brings a buffer for each value that it may hold: it has the pool extended
//!   before it takes a slot (`pool`).
//! - **Death.** Whoever takes a role or a consumer's slot over first counts itself there, so that a
//!   predecessor that is still alive learns of it. Every store is such that the process may die
//!   right after it.
//!
//! This is the source that ships. It is generic over [`Words`], the shared words of one slot, so
//! that the same lines run over mapped memory and, in `model/protocol.rs`, over loom's atomics.
//! Nothing here knows of names, mappings, types or time. Each ordering is argued where it stands;
//! `docs/PROOF.md` lists what each one is for, and which scenario fails when it is weakened.
//!
//! What must stay true:
//! - A buffer that `latest` names, or that a validated held entry names, is not written.
//! - Each shared word has one writer at a time. `latest` and the buffers are the producer's. A
//!   consumer's block, and its bits among those that sleep, are its own, or belong to whoever has
//!   won its claim. The words of the pool are written under the region's lock.
//! - Every index read from shared memory is checked against the pool before it is used.
//!
//! The files: `words` (the platform), `latest`, `inline`, `ahead`, `pool`, `history` and `asleep`
//! are data; `producer`, `consumer` and `observer` act on them.

mod ahead;
mod asleep;
mod consumer;
mod history;
mod inline;
mod latest;
mod observer;
mod pool;
mod producer;
mod words;

pub(crate) use ahead::Ahead;
#[cfg(test)]
pub(crate) use asleep::is_asleep;
pub use consumer::Which;
pub(crate) use consumer::{Consumer, Protected, Seat, sleep_any};
pub(crate) use history::{end_history, keep_history, oldest_after, tagged};
pub(crate) use inline::InlineRead;
pub(crate) use latest::{Fault, Latest};
pub(crate) use observer::{Watched, watch};
pub(crate) use pool::{entries, extend, history, join, needed};
pub(crate) use producer::Producer;
pub(crate) use words::{
    Bits, Exchange, Header, Inline, MAX_INLINE_WORDS, MOST_BUFFERS, MOST_HOLDS, OWN_BUFFERS, Word,
    Words,
};
