//! Messages that another program has defined: PointCloud2 and Image as arrays, others as structs,
//! and what no struct can hold as its CDR.

use io_shared_core::schema::{Field, Scalar, Struct, Type};
use io_shared_core::{Array, Message, Schema};

use crate::cdr::Reader;
use crate::error::{CdrError, DefinitionError};
use crate::image::Image;
use crate::layout::Builder;
use crate::npy;
use crate::point_cloud::{self, PointCloud2};
use crate::ros_text;
use crate::value::{self, Texts};

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
            Is::Cloud => of_cloud(&PointCloud2::decode(cdr)?),
            Is::Image => of_image(&Image::decode(cdr)?),
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
fn cdr_schema(name: &str, text: &str) -> Schema {
    let element = Box::new(Type::Scalar(Scalar::U8));
    let shape = io_shared_core::message::Shape { size: 0, align: 1, element: Some(1) };
    let doc = format!("{name}\n{text}");
    let cdr = Field::new("cdr", 0, Type::Slice { element });
    Schema::new(Type::Struct(Struct::new("Cdr", shape).doc(&doc).field(cdr)))
}

/// A cloud as an array of structs.
fn of_cloud(cloud: &PointCloud2<'_>) -> Result<Vec<u8>, CdrError> {
    let wrong = |what: &str| CdrError::Unsupported { what: format!("a cloud {what}") };
    let mut fields: Vec<_> = cloud.fields.iter().collect();
    fields.sort_by_key(|field| field.offset);
    let step = cloud.point_step as usize;
    let (mut dtype, mut end) = (String::from("["), 0);
    let pad = |dtype: &mut String, bytes: usize| {
        if bytes > 0 {
            dtype.push_str(&format!("('', '|V{bytes}'), "));
        }
    };
    for field in fields {
        let code = point_cloud::code(field.datatype, cloud.is_bigendian)
            .ok_or_else(|| wrong("with a type of field that is not known"))?;
        let is_plain = |c: char| c.is_alphanumeric() || c == '_';
        if field.name.is_empty() || !field.name.chars().all(is_plain) {
            return Err(wrong("with a name that a field cannot have"));
        }
        let offset = field.offset as usize;
        let gap = offset.checked_sub(end).ok_or_else(|| wrong("whose fields overlap"))?;
        pad(&mut dtype, gap);
        let count = field.count.max(1) as usize;
        let shape = if count == 1 { String::new() } else { format!(", ({count},)") };
        dtype.push_str(&format!("('{}', '{code}'{shape}), ", field.name));
        end = offset.saturating_add(npy::size_of_code(&code).saturating_mul(count));
    }
    let rest = step.checked_sub(end).filter(|_| step > 0);
    pad(&mut dtype, rest.ok_or_else(|| wrong("whose fields do not fit a point"))?);
    let dtype = format!("{}]", dtype.trim_end_matches(", "));
    let (height, width) = (cloud.height as usize, cloud.width as usize);
    let shape = if height == 1 { vec![width] } else { vec![height, width] };
    let data = rows(cloud.data, height, width.saturating_mul(step), cloud.row_step as usize)
        .ok_or_else(|| wrong("that is cut off"))?;
    array(&dtype, &shape, &data)
}

/// A picture as an array of numbers.
fn of_image(image: &Image<'_>) -> Result<Vec<u8>, CdrError> {
    let wrong = |what: &str| CdrError::Unsupported { what: format!("an image {what}") };
    let (kind, size, channels) = pixel(&image.encoding)
        .ok_or_else(|| wrong(&format!("of encoding {}", image.encoding.escape_debug())))?;
    let order = match (size, image.is_bigendian) {
        (1, _) => '|',
        (_, true) => '>',
        _ => '<',
    };
    let (height, width) = (image.height as usize, image.width as usize);
    let row = width.saturating_mul(size * channels);
    let data = rows(image.data, height, row, image.step as usize)
        .ok_or_else(|| wrong("that is cut off"))?;
    let shape = match channels {
        1 => vec![height, width],
        channels => vec![height, width, channels],
    };
    array(&format!("{order}{kind}{size}"), &shape, &data)
}

/// A pixel: NumPy's kind, the bytes of a number, and how many numbers there are.
fn pixel(encoding: &str) -> Option<(char, usize, usize)> {
    Some(match encoding {
        "mono8" => ('u', 1, 1),
        "mono16" => ('u', 2, 1),
        "rgb8" | "bgr8" => ('u', 1, 3),
        "rgba8" | "bgra8" => ('u', 1, 4),
        "rgb16" | "bgr16" => ('u', 2, 3),
        "rgba16" | "bgra16" => ('u', 2, 4),
        encoding if encoding.starts_with("bayer_") => {
            ('u', if encoding.ends_with("16") { 2 } else { 1 }, 1)
        }
        encoding => {
            let (bits, rest) = encoding.split_at_checked(encoding.find(['U', 'S', 'F'])?)?;
            let (kind, channels) = rest.split_once('C')?;
            let kind = match kind {
                "U" => 'u',
                "S" => 'i',
                "F" => 'f',
                _ => return None,
            };
            let bits: usize = bits.parse().ok().filter(|bits| [8, 16, 32, 64].contains(bits))?;
            let channels = if channels.is_empty() { 1 } else { channels.parse().ok()? };
            let is_known = (1..=4).contains(&channels) && !(kind == 'f' && bits == 8);
            is_known.then_some((kind, bits / 8, channels))?
        }
    })
}

/// The bytes of all rows, without what lies between them. `None`: some are missing.
fn rows(data: &[u8], height: usize, row: usize, step: usize) -> Option<Vec<u8>> {
    let step = if height == 1 { row } else { step };
    if step == row {
        return Some(data.get(..row.checked_mul(height)?)?.to_vec());
    }
    let mut bytes = Vec::new();
    for number in 0..height {
        let at = number.checked_mul(step)?;
        bytes.extend_from_slice(data.get(at..at.checked_add(row)?)?);
        if row == 0 {
            break;
        }
    }
    Some(bytes)
}

fn array(dtype: &str, shape: &[usize], data: &[u8]) -> Result<Vec<u8>, CdrError> {
    let array = Array::to_bytes(dtype, shape, data);
    array.map_err(|error| CdrError::Unsupported { what: error.to_string() })
}
