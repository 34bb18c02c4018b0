//! The message that carries an array of any dtype and shape.
//!
//! [`Array`] is a message like any other, so channels, schemas and errors need to know nothing of
//! it; Python and C recognise it by its schema's hash. What must stay true: the name, type, offset
//! and alignment of its one field, since they are what other languages' packages look for.

use crate::message::{Message, Shape};
use crate::schema::{Field, Struct, Type};

/// An array of any dtype and shape: the bytes of a `.npy` file.
///
/// Its dtype and shape travel with each message, so both may change from one to the next. It is
/// aligned to 64 bytes, and so are its elements, since the header is padded to a multiple of 64.
///
/// The schema is, as canonical JSON and as the shape text that the hash is made of:
///
/// ```
/// use io_shared_core::{Array, Message, Schema};
///
/// let json = r#"{"struct":"Array","size":0,"align":64,"fields":[{"name":"npy","offset":0,"type":{"slice":"|u1"}}]}"#;
/// assert_eq!(Array::schema().to_json(), json);
/// assert_eq!(Schema::from_json(json), Ok(Array::schema()));
/// assert_eq!(Array::schema().hash(), 0xeb1e_f411_f702_c95b); // FNV-1a of "{npy:[]|u1@0}0%64"
/// ```
#[repr(C, align(64))]
pub struct Array {
    /// The `.npy` file: header and data.
    pub npy: [u8],
}

/// What [`Array`] looks like to `offset_of!` and `align_of`, which take no unsized type.
#[repr(C, align(64))]
struct Empty {
    npy: [u8; 0],
}

// SAFETY: it is repr(C) around bytes, so its layout is fixed: the tail starts at 0, which is
// asserted on a twin, and an element is a byte (1); there is nothing but bytes before the end of the
// tail (2), with any bit pattern (3), without interior mutability (4) or drop glue (5); the pointers
// keep address and provenance and get `elements` as their length (6); no provided method is
// overridden (7).
unsafe impl Message for Array {
    const SHAPE: Shape = {
        assert!(std::mem::offset_of!(Empty, npy) == 0 && size_of::<Empty>() == 0);
        Shape { size: 0, align: align_of::<Empty>(), element: Some(1) }
    };

    fn layout() -> Type {
        let npy = Type::Slice { element: Box::new(u8::layout()) };
        Struct::new("Array", Self::SHAPE).field(Field::new("npy", 0, npy)).into()
    }

    #[inline]
    fn from_raw_parts(start: *const u8, elements: usize) -> *const Self {
        std::ptr::slice_from_raw_parts(start, elements) as *const Self
    }

    #[inline]
    fn from_raw_parts_mut(start: *mut u8, elements: usize) -> *mut Self {
        std::ptr::slice_from_raw_parts_mut(start, elements) as *mut Self
    }

    #[inline]
    fn elements(&self) -> usize {
        self.npy.len()
    }
}
