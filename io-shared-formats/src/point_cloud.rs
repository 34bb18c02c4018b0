//! `sensor_msgs/PointCloud2`.

use crate::error::CdrError;
use crate::wire::{Reader, Ros, Stamped, Writer};

/// The definition of `sensor_msgs/msg/PointCloud2`, with the types in it.
///
/// ```
/// use io_shared_formats::Foreign;
/// assert!(Foreign::parse("sensor_msgs/msg/PointCloud2", io_shared_formats::POINT_CLOUD2).is_ok());
/// ```
pub const POINT_CLOUD2: &str = concat!(
    "\
std_msgs/Header header
uint32 height
uint32 width
sensor_msgs/PointField[] fields
bool is_bigendian
uint32 point_step
uint32 row_step
uint8[] data
bool is_dense
================================================================================
MSG: sensor_msgs/PointField
uint8 INT8=1
uint8 UINT8=2
uint8 INT16=3
uint8 UINT16=4
uint8 INT32=5
uint8 UINT32=6
uint8 FLOAT32=7
uint8 FLOAT64=8
string name
uint32 offset
uint8 datatype
uint32 count
",
    std_header!()
);

/// A cloud of points.
///
/// # Examples
/// ```
/// use io_shared_formats::{PointCloud2, PointField};
///
/// let cloud = PointCloud2 {
///     stamp_ns: 1_500_000_000,
///     frame_id: "lidar".into(),
///     height: 1,
///     width: 2,
///     fields: vec![PointField { name: "x".into(), offset: 0, datatype: 7, count: 1 }],
///     is_bigendian: false,
///     point_step: 4,
///     row_step: 8,
///     data: &[0, 0, 128, 63, 0, 0, 0, 64],
///     is_dense: true,
/// };
/// let mut cdr = Vec::new();
/// cloud.encode(&mut cdr)?;
/// assert_eq!(PointCloud2::decode(&cdr)?, cloud);
/// # Ok::<(), io_shared_formats::CdrError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointCloud2<'a> {
    /// The time in nanoseconds since 1970.
    pub stamp_ns: u64,
    /// The frame that the points are in.
    pub frame_id: String,
    /// How many rows there are.
    pub height: u32,
    /// How many points a row has.
    pub width: u32,
    /// What a point has.
    pub fields: Vec<PointField>,
    /// Whether the numbers are big-endian.
    pub is_bigendian: bool,
    /// Bytes from one point to the next.
    pub point_step: u32,
    /// Bytes from one row to the next.
    pub row_step: u32,
    /// The points.
    pub data: &'a [u8],
    /// Whether all points are valid.
    pub is_dense: bool,
}

/// A field of a point. [`PointCloud2`] has an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointField {
    /// Its name.
    pub name: String,
    /// Bytes from the start of the point.
    pub offset: u32,
    /// The type: 1 to 8 are `INT8`, `UINT8`, `INT16`, `UINT16`, `INT32`, `UINT32`, `FLOAT32`,
    /// `FLOAT64`.
    pub datatype: u8,
    /// How many numbers it has.
    pub count: u32,
}

/// The padding after `is_bigendian` in the CDR of a cloud that is an array of numbers.
const COLUMNS: [u8; 3] = *b"npy";
/// The number in the header of such a cloud in ROS 1.
const COLUMNS_SEQ: u32 = u32::from_le_bytes(*b"npy\0");

/// NumPy's kinds and sizes, in the order of `datatype` from 1 on.
const DATATYPES: [&str; 8] = ["i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8"];

/// The number that stands for a NumPy code such as `<f4`. `None`: there is none.
pub(crate) fn datatype(code: &str) -> Option<u8> {
    let plain = code.trim_start_matches(['<', '>', '|']);
    let at = DATATYPES.iter().position(|known| *known == plain)?;
    u8::try_from(at + 1).ok()
}

/// NumPy's code for a number of `datatype`.
pub(crate) fn code(datatype: u8, is_big: bool) -> Option<String> {
    let plain = DATATYPES.get(usize::from(datatype).checked_sub(1)?)?;
    let order = match (plain.ends_with('1'), is_big) {
        (true, _) => '|',
        (_, true) => '>',
        _ => '<',
    };
    Some(format!("{order}{plain}"))
}

/// The name of a column of an array of numbers.
pub(crate) fn column(number: usize) -> String {
    match ["x", "y", "z", "intensity"].get(number) {
        Some(name) => (*name).to_owned(),
        None => format!("column{number}"),
    }
}

impl<'a> PointCloud2<'a> {
    /// Appends its CDR to `out`. [`PointCloud2`] has an example.
    ///
    /// # Errors
    /// [`CdrError::TooLarge`]: there are more bytes than CDR can count.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), CdrError> {
        out.reserve(self.data.len() + 256);
        let mut writer = Writer::new(out);
        self.write_head(&mut writer, false)?;
        writer.bytes(self.data);
        writer.u8(self.is_dense.into());
        Ok(())
    }

    /// Writes what comes before the points. `is_columns` says that these are the rows of an array
    /// of numbers, and not structs. Those who read the fields do not see it: it is where CDR has
    /// padding, and in the number that a publisher of ROS 1 is free to choose.
    pub(crate) fn write_head(
        &self,
        writer: &mut Writer<'_>,
        is_columns: bool,
    ) -> Result<(), CdrError> {
        let seq = if is_columns { COLUMNS_SEQ } else { 0 };
        let (stamp_ns, frame_id) = (self.stamp_ns, (&*self.frame_id).into());
        writer.stamped(&Stamped { seq, stamp_ns, frame_id })?;
        writer.u32(self.height);
        writer.u32(self.width);
        writer.count(self.fields.len())?;
        for field in &self.fields {
            writer.text(field.name.as_bytes())?;
            writer.u32(field.offset);
            writer.u8(field.datatype);
            writer.u32(field.count);
        }
        writer.u8(self.is_bigendian.into());
        if is_columns && writer.ros == Ros::Two {
            writer.bytes(&COLUMNS);
        }
        writer.u32(self.point_step);
        writer.u32(self.row_step);
        writer.count(self.data.len())
    }

    /// Reads CDR. [`PointCloud2`] has an example.
    ///
    /// # Errors
    /// [`CdrError`]: it is not the CDR of such a message.
    pub fn decode(cdr: &'a [u8]) -> Result<Self, CdrError> {
        Ok(Self::read(&mut Reader::new(cdr)?)?.0)
    }

    /// Reads a cloud; whether it says that its points are the rows of an array of numbers; and the
    /// number in its header.
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<(Self, bool, u32), CdrError> {
        let Stamped { seq, stamp_ns, frame_id } = reader.stamped()?;
        let frame_id = frame_id.into_owned();
        let (height, width) = (reader.u32()?, reader.u32()?);
        let count = reader.u32()?;
        let mut fields = Vec::new();
        for _ in 0..count {
            fields.push(PointField {
                name: reader.string()?,
                offset: reader.u32()?,
                datatype: reader.u8()?,
                count: reader.u32()?,
            });
        }
        let is_bigendian = reader.u8()? != 0;
        let is_columns = match reader.ros {
            Ros::One => seq == COLUMNS_SEQ,
            Ros::Two => reader.left().starts_with(&COLUMNS),
        };
        let (point_step, row_step) = (reader.u32()?, reader.u32()?);
        let length = reader.u32()? as usize;
        let data = reader.take(length)?;
        let is_dense = reader.u8()? != 0;
        reader.end()?;
        let cloud = Self {
            stamp_ns,
            frame_id,
            height,
            width,
            fields,
            is_bigendian,
            point_step,
            row_step,
            data,
            is_dense,
        };
        Ok((cloud, is_columns, seq))
    }
}
