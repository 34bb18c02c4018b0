//! Following a path.
//!
//! A range takes the same part of each element. Elements have one layout, so the way on is looked
//! up once: what comes out are elements again, at the distance that they had.

use std::sync::Arc;

use super::Value;
use super::layout::{Elements, Fields, Head, Layout, NPY_FIELDS, Place};
use super::path::{Path, PathError, Step, Steps};

/// The part of `value` that `path` leads to.
pub(super) fn follow<'a>(value: &Value<'a>, path: &Path) -> Result<Value<'a>, PathError> {
    let steps = &path.steps[..];
    let place = match value {
        _ if steps.is_empty() => return Ok(value.clone()),
        Value::List(list) => {
            let layout = Layout::Elements(Arc::new(list.elements.clone()));
            Place { bytes: list.bytes, at: list.at, layout }
        }
        Value::Record(record) => {
            let layout = Layout::Record(record.fields.clone());
            Place { bytes: record.bytes, at: record.at, layout }
        }
        leaf => return Err(no_part(steps, 0, leaf)),
    };
    select(place, steps, 0).map(|place| place.value())
}

/// The part of `place` that the steps from number `done` on lead to.
pub(super) fn select<'a>(
    place: Place<'a>,
    steps: &[Step],
    done: usize,
) -> Result<Place<'a>, PathError> {
    let Some(step) = steps.get(done) else { return Ok(place) };
    let at = || Steps(steps.get(..done).unwrap_or_default()).to_string();
    match (place.head(), step) {
        (Head::Record(fields), Step::Index(_) | Step::Range(..))
            if matches!(fields, Fields::Npy(_)) =>
        {
            // An element of an array needs no `data` before it.
            select(part(&place, &fields, NPY_FIELDS.len() - 1), steps, done)
        }
        (Head::Record(fields), Step::Field(name)) => match find(&fields, name) {
            Some(number) => select(part(&place, &fields, number), steps, done + 1),
            None => Err(no_field(&fields, at(), name)),
        },
        (Head::Record(fields), Step::Index(index)) => match find(&fields, &index.to_string()) {
            Some(number) => select(part(&place, &fields, number), steps, done + 1),
            None => Err(no_field(&fields, at(), &index.to_string())),
        },
        (Head::List(elements), Step::Index(index)) => {
            let len = elements.len;
            let found = from_start(*index, len).filter(|found| *found < len);
            let Some(found) = found else {
                return Err(PathError::NoElement { at: at(), index: *index, len });
            };
            select(element(&place, &elements, found), steps, done + 1)
        }
        (Head::List(elements), Step::Range(from, to)) => {
            let bound = |bound: Option<i64>, otherwise| match bound {
                Some(bound) => from_start(bound, elements.len).unwrap_or(0).min(elements.len),
                None => otherwise,
            };
            let (from, to) = (bound(*from, 0), bound(*to, elements.len));
            range(&place, &elements, from, to, steps, done)
        }
        (Head::Leaf(leaf), _) => Err(no_part(steps, done, &leaf)),
        (Head::List(_), Step::Field(_)) => Err(PathError::NoPart {
            at: at(),
            found: "a list",
            step: Steps(steps.get(done..=done).unwrap_or_default()).to_string(),
        }),
        (Head::Record(_), Step::Range(..)) => Err(PathError::NoPart {
            at: at(),
            found: "a struct",
            step: Steps(steps.get(done..=done).unwrap_or_default()).to_string(),
        }),
    }
}

/// The part of the elements `from..to` that the steps after number `done` lead to.
fn range<'a>(
    place: &Place<'a>,
    elements: &Elements<'a>,
    from: usize,
    to: usize,
    steps: &[Step],
    done: usize,
) -> Result<Place<'a>, PathError> {
    let first = element(place, elements, from);
    let start = first.at;
    let part = select(first, steps, done + 1)?;
    let start = elements
        .start
        .saturating_add(elements.stride.saturating_mul(from))
        .saturating_add(part.at - start);
    let (len, stride, element) = (to.saturating_sub(from), elements.stride, part.layout);
    let elements = Elements { len, stride, start, element };
    Ok(Place { layout: Layout::Elements(Arc::new(elements)), ..place.clone() })
}

pub(super) fn element<'a>(place: &Place<'a>, elements: &Elements<'a>, number: usize) -> Place<'a> {
    let at = place.at.saturating_add(elements.start);
    let at = at.saturating_add(elements.stride.saturating_mul(number));
    Place { bytes: place.bytes, at, layout: elements.element.clone() }
}

fn part<'a>(place: &Place<'a>, fields: &Fields<'a>, number: usize) -> Place<'a> {
    match fields.get(number) {
        Some(part) => {
            let at = place.at.saturating_add(part.offset);
            Place { bytes: place.bytes, at, layout: part.layout }
        }
        None => place.clone(), // callers pass the number of a field
    }
}

fn find(fields: &Fields<'_>, name: &str) -> Option<usize> {
    (0..fields.len()).find(|number| fields.is_named(*number, name))
}

/// The number of an element that may be counted from the end; `None` before the first.
fn from_start(index: i64, len: usize) -> Option<usize> {
    match usize::try_from(index) {
        Ok(index) => Some(index),
        Err(_) => len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?),
    }
}

fn no_field(fields: &Fields<'_>, at: String, name: &str) -> PathError {
    const SHOWN: usize = 20;
    let name = name.to_owned();
    let names = (0..fields.len()).filter_map(|number| Some(fields.get(number)?.name.to_owned()));
    let mut fields: Vec<String> = names.take(SHOWN + 1).collect();
    if fields.len() > SHOWN {
        fields.truncate(SHOWN);
        fields.push("..".to_owned());
    }
    PathError::NoField { at, name, fields }
}

fn no_part(steps: &[Step], done: usize, leaf: &Value<'_>) -> PathError {
    PathError::NoPart {
        at: Steps(steps.get(..done).unwrap_or_default()).to_string(),
        found: match leaf {
            Value::Text(_) => "a text",
            Value::Missing => "missing",
            _ => "a number",
        },
        step: Steps(steps.get(done..=done).unwrap_or_default()).to_string(),
    }
}
