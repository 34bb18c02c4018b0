//! The derive macro of io-shared's `Message` trait.
//!
//! Users get it from the `io-shared` crate together with the trait. The macro works in three steps:
//!
//! 1. It reads the struct's definition (`input`, `field`, `stored`).
//! 2. It refuses what cannot cross a process boundary, and says what to use instead (`advice`,
//!    `corrected`).
//! 3. It writes the implementation (`expand`), with the proofs that need the compiler's knowledge
//!    of sizes.
#![forbid(unsafe_code)]

mod advice;
mod corrected;
mod errors;
mod expand;
mod field;
mod input;
mod krate;
mod list;
mod stored;
mod syntax;
mod written;

use proc_macro::TokenStream;

/// Implements `Message` for a struct or an enum whose bytes mean the same in every process.
///
/// ```
/// # use io_shared_core as io_shared;
/// use io_shared::Message as _;
/// use io_shared_derive::Message;
///
/// /// A lidar return.
/// #[derive(Clone, Copy, Message)]
/// #[repr(C)]
/// struct Point {
///     #[message(unit = "m")]
///     x: f32,
///     #[message(unit = "m")]
///     y: f32,
///     /// Reflectance.
///     intensity: f32,
/// }
///
/// #[derive(Message)]
/// #[repr(C)]
/// struct Cloud {
///     frame: u64,
///     points: [Point], // any number of them, last
/// }
///
/// assert_eq!(Point::SHAPE.size, 12);
/// assert_eq!(Cloud::SHAPE.element, Some(12));
/// ```
///
/// # Adding fields
///
/// A struct of a fixed size may get new fields after its last one. A consumer or an observer that
/// was built before opens a channel of the new struct and gets the fields that it knows, and a
/// producer of the new struct gives them to a channel of the old one under its consumers. The
/// fields before must keep their names, types and offsets. A consumer that expects a field which
/// the channel does not have is refused by name.
///
/// # What it accepts
///
/// Structs with named or numbered fields, with `#[repr(C)]` (also `align(N)`) or
/// `#[repr(transparent)]`. Their fields must be messages: `bool`, `u8` to `u64`, `i8` to `i64`,
/// `f32`, `f64`, `half::f16` (feature `half`), `Text<N>`, `DurationNs`, `SystemTimeNs`, arrays of
/// messages, and other types with this derive. The last field may be a slice `[T]` of messages. A
/// struct with several lists has fields `List<T>` and `NdList<T, N>`, and `ListData` last; their
/// elements are numbers, `Text<N>`, arrays and structs of these, without a `bool` or an enum, and
/// an `NdList` has 1 to 32 axes. Types are nested at most 32 deep. Type and const parameters are
/// allowed, but not in a struct with lists; lifetimes, unions and `repr(packed)` are not.
///
/// Enums without fields, with `#[repr(u8)]` or `u16`, `u32`, `i8`, `i16`, `i32`, and without
/// `align`, so that they are as large as the number. Fresh memory is all zeros, so one of the
/// variants must have the number 0. The derive also implements `TryFrom` the number:
///
/// ```
/// # use io_shared_core as io_shared;
/// use io_shared::Message as _;
/// use io_shared_derive::Message;
///
/// #[derive(Debug, Clone, Copy, PartialEq, Message)]
/// #[repr(u8)]
/// enum Gear {
///     Neutral, // 0
///     Forward,
///     Reverse = 7,
/// }
///
/// #[derive(Debug, Message)]
/// #[repr(C)]
/// struct Drive {
///     speed: f32,
///     gear: Gear,
///     brakes: [bool; 3],
/// }
///
/// assert_eq!(Gear::try_from(7), Ok(Gear::Reverse));
/// let words = [0_u32, 0x0100_0102]; // speed; gear and brakes
/// let error = Drive::from_bytes(words.as_bytes()).unwrap_err().to_string();
/// assert_eq!(error, "field `gear` is 2, expected 0 (Neutral), 1 (Forward) or 7 (Reverse)");
/// ```
///
/// There must be no padding, except after the last element of a slice. Padding is a compile error,
/// which says where it is and how much, and shows the struct with the padding named. For a struct
/// with parameters the error appears where the struct is used, because its size is known only
/// there.
///
/// One build reports all types that cannot cross a process boundary, each once and with what to use
/// instead. Where three or more fields need work, the corrected struct is shown whole. Padding is
/// reported once the types are right.
///
/// A sized struct that is `Copy` is also `bytemuck::Zeroable`, and `Pod` if its fields are, unless
/// it has parameters. An enum is `Zeroable`. (A `bool` and an enum are not `Pod`, because not every
/// bit pattern is one of their values.)
///
/// A `repr(transparent)` struct has the schema of its field. Every other struct has a schema of its
/// own, with its name, field names, types, offsets, and the doc comments.
///
/// # Types of other crates
///
/// A type that implements `bytemuck::Pod` becomes a message by a struct around it, which names a
/// message with the same bytes. That message is its schema. The compiler proves that both have the
/// same size and alignment.
///
/// ```
/// # use io_shared_core as io_shared;
/// # mod glam {
/// #     #[derive(Clone, Copy)]
/// #     #[repr(C)]
/// #     pub struct Vec3 { pub x: f32, pub y: f32, pub z: f32 }
/// #     unsafe impl io_shared_core::private::bytemuck::Zeroable for Vec3 {}
/// #     unsafe impl io_shared_core::private::bytemuck::Pod for Vec3 {}
/// # }
/// use io_shared::Message as _;
/// use io_shared_derive::Message;
///
/// #[derive(Clone, Copy, Message)]
/// #[repr(transparent)]
/// #[message(foreign = [f32; 3])] // what its bytes are
/// struct Position(glam::Vec3);
///
/// #[derive(Message)]
/// #[repr(C)]
/// struct Track {
///     positions: [Position],
/// }
///
/// assert_eq!(Position::schema(), <[f32; 3]>::schema());
/// ```
///
/// # Attributes
///
/// - On a field: `#[message(unit = "m")]` adds a unit to the schema. `#[message(stamp)]` says that
///   a `u64` or `i64` is when the value was measured, in nanoseconds since 1970, and
///   `#[message(frame = "lidar")]` in which frame the points of a field are. A recording has both
///   in the header of clouds and pictures. They are words of the unit, such as `ns stamp`.
/// - On the struct or enum: `#[message(pod = false)]` leaves `Pod` and `Zeroable` to you.
/// - On a `#[repr(transparent)]` struct: `#[message(foreign = type)]` says that its field is a type
///   of another crate, with the schema of that message.
/// - On the enum: `#[message(try_from = false)]` leaves `TryFrom` to you.
/// - On the struct: `#[message(crate = path)]` names the crate that `Message` comes from, for
///   crates that re-export it. Without it, the derive looks in `Cargo.toml` for `io-shared`, under
///   whatever name it has there, then for `io-shared-channel`, then for `io-shared-core`.
#[proc_macro_derive(Message, attributes(message))]
pub fn derive_message(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    expand::message(&input).into()
}
