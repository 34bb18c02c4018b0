//! What to use instead of types of the standard library and of other crates.
//!
//! The derive sees only a name, such as `Duration`, which may be a message that the user defined.
//! So its output requires the trait of that name, which every message implements. For a type that
//! is not a message, the compiler shows the trait's text.

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
    Duration "use `DurationNs`: `duration.try_into()?`, and `Duration::from(ns)` back";
    SystemTime "use `SystemTimeNs`: `SystemTimeNs::now()` or `time.try_into()?`, and \
        `SystemTime::from(ns)` back";
    Instant "an `Instant` is meaningful in one process only: each value already has a time \
        (`Guard::age`, `Guard::stamp`); or store nanoseconds as a `u64`";
    Float "store the numbers themselves, as in `[f32; 3]` for a vector of three `f32`, and convert \
        at both ends: `v.to_array()` or `v.into()`, and back; or derive `Message` on \
        `#[message(foreign = [f32; 3])] #[repr(transparent)] struct Position(Vec3);`";
    Half "with the feature `half` of io-shared, `f16` of the crate half is a message; otherwise \
        store its bits as a `u16`";
    Bytes "store its bytes, as in `[u8; 16]`, and convert at both ends";
    Path "store it as text, `Text<255>`: `path.to_str()`, and `Path::new(text.as_str()?)` back";
    Map "store the entries as an array or as the last field, `[Entry]`, of a struct `Entry` with \
        `#[derive(Message)]` and `#[repr(C)]`";
    Shared "it points to memory of one process: store the value itself";
    Cell "it changes while others read it: store the value itself, and put a new message for each \
        change";
    NonZero "not every bit pattern is valid: store the number, as in `u32`, and convert it with \
        `NonZero::new`";
    Nothing "it has no bytes: remove the field";
    Range "store its start and end as two fields";
    List "a list is a field of a message that ends in its elements: add `data: \
        io_shared::ListData` as the last field of the struct";
    Order "not every byte is one of its variants: store the number, `ordering as i8`, and convert \
        it back";
}
