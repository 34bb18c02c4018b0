//! The path of the crate that the derive's output refers to.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Ident, Path};

/// The crates that export the trait, the one that most users have first.
const CRATES: [&str; 3] = ["io-shared", "io-shared-channel", "io-shared-core"];

/// The path that `#[message(crate = path)]` asks for, or else the crate's name in the user's
/// `Cargo.toml`.
pub(crate) fn path(asked: Option<&Path>) -> syn::Result<TokenStream> {
    if let Some(path) = asked {
        return Ok(quote!(#path));
    }
    for krate in CRATES {
        let name = match crate_name(krate) {
            Ok(FoundCrate::Name(name)) => name,
            // Examples and doc tests count as the crate itself, but name it as any other crate
            // does. The library makes that name valid within itself by `extern crate self as`.
            Ok(FoundCrate::Itself) => krate.replace('-', "_"),
            Err(_) => continue,
        };
        let name = Ident::new(&name, Span::call_site());
        return Ok(quote!(::#name));
    }
    Err(syn::Error::new(
        Span::call_site(),
        "`io-shared` is not among the dependencies in Cargo.toml: add it, or name the crate that \
         `Message` comes from with `#[message(crate = path)]`",
    ))
}
