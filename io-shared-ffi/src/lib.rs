//! The C ABI of io-shared: channels, observers and locked mmaps for C, C++, Python and whatever else
//! calls C. The header is `include/io_shared.h`, made from what is here.
//!
//! The rules of every function:
//! - It gives a status, [`IOS_OK`](ios_status::IOS_OK) or why not; [`ios_last_error`] has the text of
//!   the last failure of the calling thread. What a function gives out comes through its last
//!   parameters, which are left alone when it fails, unless it says otherwise.
//! - Handles are opaque, and closed or dropped once, by the function for it; that of NULL does
//!   nothing. A NULL where one is needed is `IOS_NULL`. Loans, guards and values are owned: they keep
//!   the shared memory and the role alive by themselves, also after their handle was closed.
//! - A handle is used by one thread at a time; a second one is told `IOS_IN_USE`. Closing is what no
//!   other thread may be in the middle of. Guards may be read by many threads.
//! - Timeouts are nanoseconds: negative for as long as it takes, 0 to try.
//! - Texts are UTF-8 (paths are bytes) and end in a zero; a text that is given out is freed by
//!   [`ios_text_free`].
//! - No panic crosses: it is `IOS_PANIC`.
//!
//! What must stay true: a pointer from C becomes a reference in `pointer.rs` alone, but for the lock
//! guards of `mmap.rs`; and nothing that holds a loan or a guard lets go of the memory under it.

#![allow(non_camel_case_types, reason = "these are C's names, in the header as they stand here")]

mod handle;
mod pointer;

// In the order of the header.
mod status;

mod words;

mod options;

mod producer;

mod consumer;

mod guard;

mod observer;

mod mmap;

mod c_struct;

mod array;

mod warnings;

pub use array::*;
pub use c_struct::*;
pub use consumer::*;
pub use guard::*;
pub use mmap::*;
pub use observer::*;
pub use options::*;
pub use pointer::{ios_copy, ios_text_free};
pub use producer::*;
pub use status::*;
pub use warnings::*;
pub use words::ios_words;

/// The version of this ABI: raised when programs that were built against an older header cannot use
/// the library any longer.
pub const IOS_ABI_VERSION: u32 = 1;

/// The library's `IOS_ABI_VERSION`, to be compared with the header's.
#[unsafe(no_mangle)]
pub extern "C" fn ios_abi_version() -> u32 {
    IOS_ABI_VERSION
}
