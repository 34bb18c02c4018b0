//! The builder of services: questions and their answers.
//!
//! A service is made of channels. Each client has a pair of its own: it puts questions to one
//! channel and gets answers from the other. The sequence number of a question is the tag of its
//! answer. The service itself has two more channels: `presence.rs` and `bell.rs` say what for.
//!
//! What must stay true: a client never returns the answer to another question than its last, and a
//! server keeps nothing that a restarted one would need. Whoever is killed, the kernel drops its
//! claims, and the next start of a client or a server removes what nobody uses.

mod answer;
mod awaited;
mod bell;
mod client;
mod pair;
mod places;
mod presence;
mod question;
mod server;
mod setters;
mod terms;
pub(crate) mod unbound;

use std::marker::PhantomData;

use io_shared_core::{Message, Result};

use crate::named::AsName;
pub use answer::Answer;
pub use client::Client;
pub use question::{Question, Reply};
pub use server::Server;
use terms::Terms;

/// Questions of type `Q` and their answers of type `A`, under one name. Not yet opened.
///
/// A [`Client`] calls; the one [`Server`] answers. Each call returns the answer to exactly its own
/// question, whoever is restarted or killed meanwhile. Any number of clients come and go.
///
/// Messages are those of channels: fixed-size structs, structs that end in a slice or have lists,
/// and slices. They lie in shared memory and are read in place on both sides.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # fn main() -> io_shared::Result<()> {
/// # let name: &str = format!("/doc-service-{}", std::process::id()).leak();
/// use io_shared::Service;
/// use std::time::Duration;
///
/// // In one program (here: in a thread) the server:
/// let server = std::thread::spawn(move || -> io_shared::Result<()> {
///     let mut server = Service::<[f32], [u32]>::named(name).server()?;
///     # for _ in 0..1 {
///     let cloud = server.next()?;
///     let labels: Vec<u32> = cloud.iter().map(|height| u32::from(*height > 1.5)).collect();
///     cloud.answer(&labels)?;
///     # }
///     Ok(())
/// });
///
/// // In another a client, started before or after:
/// let mut client = Service::<[f32], [u32]>::named(name).client()?;
/// let labels = client.call(&[1.0, 2.0], Duration::from_secs(5))?;
/// assert_eq!(*labels, [0, 1]);
/// # server.join().unwrap()
/// # }
/// ```
#[doc(alias = "rpc")]
#[doc(alias = "request")]
#[must_use = "a service is opened by .client() or .server()"]
pub struct Service<Q: ?Sized, A: ?Sized> {
    terms: Terms,
    messages: PhantomData<fn(Box<Q>) -> Box<A>>,
}

impl<Q: Message + ?Sized, A: Message + ?Sized> Service<Q, A> {
    /// The service with this name, of at most 236 bytes. `segment` and `/segment` are the same
    /// service. Its channels have names below it, such as `/segment/1/question`.
    ///
    /// # Examples
    /// [`Service`] has one.
    pub fn named(name: impl AsName) -> Self {
        Self { terms: Terms::new(name.into_name()), messages: PhantomData }
    }

    /// Opens the service to ask. Takes a pair of channels that nobody uses, or creates one. Does
    /// not wait for a server.
    ///
    /// # Errors
    /// - [`Mismatch`](crate::ErrorKind::Mismatch): the server that is running has other types. The
    ///   error names the fields.
    /// - [`NoSpace`](crate::ErrorKind::NoSpace): the channels' memory cannot be reserved.
    /// - [`BadName`](crate::ErrorKind::BadName), [`BadSize`](crate::ErrorKind::BadSize),
    ///   [`BadOption`](crate::ErrorKind::BadOption): a name or option is not possible.
    /// - [`System`](crate::ErrorKind::System): a system call failed.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-service-client-{}", std::process::id());
    /// use io_shared::{ErrorKind, Service};
    /// # let mut server = Service::<f64, u64>::named(name).server()?;
    /// // The server has `Service<f64, u64>`.
    /// let error = Service::<f32, u64>::named(name).client().unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::Mismatch { .. }));
    /// # Ok(()) }
    /// ```
    pub fn client(self) -> Result<Client<Q, A>> {
        Client::open(&self.terms)
    }

    /// Opens the service to answer. There is one server at a time.
    ///
    /// # Errors
    /// - [`RoleTaken`](crate::ErrorKind::RoleTaken): another server is running. The error says
    ///   which process it is.
    /// - The others of [`client`](Self::client), except a mismatch.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-service-server-{}", std::process::id());
    /// use io_shared::{ErrorKind, Service};
    /// let server = Service::<f64, f64>::named(name).server()?;
    /// let error = Service::<f64, f64>::named(name).server().unwrap_err();
    /// let ErrorKind::RoleTaken { holder } = error.kind() else { return Err(error) };
    /// assert_eq!(holder.pid, Some(std::process::id()));
    /// # Ok(()) }
    /// ```
    pub fn server(self) -> Result<Server<Q, A>> {
        Server::open(&self.terms)
    }
}

impl<Q: ?Sized, A: ?Sized> std::fmt::Debug for Service<Q, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("terms", &self.terms).finish()
    }
}

impl<Q: ?Sized, A: ?Sized> Clone for Service<Q, A> {
    fn clone(&self) -> Self {
        Self { terms: self.terms.clone(), messages: PhantomData }
    }
}
