//! Messages that another program has defined: PointCloud2 and Image as arrays, others as structs,
//! and what no struct can hold as its CDR.

use io_shared_core::schema::{Field, Scalar, Struct, Type};
use io_shared_core::{Array, Message, Schema};

use crate::arrays;
use crate::error::{CdrError, DefinitionError};
use crate::image::Image;
use crate::layout::Builder;
use crate::point_cloud::PointCloud2;
use crate::ros_text;
use crate::value::{self, Texts};
use crate::wire::Reader;

/// How many bytes a text without a bound of its own has in a message of another program.
///
/// ```
/// assert_eq!(io_shared_formats::TEXT_BYTES, 256);
/// ```
pub const TEXT_BYTES: usize = 256;

/// A type of message that another program has defined.
///
/// # Examples
/// ```
/// use io_shared_core::Value;
/// use io_shared_formats::Foreign;
///
/// let foreign = Foreign::parse("pkg/msg/Speed", "bool valid\nfloat32 forward\n")?;
/// let message = foreign.decode(&[0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 64])?;
/// let value = Value::decode(foreign.schema(), &message)?;
/// assert_eq!(value.at(&"forward".parse()?)?.as_f64(), Some(2.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Foreign {
    schema: Schema,
    is: Is,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    Cloud,
    Image,
    Struct { has_texts: bool },
    Cdr,
}

impl Foreign {
    /// The type with this name and definition, as the `ros2msg` schemas of MCAP have it.
    ///
    /// `sensor_msgs/msg/PointCloud2` and `sensor_msgs/msg/Image` are arrays. Another type is a
    /// struct of numbers, arrays and texts, of which a text has its bound or [`TEXT_BYTES`]. Its
    /// sequences are lists, or a slice if only the last field is one. Everything else is the struct
    /// `Cdr`, whose only field is the CDR as it came, and whose documentation is the definition.
    /// [`Foreign`] has an example.
    ///
    /// # Errors
    /// [`DefinitionError`]: the text is not a definition, or lacks a message that it uses.
    pub fn parse(name: &str, text: &str) -> Result<Foreign, DefinitionError> {
        let of_array = |is| Ok(Foreign { schema: Array::schema(), is });
        match &*ros_text::full_name(name, "") {
            "sensor_msgs/PointCloud2" => return of_array(Is::Cloud),
            "sensor_msgs/Image" => return of_array(Is::Image),
            _ => {}
        }
        let (own, messages) = ros_text::parse(name, text)?;
        let mut builder = Builder::new(&messages, TEXT_BYTES, false);
        let bare = name.rsplit('/').next().unwrap_or(name);
        let built = builder.message(bare, &own, 0)?;
        let schema = built.and_then(|layout| {
            // Within the limits of a schema.
            Schema::from_json(&Schema::new(Type::Struct(layout)).to_json()).ok()
        });
        Ok(match schema {
            Some(schema) => Foreign { schema, is: Is::Struct { has_texts: builder.has_texts } },
            None => Foreign { schema: cdr_schema(name, text), is: Is::Cdr },
        })
    }

    /// The schema of the channel that such messages are put into. [`Foreign`] has an example.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Whether the messages stay CDR, because no struct can hold them.
    ///
    /// ```
    /// use io_shared_formats::Foreign;
    ///
    /// let foreign = Foreign::parse("pkg/msg/Names", "wstring name\n")?;
    /// assert!(foreign.is_cdr());
    /// assert_eq!(foreign.decode(b"anything")?, b"anything");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_cdr(&self) -> bool {
        self.is == Is::Cdr
    }

    /// Whether it has texts without a bound, which are cut to [`TEXT_BYTES`].
    ///
    /// ```
    /// use io_shared_formats::Foreign;
    ///
    /// assert!(Foreign::parse("pkg/msg/A", "string name")?.cuts_texts());
    /// assert!(!Foreign::parse("pkg/msg/A", "string<=8 name")?.cuts_texts());
    /// # Ok::<(), io_shared_formats::DefinitionError>(())
    /// ```
    pub fn cuts_texts(&self) -> bool {
        self.is == Is::Struct { has_texts: true }
    }

    /// The points of a PointCloud2 or the pixels of an Image, as they lie in its CDR.
    ///
    /// ```
    /// use io_shared_core::{Array, Message};
    /// use io_shared_formats::{Foreign, recognize};
    ///
    /// let (schema, image) = (Array::schema(), Array::to_bytes("|u1", &[1, 2], &[7, 8])?);
    /// let image = recognize(&schema, &image, None).unwrap();
    /// let mut cdr = Vec::new();
    /// image.encode(0, "camera", &mut cdr)?;
    /// let foreign = Foreign::parse(image.type_name(), image.definition())?;
    /// assert_eq!(foreign.payload(&cdr)?, [7, 8]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`CdrError`]: it is not the CDR of such a message, or the type has neither.
    pub fn payload<'c>(&self, cdr: &'c [u8]) -> Result<&'c [u8], CdrError> {
        match self.is {
            Is::Cloud => Ok(PointCloud2::decode(cdr)?.data),
            Is::Image => Ok(Image::decode(cdr)?.data),
            _ => Err(CdrError::Unsupported { what: "a message without points or pixels".into() }),
        }
    }

    /// The message with this CDR. [`Foreign`] has an example.
    ///
    /// # Errors
    /// [`CdrError`]: it is not the CDR of such a message.
    pub fn decode(&self, cdr: &[u8]) -> Result<Vec<u8>, CdrError> {
        match self.is {
            Is::Cdr => Ok(cdr.to_vec()),
            Is::Cloud => Ok(arrays::of_cloud(&PointCloud2::decode(cdr)?, false)?.into_bytes()),
            Is::Image => Ok(arrays::of_image(&Image::decode(cdr)?)?.into_bytes()),
            Is::Struct { .. } => {
                let mut reader = Reader::new(cdr)?;
                let message = value::read_message(&mut reader, self.schema.root(), Texts::Cut)?;
                reader.end()?;
                Ok(message)
            }
        }
    }
}

/// The schema of messages that stay CDR. [`CdrType`](crate::CdrType) reads it.
pub(crate) fn cdr_schema(name: &str, text: &str) -> Schema {
    let element = Box::new(Type::Scalar(Scalar::U8));
    let shape = io_shared_core::message::Shape { size: 0, align: 1, element: Some(1) };
    let doc = format!("{name}\n{text}");
    let cdr = Field::new("cdr", 0, Type::Slice { element });
    Schema::new(Type::Struct(Struct::new("Cdr", shape).doc(&doc).field(cdr)))
}
