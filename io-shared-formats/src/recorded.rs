//! How a recording stores the values of a channel.
//!
//! Each value is one message of a generated type, with its number, stamp and tag before the fields.
//! Where a value is recognized as a cloud or a picture, this message has only what comes before the
//! points or pixels, and these are a message of their own, of a type that every viewer knows.

use io_shared_core::schema::{Field, Scalar, Type};
use io_shared_core::{Array, Schema};

use crate::definition::Definition;
use crate::error::CdrError;
use crate::value::{self, Texts};
use crate::wire::{Reader, Writer};

/// What is known of a value besides its content.
///
/// [`Recorded`] has an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marks {
    /// Its number.
    pub seq: u64,
    /// CLOCK_MONOTONIC at the put, in nanoseconds; 0 if it has none.
    pub stamp: u64,
    /// The tag that its producer gave it; 0 for none.
    pub tag: u64,
}

/// The fields before those of the value.
const MARKS: [(&str, Scalar); 3] =
    [("io_seq", Scalar::U64), ("io_stamp", Scalar::U64), ("io_tag", Scalar::U64)];

/// The type that the values of a channel have in a recording.
///
/// # Examples
/// ```
/// use io_shared_core::Message;
/// use io_shared_formats::{Marks, Recorded};
///
/// let schema = <[f32; 2]>::schema();
/// let recorded = Recorded::whole(&schema);
/// assert_eq!(
///     recorded.definition().text,
///     "uint64 io_seq\nuint64 io_stamp\nuint64 io_tag\nfloat32[2] value\n",
/// );
///
/// let (marks, value) = (Marks { seq: 1, stamp: 13, tag: 42 }, [0.5_f32, 2.0]);
/// let mut cdr = Vec::new();
/// recorded.encode(marks, value.as_bytes(), &mut cdr)?;
/// assert_eq!(recorded.decode(&cdr)?, (marks, value.as_bytes().to_vec()));
/// # Ok::<(), io_shared_formats::CdrError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Recorded {
    schema: Schema,
    is_head: bool,
}

impl Recorded {
    /// The type of values that are stored as they are. [`Recorded`] has an example.
    pub fn whole(schema: &Schema) -> Recorded {
        Recorded { schema: schema.clone(), is_head: false }
    }

    /// The type of what comes before the points or pixels: the header of an array, the fields
    /// before a slice.
    ///
    /// ```
    /// use io_shared_core::{Array, Message};
    /// use io_shared_formats::{Marks, Recorded};
    ///
    /// let recorded = Recorded::head(&Array::schema());
    /// let mut cdr = Vec::new();
    /// recorded.encode(Marks::default(), b"a header", &mut cdr)?;
    /// assert_eq!(recorded.decode(&cdr)?.1, b"a header");
    /// # Ok::<(), io_shared_formats::CdrError>(())
    /// ```
    pub fn head(schema: &Schema) -> Recorded {
        Recorded { schema: schema.clone(), is_head: true }
    }

    /// The type as ROS 2 has it. [`Recorded`] has an example.
    pub fn definition(&self) -> Definition {
        let is_array = self.is_array();
        let suffix = if self.is_head { "Head" } else { "Recorded" };
        Definition::after(&self.schema, &MARKS, suffix, |field: &Field| {
            !self.is_head || is_array || !matches!(field.ty, Type::Slice { .. })
        })
    }

    /// Appends the CDR of a value, or of what comes before its points or pixels, to `out`.
    /// [`Recorded`] has an example.
    ///
    /// # Errors
    /// The errors of [`to_cdr`](crate::to_cdr).
    pub fn encode(&self, marks: Marks, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), CdrError> {
        let root = self.schema.root();
        let found = bytes.len();
        match self.is_head && !self.is_array() {
            true if found != root.shape().size => return Err(CdrError::Length { found }),
            true => {}
            false => value::check_length(&self.schema, bytes)?,
        }
        out.reserve(found + 64);
        let mut writer = Writer::new(out);
        [marks.seq, marks.stamp, marks.tag].into_iter().for_each(|mark| writer.u64(mark));
        self.parts().try_for_each(|(offset, ty)| value::write(&mut writer, ty, bytes, offset))
    }

    /// The marks and the bytes of what [`encode`](Self::encode) has written. [`Recorded`] has an
    /// example.
    ///
    /// # Errors
    /// The errors of [`from_cdr`](crate::from_cdr).
    pub fn decode(&self, cdr: &[u8]) -> Result<(Marks, Vec<u8>), CdrError> {
        let mut reader = Reader::new(cdr)?;
        let marks = Marks { seq: reader.u64()?, stamp: reader.u64()?, tag: reader.u64()? };
        let mut bytes = value::room_for(&reader, self.schema.root())?;
        self.parts().try_for_each(|(offset, ty)| {
            value::read(&mut reader, ty, &mut bytes, offset, Texts::Whole)
        })?;
        reader.end()?;
        Ok((marks, bytes))
    }

    /// The types that are stored, and where they lie in the message.
    fn parts(&self) -> Box<dyn Iterator<Item = (usize, &Type)> + '_> {
        let is_kept = |ty: &Type| {
            let is_payload = self.is_head && matches!(ty, Type::Slice { .. });
            !value::is_left_out(ty) && (!is_payload || self.is_array())
        };
        match self.schema.root() {
            Type::Struct(layout) => {
                let fields = layout.fields.iter().map(|field| (field.offset, &field.ty));
                Box::new(fields.filter(move |(_, ty)| is_kept(ty)))
            }
            root => Box::new(Some((0, root)).filter(|(_, ty)| is_kept(ty)).into_iter()),
        }
    }

    fn is_array(&self) -> bool {
        Array::is_of(&self.schema)
    }
}
