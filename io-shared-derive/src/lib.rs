//! The derive macro of io-shared's `Message` trait.
//!
//! Users get it from the `io-shared` crate together with the trait. It reads a struct's definition
//! (`input`, `field`), refuses what cannot cross a process boundary with a word on what to use
//! instead (`advice`), and writes the implementation with the proofs that need the compiler's knowledge of
//! sizes (`expand`).
#![forbid(unsafe_code)]

mod advice;
mod errors;
mod expand;
mod field;
mod input;
mod krate;
mod syntax;
mod written;

use proc_macro::TokenStream;

/// Implements `Message` for a struct whose bytes mean the same to every process.
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
/// # What it takes
///
/// Structs with named or numbered fields and `#[repr(C)]` (`align(N)` too) or
/// `#[repr(transparent)]`, whose fields are messages: `u8` to `u64`, `i8` to `i64`, `f32`, `f64`,
/// `Text<N>`, arrays of messages, other structs with this derive. The last field may be a slice
/// `[T]` of messages. Type and const parameters are fine; lifetimes, enums, unions and
/// `repr(packed)` are not.
///
/// There must be no padding, except after the last element of a slice. Padding is a compile error
/// that says where and how much, and shows the struct with the padding named; for a struct with parameters it appears where the struct is used,
/// since sizes are known only there. All types that cannot cross are told at once, each once and
/// with what to use instead; padding is told when the types are right.
///
/// A sized struct that is `Copy` is also `bytemuck::Pod` and `Zeroable`, unless it has parameters.
///
/// A `repr(transparent)` struct has the schema of its field; every other struct has a schema of
/// its own with its name, field names, types, offsets, and the doc comments.
///
/// # Attributes
///
/// - On a field: `#[message(unit = "m")]` puts a unit in the schema.
/// - On the struct: `#[message(pod = false)]` leaves `Pod` and `Zeroable` to you;
///   `#[message(crate = path)]` names the crate that `Message` comes from, for crates that
///   re-export it. Without it the derive finds `io-shared` in `Cargo.toml`, whatever it is renamed
///   to, then `io-shared-channel`, then `io-shared-core`.
#[proc_macro_derive(Message, attributes(message))]
pub fn derive_message(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    expand::message(&input).into()
}
