//! Helpers that read the syntax tree: bare types, `repr`s and doc comments.

use syn::ext::IdentExt;
use syn::{Attribute, Expr, ExprLit, Lit, Meta, Path, Type};

/// The type without parentheses, and without the invisible groups that macros leave around it.
pub(crate) fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Paren(paren) => bare(&paren.elem),
        Type::Group(group) => bare(&group.elem),
        _ => ty,
    }
}

/// The `repr` attributes: there may be several.
pub(crate) fn reprs(attrs: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attrs.iter().filter(|attr| name(attr.path()) == "repr")
}

/// The name that is the whole path. The compiler reads `r#align` as `align`, so this does, too.
pub(crate) fn name(path: &Path) -> String {
    path.get_ident().map(|name| name.unraw().to_string()).unwrap_or_default()
}

/// The doc comment, without the space after `///`.
pub(crate) fn doc(attrs: &[Attribute]) -> String {
    let mut lines = Vec::new();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("doc")) {
        if let Meta::NameValue(meta) = &attr.meta
            && let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &meta.value
        {
            let text = text.value();
            lines.extend(text.lines().map(|line| line.trim().to_owned()));
        }
    }
    lines.join("\n").trim().to_owned()
}
