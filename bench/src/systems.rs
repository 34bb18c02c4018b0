//! The list of all systems that are measured.

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
