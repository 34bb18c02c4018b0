//! Where the trait lives: the path of the crate that the derive's output refers to.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Ident, Path};

/// The crates that offer the trait, the one that users have first.
const CRATES: [&str; 3] = ["io-shared", "io-shared-channel", "io-shared-core"];

/// The path asked for by `#[message(crate = path)]`, else what the crate is called in the user's
/// `Cargo.toml`.
pub(crate) fn path(asked: Option<&Path>) -> syn::Result<TokenStream> {
    if let Some(path) = asked {
        return Ok(quote!(#path));
    }
    for krate in CRATES {
        let name = match crate_name(krate) {
            Ok(FoundCrate::Name(name)) => name,
            // Examples and doc tests are found as the crate itself but name it like a stranger; the
            // library names itself so by `extern crate self as`.
            Ok(FoundCrate::Itself) => krate.replace('-', "_"),
            Err(_) => continue,
        };
        let name = Ident::new(&name, Span::call_site());
        return Ok(quote!(::#name));
    }
    Err(syn::Error::new(
        Span::call_site(),
        "`io-shared` is not among the dependencies in Cargo.toml: add it, or say where `Message` \
         comes from by `#[message(crate = path)]`",
    ))
}
