//! Observing a part of a value, by its path.

use std::time::Duration;

use io_shared_core::slot::Copied;
use io_shared_core::value::{Path, PathError, Value};
use io_shared_core::{Error, ErrorKind, Message, Result, Schema};

use super::Observer;

/// A part of a value, as an observer has copied it: [`Observer::field`] returns it.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-part-{}", std::process::id());
/// # let mut pose = io_shared::producer::<[f32; 3]>(name)?;
/// pose.put_tagged(&[1.5, 2.0, 0.0], 42)?;
/// let mut observer = io_shared::Channel::<[f32; 3]>::named(name).observer()?;
/// let part = observer.field("[1]")?.expect("a value was put");
/// assert_eq!((part.value().as_f64(), part.seq(), part.tag()), (Some(2.0), 1, 42));
/// # io_shared::remove(name)
/// # }
/// ```
#[derive(Debug)]
pub struct Part<'a> {
    /// The message, of which only the bytes of this part are known.
    copy: Copied<[u8]>,
    schema: &'a Schema,
    path: Path,
}

impl Part<'_> {
    /// The part, decoded. For a range of elements it is a list.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-part-value-{}", std::process::id());
    /// # let mut pose = io_shared::producer::<[f32; 3]>(name)?;
    /// pose.put(&[1.5, 2.0, 0.0])?;
    /// let mut observer = io_shared::Channel::<[f32; 3]>::named(name).observer()?;
    /// let part = observer.field("[0:2]")?.expect("a value was put");
    /// assert_eq!(part.value().json().to_string(), "[1.5,2.0]");
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn value(&self) -> Value<'_> {
        let message = Value::decode(self.schema, &self.copy);
        // Whoever made the part has checked that the path leads to it.
        message.map_or(Value::Missing, |message| message.at(&self.path).unwrap_or(Value::Missing))
    }

    /// The sequence number of the value.
    ///
    /// # Examples
    /// See [`Part`].
    pub fn seq(&self) -> u64 {
        self.copy.seq()
    }

    /// The tag that the value was put with; 0 if it has none.
    ///
    /// # Examples
    /// See [`Part`].
    pub fn tag(&self) -> u64 {
        self.copy.tag()
    }

    /// The time since the put, as [`Copied::age`] has it.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-part-age-{}", std::process::id());
    /// # io_shared::producer::<f64>(name)?.put(&13.9)?;
    /// let mut observer = io_shared::Channel::<f64>::named(name).observer()?;
    /// let part = observer.field("")?.expect("a value was put");
    /// assert!(part.age().is_some_and(|age| age.as_secs() < 60));
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn age(&self) -> Option<Duration> {
        self.copy.age()
    }

    /// CLOCK_MONOTONIC at the put, in nanoseconds, as [`Copied::stamp`] has it.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-part-stamp-{}", std::process::id());
    /// # io_shared::producer::<f64>(name)?.put(&13.9)?;
    /// let mut observer = io_shared::Channel::<f64>::named(name).observer()?;
    /// let part = observer.field("")?.expect("a value was put");
    /// assert!(part.stamp() > 0);
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn stamp(&self) -> u64 {
        self.copy.stamp()
    }
}

impl<T: Message + ?Sized> Observer<T> {
    /// A part of the newest value, by its path: `frame`, `points[3].x`, `points[0:5]`, or any other
    /// [`Path`]. `None` as for [`copy`](Self::copy). It does not count as copied for
    /// [`wait`](Self::wait).
    ///
    /// It takes the time of the part, and not of the value: no more than the bytes of the part are
    /// copied, and those between the elements of a range. The fields are those of the channel's own
    /// type, so this works in an observer of any type.
    ///
    /// # Errors
    /// [`BadOption`](ErrorKind::BadOption) if `path` is no path, or if it leads nowhere in the
    /// newest value; the errors of [`copy`](Self::copy).
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-observer-field-{}", std::process::id());
    /// # let mut lidar = io_shared::Channel::<[[f32; 2]]>::named(name).elements(4).producer()?;
    /// # lidar.put(&[[0.0, 0.5], [1.0, 1.5]])?;
    /// use io_shared::Channel;
    /// let mut observer = Channel::<[u8]>::named(name).any_schema().observer()?;
    /// if let Some(y) = observer.field("[1][1]")? {
    ///     println!("value {}: {}", y.seq(), y.value().json());
    /// #   assert_eq!(y.value().as_f64(), Some(1.5));
    /// }
    /// let error = observer.field("[1][2]").unwrap_err().to_string();
    /// assert!(error.ends_with("`[1]` has 2 elements, so there is no [2]"), "{error}");
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn field(&mut self, path: &str) -> Result<Option<Part<'_>>> {
        let parsed: Path = path.parse().map_err(|error| self.leads_nowhere(path, &error))?;
        let Some(copy) = self.ask(|slot| slot.copy_part(&parsed))?.flatten() else {
            return Ok(None);
        };
        let found = Value::decode(self.schema(), &copy);
        let found = found.map_err(|error| {
            Error::new(self.name(), ErrorKind::Corrupt { what: error.to_string() })
        })?;
        if let Err(error) = found.at(&parsed) {
            return Err(self.leads_nowhere(path, &error));
        }
        Ok(Some(Part { copy, schema: self.slot.schema(), path: parsed }))
    }

    #[cold]
    fn leads_nowhere(&self, path: &str, error: &PathError) -> Error {
        let (option, found) = ("field", path.escape_debug().to_string());
        let expected = error.to_string();
        Error::new(self.name(), ErrorKind::BadOption { option, found, expected })
    }
}
