//! Lists and records: the parts of a message that have parts.

use std::fmt;

use super::Value;
use super::layout::{Elements, Fields, Head, Place};

/// How the names of fields begin that are padding.
const PADDING: &str = "_pad";

/// The elements of an array, of a slice, or of a part of one.
///
/// An element is decoded when it is asked for.
///
/// # Examples
/// ```
/// use io_shared_core::{Message, Value};
///
/// let schema = <[u16]>::schema();
/// let Value::List(list) = Value::decode(&schema, &[1, 0, 2, 0])? else { unreachable!() };
/// assert_eq!(list.len(), 2);
/// assert_eq!(list.get(1).and_then(|value| value.as_integer()), Some(2));
/// assert!(list.get(2).is_none());
/// let numbers: Vec<_> = list.iter().filter_map(|value| value.as_integer()).collect();
/// assert_eq!(numbers, [1, 2]);
/// # Ok::<(), io_shared_core::value::ValueError>(())
/// ```
#[derive(Clone)]
pub struct List<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    pub(super) elements: Elements<'a>,
}

impl<'a> List<'a> {
    /// How many elements it has. [`List`] has an example.
    pub fn len(&self) -> usize {
        self.elements.len
    }

    /// Whether it has no elements.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::{Message, Value};
    ///
    /// let schema = <[u16]>::schema();
    /// let Value::List(list) = Value::decode(&schema, &[])? else { unreachable!() };
    /// assert!(list.is_empty());
    /// # Ok::<(), io_shared_core::value::ValueError>(())
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// An element, counted from 0. `None` if there are not as many. [`List`] has an example.
    pub fn get(&self, index: usize) -> Option<Value<'a>> {
        (index < self.len()).then(|| self.place(index).value())
    }

    /// All elements in order. [`List`] has an example.
    pub fn iter(&self) -> impl Iterator<Item = Value<'a>> + '_ {
        (0..self.len()).map(|index| self.place(index).value())
    }

    fn place(&self, index: usize) -> Place<'a> {
        let Elements { stride, start, ref element, .. } = self.elements;
        // An offset beyond the bytes is Missing when it is read.
        let from = self.at.saturating_add(start);
        let at = from.saturating_add(stride.saturating_mul(index));
        Place { bytes: self.bytes, at, layout: element.clone() }
    }
}

impl fmt::Debug for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&Value::List(self.clone()), f)
    }
}

/// Named fields: a struct, an element of a structured array, or an array with its dtype and shape.
///
/// A field is decoded when it is asked for.
///
/// # Examples
/// ```
/// use io_shared_core::{Message, Value};
/// use io_shared_derive::Message;
///
/// #[derive(Message)]
/// #[repr(C)]
/// struct Speed {
///     #[message(unit = "m/s")]
///     forward: f32,
///     sideways: f32,
/// }
///
/// let (schema, speed) = (Speed::schema(), Speed { forward: 2.0, sideways: 0.5 });
/// let Value::Record(record) = Value::decode(&schema, speed.as_bytes())? else { unreachable!() };
/// assert_eq!((record.name(), record.len(), record.unit(0)), ("Speed", 2, "m/s"));
/// assert_eq!(record.get("sideways").and_then(|value| value.as_f64()), Some(0.5));
/// let names: Vec<_> = record.iter().map(|(name, _)| name).collect();
/// assert_eq!(names, ["forward", "sideways"]);
/// # Ok::<(), io_shared_core::value::ValueError>(())
/// ```
#[derive(Clone)]
pub struct Record<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    pub(super) fields: Fields<'a>,
}

impl<'a> Record<'a> {
    /// The struct's name; `Array` for an array, and empty for an element of one. [`Record`] has an
    /// example.
    pub fn name(&self) -> &str {
        match &self.fields {
            Fields::Struct(layout) => &layout.name,
            Fields::Dtype(_) => "",
            Fields::Npy(_) => "Array",
        }
    }

    /// How many fields it has. [`Record`] has an example.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether it has no fields.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::{Message, Value};
    /// use io_shared_derive::Message;
    ///
    /// #[derive(Message)]
    /// #[repr(C)]
    /// struct Tick {}
    ///
    /// let schema = Tick::schema();
    /// let Value::Record(record) = Value::decode(&schema, &[])? else { unreachable!() };
    /// assert!(record.is_empty());
    /// # Ok::<(), io_shared_core::value::ValueError>(())
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The field of that name. [`Record`] has an example.
    pub fn get(&self, name: &str) -> Option<Value<'a>> {
        (0..self.len())
            .find(|number| self.fields.is_named(*number, name))
            .and_then(|number| self.place(number).map(|place| place.value()))
    }

    /// The unit of the field with this number; empty if it has none. [`Record`] has an example.
    pub fn unit(&self, number: usize) -> &str {
        self.fields.get(number).map_or("", |part| part.unit)
    }

    /// All fields in order, with their names. [`Record`] has an example.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Value<'a>)> {
        (0..self.len()).filter_map(|number| {
            let part = self.fields.get(number)?;
            Some((part.name, self.place(number)?.value()))
        })
    }

    /// The fields that are shown, with their numbers: all but those that name padding.
    pub(super) fn shown(&self) -> impl Iterator<Item = (usize, &str, Value<'a>)> {
        let fields = self.iter().enumerate();
        let fields = fields.filter(|(_, (name, _))| !name.starts_with(PADDING));
        fields.map(|(number, (name, value))| (number, name, value))
    }

    pub(super) fn place(&self, number: usize) -> Option<Place<'a>> {
        let part = self.fields.get(number)?;
        let at = self.at.saturating_add(part.offset);
        Some(Place { bytes: self.bytes, at, layout: part.layout })
    }
}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&Value::Record(self.clone()), f)
    }
}

impl<'a> Place<'a> {
    pub(super) fn value(&self) -> Value<'a> {
        let (bytes, at) = (self.bytes, self.at);
        match self.head() {
            Head::Leaf(value) => value,
            Head::List(elements) => Value::List(List { bytes, at, elements }),
            Head::Record(fields) => Value::Record(Record { bytes, at, fields }),
        }
    }
}
