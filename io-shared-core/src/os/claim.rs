//! Who is alive: byte-range locks that the kernel drops when their owner is gone.
//!
//! A [`Claims`] is one open file description of a region, opened for one handle, never mapped and
//! never used for anything else. Its locks are OFD locks (fcntl(2), "Open file description locks").
//! They belong to the description, not to the process, so two handles of one process exclude each
//! other, and closing another descriptor of the file drops nothing. The locked bytes lie far beyond
//! any content, at the same offsets in every layout version.

use std::os::fd::{IntoRawFd, OwnedFd, RawFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::os::clock;
use crate::os::fork;

/// A part of a region that can be claimed. The offset of its byte is fixed for all time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Creation, removal, exchange, joining, histories. Held for microseconds, or for as long as
    /// the kernel takes to reserve a joiner's buffers.
    Region,
    /// The producer's role.
    Producer,
    /// A file under a hidden name, until it has its own name.
    Creator,
    /// A consumer's slot.
    Consumer(usize),
    /// All roles at once, but not the region's own byte.
    Roles,
    /// What those share that ask for a history. It is no role: they keep nobody from removing the
    /// region's name.
    History,
}

const BASE: i64 = 1 << 62;
const ROLES: i64 = 1 << 16;

impl Part {
    fn range(self) -> (i64, i64) {
        match self {
            Part::Region => (BASE, 1),
            Part::Producer => (BASE + 1, 1),
            Part::Creator => (BASE + 2, 1),
            Part::Consumer(slot) => (BASE + 0x100 + slot as i64, 1),
            Part::Roles => (BASE + 1, ROLES - 1),
            Part::History => (BASE + ROLES, 1),
        }
    }
}

/// How long to retry a claim that is taken. A handle that reclaims or replaces holds one only for
/// its repair, and a process between fork and exec for about as long.
pub(crate) const PATIENCE: Duration = Duration::from_millis(20);

/// How long to wait for the region's own lock. Its holders make a few system calls under it; a
/// joiner waits longer, for joiners before it.
pub(crate) const REGION_PATIENCE: Duration = Duration::from_secs(1);

/// One open file description with the claims of one handle.
#[derive(Debug)]
pub(crate) struct Claims {
    descriptor: RawFd,
    entry: fork::Entry,
    /// Device and inode of its file, if the kernel told them.
    file: Option<(u64, u64)>,
    generation: u64,
}

impl Claims {
    /// Takes the descriptor that `open` opens with the flags it is called with. Nothing else may
    /// share its open file description.
    pub(crate) fn open<E>(
        open: impl FnOnce(OFlag) -> Result<Option<OwnedFd>, E>,
        failed: impl Fn(Errno) -> E,
    ) -> Result<Option<Self>, E> {
        let entry = fork::Entry::announce().map_err(&failed)?;
        let Some(descriptor) = open(fork::MARKED).inspect_err(|_| entry.leave())? else {
            entry.leave();
            return Ok(None);
        };
        let descriptor = descriptor.into_raw_fd();
        entry.enter(descriptor);
        let file = identity_of(descriptor).ok();
        Ok(Some(Self { descriptor, entry, file, generation: fork::generation() }))
    }

    /// Whether the descriptor still belongs to this value. Other code may have closed it ("close
    /// all"), and its number may have gone to another file since, or to another claim of the same
    /// file.
    pub(crate) fn is_own(&self) -> bool {
        // SAFETY: F_GETFL takes any number, and changes nothing.
        let flags = OFlag::from_bits_retain(unsafe { libc::fcntl(self.descriptor, libc::F_GETFL) });
        let is_claims = flags.bits() >= 0 && flags.contains(fork::MARKED);
        let is_its = |found: Result<_, Errno>| match (found, self.file) {
            (Ok(found), Some(file)) => found == file,
            (Err(errno), _) => errno != Errno::EBADF,
            _ => true,
        };
        is_claims && self.entry.has(self.descriptor) && is_its(identity_of(self.descriptor))
    }

    /// The descriptor, to ask of its file or to open that anew; nothing that locks.
    pub(crate) fn as_fd(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        // SAFETY: the descriptor is this value's own, as was just asked.
        self.is_own().then(|| unsafe { std::os::fd::BorrowedFd::borrow_raw(self.descriptor) })
    }

    /// Whether its file has this device and inode.
    pub(crate) fn is_of(&self, identity: (u64, u64)) -> bool {
        self.file == Some(identity)
    }

    /// Whether no name leads to the file any more.
    pub(crate) fn is_unlinked(&self) -> bool {
        // SAFETY: as in `fcntl`.
        let descriptor = unsafe { std::os::fd::BorrowedFd::borrow_raw(self.descriptor) };
        nix::sys::stat::fstat(descriptor).is_ok_and(|status| status.st_nlink == 0)
    }

    /// Whether the process has forked since the handle was opened. If so, the descriptor is closed
    /// and its number may belong to something else.
    #[inline]
    pub(crate) fn is_forked(&self) -> bool {
        fork::is_over(self.generation)
    }

    /// Whether another handle of this process has `part`: it is taken, but not as seen through that
    /// handle's own descriptor. The handle may be one of another copy of this library, as where
    /// Rust and Python use it in one program.
    pub(crate) fn is_held_here(&self, part: Part) -> bool {
        let holds = |other: RawFd| {
            let is_same = other != self.descriptor && identity_of(other).ok() == self.file;
            is_same && matches!(is_taken_for(other, part), Ok(false))
        };
        let is_taken = self.file.is_some() && self.is_taken(part).unwrap_or(false);
        is_taken && (fork::entered().any(holds) || descriptors().into_iter().any(holds))
    }

    /// Takes `part` if nobody has it. Returns whether it did.
    pub(crate) fn try_claim(&self, part: Part) -> Result<bool, Errno> {
        match self.set(libc::F_WRLCK, part) {
            Ok(()) => Ok(true),
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    /// Takes `part`, retrying for `patience` while another handle has it. Returns whether it did.
    pub(crate) fn claim(&self, part: Part, patience: Duration) -> Result<bool, Errno> {
        let deadline = clock::deadline(patience);
        let mut pause = Duration::from_micros(20);
        loop {
            if self.try_claim(part)? {
                return Ok(true);
            }
            if clock::now() >= deadline {
                return Ok(false);
            }
            super::nap::nap(pause);
            pause = (pause * 2).min(Duration::from_millis(2));
        }
    }

    /// Takes `part` together with whoever else shares it. Returns whether nobody has it alone.
    pub(crate) fn try_share(&self, part: Part) -> Result<bool, Errno> {
        match self.set(libc::F_RDLCK, part) {
            Ok(()) => Ok(true),
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    pub(crate) fn release(&self, part: Part) {
        // Unlocking can only fail with ENOLCK, when it splits a range, and these ranges are never
        // split. The close frees the lock in any case.
        let _ = self.set(libc::F_UNLCK, part);
    }

    /// Whether another handle has `part`. Says nothing about this handle's own claims, which the
    /// kernel reports as free.
    pub(crate) fn is_taken(&self, part: Part) -> Result<bool, Errno> {
        is_taken_for(self.descriptor, part)
    }

    fn set(&self, kind: libc::c_int, part: Part) -> Result<(), Errno> {
        self.fcntl(FcntlArg::F_OFD_SETLK(&flock(kind, part)))
    }

    fn fcntl(&self, argument: FcntlArg<'_>) -> Result<(), Errno> {
        // SAFETY: the descriptor is this value's own and open, unless the process has forked, which
        // callers rule out by `is_forked`.
        let descriptor = unsafe { std::os::fd::BorrowedFd::borrow_raw(self.descriptor) };
        fcntl(descriptor, argument).map(drop)
    }
}

/// Whether an open file description other than this descriptor's has `part`.
fn is_taken_for(descriptor: RawFd, part: Part) -> Result<bool, Errno> {
    let mut lock = flock(libc::F_WRLCK, part);
    // SAFETY: F_OFD_GETLK takes any number, and changes nothing but `lock`.
    let descriptor = unsafe { std::os::fd::BorrowedFd::borrow_raw(descriptor) };
    fcntl(descriptor, FcntlArg::F_OFD_GETLK(&mut lock))?;
    Ok(lock.l_type != libc::F_UNLCK as libc::c_short)
}

/// The descriptors of this process; none where /proc is not mounted.
fn descriptors() -> Vec<RawFd> {
    let entries = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Device and inode of the file that a number leads to now.
fn identity_of(descriptor: RawFd) -> Result<(u64, u64), Errno> {
    // SAFETY: if another thread closes the descriptor meanwhile, the number leads to no file or to
    // another one, of which only device and inode are read.
    let descriptor = unsafe { std::os::fd::BorrowedFd::borrow_raw(descriptor) };
    nix::sys::stat::fstat(descriptor).map(|status| (status.st_dev, status.st_ino))
}

/// Whether any handle has `part`. Asks through a descriptor that has no claims and may be
/// read-only.
pub(crate) fn is_claimed(file: &std::fs::File, part: Part) -> Result<bool, Errno> {
    let mut lock = flock(libc::F_RDLCK, part);
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut lock))?;
    Ok(lock.l_type != libc::F_UNLCK as libc::c_short)
}

/// The roles that handles have, asked through a descriptor that has no claims and may be read-only.
/// [`Part::Roles`] is among them if somebody has several at once, as whoever removes or replaces
/// the region does for a moment.
pub(crate) fn claimed(file: &std::fs::File) -> Result<Vec<Part>, Errno> {
    // As many as a region can have, and some: bytes that nobody uses cost no more.
    const MOST: usize = 2048;
    let (start, length) = Part::Roles.range();
    // The kernel reports any lock in a range, not the first: the parts on both sides of it are
    // asked for next.
    let (mut found, mut ranges) = (Vec::new(), vec![(start, start + length)]);
    while let Some((from, to)) = ranges.pop().filter(|_| found.len() < MOST) {
        let mut lock =
            libc::flock { l_start: from, l_len: to - from, ..flock(libc::F_RDLCK, Part::Roles) };
        fcntl(file, FcntlArg::F_OFD_GETLK(&mut lock))?;
        if lock.l_type == libc::F_UNLCK as libc::c_short {
            continue;
        }
        let end = if lock.l_len == 0 { to } else { lock.l_start.saturating_add(lock.l_len) };
        found.push(part_of_lock(lock.l_start, lock.l_len));
        ranges.extend([(from, lock.l_start), (end, to)].into_iter().filter(|(from, to)| from < to));
    }
    Ok(found)
}

/// The part that a lock is of. One that is longer than a byte, or lies elsewhere, counts as
/// [`Part::Roles`].
pub(crate) fn part_of_lock(start: i64, length: i64) -> Part {
    match (start.saturating_sub(BASE), length) {
        (1, 1) => Part::Producer,
        (2, 1) => Part::Creator,
        (slot @ 0x100..ROLES, 1) => Part::Consumer(slot as usize - 0x100),
        _ => Part::Roles,
    }
}

fn flock(kind: libc::c_int, part: Part) -> libc::flock {
    let (l_start, l_len) = part.range();
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start,
        l_len,
        l_pid: 0, // must be 0 for OFD locks
    }
}

impl Drop for Claims {
    fn drop(&mut self) {
        if self.is_forked() {
            return;
        }
        if !self.is_own() {
            self.entry.leave(); // the number is free, or another's, which must stay open
            return;
        }
        // Unlock, then leave the table, then close. A child of a fork in between inherits at most a
        // description without locks, and never closes a number that belongs to another file by now.
        self.release(Part::Region);
        self.release(Part::Roles);
        self.release(Part::History);
        self.entry.leave();
        // SAFETY: this value owns the descriptor and is gone after this.
        unsafe { libc::close(self.descriptor) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(file: &tempfile::NamedTempFile) -> Claims {
        let open =
            |flags| crate::os::file::open_path(file.path(), flags).map(|file| Some(file.into()));
        Claims::open(open, |errno| errno).unwrap().unwrap()
    }

    #[test]
    fn two_handles_of_one_process_exclude_each_other() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (a, b) = (open(&file), open(&file));
        assert!(a.try_claim(Part::Producer).unwrap());
        assert!(!b.try_claim(Part::Producer).unwrap());
        assert!(b.try_claim(Part::Consumer(0)).unwrap());
        assert!(b.is_taken(Part::Producer).unwrap());
        assert!(!a.is_taken(Part::Producer).unwrap(), "one's own claim does not count");
        drop(a);
        assert!(b.claim(Part::Producer, PATIENCE).unwrap());
    }

    #[test]
    fn a_part_is_held_here_if_another_descriptor_of_this_process_has_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (a, b, _c) = (open(&file), open(&file), open(&file));
        assert!(!b.is_held_here(Part::Producer), "nobody has it");
        assert!(a.try_claim(Part::Producer).unwrap());
        assert!(b.is_held_here(Part::Producer) && !b.is_held_here(Part::Consumer(0)));
        assert!(!a.is_held_here(Part::Producer), "that is itself");
        // As by another copy of this library, whose descriptors are not in this one's table.
        let other = std::fs::File::options().read(true).write(true).open(file.path()).unwrap();
        fcntl(&other, FcntlArg::F_OFD_SETLK(&flock(libc::F_WRLCK, Part::Consumer(1)))).unwrap();
        assert!(b.is_held_here(Part::Consumer(1)));
    }

    #[test]
    fn a_look_through_a_descriptor_that_may_only_read_finds_every_claim() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let looker = std::fs::File::open(file.path()).unwrap();
        assert_eq!(claimed(&looker), Ok(vec![]));
        let handles: Vec<Claims> = (0..40).map(|_| open(&file)).collect();
        // In an order that is not that of the bytes, by which the kernel does not sort either.
        for (i, handle) in handles.iter().enumerate() {
            let part = if i == 20 { Part::Producer } else { Part::Consumer((i * 17) % 40) };
            assert!(handle.try_claim(part).unwrap());
        }
        let found = claimed(&looker).unwrap();
        assert_eq!(found.len(), 40);
        assert!(found.contains(&Part::Producer) && !found.contains(&Part::Roles));
        assert!((0..40).filter(|i| *i != 20).all(|i| found.contains(&Part::Consumer(i * 17 % 40))));
        drop(handles);
        let remover = open(&file);
        assert!(remover.try_claim(Part::Roles).unwrap());
        assert_eq!(claimed(&looker), Ok(vec![Part::Roles]));
        assert!(remover.try_claim(Part::Region).unwrap(), "the look has no claim itself");
    }

    #[test]
    fn all_roles_are_won_only_when_nobody_has_one() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (a, b) = (open(&file), open(&file));
        assert!(a.try_claim(Part::Consumer(252)).unwrap());
        assert!(!b.try_claim(Part::Roles).unwrap());
        assert!(b.try_claim(Part::Region).unwrap());
        a.release(Part::Consumer(252));
        assert!(b.try_claim(Part::Roles).unwrap());
        assert!(!a.try_claim(Part::Producer).unwrap());
    }
}
