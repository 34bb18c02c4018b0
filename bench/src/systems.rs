//! All systems that are measured.

mod bare;
#[cfg(feature = "peers")]
mod iceoryx2;
mod io_shared;
#[cfg(feature = "peers")]
mod ipc_channel;
mod pipe;
mod protocol;
mod socket;
#[cfg(feature = "peers")]
pub(crate) mod threads;

use crate::system::Entry;

/// The limit that io-shared is judged against: `bare.rs` says why this one.
pub(crate) const BARE: &str = "bare, three buffers";
pub(crate) const BARE_BUFFER: &str = "bare, one buffer";
/// What the protocol alone costs.
pub(crate) const PROTOCOL: &str = "bare, the protocol";
pub(crate) const BARE_LINE: &str = "bare, in the line";
pub(crate) const IO_SHARED: &str = "io-shared";
pub(crate) const LOOKING: &str = "io-shared, try_get";
pub(crate) const NO_STAMPS: &str = "io-shared, no stamps";
pub(crate) const ICEORYX2: &str = "iceoryx2";

pub(crate) const ALL: &[Entry] = &[
    Entry::of::<bare::InLine>(),
    Entry::of::<bare::OneBuffer>(),
    Entry::of::<bare::ThreeBuffers>(),
    Entry::of::<protocol::Protocol>(),
    Entry::of::<io_shared::Stamped>(),
    Entry::of::<io_shared::Unstamped>(),
    Entry::of::<io_shared::Looking>(),
    #[cfg(feature = "peers")]
    Entry::of::<iceoryx2::Iceoryx2>(),
    #[cfg(feature = "peers")]
    Entry::of::<ipc_channel::IpcChannel>(),
    Entry::of::<socket::UnixSocket>(),
    Entry::of::<pipe::Pipe>(),
];

pub(crate) fn named(name: &str) -> Option<Entry> {
    ALL.iter().copied().find(|entry| entry.name == name)
}
