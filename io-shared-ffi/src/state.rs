//! Typed state: its value, and waiting for changes of it. It is opened and locked as other shared
//! bytes are (`mmap.rs`, `mmap_guard.rs`).

use std::ffi::c_void;
use std::time::Duration;

use io_shared_core::mmap::StateBytes;

use crate::call::call;
use crate::mmap::{Exclusive, Mapped, ios_mmap};
use crate::options::timeout;
use crate::pointer::{In, Out, Slice};
use crate::status::{Failure, Outcome, ios_status};

/// Calls `act` with the state of the handle, which no other thread uses.
fn with_state<A>(handle: &ios_mmap, act: impl FnOnce(&mut StateBytes) -> Outcome<A>) -> Outcome<A> {
    let mut exclusive = Exclusive::enter(&handle.0)?;
    match exclusive.bytes() {
        Mapped::State(state) => act(state),
        _ => {
            let text = format!("{}: it is no state: open an IOS_MMAP_STATE", handle.0.name);
            Err(Failure::Said(ios_status::IOS_UNSUPPORTED, text))
        }
    }
}

/// Writes a whole value without looking at what there is: it mends what a writer left half-written.
/// Waits for the lock for at most `timeout_ns` (negative: for ever; 0 only tries, which is
/// `IOS_WOULD_BLOCK` if another handle has it). A length that is not the type's is
/// `IOS_BAD_OPTION`, and bytes that are no value of it are `IOS_BAD_VALUE`.
///
/// # Safety
/// `state` is NULL or open; `data` points to `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_mmap_set(
    state: *mut ios_mmap,
    data: *const c_void,
    length: usize,
    timeout_ns: i64,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open state is a live handle, which is used through `&` alone; nobody changes
        // the bytes during the call.
        let (handle, value) = unsafe {
            arguments.read((In(state, "state"), Slice(data.cast::<u8>(), length, "data")))
        }?;
        with_state(handle, |state| Ok(state.set(value, timeout(timeout_ns))?))
    })
}

/// Whether another handle has finished a write since this handle's last lock. To a handle that has
/// locked nothing yet, whatever was written before is a change, an initial value too unless this
/// handle created the state with it. `ios_mmap_set` looks at nothing, and so is no lock here.
///
/// # Safety
/// `state` is NULL or open; `changed` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_mmap_changed(state: *mut ios_mmap, changed: *mut bool) -> ios_status {
    call(|arguments| {
        // SAFETY: an open state is a live handle, which is used through `&` alone; a bool may be
        // written to `changed`.
        let (handle, out) =
            unsafe { arguments.read((In(state, "state"), Out(changed, "changed"))) }?;
        out.set(with_state(handle, |state| Ok(state.changed()?))?);
        Ok(())
    })
}

/// Sleeps until `ios_mmap_changed` is true, for at most `timeout_ns` (negative: for ever), then
/// `IOS_TIMEOUT`. If a writer is killed in the middle, the wait ends within 100 ms, and the next
/// lock is `IOS_OWNER_DIED`. If the state is removed, it waits for somebody to create it anew. One
/// that nobody waits for costs its writers nothing.
///
/// # Safety
/// `state` is NULL or open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_mmap_wait_changed(
    state: *mut ios_mmap,
    timeout_ns: i64,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open state is a live handle, which is used through `&` alone.
        let handle = unsafe { arguments.read(In(state, "state")) }?;
        let timeout = timeout(timeout_ns).unwrap_or(Duration::MAX);
        with_state(handle, |state| Ok(state.wait_changed(timeout)?))
    })
}

/// Whether this handle created the state, at its opening or when it opened it anew.
///
/// # Safety
/// `state` is NULL or open; `created` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_mmap_created(
    state: *const ios_mmap,
    created: *mut bool,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open state is a live handle, which is used through `&` alone; a bool may be
        // written to `created`.
        let (handle, out) =
            unsafe { arguments.read((In(state, "state"), Out(created, "created"))) }?;
        out.set(with_state(handle, |state| Ok(state.created()))?);
        Ok(())
    })
}
