//! Shared bytes: without a lock, under one lock, or under a reader-writer lock. Taking the locks is
//! in `mmap_guard.rs`.

use std::cell::UnsafeCell;
use std::ffi::{c_char, c_void};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use io_shared_core::mmap::{Mmap, MmapOptions, StateBytes};
use io_shared_core::{Error, ErrorKind, RwSharedMmap, SharedMmap, UnsafeSharedMmap};

use crate::call::call;
use crate::handle::in_use;
use crate::memory::{drop_from_c, into_c, text_into_c};
use crate::options::{
    Given, IOS_EPHEMERAL, IOS_EXTEND, IOS_GROWING, IOS_NO_REOPEN, IOS_NO_STAMPS, IOS_PREFAULT,
    IOS_REPLACE, IOS_REQUIRES_PRODUCER, Location, Options, bad, ios_options,
};
use crate::pointer::{CText, In, Out};
use crate::status::{Failure, Outcome, ios_status};

/// What guards shared bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub enum ios_mmap_kind {
    /// Nothing. There is no header either: the bytes are those of the object.
    IOS_MMAP_UNSAFE = 0,
    /// One lock, for reading and writing.
    IOS_MMAP_LOCKED = 1,
    /// A lock for one writer, or for several readers together.
    IOS_MMAP_RW = 2,
    /// Nothing here, as with `IOS_MMAP_UNSAFE`: the lock, if there is one, lies in a region of its
    /// own. The name is taken as a channel's is (with slashes, and in the domain of the process),
    /// and not as that of any POSIX object.
    IOS_MMAP_LOCKED_ELSEWHERE = 3,
    /// A lock as that of `IOS_MMAP_RW`, over one value of the type `options.schema`, which has a
    /// fixed size: Rust's `Shared<T>`. It is created if missing. Its handles wait for changes
    /// (`ios_mmap_wait_changed`), and go on in the state that has the name next.
    IOS_MMAP_STATE = 4,
}

/// Shared bytes.
#[derive(Debug)]
pub struct ios_mmap(pub(crate) Arc<Shared>);

/// What the handle of shared bytes and its guard own together.
#[derive(Debug)]
pub(crate) struct Shared {
    bytes: UnsafeCell<Mapped>,
    /// Who uses `bytes`: [`FREE`], [`ENTERED`] or [`LOCKED`].
    used: AtomicU8,
    pub(crate) name: String,
    size: usize,
    /// The descriptor to pass on, or -1.
    fd: i32,
    /// The process that opened it.
    process: u32,
}

// SAFETY: `bytes`, the only field that is not Sync, is reached through an `Exclusive` only, of
// which there is one at a time. Its content is Send (asserted below), so that one may be on any
// thread.
unsafe impl Sync for Shared {}

/// Nobody uses the bytes.
const FREE: u8 = 0;
/// A call uses them.
const ENTERED: u8 = 1;
/// A guard uses them.
const LOCKED: u8 = 2;

#[derive(Debug)]
pub(crate) enum Mapped {
    Unsafe(UnsafeSharedMmap),
    Locked(SharedMmap),
    Rw(RwSharedMmap),
    State(StateBytes),
}

/// The use of `bytes` by one call or one guard.
#[derive(Debug)]
pub(crate) struct Exclusive(Arc<Shared>);

// The thread that uses a handle need not be the one that opened it; there is one at a time.
const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Mapped>();
};

impl Exclusive {
    pub(crate) fn enter(shared: &Arc<Shared>) -> Outcome<Self> {
        // Acquire pairs with the Release below: what the user before did has happened.
        match shared.used.compare_exchange(FREE, ENTERED, Acquire, Relaxed) {
            Ok(_) => Ok(Self(Arc::clone(shared))),
            Err(LOCKED) if shared.process == std::process::id() => {
                Err(Error::new(&shared.name, ErrorKind::WouldDeadlock).into())
            }
            Err(_) => Err(in_use(&shared.name, shared.process)),
        }
    }

    /// The bytes, while this is borrowed.
    pub(crate) fn bytes(&mut self) -> &mut Mapped {
        // SAFETY: `used` is not FREE while an `Exclusive` lives, so there is no other one, and only
        // an `Exclusive` reaches the bytes. `&mut self` keeps this one from being used twice. They
        // live as long as the `Arc`, which this owns.
        unsafe { &mut *self.0.bytes.get() }
    }

    /// As [`bytes`](Self::bytes), for a guard that owns this together with what borrows from them.
    ///
    /// # Safety
    /// What borrows from them is dropped before this is, and [`bytes`](Self::bytes) is not called
    /// while it lives.
    pub(crate) unsafe fn bytes_of_guard(&mut self) -> &'static mut Mapped {
        // SAFETY: as in `bytes`. They do not move, since the `Arc` keeps them on the heap; and they
        // are not used longer than this lives, as the caller makes sure.
        unsafe { &mut *self.0.bytes.get() }
    }

    /// Marks the bytes as a guard's.
    pub(crate) fn lock(&self) {
        // Relaxed: this thread alone uses the field until it is FREE.
        self.0.used.store(LOCKED, Relaxed);
    }

    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        self.0.used.store(FREE, Release);
    }
}

/// Opens shared bytes of that kind (an `ios_mmap_kind`). With a `capacity` it creates them if they
/// do not exist; a state, always.
///
/// # Safety
/// `options` is NULL, or was set by `ios_options_init` and its texts are valid; `mmap` is NULL or
/// may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_mmap_open(
    options: *const ios_options,
    kind: u32,
    mmap: *mut *mut ios_mmap,
) -> ios_status {
    call(|arguments| {
        // SAFETY: a handle may be written to `mmap`; `options` and its texts are valid during the
        // call.
        let (out, options) = unsafe { arguments.read((Out(mmap, "mmap"), Given(options))) }?;
        let shared = match kind_of(kind)? {
            ios_mmap_kind::IOS_MMAP_UNSAFE => bare(UnsafeSharedMmap::at(options)?),
            ios_mmap_kind::IOS_MMAP_LOCKED_ELSEWHERE => {
                bare(UnsafeSharedMmap::at_name(options, UnsafeSharedMmap::locked_elsewhere)?)
            }
            ios_mmap_kind::IOS_MMAP_LOCKED => {
                let mmap = SharedMmap::at(options)?;
                let (name, size) = (mmap.name().to_owned(), mmap.len());
                let fd = mmap.as_fd().map(|fd| fd.as_raw_fd());
                Shared::new(Mapped::Locked(mmap), name, size, fd)
            }
            ios_mmap_kind::IOS_MMAP_RW => {
                let mmap = RwSharedMmap::at(options)?;
                let (name, size) = (mmap.name().to_owned(), mmap.len());
                let fd = mmap.as_fd().map(|fd| fd.as_raw_fd());
                Shared::new(Mapped::Rw(mmap), name, size, fd)
            }
            ios_mmap_kind::IOS_MMAP_STATE => {
                let state = open_state(options)?;
                let (name, size) = (state.name().to_owned(), state.size());
                let fd = state.as_fd().map(|fd| fd.as_raw_fd());
                Shared::new(Mapped::State(state), name, size, fd)
            }
        };
        out.set(into_c(ios_mmap(Arc::new(shared))));
        Ok(())
    })
}

fn bare(mmap: UnsafeSharedMmap) -> Shared {
    let (name, size) = (mmap.name().to_owned(), mmap.len());
    let fd = Some(mmap.as_fd().as_raw_fd());
    Shared::new(Mapped::Unsafe(mmap), name, size, fd)
}

impl Shared {
    fn new(bytes: Mapped, name: String, size: usize, fd: Option<i32>) -> Self {
        let (bytes, used) = (UnsafeCell::new(bytes), AtomicU8::new(FREE));
        Self { bytes, used, name, size, fd: fd.unwrap_or(-1), process: std::process::id() }
    }
}

fn kind_of(kind: u32) -> Outcome<ios_mmap_kind> {
    use ios_mmap_kind::{IOS_MMAP_LOCKED, IOS_MMAP_LOCKED_ELSEWHERE, IOS_MMAP_RW};
    use ios_mmap_kind::{IOS_MMAP_STATE, IOS_MMAP_UNSAFE};
    let bytes = [IOS_MMAP_UNSAFE, IOS_MMAP_LOCKED, IOS_MMAP_RW, IOS_MMAP_LOCKED_ELSEWHERE];
    let known = bytes.into_iter().chain([IOS_MMAP_STATE]);
    let mut known = known.filter(|known| *known as u32 == kind);
    known.next().ok_or_else(|| bad(format!("{kind} is not an ios_mmap_kind")))
}

/// The constructors, one for each kind of location.
trait At: Mmap {
    fn named(name: &str) -> MmapOptions<Self>;
    fn file(path: std::path::PathBuf) -> MmapOptions<Self>;
    fn from_fd(descriptor: std::os::fd::OwnedFd) -> MmapOptions<Self>;
    fn anonymous() -> MmapOptions<Self>;

    fn at(options: Options) -> Outcome<Self> {
        Self::at_name(options, Self::named)
    }

    fn at_name(options: Options, named: fn(&str) -> MmapOptions<Self>) -> Outcome<Self> {
        let typed = [
            (options.schema.is_some(), "options.schema"),
            (options.initial.is_some(), "options.initial"),
        ];
        options.refuse(&typed, "these bytes have no type: it is for IOS_MMAP_STATE")?;
        Ok(Self::with(options, named)?.open()?)
    }

    /// The options of any kind.
    fn with(options: Options, named: fn(&str) -> MmapOptions<Self>) -> Outcome<MmapOptions<Self>> {
        let channels = [
            (options.consumer_name.is_some(), "options.consumer_name"),
            (options.consumers.is_some(), "options.consumers"),
            (options.holds.is_some(), "options.holds"),
            (options.wait_for_role.is_some(), "options.wait_for_role"),
            (options.history.is_some(), "options.history"),
            (options.has(IOS_NO_STAMPS), "IOS_NO_STAMPS"),
            (options.has(IOS_NO_REOPEN), "IOS_NO_REOPEN"),
            (options.has(IOS_REQUIRES_PRODUCER), "IOS_REQUIRES_PRODUCER"),
            (options.has(IOS_GROWING), "IOS_GROWING"),
        ];
        options.refuse(&channels, "it is for channels only")?;
        options.refuse(&options.of_answers(), "it is for services only")?;
        let (prefault, ephemeral) = (options.has(IOS_PREFAULT), options.has(IOS_EPHEMERAL));
        let (replace, extend) = (options.has(IOS_REPLACE), options.has(IOS_EXTEND));
        let mut mmap = match options.location {
            Location::Name(name) => named(&name),
            Location::File(path) => Self::file(path),
            Location::Descriptor(descriptor) => Self::from_fd(descriptor),
            Location::Anonymous => Self::anonymous(),
        };
        mmap = mmap.prefault(prefault).ephemeral(ephemeral).replace(replace).extend(extend);
        if let Some(size) = options.capacity {
            mmap = mmap.size(size);
        }
        if let Some(handles) = options.handles {
            mmap = mmap.handles(handles);
        }
        if let Some(mode) = options.mode {
            mmap = mmap.mode(mode);
        }
        if let Some(timeout) = options.open_timeout {
            mmap = mmap.open_timeout(timeout);
        }
        Ok(mmap)
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
at!(UnsafeSharedMmap SharedMmap RwSharedMmap StateBytes);

fn open_state(mut options: Options) -> Outcome<StateBytes> {
    let Some(schema) = options.schema.take() else {
        return Err(bad("set options.schema to the type of the state"));
    };
    options.refuse(
        &[(options.capacity.is_some(), "options.capacity")],
        "the size of a state is that of its type",
    )?;
    let initial = options.initial.take();
    let mut state = StateBytes::with(options, <StateBytes as At>::named)?.schema(schema);
    if let Some(value) = initial {
        state = state.initial_bytes(value);
    }
    Ok(state.open()?)
}

/// Closes shared bytes, which stay in memory or in their file. A live guard keeps them, and its
/// slot of the lock. NULL is left alone.
///
/// # Safety
/// `mmap` is NULL, or came from `ios_mmap_open` and is closed for the first time, while no other
/// thread uses it; nobody uses the pointer of `ios_mmap_data` any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_mmap_close(mmap: *mut ios_mmap) {
    // SAFETY: it came from `ios_mmap_open`, which made it by `into_c`, and is closed once.
    unsafe { drop_from_c(mmap) };
}

/// How many bytes there are. It needs no lock: they never grow or shrink.
///
/// # Safety
/// `mmap` is NULL or open; `size` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_mmap_size(mmap: *const ios_mmap, size: *mut usize) -> ios_status {
    // SAFETY: it is what `ask` asks for, of a handle and a number.
    unsafe { ask(mmap, Out(size, "size"), |shared| Ok(shared.size)) }
}

/// The name or location. The caller frees the text with `ios_text_free`.
///
/// # Safety
/// `mmap` is NULL or open; `name` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_mmap_name(
    mmap: *const ios_mmap,
    name: *mut *mut c_char,
) -> ios_status {
    // SAFETY: it is what `ask` asks for, of a handle and a pointer.
    unsafe { ask(mmap, Out(name, "name"), |shared| Ok(text_into_c(shared.name.as_str()))) }
}

/// A descriptor to pass to another process, of bytes without a name or of an `IOS_MMAP_UNSAFE`;
/// otherwise -1. It belongs to the mmap, and is closed with it.
///
/// # Safety
/// `mmap` is NULL or open; `fd` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_mmap_fd(mmap: *const ios_mmap, fd: *mut i32) -> ios_status {
    // SAFETY: it is what `ask` asks for, of a handle and a number.
    unsafe { ask(mmap, Out(fd, "fd"), |shared| Ok(shared.fd)) }
}

/// The bytes of an `IOS_MMAP_UNSAFE`, valid until it is closed; NULL if there are none. Others may
/// write to them at any time. The bytes of the other kinds come with a lock: `IOS_UNSUPPORTED`.
///
/// # Safety
/// `mmap` is NULL or open; `data` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_mmap_data(
    mmap: *const ios_mmap,
    data: *mut *mut c_void,
) -> ios_status {
    let start = |shared: &Arc<Shared>| match Exclusive::enter(shared)?.bytes() {
        Mapped::Unsafe(mmap) if mmap.is_empty() => Ok(std::ptr::null_mut()),
        Mapped::Unsafe(mmap) => Ok(mmap.as_ptr::<u8>()?.cast()),
        _ => Err(locks_first(shared)),
    };
    // SAFETY: it is what `ask` asks for, of a handle and a pointer.
    unsafe { ask(mmap, Out(data, "data"), start) }
}

/// Writes the changes in an `IOS_MMAP_UNSAFE` to its file, if it is one (msync). The other kinds
/// have `ios_mmap_guard_flush`.
///
/// # Safety
/// `mmap` is NULL or open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_mmap_flush(mmap: *mut ios_mmap) -> ios_status {
    call(|arguments| {
        // SAFETY: an open mmap is a live handle, which is used through `&` alone.
        let shared = &unsafe { arguments.read(In(mmap, "mmap")) }?.0;
        match Exclusive::enter(shared)?.bytes() {
            Mapped::Unsafe(mmap) => flushed(&shared.name, mmap.flush()),
            _ => Err(locks_first(shared)),
        }
    })
}

/// Removes the shared bytes of that kind (an `ios_mmap_kind`) and of that name in shared memory, as
/// one removes a file. Programs that use them get `IOS_REPLACED`, except with `IOS_MMAP_UNSAFE`,
/// where nobody is told, and `IOS_MMAP_STATE`, where the next that locks it creates it anew.
///
/// # Safety
/// `name` is NULL or a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_mmap_remove(name: *const c_char, kind: u32) -> ios_status {
    call(|arguments| {
        // SAFETY: the text ends in a zero, and nobody changes it during the call.
        let name = unsafe { arguments.read(CText(name, "name")) }?;
        Ok(match kind_of(kind)? {
            ios_mmap_kind::IOS_MMAP_UNSAFE => UnsafeSharedMmap::remove(name),
            ios_mmap_kind::IOS_MMAP_LOCKED => SharedMmap::remove(name),
            ios_mmap_kind::IOS_MMAP_RW => RwSharedMmap::remove(name),
            ios_mmap_kind::IOS_MMAP_STATE => StateBytes::remove(name),
            ios_mmap_kind::IOS_MMAP_LOCKED_ELSEWHERE => {
                UnsafeSharedMmap::remove_locked_elsewhere(name)
            }
        }?)
    })
}

#[cold]
fn locks_first(shared: &Shared) -> Failure {
    let text = format!("{}: its bytes come with its lock: call ios_mmap_lock", shared.name);
    Failure::Said(ios_status::IOS_UNSUPPORTED, text)
}

/// What flushing the bytes called `name` came to.
pub(crate) fn flushed(name: &str, result: std::io::Result<()>) -> Outcome {
    let Err(error) = result else { return Ok(()) };
    let kind = match error.raw_os_error() {
        Some(errno) => ErrorKind::System { call: "msync", errno },
        None => return Err(Failure::Said(ios_status::IOS_OTHER, format!("{name}: {error}"))),
    };
    Err(Error::new(name, kind).into())
}

/// Answers a question about shared bytes.
///
/// # Safety
/// `mmap` is NULL or open; `out` is NULL or may be written to.
unsafe fn ask<A>(
    mmap: *const ios_mmap,
    out: Out<A>,
    answer: impl FnOnce(&Arc<Shared>) -> Outcome<A>,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open mmap is a live handle, which is used through `&` alone; an answer may be
        // written to `out`.
        let (handle, out) = unsafe { arguments.read((In(mmap, "mmap"), out)) }?;
        out.set(answer(&handle.0)?);
        Ok(())
    })
}
