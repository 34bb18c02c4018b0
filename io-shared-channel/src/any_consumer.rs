//! What a wait for any of many consumers needs of each of them.

/// A consumer of any type, as [`wait_any`](crate::wait_any) takes it. Only
/// [`Consumer`](crate::Consumer) implements it.
pub trait AnyConsumer: sealed::Sealed {}

pub(crate) mod sealed {
    use io_shared_core::slot::{self, Slot};

    use crate::waiting::Patience;

    /// What a wait needs of a consumer.
    #[derive(Debug)]
    pub struct Parts<'a> {
        pub(crate) slot: &'a Slot<slot::Consumer>,
        pub(crate) patience: &'a Patience,
        /// Whether the consumer reopens a channel that was replaced.
        pub(crate) reopens: bool,
    }

    pub trait Sealed {
        fn parts(&self) -> Parts<'_>;
    }
}
