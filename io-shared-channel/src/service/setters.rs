//! The options of a service.

use std::time::Duration;

use io_shared_core::message::ListCapacity;
use io_shared_core::{Message, Schema, Size};

use super::Service;
use crate::options::{Capacity, Described};

impl<Q: Message + ?Sized, A: Message + ?Sized> Service<Q, A> {
    /// Room for a question, in bytes. Without it the channel starts small. It becomes larger when a
    /// question does not fit, which that one call pays for.
    ///
    /// The room for both messages may be given on both sides. Whoever creates a channel decides.
    /// A client creates its pair, so its options count, unless the server is faster.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-service-capacity-{}", std::process::id());
    /// use io_shared::Service;
    /// let client = Service::<[f32], [u32]>::named(name)
    ///     .question_capacity("5M")
    ///     .answer_capacity("5M")
    ///     .client()?;
    /// # Ok(()) }
    /// ```
    pub fn question_capacity(mut self, size: impl Into<Size>) -> Self {
        self.terms.questions.capacity = Some(Capacity::Bytes(size.into()));
        self
    }

    /// Like [`question_capacity`](Self::question_capacity), but in elements of the message's tail.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-service-elements-{}", std::process::id());
    /// use io_shared::Service;
    /// let client = Service::<[f32], [u32]>::named(name)
    ///     .question_elements(100_000)
    ///     .answer_elements(100_000)
    ///     .client()?;
    /// # Ok(()) }
    /// ```
    pub fn question_elements(mut self, elements: usize) -> Self {
        self.terms.questions.capacity = Some(Capacity::Elements(elements));
        self
    }

    /// Like [`question_capacity`](Self::question_capacity), but in elements of each list.
    pub fn question_lists(self, most: impl ListCapacity<Message = Q>) -> Self {
        self.question_elements(most.bytes())
    }

    /// Room for an answer, in bytes, as [`question_capacity`](Self::question_capacity) is for a
    /// question, which has an example.
    pub fn answer_capacity(mut self, size: impl Into<Size>) -> Self {
        self.terms.answers.capacity = Some(Capacity::Bytes(size.into()));
        self
    }

    /// Like [`answer_capacity`](Self::answer_capacity), but in elements of the message's tail.
    /// [`question_elements`](Self::question_elements) has an example.
    pub fn answer_elements(mut self, elements: usize) -> Self {
        self.terms.answers.capacity = Some(Capacity::Elements(elements));
        self
    }

    /// Like [`answer_capacity`](Self::answer_capacity), but in elements of each list.
    pub fn answer_lists(self, most: impl ListCapacity<Message = A>) -> Self {
        self.answer_elements(most.bytes())
    }

    /// How many answers a client may keep at once, 1 to 8. Default 1.
    /// [`Answer::into_owned`](crate::Answer::into_owned) keeps one.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use std::time::Duration;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-service-holds-{}", std::process::id());
    /// use io_shared::Service;
    /// # let mut server = Service::<u8, [u8; 100]>::named(name).server()?;
    /// let mut client = Service::<u8, [u8; 100]>::named(name).holds(2).client()?;
    /// client.ask(&1)?;
    /// # server.next()?.answer(&[1; 100])?;
    /// let first = client.answer(Duration::from_secs(1))?.into_owned();
    /// client.ask(&2)?;
    /// # server.next()?.answer(&[2; 100])?;
    /// let second = client.answer(Duration::from_secs(1))?;
    /// assert_eq!((first[0], second[0]), (1, 2));
    /// # Ok(()) }
    /// ```
    pub fn holds(mut self, holds: usize) -> Self {
        self.terms.answers.holds = Some(holds);
        self
    }

    /// Permission bits of the channels that this side creates, for clients and servers of several
    /// users. Default 0o600. What one user has created, another may not make larger: give the
    /// room ahead of time.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-service-mode-{}", std::process::id());
    /// let client = io_shared::Service::<f64, f64>::named(name).mode(0o660).client()?;
    /// # Ok(()) }
    /// ```
    pub fn mode(mut self, mode: u32) -> Self {
        self.terms.questions.mode = Some(mode);
        self.terms.answers.mode = Some(mode);
        self
    }

    /// Has a server wait for at most `timeout` until another one has ended, for rolling restarts.
    /// Default: it fails with [`RoleTaken`](crate::ErrorKind::RoleTaken) at once.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use std::time::Duration;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-service-wait-{}", std::process::id());
    /// use io_shared::Service;
    /// let service = Service::<f64, f64>::named(name).wait_for_role(Duration::from_secs(10));
    /// let server = service.server()?;
    /// # Ok(()) }
    /// ```
    #[doc(alias = "standby")]
    pub fn wait_for_role(mut self, timeout: Duration) -> Self {
        self.terms.wait_for_role = Some(timeout);
        self
    }

    /// Whether a client's call ends with [`NoProducer`](crate::ErrorKind::NoProducer) within 200 ms
    /// once it has lost its server. Default off: it waits for the next server until its time is
    /// over. Until a first server has found the client, a call waits for one.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use std::time::Duration;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-service-requires-{}", std::process::id());
    /// use io_shared::{ErrorKind, Service};
    /// let mut client = Service::<f64, f64>::named(name).requires_server(true).client()?;
    /// let server = Service::<f64, f64>::named(name).server()?;
    /// # let mut server = server;
    /// # client.ask(&1.0)?;
    /// # server.next()?.answer(&1.0)?;
    /// # client.answer(Duration::from_secs(1))?;
    /// drop(server); // or its process was killed
    /// let error = client.call(&2.5, Duration::MAX).unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::NoProducer { .. }));
    /// # Ok(()) }
    /// ```
    pub fn requires_server(mut self, requires: bool) -> Self {
        self.terms.answers.requires_producer = requires;
        self
    }
}

impl<A: Message + ?Sized> Service<[u8], A> {
    /// Says what type the bytes of questions have, as
    /// [`Channel::schema`](crate::Channel::schema) does.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use std::time::Duration;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let name = &format!("/doc-service-schema-{}", std::process::id());
    /// use io_shared::{Schema, Service};
    /// let mut server = Service::<[u8], [u8]>::named(name)
    ///     .question_schema(Schema::from_json(r#""<f4""#)?)
    ///     .answer_schema(Schema::from_json(r#""<u4""#)?)
    ///     .server()?;
    /// let mut client = Service::<f32, u32>::named(name).client()?;
    /// client.ask(&1.0)?;
    /// let question = server.next()?;
    /// assert_eq!(*question, [0, 0, 128, 63]);
    /// question.answer(&[7, 0, 0, 0])?;
    /// assert_eq!(*client.answer(Duration::from_secs(1))?, 7);
    /// # Ok(()) }
    /// ```
    pub fn question_schema(mut self, schema: Schema) -> Self {
        self.terms.questions.described = Described::As(schema);
        self
    }
}

impl<Q: Message + ?Sized> Service<Q, [u8]> {
    /// Says what type the bytes of answers have. [`question_schema`](Service::question_schema) has
    /// an example.
    pub fn answer_schema(mut self, schema: Schema) -> Self {
        self.terms.answers.described = Described::As(schema);
        self
    }
}
