//! Messages in the bytes of one ROS as those in the bytes of the other, by their definition.

use crate::error::CdrError;
use crate::reading::missing;
use crate::ros_text::{Base, Messages, Repeats, RosField};
use crate::value::read_count;
use crate::wire::{Reader, Ros, Writer};

/// Writes what is read. The definition was checked: it does not have itself in it.
pub(crate) fn transcode(
    reader: &mut Reader<'_>,
    writer: &mut Writer<'_>,
    fields: &[RosField],
    messages: &Messages,
) -> Result<(), CdrError> {
    if fields.is_empty() {
        if reader.ros == Ros::Two {
            reader.u8()?;
        }
        if writer.ros == Ros::Two {
            writer.u8(0);
        }
    }
    for field in fields {
        let count = match field.repeats {
            Repeats::One => 1,
            Repeats::Array(count) => count,
            Repeats::Sequence => {
                let count = read_count(reader)?;
                writer.count(count)?;
                count
            }
        };
        match &field.base {
            _ if count == 0 => {}
            Base::Number(scalar) => numbers(reader, writer, scalar.size(), count)?,
            Base::Text(_) => {
                for _ in 0..count {
                    writer.text(reader.text()?)?;
                }
            }
            Base::WideText => {
                return Err(CdrError::Unsupported { what: "a wide text".to_owned() });
            }
            Base::Message(name) => {
                let inner = messages.get(name).ok_or_else(|| missing(name))?;
                for _ in 0..count {
                    transcode(reader, writer, inner, messages)?;
                }
            }
        }
    }
    Ok(())
}

fn numbers(
    reader: &mut Reader<'_>,
    writer: &mut Writer<'_>,
    size: usize,
    count: usize,
) -> Result<(), CdrError> {
    reader.align(size);
    let bytes = reader.take(size.saturating_mul(count))?;
    writer.align(size);
    if !reader.is_big {
        writer.bytes(bytes);
        return Ok(());
    }
    for number in bytes.chunks(size) {
        let mut number = number.to_vec();
        number.reverse();
        writer.bytes(&number);
    }
    Ok(())
}
