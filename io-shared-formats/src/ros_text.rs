//! Message definitions: the text of `.msg` files, with the types in it after lines of `=`.
//!
//! One parser reads those of ROS 1 and of ROS 2. `time` and `duration` of ROS 1 are the messages
//! that ROS 2 has in their place, which have the same bytes.

use std::collections::HashMap;

use io_shared_core::schema::Scalar;

use crate::error::DefinitionError;
use crate::wire::Ros;

/// A field of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RosField {
    pub(crate) name: String,
    pub(crate) base: Base,
    pub(crate) repeats: Repeats,
}

/// The header that a message begins with.
pub(crate) const HEADER: &str = "std_msgs/Header";
pub(crate) const TIME: &str = "builtin_interfaces/Time";
pub(crate) const DURATION: &str = "builtin_interfaces/Duration";

/// What a field, or an element of it, is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Base {
    Number(Scalar),
    /// A text, with a bound if it has one.
    Text(Option<usize>),
    /// A text of characters of 32 bits.
    WideText,
    /// Another message, by `package/Name`.
    Message(String),
}

/// How many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeats {
    One,
    Array(usize),
    Sequence,
}

/// The messages of a text, by `package/Name`.
pub(crate) type Messages = HashMap<String, Vec<RosField>>;

/// What messages in recordings often use without bringing it along.
const COMMON: &str =
    concat!("MSG: builtin_interfaces/Duration\nint32 sec\nuint32 nanosec\n", std_header!());

/// `package/Name` of `package/msg/Name`, or of `Name` in this package.
pub(crate) fn full_name(name: &str, package: &str) -> String {
    match name.split_once('/') {
        None => format!("{package}/{name}"),
        Some((package, rest)) => {
            format!("{package}/{}", rest.rsplit('/').next().unwrap_or(rest))
        }
    }
}

/// Which ROS has a type of this name: `package/msg/Name`, or `package/Name` in ROS 1.
pub(crate) fn ros_of(name: &str) -> Ros {
    if name.split('/').count() == 2 { Ros::One } else { Ros::Two }
}

/// Reads a definition: its own fields, and those of the messages in it.
pub(crate) fn parse(name: &str, text: &str) -> Result<(Vec<RosField>, Messages), DefinitionError> {
    let ros = ros_of(name);
    let mut messages = Messages::new();
    let mut own = Vec::new();
    for (number, section) in sections(text).into_iter().enumerate() {
        let name = section.name.clone().unwrap_or_else(|| name.to_owned());
        let package = name.split('/').next().unwrap_or_default().to_owned();
        let lines = section.lines.iter();
        let fields = lines.filter_map(|line| field(line, &package, ros).transpose());
        let fields = fields.collect::<Result<Vec<_>, _>>()?;
        match number {
            0 => own = fields,
            _ => {
                messages.entry(full_name(&name, &package)).or_insert(fields);
            }
        }
    }
    for section in sections(COMMON) {
        let name = section.name.unwrap_or_default();
        let fields = section.lines.iter().filter_map(|line| field(line, "", ros).transpose());
        let mut fields = fields.collect::<Result<Vec<_>, _>>()?;
        if name == HEADER && ros == Ros::One {
            fields.insert(0, seq());
        }
        messages.entry(name).or_insert(fields);
    }
    Ok((own, messages))
}

/// The field of a header that only ROS 1 has.
pub(crate) fn seq() -> RosField {
    RosField { name: "seq".into(), base: Base::Number(Scalar::U32), repeats: Repeats::One }
}

/// A message of a definition: its name, unless it is the first one, and its lines.
#[derive(Default)]
pub(crate) struct Section<'t> {
    pub(crate) name: Option<String>,
    pub(crate) lines: Vec<&'t str>,
}

pub(crate) fn sections(text: &str) -> Vec<Section<'_>> {
    let mut sections = vec![Section::default()];
    for line in text.lines() {
        let line = line.trim();
        let is_separator = line.len() >= 3 && line.bytes().all(|byte| byte == b'=');
        if is_separator {
            sections.push(Section::default());
        } else if let Some(section) = sections.last_mut() {
            match line.strip_prefix("MSG:") {
                Some(name) if section.lines.is_empty() => {
                    section.name = Some(name.trim().to_owned());
                }
                _ => section.lines.push(line),
            }
        }
    }
    sections
}

/// The field of a line. `None`: it has none, but a constant or a comment.
pub(crate) fn field(
    line: &str,
    package: &str,
    ros: Ros,
) -> Result<Option<RosField>, DefinitionError> {
    let wrong = |what: &str| DefinitionError { at: line.to_owned(), what: what.to_owned() };
    let line_without = line.split('#').next().unwrap_or_default().trim();
    if line_without.is_empty() {
        return Ok(None);
    }
    let expected = || wrong("expected a type and a name");
    let (ty, rest) = line_without.split_once(char::is_whitespace).ok_or_else(expected)?;
    let rest = rest.trim_start();
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    if after.trim_start().starts_with('=') {
        return Ok(None);
    }
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic());
    // What follows a name is its default.
    if !is_name || !(after.is_empty() || after.starts_with(char::is_whitespace)) {
        return Err(expected());
    }
    let (base, repeats) = match ty.strip_suffix(']').and_then(|ty| ty.rsplit_once('[')) {
        None => (ty, Repeats::One),
        Some((base, "")) => (base, Repeats::Sequence),
        Some((base, count)) => match count.strip_prefix("<=") {
            Some(_) => (base, Repeats::Sequence),
            None => {
                let count = count.parse().map_err(|_| wrong("its array has no number"))?;
                (base, Repeats::Array(count))
            }
        },
    };
    let (base, bound) = match base.split_once("<=") {
        Some((base, bound)) => {
            let bound = bound.parse().map_err(|_| wrong("its bound is no number"))?;
            (base, Some(bound))
        }
        None => (base, None),
    };
    let base = match (base, number(base)) {
        ("byte", _) if ros == Ros::One => Base::Number(Scalar::I8),
        (_, Some(scalar)) => Base::Number(scalar),
        ("string", _) => Base::Text(bound),
        ("wstring", _) => Base::WideText,
        ("time", _) => Base::Message(TIME.to_owned()),
        ("duration", _) => Base::Message(DURATION.to_owned()),
        ("Header", _) if ros == Ros::One => Base::Message(HEADER.to_owned()),
        (base, _) => Base::Message(full_name(base, package)),
    };
    Ok(Some(RosField { name: name.to_owned(), base, repeats }))
}

fn number(word: &str) -> Option<Scalar> {
    Some(match word {
        "bool" => Scalar::Bool,
        "uint8" | "byte" | "char" => Scalar::U8,
        "int8" => Scalar::I8,
        "uint16" => Scalar::U16,
        "int16" => Scalar::I16,
        "uint32" => Scalar::U32,
        "int32" => Scalar::I32,
        "uint64" => Scalar::U64,
        "int64" => Scalar::I64,
        "float32" => Scalar::F32,
        "float64" => Scalar::F64,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_have_fields_constants_defaults_and_other_messages() {
        let text = "# a comment\nuint8 A=1\nuint8 B = 2\nstring<=10 name \"x # y\"\n\
                    float64[9] covariance\nOther[] others\nint32[<=3] few 5\nwstring w\n\
                    ===\nMSG: pkg/msg/Other\nbool b # why\n";
        let (own, messages) = parse("pkg/msg/A", text).unwrap();
        let shown: Vec<_> = own.iter().map(|f| (&*f.name, f.base.clone(), f.repeats)).collect();
        assert_eq!(
            shown,
            [
                ("name", Base::Text(Some(10)), Repeats::One),
                ("covariance", Base::Number(Scalar::F64), Repeats::Array(9)),
                ("others", Base::Message("pkg/Other".into()), Repeats::Sequence),
                ("few", Base::Number(Scalar::I32), Repeats::Sequence),
                ("w", Base::WideText, Repeats::One),
            ]
        );
        assert_eq!(messages["pkg/Other"][0].name, "b");
        assert!(messages.contains_key("std_msgs/Header"));
    }

    #[test]
    fn a_definition_of_ros_1_has_times_and_a_header_with_a_number() {
        let text = "Header header\ntime at\nduration[] waits\nbyte b\nchar c\nstring S=a # b\n";
        let (own, messages) = parse("pkg/A", text).unwrap();
        let bases: Vec<_> = own.iter().map(|field| field.base.clone()).collect();
        let message = |name: &str| Base::Message(name.into());
        assert_eq!(bases[..3], [message(HEADER), message(TIME), message(DURATION)]);
        assert_eq!(bases[3..], [Base::Number(Scalar::I8), Base::Number(Scalar::U8)]);
        let names: Vec<_> = messages[HEADER].iter().map(|field| &*field.name).collect();
        assert_eq!(names, ["seq", "stamp", "frame_id"]);
        let (own, messages) = parse("pkg/msg/A", "byte b\n").unwrap();
        assert_eq!(own[0].base, Base::Number(Scalar::U8));
        assert_eq!(messages[HEADER].len(), 2);
    }

    #[test]
    fn what_is_no_definition_is_an_error_with_its_line() {
        for bad in ["uint8", "uint8 _x", "uint8[x] a", "string<=y a", "uint8 a-b"] {
            let error = parse("p/msg/A", &format!("bool ok\n{bad}\n")).unwrap_err();
            assert_eq!(error.at, bad);
        }
    }
}
