//! The description of a message's layout, which a channel stores for other programs.
//!
//! A [`Schema`] is a tree of [`Type`]s that the derive builds from a struct's definition. Programs
//! compare schemas when they open a channel: [`hash`](Schema::hash) first, then
//! [`differences`](Schema::differences) for the error. Tools that never saw the Rust type, such as
//! Python, decode values by it. Its stored form is canonical JSON ([`json`]).
//!
//! What must stay true: a schema that [`Schema::from_json`] returns has passed every check listed
//! there, so code that walks it indexes no further than [`Type::shape`] says.

mod checks;
mod diff;
mod error;
pub(crate) mod half;
mod hash;
pub mod json;
mod types;

pub(crate) use checks::{Checks, Described, described, write_bad_value};
pub use error::SchemaError;
pub use types::{Enum, Field, Scalar, Struct, Type, Variant};

/// The layout of a message: what its bytes mean, by name, type and offset.
///
/// ```
/// use io_shared_core::{Message, Schema};
/// use io_shared_derive::Message;
///
/// #[derive(Message)]
/// #[repr(C)]
/// struct Labels {
///     frame: u64,
///     labels: [u32],
/// }
///
/// let schema = Labels::schema();
/// assert_eq!(schema.name(), "Labels");
/// assert_eq!(Schema::from_json(&schema.to_json()), Ok(schema));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    root: Type,
}

impl Schema {
    /// The schema of a message laid out like `root`.
    ///
    /// `root` is not checked: it comes from [`Message::layout`](crate::Message::layout). Text from
    /// elsewhere goes through [`from_json`](Self::from_json), which checks it.
    ///
    /// ```
    /// use io_shared_core::schema::{Scalar, Schema, Type};
    ///
    /// assert_eq!(Schema::new(Type::Scalar(Scalar::F32)).to_json(), r#""<f4""#);
    /// ```
    pub fn new(root: Type) -> Schema {
        Schema { root }
    }

    /// The type of the whole message.
    ///
    /// ```
    /// use io_shared_core::Message;
    /// use io_shared_core::schema::Type;
    ///
    /// assert_eq!(<[u8; 3]>::schema().root(), &<[u8; 3]>::layout());
    /// ```
    pub fn root(&self) -> &Type {
        &self.root
    }

    /// The name of the struct or enum. For any other message, its kind: the code of a number, or
    /// `text`, `array`, `slice`.
    ///
    /// ```
    /// use io_shared_core::Message;
    ///
    /// assert_eq!(f32::schema().name(), "<f4");
    /// assert_eq!(<[f32]>::schema().name(), "slice");
    /// ```
    pub fn name(&self) -> &str {
        match &self.root {
            Type::Scalar(scalar) => scalar.code(),
            Type::Text(_) => "text",
            Type::Array { .. } => "array",
            Type::Slice { .. } => "slice",
            Type::List { .. } => "list",
            Type::ListData => "lists",
            Type::Enum(of) => &of.name,
            Type::Struct(layout) => &layout.name,
        }
    }

    /// The same schema, which says what its values are: `cloud`, `image:bgr8`, `depth` or `none`,
    /// for those that show or record them. It is a word in the unit of the last field. `None`: the
    /// messages are no structs, so that there is no field that can say it.
    ///
    /// ```
    /// use io_shared_core::{Array, Message};
    ///
    /// let schema = Array::schema().of_kind("image:bgr8").unwrap();
    /// assert!(schema.to_json().contains(r#""unit":"image:bgr8""#));
    /// assert_eq!(schema.hash(), Array::schema().hash());
    /// assert!(f32::schema().of_kind("depth").is_none());
    /// ```
    pub fn of_kind(&self, kind: &str) -> Option<Schema> {
        let Type::Struct(mut layout) = self.root.clone() else { return None };
        let last = layout.fields.last_mut()?;
        last.unit = [&*last.unit, kind].join(" ").trim().to_owned();
        Some(Schema { root: Type::Struct(layout) })
    }

    /// A number that is equal for two schemas if their messages have the same field names, types
    /// and offsets. Names of structs and enums, variants, docs and units do not count.
    ///
    /// It is the 64-bit FNV-1a hash of this shape text, computed without allocating:
    ///
    /// ```text
    /// shape  = code                                            a number or text: <f4, |u1, |S64
    ///        | "enum" code                                     an enum
    ///        | "[" count "]" shape                             an array
    ///        | "[]" shape                                      a slice
    ///        | "list[" axes "]" shape                          a list
    ///        | "lists"                                         the data of lists
    ///        | "{" fields "}" size "%" align                   a struct
    /// fields = [ name ":" shape "@" offset *( ";" name ":" shape "@" offset ) ]
    /// ```
    ///
    /// FNV does not resist a deliberate search for collisions. If the other program is not trusted,
    /// also check that [`differences`](Self::differences) is empty.
    ///
    /// ```
    /// use io_shared_core::Message;
    ///
    /// assert_ne!(f32::schema().hash(), u32::schema().hash());
    /// assert_eq!(f32::schema().hash(), 0x701c_0618_3020_2169); // FNV-1a of "<f4"
    /// ```
    pub fn hash(&self) -> u64 {
        hash::of(&self.root)
    }

    /// The canonical JSON of this schema, byte for byte the same for equal schemas. The grammar is
    /// in [`json`].
    ///
    /// ```
    /// use io_shared_core::Message;
    ///
    /// assert_eq!(<[f32; 3]>::schema().to_json(), r#"{"array":3,"of":"<f4"}"#);
    /// ```
    pub fn to_json(&self) -> String {
        json::write(&self.root)
    }

    /// The schema that `text` describes, with every bound checked. The grammar is in [`json`].
    ///
    /// Unknown keys are ignored, so that later versions can add some. Even hostile text costs time
    /// and memory only in proportion to its length.
    ///
    /// ```
    /// use io_shared_core::Schema;
    ///
    /// let error = Schema::from_json(r#""<f3""#).unwrap_err();
    /// assert_eq!(error.to_string(), "the message: `<f3` is not the code of a type");
    /// ```
    ///
    /// # Errors
    ///
    /// [`SchemaError`] says what is wrong and where: the text is too long or too deep or is not
    /// JSON; keys are missing or have another kind of value; codes are unknown; names are empty,
    /// not plain or repeated; offsets leave gaps or overlap; sizes and alignments disagree with the
    /// fields; slices are not last; messages are larger than memory.
    pub fn from_json(text: &str) -> Result<Schema, SchemaError> {
        json::read(text).map(Schema::new)
    }

    /// One line for each field in which the messages of this program differ from those of
    /// `channel`, for the error at opening. Empty exactly if the schemas agree: their
    /// [`hash`](Self::hash) is equal, and no number of an enum has another name in each. (A variant
    /// that only one of them has is no difference.)
    ///
    /// Fields are matched by name. Offsets in a nested struct count from its start. The elements of
    /// arrays and slices are written `points[]`.
    ///
    /// ```
    /// use io_shared_core::Schema;
    ///
    /// let field = |code, size| {
    ///     let fields = format!(r#"[{{"name":"x","offset":0,"type":"{code}"}}]"#);
    ///     let sizes = format!(r#""size":{size},"align":{size}"#);
    ///     let text = format!(r#"{{"struct":"P",{sizes},"fields":{fields}}}"#);
    ///     Schema::from_json(&text).unwrap()
    /// };
    /// let (program, channel) = (field("<u2", 2), field("<f4", 4));
    /// assert_eq!(
    ///     program.differences(&channel),
    ///     ["field `x`: channel has <f4 at 0, this program <u2 at 0"],
    /// );
    /// ```
    pub fn differences(&self, channel: &Schema) -> Vec<String> {
        diff::lines(&self.root, &channel.root)
    }

    /// Whether a message of this schema is how a message of `longer` begins: both are structs,
    /// `longer` has the same fields at the same places and more after them, and neither ends in a
    /// slice. (Messages with lists both end in the lists' data, which comes after all fields.) A
    /// consumer or an observer of such a message opens a channel of `longer` messages, and gets its
    /// part of each.
    ///
    /// ```
    /// use io_shared_core::Schema;
    ///
    /// # use io_shared_core::Message;
    /// use io_shared_derive::Message;
    ///
    /// #[derive(Message)]
    /// #[repr(C)]
    /// struct Pose {
    ///     x: f64,
    /// }
    ///
    /// mod next {
    /// #     use io_shared_core::Message;
    /// #     use io_shared_derive::Message;
    ///     #[derive(Message)]
    ///     #[repr(C)]
    ///     pub struct Pose {
    ///         x: f64,
    ///         y: f64, // new
    ///     }
    /// }
    ///
    /// let (old, new) = (Pose::schema(), next::Pose::schema());
    /// assert!(old.is_prefix_of(&new));
    /// assert!(!new.is_prefix_of(&old));
    /// assert!(!old.is_prefix_of(&old), "a channel of the same messages is not longer");
    /// ```
    pub fn is_prefix_of(&self, longer: &Schema) -> bool {
        diff::is_prefix(&self.root, &longer.root)
    }
}
