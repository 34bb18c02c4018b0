//! What a fork must not do: keep a claim alive in a child that knows nothing of it.
//!
//! A child inherits every descriptor, and with it the locks of its open file description; the
//! parent's claims would outlive the parent. So each claim's descriptor is entered here, and a
//! `pthread_atfork` child handler closes them all. The handler runs between fork and exec, possibly in a process whose other
//! threads held locks at that instant: it takes none, and calls nothing but fcntl(2) and close(2).
//!
//! An inherited handle is known by its generation: a number in a page that the kernel wipes in a
//! child (MADV_WIPEONFORK, Linux 4.14), so that children that run no handlers (`_Fork`, a raw
//! clone(2)) are noticed too. Where the kernel does not wipe it, the handler does. A child without
//! handlers keeps the descriptors, and with them the claims, until it ends or executes a program.
//!
//! Nobody waits for a fork here, and no fork for anybody: a fork may be waiting, in another
//! library's handler, for a lock that an opening thread holds. An opening announces itself in the
//! table before it opens its descriptor, and the child finds out from that what it has to close.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU64, Ordering};

use nix::fcntl::OFlag;

use crate::clock;

/// A static of whole pages, all zeros: anonymous memory, which is what the kernel wipes.
#[cfg_attr(target_arch = "x86_64", repr(align(0x1000)))]
#[cfg_attr(not(target_arch = "x86_64"), repr(align(0x10000)))]
struct Wiped(AtomicU64);

/// This process's generation; 0: a child that has had no need of one, in which each inherited handle
/// has another.
static GENERATION: Wiped = Wiped(AtomicU64::new(0));
static FIRST: Chunk = Chunk::new();

/// How every claim's descriptor is opened, and hardly any other file of a program: by this a child
/// recognises one whose number was not entered yet. O_APPEND is there for another reason too (see
/// `place.rs`); the others do nothing to a descriptor that is never read nor written.
pub(crate) const MARKED: OFlag =
    OFlag::O_RDWR.union(OFlag::O_APPEND).union(OFlag::O_DSYNC).union(OFlag::O_NONBLOCK);

const EMPTY: i32 = -1;
/// A descriptor is being opened, and its number not known yet.
const OPENING: i32 = -2;
/// Its number was given to another claim's descriptor: other code has closed this one's.
const LOST: i32 = -3;
/// Up to which number a child looks for a descriptor that was being opened. The kernel hands out the
/// lowest free number, so a process has that many files open before one is missed.
const SEARCHED: i32 = 1 << 16;

/// A piece of the table of claim descriptors. Pieces are never freed, only filled again.
struct Chunk {
    descriptors: [AtomicI32; 64],
    next: AtomicPtr<Chunk>,
}

impl Chunk {
    const fn new() -> Self {
        Self {
            descriptors: [const { AtomicI32::new(EMPTY) }; 64],
            next: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    fn next(&self) -> Option<&'static Chunk> {
        let next = self.next.load(Ordering::Acquire);
        // SAFETY: `next` is null or came from Box::leak in `grow`, whose store released the chunk's
        // contents; chunks are never freed.
        unsafe { next.as_ref() }
    }

    fn grow(&self) -> &'static Chunk {
        let fresh: &'static mut Chunk = Box::leak(Box::new(Chunk::new()));
        let fresh: *mut Chunk = fresh;
        // AcqRel: the winner's chunk is complete before others can follow the pointer.
        let chunk = match self.next.compare_exchange(
            std::ptr::null_mut(),
            fresh,
            Ordering::AcqRel,
            Ordering::Acquire,
        ) {
            Ok(_) => fresh,
            Err(other) => {
                // SAFETY: `fresh` came from Box::leak above and was shown to nobody.
                drop(unsafe { Box::from_raw(fresh) });
                other
            }
        };
        // SAFETY: both came from Box::leak and are never freed once linked.
        unsafe { &*chunk }
    }
}

/// This process's generation: never 0, and no ancestor's.
pub(crate) fn generation() -> u64 {
    match GENERATION.0.load(Ordering::Relaxed) {
        0 => begin_generation(),
        generation => generation,
    }
}

/// Whether a fork lies between now and when [`generation`] returned this.
#[inline]
pub(crate) fn is_over(generation: u64) -> bool {
    // Relaxed: a fork orders everything in its child after everything before it.
    GENERATION.0.load(Ordering::Relaxed) != generation
}

#[cold]
fn begin_generation() -> u64 {
    // Before the number is there, so that it never lies in a page that a fork would copy.
    // SAFETY: the range is this static alone, whole pages of it; what is changed is what a child
    // finds there. Where it cannot be (an older kernel, larger pages), the handler sees to it.
    unsafe {
        let start = (&raw const GENERATION).cast_mut().cast();
        libc::madvise(start, size_of::<Wiped>(), libc::MADV_WIPEONFORK);
    }
    // An ancestor's was made of an earlier time, or on a clock of coarse ticks by another process.
    let fresh = (clock::now() ^ u64::from(std::process::id()) << 40).max(1);
    let (old, order) = (0, Ordering::Relaxed);
    // Of two threads that come first, both get the number that stays.
    GENERATION.0.compare_exchange(old, fresh, order, order).map_or_else(|found| found, |_| fresh)
}

/// Has the handlers called from now on.
fn register() -> Result<(), nix::Error> {
    // Not a OnceLock: a fork in another thread would leave the child's in the midst of its
    // initialisation, to be waited for for ever. Registered twice, the handler does the same twice.
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    if REGISTERED.load(Ordering::SeqCst) {
        return Ok(());
    }
    // SAFETY: the handler is async-signal-safe and never unwinds; it stays for the life of the
    // process, as does its code (glibc drops those of an unloaded shared object).
    match unsafe { libc::pthread_atfork(None, None, Some(in_child)) } {
        0 => {
            REGISTERED.store(true, Ordering::SeqCst);
            Ok(())
        }
        errno => Err(nix::Error::from_raw(errno)),
    }
}

/// A claim's place in the table, from before its descriptor is opened until its last unlock.
#[derive(Debug)]
pub(crate) struct Entry(&'static AtomicI32);

impl Entry {
    /// Announces that a descriptor is about to be opened, with the flags [`MARKED`].
    ///
    /// Why no fork copies a claim that its child does not close: the kernel copies the descriptors
    /// first and the memory after that. If the copy has the descriptor, it was opened, and so
    /// announced, before either copy; this one word then says in the child that it is being opened
    /// (the child looks for it), or its number (the child closes it), or, if it was given up
    /// meanwhile, nothing: then its locks were released before that, for the child's copy too. If
    /// the copy does not have the descriptor, the child closes nothing under that number, since
    /// what it finds there has not got those flags.
    pub(crate) fn announce() -> Result<Self, nix::Error> {
        register()?;
        let mut chunk = &FIRST;
        loop {
            let free = chunk.descriptors.iter().find(|location| {
                // Relaxed, here and below: the system calls between, which take the lock of the
                // process's descriptors as a fork does, order these for the child's copy.
                let order = Ordering::Relaxed;
                location.compare_exchange(EMPTY, OPENING, order, order).is_ok()
            });
            if let Some(location) = free {
                return Ok(Self(location));
            }
            chunk = chunk.next().unwrap_or_else(|| chunk.grow());
        }
    }

    /// Enters the number of the descriptor that was opened, before its first lock. Whoever is entered
    /// with that number already does not have it any more: an entry is left before its close.
    pub(crate) fn enter(&self, descriptor: RawFd) {
        for location in places().filter(|location| location.load(Ordering::Relaxed) == descriptor) {
            let order = Ordering::Relaxed;
            let _ = location.compare_exchange(descriptor, LOST, order, order);
        }
        self.0.store(descriptor, Ordering::Relaxed);
    }

    /// Whether the number that was entered is this one's still, and no other claim's.
    pub(crate) fn has(&self, descriptor: RawFd) -> bool {
        self.0.load(Ordering::Relaxed) == descriptor
    }

    /// Takes it out again: after its last unlock and before its close, or if nothing was opened.
    pub(crate) fn leave(&self) {
        self.0.store(EMPTY, Ordering::Relaxed);
    }
}

/// The descriptors that are entered now.
pub(crate) fn entered() -> impl Iterator<Item = RawFd> {
    // Relaxed: each is a number, and what it is now is asked of the kernel.
    places().map(|location| location.load(Ordering::Relaxed)).filter(|descriptor| *descriptor >= 0)
}

fn places() -> impl Iterator<Item = &'static AtomicI32> {
    let chunks = std::iter::successors(Some(&FIRST), |chunk| chunk.next());
    chunks.flat_map(|chunk| &chunk.descriptors)
}

extern "C" fn in_child() {
    GENERATION.0.store(0, Ordering::Relaxed);
    let mut was_opening = false;
    let mut chunk = Some(&FIRST);
    while let Some(current) = chunk {
        for location in &current.descriptors {
            match location.swap(EMPTY, Ordering::Relaxed) {
                EMPTY | LOST => {}
                OPENING => was_opening = true,
                descriptor => close_if_marked(descriptor),
            }
        }
        chunk = current.next();
    }
    if was_opening {
        (0..SEARCHED).for_each(close_if_marked);
    }
}

/// Closes it if it was opened for a claim: by another's handle, whose generation is over.
fn close_if_marked(descriptor: RawFd) {
    // SAFETY: F_GETFL takes any number, and changes nothing.
    let flags = unsafe { libc::fcntl(descriptor, libc::F_GETFL) };
    if flags >= 0 && flags & (MARKED.bits() | libc::O_ACCMODE) == MARKED.bits() {
        // SAFETY: by its flags the descriptor is a claim's, which only its handle closes, and that
        // handle's generation is over: nobody uses the number again.
        unsafe { libc::close(descriptor) };
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::OpenOptionsExt;

    use super::*;

    #[test]
    fn the_table_grows_and_its_places_are_used_again() {
        let entries: Vec<_> = (0..200).map(|_| Entry::announce().unwrap()).collect();
        entries.iter().for_each(Entry::leave);
        let again: Vec<_> = (0..200).map(|_| Entry::announce().unwrap()).collect();
        let is_known = |entry: &Entry| entries.iter().any(|other| std::ptr::eq(other.0, entry.0));
        assert!(again.iter().all(is_known));
        again.iter().for_each(Entry::leave);
    }

    /// Which of `descriptors` are open in a child that is forked now.
    fn open_in_child(descriptors: &[i32]) -> Vec<bool> {
        // SAFETY: the child makes a few system calls and ends; it takes no lock and allocates
        // nothing.
        match unsafe { libc::fork() } {
            0 => {
                let mut open = 0;
                for (bit, descriptor) in descriptors.iter().enumerate() {
                    // SAFETY: F_GETFD takes any number, and changes nothing.
                    let is_open = unsafe { libc::fcntl(*descriptor, libc::F_GETFD) } >= 0;
                    open |= i32::from(is_open) << bit;
                }
                // SAFETY: _exit has no preconditions.
                unsafe { libc::_exit(open) }
            }
            child => {
                let mut status = 0;
                // SAFETY: `status` is an int that lives through the call.
                assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
                let open = libc::WEXITSTATUS(status);
                (0..descriptors.len()).map(|bit| open & 1 << bit != 0).collect()
            }
        }
    }

    #[test]
    fn a_child_closes_what_was_being_opened_at_the_fork_and_nothing_else() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let open = |flags: i32| {
            let mut options = std::fs::File::options();
            options.read(true).write(true).custom_flags(flags).open(file.path()).unwrap()
        };
        let [claim, reused] = [MARKED.bits(), 0].map(open);
        let append = open(libc::O_APPEND);
        let numbers = [&claim, &reused, &append].map(AsRawFd::as_raw_fd);
        let opening = Entry::announce().unwrap();
        // Closed in the parent while it forked, and the number given to another file since.
        let left = Entry::announce().unwrap();
        left.enter(reused.as_raw_fd());
        assert_eq!(open_in_child(&numbers), [false, true, true]);
        opening.leave();
        left.leave();
    }
}
