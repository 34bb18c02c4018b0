//! Changes of typed state: waiting for one, and what the value is at first.

use std::time::Duration;

use super::Shared;
use crate::error::Result;
use crate::message::Message;
use crate::mmap::options::MmapOptions;

impl<T: Message> MmapOptions<Shared<T>> {
    /// What the value is at first, if this opening creates it: nobody sees it without. In a state
    /// that exists this does nothing. [`Shared::created`] says which it was. By default the value
    /// is all zeros.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-state-initial-{}", std::process::id());
    /// use io_shared::Shared;
    /// let mut first = Shared::<[i32; 2]>::named(name).initial(&[640, 480]).open()?;
    /// let mut second = Shared::<[i32; 2]>::named(name).initial(&[0, 0]).open()?;
    /// assert_eq!((first.created(), second.created()), (true, false));
    /// assert_eq!(second.get()?, [640, 480]);
    /// # Shared::<[i32; 2]>::remove(name)
    /// # }
    /// ```
    pub fn initial(mut self, value: &T) -> Self {
        self.initial = Some(value.as_bytes().to_vec());
        self
    }
}

impl<T: Message> Shared<T> {
    /// Whether this handle created the state, at its opening or when it opened it anew.
    /// [`initial`](MmapOptions::initial) has an example.
    pub fn created(&self) -> bool {
        self.state.handle.created()
    }

    /// Whether another handle has finished a write since this handle's last read. To a handle that
    /// has read nothing yet, whatever was written before is a change. [`read`](Self::read),
    /// [`write`](Self::write), [`get`](Self::get) and [`update`](Self::update) read;
    /// [`set`](Self::set) does not. An initial value counts as written, but not for whoever created
    /// the state with it. So does what a writer left that was killed in the middle, and whatever
    /// was done, or not done, under a lock to write.
    ///
    /// # Errors
    /// The errors of [`wait_changed`](Self::wait_changed), without `Timeout`.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-state-changed-{}", std::process::id());
    /// use io_shared::Shared;
    /// let mut here = Shared::<[i32; 2]>::open(name)?;
    /// let mut there = Shared::<[i32; 2]>::open(name)?; // in another program
    /// there.update(|pair| pair[1] = 43)?;
    /// assert!(here.changed()?);
    /// assert_eq!(here.get()?, [0, 43]);
    /// assert!(!here.changed()?);
    /// # Shared::<[i32; 2]>::remove(name)
    /// # }
    /// ```
    pub fn changed(&mut self) -> Result<bool> {
        self.state.changed()
    }

    /// Sleeps until another handle has finished a write since this handle's last read, for at most
    /// `timeout`; [`Duration::MAX`] waits for ever. It returns at once if there was one already, as
    /// [`changed`](Self::changed) says. No write is missed, but several may have been made by the
    /// time that this handle reads.
    ///
    /// If the state is removed meanwhile, it waits for somebody to create it anew. If a writer was
    /// killed in the middle, it returns within 100 ms, and the next read says
    /// [`OwnerDied`](crate::ErrorKind::OwnerDied). Writers pay nothing while nobody waits.
    ///
    /// # Errors
    /// [`Timeout`](crate::ErrorKind::Timeout); [`Corrupt`](crate::ErrorKind::Corrupt);
    /// [`WouldDeadlock`](crate::ErrorKind::WouldDeadlock) (a forgotten guard of this handle);
    /// [`RoleLost`](crate::ErrorKind::RoleLost); [`ForkedHandle`](crate::ErrorKind::ForkedHandle);
    /// [`Replaced`](crate::ErrorKind::Replaced), if it has no name; where it was replaced, the
    /// errors of [`MmapOptions::open`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_core as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-state-wait-{}", std::process::id());
    /// use io_shared::{ErrorKind, Shared};
    /// use std::time::Duration;
    /// let mut here = Shared::<[i32; 2]>::open(name)?;
    /// let error = here.wait_changed(Duration::from_millis(10)).unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::Timeout { .. }));
    /// # let mut there = Shared::<[i32; 2]>::open(name)?;
    /// // In another program:
    /// let other = std::thread::spawn(move || there.update(|pair| pair[0] = 42));
    /// here.wait_changed(Duration::from_secs(10))?;
    /// assert_eq!(here.get()?, [42, 0]);
    /// # other.join().unwrap()?;
    /// # Shared::<[i32; 2]>::remove(name)
    /// # }
    /// ```
    #[doc(alias = "pthread_cond_timedwait")]
    pub fn wait_changed(&mut self, timeout: Duration) -> Result<()> {
        self.state.wait_changed(timeout)
    }
}
