//! What a type says of the header that its clouds and pictures have in ROS.
//!
//! The unit of a field may have words besides the unit: `stamp` for the time of the value, and
//! `frame:lidar` for the frame that its points are in. So the format of schemas stays as it is.

use io_shared_core::Schema;
use io_shared_core::schema::{Field, Scalar, Type};

/// The word of a field that is the time of the value.
const STAMP: &str = "stamp";
/// What comes before the name of a frame.
const FRAME: &str = "frame:";

/// Where a message has its time, and which frame it is in, by its schema.
///
/// # Examples
/// ```
/// use io_shared::Message;
/// use io_shared_formats::Header;
///
/// #[derive(Message)]
/// #[repr(C)]
/// struct Cloud {
///     #[message(unit = "ns", stamp)]
///     stamp_ns: u64,
///     #[message(frame = "lidar")]
///     points: [[f32; 4]],
/// }
///
/// let header = Header::of(&Cloud::schema());
/// assert_eq!(header.frame_id(), Some("lidar"));
/// assert_eq!(header.stamp_ns(&1_500_000_000_u64.to_le_bytes()), Some(1_500_000_000));
/// assert_eq!(Header::of(&u64::schema()), Header::default());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    stamp: Option<(usize, Scalar)>,
    frame_id: Option<String>,
}

impl Header {
    /// What a schema says. [`Header`] has an example.
    pub fn of(schema: &Schema) -> Header {
        let Type::Struct(layout) = schema.root() else { return Header::default() };
        let stamp = layout.fields.iter().find_map(stamp_of);
        let words = layout.fields.iter().flat_map(|field| field.unit.split_whitespace());
        let frame_id = words.filter_map(|word| word.strip_prefix(FRAME)).next();
        Header { stamp, frame_id: frame_id.map(str::to_owned) }
    }

    /// The frame that the type names. [`Header`] has an example.
    pub fn frame_id(&self) -> Option<&str> {
        self.frame_id.as_deref()
    }

    /// Where a message has its time.
    pub(crate) fn stamp_at(&self) -> Option<usize> {
        self.stamp.map(|(offset, _)| offset)
    }

    /// The time in a message, in nanoseconds since 1970; `None` if it has none, or 0. [`Header`]
    /// has an example.
    pub fn stamp_ns(&self, message: &[u8]) -> Option<u64> {
        let (offset, scalar) = self.stamp?;
        let bytes = message.get(offset..)?.first_chunk()?;
        let nanos = match scalar {
            Scalar::I64 => u64::try_from(i64::from_le_bytes(*bytes)).ok()?,
            _ => u64::from_le_bytes(*bytes),
        };
        Some(nanos).filter(|nanos| *nanos > 0)
    }
}

fn stamp_of(field: &Field) -> Option<(usize, Scalar)> {
    let is_stamp = field.unit.split_whitespace().any(|word| word == STAMP);
    match &field.ty {
        Type::Scalar(scalar @ (Scalar::U64 | Scalar::I64)) if is_stamp => {
            Some((field.offset, *scalar))
        }
        _ => None,
    }
}
