//! The struct as a person would write it, for errors that show a corrected version.

use quote::{ToTokens, quote};
use syn::{Attribute, DeriveInput, Expr, ExprLit, Lit, Meta, Type, Visibility};

/// The text before the fields, and the text after them.
pub(crate) fn written(source: &DeriveInput, numbered: bool) -> (String, String) {
    let mut head = String::new();
    for attr in &source.attrs {
        head += &attribute(attr, "");
    }
    let (vis, name, generics) = (&source.vis, &source.ident, &source.generics);
    let clause = &generics.where_clause;
    let name = tidy(quote!(#vis struct #name #generics));
    let clause = tidy(quote!(#clause));
    let gap = if clause.is_empty() { "" } else { " " };
    match numbered {
        true => (format!("{head}{name}("), format!("){gap}{clause};")),
        false => (format!("{head}{name}{gap}{clause} {{"), "}".to_owned()),
    }
}

/// A field on lines of its own, indented, with its comma.
pub(crate) fn field(field: &syn::Field) -> String {
    let mut text = String::new();
    for attr in &field.attrs {
        text += &attribute(attr, "    ");
    }
    let (vis, ty) = (visibility(&field.vis), &field.ty);
    let name = field.ident.as_ref().map_or_else(String::new, |name| format!("{name}: "));
    format!("{text}    {vis}{name}{},", tidy(quote!(#ty)))
}

/// A visibility and the blank after it; empty if there is none.
pub(crate) fn visibility(vis: &Visibility) -> String {
    match tidy(vis) {
        vis if vis.is_empty() => vis,
        vis => vis + " ",
    }
}

fn attribute(attr: &Attribute, indent: &str) -> String {
    if attr.path().is_ident("doc")
        && let Meta::NameValue(meta) = &attr.meta
        && let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &meta.value
    {
        let text = text.value();
        return text.lines().map(|line| format!("{indent}///{line}\n")).collect();
    }
    format!("{indent}{}\n", tidy(attr))
}

/// The type as a person would write it.
pub(crate) fn show(ty: &Type) -> String {
    tidy(ty)
}

fn tidy(tokens: impl ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string();
    for (token, tight) in [
        (" :: ", "::"),
        (":: ", "::"),
        (" < ", "<"),
        ("< ", "<"),
        (" <", "<"),
        (" >", ">"),
        (" ,", ","),
        (" ;", ";"),
        (" :", ":"),
        ("& ", "&"),
        ("* ", "*"),
        ("' ", "'"),
        ("[ ", "["),
        (" ]", "]"),
        ("# [", "#["),
        (" (", "("),
        ("( ", "("),
        (" )", ")"),
    ] {
        text = text.replace(token, tight);
    }
    text
}
