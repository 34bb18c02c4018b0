//! Messages of ROS as messages of a channel.

use std::borrow::Cow;

use io_shared_core::schema::Type;
use io_shared_core::{Array, Message, Schema};

use crate::arrays;
use crate::error::{CdrError, DefinitionError};
use crate::foreign::cdr_schema;
use crate::image::Image;
use crate::point_cloud::PointCloud2;
use crate::points;
use crate::reading::Reading;
use crate::ros_text;
use crate::ros_type::RosType;
use crate::transcode::transcode;
use crate::value;
use crate::wire::{Reader, Ros, Stamped, Writer};

/// The room that a text without a bound has at least, in bytes.
const LEAST_TEXT: usize = 64;

/// Turns messages of one topic of ROS into messages of a channel.
///
/// A PointCloud2 becomes an array of structs, an Image one of shape (height, width) or (height,
/// width, channels), any other type a struct whose sequences are lists. What no struct can hold
/// stays CDR: sequences in sequences, wide characters. If there is a channel already and its type
/// did not come from ROS, messages become that type, by the names of the fields.
///
/// A text without a bound has twice the room that the first message needs, at least 64 bytes. When
/// a longer one comes, the [`schema`](Self::schema) changes: then the channel has to be opened
/// anew.
///
/// # Examples
/// ```
/// use io_shared_core::Value;
/// use io_shared_formats::{FromRos, Ros};
///
/// let mut from = FromRos::new(Ros::Two, "std_msgs/msg/String", "string data\n", None)?;
/// let converted = from.convert(b"\0\x01\0\0\x06\0\0\0hello\0")?;
/// let message = [&converted.head[..], &converted.data].concat();
/// let schema = from.schema().expect("a message was converted");
/// let value = Value::decode(schema, &message)?;
/// assert_eq!(value.json().to_string(), r#"{"data":"hello"}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FromRos {
    ros: Ros,
    ty: RosType,
    is: Is,
    /// The type of the user's that the channel has.
    fixed: Option<Schema>,
    /// The type of the channel, once it is known; and how often it has changed.
    schema: Option<Schema>,
    version: u64,
    /// The bytes of the first message, twice.
    capacity: usize,
    /// The room of texts without a bound.
    text_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    Cloud,
    Image,
    Struct,
    Cdr,
}

/// A message of a channel, in two parts that follow each other. [`FromRos`] has an example.
#[derive(Debug, Clone, Default)]
pub struct Converted<'a> {
    /// What comes before the data: the header of an array, the fields before points, or nothing.
    pub head: Vec<u8>,
    /// The points, the pixels, or the whole message. If they need no change, they are where they
    /// were.
    pub data: Cow<'a, [u8]>,
    /// The time in the header, in nanoseconds since 1970; 0 if there is none.
    pub stamp_ns: u64,
    /// The frame in the header, if there is one.
    pub frame_id: Option<String>,
    /// The number in the header; 0 in ROS 2, which has none.
    pub seq: u32,
    /// Whether a text was cut, since the channel's type has less room for it.
    pub is_cut: bool,
}

impl FromRos {
    /// A topic with messages of this type, whose definition is that of ROS 1's `_full_text`: the
    /// `.msg` file, and after lines of `=` and of `MSG: package/Name` those of the types in it.
    /// `channel` is the type of the channel, if there is one already. [`FromRos`] has an example.
    ///
    /// # Errors
    /// [`DefinitionError`]: the text is not a definition, or lacks a message that it uses.
    pub fn new(
        ros: Ros,
        name: &str,
        text: &str,
        channel: Option<&Schema>,
    ) -> Result<FromRos, DefinitionError> {
        let ty = RosType::parse(name, text)?;
        let is = match &*ros_text::full_name(name, "") {
            "sensor_msgs/PointCloud2" => Is::Cloud,
            "sensor_msgs/Image" => Is::Image,
            _ => Is::Struct,
        };
        let mut from = FromRos::of(ros, ty, is);
        let remembered = channel.and_then(RosType::remembered);
        let is_ours = remembered.is_some() || channel.is_some_and(is_cdr);
        if let Some(channel) = channel.filter(|_| !is_ours) {
            from.fixed = Some(channel.clone());
        }
        if is == Is::Struct && from.fixed.is_none() && from.layout(LEAST_TEXT)?.is_none() {
            from.is = Is::Cdr;
        }
        if from.is == Is::Struct || from.is == Is::Cdr && ros == Ros::One {
            from.ty.check()?;
        }
        let is_same = |known: &RosType| known.name == from.ty.name && known.text == from.ty.text;
        if remembered.as_ref().is_some_and(is_same) && from.is == Is::Struct {
            from.text_bytes = channel.and_then(|known| from.room_of(known)).unwrap_or(0);
        }
        Ok(from)
    }

    /// A topic whose messages stay CDR, whatever they are. Those of ROS 1 become CDR, and are the
    /// same bytes when they become messages of ROS 1 again.
    ///
    /// ```
    /// use io_shared_formats::{FromRos, Ros};
    ///
    /// let mut from = FromRos::cdr(Ros::One, "pkg/A", "uint8 a\nuint16 b\n")?;
    /// assert_eq!(&from.convert(&[7, 8, 0])?.data[..], [0, 1, 0, 0, 7, 0, 8, 0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn cdr(ros: Ros, name: &str, text: &str) -> Result<FromRos, DefinitionError> {
        let ty = RosType::parse(name, text)?;
        if ros == Ros::One {
            ty.check()?;
        }
        Ok(FromRos::of(ros, ty, Is::Cdr))
    }

    fn of(ros: Ros, ty: RosType, is: Is) -> FromRos {
        FromRos { ros, ty, is, fixed: None, schema: None, version: 0, capacity: 0, text_bytes: 0 }
    }

    /// The type of the channel; `None` before the first message. [`FromRos`] has an example.
    pub fn schema(&self) -> Option<&Schema> {
        self.schema.as_ref()
    }

    /// How often the [`schema`](Self::schema) has changed: 1 after the first message. If it has,
    /// the channel has to be opened anew.
    ///
    /// ```
    /// use io_shared_formats::{FromRos, Ros};
    ///
    /// let mut from = FromRos::new(Ros::One, "std_msgs/String", "string data\n", None)?;
    /// from.convert(b"\x02\0\0\0hi")?;
    /// assert_eq!(from.version(), 1);
    /// let long = [&200_u32.to_le_bytes()[..], &[b'a'; 200]].concat();
    /// from.convert(&long)?;
    /// assert_eq!(from.version(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The capacity that the channel should be opened with: twice the first message. `None`: all
    /// messages have the same length.
    ///
    /// ```
    /// use io_shared_formats::{FromRos, Ros};
    ///
    /// let mut from = FromRos::new(Ros::One, "pkg/A", "uint16[] a\n", None)?;
    /// from.convert(&[2, 0, 0, 0, 1, 0, 2, 0])?;
    /// assert_eq!(from.capacity(), Some(8));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn capacity(&self) -> Option<usize> {
        let Type::Struct(layout) = self.schema.as_ref()?.root() else { return Some(self.capacity) };
        let ends_in = layout.fields.last().map(|last| &last.ty);
        matches!(ends_in, Some(Type::Slice { .. } | Type::ListData)).then_some(self.capacity)
    }

    /// Turns a message into one of the channel. [`FromRos`] has an example.
    ///
    /// # Errors
    /// [`CdrError`]: these bytes are no such message, or one that the channel's type cannot have.
    pub fn convert<'a>(&mut self, bytes: &'a [u8]) -> Result<Converted<'a>, CdrError> {
        let converted = match self.is {
            Is::Cloud => self.cloud(bytes)?,
            Is::Image => self.image(bytes)?,
            Is::Struct => self.fields(bytes)?,
            Is::Cdr => self.as_cdr(bytes)?,
        };
        if self.capacity == 0 {
            self.capacity = 2 * (converted.head.len() + converted.data.len()).max(1);
        }
        Ok(converted)
    }

    fn cloud<'a>(&mut self, bytes: &'a [u8]) -> Result<Converted<'a>, CdrError> {
        let mut reader = Reader::of(self.ros, bytes)?;
        let (cloud, is_columns, seq) = PointCloud2::read(&mut reader)?;
        let (head, data) = match &self.fixed {
            Some(schema) if !Array::is_of(schema) => {
                let typed = points::of_cloud(&cloud, schema)?;
                (typed.head, typed.points)
            }
            _ => {
                let npy = arrays::of_cloud(&cloud, is_columns)?;
                (npy.header, npy.data)
            }
        };
        self.become_array("cloud")?;
        let (stamp_ns, frame_id) = (cloud.stamp_ns, Some(cloud.frame_id));
        Ok(Converted { head, data, stamp_ns, frame_id, seq, is_cut: false })
    }

    fn image<'a>(&mut self, bytes: &'a [u8]) -> Result<Converted<'a>, CdrError> {
        let mut reader = Reader::of(self.ros, bytes)?;
        let (image, seq) = Image::read(&mut reader)?;
        if let Some(schema) = self.fixed.as_ref().filter(|schema| !Array::is_of(schema)) {
            let what = format!("an image as `{}`, which is not an array,", schema.name());
            return Err(CdrError::Unsupported { what });
        }
        let npy = arrays::of_image(&image)?;
        self.become_array(&format!("image:{}", image.encoding))?;
        let (stamp_ns, frame_id) = (image.stamp_ns, Some(image.frame_id));
        let (head, data) = (npy.header, npy.data);
        Ok(Converted { head, data, stamp_ns, frame_id, seq, is_cut: false })
    }

    fn fields<'a>(&mut self, bytes: &'a [u8]) -> Result<Converted<'a>, CdrError> {
        let known = self.schema.take();
        let is_known = known.is_some();
        let schema = match (known, &self.fixed) {
            (Some(known), _) => known,
            (None, Some(fixed)) => fixed.clone(),
            (None, None) => self.schema_with(self.text_bytes.max(LEAST_TEXT))?,
        };
        match self.fields_as(bytes, &schema) {
            Ok((converted, grown)) => {
                self.version += u64::from(!is_known || grown.is_some());
                self.schema = Some(grown.unwrap_or(schema));
                Ok(converted)
            }
            Err(error) => {
                self.schema = is_known.then_some(schema);
                Err(error)
            }
        }
    }

    /// A message of this schema, or of one that has room for its texts.
    fn fields_as<'a>(
        &mut self,
        bytes: &'a [u8],
        schema: &Schema,
    ) -> Result<(Converted<'a>, Option<Schema>), CdrError> {
        let mut reading = Reading { messages: &self.ty.messages, longest: 0, is_cut: false };
        let mut message = read(self.ros, &mut reading, &self.ty, schema, bytes)?;
        let (room, longest) = (self.text_bytes, reading.longest);
        // The first message has room for twice its texts; later ones for theirs.
        let is_first = room == 0 && longest.saturating_mul(2) > LEAST_TEXT;
        let mut grown = None;
        if self.fixed.is_none() && (is_first || longest > room.max(LEAST_TEXT)) {
            let room = longest.saturating_mul(2).next_multiple_of(8);
            let larger = self.schema_with(room)?;
            reading.is_cut = false;
            message = read(self.ros, &mut reading, &self.ty, &larger, bytes)?;
            grown = Some(larger);
            self.text_bytes = room;
        }
        let is_cut = reading.is_cut;
        self.text_bytes = self.text_bytes.max(LEAST_TEXT);
        let header = self.header_of(bytes)?;
        Ok((Converted { data: message.into(), is_cut, ..of_header(header) }, grown))
    }

    fn as_cdr<'a>(&mut self, bytes: &'a [u8]) -> Result<Converted<'a>, CdrError> {
        let mut reader = Reader::of(self.ros, bytes)?;
        let data = match self.ros {
            Ros::Two => Cow::Borrowed(bytes),
            Ros::One => {
                let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 4 + 64);
                let mut writer = Writer::new(&mut out);
                transcode(&mut reader, &mut writer, &self.ty.fields, &self.ty.messages)?;
                reader.end()?;
                Cow::Owned(out)
            }
        };
        if self.schema.is_none() {
            self.become_schema(cdr_schema(&self.ty.name, &self.ty.text));
        }
        let header = self.header_of(bytes)?;
        Ok(Converted { data, ..of_header(header) })
    }

    /// The header, if that is what a message begins with.
    fn header_of<'a>(&self, bytes: &'a [u8]) -> Result<Option<Stamped<'a>>, CdrError> {
        let read = || Reader::of(self.ros, bytes)?.stamped();
        self.ty.has_header().then(read).transpose()
    }

    /// The channel is one of arrays of this kind.
    fn become_array(&mut self, kind: &str) -> Result<(), CdrError> {
        let schema = match &self.fixed {
            Some(fixed) => fixed.clone(),
            None => {
                let Type::Struct(layout) = Array::schema().root().clone() else {
                    return Err(CdrError::Unsupported { what: "an array".to_owned() });
                };
                let schema = Schema::new(Type::Struct(layout.doc(&format!("{}\n", self.ty.name))));
                schema.of_kind(kind).unwrap_or(schema)
            }
        };
        self.become_schema(schema);
        Ok(())
    }

    fn become_schema(&mut self, schema: Schema) {
        let is_same = |known: &Schema| known.to_json() == schema.to_json();
        if !self.schema.as_ref().is_some_and(is_same) {
            self.schema = Some(schema);
            self.version += 1;
        }
    }

    /// The struct that holds such messages, within the limits of a schema.
    fn layout(&self, text_bytes: usize) -> Result<Option<Schema>, DefinitionError> {
        let layout = self.ty.layout(text_bytes)?;
        Ok(layout.and_then(|layout| {
            let layout = layout.doc(&self.ty.memory());
            Schema::from_json(&Schema::new(Type::Struct(layout)).to_json()).ok()
        }))
    }

    fn schema_with(&self, text_bytes: usize) -> Result<Schema, CdrError> {
        let layout = self.layout(text_bytes).ok().flatten();
        layout.ok_or(CdrError::TooLarge { bytes: text_bytes })
    }

    /// The room of texts without a bound in a channel that this type came into before.
    fn room_of(&self, channel: &Schema) -> Option<usize> {
        let mut rooms = Vec::new();
        texts(channel.root(), &mut rooms);
        let is_it = |room: &usize| {
            let layout = self.layout(*room).ok().flatten();
            layout.is_some_and(|layout| layout.hash() == channel.hash())
        };
        rooms.into_iter().find(is_it)
    }
}

/// The bytes of each text in a type.
fn texts(ty: &Type, rooms: &mut Vec<usize>) {
    match ty {
        Type::Text(room) if !rooms.contains(room) => rooms.push(*room),
        Type::Array { element, .. } | Type::Slice { element } | Type::List { element, .. } => {
            texts(element, rooms);
        }
        Type::Struct(layout) => layout.fields.iter().for_each(|field| texts(&field.ty, rooms)),
        _ => {}
    }
}

fn read(
    ros: Ros,
    reading: &mut Reading<'_>,
    ty: &RosType,
    schema: &Schema,
    bytes: &[u8],
) -> Result<Vec<u8>, CdrError> {
    let Type::Struct(layout) = schema.root() else {
        let what = format!("a message as `{}`, which has no fields,", schema.name());
        return Err(CdrError::Unsupported { what });
    };
    let is_in = |name: &str| layout.fields.iter().any(|field| field.name == name);
    if !layout.fields.is_empty() && !ty.fields.iter().any(|field| is_in(&field.name)) {
        let what = format!("a {} as `{}`, which has none of its fields,", ty.name, schema.name());
        return Err(CdrError::Unsupported { what });
    }
    let mut reader = Reader::of(ros, bytes)?;
    let mut message = value::room_for(&reader, schema.root())?;
    reading.message(&mut reader, &ty.fields, Some((layout, 0)), &mut message)?;
    reader.end()?;
    Ok(message)
}

fn of_header<'a>(header: Option<Stamped<'_>>) -> Converted<'a> {
    let Some(header) = header else { return Converted::default() };
    Converted {
        stamp_ns: header.stamp_ns,
        frame_id: Some(header.frame_id.into_owned()),
        seq: header.seq,
        ..Converted::default()
    }
}

/// Whether the messages of a channel are CDR.
pub(crate) fn is_cdr(schema: &Schema) -> bool {
    crate::cdr_type::definition(schema).is_some()
}
