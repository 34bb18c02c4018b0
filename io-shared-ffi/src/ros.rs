//! Messages of ROS 1 and ROS 2: turned into messages of channels, and back.
//!
//! Nothing here opens a channel or a node. The caller has the bytes of a message from one side, and
//! puts what they become to the other.

use std::ffi::{CString, c_char, c_void};

use io_shared_channel::Schema;
use io_shared_formats::{As, CdrError, Converted, DefinitionError, FromRos, Parts, Ros, ToRos};

use crate::call::call;
use crate::handle::Handle;
use crate::memory::{drop_from_c, into_c, text_into_c};
use crate::options::schema;
use crate::pointer::{CText, In, OptionalText, Out, Slice};
use crate::status::{Failure, Outcome, ios_status};

/// Messages stay CDR, whatever they are (`ios_from_ros_open`).
pub const IOS_ROS_CDR: u32 = 1;
/// The stamp is the one that is passed, whatever the message says (`ios_to_ros_convert`).
pub const IOS_ROS_STAMP: u32 = 2;
/// In `flags` of a message: a text was cut, since the channel's type has less room for it.
pub const IOS_ROS_CUT: u32 = 4;

/// A message that was converted: up to three parts, which follow each other. They are valid until
/// the next call with the same handle, and `data` may point into the message that was converted.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct ios_ros_message {
    /// What comes before the data.
    pub head: *const c_void,
    /// The length of the head.
    pub head_length: usize,
    /// The points or pixels, or the whole message.
    pub data: *const c_void,
    /// The length of the data.
    pub data_length: usize,
    /// What comes after the data.
    pub tail: *const c_void,
    /// The length of the tail.
    pub tail_length: usize,
    /// The time in the header, in nanoseconds since 1970; 0 if there is none.
    pub stamp_ns: u64,
    /// The frame in the header, or NULL if there is none.
    pub frame_id: *const c_char,
    /// How often the type has changed: from ROS, the schema of the channel; to ROS, the type of the
    /// messages. It is 1 after the first message.
    pub version: u64,
    /// From ROS: the capacity to open the channel with; 0 if all messages have the same length.
    pub capacity: u64,
    /// From ROS 1: the number in the header.
    pub seq: u32,
    /// `IOS_ROS_CUT`, or 0.
    pub flags: u32,
}

/// What a message became, which lives until the next one.
#[derive(Debug, Default)]
struct Kept {
    head: Vec<u8>,
    data: Vec<u8>,
    frame_id: Option<CString>,
}

impl Kept {
    /// The parts: `lent` is data that lies in the message that was converted.
    fn message(&self, lent: Option<&[u8]>) -> ios_ros_message {
        let data = lent.unwrap_or(&self.data);
        let frame_id = self.frame_id.as_ref();
        ios_ros_message {
            head: self.head.as_ptr().cast(),
            head_length: self.head.len(),
            data: data.as_ptr().cast(),
            data_length: data.len(),
            tail: std::ptr::null(),
            tail_length: 0,
            stamp_ns: 0,
            frame_id: frame_id.map_or(std::ptr::null(), |frame| frame.as_ptr()),
            version: 0,
            capacity: 0,
            seq: 0,
            flags: 0,
        }
    }
}

/// Turns the messages of one topic into messages of a channel.
#[derive(Debug)]
pub struct ios_from_ros(Handle<(FromRos, Kept)>);

/// Turns the messages of one channel into messages of a topic.
#[derive(Debug)]
pub struct ios_to_ros(Handle<(ToRos, Kept)>);

fn ros_of(number: u32) -> Outcome<Ros> {
    match number {
        1 => Ok(Ros::One),
        2 => Ok(Ros::Two),
        other => {
            let text = format!("`ros` is 1 or 2, not {other}");
            Err(Failure::Said(ios_status::IOS_BAD_OPTION, text))
        }
    }
}

fn definition_failure(name: &str, error: &DefinitionError) -> Failure {
    let text = format!("{name}: its definition cannot be used: {error}");
    Failure::Said(ios_status::IOS_BAD_SCHEMA, text)
}

fn message_failure(name: &str, error: &CdrError) -> Failure {
    let status = match error {
        CdrError::Unsupported { .. } => ios_status::IOS_UNSUPPORTED,
        CdrError::Text { .. } => ios_status::IOS_BAD_VALUE,
        _ => ios_status::IOS_CORRUPT,
    };
    Failure::Said(status, format!("{name}: a message cannot be converted: {error}"))
}

/// The schema that a text is, if there is one.
fn optional_schema(text: Option<&str>) -> Outcome<Option<Schema>> {
    text.map(schema).transpose()
}

/// Prepares to turn messages of ROS into messages of a channel. `ros` is 1 or 2. `type` is
/// `package/msg/Name`, or `package/Name` in ROS 1. `definition` is the `.msg` text, followed by
/// those of the types in it, each after a line of `=` and a line `MSG: package/Name`, as in ROS 1's
/// `_full_text`. `schema` is the type of the channel, if there is one already, or NULL. `flags` is
/// 0 or `IOS_ROS_CDR`.
///
/// A PointCloud2 and an Image become arrays, another type a struct whose sequences are lists; what
/// no struct can hold stays CDR. If `schema` did not come from ROS, messages become that type, by
/// the names of the fields.
///
/// `IOS_BAD_SCHEMA`: the definition or the schema cannot be used.
///
/// # Safety
/// `type` and `definition` are NULL or texts, `schema` too; `from` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_from_ros_open(
    ros: u32,
    r#type: *const c_char,
    definition: *const c_char,
    schema: *const c_char,
    flags: u32,
    from: *mut *mut ios_from_ros,
) -> ios_status {
    call(|arguments| {
        // SAFETY: the texts end in a zero, and nobody changes them during the call; a handle may be
        // written to `from`.
        let (name, text, channel, out) = unsafe {
            let texts = (CText(r#type, "type"), CText(definition, "definition"));
            let (schema, out) = (OptionalText(schema, "schema"), Out(from, "from"));
            arguments.read((texts.0, texts.1, schema, out))
        }?;
        let (ros, channel) = (ros_of(ros)?, optional_schema(channel)?);
        let made = match flags {
            0 => FromRos::new(ros, name, text, channel.as_ref()),
            IOS_ROS_CDR => FromRos::cdr(ros, name, text),
            other => {
                let text = format!("`flags` is 0 or IOS_ROS_CDR, not {other}");
                return Err(Failure::Said(ios_status::IOS_BAD_OPTION, text));
            }
        };
        let made = made.map_err(|error| definition_failure(name, &error))?;
        out.set(into_c(ios_from_ros(Handle::new((made, Kept::default()), name))));
        Ok(())
    })
}

/// Turns the message of `length` bytes at `data` into one of the channel: its `head`, followed by
/// its `data`, which points into these bytes if they need no change. `ios_puts` takes both without
/// another copy. If the `version` is another than before, the channel has to be opened anew, with
/// the schema that `ios_from_ros_schema` returns.
///
/// `IOS_CORRUPT`: these bytes are no such message. `IOS_UNSUPPORTED`: the channel's type cannot
/// have it; the text says why. Either way the next message can be converted.
///
/// # Safety
/// `from` is NULL or open; `data` points to `length` bytes (or is NULL, if `length` is 0) that
/// nobody changes for as long as `message` is used; `message` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_from_ros_convert(
    from: *mut ios_from_ros,
    data: *const c_void,
    length: usize,
    message: *mut ios_ros_message,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open handle is live, and is used through `&` alone; nobody changes the
        // `length` bytes during the call; a struct may be written to `message`.
        let (handle, bytes, out) = unsafe {
            let data = Slice(data.cast::<u8>(), length, "data");
            arguments.read((In(from, "from"), data, Out(message, "message")))
        }?;
        let mut entered = handle.0.enter()?;
        let (from, kept) = &mut *entered;
        let converted = from.convert(bytes);
        let converted = converted.map_err(|error| message_failure(handle.0.name(), &error))?;
        let Converted { head, data, stamp_ns, frame_id, seq, is_cut, .. } = converted;
        let frame_id = frame_id.map(|frame| CString::new(frame.replace('\0', "")));
        let lent = match data {
            std::borrow::Cow::Borrowed(lent) => Some(lent),
            std::borrow::Cow::Owned(data) => {
                kept.data = data;
                None
            }
        };
        (kept.head, kept.frame_id) = (head, frame_id.and_then(Result::ok));
        out.set(ios_ros_message {
            stamp_ns,
            seq,
            version: from.version(),
            capacity: from.capacity().unwrap_or(0) as u64,
            flags: if is_cut { IOS_ROS_CUT } else { 0 },
            ..kept.message(lent)
        });
        Ok(())
    })
}

/// The schema to open the channel with, as JSON, once a message was converted; `IOS_EMPTY` before.
/// The caller frees the text with `ios_text_free`.
///
/// # Safety
/// `from` is NULL or open; `schema` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_from_ros_schema(
    from: *mut ios_from_ros,
    schema: *mut *mut c_char,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open handle is live, and is used through `&` alone; a pointer may be written
        // to `schema`.
        let (handle, out) = unsafe { arguments.read((In(from, "from"), Out(schema, "schema"))) }?;
        let entered = handle.0.enter()?;
        out.set(text_into_c(entered.0.schema().ok_or(Failure::Empty)?.to_json()));
        Ok(())
    })
}

/// Closes it. NULL is left alone.
///
/// # Safety
/// `from` is NULL, or came from `ios_from_ros_open` and is closed for the first time, while no
/// other thread uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_from_ros_close(from: *mut ios_from_ros) {
    // SAFETY: it came from `ios_from_ros_open`, which made it by `into_c`, and is closed once.
    unsafe { drop_from_c(from) };
}

/// Prepares to turn messages of a channel, whose type is `schema`, into messages of ROS. `ros` is 1
/// or 2. `kind` is what its values are, or NULL: `cloud`, `image:bgr8`, `depth` or `none`. `type`
/// and `definition` are a type that they become by the names of the fields, as in
/// `ios_from_ros_open`, or NULL.
///
/// What came from ROS goes back as the type that it was. Otherwise clouds and pictures become
/// PointCloud2 and Image, and anything else a generated type in the package `io_shared_msgs`.
///
/// `IOS_BAD_SCHEMA`: the definition or the schema cannot be used.
///
/// # Safety
/// `schema` is NULL or a text, `kind`, `type` and `definition` too; `to` is NULL or may be written
/// to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_to_ros_open(
    ros: u32,
    schema: *const c_char,
    kind: *const c_char,
    r#type: *const c_char,
    definition: *const c_char,
    to: *mut *mut ios_to_ros,
) -> ios_status {
    call(|arguments| {
        // SAFETY: the texts end in a zero, and nobody changes them during the call.
        let (kind, name, text) = unsafe {
            let (kind, name) = (OptionalText(kind, "kind"), OptionalText(r#type, "type"));
            arguments.read((kind, name, OptionalText(definition, "definition")))
        }?;
        // SAFETY: as above; a handle may be written to `to`.
        let (channel, out) = unsafe { arguments.read((CText(schema, "schema"), Out(to, "to"))) }?;
        let (ros, channel) = (ros_of(ros)?, crate::options::schema(channel)?);
        let said = kind.map(str::parse::<As>).transpose();
        let said = said.map_err(|text| Failure::Said(ios_status::IOS_BAD_OPTION, text))?;
        let made = ToRos::new(ros, &channel, said, name.zip(text));
        let called = name.unwrap_or(channel.name()).to_owned();
        let made = made.map_err(|error| definition_failure(&called, &error))?;
        out.set(into_c(ios_to_ros(Handle::new((made, Kept::default()), &called))));
        Ok(())
    })
}

/// Turns the message of `length` bytes at `data` into one of ROS: its `head`, `data` and `tail` one
/// after the other. `stamp_ns`, in nanoseconds since 1970, is the time for its header, unless the
/// channel's type has a field for it and `flags` is not `IOS_ROS_STAMP`. `frame_id` is the frame,
/// or NULL: then it is the one that the channel's type names, or none. A message that came with a
/// header of its own keeps it.
///
/// `IOS_CORRUPT`: these bytes are no message of the channel. `IOS_UNSUPPORTED`: it cannot be one of
/// ROS; the text says why.
///
/// # Safety
/// `to` is NULL or open; `data` points to `length` bytes (or is NULL, if `length` is 0) that nobody
/// changes for as long as `message` is used; `frame_id` is NULL or a text; `message` is NULL or may
/// be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_to_ros_convert(
    to: *mut ios_to_ros,
    data: *const c_void,
    length: usize,
    stamp_ns: u64,
    frame_id: *const c_char,
    flags: u32,
    message: *mut ios_ros_message,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open handle is live, and is used through `&` alone; nobody changes the
        // `length` bytes or the text during the call; a struct may be written to `message`.
        let (handle, bytes, frame_id, out) = unsafe {
            let data = Slice(data.cast::<u8>(), length, "data");
            let frame_id = OptionalText(frame_id, "frame_id");
            arguments.read((In(to, "to"), data, frame_id, Out(message, "message")))
        }?;
        let mut entered = handle.0.enter()?;
        let (to, kept) = &mut *entered;
        let own = if flags & IOS_ROS_STAMP == 0 { to.stamp_ns(bytes) } else { None };
        let stamp_ns = own.unwrap_or(stamp_ns);
        let converted = to.convert(bytes, stamp_ns, frame_id);
        let converted = converted.map_err(|error| message_failure(handle.0.name(), &error))?;
        let Parts { head, data, tail } = converted;
        kept.head = head;
        out.set(ios_ros_message {
            stamp_ns,
            version: to.version(),
            tail: tail.as_ptr().cast(),
            tail_length: tail.len(),
            ..kept.message(Some(data))
        });
        Ok(())
    })
}

/// What `ios_to_ros` says of the type of its messages.
///
/// # Safety
/// `to` is NULL or open; `text` is NULL or may be written to.
unsafe fn ask(
    to: *const ios_to_ros,
    text: *mut *mut c_char,
    answer: impl FnOnce(&ToRos) -> Outcome<String>,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open handle is live, and is used through `&` alone; a pointer may be written
        // to `text`.
        let (handle, out) = unsafe { arguments.read((In(to, "to"), Out(text, "text"))) }?;
        let entered = handle.0.enter()?;
        out.set(text_into_c(answer(&entered.0)?));
        Ok(())
    })
}

/// The type of the messages: `package/msg/Name`, or `package/Name` in ROS 1. Of arrays the first
/// message says it: `IOS_EMPTY` before. The caller frees the text with `ios_text_free`.
///
/// # Safety
/// `to` is NULL or open; `name` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_to_ros_type(
    to: *const ios_to_ros,
    name: *mut *mut c_char,
) -> ios_status {
    // SAFETY: it is what `ask` asks for.
    unsafe { ask(to, name, |to| Ok(to.type_name().ok_or(Failure::Empty)?.to_owned())) }
}

/// The definition of that type, with the types in it; `IOS_EMPTY` as in `ios_to_ros_type`. The
/// caller frees the text with `ios_text_free`.
///
/// # Safety
/// `to` is NULL or open; `text` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_to_ros_definition(
    to: *const ios_to_ros,
    text: *mut *mut c_char,
) -> ios_status {
    // SAFETY: it is what `ask` asks for.
    unsafe { ask(to, text, |to| Ok(to.definition().ok_or(Failure::Empty)?.to_owned())) }
}

/// What the MD5 sum of that type in ROS 1 is of: one line `name` and then a text for each message
/// of the definition, the type itself last, each followed by an empty line. In a text, the sum of
/// another message stands as its name in braces: `{std_msgs/Header} header`. The caller frees the
/// text with `ios_text_free`.
///
/// # Safety
/// `to` is NULL or open; `text` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_to_ros_summed(
    to: *const ios_to_ros,
    text: *mut *mut c_char,
) -> ios_status {
    let answer = |to: &ToRos| {
        let name = to.type_name().unwrap_or_default();
        let summed = to.summed().map_err(|error| definition_failure(name, &error))?;
        let texts = summed.iter().map(|(name, text)| format!("{name}\n{text}\n\n"));
        Ok(texts.collect::<String>())
    };
    // SAFETY: it is what `ask` asks for.
    unsafe { ask(to, text, answer) }
}

/// The frame that the channel's type names; `IOS_EMPTY` if it names none. The caller frees the text
/// with `ios_text_free`.
///
/// # Safety
/// `to` is NULL or open; `text` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_to_ros_frame(
    to: *const ios_to_ros,
    text: *mut *mut c_char,
) -> ios_status {
    // SAFETY: it is what `ask` asks for.
    unsafe { ask(to, text, |to| Ok(to.frame_id().ok_or(Failure::Empty)?.to_owned())) }
}

/// Closes it. NULL is left alone.
///
/// # Safety
/// `to` is NULL, or came from `ios_to_ros_open` and is closed for the first time, while no other
/// thread uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_to_ros_close(to: *mut ios_to_ros) {
    // SAFETY: it came from `ios_to_ros_open`, which made it by `into_c`, and is closed once.
    unsafe { drop_from_c(to) };
}
