//! The structs and enums that the tests of schemas declare in C and in C++ too.

use io_shared::{List, ListData, Message, NdList, Schema, Text};

#[derive(Clone, Copy, Message)]
#[repr(C)]
pub(crate) struct Numbers {
    pub(crate) a: u64,
    pub(crate) b: i64,
    pub(crate) c: f64,
    pub(crate) d: u32,
    pub(crate) e: i32,
    pub(crate) f: f32,
    pub(crate) g: u16,
    pub(crate) h: i16,
    pub(crate) i: u8,
    pub(crate) j: i8,
    pub(crate) k: bool,
    pub(crate) l: [bool; 5],
}

#[derive(Clone, Copy, Message)]
#[repr(C)]
pub(crate) struct Point {
    #[message(unit = "m")]
    pub(crate) x: f32,
    pub(crate) y: f32,
}

#[derive(Clone, Copy, Message)]
#[repr(i16)]
pub(crate) enum Level {
    Low = -1,
    Middle,
    High = 300,
}

#[derive(Clone, Copy, Message)]
#[repr(C)]
pub(crate) struct Nested {
    pub(crate) corners: [Point; 2],
    pub(crate) turn: [[f64; 4]; 3],
    pub(crate) cube: [[[u8; 4]; 1]; 2],
    pub(crate) name: Text<12>,
    pub(crate) others: [Text<12>; 1],
    pub(crate) level: Level,
    pub(crate) levels: [Level; 3],
}

#[derive(Message)]
#[repr(C)]
pub(crate) struct Detections {
    pub(crate) frame: u64,
    pub(crate) origin: Point,
    pub(crate) boxes: List<[f32; 4]>,
    pub(crate) names: List<Text<12>>,
    pub(crate) points: List<Point>,
    pub(crate) image: NdList<u8, 3>,
    pub(crate) level: Level,
    pub(crate) valid: bool,
    pub(crate) data: ListData,
}

/// What the derive makes of `half::f16`, which takes a feature.
pub(crate) fn halves() -> Schema {
    let text = r#"{"struct":"Halves","size":6,"align":2,"fields":[
        {"name":"a","offset":0,"type":"<f2"},
        {"name":"b","offset":2,"type":{"array":2,"of":"<f2"}}]}"#;
    Schema::from_json(text).unwrap()
}
