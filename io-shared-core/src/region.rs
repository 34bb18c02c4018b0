//! The shared memory under a channel: mapped, validated, and claimed by one handle.
//!
//! A region lies at a [`Location`]. `attach.rs` opens it: it looks for a `candidate.rs`, has it
//! compared with what the program wants (`validate.rs`), maps it (`map.rs`) and claims a role in it
//! (`role.rs`), or waits for it (`role_wait.rs`); or it makes a new one by a plan (`plan.rs`,
//! `create.rs`) in a file that appears whole or not at all (`hidden_file.rs`, `space.rs`).
//! `remove.rs` takes the name away, and `exchange.rs` gives it to a larger region; `line.rs` finds
//! those that a channel had before. The order of steps in joining, removing and exchanging is
//! `link_protocol.rs`, which the model checker runs.
//!
//! A mapped region (`mapped.rs`) has its numbers from `layout.rs`. `words.rs` gives the protocol
//! and the lock their words in it, `blocks.rs` reads and writes who has a role, `reboot.rs` judges
//! what a reboot left of a file, and `watch.rs` notices that the name leads elsewhere. The slots
//! and the locked mmaps are the callers. `inspect.rs` looks at regions without opening them.
//!
//! A file imports only files that stand above it in the list below.

mod buffers;
mod cause;
mod domain;
mod layout;
pub(crate) mod link_protocol;
mod name;
mod region_lock;
mod size;

mod location;
mod mapped;
mod refuse;
mod removal;
mod space;
mod spec;

mod blocks;
mod hidden_file;
mod history;
mod line;
mod plan;
mod pool;
mod reboot;
mod watch;
mod words;

mod candidate;
mod map;
mod origin;
mod role;
mod validate;

mod create;
mod remove;
mod role_wait;

mod attach;
mod exchange;
pub mod inspect;

pub(crate) use attach::{attach, warn_of_missing};
pub(crate) use cause::of_refused_removal;
pub(crate) use hidden_file::HiddenFile;
pub use layout::Kind;
pub use location::Location;
pub(crate) use mapped::Region;
pub use name::Name;
pub(crate) use reboot::sum;
pub(crate) use refuse::{refuse_magic, refuse_region};
pub(crate) use remove::remove;
pub(crate) use role::Side;
pub use size::Size;
pub(crate) use space::{allocate, check_file_size_limit};
pub use spec::{Place, Role, Spec};
pub(crate) use watch::Watch;
