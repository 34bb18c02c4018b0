//! One field of the struct: what the derive knows about it, and why it may be refused.
//!
//! The derive sees names, not types, so it refuses by name only what is in the prelude or spelled
//! with its full path; an alias or another type that cannot cross is refused by the compiler, with
//! the note on the `Message` trait.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::{
    DeriveInput, GenericArgument, LitStr, Member, PathArguments, PathSegment, Type, TypePath,
};

use crate::input::{Errors, doc};

pub(crate) struct Field {
    pub(crate) member: Member,
    pub(crate) name: String,
    /// Where errors about its place point: the name, or the type of a field without one.
    pub(crate) span: Span,
    pub(crate) ty: Type,
    /// The type of the elements, if the field is a slice.
    pub(crate) element: Option<Type>,
    pub(crate) unit: Option<LitStr>,
    pub(crate) doc: String,
    /// Whether the type depends on a type parameter of the struct.
    pub(crate) generic: bool,
    pub(crate) refused: bool,
}

impl Field {
    pub(crate) fn read(member: Member, field: &syn::Field, input: &DeriveInput) -> Field {
        let (name, span) = match &member {
            Member::Named(name) => (name.unraw().to_string(), name.span()),
            Member::Unnamed(index) => (index.index.to_string(), field.ty.span()),
        };
        let ty = bare(&field.ty).clone();
        let element = match &ty {
            Type::Slice(slice) => Some(bare(&slice.elem).clone()),
            _ => None,
        };
        let generic = mentions(ty.to_token_stream(), input);
        let doc = doc(&field.attrs);
        Field { member, name, span, ty, element, unit: None, doc, generic, refused: false }
    }

    pub(crate) fn is_numbered(&self) -> bool {
        matches!(self.member, Member::Unnamed(_))
    }

    pub(crate) fn read_key(
        &mut self,
        meta: &ParseNestedMeta<'_>,
        transparent: bool,
    ) -> syn::Result<()> {
        if !meta.path.is_ident("unit") {
            let unknown = meta.path.to_token_stream();
            return Err(
                meta.error(format!("unknown key `{unknown}`: a field takes `unit = \"m\"`"))
            );
        }
        if transparent {
            return Err(meta.error(
                "a `#[repr(transparent)]` struct is its field in the schema: give the unit where \
                 the struct is used",
            ));
        }
        self.unit = Some(meta.value()?.parse()?);
        Ok(())
    }

    /// Refuses the field if its type is known not to cross.
    pub(crate) fn check(&mut self, errors: &mut Errors) {
        if let Some((ty, advice)) = refusal(&self.ty) {
            self.refused = true;
            errors.at(ty, advice);
        }
    }

    /// Refuses a slice that others follow.
    pub(crate) fn check_not_last(&mut self, errors: &mut Errors) {
        if self.element.is_some() {
            self.refused = true;
            let advice = format!("only the last field may be a slice: move `{}` there", self.name);
            errors.at(&self.ty, advice);
        }
    }
}

/// The part of a type that cannot cross a process boundary, and what to do.
fn refusal(ty: &Type) -> Option<(&Type, String)> {
    let ty = bare(ty);
    let shown = show(ty);
    let advice = match ty {
        Type::Array(array) => return refusal(&array.elem),
        Type::Slice(slice) => return refusal(&slice.elem),
        Type::Path(path) => known_advice(path)?,
        Type::Reference(_) => "points into one process: store the value itself".to_owned(),
        Type::Ptr(_) => "points into one process: store the value, or an index (`u64`)".to_owned(),
        Type::BareFn(_) => "points into one process: store a number (`u32`)".to_owned(),
        Type::Tuple(_) => {
            return Some((
                ty,
                format!(
                    "`{shown}` has no fixed layout: use a struct with `#[derive(Message)]` and `#[repr(C)]`"
                ),
            ));
        }
        _ => return None,
    };
    Some((ty, format!("`{shown}` {advice}")))
}

fn known_advice(path: &TypePath) -> Option<String> {
    let segments = &path.path.segments;
    let first = segments.first()?.ident.unraw().to_string();
    if segments.len() > 1 && !matches!(first.as_str(), "std" | "core" | "alloc") {
        return None;
    }
    let last = segments.last()?;
    let name = last.ident.unraw().to_string();
    let advice = match name.as_str() {
        "String" => "cannot cross a process boundary: use `Text<64>`".to_owned(),
        "str" => "cannot cross a process boundary: use `Text<64>`, or end the struct with `[u8]`"
            .to_owned(),
        "Vec" => {
            let element = argument(last).map_or("T".to_owned(), show);
            format!(
                "cannot cross a process boundary: end the struct with `[{element}]`, or use \
                 `[{element}; N]`"
            )
        }
        "Box" => match argument(last) {
            Some(Type::Slice(slice)) => {
                format!(
                    "cannot cross a process boundary: end the struct with `{}`",
                    show(&slice.clone().into())
                )
            }
            _ => "points into one process: store the value itself".to_owned(),
        },
        "Option" | "Result" => {
            "is not valid for every byte: use a `u8` that says which it is, beside the value"
                .to_owned()
        }
        "bool" => "is not valid for every byte: use `u8`".to_owned(),
        "char" => "is not valid for every number: use `u32`".to_owned(),
        "usize" => "differs between programs: use `u64`".to_owned(),
        "isize" => "differs between programs: use `i64`".to_owned(),
        "u128" => "differs in alignment between programs: use `[u64; 2]`".to_owned(),
        "i128" => "differs in alignment between programs: use `[u64; 2]`".to_owned(),
        _ => return None,
    };
    Some(advice)
}

fn argument(segment: &PathSegment) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return None;
    };
    match arguments.args.first()? {
        GenericArgument::Type(ty) => Some(bare(ty)),
        _ => None,
    }
}

/// The type without the parentheses and the invisible groups that macros leave around it.
fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Paren(paren) => bare(&paren.elem),
        Type::Group(group) => bare(&group.elem),
        _ => ty,
    }
}

/// The type as a person would write it.
fn show(ty: &Type) -> String {
    let mut text = quote!(#ty).to_string();
    for (token, tight) in [
        (" :: ", "::"),
        (" < ", "<"),
        ("< ", "<"),
        (" <", "<"),
        (" >", ">"),
        (" ,", ","),
        (" ;", ";"),
        ("& ", "&"),
        ("* ", "*"),
        ("' ", "'"),
        ("[ ", "["),
        (" ]", "]"),
    ] {
        text = text.replace(token, tight);
    }
    text
}

/// Whether any of the struct's type parameters occurs in these tokens.
fn mentions(tokens: TokenStream, input: &DeriveInput) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => input.generics.type_params().any(|param| param.ident == ident),
        TokenTree::Group(group) => mentions(group.stream(), input),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}
