//! The pool of a channel's buffers, which grows as consumers join.
//!
//! The file grows with it and is never cut. The bytes after the pool may be anything: a joiner that
//! was killed may have reserved them, or a stray write may have landed there. So whoever adds
//! buffers makes them zeros first. All of it happens under the region's lock. A buffer is in the
//! pool only once its memory is reserved, so its use never fails for lack of room.

use std::fs::File;
use std::sync::atomic::Ordering::{Acquire, Relaxed};

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::blocks;
use super::buffers::Unmapped;
use super::layout::Layout;
use super::mapped::Region;
use super::space::{allocate, check_file_size_limit, clear};
use crate::error::{Error, ErrorKind, Result, cause};
use crate::os::file::{open_path, reopen};
use crate::protocol::{self, Fault, MOST_BUFFERS, Words};

impl Region {
    /// Grants a slot that this handle has claimed `holds` entries. `false`: there can be no more
    /// buffers. The caller has the region's lock.
    pub(super) fn join(&self, slot: usize, holds: usize) -> Result<bool> {
        // What a history was given that nobody asks for any more is there for this one.
        self.end_unasked_history();
        if self.survives_reboot
            && let Some(buffers) = protocol::needed(self, slot, holds)
            && buffers > self.pool().load(Relaxed)
        {
            // The pool reaches the disk before the grant does: after a power cut there must not be
            // more entries than buffers.
            self.extend_pool(buffers)?;
            self.flush()?;
        }
        protocol::join(self, slot, holds, |from, to| self.reserve_buffers(from, to))
    }

    /// Extends the pool to at least this many buffers. The caller has the region's lock.
    pub(super) fn extend_pool(&self, buffers: u64) -> Result<()> {
        protocol::extend(self, buffers, |from, to| self.reserve_buffers(from, to))
    }

    /// Reserves the memory of the buffers that follow the first `from`, up to `to` of them.
    pub(super) fn reserve_buffers(&self, from: u64, to: u64) -> Result<()> {
        let file = self.reopened(OFlag::O_RDWR).map_err(|errno| self.not_reopened(errno))?;
        let end = self.layout.buffers_offset + from * self.layout.stride;
        let size = self.layout.size(to);
        check_file_size_limit(&self.location, size)?;
        clear(&file, end).map_err(|error| self.location.io_error("fallocate", &error))?;
        if let Err(error) = allocate(&self.location, &file, end, size) {
            // The kernel keeps the pieces that it had reserved.
            let _ = clear(&file, end);
            return Err(error);
        }
        if self.survives_reboot {
            // Or a power cut may leave the pool without its buffers.
            file.sync_all().map_err(|error| self.location.io_error("fsync", &error))?;
        }
        Ok(())
    }

    /// The region's file, opened anew: for writing it does not append. EBADF: other code has closed
    /// the descriptor of this handle, and no name leads to the file. ENOENT: /proc is not mounted,
    /// and no name leads there.
    fn reopened(&self, access: OFlag) -> std::result::Result<File, Errno> {
        let checked = |file: File| {
            let status = nix::sys::stat::fstat(&file)?;
            let is_it = (status.st_dev, status.st_ino) == self.identity;
            if is_it { Ok(file) } else { Err(Errno::EBADF) }
        };
        let known = match (&self.claims, &self.file) {
            (Some(claims), _) => claims.as_fd().map(|fd| reopen(&fd, access)),
            (None, Some(file)) => Some(reopen(file, access)),
            (None, None) => None,
        };
        let known = known.unwrap_or(Err(Errno::EBADF)).and_then(checked);
        // Without /proc there are only names. What fails for lack of descriptors fails there too.
        let names = [self.hidden.as_deref(), self.location.path()].into_iter().flatten();
        let by_name = |path| open_path(path, access).and_then(checked).ok();
        known.or_else(|errno| names.filter_map(by_name).next().ok_or(errno))
    }

    /// The error for a file that cannot be opened anew.
    #[cold]
    fn not_reopened(&self, errno: Errno) -> Error {
        match errno {
            Errno::EBADF => self.claims_lost(),
            Errno::ENOENT => {
                let what = "to add buffers its file is opened anew, through /proc or by its name, \
                            and neither leads there: mount /proc, or open this handle again";
                self.error(ErrorKind::Unsupported { what: what.into() })
            }
            errno => Error::system(&self.name, "open", errno),
        }
    }

    /// Bytes of the region's file.
    pub(super) fn length_of_file(&self) -> Option<u64> {
        match (&self.claims, &self.file) {
            (Some(claims), _) => claims
                .as_fd()
                .and_then(|fd| nix::sys::stat::fstat(fd).ok())
                .map(|s| s.st_size as u64),
            (None, Some(file)) => file.metadata().ok().map(|m| m.len()),
            (None, None) => None,
        }
    }

    /// Maps what was added to the pool since this handle opened.
    #[cold]
    pub(super) fn map_added(&self, buffer: usize) -> std::result::Result<(), Fault> {
        // Acquire: as in `reach`.
        let pool = self.pool().load(Acquire).min(MOST_BUFFERS) as usize;
        if buffer >= pool {
            return Err(Fault::Corrupt("a buffer is named that is outside the pool"));
        }
        let access = if self.writes_buffers { OFlag::O_RDWR } else { OFlag::O_RDONLY };
        let reopened = || Ok((self.reopened(access)?, self.writes_buffers));
        match self.buffers.map(&self.layout, pool, || self.length_of_file(), reopened) {
            Ok(()) => Ok(()),
            Err(Unmapped::NoMemory) => Err(Fault::NoMemory),
            Err(Unmapped::Short) => Err(Fault::Corrupt("its file is shorter than its pool")),
        }
    }

    /// The error that what was added to the pool cannot be mapped.
    #[cold]
    pub(super) fn no_memory(&self) -> Error {
        let added =
            self.pool().load(Relaxed).min(MOST_BUFFERS).saturating_sub(self.buffers.mapped());
        self.error(ErrorKind::NoMemory { needed: added * self.layout.stride })
            .advise(cause::of("mremap", self.buffers.refused()))
    }

    /// With `.prefault(true)`, maps and populates what was added to the pool since the last look,
    /// so that few gets and puts have to. If that fails, the get or put that needs it says so.
    #[cold]
    pub(super) fn prefault_added(&self) {
        if !self.prefaults {
            return;
        }
        // Relaxed: `map_added` loads it again.
        let pool = self.pool().load(Relaxed).min(MOST_BUFFERS);
        if pool > self.buffers.mapped() {
            let _ = self.map_added(pool as usize - 1);
        }
        // What a put or get needed earlier was mapped, but not populated then.
        self.buffers.populate(self.writes_buffers);
    }

    /// The offset of the word that says how many buffers there are.
    pub(super) fn pool_offset(layout: &Layout) -> u64 {
        u64::from(layout.producer_offset) + blocks::POOL
    }
}
