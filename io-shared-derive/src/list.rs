//! Lists: which fields of a message that ends in `ListData` are lists, by the names of their types.

use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Expr, GenericArgument, PathArguments, PathSegment, Type, TypePath};

use crate::syntax::bare;

/// A list of a message.
pub(crate) struct List {
    /// The type of its elements.
    pub(crate) element: Type,
    /// The number of axes, for an `NdList`.
    pub(crate) axes: Option<Expr>,
}

/// The names of the methods that a message with lists gets besides one for each list.
pub(crate) const TAKEN: [&str; 2] = ["capacity", "lists_mut"];

/// A name for the data of lists, given those of the fields.
pub(crate) fn data_name<'a>(fields: impl Iterator<Item = &'a str> + Clone) -> &'static str {
    let names = ["data", "lists", "list_data"];
    let free = names.into_iter().find(|name| fields.clone().all(|field| field != *name));
    free.unwrap_or("all_lists")
}

fn last(ty: &Type) -> Option<&PathSegment> {
    let Type::Path(TypePath { qself: None, path }) = bare(ty) else { return None };
    path.segments.last()
}

/// Whether this is the type of the data of lists.
pub(crate) fn is_data(ty: &Type) -> bool {
    last(ty).is_some_and(|last| last.ident.unraw() == "ListData" && last.arguments.is_empty())
}

/// Whether this is the type of a list.
pub(crate) fn is_list(ty: &Type) -> bool {
    read(ty).is_some()
}

/// The list that this type is.
pub(crate) fn read(ty: &Type) -> Option<List> {
    let PathSegment { ident, arguments: PathArguments::AngleBracketed(arguments) } = last(ty)?
    else {
        return None;
    };
    let mut arguments = arguments.args.iter();
    let Some(GenericArgument::Type(element)) = arguments.next() else { return None };
    let element = bare(element).clone();
    let axes = match (arguments.next(), arguments.next()) {
        (None, _) => None,
        (Some(GenericArgument::Const(axes)), None) => Some(axes.clone()),
        // A constant that is only a name reads as a type.
        (Some(GenericArgument::Type(Type::Path(axes))), None) => {
            Some(syn::parse2(axes.to_token_stream()).ok()?)
        }
        _ => return None,
    };
    match (ident.unraw().to_string().as_str(), &axes) {
        ("List", None) | ("NdList", Some(_)) => Some(List { element, axes }),
        _ => None,
    }
}
