//! Messages in a crate that renames io-shared and depends on nothing else.
#![forbid(unsafe_code)]

use shm::{Message, Text};

/// A sized message.
#[derive(Debug, Clone, Copy, PartialEq, Message)]
#[repr(C)]
pub struct Pose {
    /// Position.
    #[message(unit = "m")]
    pub position: [f64; 3],
    /// The frame it is in.
    pub frame_id: Text<16>,
}

/// A message that ends in a slice.
#[derive(Debug, Message)]
#[repr(C)]
pub struct Path {
    /// When.
    pub stamp_ns: u64,
    /// The way.
    pub poses: [Pose],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_derive_finds_the_crate_by_its_new_name() {
        let pose = Pose { position: [1.0, 2.0, 3.0], frame_id: Text::truncated("map") };
        assert_eq!(Pose::from_bytes(pose.as_bytes()), Ok(&pose));
        assert_eq!(Path::SHAPE.element, Some(40));
        assert_eq!(Path::schema().name(), "Path");
    }
}
