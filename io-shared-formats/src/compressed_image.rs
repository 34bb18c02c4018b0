//! `sensor_msgs/CompressedImage`.

use crate::error::CdrError;
use crate::wire::Writer;

/// The definition of `sensor_msgs/msg/CompressedImage`, with the types in it.
///
/// ```
/// use io_shared_formats::{COMPRESSED_IMAGE, Foreign};
/// assert!(Foreign::parse("sensor_msgs/msg/CompressedImage", COMPRESSED_IMAGE).is_ok());
/// ```
pub const COMPRESSED_IMAGE: &str = concat!(
    "\
std_msgs/Header header
string format
uint8[] data
",
    std_header!()
);

/// A picture as a file of its own: JPEG or PNG.
///
/// # Examples
/// ```
/// use io_shared_formats::CompressedImage;
///
/// let image = CompressedImage {
///     stamp_ns: 1_500_000_000,
///     frame_id: "camera".into(),
///     format: "jpeg".into(),
///     data: &[0xff, 0xd8],
/// };
/// let mut cdr = Vec::new();
/// image.encode(&mut cdr)?;
/// assert_eq!(&cdr[cdr.len() - 6..], [2, 0, 0, 0, 0xff, 0xd8]);
/// # Ok::<(), io_shared_formats::CdrError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompressedImage<'a> {
    /// The time in nanoseconds since 1970.
    pub stamp_ns: u64,
    /// The frame that the picture is in.
    pub frame_id: String,
    /// `jpeg` or `png`.
    pub format: String,
    /// The file.
    pub data: &'a [u8],
}

impl CompressedImage<'_> {
    /// Appends its CDR to `out`. [`CompressedImage`] has an example.
    ///
    /// # Errors
    /// [`CdrError::TooLarge`]: there are more bytes than CDR can count.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), CdrError> {
        out.reserve(self.data.len() + 64);
        let mut writer = Writer::new(out);
        writer.time(self.stamp_ns);
        writer.text(self.frame_id.as_bytes())?;
        writer.text(self.format.as_bytes())?;
        writer.count(self.data.len())?;
        writer.bytes(self.data);
        Ok(())
    }
}
