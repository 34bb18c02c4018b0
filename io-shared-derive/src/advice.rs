//! Which types cannot cross a process boundary, and what to use instead.
//!
//! The derive sees names, not types. So it refuses by name only types that are in the prelude or
//! are written with their full path. For some other names it knows advice ([`hint`]), which appears
//! if the compiler finds that the type is not a message. For all others there is the note on the
//! `Message` trait.
//!
//! Whoever follows the advice gets a struct that compiles: types inside the advised type are
//! replaced as well.

use syn::ext::IdentExt;
use syn::{GenericArgument, PathArguments, PathSegment, Type, TypePath};

use crate::syntax::bare;
use crate::written::show;

/// A field's position in the struct.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    Last,
    /// Other fields follow.
    Before,
    /// Another field is, or wants to be, of any length, too.
    Several,
    /// The struct ends in the data of lists.
    Lists,
    /// In an array, a slice or a list, where all have one size.
    Inside,
}

/// The length of an advised array or text. The user knows the right one.
const LENGTH: usize = 64;

/// The part of a type that cannot cross a process boundary, and what to do.
pub(crate) fn refusal<'a>(
    ty: &'a Type,
    position: Position,
    data: &str,
) -> Option<(&'a Type, String)> {
    let ty = bare(ty);
    match ty {
        // Inside an array or slice there is no last field.
        Type::Array(array) => return refusal(&array.elem, Position::Inside, data),
        Type::Slice(slice) => return refusal(&slice.elem, Position::Inside, data),
        _ => {}
    }
    let why = reason(ty)?;
    let shown = show(ty);
    Some((ty, format!("`{shown}` {why}: {}", instead(ty, position, data))))
}

/// The error for a slice that cannot be at this position.
pub(crate) fn misplaced(name: &str, element: &Type, position: Position, data: &str) -> String {
    let list = list_of(element);
    match position {
        Position::Several => format!(
            "only the last field may be a slice, and this struct has more than one field of any \
             length: make `{name}` a list, `{list}`, and {}",
            and_data(data)
        ),
        Position::Lists => format!(
            "only the data of lists has any length in this struct: make `{name}` a list, `{list}`"
        ),
        _ => format!("only the last field may be a slice: move `{name}` there"),
    }
}

/// What a struct with lists needs besides.
fn and_data(data: &str) -> String {
    format!("end the struct with `{data}: ListData`")
}

/// The list of these elements: of a bool or an enum it has the numbers.
pub(crate) fn list_of(element: &Type) -> String {
    match replaced(element).as_str() {
        "bool" => "List<u8>".to_owned(),
        element => format!("List<{element}>"),
    }
}

/// Whether a type is a list of any length, which would have to be the last field.
pub(crate) fn is_list(ty: &Type) -> bool {
    element_of(ty).is_some() && known(ty).is_some()
}

/// The elements of a type that has any number of them.
pub(crate) fn element_of(ty: &Type) -> Option<&Type> {
    match bare(ty) {
        Type::Slice(slice) => Some(&slice.elem),
        Type::Reference(reference) => match bare(&reference.elem) {
            Type::Slice(slice) => Some(&slice.elem),
            _ => None,
        },
        ty => {
            let (name, segment) = known(ty)?;
            match (name.as_str(), argument(segment)?) {
                ("Vec", element) => Some(element),
                ("Box", Type::Slice(slice)) => Some(&slice.elem),
                _ => None,
            }
        }
    }
}

/// Why a type cannot cross, if it is known not to.
fn reason(ty: &Type) -> Option<&'static str> {
    match bare(ty) {
        Type::Reference(_) | Type::Ptr(_) | Type::BareFn(_) => Some("points into one process"),
        Type::Tuple(_) => Some("has no fixed layout"),
        Type::TraitObject(_) | Type::ImplTrait(_) => Some("may be any type"),
        ty => {
            let (name, _) = known(ty)?;
            Some(match name.as_str() {
                "String" | "str" | "Vec" => "cannot cross a process boundary",
                "Box" if is_list(ty) => "cannot cross a process boundary",
                "Box" => "points into one process",
                "Option" | "Result" => "is not valid for every byte",
                "char" => "is not valid for every number",
                "usize" | "isize" => "differs between programs",
                "u128" | "i128" => "differs in alignment between programs",
                _ => return None,
            })
        }
    }
}

/// What to do about a type that cannot cross.
fn instead(ty: &Type, position: Position, data: &str) -> String {
    let new = replaced(ty);
    match ty {
        Type::Reference(reference) => match bare(&reference.elem) {
            Type::Slice(slice) => list(&slice.elem, position, data),
            Type::Path(path) if path.path.is_ident("str") => format!("use `{new}`"),
            _ => format!("store the value itself, `{new}`"),
        },
        Type::Ptr(_) => "store the value, or an index (`u64`)".to_owned(),
        Type::BareFn(_) => "store a number (`u32`) that says which".to_owned(),
        Type::Tuple(tuple) if tuple.elems.is_empty() => "it has no bytes, so remove it".to_owned(),
        Type::Tuple(_) => {
            "use a struct of your own with `#[derive(Message)]` and `#[repr(C)]`".to_owned()
        }
        Type::TraitObject(_) | Type::ImplTrait(_) => "name the type".to_owned(),
        _ => match known(ty) {
            Some((name, segment)) => match (name.as_str(), argument(segment)) {
                ("str", _) if position == Position::Last => {
                    "use `Text<64>`, or end the struct with `[u8]`".to_owned()
                }
                ("Vec", Some(element)) => list(element, position, data),
                ("Box", Some(Type::TraitObject(_))) => {
                    "store the numbers that the value consists of".to_owned()
                }
                ("Box", Some(Type::Slice(slice))) => list(&slice.elem, position, data),
                ("Box", _) => format!("store the value itself, `{new}`"),
                ("Option", _) => format!(
                    "use `{new}` for the value, and a `bool` before or after it that says whether \
                     there is one"
                ),
                ("Result", _) => format!(
                    "use `{new}` for the value, and a `bool` before or after it that says which it \
                     is"
                ),
                _ => format!("use `{new}`"),
            },
            None => format!("use `{new}`"),
        },
    }
}

/// What to do about a list of any length.
fn list(ty: &Type, position: Position, data: &str) -> String {
    let element = replaced(ty);
    match position {
        Position::Last => {
            format!("use `[{element}]`, since it is last, or an array, `[{element}; {LENGTH}]`")
        }
        Position::Before => format!(
            "use `[{element}]` and move it to the end, or an array, `[{element}; {LENGTH}]`, with \
             a `u32` for the number of valid elements"
        ),
        Position::Several => format!("use a list, `{}`, and {}", list_of(ty), and_data(data)),
        Position::Lists => format!("use a list, `{}`", list_of(ty)),
        Position::Inside => {
            format!(
                "use an array, `[{element}; {LENGTH}]`, with a `u32` for the number of valid \
                 elements"
            )
        }
    }
}

/// The type to write instead of `ty`: one with a fixed size that can cross, if its parts are known.
pub(crate) fn replaced(ty: &Type) -> String {
    let ty = bare(ty);
    match ty {
        Type::Array(array) => {
            let len = &array.len;
            format!("[{}; {}]", replaced(&array.elem), quote::quote!(#len))
        }
        Type::Slice(slice) => format!("[{}; {LENGTH}]", replaced(&slice.elem)),
        Type::Reference(reference) => replaced(&reference.elem),
        Type::Ptr(_) => "u64".to_owned(),
        Type::BareFn(_) => "u32".to_owned(),
        _ => {
            let Some((name, segment)) = known(ty) else { return show(ty) };
            let first = argument(segment).map(replaced);
            match (name.as_str(), first) {
                ("String" | "str", _) => format!("Text<{LENGTH}>"),
                ("Vec", Some(element)) => format!("[{element}; {LENGTH}]"),
                ("Box" | "Option" | "Result", Some(value)) => value,
                ("char", _) => "u32".to_owned(),
                ("usize", _) => "u64".to_owned(),
                ("isize", _) => "i64".to_owned(),
                ("u128" | "i128", _) => "[u64; 2]".to_owned(),
                ("Duration" | "Instant", None) => "DurationNs".to_owned(),
                ("SystemTime", None) => "SystemTimeNs".to_owned(),
                ("PathBuf" | "OsString" | "CString", None) => format!("Text<{LENGTH}>"),
                ("Ipv4Addr", None) => "[u8; 4]".to_owned(),
                ("Ipv6Addr" | "IpAddr", None) => "[u8; 16]".to_owned(),
                (
                    "Arc" | "Rc" | "Cell" | "RefCell" | "Mutex" | "RwLock" | "Wrapping",
                    Some(value),
                ) => value,
                (name, None) => match number_in(name) {
                    Some(number) => number.to_owned(),
                    None => show(ty),
                },
                _ => show(ty),
            }
        }
    }
}

/// The number inside an atomic or `NonZero` type, by the type's name.
fn number_in(name: &str) -> Option<&'static str> {
    let inner = name.strip_prefix("NonZero").or_else(|| name.strip_prefix("Atomic"))?;
    Some(match inner {
        "Bool" => "bool",
        "U8" => "u8",
        "U16" => "u16",
        "U32" => "u32",
        "U64" | "Usize" => "u64",
        "I8" => "i8",
        "I16" => "i16",
        "I32" => "i32",
        "I64" | "Isize" => "i64",
        _ => return None,
    })
}

/// The last name of a path into the standard library, as far as the derive can tell from names.
pub(crate) fn known(ty: &Type) -> Option<(String, &PathSegment)> {
    let Type::Path(TypePath { qself: None, path }) = bare(ty) else { return None };
    let first = path.segments.first()?.ident.unraw().to_string();
    if path.segments.len() > 1 && !matches!(first.as_str(), "std" | "core" | "alloc") {
        return None;
    }
    let last = path.segments.last()?;
    Some((last.ident.unraw().to_string(), last))
}

/// The trait whose text says what to use instead of a type with this name, if it is not a message.
pub(crate) fn hint(ty: &Type) -> Option<&'static str> {
    let ty = bare(ty);
    if let Type::Array(array) = ty {
        return hint(&array.elem);
    }
    let Type::Path(TypePath { path, .. }) = ty else { return None };
    Some(match path.segments.last()?.ident.unraw().to_string().as_str() {
        "Duration" => "Duration",
        "f16" => "Half",
        "SystemTime" => "SystemTime",
        "Instant" => "Instant",
        "Vec2" | "Vec3" | "Vec3A" | "Vec4" | "Quat" | "Mat2" | "Mat3" | "Mat3A" | "Mat4"
        | "Affine2" | "Affine3A" | "DVec2" | "DVec3" | "DVec4" | "DQuat" | "DMat2" | "DMat3"
        | "DMat4" | "IVec2" | "IVec3" | "IVec4" | "UVec2" | "UVec3" | "UVec4" | "Vector2"
        | "Vector3" | "Vector4" | "Matrix2" | "Matrix3" | "Matrix4" | "Point2" | "Point3"
        | "Quaternion" | "UnitQuaternion" | "Isometry3" | "SVector" | "SMatrix" => "Float",
        "Uuid" | "IpAddr" | "Ipv4Addr" | "Ipv6Addr" | "SocketAddr" => "Bytes",
        "PathBuf" | "Path" | "OsString" | "OsStr" | "CString" | "CStr" => "Path",
        "HashMap" | "BTreeMap" | "HashSet" | "BTreeSet" | "VecDeque" | "LinkedList"
        | "BinaryHeap" => "Map",
        "Arc" | "Rc" | "Weak" | "Cow" | "NonNull" | "Pin" => "Shared",
        "Cell" | "RefCell" | "UnsafeCell" | "OnceCell" | "Mutex" | "RwLock" | "AtomicBool"
        | "AtomicU8" | "AtomicU16" | "AtomicU32" | "AtomicU64" | "AtomicUsize" | "AtomicI8"
        | "AtomicI16" | "AtomicI32" | "AtomicI64" | "AtomicIsize" => "Cell",
        "NonZero" | "NonZeroU8" | "NonZeroU16" | "NonZeroU32" | "NonZeroU64" | "NonZeroI8"
        | "NonZeroI16" | "NonZeroI32" | "NonZeroI64" | "NonZeroUsize" => "NonZero",
        "PhantomData" => "Nothing",
        "Range" | "RangeInclusive" => "Range",
        "Ordering" => "Order",
        "List" | "NdList" | "ListData" => "List",
        _ => return None,
    })
}

fn argument(segment: &PathSegment) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return None;
    };
    match arguments.args.first()? {
        GenericArgument::Type(ty) => Some(bare(ty)),
        _ => None,
    }
}
