//! Definitions as ROS 1 has them, and what their MD5 sums are of.

use crate::error::DefinitionError;
use crate::ros_text::{self, Base, HEADER, Repeats, RosField, Section};
use crate::wire::Ros;

/// A definition of ROS 2 in the language of ROS 1.
pub(crate) fn text(text: &str) -> String {
    let mut out = String::new();
    let sections = ros_text::sections(text);
    for section in &sections {
        let name = section.name.as_deref().map(|name| ros_text::full_name(name, ""));
        if matches!(name.as_deref(), Some(ros_text::TIME | ros_text::DURATION)) {
            continue;
        }
        if let Some(name) = &name {
            out.push_str(&format!("{}\nMSG: {name}\n", "=".repeat(80)));
        }
        if name.as_deref() == Some(HEADER) {
            out.push_str("uint32 seq\n");
        }
        for line in &section.lines {
            out.push_str(&line_of(line));
            out.push('\n');
        }
    }
    let has = |name: &str| sections.iter().any(|section| section.name.as_deref() == Some(name));
    if out.contains(HEADER) && !has(HEADER) && !has("std_msgs/msg/Header") {
        let header = "uint32 seq\ntime stamp\nstring frame_id\n";
        out.push_str(&format!("{}\nMSG: {HEADER}\n{header}", "=".repeat(80)));
    }
    out
}

/// A line of ROS 2 as one of ROS 1: without bounds and defaults.
fn line_of(line: &str) -> String {
    let field = match ros_text::field(line, "", Ros::Two) {
        Ok(Some(field)) => field,
        _ => return line.replacen(" = ", "=", 1),
    };
    let word = line.split_whitespace().next().unwrap_or_default();
    let base = match &field.base {
        Base::Number(_) => match word.split('[').next().unwrap_or_default() {
            "byte" | "char" => "uint8".to_owned(),
            word => word.to_owned(),
        },
        Base::Text(_) => "string".to_owned(),
        Base::WideText => "wstring".to_owned(),
        Base::Message(name) if name == ros_text::TIME => "time".to_owned(),
        Base::Message(name) if name == ros_text::DURATION => "duration".to_owned(),
        Base::Message(name) => name.trim_start_matches('/').to_owned(),
    };
    format!("{base}{} {}", repeats(&field), field.name)
}

fn repeats(field: &RosField) -> String {
    match field.repeats {
        Repeats::One => String::new(),
        Repeats::Array(count) => format!("[{count}]"),
        Repeats::Sequence => "[]".to_owned(),
    }
}

/// For each message of a definition of ROS 1, the text whose MD5 sum is that of the message, the
/// messages that it uses first. The sum of a message that is used stands in the text as its name in
/// braces.
pub(crate) fn summed(name: &str, text: &str) -> Result<Vec<(String, String)>, DefinitionError> {
    let sections = ros_text::sections(text);
    let mut summed = Vec::new();
    sum(name, &sections, 0, &mut summed)?;
    Ok(summed)
}

fn sum(
    name: &str,
    sections: &[Section<'_>],
    depth: usize,
    summed: &mut Vec<(String, String)>,
) -> Result<(), DefinitionError> {
    const DEEPEST: usize = 32;
    if summed.iter().any(|(known, _)| known == name) {
        return Ok(());
    }
    let is_own = |section: &&Section<'_>| match &section.name {
        None => depth == 0,
        Some(known) => ros_text::full_name(known, "") == name,
    };
    let found = sections.iter().find(is_own).filter(|_| depth < DEEPEST);
    let section = found.ok_or_else(|| DefinitionError {
        at: name.to_owned(),
        what: "its definition is missing, or it has itself in it".to_owned(),
    })?;
    let package = name.split('/').next().unwrap_or_default();
    let (mut constants, mut fields) = (String::new(), String::new());
    for line in &section.lines {
        let Some(field) = ros_text::field(line, package, Ros::One)? else {
            constants.push_str(&constant(line).unwrap_or_default());
            continue;
        };
        let word = line.split_whitespace().next().unwrap_or_default();
        let is_time = matches!(word.split('[').next(), Some("time" | "duration"));
        match &field.base {
            Base::Message(inner) if !is_time => {
                sum(inner, sections, depth + 1, summed)?;
                fields.push_str(&format!("{{{inner}}} {}\n", field.name));
            }
            _ => fields.push_str(&format!("{word} {}\n", field.name)),
        }
    }
    let whole = format!("{constants}{fields}");
    summed.push((name.to_owned(), whole.trim().to_owned()));
    Ok(())
}

/// A constant as its sum has it.
fn constant(line: &str) -> Option<String> {
    let (ty, rest) = line.split_once(char::is_whitespace)?;
    let (name, value) = rest.split_once('=')?;
    let value = match ty {
        "string" => value.trim_start(),
        _ => value.split('#').next().unwrap_or_default(),
    };
    Some(format!("{ty} {}={}\n", name.trim(), value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_of_ros_2_is_written_as_ros_1_has_it() {
        let two = "std_msgs/Header header\nbuiltin_interfaces/Time[] at\nuint8 A = 3\n\
                   string<=5[<=2] names\nbyte[3] raw\nfloat64 x 0.5\npkg/msg/B b\n===\nMSG: pkg/B\n\
                   builtin_interfaces/Duration d\n";
        let line = "=".repeat(80);
        let one = format!(
            "std_msgs/Header header\ntime[] at\nuint8 A=3\nstring[] names\nuint8[3] raw\n\
             float64 x\npkg/B b\n{line}\nMSG: pkg/B\nduration d\n{line}\nMSG: std_msgs/Header\n\
             uint32 seq\ntime stamp\nstring frame_id\n"
        );
        assert_eq!(text(two), one);
    }

    #[test]
    fn sums_are_of_constants_first_and_of_the_sums_of_what_is_used() {
        let text = "float32 x # c\nHeader h\nstring S= a # b\nuint8 N = 1 # c\ntime t\n\
                    ===\nMSG: std_msgs/Header\nuint32 seq\ntime stamp\nstring frame_id\n";
        let summed = summed("pkg/A", text).unwrap();
        assert_eq!(summed[0].0, "std_msgs/Header");
        assert_eq!(summed[0].1, "uint32 seq\ntime stamp\nstring frame_id");
        let whole = "string S=a # b\nuint8 N=1\nfloat32 x\n{std_msgs/Header} h\ntime t";
        assert_eq!(summed[1], ("pkg/A".to_owned(), whole.to_owned()));
    }
}
