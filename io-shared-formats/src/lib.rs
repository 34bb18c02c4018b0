//! What io-shared messages are in the formats of robots. Bytes in, bytes out.
//!
//! - A [`Definition`] is a schema as a ROS 2 message definition, with names that its strictest
//!   reader takes.
//! - [`to_cdr`] and [`from_cdr`] turn a message into CDR and back. Both go by the order of the
//!   fields, so names that had to change matter to nobody.
//! - [`recognize`] says which messages are clouds of points or pictures, and [`PointCloud2`],
//!   [`Image`] and [`CompressedImage`] are those as ROS 2 has them. [`transforms`] says how the
//!   frames that they are in lie in others.
//! - A [`Recorded`] is how a recording stores a channel's values: with their numbers, stamps and
//!   tags.
//! - A [`Foreign`] is the type of a message that another program has defined, read from its
//!   definition. A [`CdrType`] is one that stays CDR, to look at.
//! - A [`FromRos`] turns the messages of a topic of ROS 1 or ROS 2 into messages of a channel, and
//!   a [`ToRos`] those of a channel into messages of ROS.
//! - A [`Header`] is what a type says of the stamps and frames of its messages.
//!
//! ```
//! use io_shared::Message;
//! use io_shared_formats::{Definition, from_cdr, to_cdr};
//!
//! #[derive(Message)]
//! #[repr(C)]
//! struct Speed {
//!     #[message(unit = "m/s")]
//!     driveForward: f32,
//!     _pad: [u8; 4],
//! }
//!
//! let (schema, speed) = (Speed::schema(), Speed { driveForward: 2.0, _pad: [0; 4] });
//! let definition = Definition::of(&schema);
//! assert!(definition.name.starts_with("io_shared_msgs/msg/Speed"));
//! assert_eq!(definition.text, "float32 drive_forward  # m/s\nuint8[4] pad1\n");
//!
//! let cdr = to_cdr(&schema, speed.as_bytes())?;
//! assert_eq!(cdr, [0, 1, 0, 0, 0, 0, 0, 64, 0, 0, 0, 0]);
//! assert_eq!(from_cdr(&schema, &cdr)?, speed.as_bytes());
//! # Ok::<(), io_shared_formats::CdrError>(())
//! ```

#![forbid(unsafe_code)]

/// The definition of `std_msgs/Header` as others bring it along, after a line of `=`.
macro_rules! std_header {
    () => {
        "\
================================================================================
MSG: std_msgs/Header
builtin_interfaces/Time stamp
string frame_id
================================================================================
MSG: builtin_interfaces/Time
int32 sec
uint32 nanosec
"
    };
}

mod arrays;
mod cdr_type;
mod compressed_image;
mod definition;
mod error;
mod foreign;
mod from_ros;
mod header;
mod image;
mod layout;
mod names;
mod npy;
mod numbers;
mod point_cloud;
mod points;
mod reading;
mod recognized;
mod recorded;
mod ros_one;
mod ros_text;
mod ros_type;
mod to_ros;
mod transcode;
mod transforms;
mod value;
mod wire;
mod writing;

pub use cdr_type::CdrType;
pub use compressed_image::{COMPRESSED_IMAGE, CompressedImage};
pub use definition::Definition;
pub use error::{CdrError, DefinitionError};
pub use foreign::{Foreign, TEXT_BYTES};
pub use from_ros::{Converted, FromRos};
pub use header::Header;
pub use image::{IMAGE, Image};
pub use names::topic;
pub use point_cloud::{POINT_CLOUD2, PointCloud2, PointField};
pub use recognized::{As, Recognized, is_cloud_type, recognize};
pub use recorded::{Marks, Recorded};
pub use to_ros::{Parts, ToRos};
pub use transforms::{TF_MESSAGE, Transform, transforms};
pub use value::{from_cdr, to_cdr};
pub use wire::Ros;
