//! `sensor_msgs/Image`.

use crate::error::CdrError;
use crate::wire::{Reader, Stamped, Writer};

/// The definition of `sensor_msgs/msg/Image`, with the types in it.
///
/// ```
/// use io_shared_formats::Foreign;
/// assert!(Foreign::parse("sensor_msgs/msg/Image", io_shared_formats::IMAGE).is_ok());
/// ```
pub const IMAGE: &str = concat!(
    "\
std_msgs/Header header
uint32 height
uint32 width
string encoding
uint8 is_bigendian
uint32 step
uint8[] data
",
    std_header!()
);

/// A picture.
///
/// # Examples
/// ```
/// use io_shared_formats::Image;
///
/// let image = Image {
///     stamp_ns: 1_500_000_000,
///     frame_id: "camera".into(),
///     height: 1,
///     width: 2,
///     encoding: "mono8".into(),
///     is_bigendian: false,
///     step: 2,
///     data: &[0, 255],
/// };
/// let mut cdr = Vec::new();
/// image.encode(&mut cdr)?;
/// assert_eq!(Image::decode(&cdr)?, image);
/// # Ok::<(), io_shared_formats::CdrError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image<'a> {
    /// The time in nanoseconds since 1970.
    pub stamp_ns: u64,
    /// The frame that the picture is in.
    pub frame_id: String,
    /// How many rows there are.
    pub height: u32,
    /// How many pixels a row has.
    pub width: u32,
    /// What a pixel is: `mono8`, `rgb8`, `16UC1`, `32FC1` ..
    pub encoding: String,
    /// Whether the numbers are big-endian.
    pub is_bigendian: bool,
    /// Bytes from one row to the next.
    pub step: u32,
    /// The pixels.
    pub data: &'a [u8],
}

impl<'a> Image<'a> {
    /// Appends its CDR to `out`. [`Image`] has an example.
    ///
    /// # Errors
    /// [`CdrError::TooLarge`]: there are more bytes than CDR can count.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), CdrError> {
        out.reserve(self.data.len() + 128);
        self.write_head(&mut Writer::new(out))?;
        out.extend_from_slice(self.data);
        Ok(())
    }

    /// Writes what comes before the pixels.
    pub(crate) fn write_head(&self, writer: &mut Writer<'_>) -> Result<(), CdrError> {
        let (stamp_ns, frame_id) = (self.stamp_ns, (&*self.frame_id).into());
        writer.stamped(&Stamped { seq: 0, stamp_ns, frame_id })?;
        writer.u32(self.height);
        writer.u32(self.width);
        writer.text(self.encoding.as_bytes())?;
        writer.u8(self.is_bigendian.into());
        writer.u32(self.step);
        writer.count(self.data.len())
    }

    /// Reads CDR. [`Image`] has an example.
    ///
    /// # Errors
    /// [`CdrError`]: it is not the CDR of such a message.
    pub fn decode(cdr: &'a [u8]) -> Result<Self, CdrError> {
        Ok(Self::read(&mut Reader::new(cdr)?)?.0)
    }

    /// Reads a picture, and the number in its header.
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<(Self, u32), CdrError> {
        let Stamped { seq, stamp_ns, frame_id } = reader.stamped()?;
        let frame_id = frame_id.into_owned();
        let (height, width) = (reader.u32()?, reader.u32()?);
        let encoding = reader.string()?;
        let is_bigendian = reader.u8()? != 0;
        let step = reader.u32()?;
        let length = reader.u32()? as usize;
        let data = reader.take(length)?;
        reader.end()?;
        Ok((Self { stamp_ns, frame_id, height, width, encoding, is_bigendian, step, data }, seq))
    }
}
