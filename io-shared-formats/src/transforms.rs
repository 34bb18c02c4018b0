//! `tf2_msgs/TFMessage`: how frames lie in others.

use crate::error::CdrError;
use crate::wire::Writer;

/// The definition of `tf2_msgs/msg/TFMessage`, with the types in it.
///
/// ```
/// assert!(io_shared_formats::TF_MESSAGE.starts_with("geometry_msgs/TransformStamped[]"));
/// ```
pub const TF_MESSAGE: &str = "\
geometry_msgs/TransformStamped[] transforms
================================================================================
MSG: geometry_msgs/TransformStamped
std_msgs/Header header
string child_frame_id
geometry_msgs/Transform transform
================================================================================
MSG: std_msgs/Header
builtin_interfaces/Time stamp
string frame_id
================================================================================
MSG: builtin_interfaces/Time
int32 sec
uint32 nanosec
================================================================================
MSG: geometry_msgs/Transform
geometry_msgs/Vector3 translation
geometry_msgs/Quaternion rotation
================================================================================
MSG: geometry_msgs/Vector3
float64 x
float64 y
float64 z
================================================================================
MSG: geometry_msgs/Quaternion
float64 x
float64 y
float64 z
float64 w
";

/// Where a frame lies in another, for all times. [`transforms`] has an example.
#[derive(Debug, Clone, PartialEq)]
pub struct Transform {
    /// The frame in which it lies.
    pub parent: String,
    /// The frame that lies there.
    pub child: String,
    /// Its origin in the parent: x, y, z in meters.
    pub translation: [f64; 3],
    /// How it is turned: a unit quaternion x, y, z, w.
    pub rotation: [f64; 4],
}

/// Appends the CDR of a `tf2_msgs/msg/TFMessage` with time 0, as static transforms have it, to
/// `out`.
///
/// # Errors
/// [`CdrError::TooLarge`]: there are more bytes than CDR can count.
///
/// # Examples
/// ```
/// use io_shared_formats::{Transform, transforms};
///
/// let lidar = Transform {
///     parent: "base".into(),
///     child: "lidar".into(),
///     translation: [0.0, 0.0, 1.5],
///     rotation: [0.0, 0.0, 0.0, 1.0],
/// };
/// let mut cdr = Vec::new();
/// transforms(&[lidar], &mut cdr)?;
/// assert_eq!(cdr[..8], [0, 1, 0, 0, 1, 0, 0, 0]);
/// assert_eq!(cdr[cdr.len() - 8..], 1.0_f64.to_le_bytes());
/// # Ok::<(), io_shared_formats::CdrError>(())
/// ```
pub fn transforms(transforms: &[Transform], out: &mut Vec<u8>) -> Result<(), CdrError> {
    let mut writer = Writer::new(out);
    writer.count(transforms.len())?;
    for transform in transforms {
        writer.align(4);
        writer.time(0);
        writer.text(transform.parent.as_bytes())?;
        writer.text(transform.child.as_bytes())?;
        for number in transform.translation.iter().chain(&transform.rotation) {
            writer.u64(number.to_bits());
        }
    }
    Ok(())
}
