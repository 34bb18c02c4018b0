//! A crate that forbids unsafe code derives messages of every kind.

#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, unused, nonstandard_style)]

use io_shared::{Message, Text};

/// A sized one.
#[derive(Clone, Copy, Debug, PartialEq, Message)]
#[repr(C)]
pub struct Point {
    /// Forward.
    #[message(unit = "m")]
    pub x: f32,
    /// To the left.
    #[message(unit = "m")]
    pub y: f32,
}

/// One with text, arrays and nested structs.
#[derive(Clone, Copy, Message)]
#[repr(C)]
pub struct Header {
    /// Where.
    pub corners: [Point; 4],
    /// Who.
    pub frame_id: Text<32>,
}

/// One that ends in a slice.
#[derive(Message)]
#[repr(C)]
pub struct Cloud {
    /// What.
    pub header: Header,
    /// The points.
    pub points: [Point],
}

/// Without names.
#[derive(Message)]
#[repr(C)]
pub struct Numbered(pub u32, pub [i16; 2], pub [Point]);

/// A number with a name.
#[derive(Clone, Copy, Message)]
#[repr(transparent)]
pub struct Meters(pub f64);

/// A slice with a name.
#[derive(Message)]
#[repr(transparent)]
pub struct Ranges {
    /// One per beam.
    pub ranges: [Meters],
}

/// Nothing to say but that it is there.
#[derive(Clone, Copy, Message)]
#[repr(C)]
pub struct Tick;

/// A name that is a keyword.
#[derive(Clone, Copy, Message)]
#[repr(C)]
pub struct Keyword {
    /// Kind.
    pub r#type: u32,
}

fn main() {
    assert_eq!(Cloud::SHAPE.size, 64);
    assert_eq!(Numbered::SHAPE.size, 8);
    assert_eq!(Tick::SHAPE.size, 0);
    let point = Point { x: 1.0, y: 2.0 };
    assert_eq!(Point::from_bytes(point.as_bytes()), Ok(&point));
    assert_eq!(Ranges::schema().to_json(), r#"{"slice":"<f8"}"#);
    assert!(Keyword::schema().to_json().contains(r#""name":"type""#));
}
