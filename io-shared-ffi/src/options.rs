//! The options that a handle is opened with.

use std::ffi::{c_char, c_void};
use std::mem::offset_of;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use io_shared_channel::{Channel, Schema, Service, Size};

use crate::call::call;
use crate::pointer::{Argument, CText, In, OptionalPath, OptionalText, Out, Slice};
use crate::status::{Failure, Outcome, ios_status};

/// There is no name: the descriptor is passed to other processes.
pub const IOS_ANONYMOUS: u32 = 1;
/// Puts do not record the time (channels).
pub const IOS_NO_STAMPS: u32 = 2;
/// Opening maps all pages, so that the first messages cause no page faults. Buffers that joining
/// consumers add are mapped when the handle next looks at its name, every 90 ms at most.
pub const IOS_PREFAULT: u32 = 4;
/// A handle whose channel is removed or replaced says `IOS_REPLACED` from then on, instead of
/// opening the channel that has the name next (channels).
pub const IOS_NO_REOPEN: u32 = 8;
/// What this handle creates is removed with its last user (not for `IOS_MMAP_UNSAFE`).
pub const IOS_EPHEMERAL: u32 = 16;
/// Something of another shape that nobody is using is replaced, even if that loses its content: in
/// a file, or if it is of another kind. A channel in a file is given new fields while it is used.
pub const IOS_REPLACE: u32 = 32;
/// An object that is shorter than `capacity` is extended (`IOS_MMAP_UNSAFE`).
pub const IOS_EXTEND: u32 = 64;
/// A put or loan that does not fit gives the channel a larger capacity first, the next power of
/// two, instead of failing with `IOS_TOO_LARGE` (channels). `capacity` is not needed then.
pub const IOS_GROWING: u32 = 128;
/// A consumer's get, or a client's call, ends with `IOS_NO_PRODUCER` within 200 ms of the end of
/// its producer or server, once it has had one.
pub const IOS_REQUIRES_PRODUCER: u32 = 256;

/// The schema that a text from C is.
pub(crate) fn schema(text: &str) -> Outcome<Schema> {
    Schema::from_json(text).map_err(|error| {
        Failure::Said(ios_status::IOS_BAD_SCHEMA, format!("the schema is not valid: {error}"))
    })
}

const FLAGS: u32 = 255 | IOS_REQUIRES_PRODUCER;

/// The options that a channel, an observer, a service or an mmap is opened with. Call
/// `ios_options_init` first; then set the location (one of `name`, `file`, `fd` and
/// `IOS_ANONYMOUS`) and any other options.
///
/// Texts are read during the call that takes the options, and are not kept. A number that is set
/// asks for at least that much. An option that is left alone accepts what exists, and has its
/// default when something is created.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct ios_options {
    /// The size of this struct, set by `ios_options_init`: later versions have more fields.
    pub struct_size: usize,
    /// A name in shared memory, such as `/cloud_share`, or NULL.
    pub name: *const c_char,
    /// The path of a file, which keeps its content, or NULL.
    pub file: *const c_char,
    /// A descriptor that was inherited or received, or -1. It is duplicated and stays the caller's.
    pub fd: i32,
    /// `IOS_` flags, combined by `|`. Default 0.
    pub flags: u32,
    /// The type of the messages (channels), of the questions (services) or of the state, as JSON:
    /// `ios_consumer_schema` returns such a text. NULL: a producer puts bytes; a consumer or an
    /// observer accepts the type of the channel, and waits for the channel to exist; questions are
    /// bytes.
    pub schema: *const c_char,
    /// A name under which this consumer resumes after a restart, or NULL.
    pub consumer_name: *const c_char,
    /// The most bytes of one message, header fields included; or the bytes of an mmap. 0: not set.
    /// Not needed if the schema has a fixed size, with `IOS_GROWING`, or for services.
    pub capacity: u64,
    /// Channels: for how many consumers buffers are reserved ahead of time, so that they find them
    /// when they join (default 1). Up to 64 consumers may join, or as many as the channel's
    /// creator says here, if that is more, at most 253. 0: not set.
    pub consumers: u32,
    /// How many values this consumer may hold at once, 1 to 8. Each consumer says so for itself; a
    /// producer holds none. 0: not set (1).
    pub holds: u32,
    /// Permission bits at creation. 0: not set (0600).
    pub mode: u32,
    /// Locks: how many handles may be open at once. 0: not set (64).
    pub handles: u32,
    /// How long opening waits for the other side, if this one cannot create it: nanoseconds; 0 does
    /// not wait. Negative, the default, waits for ever (channels) or not at all (mmaps).
    pub open_timeout: i64,
    /// How long opening waits for whoever has the role to leave, in nanoseconds (channels): the
    /// producer before this one, the consumer of the same name, or any consumer if all slots are
    /// taken. 0, the default, does not wait: that is `IOS_ROLE_TAKEN` or `IOS_NO_SLOT`. Negative
    /// waits for ever.
    pub wait_for_role: i64,
    /// Channels: how many values before the newest are kept for as long as this handle lives, for
    /// `ios_observer_since`, `ios_consumer_since` and the calls that find a tag. As many buffers
    /// are reserved, which stay. An observer needs permission to write for it. 0: not set (none).
    pub history: u32,
    /// 0.
    pub reserved: u32,
    /// The value of a state that this opening creates (`IOS_MMAP_STATE`), or NULL for zeros.
    /// Nobody sees the state without it. It is read during the call.
    pub initial: *const c_void,
    /// How many bytes `initial` has: those of the type.
    pub initial_length: usize,
    /// Services: the type of the answers, as JSON, or NULL for bytes.
    pub answer_schema: *const c_char,
    /// Services: room for an answer, in bytes, as `capacity` is for a question. 0: not set.
    pub answer_capacity: u64,
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
    handles: 0,
    open_timeout: -1,
    wait_for_role: 0,
    history: 0,
    reserved: 0,
    initial: std::ptr::null(),
    initial_length: 0,
    answer_schema: std::ptr::null(),
    answer_capacity: 0,
};

// The size of the first version of the struct; every later one is at least as large.
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
    // Fields that this library does not know yet are set to zeros.
    // SAFETY: it is not NULL, so `size` bytes may be written there; bytes need no alignment.
    unsafe { options.write_bytes(0, size) };
    let mut known = DEFAULT;
    known.struct_size = size;
    let length = size.min(size_of::<ios_options>());
    // SAFETY: `length` is at most `size`, which may be written, and at most the size of `known`,
    // which is on this stack, and so apart from `options`.
    unsafe { options.copy_from_nonoverlapping((&raw const known).cast(), length) };
}

/// The number of bytes that `text` stands for: a number, or digits followed by K, M or G (powers of
/// 1024).
///
/// # Safety
/// `text` is NULL or a text; `bytes` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_size(text: *const c_char, bytes: *mut u64) -> ios_status {
    call(|arguments| {
        // SAFETY: the text ends in a zero, and nobody changes it during the call; a number may be
        // written to `bytes`.
        let (text, bytes) = unsafe { arguments.read((CText(text, "text"), Out(bytes, "bytes"))) }?;
        bytes.set(Size::from(text).bytes("size")?);
        Ok(())
    })
}

/// [`ios_options`], checked and copied.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) location: Location,
    flags: u32,
    pub(crate) schema: Option<Schema>,
    pub(crate) consumer_name: Option<String>,
    pub(crate) capacity: Option<u64>,
    pub(crate) consumers: Option<usize>,
    pub(crate) handles: Option<usize>,
    pub(crate) holds: Option<usize>,
    pub(crate) history: Option<usize>,
    pub(crate) mode: Option<u32>,
    pub(crate) open_timeout: Option<Duration>,
    pub(crate) wait_for_role: Option<Duration>,
    pub(crate) initial: Option<Vec<u8>>,
    pub(crate) answer_schema: Option<Schema>,
    pub(crate) answer_capacity: Option<u64>,
}

#[derive(Debug)]
pub(crate) enum Location {
    Name(String),
    File(PathBuf),
    Descriptor(OwnedFd),
    Anonymous,
}

/// Options as C passes them.
///
/// Contract: it is NULL, which is refused, or points to as many bytes as its first field states,
/// set by `ios_options_init`; its texts are as [`OptionalText`] asks for, and `initial` is as
/// [`Slice`] asks for; nobody changes any of it meanwhile.
pub(crate) struct Given(pub(crate) *const ios_options);

impl Argument<'_> for Given {
    type Value = Options;

    unsafe fn read(self) -> Outcome<Options> {
        // SAFETY: every version of the struct begins with this number (the contract).
        let size = *unsafe { In(self.0.cast::<usize>(), "options").read() }?;
        if size < FIRST_SIZE {
            return Err(bad(
                "call ios_options_init(&options, sizeof options) before setting options",
            ));
        }
        let mut known = DEFAULT;
        let length = size.min(size_of::<ios_options>());
        // SAFETY: there are `size` bytes at `options` (the contract), and `length` is no more.
        let bytes = unsafe { Slice(self.0.cast::<u8>(), length, "options").read() }?;
        // SAFETY: `known` has at least `length` bytes, and is on this stack, apart from `options`.
        // Any bytes are a valid `ios_options`: its fields are numbers and pointers.
        unsafe { (&raw mut known).cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), length) };
        // SAFETY: the texts are as the readers ask for (the contract).
        let (name, file, schema, consumer_name) = unsafe {
            let name = OptionalText(known.name, "options.name");
            let schema = OptionalText(known.schema, "options.schema");
            let consumer_name = OptionalText(known.consumer_name, "options.consumer_name");
            (name, OptionalPath(known.file), schema, consumer_name).read()
        }?;
        let length = if known.initial.is_null() { 0 } else { known.initial_length };
        // SAFETY: where it is not NULL, there are as many bytes (the contract).
        let initial =
            unsafe { Slice(known.initial.cast::<u8>(), length, "options.initial").read() }?;
        let initial = (!known.initial.is_null()).then(|| initial.to_vec());
        // SAFETY: the text is as the reader asks for (the contract).
        let answers = unsafe { OptionalText(known.answer_schema, "options.answer_schema").read() }?;
        let answer_schema = answers.map(self::schema).transpose()?;
        Ok(Options {
            initial,
            answer_schema,
            ..Options::new(&known, name, file, schema, consumer_name)?
        })
    }
}

impl Options {
    fn new(
        options: &ios_options,
        name: Option<&str>,
        file: Option<&Path>,
        schema: Option<&str>,
        consumer_name: Option<&str>,
    ) -> Outcome<Self> {
        let flags = options.flags;
        if flags & !FLAGS != 0 {
            return Err(bad(format!("this library does not know the flags {:#x}", flags & !FLAGS)));
        }
        let schema = schema.map(self::schema).transpose()?;
        Ok(Self {
            location: location(name, file, options.fd, flags & IOS_ANONYMOUS != 0)?,
            flags,
            schema,
            consumer_name: consumer_name.map(str::to_owned),
            capacity: (options.capacity != 0).then_some(options.capacity),
            consumers: (options.consumers != 0).then_some(options.consumers as usize),
            handles: (options.handles != 0).then_some(options.handles as usize),
            holds: (options.holds != 0).then_some(options.holds as usize),
            history: (options.history != 0).then_some(options.history as usize),
            mode: (options.mode != 0).then_some(options.mode),
            open_timeout: timeout(options.open_timeout),
            wait_for_role: match options.wait_for_role {
                0 => None,
                nanos => Some(timeout(nanos).unwrap_or(Duration::MAX)),
            },
            initial: None,
            answer_schema: None,
            answer_capacity: (options.answer_capacity != 0).then_some(options.answer_capacity),
        })
    }

    pub(crate) fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// Refuses options that would have no effect.
    pub(crate) fn refuse(&self, given: &[(bool, &str)], why: &str) -> Outcome {
        match given.iter().find(|(given, _)| *given) {
            Some((_, option)) => Err(bad(format!("{option} cannot be used here: {why}"))),
            None => Ok(()),
        }
    }

    /// The options of answers, and whether they are given.
    pub(crate) fn of_answers(&self) -> [(bool, &'static str); 2] {
        [
            (self.answer_schema.is_some(), "options.answer_schema"),
            (self.answer_capacity.is_some(), "options.answer_capacity"),
        ]
    }

    /// The service that they describe, for a client or for a server.
    pub(crate) fn service(self, is_client: bool) -> Outcome<Service<[u8], [u8]>> {
        let Location::Name(name) = &self.location else {
            return Err(bad("a service has a name: set options.name"));
        };
        let mut service = Service::<[u8], [u8]>::named(name.as_str());
        let requires = self.has(IOS_REQUIRES_PRODUCER);
        self.refuse(
            &[
                (self.consumer_name.is_some(), "options.consumer_name"),
                (self.consumers.is_some(), "options.consumers"),
                (self.handles.is_some(), "options.handles"),
                (self.history.is_some(), "options.history"),
                (self.initial.is_some(), "options.initial"),
                (self.open_timeout.is_some(), "options.open_timeout"),
                (self.flags & !IOS_REQUIRES_PRODUCER != 0, "a flag besides IOS_REQUIRES_PRODUCER"),
            ],
            "services do not have it",
        )?;
        let of_servers = [(self.wait_for_role.is_some(), "options.wait_for_role")];
        let of_clients =
            [(self.holds.is_some(), "options.holds"), (requires, "IOS_REQUIRES_PRODUCER")];
        match is_client {
            true => self.refuse(&of_servers, "it is for servers only")?,
            false => self.refuse(&of_clients, "it is for clients only")?,
        }
        service = service.requires_server(requires);
        if let Some(schema) = self.schema {
            service = service.question_schema(schema);
        }
        if let Some(schema) = self.answer_schema {
            service = service.answer_schema(schema);
        }
        if let Some(capacity) = self.capacity {
            service = service.question_capacity(capacity);
        }
        if let Some(capacity) = self.answer_capacity {
            service = service.answer_capacity(capacity);
        }
        if let Some(holds) = self.holds {
            service = service.holds(holds);
        }
        if let Some(mode) = self.mode {
            service = service.mode(mode);
        }
        if let Some(timeout) = self.wait_for_role {
            service = service.wait_for_role(timeout);
        }
        Ok(service)
    }

    /// The channel that they describe; with `any`, messages of any type are accepted.
    pub(crate) fn channel(self, any: bool) -> Outcome<Channel<[u8]>> {
        self.refuse(&[(self.has(IOS_EXTEND), "IOS_EXTEND")], "it is for IOS_MMAP_UNSAFE only")?;
        self.refuse(&[(self.handles.is_some(), "options.handles")], "it is for locks only")?;
        self.refuse(&[(self.initial.is_some(), "options.initial")], "it is for states only")?;
        self.refuse(&self.of_answers(), "it is for services only")?;
        let (stamps, prefault) = (!self.has(IOS_NO_STAMPS), self.has(IOS_PREFAULT));
        let (reopen, ephemeral) = (!self.has(IOS_NO_REOPEN), self.has(IOS_EPHEMERAL));
        let (replace, growing) = (self.has(IOS_REPLACE), self.has(IOS_GROWING));
        let requires_producer = self.has(IOS_REQUIRES_PRODUCER);
        let mut channel = match self.location {
            Location::Name(name) => Channel::named(name),
            Location::File(path) => Channel::file(path),
            Location::Descriptor(descriptor) => Channel::from_fd(descriptor),
            Location::Anonymous => Channel::anonymous(),
        };
        channel = channel.stamps(stamps).prefault(prefault).reopen(reopen);
        channel = channel.ephemeral(ephemeral).replace(replace).growing(growing);
        channel = channel.requires_producer(requires_producer);
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
        if let Some(history) = self.history {
            channel = channel.history(history);
        }
        if let Some(mode) = self.mode {
            channel = channel.mode(mode);
        }
        if let Some(timeout) = self.open_timeout {
            channel = channel.open_timeout(timeout);
        }
        if let Some(timeout) = self.wait_for_role {
            channel = channel.wait_for_role(timeout);
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
            // SAFETY: it is not -1. It is borrowed for the duplication alone, which fails if it is
            // not open.
            let descriptor = unsafe { BorrowedFd::borrow_raw(fd) };
            let own = descriptor
                .try_clone_to_owned()
                .map_err(|error| bad(format!("descriptor {fd} cannot be used: {error}")))?;
            Ok(Location::Descriptor(own))
        }
        (None, None, ..=-1, true) => Ok(Location::Anonymous),
        _ => {
            Err(bad("set exactly one of options.name, options.file, options.fd and IOS_ANONYMOUS"))
        }
    }
}

/// A timeout from C; `None` waits for ever.
pub(crate) fn timeout(nanos: i64) -> Option<Duration> {
    u64::try_from(nanos).ok().map(Duration::from_nanos)
}
