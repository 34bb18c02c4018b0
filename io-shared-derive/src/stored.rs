//! How an enum is stored: as the number that its `repr` names. An enum that is not stored as one
//! number is refused.

use proc_macro2::TokenStream;
use syn::ext::IdentExt;
use syn::{DataEnum, DeriveInput, Fields, Ident, Path};

use crate::errors::Errors;
use crate::syntax;

/// The numbers that an enum may be stored as, and their names in a schema.
const STORED: &[(&str, &str)] =
    &[("u8", "U8"), ("u16", "U16"), ("u32", "U32"), ("i8", "I8"), ("i16", "I16"), ("i32", "I32")];

/// Reads the `repr`, and refuses an enum that is not stored as one number.
pub(crate) fn read(source: &DeriveInput, data: &DataEnum, errors: &mut Errors) {
    let name = source.ident.unraw();
    if let Some(variant) = data.variants.iter().find(|variant| !is_plain(&variant.fields)) {
        errors.at(
            variant,
            format!(
                "a variant with fields cannot cross a process boundary, because nothing says where \
                 they lie: make `{name}` a struct of these fields, with an enum without fields \
                 that says which of them count"
            ),
        );
        return;
    }
    if let Some(align) = arguments(source).iter().find(|path| syntax::name(path) == "align") {
        errors.at(
            align,
            format!(
                "an enum has the size and alignment of its number, so that every byte of it is \
                 checked: remove `align`, or put it on a struct around `{name}`"
            ),
        );
    }
    if stored(source).is_some() {
        return;
    }
    let repr = arguments(source).first().map(syntax::name).filter(|repr| repr != "align");
    let advice = match repr.as_deref() {
        None => format!(
            "without a `repr` the compiler chooses how `{name}` is stored: add `#[repr(u8)]` above \
             `enum {name}`"
        ),
        Some(other) => format!(
            "an enum stored as `{other}` cannot be a message: use `#[repr(u8)]`, or `u16`, `u32`, \
             `i8`, `i16`, `i32`"
        ),
    };
    errors.at(&source.ident, advice);
}

fn is_plain(fields: &Fields) -> bool {
    matches!(fields, Fields::Unit)
}

/// The arguments of the enum's `repr` attributes.
fn arguments(source: &DeriveInput) -> Vec<Path> {
    let mut paths = Vec::new();
    for attr in syntax::reprs(&source.attrs) {
        // What cannot be parsed is an error of the compiler's own.
        let _ = attr.parse_nested_meta(|meta| {
            paths.push(meta.path);
            if meta.input.peek(syn::token::Paren) {
                let argument;
                syn::parenthesized!(argument in meta.input);
                argument.parse::<TokenStream>()?;
            }
            Ok(())
        });
    }
    paths
}

/// The number that the enum is stored as, and its name in a schema.
pub(crate) fn stored(source: &DeriveInput) -> Option<(Ident, Ident)> {
    let of = |path| STORED.iter().find(|(ty, _)| *ty == syntax::name(path));
    let (ty, scalar) = arguments(source).iter().find_map(of)?;
    let at = source.ident.span();
    Some((Ident::new(ty, at), Ident::new(scalar, at)))
}
