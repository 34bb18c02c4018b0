//! Forks: a child must not keep its parent's claims alive, and must notice that its handles are
//! inherited.
//!
//! A child inherits every descriptor, and with it the locks of its open file description, so the
//! parent's claims would outlive the parent. To prevent that, each claim's descriptor is entered in
//! a table here, and a `pthread_atfork` child handler closes them all. The handler runs between
//! fork and exec, possibly in a copy of a process whose other threads held locks at that instant.
//! So it takes no lock, and calls nothing but fcntl(2) and close(2).
//!
//! An inherited handle is recognised by its generation, a number in a page that the kernel wipes in
//! a child (MADV_WIPEONFORK, Linux 4.14). This also works in children that run no handlers
//! (`_Fork`, a raw clone(2)). If the kernel does not wipe the page, the handler does. A child
//! without handlers keeps the descriptors, and with them the claims, until it ends or executes a
//! program.
//!
//! Nothing here waits for a fork, and no fork waits for anything here: a fork may be waiting, in
//! another library's handler, for a lock that an opening thread holds. An opening announces itself
//! in the table before it opens its descriptor, so the child can find out what it has to close.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU64, Ordering};

use nix::fcntl::OFlag;

use crate::os::clock;

/// A static of whole pages, all zeros: anonymous memory, which is what the kernel wipes.
#[cfg_attr(target_arch = "x86_64", repr(align(0x1000)))]
#[cfg_attr(not(target_arch = "x86_64"), repr(align(0x10000)))]
struct Wiped(AtomicU64);

/// This process's generation. 0 in a child that has not needed one yet: there, every inherited
/// handle has another generation.
static GENERATION: Wiped = Wiped(AtomicU64::new(0));
static FIRST: Chunk = Chunk::new();

/// The flags that every claim's descriptor is opened with, and hardly any other file of a program.
/// By them a child recognises a descriptor whose number was not entered yet. O_APPEND has another
/// reason too (see `region/location.rs`). The others have no effect on a descriptor that is never
/// read or written.
pub(crate) const MARKED: OFlag =
    OFlag::O_RDWR.union(OFlag::O_APPEND).union(OFlag::O_DSYNC).union(OFlag::O_NONBLOCK);

const EMPTY: i32 = -1;
/// A descriptor is being opened, and its number is not known yet.
const OPENING: i32 = -2;
/// Its number was given to another claim's descriptor: other code has closed this one's.
const LOST: i32 = -3;
/// A child looks for descriptors that were being opened up to this number. The kernel hands out the
/// lowest free number, so a process must have this many files open before one is missed.
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
    // Before the number is stored, so that it never lies in a page that a fork would copy. SAFETY:
    // the range is this static alone, in whole pages; only what a child finds there changes. If the
    // kernel refuses (it is older, or has larger pages), the handler wipes the number.
    unsafe {
        let start = (&raw const GENERATION).cast_mut().cast();
        libc::madvise(start, size_of::<Wiped>(), libc::MADV_WIPEONFORK);
    }
    // An ancestor's generation was made at an earlier time or, if the clock ticks coarsely, by a
    // process with another id.
    let fresh = (clock::now() ^ u64::from(std::process::id()) << 40).max(1);
    let (old, order) = (0, Ordering::Relaxed);
    // If two threads come first, both get the number that stays.
    GENERATION.0.compare_exchange(old, fresh, order, order).map_or_else(|found| found, |_| fresh)
}

/// Registers the child handler, once.
fn register() -> Result<(), nix::Error> {
    // Not a OnceLock: a fork during another thread's initialisation would leave the child waiting
    // for ever. A handler that is registered twice does the same twice.
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    if REGISTERED.load(Ordering::SeqCst) {
        return Ok(());
    }
    // SAFETY: the handler is async-signal-safe and never unwinds. Its code stays for the life of
    // the process, or until its shared object is unloaded, when glibc drops the handler too.
    match unsafe { libc::pthread_atfork(None, None, Some(in_child)) } {
        0 => {
            REGISTERED.store(true, Ordering::SeqCst);
            Ok(())
        }
        errno => Err(nix::Error::from_raw(errno)),
    }
}

/// A claim's entry in the table, from before its descriptor is opened until its last unlock.
#[derive(Debug)]
pub(crate) struct Entry(&'static AtomicI32);

impl Entry {
    /// Announces that a descriptor is about to be opened, with the flags [`MARKED`].
    ///
    /// Why a child closes every claim that a fork copies: the kernel copies the descriptors first
    /// and the memory after that. If the copy has the descriptor, it was opened, and so announced,
    /// before either copy. In the child this one word then says one of three things. The descriptor
    /// is being opened: the child looks for it. Or it has this number: the child closes it. Or the
    /// entry was given up meanwhile: then its locks were released before that, for the child's copy
    /// too. If the copy does not have the descriptor, the child closes nothing under that number,
    /// since what it finds there does not have those flags.
    pub(crate) fn announce() -> Result<Self, nix::Error> {
        register()?;
        let mut chunk = &FIRST;
        loop {
            let free = chunk.descriptors.iter().find(|entry| {
                // Relaxed, here and below: the system calls in between take the lock of the
                // process's descriptors, as a fork does, and so order these stores for the child's
                // copy.
                let order = Ordering::Relaxed;
                entry.compare_exchange(EMPTY, OPENING, order, order).is_ok()
            });
            if let Some(entry) = free {
                return Ok(Self(entry));
            }
            chunk = chunk.next().unwrap_or_else(|| chunk.grow());
        }
    }

    /// Enters the number of the opened descriptor, before its first lock. Another entry with this
    /// number has lost its descriptor: an entry is left before its close.
    pub(crate) fn enter(&self, descriptor: RawFd) {
        for entry in entries().filter(|entry| entry.load(Ordering::Relaxed) == descriptor) {
            let order = Ordering::Relaxed;
            let _ = entry.compare_exchange(descriptor, LOST, order, order);
        }
        self.0.store(descriptor, Ordering::Relaxed);
    }

    /// Whether the entered number is still this claim's, and no other's.
    pub(crate) fn has(&self, descriptor: RawFd) -> bool {
        self.0.load(Ordering::Relaxed) == descriptor
    }

    /// Leaves the table: after the last unlock and before the close, or if nothing was opened.
    pub(crate) fn leave(&self) {
        self.0.store(EMPTY, Ordering::Relaxed);
    }
}

/// The descriptors that are entered now.
pub(crate) fn entered() -> impl Iterator<Item = RawFd> {
    // Relaxed: each is only a number, and callers ask the kernel what it leads to now.
    entries().map(|entry| entry.load(Ordering::Relaxed)).filter(|descriptor| *descriptor >= 0)
}

fn entries() -> impl Iterator<Item = &'static AtomicI32> {
    let chunks = std::iter::successors(Some(&FIRST), |chunk| chunk.next());
    chunks.flat_map(|chunk| &chunk.descriptors)
}

extern "C" fn in_child() {
    GENERATION.0.store(0, Ordering::Relaxed);
    let mut was_opening = false;
    let mut chunk = Some(&FIRST);
    while let Some(current) = chunk {
        for entry in &current.descriptors {
            match entry.swap(EMPTY, Ordering::Relaxed) {
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

/// Closes the descriptor if it was opened for a claim of a handle whose generation is over.
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
