//! A type of ROS, by its definition: what of it a channel can have, and where its schema keeps it.

use io_shared_core::Schema;
use io_shared_core::schema::{Struct, Type};

use crate::error::DefinitionError;
use crate::layout::Builder;
use crate::ros_text::{self, Base, HEADER, Messages, Repeats, RosField};
use crate::wire::Ros;

/// The most bytes that a message has without its sequences.
const MOST_BYTES: usize = 64 << 20;

/// A type of message: its definition as it came, and what it says.
#[derive(Debug, Clone)]
pub(crate) struct RosType {
    /// `package/msg/Name`, or `package/Name` in ROS 1.
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) fields: Vec<RosField>,
    pub(crate) messages: Messages,
}

impl RosType {
    pub(crate) fn parse(name: &str, text: &str) -> Result<RosType, DefinitionError> {
        let (fields, messages) = ros_text::parse(name, text)?;
        let name = name.to_owned();
        Ok(RosType { name, text: compact(text), fields, messages })
    }

    /// The type that the messages of a channel came from, which its schema remembers.
    pub(crate) fn remembered(schema: &Schema) -> Option<RosType> {
        let Type::Struct(Struct { doc, .. }) = schema.root() else { return None };
        let (name, text) = doc.split_once('\n')?;
        let is_name = matches!(name.split('/').count(), 2 | 3)
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_/".contains(&byte));
        is_name.then(|| RosType::parse(name, text).ok())?
    }

    /// What a schema remembers the type by: the documentation of its struct.
    pub(crate) fn memory(&self) -> String {
        format!("{}\n{}", self.name, self.text)
    }

    /// The struct that holds such a message, with this room for each text without a bound; `None`
    /// if none can.
    pub(crate) fn layout(&self, text_bytes: usize) -> Result<Option<Struct>, DefinitionError> {
        let mut builder = Builder::new(&self.messages, text_bytes, false);
        builder.message(self.bare_name(), &self.fields, 0)
    }

    fn bare_name(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }

    /// Refuses a type that cannot be walked: it has itself in it, or is too large, or has
    /// characters of 32 bits.
    pub(crate) fn check(&self) -> Result<(), DefinitionError> {
        let layout = Builder::new(&self.messages, 1, true).message("", &self.fields, 0)?;
        match layout {
            Some(layout) if layout.shape.size <= MOST_BYTES => Ok(()),
            _ => Err(DefinitionError {
                at: self.name.clone(),
                what: "it has wide characters, or itself in it, or is too large".to_owned(),
            }),
        }
    }

    /// The same type in this ROS, by the name that it has there: headers have a number in ROS 1
    /// alone.
    pub(crate) fn in_ros(mut self, ros: Ros) -> RosType {
        if ros_text::ros_of(&self.name) == ros {
            return self;
        }
        let package = self.name.split('/').next().unwrap_or_default().to_owned();
        let middle = if ros == Ros::Two { "/msg/" } else { "/" };
        self.name = format!("{package}{middle}{}", self.bare_name());
        for (name, fields) in &mut self.messages {
            if name == HEADER {
                fields.retain(|field| field.name != "seq");
                if ros == Ros::One {
                    fields.insert(0, ros_text::seq());
                }
            }
        }
        self.text = match ros {
            Ros::One => crate::ros_one::text(&self.text),
            Ros::Two => self.text,
        };
        self
    }

    /// Whether its first field is a header.
    pub(crate) fn has_header(&self) -> bool {
        let header = Base::Message(HEADER.to_owned());
        self.fields.first().is_some_and(|f| f.base == header && f.repeats == Repeats::One)
    }
}

/// A definition without its comments and empty lines.
fn compact(text: &str) -> String {
    let is_constant = |line: &str| {
        let mut words = line.splitn(2, char::is_whitespace);
        let is_text = words.next().is_some_and(|word| word.ends_with("string"));
        let name = words.next().unwrap_or_default().trim_start();
        let after = name.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
        is_text && after.trim_start().starts_with('=')
    };
    let mut compact = String::new();
    for line in text.lines().map(str::trim) {
        let line = match is_constant(line) {
            true => line,
            false => line.split('#').next().unwrap_or_default().trim_end(),
        };
        if !line.is_empty() {
            compact.push_str(line);
            compact.push('\n');
        }
    }
    compact
}
