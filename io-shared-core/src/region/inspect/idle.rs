//! How long nobody has used a region, and the removal of those that nobody has for long.

use std::fs::File;
use std::time::{Duration, SystemTime};

use super::super::location::Location;
use super::super::remove::remove_unused_if;
use super::{Content, Entry, Region, head};
use crate::error::Result;

impl Entry {
    /// How long nobody has used it: the time since its last put, since the last claim of a role,
    /// and since the last change of its inode, whichever is the shortest. `None` while somebody
    /// uses it, and if that cannot be known: it may not be read, it is no region, or the clock was
    /// set back.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # use io_shared_core::{Location, Name, inspect};
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-idle-{}", std::process::id());
    /// # let location = Location::from(Name::new(name)?);
    /// let speed = io_shared::producer::<f64>(name)?;
    /// assert_eq!(inspect::entry(&location)?.idle(), None);
    /// drop(speed);
    /// assert!(inspect::entry(&location)?.idle().is_some_and(|idle| idle.as_secs() < 60));
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn idle(&self) -> Option<Duration> {
        match &self.content {
            Content::Region(region) if region.is_used() => None,
            Content::OtherVersion { is_used: true, .. }
            | Content::Damaged { is_used: true, .. } => None,
            content => idle(content, self.changed),
        }
    }
}

/// The time since the last put, claim or change, whether somebody has a claim now or not.
fn idle(content: &Content, changed: SystemTime) -> Option<Duration> {
    let since = |at: SystemTime| SystemTime::now().duration_since(at).ok();
    let changed = since(changed)?;
    match content {
        Content::Region(region) => {
            let Region { newest, .. } = &**region;
            let claims = region.participants().filter_map(|participant| since(participant.since?));
            let put = newest.as_ref().and_then(|newest| newest.age());
            claims.chain(put).chain([changed]).min()
        }
        Content::OtherVersion { .. } | Content::Damaged { .. } => Some(changed),
        Content::Refused | Content::Foreign { .. } => None,
    }
}

/// Removes the region at `location` if nobody uses it and nobody has for as long as `older`
/// ([`Entry::idle`]). Returns whether it did. What it held is lost.
///
/// It takes all claims first and looks then, so nobody joins, puts and leaves between the look and
/// the removal.
///
/// # Errors
/// As [`remove_unused`](super::remove_unused).
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # use io_shared_core::{Location, Name, inspect};
/// # use std::time::Duration;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-remove-idle-{}", std::process::id());
/// drop(io_shared::producer::<f64>(name)?);
/// let location = Location::from(Name::new(name)?);
/// assert!(!inspect::remove_idle(&location, Duration::from_secs(3600))?);
/// assert!(inspect::remove_idle(&location, Duration::ZERO)?);
/// # Ok(()) }
/// ```
pub fn remove_idle(location: &Location, older: Duration) -> Result<bool> {
    remove_unused_if(location, &|file| idle_now(file).is_some_and(|idle| idle >= older))
}

/// How long nobody has used the region in `file`, whose claims are this process's.
fn idle_now(file: &File) -> Option<Duration> {
    let metadata = file.metadata().ok()?;
    idle(&head::read(file), super::changed(&metadata))
}
