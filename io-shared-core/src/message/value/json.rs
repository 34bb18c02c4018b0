//! A value as JSON, on one line.

use std::fmt;

use super::Value;
use super::output::{Output, in_place_of};

pub(super) fn write(out: &mut Output<'_, '_>, value: &Value<'_>) -> fmt::Result {
    match value {
        Value::Missing => out.put("null"),
        Value::Bool(truth) => out.put_args(format_args!("{truth}")),
        Value::Int(number) => out.put_args(format_args!("{number}")),
        Value::UInt(number) => out.put_args(format_args!("{number}")),
        Value::F32(number) if number.is_finite() => out.put_args(format_args!("{number:?}")),
        Value::F64(number) if number.is_finite() => out.put_args(format_args!("{number:?}")),
        Value::F32(_) | Value::F64(_) => out.put("null"),
        Value::Text(text) => out.quote(text),
        Value::Variant { name, .. } => out.quote(name),
        Value::List(list) if !out.lists => out.quote(&in_place_of(list.len())),
        Value::List(list) => {
            out.put("[")?;
            let mut shown = 0;
            for element in list.iter().take(out.shown_of(list.len())) {
                if !out.next() {
                    break;
                }
                out.put(if shown == 0 { "" } else { "," })?;
                write(out, &element)?;
                shown += 1;
            }
            if shown < list.len() {
                let comma = if shown == 0 { "" } else { "," };
                out.put_args(format_args!("{comma}\"and {} more\"", list.len() - shown))?;
            }
            out.put("]")
        }
        Value::Record(record) => {
            out.put("{")?;
            for (shown, (_, name, field)) in record.shown().enumerate() {
                if !out.next() {
                    break;
                }
                out.put(if shown == 0 { "" } else { "," })?;
                out.quote(name)?;
                out.put(":")?;
                write(out, &field)?;
            }
            out.put("}")
        }
    }
}
