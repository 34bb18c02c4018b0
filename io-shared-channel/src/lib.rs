//! Typed single-slot channels: one process puts values, others get the newest value where it lies.
//!
//! Users add the crate `io-shared`, which re-exports everything here. [`Channel`] is the builder of
//! [`Producer`], [`Consumer`] and [`Observer`]. [`wait_any`] waits for any of many consumers. This
//! crate adds types, waiting and reopening to the slots of `io-shared-core`. It has no unsafe code.
//!
//! What must stay true: a put never waits for a consumer. A wait ends at its deadline, with a
//! value, or with an error. A put or get makes no system call while nobody sleeps and the channel's
//! name was checked within the last 90 ms.

#![forbid(unsafe_code)]

mod any_consumer;
#[cfg(feature = "ndarray")]
mod arrays;
#[cfg(feature = "async")]
mod async_consumer;
pub mod binding;
mod channel;
mod consumer;
mod interrupter;
pub mod legacy;
mod long_wait;
mod named;
mod observer;
mod options;
mod producer;
mod ready_fd;
mod required_producer;
mod service;
mod since;
mod wait_any;
mod waiter;
mod waiting;

pub use any_consumer::AnyConsumer;
#[cfg(feature = "async")]
pub use async_consumer::AsyncConsumer;
pub use channel::{Channel, consumer, producer, remove};
pub use consumer::Consumer;
pub use interrupter::Interrupter;
#[doc(hidden)]
pub use io_shared_core::private;
pub use io_shared_core::slot::{Copied, Guard, Loan, OwnedGuard};
pub use io_shared_core::{
    Array, DurationNs, Error, ErrorKind, Holder, List, ListData, Location, Message, Name, NdList,
    Result, Schema, Size, SystemTimeNs, Text, Value, array, message, schema, value,
};
pub use named::AsName;
pub use observer::{Observer, Part};
pub use producer::Producer;
pub use service::{Answer, Client, Question, Reply, Server, Service};
pub use since::Since;
pub use wait_any::{Ready, wait_any};
