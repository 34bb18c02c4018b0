//! The struct that holds a message of another program: where its fields lie.

use io_shared_core::schema::{Field, Scalar, Struct, Type};

use crate::error::DefinitionError;
use crate::ros_text::{Base, Messages, Repeats, RosField};

/// How deep messages may be nested, and how many fields they may have.
const LIMITS: (usize, usize) = (16, 4096);
/// How many bytes a message may have without its sequences.
const MOST_BYTES: usize = isize::MAX as usize / 2;

/// Builds the struct of a message.
pub(crate) struct Builder<'m> {
    messages: &'m Messages,
    fields: usize,
    /// How many bytes a text without a bound has.
    text_bytes: usize,
    /// Whether any sequence is a list, also in elements of others, as no message can have them.
    is_to_show: bool,
    /// Whether it has texts without a bound.
    pub(crate) has_texts: bool,
}

impl<'m> Builder<'m> {
    pub(crate) fn new(messages: &'m Messages, text_bytes: usize, is_to_show: bool) -> Self {
        Self { messages, fields: 0, text_bytes, is_to_show, has_texts: false }
    }

    /// The struct, with padding in the places where C has it. `None`: no struct can hold it.
    pub(crate) fn message(
        &mut self,
        name: &str,
        fields: &[RosField],
        depth: usize,
    ) -> Result<Option<Struct>, DefinitionError> {
        self.fields += fields.len();
        if depth > LIMITS.0 || self.fields > LIMITS.1 {
            return Ok(None);
        }
        let mut placed = Vec::new();
        for (number, field) in fields.iter().enumerate() {
            let is_last = depth == 0 && number + 1 == fields.len();
            match self.ty(field, is_last, depth)? {
                Some(ty) => placed.push((field.name.as_str(), ty)),
                None => return Ok(None),
            }
        }
        if placed.iter().any(|(_, ty)| matches!(ty, Type::List { .. })) {
            for (_, ty) in &mut placed {
                if let Type::Slice { element } = ty {
                    *ty = as_list(element);
                }
            }
            placed.push(("_lists", Type::ListData));
        }
        // What is only shown needs no padding, which would be shown too.
        let align = match self.is_to_show {
            true => 1,
            false => placed.iter().map(|(_, ty)| align_of(ty)).max().unwrap_or(1),
        };
        let mut layout = Placed { fields: Vec::new(), end: 0, paddings: 0 };
        let mut element = None;
        for (name, ty) in placed {
            let shape = ty.shape();
            element = shape.element;
            // A slice lies where the struct without it would end.
            layout.pad(if element.is_some() { align } else { shape.align.min(align) });
            let end = layout.end.checked_add(shape.size);
            let Some(end) = end.filter(|end| *end <= MOST_BYTES) else { return Ok(None) };
            layout.fields.push(Field::new(name, layout.end, ty));
            layout.end = end;
        }
        layout.pad(align);
        let shape = io_shared_core::message::Shape { size: layout.end, align, element };
        Ok(Some(layout.fields.into_iter().fold(Struct::new(name, shape), Struct::field)))
    }

    fn ty(
        &mut self,
        field: &RosField,
        is_last: bool,
        depth: usize,
    ) -> Result<Option<Type>, DefinitionError> {
        let base = match &field.base {
            Base::Number(scalar) => Type::Scalar(*scalar),
            Base::Text(bound) => {
                self.has_texts |= bound.is_none();
                Type::Text(bound.unwrap_or(self.text_bytes).max(1))
            }
            Base::WideText => return Ok(None),
            Base::Message(name) => {
                let Some(fields) = self.messages.get(name) else {
                    let what = "its definition is missing".to_owned();
                    return Err(DefinitionError { at: name.clone(), what });
                };
                let bare = name.rsplit('/').next().unwrap_or(name);
                match self.message(bare, fields, depth + 1)? {
                    Some(layout) => Type::Struct(layout),
                    None => return Ok(None),
                }
            }
        };
        if field.repeats != Repeats::One && base.shape().size == 0 {
            // An empty message has a byte in CDR, and none here.
            return Ok(None);
        }
        Ok(match field.repeats {
            Repeats::One => Some(base),
            Repeats::Array(count) => Some(Type::Array { count, element: Box::new(base) }),
            Repeats::Sequence if self.is_to_show => {
                Some(Type::List { axes: 1, element: Box::new(base) })
            }
            Repeats::Sequence if is_last => Some(Type::Slice { element: Box::new(base) }),
            Repeats::Sequence if depth == 0 => Some(as_list(&base)),
            Repeats::Sequence => None,
        })
    }
}

/// A list of elements that any bytes can be: a `bool` in them is a number.
fn as_list(element: &Type) -> Type {
    Type::List { axes: 1, element: Box::new(unchecked(element)) }
}

fn unchecked(ty: &Type) -> Type {
    match ty {
        Type::Scalar(Scalar::Bool) => Type::Scalar(Scalar::U8),
        Type::Array { count, element } => {
            Type::Array { count: *count, element: Box::new(unchecked(element)) }
        }
        Type::Struct(layout) => {
            let bare = Struct::new(&layout.name, layout.shape);
            let fields = layout.fields.iter();
            let fields = fields.map(|f| Field::new(&f.name, f.offset, unchecked(&f.ty)));
            Type::Struct(fields.fold(bare, Struct::field))
        }
        other => other.clone(),
    }
}

/// The alignment of a field, or of the elements that it leads to.
fn align_of(ty: &Type) -> usize {
    match ty {
        Type::List { element, .. } => ty.shape().align.max(element.shape().align),
        ty => ty.shape().align,
    }
}

/// Fields one after the other.
struct Placed {
    fields: Vec<Field>,
    end: usize,
    paddings: usize,
}

impl Placed {
    fn pad(&mut self, align: usize) {
        let count = self.end.next_multiple_of(align) - self.end;
        if count > 0 {
            self.paddings += 1;
            let element = Box::new(Type::Scalar(Scalar::U8));
            let name = format!("_pad{}", self.paddings);
            self.fields.push(Field::new(&name, self.end, Type::Array { count, element }));
            self.end += count;
        }
    }
}
