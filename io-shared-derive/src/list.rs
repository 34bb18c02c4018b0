//! Lists: which fields of a message that ends in `ListData` are lists, by the names of their types.

use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Expr, GenericArgument, PathArguments, PathSegment, Type, TypePath};

use crate::errors::Errors;
use crate::field::Field;
use crate::syntax::bare;

/// A list of a message.
pub(crate) struct List {
    /// The type of its elements.
    pub(crate) element: Type,
    /// The number of axes, for an `NdList`.
    pub(crate) axes: Option<Expr>,
}

/// The names of the methods that a message with lists gets besides one for each list.
const TAKEN: [&str; 2] = ["capacity", "lists_mut"];

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

fn read(ty: &Type) -> Option<List> {
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

/// Finds the lists of a message that ends in `ListData`, and refuses what such a message cannot be.
pub(crate) fn read_all(fields: &mut [Field], has_parameters: bool, errors: &mut Errors) {
    let Some((data, fields)) = fields.split_last_mut() else { return };
    if fields.iter().any(Field::is_list_data) {
        // This is said once, and not of each list.
        fields.iter_mut().filter(|field| is_list(&field.ty)).for_each(|list| list.refused = true);
    }
    for early in fields.iter_mut().filter(|field| field.is_list_data()) {
        early.refused = true;
        let advice =
            format!("the data of lists comes after all fields: move `{}` there", early.name);
        errors.at(&early.ty, advice);
    }
    if !data.is_list_data() {
        return;
    }
    if has_parameters {
        errors
            .at(&data.ty, "a message with lists has no parameters: name the types of its elements");
    }
    if data.is_numbered() {
        errors
            .at(&data.ty, "the accessors of lists have the names of their fields: name the fields");
    }
    for field in fields {
        field.list = read(&field.ty);
        if field.list.as_ref().is_some_and(|list| is_list(&list.element)) {
            field.refused = true;
            let name = &field.name;
            let advice = format!(
                "the elements of a list cannot be lists: make `{name}` one list of all elements, \
                 and add a `List<u32>` with how many of them belong together"
            );
            errors.at(&field.ty, advice);
        }
        if field.list.is_some() && TAKEN.contains(&field.name.as_str()) {
            let name = &field.name;
            let advice =
                format!("`{name}` is a method of every message with lists: rename the list");
            errors.add(syn::Error::new(field.span, advice));
        }
    }
}
