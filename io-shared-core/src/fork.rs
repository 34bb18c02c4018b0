//! What a fork must not do: keep a claim alive in a child that knows nothing of it.
//!
//! A child inherits every descriptor, and with it the locks of its open file description; the
//! parent's claims would outlive the parent. So each claim's descriptor is entered here, and a
//! `pthread_atfork` child handler closes them all and raises the generation, by which handles that
//! were inherited are known. The handler runs between fork and exec, possibly in a process whose
//! other threads held locks at that instant: it takes none, and calls nothing but close(2).

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, Ordering};

static GENERATION: AtomicU32 = AtomicU32::new(0);
/// Forks that have begun and forks that are over, in this process.
static BEGUN: AtomicU32 = AtomicU32::new(0);
static OVER: AtomicU32 = AtomicU32::new(0);
static FIRST: Chunk = Chunk::new();

const EMPTY: i32 = -1;

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

/// How many forks lie between the first process and this one.
#[inline]
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// How many forks have begun.
pub(crate) fn begun() -> u32 {
    // SeqCst, here and in the handlers: a descriptor opened between two equal counts with no fork
    // under way was copied by none, or is in the table that the copy looks through.
    BEGUN.load(Ordering::SeqCst)
}

/// How many forks have begun, none of them being under way.
pub(crate) fn settled() -> Result<u32, nix::Error> {
    register()?;
    loop {
        let begun = begun();
        // At most, and not equal: a fork that was under way when the handlers were registered may
        // be counted as over only.
        if begun.wrapping_sub(OVER.load(Ordering::SeqCst)).cast_signed() <= 0 {
            return Ok(begun);
        }
        std::thread::yield_now();
    }
}

/// Has the handlers called from now on.
fn register() -> Result<(), nix::Error> {
    // Not a OnceLock: a fork in another thread would leave the child's in the midst of its
    // initialisation, to be waited for for ever. Registered twice, the handlers count twice, and do
    // nothing else.
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    if REGISTERED.load(Ordering::SeqCst) {
        return Ok(());
    }
    // SAFETY: the handlers are async-signal-safe and never unwind; they stay for the life of the
    // process, as does their code (glibc drops those of an unloaded shared object).
    match unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) } {
        0 => {
            REGISTERED.store(true, Ordering::SeqCst);
            Ok(())
        }
        errno => Err(nix::Error::from_raw(errno)),
    }
}

extern "C" fn before() {
    BEGUN.fetch_add(1, Ordering::SeqCst);
}

extern "C" fn in_parent() {
    OVER.fetch_add(1, Ordering::SeqCst);
}

/// Enters a claim's descriptor, before its first lock; gives its place in the table.
pub(crate) fn enter(descriptor: RawFd) -> &'static AtomicI32 {
    let mut chunk = &FIRST;
    loop {
        let free = chunk.descriptors.iter().find(|place| {
            // Relaxed: whether a fork came between the open and this is found out by `begun`.
            let (empty, order) = (EMPTY, Ordering::Relaxed);
            place.compare_exchange(empty, descriptor, order, order).is_ok()
        });
        if let Some(place) = free {
            return place;
        }
        chunk = chunk.next().unwrap_or_else(|| chunk.grow());
    }
}

/// The descriptors that are entered now.
pub(crate) fn entered() -> impl Iterator<Item = RawFd> {
    let chunks = std::iter::successors(Some(&FIRST), |chunk| chunk.next());
    // Relaxed: each is a number, and what it is now is asked of the kernel.
    let places = chunks.flat_map(|chunk| &chunk.descriptors);
    places.map(|place| place.load(Ordering::Relaxed)).filter(|descriptor| *descriptor != EMPTY)
}

/// Takes a descriptor out again, after its last unlock and before its close.
pub(crate) fn leave(place: &AtomicI32) {
    place.store(EMPTY, Ordering::Relaxed);
}

extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    // The other threads' forks are not under way here.
    OVER.store(BEGUN.load(Ordering::SeqCst), Ordering::SeqCst);
    let mut chunk = Some(&FIRST);
    while let Some(current) = chunk {
        for place in &current.descriptors {
            let descriptor = place.swap(EMPTY, Ordering::Relaxed);
            if descriptor != EMPTY {
                // SAFETY: the descriptor was a claim's, which only its handle closes, and that
                // handle's generation is over: nobody uses the number again.
                unsafe { libc::close(descriptor) };
            }
        }
        chunk = current.next();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_grows_and_its_places_are_used_again() {
        let places: Vec<_> = (0..200).map(|i| enter(1_000_000 + i)).collect();
        places.iter().for_each(|place| leave(place));
        let again: Vec<_> = (0..200).map(|i| enter(1_000_000 + i)).collect();
        assert!(again.iter().all(|a| places.iter().any(|p| std::ptr::eq(*p, *a))));
        again.iter().for_each(|place| leave(place));
    }
}
