//! Messages that stay CDR in their channel, to look at.
//!
//! A channel cannot have them as structs, but a schema that is only read can: its lists may be in
//! elements of other lists. So whatever shows a message by its schema shows these too.

use io_shared_core::Schema;
use io_shared_core::schema::{Struct, Type};

use crate::definition::Definition;
use crate::error::{CdrError, DefinitionError};
use crate::foreign::TEXT_BYTES;
use crate::layout::Builder;
use crate::ros_text::{self, Messages, RosField};
use crate::value::{self, Texts};
use crate::wire::Reader;

/// The type of the messages in a channel of CDR, by the definition that its schema brings along.
///
/// # Examples
/// ```
/// use io_shared_core::Value;
/// use io_shared_formats::{CdrType, Foreign};
///
/// let text = "pkg/Path[] paths\n===\nMSG: pkg/Path\nuint8[] steps\n";
/// let foreign = Foreign::parse("pkg/msg/Plan", text)?;
/// assert!(foreign.is_cdr());
///
/// let ty = CdrType::of(foreign.schema())?.expect("its schema has the definition");
/// assert_eq!(ty.definition().name, "pkg/msg/Plan");
/// let cdr = [0, 1, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 7, 8];
/// let (schema, message) = ty.decode(&cdr)?;
/// let shown = Value::decode(&schema, &message)?.json().to_string();
/// assert_eq!(shown, r#"{"paths":[{"steps":[7,8]}]}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct CdrType {
    definition: Definition,
    name: String,
    fields: Vec<RosField>,
    messages: Messages,
}

impl CdrType {
    /// The type that the schema of a channel of CDR describes. `None`: it is another schema.
    /// [`CdrType`] has an example.
    ///
    /// # Errors
    /// [`DefinitionError`]: its definition is damaged.
    pub fn of(schema: &Schema) -> Result<Option<CdrType>, DefinitionError> {
        let Some((name, text)) = definition(schema) else { return Ok(None) };
        let (fields, messages) = ros_text::parse(name, text)?;
        let definition = Definition { name: name.to_owned(), text: text.to_owned() };
        let name = name.rsplit('/').next().unwrap_or(name).to_owned();
        Ok(Some(CdrType { definition, name, fields, messages }))
    }

    /// The type's ROS 2 name and its definition, as others need them to read its messages.
    /// [`CdrType`] has an example.
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// A message with this CDR, and a schema by which it can be shown, and not put: texts have
    /// their whole length, and lists may be in lists. [`CdrType`] has an example.
    ///
    /// # Errors
    /// [`CdrError`]: it is not the CDR of such a message, or has what cannot be shown, such as a
    /// text of wide characters.
    pub fn decode(&self, cdr: &[u8]) -> Result<(Schema, Vec<u8>), CdrError> {
        let (schema, message, longest) = self.with_texts(cdr, TEXT_BYTES)?;
        if longest <= TEXT_BYTES {
            return Ok((schema, message));
        }
        // Every text has as much room as the longest one. Where that is too much, they are cut.
        match self.with_texts(cdr, longest) {
            Ok((schema, message, _)) => Ok((schema, message)),
            Err(_) => Ok((schema, message)),
        }
    }

    /// The same with this room for each text, and the bytes of the longest one.
    fn with_texts(
        &self,
        cdr: &[u8],
        text_bytes: usize,
    ) -> Result<(Schema, Vec<u8>, usize), CdrError> {
        let unsupported = |what: String| CdrError::Unsupported { what };
        let mut builder = Builder::new(&self.messages, text_bytes, true);
        let layout = builder.message(&self.name, &self.fields, 0);
        let layout = layout.map_err(|error| unsupported(error.to_string()))?;
        let layout = layout.ok_or_else(|| unsupported(format!("a {}", self.name)))?;
        let root = Type::Struct(layout);
        let mut reader = Reader::new(cdr)?;
        let message = value::read_message(&mut reader, &root, Texts::Cut)?;
        reader.end()?;
        Ok((Schema::new(root), message, reader.longest))
    }
}

/// The name and the text of the definition in a schema for CDR.
pub(crate) fn definition(schema: &Schema) -> Option<(&str, &str)> {
    let Type::Struct(Struct { name, doc, fields, .. }) = schema.root() else { return None };
    let is_cdr = name == "Cdr" && matches!(&fields[..], [field] if field.name == "cdr");
    doc.split_once('\n').filter(|_| is_cdr)
}
