//! What a handle is opened with.

use std::ffi::c_char;
use std::mem::offset_of;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use io_shared_channel::{Channel, Schema, Size};

use crate::pointer::{Out, borrow, bytes_of, needed_text, path, text};
use crate::status::{Failure, Outcome, call, ios_status};

/// It has no name, and is passed on by its descriptor.
pub const IOS_ANONYMOUS: u32 = 1;
/// Puts do not carry the time (channels).
pub const IOS_NO_STAMPS: u32 = 2;
/// All pages are mapped in at opening, so that the first messages cause no page faults.
pub const IOS_PREFAULT: u32 = 4;
/// A handle whose channel was removed or replaced opens the new one by itself (channels).
pub const IOS_REOPEN: u32 = 8;
/// What is created here is removed with its last user (not for `IOS_MMAP_UNSAFE`).
pub const IOS_EPHEMERAL: u32 = 16;
/// What has another shape, and in which nobody lives, is replaced also where that loses what it
/// keeps: in a file, or of another kind.
pub const IOS_REPLACE: u32 = 32;
/// An object without a header that is shorter than `capacity` is extended (`IOS_MMAP_UNSAFE`).
pub const IOS_EXTEND: u32 = 64;

const FLAGS: u32 = 127;

/// What a channel, an observer or an mmap is opened with. Set by `ios_options_init` first; then the
/// place (one of `name`, `file`, `fd` and `IOS_ANONYMOUS`) and whatever else is wanted.
///
/// Texts are looked at during the call that is given the options, and not kept. What is stated on
/// both sides means at least; what is left as it was set is taken as found, and has its default
/// when something is created.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct ios_options {
    /// Bytes of this struct, as `ios_options_init` sets it: later versions have more fields.
    pub struct_size: usize,
    /// A name in shared memory, such as `/cloud_share`; or NULL.
    pub name: *const c_char,
    /// The path of a file, which keeps what is in it; or NULL.
    pub file: *const c_char,
    /// A descriptor that was inherited or received, which is opened anew and stays the caller's; or
    /// -1.
    pub fd: i32,
    /// `IOS_` flags, added up. Default 0.
    pub flags: u32,
    /// What the messages are (channels), as JSON: `ios_consumer_schema` gives such a text. NULL: a
    /// producer's are bytes; a consumer or observer takes whatever the channel has, and waits for
    /// it to be there.
    pub schema: *const c_char,
    /// A name under which this consumer goes on where it stopped; or NULL.
    pub consumer_name: *const c_char,
    /// The most bytes of one message, header fields included; the bytes of an mmap. 0: not stated.
    /// Not needed where the schema is that of a fixed size.
    pub capacity: u64,
    /// Consumers of a channel, or handles of a lock, that may live at once. 0: not stated (1; 64).
    pub consumers: u32,
    /// Values that each consumer may hold at once, at most 4. 0: not stated (1).
    pub holds: u32,
    /// Permission bits at creation. 0: not stated (0600).
    pub mode: u32,
    /// 0.
    pub reserved: u32,
    /// How long opening waits for the other side, where this one cannot create it: nanoseconds; 0 not
    /// at all; negative, as it is set, as long as it takes (channels) or not at all (mmaps).
    pub open_timeout: i64,
}

const DEFAULT: ios_options = ios_options {
    struct_size: size_of::<ios_options>(),
    name: std::ptr::null(),
    file: std::ptr::null(),
    fd: -1,
    flags: 0,
    schema: std::ptr::null(),
    consumer_name: std::ptr::null(),
    capacity: 0,
    consumers: 0,
    holds: 0,
    mode: 0,
    reserved: 0,
    open_timeout: -1,
};

// The first version of the struct; every later one has at least this.
const FIRST_SIZE: usize = offset_of!(ios_options, open_timeout) + size_of::<i64>();

/// Sets every option to its default. `size` is `sizeof *options`.
///
/// # Safety
/// `options` is NULL, or `size` bytes may be written there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_options_init(options: *mut ios_options, size: usize) {
    if options.is_null() {
        return;
    }
    let options = options.cast::<u8>();
    // Fields that this library does not know yet are zeros.
    // SAFETY: `size` bytes may be written there, as the caller promises.
    unsafe { options.write_bytes(0, size) };
    let mut known = DEFAULT;
    known.struct_size = size;
    let length = size.min(size_of::<ios_options>());
    // SAFETY: `length` is at most `size`, and at most the size of `known`.
    unsafe { options.copy_from_nonoverlapping((&raw const known).cast(), length) };
}

/// The bytes in `text`: a number, or digits and one of K, M and G (powers of 1024).
///
/// # Safety
/// `text` is NULL or a text; `bytes` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_size(text: *const c_char, bytes: *mut u64) -> ios_status {
    call(|| {
        // SAFETY: as the caller promises.
        let text = unsafe { needed_text(text, "text") }?;
        // SAFETY: as the caller promises.
        let bytes = unsafe { Out::needed(bytes, "bytes") }?;
        bytes.set(Size::from(text).bytes("size")?);
        Ok(())
    })
}

/// [`ios_options`], looked at and copied.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) location: Location,
    flags: u32,
    pub(crate) schema: Option<Schema>,
    pub(crate) consumer_name: Option<String>,
    pub(crate) capacity: Option<u64>,
    pub(crate) consumers: Option<usize>,
    pub(crate) holds: Option<usize>,
    pub(crate) mode: Option<u32>,
    pub(crate) open_timeout: Option<Duration>,
}

#[derive(Debug)]
pub(crate) enum Location {
    Name(String),
    File(PathBuf),
    Descriptor(OwnedFd),
    Anonymous,
}

impl Options {
    /// # Safety
    /// `options` is NULL or points to as many bytes as its first field says; its texts are NULL or
    /// texts, and stay so during the call.
    pub(crate) unsafe fn read(options: *const ios_options) -> Outcome<Self> {
        // SAFETY: as the caller promises; the first field is there in every version.
        let size = *unsafe { borrow(options.cast::<usize>(), "options") }?;
        if size < FIRST_SIZE {
            return Err(bad("options are set by ios_options_init(&options, sizeof options) first"));
        }
        let mut known = DEFAULT;
        let length = size.min(size_of::<ios_options>());
        // SAFETY: there are `size` bytes at `options`, and `known` has at least `length`.
        unsafe { bytes_of(&mut known).copy_from_nonoverlapping(options.cast(), length) };
        // SAFETY: its texts are texts, as the caller promises.
        unsafe { Self::of(&known) }
    }

    /// # Safety
    /// The texts are NULL or texts, and stay so during the call.
    unsafe fn of(options: &ios_options) -> Outcome<Self> {
        let flags = options.flags;
        if flags & !FLAGS != 0 {
            return Err(bad(format!("flags {:#x} are not known to this library", flags & !FLAGS)));
        }
        // SAFETY: as the caller promises.
        let name = unsafe { text(options.name, "name") }?;
        // SAFETY: as the caller promises.
        let file = unsafe { path(options.file) };
        // SAFETY: as the caller promises.
        let schema = unsafe { text(options.schema, "schema") }?;
        // SAFETY: as the caller promises.
        let consumer_name = unsafe { text(options.consumer_name, "consumer_name") }?;
        let schema = schema.map(Schema::from_json).transpose().map_err(|error| {
            Failure::Said(ios_status::IOS_BAD_SCHEMA, format!("the schema will not do: {error}"))
        })?;
        Ok(Self {
            location: location(name, file, options.fd, flags & IOS_ANONYMOUS != 0)?,
            flags,
            schema,
            consumer_name: consumer_name.map(str::to_owned),
            capacity: (options.capacity != 0).then_some(options.capacity),
            consumers: (options.consumers != 0).then_some(options.consumers as usize),
            holds: (options.holds != 0).then_some(options.holds as usize),
            mode: (options.mode != 0).then_some(options.mode),
            open_timeout: u64::try_from(options.open_timeout).ok().map(Duration::from_nanos),
        })
    }

    pub(crate) fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// Refuses what would do nothing.
    pub(crate) fn refuse(&self, given: &[(bool, &str)], why: &str) -> Outcome {
        match given.iter().find(|(given, _)| *given) {
            Some((_, option)) => Err(bad(format!("{option} will not do: {why}"))),
            None => Ok(()),
        }
    }

    /// The channel that they describe; `any` if messages of whatever type will do.
    pub(crate) fn channel(self, any: bool) -> Outcome<Channel<[u8]>> {
        self.refuse(&[(self.has(IOS_EXTEND), "IOS_EXTEND")], "it is for bytes without a header")?;
        let (stamps, prefault) = (!self.has(IOS_NO_STAMPS), self.has(IOS_PREFAULT));
        let (reopen, ephemeral) = (self.has(IOS_REOPEN), self.has(IOS_EPHEMERAL));
        let replace = self.has(IOS_REPLACE);
        let mut channel = match self.location {
            Location::Name(name) => Channel::named(name),
            Location::File(path) => Channel::file(path),
            Location::Descriptor(descriptor) => Channel::from_fd(descriptor),
            Location::Anonymous => Channel::anonymous(),
        };
        channel = channel.stamps(stamps).prefault(prefault).reopen(reopen);
        channel = channel.ephemeral(ephemeral).replace(replace);
        channel = match self.schema {
            Some(schema) => channel.schema(schema),
            None if any => channel.any_schema(),
            None => channel,
        };
        if let Some(capacity) = self.capacity {
            channel = channel.capacity(capacity);
        }
        if let Some(consumers) = self.consumers {
            channel = channel.consumers(consumers);
        }
        if let Some(holds) = self.holds {
            channel = channel.holds(holds);
        }
        if let Some(mode) = self.mode {
            channel = channel.mode(mode);
        }
        if let Some(timeout) = self.open_timeout {
            channel = channel.open_timeout(timeout);
        }
        if let Some(name) = self.consumer_name {
            channel = channel.consumer_name(name);
        }
        Ok(channel)
    }
}

pub(crate) fn bad(text: impl Into<String>) -> Failure {
    Failure::Said(ios_status::IOS_BAD_OPTION, text.into())
}

fn location(
    name: Option<&str>,
    file: Option<&Path>,
    fd: i32,
    anonymous: bool,
) -> Outcome<Location> {
    match (name, file, fd, anonymous) {
        (Some(name), None, ..=-1, false) => Ok(Location::Name(name.to_owned())),
        (None, Some(file), ..=-1, false) => Ok(Location::File(file.into())),
        (None, None, fd @ 0.., false) => {
            // SAFETY: it is not -1; and if nobody has it open, duplicating it fails and does nothing
            // else.
            let descriptor = unsafe { BorrowedFd::borrow_raw(fd) };
            let own = descriptor
                .try_clone_to_owned()
                .map_err(|error| bad(format!("descriptor {fd} cannot be used: {error}")))?;
            Ok(Location::Descriptor(own))
        }
        (None, None, ..=-1, true) => Ok(Location::Anonymous),
        _ => Err(bad("one of name, file, fd and IOS_ANONYMOUS says where it is")),
    }
}

/// A timeout of C; `None`: as long as it takes.
pub(crate) fn timeout(nanos: i64) -> Option<Duration> {
    u64::try_from(nanos).ok().map(Duration::from_nanos)
}
