//! The locks of shared bytes: taking one, and what its guard can do.

use std::ffi::c_void;
use std::io::Write;

use io_shared_core::mmap::{Bytes, BytesMut, LockError, MmapGuard, MmapReadGuard};
use io_shared_core::{Error, ErrorKind};

use crate::call::call;
use crate::memory::{drop_from_c, into_c};
use crate::mmap::{Exclusive, Mapped, Shared, flushed, ios_mmap};
use crate::options::timeout;
use crate::pointer::{In, InMut, Out};
use crate::status::{Failure, Outcome, ios_status};

/// A lock that was taken. It keeps the bytes, and the slot of its mmap, alive.
#[derive(Debug)]
pub struct ios_mmap_guard {
    // Declared before `exclusive`, so that the lock is released before the bytes are free again.
    lock: Lock,
    exclusive: Exclusive,
    /// Whether the content may be half-written.
    dirty: bool,
}

/// Both kinds borrow from the bytes of the [`Exclusive`] next to them.
#[derive(Debug)]
enum Lock {
    Write(MmapGuard<'static>),
    #[allow(dead_code, reason = "it holds the lock until it is dropped")]
    Read(MmapReadGuard<'static>),
}

// The thread that drops a guard need not be the one that took the lock.
const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Lock>();
};

/// Waits for the lock, to write, for at most `timeout_ns` (negative: for ever), and returns the
/// bytes. 0 only tries: `IOS_WOULD_BLOCK` if another handle has the lock.
///
/// `IOS_OWNER_DIED`: the lock is taken and the guard returned, but an earlier writer died while it
/// was writing, so the content may be half-written. Every later lock says so too, until
/// `ios_mmap_mark_consistent`.
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
    let write = |bytes: &'static mut Mapped, shared: &Shared| {
        let (mut lock, dirty) = clean_or_dirty(match (bytes, timeout_ns, timeout(timeout_ns)) {
            (Mapped::Locked(mmap), 0, _) => mmap.try_lock(),
            (Mapped::Locked(mmap), _, None) => mmap.lock(),
            (Mapped::Locked(mmap), _, Some(timeout)) => mmap.lock_timeout(timeout),
            (Mapped::Rw(mmap), 0, _) => mmap.try_write(),
            (Mapped::Rw(mmap), _, None) => mmap.write(),
            (Mapped::Rw(mmap), _, Some(timeout)) => mmap.write_timeout(timeout),
            (Mapped::State(state), _, timeout) => state.write(timeout),
            (Mapped::Unsafe(_), ..) => return Err(has_no_lock(shared)),
        })?;
        let start = lock.as_bytes_mut().as_mut_ptr().cast();
        Ok((Lock::Write(lock), dirty, start))
    };
    // SAFETY: it is what `take_lock` asks for, of a handle and two pointers.
    unsafe { take_lock(mmap, guard, data, write) }
}

/// As `ios_mmap_lock`, to read, together with other readers (`IOS_MMAP_RW`, `IOS_MMAP_STATE`).
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
    let read = |bytes: &'static mut Mapped, shared: &Shared| {
        let (lock, dirty) = clean_or_dirty(match (bytes, timeout_ns, timeout(timeout_ns)) {
            (Mapped::Rw(mmap), 0, _) => mmap.try_read(),
            (Mapped::Rw(mmap), _, None) => mmap.read(),
            (Mapped::Rw(mmap), _, Some(timeout)) => mmap.read_timeout(timeout),
            (Mapped::State(state), _, timeout) => state.read(timeout),
            (Mapped::Locked(_), ..) => {
                let name = &shared.name;
                let text = format!("{name}: its one lock is for reading too: call ios_mmap_lock");
                return Err(Failure::Said(ios_status::IOS_UNSUPPORTED, text));
            }
            (Mapped::Unsafe(_), ..) => return Err(has_no_lock(shared)),
        })?;
        let start = lock.as_bytes().as_ptr().cast();
        Ok((Lock::Read(lock), dirty, start))
    };
    // SAFETY: it is what `take_lock` asks for, of a handle and two pointers.
    unsafe { take_lock(mmap, guard, data, read) }
}

/// Takes a lock by `take`, and hands its guard and the start of the bytes to C.
///
/// # Safety
/// `mmap` is NULL or open; `guard` and `data` are NULL or may be written to.
unsafe fn take_lock<P>(
    mmap: *mut ios_mmap,
    guard: *mut *mut ios_mmap_guard,
    data: *mut P,
    take: impl FnOnce(&'static mut Mapped, &Shared) -> Outcome<(Lock, bool, P)>,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open mmap is a live handle, which is used through `&` alone; pointers may be
        // written to `guard` and `data`.
        let (handle, guard, data) =
            unsafe { arguments.read((In(mmap, "mmap"), Out(guard, "guard"), Out(data, "data"))) }?;
        let mut exclusive = Exclusive::enter(&handle.0)?;
        // SAFETY: what borrows from the bytes is the lock. It goes into the guard together with
        // `exclusive`, and is dropped first there; if there is none, nothing borrows. The guard's
        // functions never call `bytes`.
        let bytes = unsafe { exclusive.bytes_of_guard() };
        let (lock, dirty, start) = take(bytes, &handle.0)?;
        exclusive.lock();
        data.set(start);
        guard.set(into_c(ios_mmap_guard { lock, exclusive, dirty }));
        if dirty { Err(Error::new(&handle.0.name, ErrorKind::OwnerDied).into()) } else { Ok(()) }
    })
}

fn clean_or_dirty<G>(locked: Result<G, LockError<G>>) -> Outcome<(G, bool)> {
    match locked {
        Ok(guard) => Ok((guard, false)),
        Err(LockError::OwnerDied(guard)) => Ok((guard, true)),
        Err(LockError::Failed(error)) => Err(error.into()),
    }
}

/// Releases a lock. NULL is left alone.
///
/// # Safety
/// `guard` is NULL, or came from a lock and is dropped for the first time; nobody uses its bytes
/// any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_mmap_guard_drop(guard: *mut ios_mmap_guard) {
    // SAFETY: it came from `take_lock`, which made it by `into_c`, and is dropped once.
    unsafe { drop_from_c(guard) };
}

/// Whether the content may be half-written: taking the lock was `IOS_OWNER_DIED`, and nobody has
/// called `ios_mmap_mark_consistent` with this guard.
///
/// # Safety
/// `guard` is NULL or was not dropped; `dirty` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_mmap_is_dirty(
    guard: *const ios_mmap_guard,
    dirty: *mut bool,
) -> ios_status {
    call(|arguments| {
        // SAFETY: a guard that was not dropped is live, and is only read; a bool may be written to
        // `dirty`.
        let (guard, out) = unsafe { arguments.read((In(guard, "guard"), Out(dirty, "dirty"))) }?;
        out.set(guard.dirty);
        Ok(())
    })
}

/// States that the content is whole again after a writer died while writing. It needs a writer's
/// guard; with a reader's it is `IOS_UNSUPPORTED`.
///
/// # Safety
/// `guard` is NULL or was not dropped, and no other thread is using it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_mmap_mark_consistent(guard: *mut ios_mmap_guard) -> ios_status {
    call(|arguments| {
        // SAFETY: a guard that was not dropped is live, and no other thread is using it.
        let guard = unsafe { arguments.read(InMut(guard, "guard")) }?;
        guard.writer("a reader cannot repair what it reads")?.mark_consistent();
        guard.dirty = false;
        Ok(())
    })
}

/// States that the content may be half-written, as after the death of a writer. It is for a writer
/// that gives up, because of an exception for example. Every later lock is `IOS_OWNER_DIED`, until
/// `ios_mmap_mark_consistent`. It needs a writer's guard; with a reader's it is `IOS_UNSUPPORTED`.
///
/// # Safety
/// `guard` is NULL or was not dropped, and no other thread is using it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_mmap_mark_dirty(guard: *mut ios_mmap_guard) -> ios_status {
    call(|arguments| {
        // SAFETY: a guard that was not dropped is live, and no other thread is using it.
        let guard = unsafe { arguments.read(InMut(guard, "guard")) }?;
        guard.writer("a reader leaves nothing half-written")?.mark_dirty();
        guard.dirty = true;
        Ok(())
    })
}

/// Writes the changes to the file, if there is one (msync). It needs a writer's guard; with a
/// reader's it is `IOS_UNSUPPORTED`.
///
/// # Safety
/// `guard` is NULL or was not dropped, and no other thread is using it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_mmap_guard_flush(guard: *mut ios_mmap_guard) -> ios_status {
    call(|arguments| {
        // SAFETY: a guard that was not dropped is live, and no other thread is using it.
        let guard = unsafe { arguments.read(InMut(guard, "guard")) }?;
        let flush = guard.writer("a reader has changed nothing")?.flush();
        flushed(guard.exclusive.name(), flush)
    })
}

impl ios_mmap_guard {
    /// A writer's lock, or an error with the reason `why_not`.
    fn writer(&mut self, why_not: &str) -> Outcome<&mut MmapGuard<'static>> {
        match &mut self.lock {
            Lock::Write(guard) => Ok(guard),
            Lock::Read(_) => {
                let text = format!("{}: {why_not}: lock it to write", self.exclusive.name());
                Err(Failure::Said(ios_status::IOS_UNSUPPORTED, text))
            }
        }
    }
}

#[cold]
fn has_no_lock(shared: &Shared) -> Failure {
    let text = format!("{}: it was opened without a lock, as IOS_MMAP_UNSAFE", shared.name);
    Failure::Said(ios_status::IOS_UNSUPPORTED, text)
}
