//! The C ABI of io-shared: channels, observers, services and locked mmaps for C, C++, Python and
//! any other language that can call C. The header `include/io_shared.h` is generated from this
//! crate.
//!
//! The rules of every function:
//! - It returns a status: [`IOS_OK`](ios_status::IOS_OK), or why it failed. [`ios_last_error`] has
//!   the text of the calling thread's last failure. Results are written through the last
//!   parameters, and only on success, unless the function says otherwise.
//! - Handles are opaque. Each is closed or dropped once, by its own function; closing NULL does
//!   nothing. NULL where a pointer is needed is `IOS_NULL`. Loans, guards and values are owned:
//!   they keep the shared memory and the role alive, also after their handle is closed.
//! - One thread at a time uses a handle; a second thread gets `IOS_IN_USE`. No other thread may be
//!   using a handle that is being closed. Many threads may read guards.
//! - Timeouts are in nanoseconds: negative waits for ever, 0 only tries.
//! - Texts are UTF-8 (paths are bytes) and end in a zero. The caller frees a text that it was given
//!   to keep with [`ios_text_free`].
//! - No panic reaches C: it becomes `IOS_PANIC`.
//!
//! What must stay true: a pointer from C becomes a reference in `pointer.rs` alone, and nothing
//! that owns a loan or a guard lets go of the memory under it.

#![allow(
    non_camel_case_types,
    non_upper_case_globals,
    reason = "these are C's names, as they stand in the header"
)]

mod call;
mod handle;
mod lender;
mod lists;
mod pointer;
mod served;

// In the order of the header.
mod memory;

mod state;
mod status;

mod words;

mod options;

mod producer;

mod label;
mod loan;

mod process;

mod consumer;

mod interrupt;

mod guard;

mod observer;

mod field;

mod list;

mod client;

mod server;

mod question;

mod mmap;

mod mmap_guard;

mod c_type;

mod c_struct;

mod array;

mod warnings;

mod inspect;

mod ros;

mod legacy;

pub use array::*;
pub use c_struct::*;
pub use c_type::*;
pub use client::*;
pub use consumer::*;
pub use field::*;
pub use guard::*;
pub use inspect::*;
pub use interrupt::*;
pub use label::IOS_NOW;
pub use legacy::*;
pub use lender::ios_loan;
pub use list::*;
pub use loan::*;
pub use memory::{ios_copy, ios_text_free};
pub use mmap::*;
pub use mmap_guard::*;
pub use observer::*;
pub use options::*;
pub use process::*;
pub use producer::*;
pub use question::*;
pub use ros::*;
pub use server::*;
pub use state::*;
pub use status::*;
pub use warnings::*;
pub use words::ios_words;

/// The version of this ABI. It changes when programs that were built against an older header can no
/// longer use the library.
pub const IOS_ABI_VERSION: u32 = 2;

/// The library's `IOS_ABI_VERSION`, to compare with the header's.
#[unsafe(no_mangle)]
pub extern "C" fn ios_abi_version() -> u32 {
    IOS_ABI_VERSION
}
