//! Shared bytes: as they are, under a lock, under a reader-writer lock.

use std::cell::UnsafeCell;
use std::ffi::{c_char, c_void};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use io_shared_core::mmap::{
    Bytes, BytesMut, LockError, Mmap, MmapGuard, MmapOptions, MmapReadGuard,
};
use io_shared_core::{Error, ErrorKind, RwSharedMmap, SharedMmap, UnsafeSharedMmap};

use crate::handle::in_use;
use crate::options::{
    IOS_EPHEMERAL, IOS_EXTEND, IOS_NO_STAMPS, IOS_PREFAULT, IOS_REOPEN, IOS_REPLACE, Location,
    Options, bad, ios_options, timeout,
};
use crate::pointer::{Out, borrow, borrow_mut, give, give_text, needed_text, take};
use crate::status::{Failure, Outcome, call, ios_status};

/// What guards shared bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub enum ios_mmap_kind {
    /// Nothing, and there is no header: the bytes of the object as they are.
    IOS_MMAP_UNSAFE = 0,
    /// One lock.
    IOS_MMAP_LOCKED = 1,
    /// A lock for one writer, or readers together.
    IOS_MMAP_RW = 2,
}

/// Shared bytes.
#[derive(Debug)]
pub struct ios_mmap(Arc<Shared>);

/// A lock that is held. It keeps the bytes, and the slot of its mmap, by itself.
#[derive(Debug)]
pub struct ios_mmap_guard {
    // Given back before `exclusive` says that it was.
    held: Held,
    exclusive: Exclusive,
    /// Whether the content may be half-written.
    dirty: bool,
}

#[derive(Debug)]
struct Shared {
    bytes: UnsafeCell<Guarded>,
    /// Who uses `bytes`: [`FREE`], [`ENTERED`] or [`LOCKED`].
    used: AtomicU8,
    name: String,
    size: usize,
    /// What is passed on, or -1.
    fd: i32,
    /// That opened it.
    process: u32,
}

// SAFETY: `bytes`, which alone is not Sync, is reached through an `Exclusive` only, and there is one at
// a time; it may go to another thread, as its content is Send (asserted below).
unsafe impl Sync for Shared {}

/// Nobody.
const FREE: u8 = 0;
/// A call.
const ENTERED: u8 = 1;
/// A guard.
const LOCKED: u8 = 2;

#[derive(Debug)]
enum Guarded {
    Not(UnsafeSharedMmap),
    ByOne(SharedMmap),
    ByRw(RwSharedMmap),
}

#[derive(Debug)]
enum Held {
    /// It borrows from the `bytes` of the [`Exclusive`] beside it.
    Write(MmapGuard<'static>),
    #[allow(dead_code, reason = "held until it is dropped")]
    Read(MmapReadGuard<'static>),
}

/// The use of `bytes`, by one call or guard.
#[derive(Debug)]
struct Exclusive(Arc<Shared>);

// A handle may be used by another thread than the one that opened it, one at a time.
const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Guarded>();
    is_send::<Held>();
};

impl Exclusive {
    fn enter(shared: &Arc<Shared>) -> Outcome<Self> {
        // Acquire, with the Release below: what the one before did is done.
        match shared.used.compare_exchange(FREE, ENTERED, Acquire, Relaxed) {
            Ok(_) => Ok(Self(Arc::clone(shared))),
            Err(LOCKED) if shared.process == std::process::id() => {
                Err(Error::new(&shared.name, ErrorKind::WouldDeadlock).into())
            }
            Err(_) => Err(in_use(&shared.name, shared.process)),
        }
    }

    fn bytes(&mut self) -> *mut Guarded {
        self.0.bytes.get()
    }
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        self.0.used.store(FREE, Release);
    }
}

/// Opens shared bytes of that kind (an `ios_mmap_kind`); with a `capacity` it creates what is not
/// there.
///
/// # Safety
/// `options` is NULL or set by `ios_options_init`, with texts that are texts; `mmap` is NULL or may
/// be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_mmap_open(
    options: *const ios_options,
    kind: u32,
    mmap: *mut *mut ios_mmap,
) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::needed(mmap, "mmap") }?;
        // SAFETY: as the caller promises.
        let options = unsafe { Options::read(options) }?;
        let fd = |fd: Option<i32>| fd.unwrap_or(-1);
        let (bytes, name, size, fd) = match kind_of(kind)? {
            ios_mmap_kind::IOS_MMAP_UNSAFE => {
                let mmap = UnsafeSharedMmap::at(options)?;
                let (name, size) = (mmap.name().to_owned(), mmap.len());
                let descriptor = mmap.as_fd().as_raw_fd();
                (Guarded::Not(mmap), name, size, descriptor)
            }
            ios_mmap_kind::IOS_MMAP_LOCKED => {
                let mmap = SharedMmap::at(options)?;
                let (name, size) = (mmap.name().to_owned(), mmap.len());
                let descriptor = fd(mmap.as_fd().map(|fd| fd.as_raw_fd()));
                (Guarded::ByOne(mmap), name, size, descriptor)
            }
            ios_mmap_kind::IOS_MMAP_RW => {
                let mmap = RwSharedMmap::at(options)?;
                let (name, size) = (mmap.name().to_owned(), mmap.len());
                let descriptor = fd(mmap.as_fd().map(|fd| fd.as_raw_fd()));
                (Guarded::ByRw(mmap), name, size, descriptor)
            }
        };
        let (bytes, used) = (UnsafeCell::new(bytes), AtomicU8::new(FREE));
        let process = std::process::id();
        out.set(give(ios_mmap(Arc::new(Shared { bytes, used, name, size, fd, process }))));
        Ok(())
    })
}

fn kind_of(kind: u32) -> Outcome<ios_mmap_kind> {
    use ios_mmap_kind::{IOS_MMAP_LOCKED, IOS_MMAP_RW, IOS_MMAP_UNSAFE};
    let known = [IOS_MMAP_UNSAFE, IOS_MMAP_LOCKED, IOS_MMAP_RW];
    let found = known.into_iter().find(|known| *known as u32 == kind);
    found.ok_or_else(|| bad(format!("{kind} is no ios_mmap_kind")))
}

/// The places, as constructors.
trait At: Mmap {
    fn named(name: &str) -> MmapOptions<Self>;
    fn file(path: std::path::PathBuf) -> MmapOptions<Self>;
    fn from_fd(descriptor: std::os::fd::OwnedFd) -> MmapOptions<Self>;
    fn anonymous() -> MmapOptions<Self>;

    fn at(options: Options) -> Outcome<Self> {
        let channels = [
            (options.schema.is_some(), "schema"),
            (options.consumer_name.is_some(), "consumer_name"),
            (options.holds.is_some(), "holds"),
            (options.has(IOS_NO_STAMPS), "IOS_NO_STAMPS"),
            (options.has(IOS_REOPEN), "IOS_REOPEN"),
        ];
        options.refuse(&channels, "it is for channels")?;
        let (prefault, ephemeral) = (options.has(IOS_PREFAULT), options.has(IOS_EPHEMERAL));
        let (replace, extend) = (options.has(IOS_REPLACE), options.has(IOS_EXTEND));
        let mut mmap = match options.location {
            Location::Name(name) => Self::named(&name),
            Location::File(path) => Self::file(path),
            Location::Descriptor(descriptor) => Self::from_fd(descriptor),
            Location::Anonymous => Self::anonymous(),
        };
        mmap = mmap.prefault(prefault).ephemeral(ephemeral).replace(replace).extend(extend);
        if let Some(size) = options.capacity {
            mmap = mmap.size(size);
        }
        if let Some(readers) = options.consumers {
            mmap = mmap.handles(readers);
        }
        if let Some(mode) = options.mode {
            mmap = mmap.mode(mode);
        }
        if let Some(timeout) = options.open_timeout {
            mmap = mmap.open_timeout(timeout);
        }
        Ok(mmap.open()?)
    }
}

macro_rules! at {
    ($($Type:ident)*) => {$(
        impl At for $Type {
            fn named(name: &str) -> MmapOptions<Self> {
                $Type::named(name)
            }
            fn file(path: std::path::PathBuf) -> MmapOptions<Self> {
                $Type::file(path)
            }
            fn from_fd(descriptor: std::os::fd::OwnedFd) -> MmapOptions<Self> {
                $Type::from_fd(descriptor)
            }
            fn anonymous() -> MmapOptions<Self> {
                $Type::anonymous()
            }
        }
    )*};
}
at!(UnsafeSharedMmap SharedMmap RwSharedMmap);

/// Closes shared bytes, which stay in memory or in their file. A guard that lives keeps them, and
/// their slot. NULL is left alone.
///
/// # Safety
/// `mmap` is NULL, or came from `ios_mmap_open` and is closed for the first time, while no other
/// thread uses it; nobody uses the pointer of `ios_mmap_data` any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_mmap_close(mmap: *mut ios_mmap) {
    call(|| {
        // SAFETY: as the caller promises.
        drop(unsafe { take(mmap) });
        Ok(())
    });
}

/// How many bytes there are. No lock is needed: they never grow or shrink.
///
/// # Safety
/// `mmap` is NULL or open; `size` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_mmap_size(mmap: *const ios_mmap, size: *mut usize) -> ios_status {
    // SAFETY: as the caller promises.
    unsafe { ask(mmap, size, |shared| Ok(shared.size)) }
}

/// The name or place. The text is the caller's, to be freed by `ios_text_free`.
///
/// # Safety
/// `mmap` is NULL or open; `name` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_mmap_name(
    mmap: *const ios_mmap,
    name: *mut *mut c_char,
) -> ios_status {
    // SAFETY: as the caller promises.
    unsafe { ask(mmap, name, |shared| Ok(give_text(shared.name.as_str()))) }
}

/// A descriptor to pass to another process: of what has no name, or of `IOS_MMAP_UNSAFE`; else -1. It
/// is the mmap's, and closed with it.
///
/// # Safety
/// `mmap` is NULL or open; `fd` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_mmap_fd(mmap: *const ios_mmap, fd: *mut i32) -> ios_status {
    // SAFETY: as the caller promises.
    unsafe { ask(mmap, fd, |shared| Ok(shared.fd)) }
}

/// The bytes of an `IOS_MMAP_UNSAFE`, until it is closed; NULL if there are none. Others may write to
/// them at any time. The other kinds give their bytes with a lock: `IOS_UNSUPPORTED`.
///
/// # Safety
/// `mmap` is NULL or open; `data` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_mmap_data(
    mmap: *const ios_mmap,
    data: *mut *mut c_void,
) -> ios_status {
    let start = |shared: &Arc<Shared>| {
        let mut exclusive = Exclusive::enter(shared)?;
        // SAFETY: `exclusive` keeps every other use away for as long as this lives.
        match unsafe { &mut *exclusive.bytes() } {
            Guarded::Not(mmap) if mmap.is_empty() => Ok(std::ptr::null_mut()),
            Guarded::Not(mmap) => Ok(mmap.as_ptr::<u8>()?.cast()),
            _ => Err(locks_first(shared)),
        }
    };
    // SAFETY: as the caller promises.
    unsafe { ask(mmap, data, start) }
}

/// Writes what was changed in an `IOS_MMAP_UNSAFE` to its file, if it is one (msync). For the other
/// kinds there is `ios_mmap_guard_flush`.
///
/// # Safety
/// `mmap` is NULL or open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_mmap_flush(mmap: *mut ios_mmap) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let shared = &unsafe { borrow(mmap, "mmap") }?.0;
        let mut exclusive = Exclusive::enter(shared)?;
        // SAFETY: `exclusive` keeps every other use away for as long as this lives.
        match unsafe { &mut *exclusive.bytes() } {
            Guarded::Not(mmap) => flushed(&shared.name, mmap.flush()),
            _ => Err(locks_first(shared)),
        }
    })
}

/// Waits for the lock, to write, for at most `timeout_ns` (negative: as long as it takes), and gives
/// the bytes; 0 tries, and is `IOS_WOULD_BLOCK` if another has it.
///
/// `IOS_OWNER_DIED`: the lock is taken and the guard given, but a writer died in the middle before,
/// and the content may be half-written; it stays so for everyone until `ios_mmap_mark_consistent`.
///
/// # Safety
/// `mmap` is NULL or open; `guard` and `data` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_mmap_lock(
    mmap: *mut ios_mmap,
    timeout_ns: i64,
    guard: *mut *mut ios_mmap_guard,
    data: *mut *mut c_void,
) -> ios_status {
    let write = |bytes: &'static mut Guarded, shared: &Shared| {
        let (mut held, dirty) = clean_or_dirty(match (bytes, timeout_ns, timeout(timeout_ns)) {
            (Guarded::ByOne(mmap), 0, _) => mmap.try_lock(),
            (Guarded::ByOne(mmap), _, None) => mmap.lock(),
            (Guarded::ByOne(mmap), _, Some(timeout)) => mmap.lock_timeout(timeout),
            (Guarded::ByRw(mmap), 0, _) => mmap.try_write(),
            (Guarded::ByRw(mmap), _, None) => mmap.write(),
            (Guarded::ByRw(mmap), _, Some(timeout)) => mmap.write_timeout(timeout),
            (Guarded::Not(_), ..) => return Err(has_no_lock(shared)),
        })?;
        let start = held.as_bytes_mut().as_mut_ptr().cast();
        Ok((Held::Write(held), dirty, start))
    };
    // SAFETY: as the caller promises.
    unsafe { lock(mmap, guard, data, write) }
}

/// As `ios_mmap_lock`, to read, together with other readers (`IOS_MMAP_RW`).
///
/// # Safety
/// `mmap` is NULL or open; `guard` and `data` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_mmap_lock_read(
    mmap: *mut ios_mmap,
    timeout_ns: i64,
    guard: *mut *mut ios_mmap_guard,
    data: *mut *const c_void,
) -> ios_status {
    let read = |bytes: &'static mut Guarded, shared: &Shared| {
        let (held, dirty) = clean_or_dirty(match (bytes, timeout_ns, timeout(timeout_ns)) {
            (Guarded::ByRw(mmap), 0, _) => mmap.try_read(),
            (Guarded::ByRw(mmap), _, None) => mmap.read(),
            (Guarded::ByRw(mmap), _, Some(timeout)) => mmap.read_timeout(timeout),
            (Guarded::ByOne(_), ..) => {
                let text = format!("{}: one lock is for reading too: ios_mmap_lock", shared.name);
                return Err(Failure::Said(ios_status::IOS_UNSUPPORTED, text));
            }
            (Guarded::Not(_), ..) => return Err(has_no_lock(shared)),
        })?;
        let start = held.as_bytes().as_ptr().cast();
        Ok((Held::Read(held), dirty, start))
    };
    // SAFETY: as the caller promises.
    unsafe { lock(mmap, guard, data, read) }
}

/// Gives to C what `take` takes: the guard, and where the bytes are.
///
/// # Safety
/// `mmap` is NULL or open; `guard` and `data` are NULL or may be written to.
unsafe fn lock<P>(
    mmap: *mut ios_mmap,
    guard: *mut *mut ios_mmap_guard,
    data: *mut P,
    take: impl FnOnce(&'static mut Guarded, &Shared) -> Outcome<(Held, bool, P)>,
) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let shared = &unsafe { borrow(mmap, "mmap") }?.0;
        // SAFETY: as the caller promises.
        let guard = unsafe { Out::needed(guard, "guard") }?;
        // SAFETY: as the caller promises.
        let data = unsafe { Out::needed(data, "data") }?;
        let mut exclusive = Exclusive::enter(shared)?;
        // SAFETY: `exclusive` keeps every other use away, and goes with the guard, which it
        // outlives, or with this call, and then `take` has left nothing. The bytes do not move and
        // live as long as it.
        let bytes: &'static mut Guarded = unsafe { &mut *exclusive.bytes() };
        let (held, dirty, start) = take(bytes, shared)?;
        data.set(start);
        // Relaxed: it is this thread's own until it is freed.
        shared.used.store(LOCKED, Relaxed);
        guard.set(give(ios_mmap_guard { held, exclusive, dirty }));
        if dirty { Err(Error::new(&shared.name, ErrorKind::OwnerDied).into()) } else { Ok(()) }
    })
}

fn clean_or_dirty<G>(locked: Result<G, LockError<G>>) -> Outcome<(G, bool)> {
    match locked {
        Ok(guard) => Ok((guard, false)),
        Err(LockError::OwnerDied(guard)) => Ok((guard, true)),
        Err(LockError::Failed(error)) => Err(error.into()),
    }
}

/// Gives a lock back. NULL is left alone.
///
/// # Safety
/// `guard` is NULL, or came from a lock and is dropped for the first time; nobody uses its bytes any
/// more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_mmap_guard_drop(guard: *mut ios_mmap_guard) {
    call(|| {
        // SAFETY: as the caller promises.
        drop(unsafe { take(guard) });
        Ok(())
    });
}

/// Whether the content may be half-written: the lock was `IOS_OWNER_DIED`, and nobody has called
/// `ios_mmap_mark_consistent` through this guard.
///
/// # Safety
/// `guard` is NULL or was not dropped; `dirty` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_mmap_is_dirty(
    guard: *const ios_mmap_guard,
    dirty: *mut bool,
) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let guard = unsafe { borrow(guard, "guard") }?;
        // SAFETY: as the caller promises.
        let out = unsafe { Out::needed(dirty, "dirty") }?;
        out.set(guard.dirty);
        Ok(())
    })
}

/// Says that the content is whole again after a writer died in the middle. For a writer's guard; a
/// reader's is `IOS_UNSUPPORTED`.
///
/// # Safety
/// `guard` is NULL or was not dropped, and no other thread is using it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_mmap_mark_consistent(guard: *mut ios_mmap_guard) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let guard = unsafe { borrow_mut(guard, "guard") }?;
        guard.writer("a reader cannot repair what it reads")?.mark_consistent();
        guard.dirty = false;
        Ok(())
    })
}

/// Says that the content may be half-written, as a writer's death in the middle does: for a writer that
/// gives up there, by an exception, say. Every lock from then on is `IOS_OWNER_DIED`, until
/// `ios_mmap_mark_consistent`. For a writer's guard; a reader's is `IOS_UNSUPPORTED`.
///
/// # Safety
/// `guard` is NULL or was not dropped, and no other thread is using it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_mmap_mark_dirty(guard: *mut ios_mmap_guard) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let guard = unsafe { borrow_mut(guard, "guard") }?;
        guard.writer("a reader leaves nothing half-written")?.mark_dirty();
        guard.dirty = true;
        Ok(())
    })
}

/// Writes what was changed to the file, if there is one (msync). For a writer's guard; a reader's is
/// `IOS_UNSUPPORTED`.
///
/// # Safety
/// `guard` is NULL or was not dropped, and no other thread is using it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_mmap_guard_flush(guard: *mut ios_mmap_guard) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let guard = unsafe { borrow_mut(guard, "guard") }?;
        let flush = guard.writer("a reader has changed nothing")?.flush();
        flushed(&guard.exclusive.0.name, flush)
    })
}

impl ios_mmap_guard {
    fn writer(&mut self, why_not: &str) -> Outcome<&mut MmapGuard<'static>> {
        match &mut self.held {
            Held::Write(guard) => Ok(guard),
            Held::Read(_) => {
                let text = format!("{}: {why_not}: lock it to write", self.exclusive.0.name);
                Err(Failure::Said(ios_status::IOS_UNSUPPORTED, text))
            }
        }
    }
}

/// Removes what has that name in shared memory and is of that kind (an `ios_mmap_kind`), like a file.
/// Whoever uses it finds `IOS_REPLACED`, but for `IOS_MMAP_UNSAFE`, where nobody is told.
///
/// # Safety
/// `name` is NULL or a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_mmap_remove(name: *const c_char, kind: u32) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let name = unsafe { needed_text(name, "name") }?;
        Ok(match kind_of(kind)? {
            ios_mmap_kind::IOS_MMAP_UNSAFE => UnsafeSharedMmap::remove(name),
            ios_mmap_kind::IOS_MMAP_LOCKED => SharedMmap::remove(name),
            ios_mmap_kind::IOS_MMAP_RW => RwSharedMmap::remove(name),
        }?)
    })
}

#[cold]
fn locks_first(shared: &Shared) -> Failure {
    let text = format!("{}: its bytes come with its lock: ios_mmap_lock", shared.name);
    Failure::Said(ios_status::IOS_UNSUPPORTED, text)
}

#[cold]
fn has_no_lock(shared: &Shared) -> Failure {
    let text = format!("{}: it was opened without a lock, as IOS_MMAP_UNSAFE", shared.name);
    Failure::Said(ios_status::IOS_UNSUPPORTED, text)
}

fn flushed(name: &str, result: std::io::Result<()>) -> Outcome {
    let Err(error) = result else { return Ok(()) };
    let kind = match error.raw_os_error() {
        Some(errno) => ErrorKind::System { call: "msync", errno },
        None => return Err(Failure::Said(ios_status::IOS_OTHER, format!("{name}: {error}"))),
    };
    Err(Error::new(name, kind).into())
}

/// # Safety
/// `mmap` is NULL or open; `out` is NULL or may be written to.
unsafe fn ask<A>(
    mmap: *const ios_mmap,
    out: *mut A,
    answer: impl FnOnce(&Arc<Shared>) -> Outcome<A>,
) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let shared = &unsafe { borrow(mmap, "mmap") }?.0;
        // SAFETY: as the caller promises.
        let out = unsafe { Out::needed(out, "the place for the answer") }?;
        out.set(answer(shared)?);
        Ok(())
    })
}
