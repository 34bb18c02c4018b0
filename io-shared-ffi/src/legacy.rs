//! The objects of the package that this project began as: its shares of arrays, and its locked
//! bytes.

use std::ffi::{c_char, c_void};
use std::time::Duration;

use io_shared_channel::binding::{LegacyBytes, put_legacy};
use io_shared_channel::legacy::{Consumer, Producer, Share};
use io_shared_core::copy;

use crate::call::call;
use crate::handle::Handle;
use crate::memory::{drop_from_c, into_c};
use crate::options::{bad, timeout};
use crate::pointer::{CText, In, Out, OutSlice, Slice};
use crate::status::{Failure, Outcome, ios_status};

/// What a handle of the original package's objects does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub enum ios_legacy_kind {
    /// Puts arrays: its `NumpyShare(name, size, 'put')`.
    IOS_LEGACY_PUT = 0,
    /// Gets arrays: its `NumpyShare(name, size, 'get')`.
    IOS_LEGACY_GET = 1,
    /// Reads and writes bytes under one lock: its `SharedMMap(name, size)`.
    IOS_LEGACY_LOCKED = 2,
    /// The same under a lock for one writer or many readers: its `RWSharedMMap(name, size, ..)`.
    IOS_LEGACY_RW = 3,
}

/// The objects of the original package under one name, with its own semaphores.
#[derive(Debug)]
pub struct ios_legacy(Handle<Legacy>);

#[derive(Debug)]
enum Legacy {
    Put(Producer),
    Get(Consumer),
    Bytes(LegacyBytes),
}

/// Opens the objects of the original package called `name`, which is taken as it is. `kind` is an
/// `ios_legacy_kind`. `size`: of the object in bytes, where this creates it; a share that gets
/// creates nothing, and needs none. `max_readers`: for `IOS_LEGACY_RW` alone, the same on every
/// side (1000 there by default). `lock_timeout_ns`: how long a semaphore is waited for, over any
/// number of calls, before the call is `IOS_LEGACY_LOCK_STUCK`; negative: 5 seconds.
///
/// # Safety
/// `name` is NULL or a text; `legacy` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_legacy_open(
    name: *const c_char,
    kind: u32,
    size: u64,
    max_readers: u32,
    lock_timeout_ns: i64,
    legacy: *mut *mut ios_legacy,
) -> ios_status {
    call(|arguments| {
        // SAFETY: the text ends in a zero, and nobody changes it during the call; a pointer may be
        // written to `legacy`.
        let (name, out) = unsafe { arguments.read((CText(name, "name"), Out(legacy, "legacy"))) }?;
        let patience = timeout(lock_timeout_ns).unwrap_or(Duration::from_secs(5));
        let share = || Share::named(name).lock_timeout(patience);
        let bytes = |readers| LegacyBytes::open(name, size, readers, patience);
        let opened = match kind {
            0 => Legacy::Put(share().size(size).producer()?),
            1 => Legacy::Get(share().consumer()?),
            2 => Legacy::Bytes(bytes(None)?),
            3 if max_readers > 0 => Legacy::Bytes(bytes(Some(max_readers))?),
            3 => return Err(bad("max_readers must be at least 1".to_owned())),
            _ => return Err(bad(format!("{kind} is not an ios_legacy_kind"))),
        };
        out.set(into_c(ios_legacy(Handle::new(opened, name))));
        Ok(())
    })
}

/// Closes it. The object and its semaphores stay; a lock that it has is given back. NULL is left
/// alone.
///
/// # Safety
/// `legacy` is NULL, or came from `ios_legacy_open` and is closed for the first time, while no
/// other thread uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_legacy_close(legacy: *mut ios_legacy) {
    // SAFETY: it came from `ios_legacy_open`, which made it by `into_c`, and is closed once.
    unsafe { drop_from_c(legacy) };
}

/// Puts an array: a `.npy` file in two parts, the first of which has the header. It waits for the
/// lock for at most `timeout_ns` (negative: the lock timeout): `IOS_TIMEOUT`, or
/// `IOS_LEGACY_LOCK_STUCK`. Then nothing was put.
///
/// # Safety
/// `legacy` is NULL or open; `header` and `data` point to as many bytes as are said (or are NULL if
/// those are 0), which nobody changes during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_legacy_put(
    legacy: *const ios_legacy,
    header: *const c_void,
    header_length: usize,
    data: *const c_void,
    data_length: usize,
    timeout_ns: i64,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open handle is used through `&` alone; the bytes do not change meanwhile.
        let (handle, header, data) = unsafe {
            let header = Slice(header.cast::<u8>(), header_length, "header");
            let data = Slice(data.cast::<u8>(), data_length, "data");
            arguments.read((In(legacy, "legacy"), header, data))
        }?;
        match &mut *handle.0.enter()? {
            Legacy::Put(producer) => {
                Ok(put_legacy(producer, &[header, data], timeout(timeout_ns))?)
            }
            _ => Err(other_kind(&handle.0, "puts", "IOS_LEGACY_PUT")),
        }
    })
}

/// Waits for an array for at most `timeout_ns`, and returns its `.npy` file, which lies in the
/// handle until its next call. `IOS_LEGACY_LOCK_STUCK`: the array is not lost, and the next get
/// tries again.
///
/// # Safety
/// `legacy` is NULL or open; `npy` and `length` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_legacy_get(
    legacy: *const ios_legacy,
    timeout_ns: i64,
    npy: *mut *const c_void,
    length: *mut usize,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open handle is used through `&` alone; a pointer and a number may be written.
        let (handle, npy, length) = unsafe {
            arguments.read((In(legacy, "legacy"), Out(npy, "npy"), Out(length, "length")))
        }?;
        match &mut *handle.0.enter()? {
            Legacy::Get(consumer) => {
                match timeout(timeout_ns) {
                    Some(wait) => consumer.get_timeout(wait)?,
                    None => consumer.get()?,
                };
                let file = consumer.npy();
                npy.set(file.as_ptr().cast());
                length.set(file.len());
                Ok(())
            }
            _ => Err(other_kind(&handle.0, "gets", "IOS_LEGACY_GET")),
        }
    })
}

/// Takes the lock of the bytes: to write (`writes` is not 0), or to read together with other
/// readers. It waits for at most `timeout_ns` (negative: the lock timeout): `IOS_TIMEOUT`, or
/// `IOS_LEGACY_LOCK_STUCK`.
///
/// # Safety
/// `legacy` is NULL or open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_legacy_lock(
    legacy: *const ios_legacy,
    writes: i32,
    timeout_ns: i64,
) -> ios_status {
    // SAFETY: it is the same contract.
    unsafe { with_bytes(legacy, |bytes| Ok(bytes.lock(writes != 0, timeout(timeout_ns))?)) }
}

/// Gives the lock back, if this handle has it.
///
/// # Safety
/// `legacy` is NULL or open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_legacy_unlock(legacy: *const ios_legacy) -> ios_status {
    // SAFETY: it is the same contract.
    unsafe { with_bytes(legacy, |bytes| Ok(bytes.unlock()?)) }
}

/// How many bytes there are: as many as were asked for, or fewer if the object is smaller.
///
/// # Safety
/// `legacy` is NULL or open; `size` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_legacy_size(
    legacy: *const ios_legacy,
    size: *mut usize,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open handle is used through `&` alone; a number may be written to `size`.
        let (handle, size) = unsafe { arguments.read((In(legacy, "legacy"), Out(size, "size"))) }?;
        size.set(usize::try_from(bytes_of(handle, |bytes| Ok(bytes.size()?))?).unwrap_or(0));
        Ok(())
    })
}

/// Copies `length` bytes from `at` on to `bytes`. The caller has the lock. `IOS_OUT_OF_BOUNDS` if
/// there are fewer, also because the object was cut short.
///
/// # Safety
/// `legacy` is NULL or open; `length` bytes may be written to `bytes`, which nobody else uses
/// meanwhile (or it is NULL, if `length` is 0).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_legacy_read(
    legacy: *const ios_legacy,
    at: u64,
    bytes: *mut c_void,
    length: usize,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open handle is used through `&` alone; the bytes are this call's.
        let (handle, out) = unsafe {
            let out = OutSlice(bytes.cast::<u8>(), length, "bytes");
            arguments.read((In(legacy, "legacy"), out))
        }?;
        let mut read = vec![0; out.len()];
        bytes_of(handle, |bytes| Ok(bytes.read_at(&mut read, at)?))?;
        copy::slice_uninit(&read, out);
        Ok(())
    })
}

/// Writes `length` bytes from `at` on. The caller has the lock, to write. `IOS_OUT_OF_BOUNDS` if
/// they do not fit.
///
/// # Safety
/// `legacy` is NULL or open; `bytes` points to `length` bytes (or is NULL, if that is 0), which
/// nobody changes during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_legacy_write(
    legacy: *const ios_legacy,
    at: u64,
    bytes: *const c_void,
    length: usize,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open handle is used through `&` alone; the bytes do not change meanwhile.
        let (handle, data) = unsafe {
            let data = Slice(bytes.cast::<u8>(), length, "bytes");
            arguments.read((In(legacy, "legacy"), data))
        }?;
        bytes_of(handle, |bytes| Ok(bytes.write_at(data, at)?))
    })
}

/// # Safety
/// `legacy` is NULL or open.
unsafe fn with_bytes(
    legacy: *const ios_legacy,
    act: impl FnOnce(&mut LegacyBytes) -> Outcome,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open handle is used through `&` alone.
        let handle = unsafe { arguments.read(In(legacy, "legacy")) }?;
        bytes_of(handle, act)
    })
}

fn bytes_of<A>(
    handle: &ios_legacy,
    act: impl FnOnce(&mut LegacyBytes) -> Outcome<A>,
) -> Outcome<A> {
    match &mut *handle.0.enter()? {
        Legacy::Bytes(bytes) => act(bytes),
        _ => Err(other_kind(&handle.0, "has bytes", "IOS_LEGACY_LOCKED or IOS_LEGACY_RW")),
    }
}

#[cold]
fn other_kind(handle: &Handle<Legacy>, what: &str, kind: &str) -> Failure {
    let text = format!("{}: it was not opened as what {what}: use {kind}", handle.name());
    Failure::Said(ios_status::IOS_UNSUPPORTED, text)
}
