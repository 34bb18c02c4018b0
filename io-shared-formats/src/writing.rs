//! Messages of a channel as messages of ROS, by the names of their fields.
//!
//! The definition says what the bytes are, and the schema of the channel where each field lies.
//! Fields that the channel's type does not have are zero or empty, but for the header.

use io_shared_core::schema::{Scalar, Struct, Type};

use crate::error::CdrError;
use crate::numbers::{self, scalar_of};
use crate::reading::missing;
use crate::ros_text::{Base, HEADER, Messages, Repeats, RosField};
use crate::value::{flat, placed};
use crate::wire::{Ros, Stamped, Writer};

/// Where something lies: its type, and its place in the message. `None`: there is none.
type Place<'t> = Option<(&'t Type, usize)>;

/// Writes messages of ROS. The definition was checked: it does not have itself in it, and is not
/// too large.
pub(crate) struct Writing<'m> {
    pub(crate) messages: &'m Messages,
    pub(crate) message: &'m [u8],
    /// The header of messages whose channel has none.
    pub(crate) header: Stamped<'m>,
}

impl Writing<'_> {
    pub(crate) fn message(
        &self,
        writer: &mut Writer<'_>,
        fields: &[RosField],
        from: Option<(&Struct, usize)>,
    ) -> Result<(), CdrError> {
        if fields.is_empty() && writer.ros == Ros::Two {
            writer.u8(0);
        }
        for field in fields {
            let place = from.and_then(|(layout, at)| {
                let found = layout.fields.iter().find(|known| known.name == field.name)?;
                Some((&found.ty, at.saturating_add(found.offset)))
            });
            self.field(writer, field, place)?;
        }
        Ok(())
    }

    fn field(
        &self,
        writer: &mut Writer<'_>,
        field: &RosField,
        from: Place<'_>,
    ) -> Result<(), CdrError> {
        let wrong = |ty: &Type| mismatch(field, ty);
        let (from, found) = match (field.repeats, from) {
            (Repeats::One, from) => return self.one(writer, field, from),
            (_, None) => (None, None),
            (_, Some((ty, at))) => {
                let (element, count, start) = self.elements_of(ty, at)?.ok_or_else(|| wrong(ty))?;
                (Some((element, start)), Some((count, ty)))
            }
        };
        let count = match (field.repeats, found) {
            (Repeats::Array(count), Some((found, ty))) if found != count => return Err(wrong(ty)),
            (Repeats::Array(count), _) => count,
            (_, found) => {
                let count = found.map_or(0, |(count, _)| count);
                writer.count(count)?;
                count
            }
        };
        self.elements(writer, field, count, from)
    }

    /// The elements of an array, a slice or a list: their type, how many there are, and where they
    /// lie. `None`: it is something else.
    fn elements_of<'t>(
        &self,
        ty: &'t Type,
        at: usize,
    ) -> Result<Option<(&'t Type, usize, usize)>, CdrError> {
        Ok(Some(match ty {
            Type::Array { .. } => {
                let (element, count) = flat(ty);
                (element, count, at)
            }
            Type::Slice { element } => {
                let (element, _) = flat(element);
                let left = self.message.len().saturating_sub(at);
                (element, left.checked_div(element.shape().size).unwrap_or(0), at)
            }
            Type::List { axes, element } => {
                let (_, count, start) = placed(element, *axes, self.message, at)?;
                let (element, each) = flat(element);
                (element, count.saturating_mul(each), start)
            }
            _ => return Ok(None),
        }))
    }

    fn elements(
        &self,
        writer: &mut Writer<'_>,
        field: &RosField,
        count: usize,
        from: Place<'_>,
    ) -> Result<(), CdrError> {
        if count == 0 {
            return Ok(());
        }
        if let Base::Number(scalar) = field.base {
            let bytes = scalar.size().saturating_mul(count);
            let same = |ty| scalar_of(ty).is_some_and(|from| numbers::is_same(scalar, from));
            match from {
                None => {
                    writer.align(scalar.size());
                    writer.zeros(bytes);
                    return Ok(());
                }
                Some((ty, at)) if same(ty) => {
                    writer.align(scalar.size());
                    writer.bytes(self.piece(at, bytes)?);
                    return Ok(());
                }
                _ => {}
            }
        }
        let size = from.map_or(0, |(element, _)| element.shape().size);
        (0..count).try_for_each(|number| {
            let place =
                from.map(|(element, at)| (element, at.saturating_add(number.saturating_mul(size))));
            self.one(writer, field, place)
        })
    }

    fn one(
        &self,
        writer: &mut Writer<'_>,
        field: &RosField,
        from: Place<'_>,
    ) -> Result<(), CdrError> {
        match (&field.base, from) {
            (Base::Number(scalar), from) => self.number(writer, field, *scalar, from),
            (Base::Text(_), None) => writer.text(b""),
            (Base::Text(bound), Some((Type::Text(room), at))) => {
                let text = self.piece(at, *room)?;
                let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
                match bound {
                    Some(bound) if text.len() > *bound => {
                        Err(CdrError::Text { room: *bound, found: text.len() })
                    }
                    _ => writer.text(text),
                }
            }
            (Base::Message(name), None) if name == HEADER => writer.stamped(&self.header),
            (Base::Message(name), from) => {
                let fields = self.messages.get(name).ok_or_else(|| missing(name))?;
                match from {
                    None => self.message(writer, fields, None),
                    Some((Type::Struct(layout), at)) => {
                        self.message(writer, fields, Some((layout, at)))
                    }
                    Some((other, _)) => Err(mismatch(field, other)),
                }
            }
            (_, Some((other, _))) => Err(mismatch(field, other)),
            (Base::WideText, None) => Err(CdrError::Unsupported { what: "a wide text".into() }),
        }
    }

    fn number(
        &self,
        writer: &mut Writer<'_>,
        field: &RosField,
        to: Scalar,
        from: Place<'_>,
    ) -> Result<(), CdrError> {
        let mut number = [0; 8];
        let number = number.get_mut(..to.size()).unwrap_or_default();
        if let Some((ty, at)) = from {
            let scalar = scalar_of(ty).ok_or_else(|| mismatch(field, ty))?;
            numbers::convert(scalar, self.piece(at, scalar.size())?, to, number)?;
        }
        writer.align(to.size());
        writer.bytes(number);
        Ok(())
    }

    fn piece(&self, at: usize, size: usize) -> Result<&[u8], CdrError> {
        let end = at.checked_add(size);
        let piece = end.and_then(|end| self.message.get(at..end));
        piece.ok_or(CdrError::Length { found: self.message.len() })
    }
}

fn mismatch(field: &RosField, ty: &Type) -> CdrError {
    CdrError::Unsupported { what: format!("{ty} as the field `{}` of the message", field.name) }
}
