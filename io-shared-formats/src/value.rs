//! Messages as CDR, and back, by their schema.
//!
//! What a type is in CDR: numbers, bools and enums are numbers; a text is a string, to its first
//! zero; arrays are their elements, without a count; a slice or a list is a sequence, which is flat
//! if its elements are arrays. Structs are their fields. What has no bytes is left out, but an
//! empty struct has one byte, as in ROS.
//!
//! Elements whose CDR is what lies in memory are copied at once: a cloud costs a memcpy.

use io_shared_core::Schema;
use io_shared_core::schema::{Struct, Type};

use crate::error::CdrError;
use crate::wire::{Reader, Ros, Writer};

/// A message as CDR, with the four bytes that say how it is encoded: plain CDR, little-endian.
///
/// # Errors
/// [`CdrError::Length`]: no message of the schema has as many bytes. [`CdrError::TooLarge`]: it has
/// more elements than CDR can count. [`CdrError::Unsupported`]: it has a type that this version
/// does not know.
///
/// # Examples
/// ```
/// use io_shared_core::Message;
/// use io_shared_formats::to_cdr;
///
/// let cdr = to_cdr(&<[u16]>::schema(), &[7, 0, 8, 0])?;
/// assert_eq!(cdr, [0, 1, 0, 0, 2, 0, 0, 0, 7, 0, 8, 0]);
/// # Ok::<(), io_shared_formats::CdrError>(())
/// ```
pub fn to_cdr(schema: &Schema, message: &[u8]) -> Result<Vec<u8>, CdrError> {
    let mut out = Vec::with_capacity(message.len() + 16);
    check_length(schema, message)?;
    write(&mut Writer::new(&mut out), schema.root(), message, 0)?;
    Ok(out)
}

/// The message of a schema that was written by [`to_cdr`]: of the same value, with zeros after the
/// end of each text.
///
/// # Errors
/// [`CdrError`]: the bytes are not CDR, or not that of a message of this schema.
///
/// # Examples
/// ```
/// use io_shared_core::Message;
/// use io_shared_formats::{from_cdr, to_cdr};
///
/// let schema = <[f32; 3]>::schema();
/// let message = [0.5_f32, 1.0, -2.0];
/// assert_eq!(from_cdr(&schema, &to_cdr(&schema, message.as_bytes())?)?, message.as_bytes());
/// # Ok::<(), io_shared_formats::CdrError>(())
/// ```
pub fn from_cdr(schema: &Schema, cdr: &[u8]) -> Result<Vec<u8>, CdrError> {
    let mut reader = Reader::new(cdr)?;
    let message = read_message(&mut reader, schema.root(), Texts::Whole)?;
    reader.end()?;
    Ok(message)
}

/// What becomes of a text that is longer than its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Texts {
    /// It is an error.
    Whole,
    /// It is cut, at the end of a character; and fields that are padding are not in the CDR.
    Cut,
}

pub(crate) fn check_length(schema: &Schema, message: &[u8]) -> Result<(), CdrError> {
    let found = message.len();
    let elements = schema.root().shape().elements_in(found as u64);
    elements.map(|_| ()).ok_or(CdrError::Length { found })
}

/// Writes what lies at `at` in a message whose length was checked.
pub(crate) fn write(
    writer: &mut Writer<'_>,
    ty: &Type,
    message: &[u8],
    at: usize,
) -> Result<(), CdrError> {
    let piece = |size: usize| {
        let end = at.checked_add(size);
        end.and_then(|end| message.get(at..end)).ok_or(CdrError::Length { found: message.len() })
    };
    match ty {
        Type::Scalar(scalar) => number(writer, scalar.size(), piece(scalar.size())?),
        Type::Enum(of) => number(writer, of.scalar.size(), piece(of.scalar.size())?),
        Type::Text(size) => {
            let text = piece(*size)?;
            let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
            writer.text(&text[..end])?;
        }
        Type::Array { count, element } => elements(writer, element, *count, message, at)?,
        Type::Slice { element } => {
            let (element, _) = flat(element);
            let left = message.len().saturating_sub(at);
            let count = left.checked_div(element.shape().size).unwrap_or(0);
            writer.count(count)?;
            elements(writer, element, count, message, at)?;
        }
        Type::List { axes, element } => list(writer, element, *axes, message, at)?,
        Type::ListData => {}
        Type::Struct(layout) => fields(writer, layout, message, at)?,
        other => return Err(unsupported(other)),
    }
    Ok(())
}

pub(crate) fn unsupported(ty: &Type) -> CdrError {
    CdrError::Unsupported { what: ty.to_string() }
}

fn number(writer: &mut Writer<'_>, align: usize, bytes: &[u8]) {
    writer.align(align);
    writer.bytes(bytes);
}

fn fields(
    writer: &mut Writer<'_>,
    layout: &Struct,
    message: &[u8],
    at: usize,
) -> Result<(), CdrError> {
    if is_empty(layout) && writer.ros == Ros::Two {
        writer.u8(0);
    }
    for field in layout.fields.iter().filter(|field| !is_left_out(&field.ty)) {
        write(writer, &field.ty, message, at.saturating_add(field.offset))?;
    }
    Ok(())
}

/// Whether a struct has no field that is in its CDR.
pub(crate) fn is_empty(layout: &Struct) -> bool {
    layout.fields.iter().all(|field| is_left_out(&field.ty))
}

/// Whether a type has no bytes in CDR: ROS has no arrays without elements, and the elements of
/// lists are written where the lists are.
pub(crate) fn is_left_out(ty: &Type) -> bool {
    *ty == Type::ListData || matches!(ty, Type::Array { .. }) && ty.shape().size == 0
}

/// The type that arrays of arrays are of, and how many an outermost element has: ROS has sequences
/// of numbers, texts and messages only.
pub(crate) fn flat(element: &Type) -> (&Type, usize) {
    let (mut inner, mut count) = (element, 1usize);
    while let Type::Array { count: n, element } = inner {
        (inner, count) = (element, count.saturating_mul(*n));
    }
    (inner, count)
}

/// A list as the sequence of its elements, after its shape if it has several axes.
fn list(
    writer: &mut Writer<'_>,
    element: &Type,
    axes: usize,
    message: &[u8],
    at: usize,
) -> Result<(), CdrError> {
    let (shape, count, start) = placed(element, axes, message, at)?;
    if axes > 1 {
        shape.iter().for_each(|axis| writer.u64(*axis));
    }
    let (element, each) = flat(element);
    let count = count.saturating_mul(each);
    writer.count(count)?;
    elements(writer, element, count, message, start)
}

/// The shape of a list whose words lie at `at`, how many elements it has, and where they lie.
pub(crate) fn placed(
    element: &Type,
    axes: usize,
    message: &[u8],
    at: usize,
) -> Result<(Vec<u64>, usize, usize), CdrError> {
    let word = |number: usize| -> Option<u64> {
        let word = message.get(at.checked_add(number.checked_mul(8)?)?..)?.first_chunk()?;
        Some(u64::from_le_bytes(*word))
    };
    let found = || {
        let shape = (1..=axes).map(word).collect::<Option<Vec<u64>>>()?;
        let count = usize::try_from(elements_in(&shape)?).ok()?;
        let bytes = count.checked_mul(element.shape().size)?;
        let start = if count == 0 { 0 } else { usize::try_from(word(0)?).ok()? };
        let end = start.checked_add(bytes)?;
        (end <= message.len()).then_some((shape, count, start))
    };
    found().ok_or(CdrError::List)
}

/// How many elements a list of this shape has. `None`: more than there can be.
fn elements_in(shape: &[u64]) -> Option<u64> {
    if shape.contains(&0) {
        return Some(0);
    }
    shape.iter().try_fold(1_u64, |product, axis| product.checked_mul(*axis))
}

fn elements(
    writer: &mut Writer<'_>,
    element: &Type,
    count: usize,
    message: &[u8],
    at: usize,
) -> Result<(), CdrError> {
    let size = element.shape().size;
    if count == 0 || size == 0 {
        return Ok(());
    }
    if let Some(plain) = Plain::of(element) {
        writer.align(plain.first);
        if writer.at().is_multiple_of(plain.most) {
            let length = size.checked_mul(count).and_then(|length| at.checked_add(length));
            let bytes = length.and_then(|end| message.get(at..end));
            writer.bytes(bytes.ok_or(CdrError::Length { found: message.len() })?);
            return Ok(());
        }
    }
    (0..count).try_for_each(|i| {
        let at = at.saturating_add(i.saturating_mul(size));
        write(writer, element, message, at)
    })
}

/// A type whose CDR is what lies in memory, where it starts at a multiple of `most`.
struct Plain {
    /// The alignment of its first number.
    first: usize,
    /// The greatest alignment of its numbers.
    most: usize,
}

impl Plain {
    /// `None` if the two differ: it has texts or what CDR leaves out.
    fn of(ty: &Type) -> Option<Plain> {
        match ty {
            Type::Scalar(scalar) => Some(Plain { first: scalar.size(), most: scalar.size() }),
            Type::Enum(of) => Some(Plain { first: of.scalar.size(), most: of.scalar.size() }),
            Type::Array { element, .. } if ty.shape().size > 0 => Plain::of(element),
            Type::Struct(layout) => {
                let mut whole: Option<Plain> = None;
                let mut end = 0;
                for field in &layout.fields {
                    let plain = Plain::of(&field.ty)?;
                    if field.offset != end || !end.is_multiple_of(plain.most) {
                        return None;
                    }
                    end = end.checked_add(field.ty.shape().size)?;
                    whole = Some(match whole {
                        None => plain,
                        Some(Plain { first, most }) => Plain { first, most: most.max(plain.most) },
                    });
                }
                let whole = whole?;
                let is_whole = end == layout.shape.size && end.is_multiple_of(whole.most);
                is_whole.then_some(whole)
            }
            _ => None,
        }
    }
}

/// How many bytes a message may have for each byte of its CDR, and in any case.
const SLACK: (usize, usize) = (256, 16 << 20);

/// Reads the next message of this type.
pub(crate) fn read_message(
    reader: &mut Reader<'_>,
    ty: &Type,
    texts: Texts,
) -> Result<Vec<u8>, CdrError> {
    let mut message = room_for(reader, ty)?;
    read(reader, ty, &mut message, 0, texts)?;
    Ok(message)
}

/// The fixed part of a message, as zeros. The elements of a slice are appended.
pub(crate) fn room_for(reader: &Reader<'_>, ty: &Type) -> Result<Vec<u8>, CdrError> {
    let mut message = Vec::new();
    reserve(&mut message, ty.shape().size, reader)?;
    Ok(message)
}

/// Makes room for more bytes, which are zero, but not for more than the CDR can stand for.
pub(crate) fn reserve(
    message: &mut Vec<u8>,
    more: usize,
    reader: &Reader<'_>,
) -> Result<(), CdrError> {
    let bytes = message.len().saturating_add(more);
    let too_large = CdrError::TooLarge { bytes };
    if bytes > reader.len().saturating_mul(SLACK.0).saturating_add(SLACK.1) {
        return Err(too_large);
    }
    message.try_reserve_exact(more).map_err(|_| too_large)?;
    message.resize(bytes, 0);
    Ok(())
}

/// Reads what lies at `at` in a message.
pub(crate) fn read(
    reader: &mut Reader<'_>,
    ty: &Type,
    message: &mut Vec<u8>,
    at: usize,
    texts: Texts,
) -> Result<(), CdrError> {
    match ty {
        Type::Scalar(scalar) => read_number(reader, scalar.size(), message, at),
        Type::Enum(of) => read_number(reader, of.scalar.size(), message, at),
        Type::Text(size) => {
            // A text ends at its first zero, wherever that is.
            let mut text = reader.text()?.split(|byte| *byte == 0).next().unwrap_or_default();
            if text.len() > *size {
                if texts == Texts::Whole {
                    return Err(CdrError::Text { room: *size, found: text.len() });
                }
                text = cut(text, *size);
            }
            put(message, at, text)
        }
        Type::Array { count, element } => {
            read_elements(reader, element, *count, message, at, texts)
        }
        Type::Slice { element } => {
            let (element, each) = flat(element);
            let count = read_count(reader)?;
            if !count.is_multiple_of(each.max(1)) {
                return Err(CdrError::List);
            }
            let bytes = element.shape().size.saturating_mul(count);
            reserve(message, bytes, reader)?;
            read_elements(reader, element, count, message, at, texts)
        }
        Type::List { axes, element } => read_list(reader, element, *axes, message, at, texts),
        Type::ListData => Ok(()),
        Type::Struct(layout) => read_fields(reader, layout, message, at, texts),
        other => Err(unsupported(other)),
    }
}

/// How many elements a sequence has.
pub(crate) fn read_count(reader: &mut Reader<'_>) -> Result<usize, CdrError> {
    let count = reader.u32()? as usize;
    // Every element has at least a byte, so this many there are at most.
    let left = reader.len().saturating_sub(reader.at());
    if count > left {
        return Err(reader.short(reader.at().saturating_add(count)));
    }
    Ok(count)
}

/// Reads a list. Its elements come after what the message has so far.
fn read_list(
    reader: &mut Reader<'_>,
    element: &Type,
    axes: usize,
    message: &mut Vec<u8>,
    at: usize,
    texts: Texts,
) -> Result<(), CdrError> {
    let mut shape = Vec::new();
    if axes > 1 {
        for _ in 0..axes {
            shape.push(reader.u64()?);
        }
    }
    let align = element.shape().align;
    let (element, each) = flat(element);
    let count = read_count(reader)?;
    let listed = (count / each.max(1)) as u64;
    if axes == 1 {
        shape.push(listed);
    }
    if elements_in(&shape) != Some(listed) || !count.is_multiple_of(each.max(1)) {
        return Err(CdrError::List);
    }
    let start = message.len().next_multiple_of(align.max(1));
    let bytes = element.shape().size.saturating_mul(count);
    reserve(message, bytes.saturating_add(start - message.len()), reader)?;
    for (number, word) in std::iter::once(start as u64).chain(shape).enumerate() {
        put(message, at.saturating_add(8 * number), &word.to_le_bytes())?;
    }
    read_elements(reader, element, count, message, start, texts)
}

fn read_fields(
    reader: &mut Reader<'_>,
    layout: &Struct,
    message: &mut Vec<u8>,
    at: usize,
    texts: Texts,
) -> Result<(), CdrError> {
    if is_empty(layout) && reader.ros == Ros::Two {
        reader.u8()?;
    }
    for field in layout.fields.iter().filter(|field| !is_left_out(&field.ty)) {
        if texts == Texts::Cut && field.name.starts_with('_') {
            continue;
        }
        read(reader, &field.ty, message, at.saturating_add(field.offset), texts)?;
    }
    Ok(())
}

/// The beginning of a text, to the end of a character.
pub(crate) fn cut(text: &[u8], room: usize) -> &[u8] {
    let is_start = |byte: u8| byte & 0xc0 != 0x80;
    let end = (0..=room).rev().find(|&end| text.get(end).is_none_or(|byte| is_start(*byte)));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

pub(crate) fn put(message: &mut [u8], at: usize, bytes: &[u8]) -> Result<(), CdrError> {
    let found = message.len();
    let room = at.checked_add(bytes.len()).and_then(|end| message.get_mut(at..end));
    room.ok_or(CdrError::Length { found })?.copy_from_slice(bytes);
    Ok(())
}

fn read_number(
    reader: &mut Reader<'_>,
    size: usize,
    message: &mut [u8],
    at: usize,
) -> Result<(), CdrError> {
    reader.align(size);
    let bytes = reader.take(size)?;
    put(message, at, bytes)?;
    if reader.is_big {
        message[at..at + size].reverse();
    }
    Ok(())
}

fn read_elements(
    reader: &mut Reader<'_>,
    element: &Type,
    count: usize,
    message: &mut Vec<u8>,
    at: usize,
    texts: Texts,
) -> Result<(), CdrError> {
    let size = element.shape().size;
    if count == 0 || size == 0 {
        return Ok(());
    }
    // Padding, which structs may have, is in memory alone if the type is another program's.
    let is_same = texts == Texts::Whole || matches!(element, Type::Scalar(_));
    if let Some(plain) = Plain::of(element).filter(|_| !reader.is_big && is_same) {
        reader.align(plain.first);
        if reader.at().is_multiple_of(plain.most) {
            let bytes = reader.take(size.saturating_mul(count))?;
            return put(message, at, bytes);
        }
    }
    (0..count).try_for_each(|i| {
        let at = at.saturating_add(i.saturating_mul(size));
        read(reader, element, message, at, texts)
    })
}
