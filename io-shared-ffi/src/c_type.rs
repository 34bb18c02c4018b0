//! Schemas of C structs: the tables that the header's macros make of a struct, and the schema that
//! they describe.
//!
//! C's compiler writes the offsets and sizes into the tables. Here they are read, and compared with
//! what a message may be. A table that is wrong is an error that says what to write instead.

use std::ffi::{c_char, c_void};
use std::ptr::null;

use io_shared_core::Schema;
use io_shared_core::message::Shape;
use io_shared_core::schema::{Enum, Field, Scalar, Struct, Type};

use crate::call::call;
use crate::memory::text_into_c;
use crate::options::schema as schema_of_text;
use crate::pointer::{Arguments, CText, In, Out, Slice};
use crate::status::{Failure, Outcome, ios_status};

/// A type of C, for `ios_schema_of`. The macros `IOS_MESSAGE`, `IOS_ENUM`, `IOS_TEXT` and
/// `IOS_ARRAY_TYPE` make such tables, and so does `io_shared.hpp`; the numbers are part of the
/// library.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct ios_type {
    /// The code of a number (`<f4`) or of a text (`|S`); otherwise NULL.
    pub code: *const c_char,
    /// The name of a struct or an enum; otherwise NULL.
    pub name: *const c_char,
    /// `sizeof` of the type.
    pub size: usize,
    /// `alignof` of the type.
    pub align: usize,
    /// The members of a struct; otherwise NULL.
    pub members: *const ios_member,
    /// The variants of an enum; otherwise NULL.
    pub variants: *const ios_variant,
    /// The `ios_type` of an array's elements, or of the number that an enum is stored as; otherwise
    /// NULL.
    pub element: *const c_void,
    /// How many members, variants or elements there are.
    pub count: usize,
}

/// A member of a struct.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct ios_member {
    /// Its name.
    pub name: *const c_char,
    /// Its `ios_type`, or that of its elements.
    pub of: *const c_void,
    /// Where it lies in the struct.
    pub offset: usize,
    /// `sizeof` of the member; 0 for a tail, and for the data of lists.
    pub size: usize,
    /// The lengths of an array, the outermost first; 0 for no axis. Of a list: how many axes.
    pub counts: [usize; 3],
    /// Which of `IOS_MEMBER_FIELD`, `IOS_MEMBER_TAIL`, `IOS_MEMBER_LIST`, `IOS_MEMBER_DATA`,
    /// `IOS_MEMBER_UNIT` and `IOS_MEMBER_NAME`.
    pub role: u32,
}

/// A variant of an enum.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct ios_variant {
    /// Its name.
    pub name: *const c_char,
    /// The number that stands for it.
    pub number: i64,
}

/// A member of one value, or an array of a fixed length.
pub const IOS_MEMBER_FIELD: u32 = 0;
/// Any number of elements at the end of the message.
pub const IOS_MEMBER_TAIL: u32 = 1;
/// An `ios_list`, or a list of several axes.
pub const IOS_MEMBER_LIST: u32 = 2;
/// The data of lists, at the end of the message.
pub const IOS_MEMBER_DATA: u32 = 3;
/// No member: the unit of the member before, in place of a name.
pub const IOS_MEMBER_UNIT: u32 = 4;
/// No member: another name of the member before, which the schema has.
pub const IOS_MEMBER_NAME: u32 = 5;

// SAFETY: the library's own tables have pointers to constants only, which nobody changes.
unsafe impl Sync for ios_type {}

const fn number(code: &'static std::ffi::CStr, size: usize) -> ios_type {
    let (members, variants, element) = (null(), null(), null());
    let (code, name) = (code.as_ptr(), null());
    ios_type { code, name, size, align: size, members, variants, element, count: 0 }
}

/// `uint8_t`.
#[unsafe(no_mangle)]
pub static ios_type_u8: ios_type = number(c"|u1", 1);
/// `uint16_t`.
#[unsafe(no_mangle)]
pub static ios_type_u16: ios_type = number(c"<u2", 2);
/// `uint32_t`.
#[unsafe(no_mangle)]
pub static ios_type_u32: ios_type = number(c"<u4", 4);
/// `uint64_t`.
#[unsafe(no_mangle)]
pub static ios_type_u64: ios_type = number(c"<u8", 8);
/// `int8_t`.
#[unsafe(no_mangle)]
pub static ios_type_i8: ios_type = number(c"|i1", 1);
/// `int16_t`.
#[unsafe(no_mangle)]
pub static ios_type_i16: ios_type = number(c"<i2", 2);
/// `int32_t`.
#[unsafe(no_mangle)]
pub static ios_type_i32: ios_type = number(c"<i4", 4);
/// `int64_t`.
#[unsafe(no_mangle)]
pub static ios_type_i64: ios_type = number(c"<i8", 8);
/// `uint16_t`, the bits of a number of 16 bits (IEEE 754).
#[unsafe(no_mangle)]
pub static ios_type_f16: ios_type = number(c"<f2", 2);
/// `float`.
#[unsafe(no_mangle)]
pub static ios_type_f32: ios_type = number(c"<f4", 4);
/// `double`.
#[unsafe(no_mangle)]
pub static ios_type_f64: ios_type = number(c"<f8", 8);
/// `bool`.
#[unsafe(no_mangle)]
pub static ios_type_bool: ios_type = number(c"|b1", 1);
/// A `char` array that is a text, as long as the member.
#[unsafe(no_mangle)]
pub static ios_type_text: ios_type = number(c"|S", 1);

/// The schema of a C struct, as JSON: for `options.schema`. `type` is the table that a macro made:
///
/// ```c
/// typedef struct {
///   uint64_t frame;
///   bool valid;
///   uint8_t pad[7];
/// } Pose;
/// IOS_MESSAGE(Pose, IOS_FIELD(Pose, u64, frame), IOS_FIELD(Pose, bool, valid),
///             IOS_ARRAY(Pose, u8, pad));
///
/// char *schema;
/// ios_schema_of(&ios_type_Pose, &schema);
/// ```
///
/// `IOS_BAD_SCHEMA`: the struct cannot be a message, because of padding for example. The text says
/// which member to add. The caller frees the schema with `ios_text_free`.
///
/// # Safety
/// `type` is NULL or a table that the header's macros made; `schema` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_schema_of(
    r#type: *const ios_type,
    schema: *mut *mut c_char,
) -> ios_status {
    call(|arguments| {
        // SAFETY: a pointer may be written to `schema`.
        let out = unsafe { arguments.read(Out(schema, "schema")) }?;
        // SAFETY: the table is one of the macros', which are constants.
        let described = unsafe { describe(arguments, r#type.cast(), 0) }?;
        // The checks of a schema from elsewhere are those of one that a program writes by hand.
        out.set(text_into_c(schema_of_text(&Schema::new(described).to_json())?.to_json()));
        Ok(())
    })
}

/// How deep structs may lie in each other: no deeper than a schema's types.
const DEEPEST: usize = 32;

/// The type that a table describes.
///
/// # Safety
/// `ty` is NULL, or a table of the macros; the same for what it points to.
unsafe fn describe(arguments: &Arguments, ty: *const c_void, depth: usize) -> Outcome<Type> {
    if depth > DEEPEST {
        return Err(bad(format!("types are nested more than {DEEPEST} deep")));
    }
    // SAFETY: a table is a live constant.
    let ty = unsafe { arguments.read(In(ty.cast::<ios_type>(), "type")) }?;
    if !ty.code.is_null() {
        // SAFETY: a code is a text.
        let code = unsafe { arguments.read(CText(ty.code, "code")) }?;
        return match code {
            "|S" => Ok(Type::Text(ty.count)),
            _ => Scalar::from_code(code)
                .map(Type::Scalar)
                .ok_or_else(|| bad(format!("`{code}` is not the code of a number"))),
        };
    }
    if ty.members.is_null() && ty.variants.is_null() {
        // SAFETY: the elements' table is one of the macros'.
        let element = unsafe { describe(arguments, ty.element, depth + 1) }?;
        return Ok(Type::Array { count: ty.count, element: Box::new(element) });
    }
    // SAFETY: a struct and an enum have a name.
    let name = unsafe { arguments.read(CText(ty.name, "name")) }?;
    if ty.members.is_null() {
        // SAFETY: the table is an enum's.
        return unsafe { describe_enum(arguments, ty, name, depth) };
    }
    // SAFETY: there are `count` members.
    let members = unsafe { arguments.read(Slice(ty.members, ty.count, "members")) }?;
    let mut layout = Layout::new(name, ty);
    for member in members {
        // SAFETY: a member's name is a text.
        let name = unsafe { arguments.read(CText(member.name, "name")) }?;
        let of = match member.role {
            IOS_MEMBER_UNIT => {
                layout.last("unit", name)?.unit = name.to_owned();
                continue;
            }
            IOS_MEMBER_NAME => {
                layout.last("name", name)?.name = name.to_owned();
                continue;
            }
            IOS_MEMBER_DATA => Type::ListData,
            // SAFETY: its table is one of the macros'.
            _ => unsafe { describe(arguments, member.of, depth + 1) }?,
        };
        layout.add(name, member, of)?;
    }
    layout.finish().map(Type::Struct)
}

/// The type that the table of an enum describes.
///
/// # Safety
/// As for [`describe`].
unsafe fn describe_enum(
    arguments: &Arguments,
    ty: &ios_type,
    name: &str,
    depth: usize,
) -> Outcome<Type> {
    // SAFETY: the number's table is one of the macros'.
    let stored = unsafe { describe(arguments, ty.element, depth + 1) }?;
    let Type::Scalar(scalar) = stored else {
        return Err(bad(format!("the enum `{name}` is not stored as a number")));
    };
    // SAFETY: there are `count` variants.
    let variants = unsafe { arguments.read(Slice(ty.variants, ty.count, "variants")) }?;
    let mut of = Enum::new(name, scalar);
    for variant in variants {
        // SAFETY: a variant's name is a text.
        of = of.variant(variant.number, unsafe { arguments.read(CText(variant.name, "name")) }?);
    }
    Ok(Type::Enum(of))
}

/// A struct while its members are read.
struct Layout<'t> {
    name: &'t str,
    ty: &'t ios_type,
    /// Where the last member ends.
    end: usize,
    align: usize,
    fields: Vec<Field>,
}

impl<'t> Layout<'t> {
    fn new(name: &'t str, ty: &'t ios_type) -> Self {
        Self { name, ty, end: 0, align: ty.align, fields: Vec::new() }
    }

    /// Adds the next member, whose type is `of`, or that of its elements.
    fn add(&mut self, name: &str, member: &ios_member, of: Type) -> Outcome {
        let of = match of {
            Type::Text(0) if member.role == IOS_MEMBER_FIELD => Type::Text(member.size),
            of => of,
        };
        let [axes, ..] = member.counts;
        let mut offset = member.offset;
        let of = match member.role {
            IOS_MEMBER_TAIL => Type::Slice { element: Box::new(of) },
            IOS_MEMBER_LIST => {
                self.align = self.align.max(of.shape().align);
                Type::List { axes, element: Box::new(of) }
            }
            IOS_MEMBER_DATA => {
                offset = self.end;
                of
            }
            _ => member
                .counts
                .iter()
                .rev()
                .filter(|count| **count > 0)
                .fold(of, |of, count| Type::Array { count: *count, element: Box::new(of) }),
        };
        if of.shape().element.is_none() && of.shape().size != member.size {
            let (is, says) = (member.size, of.shape().size);
            return Err(self.bad(format!(
                "member `{name}` has {is} bytes, and what the macro says of it {says}: is it an \
                 array, or of another type?"
            )));
        }
        if offset > self.end {
            let pad = offset - self.end;
            return Err(self.bad(format!(
                "there is padding before `{name}`: add a member `uint8_t pad{}[{pad}]` there, \
                 with IOS_ARRAY(.., u8, ..)",
                self.end
            )));
        }
        self.end = offset.saturating_add(of.shape().size);
        self.fields.push(Field::new(name, offset, of));
        Ok(())
    }

    /// The last member, of which a unit or a name is said.
    fn last(&mut self, what: &str, said: &str) -> Outcome<&mut Field> {
        self.fields.last_mut().ok_or_else(|| {
            bad(format!("struct {}: the {what} `{said}` stands before all members", self.name))
        })
    }

    fn finish(self) -> Outcome<Struct> {
        let element = self.fields.last().and_then(|last| last.ty.shape().element);
        let (size, end) = (self.ty.size, self.end);
        let pad = size.saturating_sub(end);
        let has_lists = self.fields.last().is_some_and(|last| last.ty == Type::ListData);
        if has_lists && pad >= self.ty.align {
            return Err(self.bad(format!(
                "the last {pad} bytes are in no member that the macro lists: list the member \
                 before IOS_DATA, since the elements of the lists begin after those listed"
            )));
        }
        if element.is_none() && pad > 0 {
            return Err(self.bad(format!(
                "there is padding at the end, or a member is left out: add a member \
                 `uint8_t pad{end}[{pad}]`, with IOS_ARRAY(.., u8, ..)"
            )));
        }
        let shape = Shape { size: end, align: self.align, element };
        let empty = Struct::new(self.name, shape);
        Ok(self.fields.into_iter().fold(empty, Struct::field))
    }

    #[cold]
    fn bad(&self, text: String) -> Failure {
        bad(format!("struct {}: {text}", self.name))
    }
}

#[cold]
fn bad(text: String) -> Failure {
    Failure::Said(ios_status::IOS_BAD_SCHEMA, text)
}
