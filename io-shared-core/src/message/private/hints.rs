//! What to use instead of types of the standard library and of others' crates.
//!
//! The derive sees a name, `Duration`, which may be a message of the user's own. So it asks for the
//! trait of that name, which every message has; for a type that is none the compiler says the
//! trait's text, as the implementation for messages is not to be recommended.

use crate::message::Message;

macro_rules! hints {
    ($($hint:ident $advice:literal;)*) => {$(
        #[doc = $advice]
        #[diagnostic::on_unimplemented(
            message = "`{Self}` cannot cross a process boundary",
            label = "is not a `Message`",
            note = $advice
        )]
        pub trait $hint {}

        #[diagnostic::do_not_recommend]
        impl<T: Message + ?Sized> $hint for T {}
    )*};
}

hints! {
    Duration "store the nanoseconds as a `u64`: `duration.as_nanos() as u64`, and `Duration::from_nanos(n)` back";
    SystemTime "store the nanoseconds since 1970 as a `u64`: `time.duration_since(UNIX_EPOCH)?.as_nanos() as u64`, and `UNIX_EPOCH + Duration::from_nanos(n)` back";
    Instant "an `Instant` means something to one process only: each value has a time already (`Guard::age`, `Guard::stamp`); or store nanoseconds as a `u64`";
    Float "store the numbers themselves, as in `[f32; 3]` for a vector of three `f32`, and convert at both ends: `v.to_array()` or `v.into()`, and back";
    Bytes "store its bytes, as in `[u8; 16]`, and convert at both ends";
    Path "store it as text, `Text<255>`: `path.to_str()`, and `Path::new(text.as_str()?)` back";
    Map "store the entries as an array or as the last field, `[Entry]`, of a struct `Entry` with `#[derive(Message)]` and `#[repr(C)]`";
    Shared "it points to memory of one process: store the value itself";
    Cell "it changes while others read it: store the value itself, and put the whole message anew for each change";
    NonZero "not every number is one: store the number, as in `u32`, and convert it with `NonZero::new`";
    Nothing "it has no bytes: remove the field";
    Range "store its start and end as two fields";
    Order "not every byte is one of its variants: store the number, `ordering as i8`, and convert it back";
}
