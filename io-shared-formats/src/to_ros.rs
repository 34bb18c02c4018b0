//! Messages of a channel as messages of ROS.

use std::borrow::Cow;

use io_shared_core::schema::Type;
use io_shared_core::{Array, Schema};

use crate::definition::{Definition, PACKAGE};
use crate::error::{CdrError, DefinitionError};
use crate::header::Header;
use crate::recognized::{As, recognize};
use crate::ros_one;
use crate::ros_text;
use crate::ros_type::RosType;
use crate::transcode::transcode;
use crate::value;
use crate::wire::{Reader, Ros, Stamped, Writer};
use crate::writing::Writing;

/// Turns messages of a channel into messages of ROS.
///
/// What came from ROS goes back as the type that it was. Otherwise a cloud or a picture becomes a
/// PointCloud2 or an Image, by [`recognize`](crate::recognize), and anything else a generated type,
/// as in recordings.
///
/// # Examples
/// ```
/// use io_shared_core::{Array, Message};
/// use io_shared_formats::{PointCloud2, Ros, ToRos};
///
/// let points = [1.0_f32, 2.0, 3.0, 0.5];
/// let message = Array::to_bytes("<f4", &[1, 4], points.as_bytes())?;
/// let mut to = ToRos::new(Ros::Two, &Array::schema(), None, None)?;
/// let cdr = to.convert(&message, 1_500_000_000, Some("lidar"))?.concat();
/// assert_eq!(to.type_name(), Some("sensor_msgs/msg/PointCloud2"));
/// let cloud = PointCloud2::decode(&cdr)?;
/// assert_eq!((cloud.width, cloud.point_step, &*cloud.frame_id), (1, 16, "lidar"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ToRos {
    ros: Ros,
    schema: Schema,
    header: Header,
    said: Option<As>,
    how: How,
    /// The type that a person has named, if messages become it by what they are recognized as.
    only: Option<String>,
    /// The type of the last message: its name and its definition.
    ty: Option<(String, String)>,
    version: u64,
}

#[derive(Debug)]
enum How {
    /// As what it is recognized as, or as a generated type.
    Recognized,
    /// By the names of the fields.
    Fields(RosType),
    /// Its CDR.
    Cdr(RosType),
}

/// A message of ROS in three parts that follow each other. [`ToRos`] has an example.
#[derive(Debug, Clone)]
pub struct Parts<'a> {
    /// What comes before the data, or the whole message.
    pub head: Vec<u8>,
    /// The points or pixels, where they lie in the message that was converted; or nothing.
    pub data: &'a [u8],
    /// What comes after the data.
    pub tail: &'static [u8],
}

impl Parts<'_> {
    /// The message.
    ///
    /// ```
    /// use io_shared_formats::Parts;
    ///
    /// let parts = Parts { head: vec![1], data: &[2, 3], tail: &[4] };
    /// assert_eq!(parts.concat(), [1, 2, 3, 4]);
    /// ```
    pub fn concat(&self) -> Vec<u8> {
        [&self.head, self.data, self.tail].concat()
    }
}

impl ToRos {
    /// A channel of this type. `said` is what a person says that its values are; `ty` the name and
    /// the definition of a type that they become, by the names of the fields. [`ToRos`] has an
    /// example.
    ///
    /// # Errors
    /// [`DefinitionError`]: the definition is damaged, or a message of it cannot be written.
    pub fn new(
        ros: Ros,
        schema: &Schema,
        said: Option<As>,
        ty: Option<(&str, &str)>,
    ) -> Result<ToRos, DefinitionError> {
        let given = ty.map(|(name, text)| RosType::parse(name, text)).transpose()?;
        let cdr = crate::cdr_type::definition(schema);
        let is_plain = said.is_none() && given.is_none();
        let how = match (given, cdr) {
            (Some(given), _) => How::of(given, schema),
            (None, Some((name, text))) => How::Cdr(RosType::parse(name, text)?),
            (None, None) => match RosType::remembered(schema).filter(|_| is_plain) {
                Some(remembered) => How::of(remembered, schema),
                None => How::Recognized,
            },
        };
        let named = ty.map(|(name, _)| ros_text::full_name(name, ""));
        let only = named.filter(|_| matches!(how, How::Recognized));
        let how = match how {
            How::Fields(ty) => How::Fields(ty.in_ros(ros)),
            How::Cdr(ty) => How::Cdr(ty.in_ros(ros)),
            How::Recognized => How::Recognized,
        };
        if let How::Fields(ty) | How::Cdr(ty) = &how
            && (ros == Ros::One || matches!(how, How::Fields(_)))
        {
            ty.check()?;
        }
        let (schema, header) = (schema.clone(), Header::of(schema));
        let (ty, version) = (None, 0);
        Ok(ToRos { ros, schema, header, said, how, only, ty, version }.with_type())
    }

    fn with_type(mut self) -> ToRos {
        match &self.how {
            How::Fields(ty) | How::Cdr(ty) => {
                self.ty = Some((ty.name.clone(), ty.text.clone()));
                self.version = 1;
            }
            How::Recognized => {}
        }
        self
    }

    /// The name of the type of the messages: `package/msg/Name`, or `package/Name` in ROS 1.
    /// `None`: the first message says it. [`ToRos`] has an example.
    pub fn type_name(&self) -> Option<&str> {
        self.ty.as_ref().map(|(name, _)| &**name)
    }

    /// The definition of the type of the messages.
    ///
    /// ```
    /// use io_shared_core::Message;
    /// use io_shared_formats::{Ros, ToRos};
    ///
    /// let mut to = ToRos::new(Ros::One, &<[u16; 2]>::schema(), None, None)?;
    /// assert_eq!(to.convert(&[1, 0, 2, 0], 0, None)?.concat(), [1, 0, 2, 0]);
    /// assert_eq!(to.definition(), Some("uint16[2] value\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn definition(&self) -> Option<&str> {
        self.ty.as_ref().map(|(_, text)| &**text)
    }

    /// How often the type of the messages has changed: arrays may be clouds first and then
    /// pictures.
    ///
    /// ```
    /// use io_shared_core::{Array, Message};
    /// use io_shared_formats::{Ros, ToRos};
    ///
    /// let mut to = ToRos::new(Ros::Two, &Array::schema(), None, None)?;
    /// assert_eq!(to.version(), 0);
    /// to.convert(&Array::to_bytes("<f8", &[0, 3], &[])?, 0, None)?;
    /// to.convert(&Array::to_bytes("|u1", &[1, 1], &[7])?, 0, None)?;
    /// assert_eq!((to.version(), to.type_name()), (2, Some("sensor_msgs/msg/Image")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The frame that the channel's type names.
    ///
    /// ```
    /// use io_shared_core::Message;
    /// use io_shared_formats::{Ros, ToRos};
    ///
    /// let to = ToRos::new(Ros::Two, &u64::schema(), None, None)?;
    /// assert_eq!(to.frame_id(), None);
    /// # Ok::<(), io_shared_formats::DefinitionError>(())
    /// ```
    pub fn frame_id(&self) -> Option<&str> {
        self.header.frame_id()
    }

    /// What the MD5 sums of ROS 1 are of: for each message of the definition, the last of which is
    /// the type itself, its name and a text in which the sums of others stand as their names in
    /// braces.
    ///
    /// ```
    /// use io_shared_core::Message;
    /// use io_shared_formats::{Ros, ToRos};
    ///
    /// let mut to = ToRos::new(Ros::One, &f32::schema(), None, None)?;
    /// to.convert(&[0; 4], 0, None)?;
    /// assert_eq!(to.summed()?[0].1, "float32 value");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`DefinitionError`]: the definition lacks a message that it uses.
    pub fn summed(&self) -> Result<Vec<(String, String)>, DefinitionError> {
        let Some((name, text)) = &self.ty else { return Ok(Vec::new()) };
        ros_one::summed(name, text)
    }

    /// Turns a message into one of ROS. `stamp_ns`, in nanoseconds since 1970, and `frame_id` are
    /// for its header: without a frame, it is the one that the type names, else none. A message
    /// that came with a header of its own keeps it. [`ToRos`] has an example.
    ///
    /// # Errors
    /// [`CdrError`]: it is no message of the channel's type, or cannot be one of ROS.
    pub fn convert<'a>(
        &mut self,
        message: &'a [u8],
        stamp_ns: u64,
        frame_id: Option<&str>,
    ) -> Result<Parts<'a>, CdrError> {
        let frame_id = frame_id.or(self.header.frame_id()).unwrap_or_default().to_owned();
        match &self.how {
            How::Recognized => self.recognized(message, stamp_ns, &frame_id),
            How::Cdr(ty) => as_it_is(self.ros, ty, message),
            How::Fields(ty) => {
                value::check_length(&self.schema, message)?;
                let header = Stamped { seq: 0, stamp_ns, frame_id: Cow::Borrowed(&frame_id) };
                let writing = Writing { messages: &ty.messages, message, header };
                let mut head = Vec::with_capacity(message.len() + 64);
                let mut writer = Writer::of(self.ros, &mut head);
                let layout = match self.schema.root() {
                    Type::Struct(layout) => Some((layout, 0)),
                    _ => None,
                };
                writing.message(&mut writer, &ty.fields, layout)?;
                Ok(Parts { head, data: &[], tail: &[] })
            }
        }
    }

    /// The time that a message has in a field of its own, in nanoseconds since 1970.
    ///
    /// ```
    /// use io_shared_core::Message;
    /// use io_shared_formats::{Ros, ToRos};
    ///
    /// let to = ToRos::new(Ros::Two, &u64::schema(), None, None)?;
    /// assert_eq!(to.stamp_ns(&[0; 8]), None);
    /// # Ok::<(), io_shared_formats::DefinitionError>(())
    /// ```
    pub fn stamp_ns(&self, message: &[u8]) -> Option<u64> {
        self.header.stamp_ns(message)
    }

    fn recognized<'a>(
        &mut self,
        message: &'a [u8],
        stamp_ns: u64,
        frame_id: &str,
    ) -> Result<Parts<'a>, CdrError> {
        let mut head = Vec::with_capacity(512);
        let mut writer = Writer::of(self.ros, &mut head);
        let recognized = recognize(&self.schema, message, self.said.as_ref());
        let found = recognized.as_ref().map(|found| ros_text::full_name(found.type_name(), ""));
        if let Some(only) = self.only.as_ref().filter(|only| found.as_ref() != Some(*only)) {
            let what = format!("a message of `{}` as {only}", self.schema.name());
            return Err(CdrError::Unsupported { what });
        }
        if let Some(recognized) = recognized {
            recognized.write_head(&mut writer, stamp_ns, frame_id)?;
            let (data, tail) = (recognized.data, recognized.tail());
            self.is_of(recognized.type_name(), || recognized.definition().to_owned());
            return Ok(Parts { head, data, tail });
        }
        value::check_length(&self.schema, message)?;
        value::write(&mut writer, self.schema.root(), message, 0)?;
        let is_known = |(name, _): &(String, String)| name.starts_with(PACKAGE);
        if !self.ty.as_ref().is_some_and(is_known) {
            let definition = Definition::of(&self.schema);
            self.is_of(&definition.name, || definition.text.clone());
        }
        Ok(Parts { head, data: &[], tail: &[] })
    }

    /// Notes the type of a message.
    fn is_of(&mut self, name: &str, text: impl FnOnce() -> String) {
        let name = match self.ros {
            Ros::Two => name.to_owned(),
            Ros::One => ros_text::full_name(name, ""),
        };
        if self.type_name() != Some(&name) {
            let text = match self.ros {
                Ros::Two => text(),
                Ros::One => ros_one::text(&text()),
            };
            self.ty = Some((name, text));
            self.version += 1;
        }
    }
}

impl How {
    /// Arrays are looked at, whatever type they come from or go to.
    fn of(ty: RosType, schema: &Schema) -> How {
        let is_array = matches!(
            &*ros_text::full_name(&ty.name, ""),
            "sensor_msgs/PointCloud2" | "sensor_msgs/Image"
        );
        if Array::is_of(schema) || is_array { How::Recognized } else { How::Fields(ty) }
    }
}

/// A message that is CDR, as it is or in the bytes of ROS 1.
fn as_it_is<'a>(ros: Ros, ty: &RosType, message: &'a [u8]) -> Result<Parts<'a>, CdrError> {
    let mut reader = Reader::new(message)?;
    if ros == Ros::Two {
        return Ok(Parts { head: Vec::new(), data: message, tail: &[] });
    }
    let mut head = Vec::with_capacity(message.len());
    let mut writer = Writer::of(ros, &mut head);
    transcode(&mut reader, &mut writer, &ty.fields, &ty.messages)?;
    reader.end()?;
    Ok(Parts { head, data: &[], tail: &[] })
}
