//! One field of the struct: what the derive knows about it.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::{DeriveInput, LitStr, Member, Type, Visibility};

use crate::advice::{Position, is_list, misplaced, refusal};
use crate::errors::Errors;
use crate::list::{self, List};
use crate::syntax::{bare, doc};
use crate::written;

pub(crate) struct Field {
    pub(crate) member: Member,
    pub(crate) name: String,
    /// Where errors about its position point: its name, or its type if it has no name.
    pub(crate) span: Span,
    pub(crate) ty: Type,
    pub(crate) vis: Visibility,
    /// The type of the elements, if the field is a slice.
    pub(crate) element: Option<Type>,
    /// What the list is like, if the field is one of a message with lists.
    pub(crate) list: Option<List>,
    /// The words of its unit in the schema: the unit itself, `stamp`, and its frame.
    pub(crate) unit: Vec<String>,
    pub(crate) doc: String,
    /// The field as it was written, on a line of its own.
    pub(crate) text: String,
    /// The visibility of padding after it, as in `pub `: that of its neighbours if they agree.
    pub(crate) pad: String,
    /// Whether the type depends on a type parameter of the struct.
    pub(crate) generic: bool,
    /// Whether an error about its type was reported already.
    pub(crate) refused: bool,
    /// Whether that error said which other type to use.
    pub(crate) is_advised: bool,
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
        let text = written::field(field);
        Field {
            member,
            name,
            span,
            ty,
            vis: field.vis.clone(),
            element,
            list: None,
            unit: Vec::new(),
            doc,
            text,
            pad: String::new(),
            generic,
            refused: false,
            is_advised: false,
        }
    }

    pub(crate) fn is_numbered(&self) -> bool {
        matches!(self.member, Member::Unnamed(_))
    }

    pub(crate) fn read_key(
        &mut self,
        meta: &ParseNestedMeta<'_>,
        transparent: bool,
    ) -> syn::Result<()> {
        let key = meta.path.to_token_stream().to_string();
        if !["unit", "stamp", "frame"].contains(&&*key) {
            return Err(meta.error(format!(
                "unknown key `{key}`: a field takes `unit = \"m\"`, `stamp` and \
                 `frame = \"lidar\"`"
            )));
        }
        if transparent {
            return Err(meta.error(format!(
                "a `#[repr(transparent)]` struct has the schema of its field: give the {key} \
                 where the struct is used"
            )));
        }
        match &*key {
            "unit" => self.unit.insert(0, meta.value()?.parse::<LitStr>()?.value()),
            "stamp" if is_no_stamp(&self.ty) => {
                return Err(meta.error(
                    "a stamp is a `u64`, an `i64` or a `SystemTimeNs`: the nanoseconds since 1970 \
                     began",
                ));
            }
            "stamp" => self.unit.push(key),
            _ => {
                let frame = meta.value()?.parse::<LitStr>()?;
                let name = frame.value();
                if name.is_empty() || name.contains(char::is_whitespace) || name.starts_with('/') {
                    let advice = "a frame's name has no blanks, and no `/` at its start";
                    return Err(syn::Error::new(frame.span(), advice));
                }
                self.unit.push(format!("frame:{name}"));
            }
        }
        Ok(())
    }

    /// The unit in the schema, if there is one.
    pub(crate) fn unit(&self) -> Option<String> {
        Some(self.unit.join(" ")).filter(|unit| !unit.is_empty())
    }

    /// Whether the field is the data of lists.
    pub(crate) fn is_list_data(&self) -> bool {
        list::is_data(&self.ty)
    }

    /// Refuses the field if its type cannot cross a process boundary, or cannot be at this
    /// position. `data` is a name for the data of lists that no field has.
    pub(crate) fn check(&mut self, position: Position, data: &str, errors: &mut Errors) {
        if let Some((ty, advice)) = refusal(&self.ty, position, data) {
            (self.refused, self.is_advised) = (true, true);
            errors.at(ty, advice);
        } else if let Some(element) = self.element.as_ref().filter(|_| position != Position::Last) {
            (self.refused, self.is_advised) = (true, true);
            errors.at(&self.ty, misplaced(&self.name, element, position, data));
        } else if let Some(List { element, .. }) = &self.list
            && let Some((ty, advice)) = refusal(element, Position::Inside, data)
        {
            self.refused = true;
            errors.at(ty, advice);
        }
    }

    /// Whether the field has, or is meant to have, any number of elements. A struct can have one
    /// such field, the last.
    pub(crate) fn is_of_any_number(&self) -> bool {
        self.element.is_some() || is_list(&self.ty)
    }

    /// Whether the field is or contains a pointer, which is not `Send`.
    pub(crate) fn has_pointer(&self) -> bool {
        self.text.contains("*const ") || self.text.contains("*mut ")
    }

    /// Whether the field makes the struct unsized.
    pub(crate) fn is_unsized(&self) -> bool {
        self.element.is_some()
            || self.is_list_data()
            || matches!(&self.ty, Type::Path(path) if path.path.is_ident("str"))
            || matches!(&self.ty, Type::TraitObject(_))
    }
}

/// Whether these tokens mention a type parameter of the struct.
fn mentions(tokens: TokenStream, input: &DeriveInput) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => input.generics.type_params().any(|param| param.ident == ident),
        TokenTree::Group(group) => mentions(group.stream(), input),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

/// Whether a type certainly holds no nanoseconds since 1970. Other names may be those of aliases.
fn is_no_stamp(ty: &Type) -> bool {
    const NONE: &[&str] =
        &["bool", "char", "u8", "u16", "u32", "i8", "i16", "i32", "f32", "f64", "usize", "isize"];
    match ty {
        Type::Path(path) => NONE.iter().any(|none| path.path.is_ident(none)),
        _ => true,
    }
}
