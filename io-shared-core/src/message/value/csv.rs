//! A value as a row of CSV (RFC 4180): its numbers and texts in order.

use std::fmt;

use super::Value;
use super::output::{Output, in_place_of, is_hidden};

pub(super) fn write(out: &mut Output<'_, '_>, value: &Value<'_>) -> fmt::Result {
    cells(out, value, &mut true)
}

/// Writes the cells of `value`. `first`: whether no cell was written before.
fn cells(out: &mut Output<'_, '_>, value: &Value<'_>, first: &mut bool) -> fmt::Result {
    match value {
        Value::List(list) if out.lists => {
            let mut shown = 0;
            for element in list.iter().take(out.shown_of(list.len())) {
                if !out.next() {
                    break;
                }
                cells(out, &element, first)?;
                shown += 1;
            }
            match list.len() - shown {
                0 => Ok(()),
                more => cell(out, &format!("and {more} more"), first),
            }
        }
        Value::Record(record) => {
            for (_, _, field) in record.shown() {
                if !out.next() {
                    break;
                }
                cells(out, &field, first)?;
            }
            Ok(())
        }
        Value::List(list) => cell(out, &in_place_of(list.len()), first),
        Value::Missing => cell(out, "", first),
        Value::Bool(truth) => cell(out, if *truth { "true" } else { "false" }, first),
        Value::Int(number) => cell(out, &number.to_string(), first),
        Value::UInt(number) => cell(out, &number.to_string(), first),
        Value::F32(number) => cell(out, &format!("{number:?}"), first),
        Value::F64(number) => cell(out, &format!("{number:?}"), first),
        Value::Text(text) => cell(out, text, first),
        Value::Variant { name, .. } => cell(out, name, first),
    }
}

fn cell(out: &mut Output<'_, '_>, text: &str, first: &mut bool) -> fmt::Result {
    if !std::mem::take(first) {
        out.put(",")?;
    }
    // A row stays one line, so control characters inside a text are shown as escapes.
    let escaped;
    let text = match text.contains(is_hidden) {
        true => {
            let escape = |c: char| match is_hidden(c) {
                true => c.escape_default().to_string(),
                false => c.to_string(),
            };
            escaped = text.chars().map(escape).collect::<String>();
            &escaped
        }
        false => text,
    };
    match text.contains([',', '"']) {
        true => out.put_args(format_args!("\"{}\"", text.replace('"', "\"\""))),
        false => out.put(text),
    }
}
