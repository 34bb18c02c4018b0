//! Which messages are clouds of points or pictures.

use std::str::FromStr;

use io_shared_core::schema::{Scalar, Struct, Type};
use io_shared_core::{Array, Schema};

use crate::arrays;
use crate::error::CdrError;
use crate::image::{IMAGE, Image};
use crate::npy::{self, Elements, Header};
use crate::point_cloud::{self, POINT_CLOUD2, PointCloud2, PointField};
use crate::wire::Writer;

/// What a person says that the values of a channel are.
///
/// Its text is `cloud`, `image:bgr8` with any encoding, `depth` or `none`. The unit of the last
/// field says the same where it has one of these words.
///
/// ```
/// use io_shared_formats::As;
///
/// assert_eq!("image:bgr8".parse(), Ok(As::Image("bgr8".into())));
/// assert!("picture".parse::<As>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum As {
    /// Points.
    Cloud,
    /// A picture with pixels of this encoding.
    Image(String),
    /// A picture of distances.
    Depth,
    /// Nothing that a viewer knows.
    None,
}

impl FromStr for As {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "cloud" => Ok(As::Cloud),
            "depth" => Ok(As::Depth),
            "none" => Ok(As::None),
            _ => match text.strip_prefix("image:") {
                Some(encoding) if !encoding.is_empty() => Ok(As::Image(encoding.to_owned())),
                _ => Err(format!("`{text}` is not cloud, image:ENCODING, depth or none")),
            },
        }
    }
}

/// A message that is a cloud or a picture.
///
/// # Examples
/// ```
/// use io_shared::Message;
/// use io_shared_formats::{PointCloud2, recognize};
///
/// #[derive(Clone, Copy, Message)]
/// #[repr(C)]
/// struct Point {
///     x: f32,
///     y: f32,
///     z: f32,
/// }
///
/// let (schema, points) = (<[Point]>::schema(), [Point { x: 1.0, y: 2.0, z: 3.0 }; 2]);
/// let cloud = recognize(&schema, points.as_bytes(), None).expect("it has x, y and z");
/// let mut cdr = Vec::new();
/// cloud.encode(1_500_000_000, "lidar", &mut cdr)?;
/// let read = PointCloud2::decode(&cdr)?;
/// assert_eq!((read.width, read.point_step, read.data), (2, 12, points.as_bytes()));
/// assert_eq!(read.fields[1].name, "y");
/// # Ok::<(), io_shared_formats::CdrError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Recognized<'a> {
    /// What comes before the points or pixels: the fields, or the header of an array.
    pub head: &'a [u8],
    /// The points or pixels.
    pub data: &'a [u8],
    is: Is,
}

#[derive(Debug, Clone)]
enum Is {
    Cloud(Cloud),
    Image { height: u32, width: u32, encoding: String, step: u32, is_bigendian: bool },
}

#[derive(Debug, Clone)]
struct Cloud {
    height: u32,
    width: u32,
    fields: Vec<PointField>,
    point_step: u32,
    is_bigendian: bool,
    /// Whether it is an array of numbers.
    is_columns: bool,
}

impl Recognized<'_> {
    /// The name of its ROS 2 type.
    ///
    /// ```
    /// # use io_shared_core::{Array, Message};
    /// use io_shared_formats::recognize;
    ///
    /// let image = Array::to_bytes("|u1", &[2, 2], &[1, 2, 3, 4])?;
    /// let schema = Array::schema();
    /// let recognized = recognize(&schema, &image, None).unwrap();
    /// assert_eq!(recognized.type_name(), "sensor_msgs/msg/Image");
    /// # Ok::<(), io_shared_core::array::NpyError>(())
    /// ```
    pub fn type_name(&self) -> &'static str {
        match self.is {
            Is::Cloud(_) => "sensor_msgs/msg/PointCloud2",
            Is::Image { .. } => "sensor_msgs/msg/Image",
        }
    }

    /// The definition of its ROS 2 type.
    ///
    /// ```
    /// # use io_shared_core::{Array, Message};
    /// use io_shared_formats::{IMAGE, recognize};
    ///
    /// let image = Array::to_bytes("<u2", &[1, 2], &[1, 0, 2, 0])?;
    /// let schema = Array::schema();
    /// assert_eq!(recognize(&schema, &image, None).unwrap().definition(), IMAGE);
    /// # Ok::<(), io_shared_core::array::NpyError>(())
    /// ```
    pub fn definition(&self) -> &'static str {
        match self.is {
            Is::Cloud(_) => POINT_CLOUD2,
            Is::Image { .. } => IMAGE,
        }
    }

    /// The picture, if it is one, with the time in nanoseconds since 1970.
    ///
    /// ```
    /// # use io_shared_core::{Array, Message};
    /// use io_shared_formats::recognize;
    ///
    /// let image = Array::to_bytes("|u1", &[2, 2], &[1, 2, 3, 4])?;
    /// let schema = Array::schema();
    /// let recognized = recognize(&schema, &image, None).unwrap();
    /// let image = recognized.image(1_500_000_000, "camera").unwrap();
    /// assert_eq!((image.width, &*image.encoding), (2, "mono8"));
    /// # Ok::<(), io_shared_core::array::NpyError>(())
    /// ```
    pub fn image(&self, stamp_ns: u64, frame_id: &str) -> Option<Image<'_>> {
        self.picture(stamp_ns, frame_id)
    }

    /// Appends its CDR to `out`, with the time in nanoseconds since 1970. [`Recognized`] has an
    /// example.
    ///
    /// # Errors
    /// [`CdrError::TooLarge`]: there are more bytes than CDR can count.
    pub fn encode(&self, stamp_ns: u64, frame_id: &str, out: &mut Vec<u8>) -> Result<(), CdrError> {
        out.reserve(self.data.len() + 256);
        self.write_head(&mut Writer::new(out), stamp_ns, frame_id)?;
        out.extend_from_slice(self.data);
        out.extend_from_slice(self.tail());
        Ok(())
    }

    /// Writes what comes before the points or pixels.
    pub(crate) fn write_head(
        &self,
        writer: &mut Writer<'_>,
        stamp_ns: u64,
        frame_id: &str,
    ) -> Result<(), CdrError> {
        let Is::Cloud(cloud) = &self.is else {
            let picture = self.picture(stamp_ns, frame_id);
            return picture.map_or(Ok(()), |picture| picture.write_head(writer));
        };
        let described = PointCloud2 {
            stamp_ns,
            frame_id: frame_id.to_owned(),
            height: cloud.height,
            width: cloud.width,
            fields: cloud.fields.clone(),
            is_bigendian: cloud.is_bigendian,
            point_step: cloud.point_step,
            row_step: cloud.width.saturating_mul(cloud.point_step),
            data: self.data,
            is_dense: false,
        };
        described.write_head(writer, cloud.is_columns)
    }

    /// What comes after the points or pixels.
    pub(crate) fn tail(&self) -> &'static [u8] {
        match self.is {
            // Nobody has looked whether all points are valid.
            Is::Cloud(_) => &[0],
            Is::Image { .. } => &[],
        }
    }

    fn picture(&self, stamp_ns: u64, frame_id: &str) -> Option<Image<'_>> {
        let Is::Image { height, width, encoding, step, is_bigendian } = &self.is else {
            return None;
        };
        Some(Image {
            stamp_ns,
            frame_id: frame_id.to_owned(),
            height: *height,
            width: *width,
            encoding: encoding.clone(),
            is_bigendian: *is_bigendian,
            step: *step,
            data: self.data,
        })
    }
}

/// The message as a cloud or a picture, if it is one. `said` is what a person says of it. Without
/// that, it is what its producer says, in the unit of the last field.
///
/// If nobody says anything, these are clouds: a slice, or an array, of structs with `x`, `y` and
/// `z` that are floats; an array of floats with 3 to 8 columns. These are pictures: arrays of `|u1`
/// with two axes, or with three axes of which the last has 3; of `<u2` with two axes; of `<f4` with
/// two axes and 16 columns or more. Arrays whose first index varies fastest are neither.
///
/// [`Recognized`] has an example.
pub fn recognize<'a>(
    schema: &Schema,
    message: &'a [u8],
    said: Option<&As>,
) -> Option<Recognized<'a>> {
    let by_producer = kind_of(schema.root());
    let said = said.or(by_producer.as_ref());
    if said == Some(&As::None) {
        return None;
    }
    if Array::is_of(schema) {
        let header = npy::read(message).filter(|header| !header.is_fortran)?;
        let (head, data) = message.split_at_checked(header.start)?;
        let is = of_array(&header, said)?;
        return Some(Recognized { head, data, is });
    }
    let (at, element, fields) = points(schema, said)?;
    let (head, data) = message.split_at_checked(at)?;
    let point_step = u32::try_from(element.shape.size).ok()?;
    let width = u32::try_from(data.len() / element.shape.size).ok()?;
    let (is_bigendian, is_columns) = (false, false);
    let cloud = Cloud { height: 1, width, fields, point_step, is_bigendian, is_columns };
    Some(Recognized { head, data, is: Is::Cloud(cloud) })
}

/// Whether the messages of a type are clouds by the type alone, as [`recognize`] will say of each
/// of them. What arrays are is said by the messages, so of their type it is never so.
///
/// ```
/// use io_shared::{Array, Message, Schema};
/// use io_shared_formats::{As, is_cloud_type};
///
/// let axis = |name, at| format!(r#"{{"name":"{name}","offset":{at},"type":"<f4"}}"#);
/// let axes = [axis("x", 0), axis("y", 4), axis("z", 8)].join(",");
/// let points = format!(r#"{{"slice":{{"struct":"P","size":12,"align":4,"fields":[{axes}]}}}}"#);
/// let points = Schema::from_json(&points).unwrap();
/// assert!(is_cloud_type(&points, None) && !is_cloud_type(&points, Some(&As::None)));
/// assert!(!is_cloud_type(&Array::schema(), None));
/// ```
pub fn is_cloud_type(schema: &Schema, said: Option<&As>) -> bool {
    let by_producer = kind_of(schema.root());
    !Array::is_of(schema) && points(schema, said.or(by_producer.as_ref())).is_some()
}

/// The points of a message: their offset, their type, and the fields of one.
fn points<'s>(
    schema: &'s Schema,
    said: Option<&As>,
) -> Option<(usize, &'s Struct, Vec<PointField>)> {
    let (at, element) = tail(schema.root(), said)?;
    u32::try_from(element.shape.size).ok().filter(|step| *step > 0)?;
    Some((at, element, fields_of(element)?))
}

/// What the producer says that the values are: a word in the unit of the last field.
fn kind_of(root: &Type) -> Option<As> {
    let Type::Struct(layout) = root else { return None };
    layout.fields.last()?.unit.split_whitespace().find_map(|word| word.parse().ok())
}

/// The points of a message, unless somebody says that they are none: their offset, and their type.
fn tail<'s>(root: &'s Type, said: Option<&As>) -> Option<(usize, &'s Struct)> {
    let (at, ty) = match root {
        Type::Struct(layout) => layout.fields.last().map(|last| (last.offset, &last.ty))?,
        root => (0, root),
    };
    if !matches!(said, None | Some(As::Cloud)) {
        return None;
    }
    match ty {
        Type::Slice { element } => match &**element {
            Type::Struct(element) => Some((at, element)),
            _ => None,
        },
        _ => None,
    }
}

/// The fields of a point. `None`: it has no x, y and z.
fn fields_of(element: &Struct) -> Option<Vec<PointField>> {
    let is_float = |ty: &Type| matches!(ty, Type::Scalar(Scalar::F32 | Scalar::F64));
    let has = |name| element.fields.iter().any(|f| f.name == name && is_float(&f.ty));
    if !["x", "y", "z"].into_iter().all(has) {
        return None;
    }
    let mut fields = Vec::new();
    for field in element.fields.iter().filter(|field| !field.name.starts_with('_')) {
        let (mut ty, mut count) = (&field.ty, 1usize);
        while let Type::Array { count: n, element } = ty {
            (ty, count) = (element, count.saturating_mul(*n));
        }
        let code = match ty {
            Type::Scalar(Scalar::Bool) => "u1",
            Type::Scalar(scalar) => scalar.code(),
            Type::Enum(of) => of.scalar.code(),
            _ => continue,
        };
        // Of numbers that PointField does not have, the bytes are there without a name.
        let Some(datatype) = point_cloud::datatype(code) else { continue };
        fields.push(PointField {
            name: field.name.clone(),
            offset: u32::try_from(field.offset).ok()?,
            datatype,
            count: u32::try_from(count).ok()?,
        });
    }
    Some(fields)
}

fn of_array(header: &Header, said: Option<&As>) -> Option<Is> {
    match &header.elements {
        Elements::Structs { .. } if !matches!(said, None | Some(As::Cloud)) => None,
        Elements::Structs { fields, size } => of_structs(header, fields, *size, said),
        Elements::Numbers(code) => match &header.shape[..] {
            [rows, columns] if is_cloud(code, *columns, said) => columns_of(code, *rows, *columns),
            shape => picture(code, shape, said),
        },
    }
}

fn of_structs(
    header: &Header,
    fields: &[npy::DtypeField],
    size: usize,
    said: Option<&As>,
) -> Option<Is> {
    let has = |name: &str| {
        let is_float = |code: &str| matches!(code, "<f4" | "<f8");
        let one = |f: &&npy::DtypeField| f.name == name && f.count == 1;
        fields.iter().find(one).is_some_and(|f| f.code.as_deref().is_some_and(is_float))
    };
    // What came as a cloud is one, whatever its points have.
    if said.is_none() && !["x", "y", "z"].into_iter().all(has) {
        return None;
    }
    let orders = || fields.iter().filter_map(|field| field.code.as_deref()?.chars().next());
    let is_bigendian = orders().any(|order| order == '>');
    if is_bigendian && orders().any(|order| order == '<') {
        return None;
    }
    let mut described = Vec::new();
    for field in fields {
        let code = field.code.as_deref().map(|code| code.replace("b1", "u1"));
        let Some(datatype) = code.and_then(|code| point_cloud::datatype(&code)) else {
            continue;
        };
        described.push(PointField {
            name: field.name.clone(),
            offset: u32::try_from(field.offset).ok()?,
            datatype,
            count: u32::try_from(field.count).ok()?,
        });
    }
    let (width, rows) = header.shape.split_last()?;
    let height = rows.iter().try_fold(1_usize, |all, rows| all.checked_mul(*rows))?;
    Some(Is::Cloud(Cloud {
        height: u32::try_from(height).ok()?,
        width: u32::try_from(*width).ok()?,
        fields: described,
        point_step: u32::try_from(size).ok().filter(|step| *step > 0)?,
        is_bigendian,
        is_columns: false,
    }))
}

/// Whether an array with this number of columns is a cloud.
fn is_cloud(code: &str, columns: usize, said: Option<&As>) -> bool {
    let is_float = matches!(code, "<f4" | "<f8");
    match said {
        None => is_float && (3..=8).contains(&columns),
        Some(As::Cloud) => is_float && columns >= 3,
        _ => false,
    }
}

/// A cloud of numbers in columns, the first three of which are x, y and z.
fn columns_of(code: &str, rows: usize, columns: usize) -> Option<Is> {
    let (size, datatype) = (npy::size_of_code(code), point_cloud::datatype(code)?);
    let field = |column: usize| {
        let offset = u32::try_from(column * size).ok()?;
        Some(PointField { name: point_cloud::column(column), offset, datatype, count: 1 })
    };
    let fields = (0..columns).map(field).collect::<Option<Vec<_>>>()?;
    Some(Is::Cloud(Cloud {
        height: 1,
        width: u32::try_from(rows).ok()?,
        fields,
        point_step: u32::try_from(columns.checked_mul(size)?).ok()?,
        is_bigendian: false,
        is_columns: true,
    }))
}

fn picture(code: &str, shape: &[usize], said: Option<&As>) -> Option<Is> {
    let (height, width, channels) = match shape {
        [height, width] => (*height, *width, 1),
        [height, width, channels] => (*height, *width, *channels),
        _ => return None,
    };
    let size = npy::size_of_code(code);
    let encoding = match (said, code, shape.len()) {
        (Some(As::Image(encoding)), _, _) if has_pixels(encoding, code, channels) => {
            encoding.clone()
        }
        (None, "|u1", 2) => "mono8".to_owned(),
        (None, "|u1", 3) if channels == 3 => "rgb8".to_owned(),
        (None | Some(As::Depth), "<u2", 2) => "16UC1".to_owned(),
        (None, "<f4", 2) if width >= 16 => "32FC1".to_owned(),
        (Some(As::Depth), "<f4", 2) => "32FC1".to_owned(),
        _ => return None,
    };
    let step = width.checked_mul(channels)?.checked_mul(size)?;
    Some(Is::Image {
        height: u32::try_from(height).ok()?,
        width: u32::try_from(width).ok()?,
        encoding,
        step: u32::try_from(step).ok()?,
        is_bigendian: code.starts_with('>'),
    })
}

/// Whether numbers of this code can be the pixels of an encoding. Of encodings that only others
/// know, they may be anything.
fn has_pixels(encoding: &str, code: &str, channels: usize) -> bool {
    match arrays::pixel(encoding) {
        None => matches!(code, "|u1" | "<u2" | "<f4"),
        Some((kind, size, of)) => {
            code.get(1..) == Some(&*format!("{kind}{size}")) && of == channels
        }
    }
}
