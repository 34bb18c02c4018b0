//! Ending a wait from another thread or from a signal handler.

use std::sync::{Arc, OnceLock};

use io_shared_core::slot::Interrupt;
use io_shared_core::{Error, ErrorKind, Result};

/// Ends the current or the next wait of one consumer or producer.
/// [`Consumer::interrupter`](crate::Consumer::interrupter) and
/// [`Producer::interrupter`](crate::Producer::interrupter) make it. All clones belong to the same
/// handle, which they may outlive.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-interrupter-{}", std::process::id());
/// use io_shared::ErrorKind;
/// let mut speed = io_shared::consumer::<f64>(name)?;
/// let interrupter = speed.interrupter();
/// let stop = std::thread::spawn(move || interrupter.interrupt());
/// assert_eq!(*speed.get().unwrap_err().kind(), ErrorKind::Interrupted); // nothing was put
/// # stop.join().unwrap();
/// # io_shared::remove(name)
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Interrupter(Arc<Interrupt>);

impl Interrupter {
    /// Ends the handle's current wait with [`ErrorKind::Interrupted`], or else its next one. It
    /// counts until one wait has ended by it, and several calls before that count once. No value is
    /// lost: the next get returns it.
    ///
    /// It may be called from a signal handler: it stores a word and makes one system call. (Do not
    /// clone or drop an interrupter there. Keep one in a `static`.)
    ///
    /// A wait that sleeps ends at once. It ends within 100 ms if Linux is older than 5.16, if the
    /// channel was removed and the wait is for a new one, and for a consumer after the first 63
    /// interrupters of one [`wait_any`](crate::wait_any).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-interrupt-{}", std::process::id());
    /// use io_shared::{ErrorKind, Interrupter};
    /// use nix::sys::signal::{SigHandler, Signal, signal};
    /// use std::sync::OnceLock;
    ///
    /// static STOP: OnceLock<Interrupter> = OnceLock::new();
    /// extern "C" fn on_signal(_: i32) {
    ///     if let Some(stop) = STOP.get() {
    ///         stop.interrupt();
    ///     }
    /// }
    ///
    /// let mut speed = io_shared::consumer::<f64>(name)?;
    /// STOP.set(speed.interrupter()).unwrap();
    /// // SAFETY: the handler only interrupts.
    /// unsafe { signal(Signal::SIGTERM, SigHandler::Handler(on_signal)) }.unwrap();
    /// # std::thread::spawn(|| nix::sys::signal::raise(Signal::SIGTERM));
    /// assert_eq!(*speed.get().unwrap_err().kind(), ErrorKind::Interrupted);
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn interrupt(&self) {
        self.0.raise();
    }
}

/// The interrupt of a handle; made when somebody asks for it.
#[derive(Debug, Default)]
pub(crate) struct Interrupts(OnceLock<Arc<Interrupt>>);

impl Interrupts {
    pub(crate) fn interrupter(&self) -> Interrupter {
        Interrupter(Arc::clone(self.0.get_or_init(Arc::default)))
    }

    pub(crate) fn get(&self) -> Option<&Interrupt> {
        self.0.get().map(|interrupt| &**interrupt)
    }

    /// Makes waits end also when a signal handler has run in the thread that waits.
    pub(crate) fn raise_at_signals(&self) {
        self.0.get_or_init(Arc::default).raise_at_signals();
    }

    /// Ends the wait of the handle called `name`, if it was interrupted.
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`].
    pub(crate) fn check(&self, name: &str) -> Result<()> {
        match self.get() {
            Some(interrupt) if interrupt.take() => Err(Error::new(name, ErrorKind::Interrupted)),
            _ => Ok(()),
        }
    }
}
