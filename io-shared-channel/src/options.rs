//! The options of a channel, as its builder collects them and its handles use them.

use std::time::Duration;

use io_shared_core::{Error, ErrorKind, Location, Message, Name, Result, Schema, Size, Spec};

/// What the builder has collected.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) location: Wanted,
    pub(crate) capacity: Option<Capacity>,
    pub(crate) consumers: Option<usize>,
    pub(crate) holds: Option<usize>,
    pub(crate) history: Option<usize>,
    pub(crate) mode: Option<u32>,
    pub(crate) consumer_name: Option<String>,
    pub(crate) stamps: bool,
    pub(crate) prefault: bool,
    pub(crate) reopen: bool,
    pub(crate) open_timeout: Option<Duration>,
    pub(crate) wait_for_role: Option<Duration>,
    pub(crate) ephemeral: bool,
    pub(crate) replace: bool,
    pub(crate) growing: bool,
    pub(crate) requires_producer: bool,
    pub(crate) described: Described,
    pub(crate) kind: Option<String>,
}

/// Where the description of the messages comes from.
#[derive(Debug, Clone)]
pub(crate) enum Described {
    /// From their Rust type.
    ByType,
    /// The messages are bytes here, and have this schema for others.
    As(Schema),
    /// The messages are bytes here, and have whatever schema the channel has.
    ByChannel,
}

/// A location as it was given. A name is checked when the channel is opened.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    Name(String),
    Location(Location),
}

#[derive(Debug, Clone)]
pub(crate) enum Capacity {
    Bytes(Size),
    Elements(usize),
}

/// The capacity of a growing channel that nobody gave one, in bytes.
const FIRST_CAPACITY: u64 = 4096;

impl Options {
    /// Every option at its default.
    pub(crate) fn new(location: Wanted) -> Self {
        Self {
            location,
            capacity: None,
            consumers: None,
            holds: None,
            history: None,
            mode: None,
            consumer_name: None,
            stamps: true,
            prefault: false,
            reopen: true,
            open_timeout: None,
            wait_for_role: None,
            ephemeral: false,
            replace: false,
            growing: false,
            requires_producer: false,
            described: Described::ByType,
            kind: None,
        }
    }

    pub(crate) fn location(&self) -> Result<Location> {
        match &self.location {
            Wanted::Name(name) => Name::new(name).map(Location::from),
            Wanted::Location(location) => Ok(location.clone()),
        }
    }

    /// The location, as errors show it.
    pub(crate) fn describe(&self) -> String {
        match &self.location {
            Wanted::Name(name) => name.clone(),
            Wanted::Location(location) => location.to_string(),
        }
    }

    /// What core looks for or creates.
    pub(crate) fn spec<T: Message + ?Sized>(&self) -> Result<Spec> {
        let count = |option: &'static str, value: Option<usize>| {
            value.map(u32::try_from).transpose().map_err(|_| {
                let found = value.map_or_else(String::new, |value| value.to_string());
                self.refused(option, found, "a small number is meant".into())
            })
        };
        Ok(Spec {
            schema: self.schema_of::<T>()?,
            capacity: self.capacity_of::<T>()?,
            consumers: count("consumers", self.consumers)?,
            holds: count("holds", self.holds)?,
            history: count("history", self.history)?,
            mode: self.mode,
            prefault: self.prefault,
            open_timeout: self.open_timeout,
            wait_for_role: self.wait_for_role,
            ephemeral: self.ephemeral,
            replace: self.replace,
            growing: self.growing,
            reopen: self.reopen,
            ..Spec::default()
        })
    }

    /// The schema that the program has, with what it says of the values.
    pub(crate) fn schema_of<T: Message + ?Sized>(&self) -> Result<Option<Schema>> {
        let schema = match &self.described {
            Described::ByType => Schema::new(T::layout()),
            Described::As(schema) => schema.clone(),
            Described::ByChannel => return Ok(None),
        };
        let Some(kind) = &self.kind else { return Ok(Some(schema)) };
        let is_word = !kind.is_empty() && !kind.contains(char::is_whitespace);
        match schema.of_kind(kind).filter(|_| is_word) {
            Some(schema) => Ok(Some(schema)),
            None => Err(self.refused(
                "kind",
                kind.clone(),
                "one word, of messages that are structs or arrays".into(),
            )),
        }
    }

    fn capacity_of<T: Message + ?Sized>(&self) -> Result<Option<u64>> {
        let shape = match &self.described {
            Described::As(schema) => schema.root().shape(),
            Described::ByType | Described::ByChannel => T::SHAPE,
        };
        let fixed = shape.size as u64;
        let sized = shape.element.is_none();
        match &self.capacity {
            None if sized => Ok(Some(fixed)),
            None => Ok(self.growing.then_some(fixed.max(FIRST_CAPACITY))),
            Some(Capacity::Elements(elements)) => match shape.wire_len_of(*elements) {
                Some(bytes) => Ok(Some(bytes as u64)),
                None => Err(self.refused(
                    "elements",
                    elements.to_string(),
                    if sized {
                        "this message has a fixed size, and no tail".into()
                    } else {
                        "a message must stay below 2^63 bytes".into()
                    },
                )),
            },
            Some(Capacity::Bytes(size)) => {
                let bytes = size.bytes(self.describe())?;
                if bytes < fixed {
                    return Err(self.refused(
                        "capacity",
                        bytes.to_string(),
                        format!(
                            "one message has at least {fixed} byte{}",
                            if fixed == 1 { "" } else { "s" }
                        ),
                    ));
                }
                Ok(Some(if sized { fixed } else { bytes }))
            }
        }
    }

    /// Whether a handle opens its channel anew after `error`.
    pub(crate) fn reopens_after(&self, error: &Error) -> bool {
        self.reopen && *error.kind() == ErrorKind::Replaced
    }

    /// The options by which a handle opens its channel anew. It waits for no role, since a put
    /// never waits. Whatever type it accepted at first, its user may have asked for that by now:
    /// messages of another type would be misread.
    pub(crate) fn reopening(&self, schema: &Schema) -> Self {
        let described = match &self.described {
            Described::ByChannel => Described::As(schema.clone()),
            described => described.clone(),
        };
        Self { described, wait_for_role: None, ..self.clone() }
    }

    /// Refuses a producer that does not say what its messages are.
    pub(crate) fn check_described(&self) -> Result<()> {
        match self.described {
            Described::ByChannel => {
                let expected = "a producer says what it puts: .schema(..)".into();
                Err(self.refused("any_schema", String::new(), expected))
            }
            _ => Ok(()),
        }
    }

    fn refused(&self, option: &'static str, found: String, expected: String) -> Error {
        Error::new(self.describe(), ErrorKind::BadOption { option, found, expected })
    }
}
