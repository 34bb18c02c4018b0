//! Messages of ROS as messages of a channel, by the names of their fields.
//!
//! The definition says what the bytes are, and the schema of the channel where each field goes.
//! Fields that the channel's type does not have are read and left out; those that the message does
//! not have stay zero.

use io_shared_core::schema::{Scalar, Struct, Type};

use crate::error::CdrError;
use crate::numbers::{self, scalar_of};
use crate::ros_text::{Base, Messages, Repeats, RosField};
use crate::value::{cut, flat, put, read_count, reserve};
use crate::wire::{Reader, Ros};

/// Where something goes: its type, and where it lies in the message. `None`: nowhere.
type Place<'t> = Option<(&'t Type, usize)>;

/// Reads messages of ROS.
pub(crate) struct Reading<'m> {
    pub(crate) messages: &'m Messages,
    /// The bytes of the longest text that has no bound.
    pub(crate) longest: usize,
    /// Whether a text had more bytes than its field.
    pub(crate) is_cut: bool,
}

impl Reading<'_> {
    /// Reads a message. `out` has the fixed part of the channel's, as zeros, in which this one lies
    /// at `at`.
    pub(crate) fn message(
        &mut self,
        reader: &mut Reader<'_>,
        fields: &[RosField],
        to: Option<(&Struct, usize)>,
        out: &mut Vec<u8>,
    ) -> Result<(), CdrError> {
        if fields.is_empty() && reader.ros == Ros::Two {
            reader.u8()?;
        }
        for field in fields {
            let place = to.and_then(|(layout, at)| {
                let found = layout.fields.iter().find(|known| known.name == field.name)?;
                Some((&found.ty, at.saturating_add(found.offset)))
            });
            self.field(reader, field, place, out).map_err(|error| named(error, &field.name))?;
        }
        Ok(())
    }

    fn field(
        &mut self,
        reader: &mut Reader<'_>,
        field: &RosField,
        to: Place<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), CdrError> {
        let count = match field.repeats {
            Repeats::One => return self.one(reader, &field.base, to, out),
            Repeats::Array(count) => count,
            Repeats::Sequence => read_count(reader)?,
        };
        let to = match to {
            None => None,
            Some((ty, at)) => Some(elements_at(reader, ty, at, count, out)?),
        };
        self.elements(reader, &field.base, count, to, out)
    }

    fn elements(
        &mut self,
        reader: &mut Reader<'_>,
        base: &Base,
        count: usize,
        to: Place<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), CdrError> {
        if count == 0 {
            return Ok(());
        }
        let is_same = |scalar: Scalar| {
            let same = |to| scalar_of(to).is_some_and(|to| numbers::is_same(scalar, to));
            !reader.is_big && to.is_none_or(|(to, _)| same(to))
        };
        if let Base::Number(scalar) = base
            && is_same(*scalar)
        {
            reader.align(scalar.size());
            let bytes = reader.take(scalar.size().saturating_mul(count))?;
            return to.map_or(Ok(()), |(_, at)| put(out, at, bytes));
        }
        let size = to.map_or(0, |(element, _)| element.shape().size);
        for number in 0..count {
            let place =
                to.map(|(element, at)| (element, at.saturating_add(number.saturating_mul(size))));
            self.one(reader, base, place, out)?;
        }
        Ok(())
    }

    fn one(
        &mut self,
        reader: &mut Reader<'_>,
        base: &Base,
        to: Place<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), CdrError> {
        match base {
            Base::Number(scalar) => number(reader, *scalar, to, out),
            Base::Text(bound) => {
                let text = reader.text()?;
                if bound.is_none() {
                    self.longest = self.longest.max(text.len());
                }
                match to {
                    None => Ok(()),
                    Some((Type::Text(room), at)) => {
                        self.is_cut |= text.len() > *room || text.contains(&0);
                        let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
                        put(out, at, if text.len() > *room { cut(text, *room) } else { text })
                    }
                    Some((other, _)) => Err(mismatch("a text", other)),
                }
            }
            Base::WideText => Err(CdrError::Unsupported { what: "a wide text".to_owned() }),
            Base::Message(name) => {
                let fields = self.messages.get(name).ok_or_else(|| missing(name))?;
                match to {
                    None => self.message(reader, fields, None, out),
                    Some((Type::Struct(layout), at)) => {
                        self.message(reader, fields, Some((layout, at)), out)
                    }
                    Some((other, _)) => Err(mismatch(name, other)),
                }
            }
        }
    }
}

fn number(
    reader: &mut Reader<'_>,
    scalar: Scalar,
    to: Place<'_>,
    out: &mut [u8],
) -> Result<(), CdrError> {
    let size = scalar.size();
    reader.align(size);
    let mut bytes = [0; 8];
    let bytes = bytes.get_mut(..size).unwrap_or_default();
    bytes.copy_from_slice(reader.take(size)?);
    if reader.is_big {
        bytes.reverse();
    }
    let Some((ty, at)) = to else { return Ok(()) };
    let scalar_to = scalar_of(ty).ok_or_else(|| mismatch("a number", ty))?;
    let found = out.len();
    let room = at.checked_add(scalar_to.size()).and_then(|end| out.get_mut(at..end));
    numbers::convert(scalar, bytes, scalar_to, room.ok_or(CdrError::Length { found })?)
}

/// Makes room for elements, and returns their type and where they go.
fn elements_at<'t>(
    reader: &Reader<'_>,
    ty: &'t Type,
    at: usize,
    count: usize,
    out: &mut Vec<u8>,
) -> Result<(&'t Type, usize), CdrError> {
    match ty {
        Type::Array { .. } => {
            let (element, all) = flat(ty);
            let what = || format!("an array of {count}");
            if all == count { Ok((element, at)) } else { Err(mismatch(&what(), ty)) }
        }
        Type::Slice { element } => {
            let (element, each) = flat(element);
            if !count.is_multiple_of(each.max(1)) {
                return Err(CdrError::List);
            }
            let start = out.len();
            reserve(out, element.shape().size.saturating_mul(count), reader)?;
            Ok((element, start))
        }
        Type::List { axes: 1, element } => {
            let align = element.shape().align.max(1);
            let (element, each) = flat(element);
            if !count.is_multiple_of(each.max(1)) {
                return Err(CdrError::List);
            }
            let start = out.len().next_multiple_of(align);
            let bytes = element.shape().size.saturating_mul(count);
            reserve(out, bytes.saturating_add(start - out.len()), reader)?;
            let words = [start as u64, (count / each.max(1)) as u64];
            for (number, word) in words.iter().enumerate() {
                put(out, at.saturating_add(8 * number), &word.to_le_bytes())?;
            }
            Ok((element, start))
        }
        other => Err(mismatch("a sequence", other)),
    }
}

fn mismatch(what: &str, ty: &Type) -> CdrError {
    CdrError::Unsupported { what: format!("{what} as {ty}") }
}

pub(crate) fn missing(name: &str) -> CdrError {
    CdrError::Unsupported { what: format!("{name}, whose definition is missing,") }
}

/// The error with the name of the field in it.
fn named(error: CdrError, name: &str) -> CdrError {
    match error {
        CdrError::Unsupported { what } => {
            CdrError::Unsupported { what: format!("`{name}`, {what}") }
        }
        other => other,
    }
}
