//! A value as YAML, of which every reader makes the same numbers.
//!
//! Lists of numbers and texts stand on one line, other lists have a line for each element. Units
//! and how much was left out are comments.

use std::fmt;

use super::output::{Output, in_place_of};
use super::{List, Record, Value};

pub(super) fn write(out: &mut Output<'_, '_>, value: &Value<'_>) -> fmt::Result {
    block(out, value, 0)
}

/// Writes `value` where the cursor stands; further lines are indented by `indent`.
fn block(out: &mut Output<'_, '_>, value: &Value<'_>, indent: usize) -> fmt::Result {
    match value {
        Value::List(list) if out.lists => match is_flow(list) {
            true => flow(out, list),
            false => elements(out, list, indent),
        },
        Value::Record(record) if has_fields(record) => fields(out, record, indent),
        other => leaf(out, other),
    }
}

fn elements(out: &mut Output<'_, '_>, list: &List<'_>, indent: usize) -> fmt::Result {
    let mut shown = 0;
    for element in list.iter().take(out.shown_of(list.len())) {
        if !out.next() {
            break;
        }
        if shown > 0 {
            line(out, indent)?;
        }
        out.put("- ")?;
        block(out, &element, indent + 2)?;
        shown += 1;
    }
    if shown == 0 {
        out.put("[]")?;
    }
    more(out, list.len() - shown, if shown == 0 { None } else { Some(indent) })
}

fn fields(out: &mut Output<'_, '_>, record: &Record<'_>, indent: usize) -> fmt::Result {
    for (shown, (number, name, value)) in record.shown().enumerate() {
        if !out.next() {
            break;
        }
        if shown > 0 {
            line(out, indent)?;
        }
        match is_plain(name) {
            true => out.put(name)?,
            false => out.quote(name)?,
        }
        out.put(":")?;
        let unit = record.unit(number);
        let nested = match &value {
            Value::List(list) if out.lists && !is_flow(list) => Some(indent),
            Value::Record(record) if has_fields(record) => Some(indent + 2),
            _ => None,
        };
        match nested {
            Some(inner) => {
                comment(out, unit)?;
                line(out, inner)?;
                block(out, &value, inner)?;
            }
            None => {
                out.put(" ")?;
                block(out, &value, indent)?;
                comment(out, unit)?;
            }
        }
    }
    Ok(())
}

fn has_fields(record: &Record<'_>) -> bool {
    record.shown().next().is_some()
}

/// Whether a list stands on one line.
fn is_flow(list: &List<'_>) -> bool {
    !matches!(list.get(0), Some(Value::List(_) | Value::Record(_)))
}

fn flow(out: &mut Output<'_, '_>, list: &List<'_>) -> fmt::Result {
    out.put("[")?;
    let mut shown = 0;
    for element in list.iter().take(out.shown_of(list.len())) {
        if !out.next() {
            break;
        }
        out.put(if shown == 0 { "" } else { ", " })?;
        leaf(out, &element)?;
        shown += 1;
    }
    out.put("]")?;
    more(out, list.len() - shown, None)
}

/// Says that there are more elements, on a line of its own if that is indented by `indent`.
fn more(out: &mut Output<'_, '_>, more: usize, indent: Option<usize>) -> fmt::Result {
    match (more, indent) {
        (0, _) => Ok(()),
        (_, None) => out.put_args(format_args!("  # and {more} more")),
        (_, Some(indent)) => {
            line(out, indent)?;
            out.put_args(format_args!("# and {more} more"))
        }
    }
}

fn comment(out: &mut Output<'_, '_>, unit: &str) -> fmt::Result {
    match unit {
        "" => Ok(()),
        unit => out.put_args(format_args!("  # {}", unit.escape_debug())),
    }
}

fn line(out: &mut Output<'_, '_>, indent: usize) -> fmt::Result {
    out.put_args(format_args!("\n{:indent$}", ""))
}

fn leaf(out: &mut Output<'_, '_>, value: &Value<'_>) -> fmt::Result {
    match value {
        Value::Missing => out.put("null"),
        Value::Bool(truth) => out.put_args(format_args!("{truth}")),
        Value::Int(number) => out.put_args(format_args!("{number}")),
        Value::UInt(number) => out.put_args(format_args!("{number}")),
        Value::F32(number) => float(out, number.is_finite(), &format!("{number:?}")),
        Value::F64(number) => float(out, number.is_finite(), &format!("{number:?}")),
        Value::Text(text) => out.quote(text),
        Value::Variant { name, .. } => out.quote(name),
        Value::List(list) => out.quote(&in_place_of(list.len())),
        Value::Record(_) => out.put("{}"),
    }
}

/// A number with a point and a signed exponent, without which YAML 1.1 takes it for a text.
fn float(out: &mut Output<'_, '_>, is_finite: bool, text: &str) -> fmt::Result {
    match text.split_once('e') {
        _ if !is_finite => out.put(match text {
            "inf" => ".inf",
            "-inf" => "-.inf",
            _ => ".nan",
        }),
        None => out.put(text),
        Some((digits, exponent)) => {
            let point = if digits.contains('.') { "" } else { ".0" };
            let sign = if exponent.starts_with('-') { "" } else { "+" };
            out.put_args(format_args!("{digits}{point}e{sign}{exponent}"))
        }
    }
}

/// Whether a name is a key as it is: no number, and no word that YAML 1.1 takes for another value.
fn is_plain(name: &str) -> bool {
    const TAKEN: [&str; 7] = ["yes", "no", "on", "off", "true", "false", "null"];
    let first = name.chars().next();
    first.is_some_and(|c| c.is_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_alphanumeric() || c == '_')
        && !TAKEN.iter().any(|word| name.eq_ignore_ascii_case(word))
}
