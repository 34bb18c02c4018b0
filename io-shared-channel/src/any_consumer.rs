//! What a wait for any of many consumers needs of each of them.

/// A consumer of any type, as [`wait_any`](crate::wait_any) takes it. Only
/// [`Consumer`](crate::Consumer) implements it.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # fn main() -> io_shared::Result<()> {
/// # let (a, b) = ("doc-any-consumer-a", "doc-any-consumer-b");
/// # let (a, b) = [a, b].map(|name| format!("/{name}-{}", std::process::id())).into();
/// use io_shared::AnyConsumer;
/// use std::time::Duration;
/// let (speed, gear) = (io_shared::consumer::<f64>(&a)?, io_shared::consumer::<u8>(&b)?);
/// let all: [&dyn AnyConsumer; 2] = [&speed, &gear];
/// assert!(io_shared::wait_any(&all, Duration::ZERO).is_err()); // nothing was put yet
/// # io_shared::remove(&a)?;
/// # io_shared::remove(&b)
/// # }
/// ```
pub trait AnyConsumer: sealed::Sealed {}

pub(crate) mod sealed {
    use io_shared_core::slot::{self, Slot};

    use crate::interrupter::Interrupts;
    use crate::required_producer::RequiredProducer;
    use crate::waiting::Patience;

    /// What a wait needs of a consumer.
    #[derive(Debug)]
    pub struct Parts<'a> {
        pub(crate) slot: &'a Slot<slot::Consumer>,
        pub(crate) patience: &'a Patience,
        pub(crate) interrupts: &'a Interrupts,
        /// Whether the consumer reopens a channel that was replaced.
        pub(crate) reopens: bool,
        pub(crate) required: Option<&'a RequiredProducer>,
    }

    pub trait Sealed {
        fn parts(&self) -> Parts<'_>;
    }
}
