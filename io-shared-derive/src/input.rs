//! The struct that the derive is on: its attributes, its representation, its fields.
//!
//! Reading continues after an error, so that one build reports all errors.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::{Attribute, Data, DeriveInput, LitBool, Path, Type};

use crate::advice::Position;
use crate::corrected::corrected;
use crate::errors::Errors;
use crate::field::Field;
use crate::list;
use crate::stored;
use crate::syntax::{doc, name, reprs};
use crate::written::visibility;

pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) fields: Vec<Field>,
    /// Whether the struct's `repr` fixes the order of its fields.
    pub(crate) ordered: bool,
    pub(crate) transparent: bool,
    pub(crate) pod: bool,
    pub(crate) try_from: bool,
    /// The message whose schema a type of another crate has, for a struct around that type.
    pub(crate) foreign: Option<Type>,
    pub(crate) krate: Option<Path>,
}

impl Input {
    pub(crate) fn read(input: &DeriveInput, errors: &mut Errors) -> Input {
        let name = input.ident.unraw().to_string();
        let mut read = Input {
            doc: doc(&input.attrs),
            fields: Vec::new(),
            ordered: false,
            transparent: false,
            pod: true,
            try_from: true,
            foreign: None,
            krate: None,
            name,
        };
        each_key(&input.attrs, errors, |meta| read.read_key(meta));
        let data = match &input.data {
            Data::Struct(data) => data,
            Data::Enum(data) => {
                read.check_foreign(input, errors);
                stored::read(input, data, errors);
                return read;
            }
            Data::Union(_) => {
                errors.at(
                    &input.ident,
                    "a union cannot be a message, because nothing says which of its fields is \
                     valid: use a struct",
                );
                return read;
            }
        };
        for lifetime in input.generics.lifetimes() {
            errors
                .at(lifetime, format!("a message borrows nothing: remove `{}`", lifetime.lifetime));
        }
        read.read_repr(input, errors);
        read.check_foreign(input, errors);
        let fields = data.fields.members().zip(&data.fields);
        read.fields = fields.map(|(member, field)| Field::read(member, field, input)).collect();
        let shown: Vec<_> = read.fields.iter().map(|field| visibility(&field.vis)).collect();
        let nexts = shown.iter().skip(1).map(Some).chain([None]);
        for ((field, own), next) in read.fields.iter_mut().zip(&shown).zip(nexts) {
            field.pad =
                if next.is_none_or(|next| next == own) { own.clone() } else { String::new() };
        }
        for (field, source) in read.fields.iter_mut().zip(&data.fields) {
            let transparent = read.transparent;
            each_key(&source.attrs, errors, |meta| field.read_key(meta, transparent));
        }
        let has_parameters = !input.generics.params.is_empty();
        read_lists(&mut read.fields, has_parameters, errors);
        if read.foreign.is_some() {
            // The type need not be a message.
            read.fields.iter_mut().for_each(|field| field.refused = true);
            return read;
        }
        read.check_fields(input, errors);
        if read.transparent && read.fields.len() != 1 {
            errors.at(
                &input.ident,
                "a `#[repr(transparent)]` message has one field: use `#[repr(C)]`",
            );
        }
        read
    }

    /// Refuses the fields that cannot cross a process boundary, or not where they are.
    fn check_fields(&mut self, input: &DeriveInput, errors: &mut Errors) {
        let last = self.fields.len().saturating_sub(1);
        let of_any_number = self.fields.iter().filter(|field| field.is_of_any_number()).count();
        let several = match () {
            () if self.has_lists() => Some(Position::Lists),
            () if of_any_number > 1 => Some(Position::Several),
            () => None,
        };
        let names = self.fields.iter().map(|field| field.name.as_str());
        let data = list::data_name(names);
        for (i, field) in self.fields.iter_mut().enumerate() {
            let alone = if i == last { Position::Last } else { Position::Before };
            field.check(several.unwrap_or(alone), data, errors);
        }
        let position = several.unwrap_or(Position::Last);
        if let Some(shown) = corrected(input, &self.fields, position, self.ordered) {
            errors.at(&input.ident, shown);
        }
    }

    fn read_key(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        if meta.path.is_ident("pod") {
            self.pod = meta.value()?.parse::<LitBool>()?.value;
        } else if meta.path.is_ident("try_from") {
            self.try_from = meta.value()?.parse::<LitBool>()?.value;
        } else if meta.path.is_ident("foreign") {
            self.foreign = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("crate") {
            self.krate = Some(meta.value()?.call(Path::parse_mod_style)?);
        } else {
            let unknown = meta.path.to_token_stream();
            return Err(meta.error(format!(
                "unknown key `{unknown}`: a type takes `pod = false` and `crate = path`, an enum \
                 `try_from = false`, and a struct `foreign = type`"
            )));
        }
        Ok(())
    }

    fn read_repr(&mut self, input: &DeriveInput, errors: &mut Errors) {
        for attr in reprs(&input.attrs) {
            let read = attr.parse_nested_meta(|meta| {
                match name(&meta.path).as_str() {
                    "C" => self.ordered = true,
                    "transparent" => (self.ordered, self.transparent) = (true, true),
                    "packed" => errors.at(
                        &meta.path,
                        "fields of a packed struct cannot be borrowed: remove `packed`; if that \
                         leaves padding, the next build says what to add",
                    ),
                    _ => {}
                }
                if meta.input.peek(syn::token::Paren) {
                    let argument;
                    syn::parenthesized!(argument in meta.input);
                    argument.parse::<TokenStream>()?;
                }
                Ok(())
            });
            if let Err(error) = read {
                errors.add(error);
            }
        }
        if !self.ordered {
            errors.at(
                &input.ident,
                format!(
                    "without `#[repr(C)]` the compiler may order the fields differently in \
                     each program: add `#[repr(C)]` above `struct {}`",
                    self.name
                ),
            );
        }
    }

    /// Refuses `foreign` on anything but a struct around one type.
    fn check_foreign(&self, input: &DeriveInput, errors: &mut Errors) {
        let is_around_one = match &input.data {
            Data::Struct(data) => self.transparent && data.fields.len() == 1,
            _ => false,
        };
        if let Some(foreign) = &self.foreign
            && !(is_around_one && input.generics.params.is_empty())
        {
            errors.at(
                foreign,
                "`foreign` is for a struct with `#[repr(transparent)]` around one type of another \
                 crate, without parameters",
            );
        }
    }

    /// Whether it is a message with lists.
    pub(crate) fn has_lists(&self) -> bool {
        self.fields.last().is_some_and(Field::is_list_data)
    }

    pub(crate) fn is_numbered(&self) -> bool {
        self.fields.iter().any(Field::is_numbered)
    }

    /// The first number `n` for which no field is called `_pad{n}` or higher.
    pub(crate) fn first_pad(&self) -> usize {
        let numbers = self.fields.iter().filter_map(|field| field.name.strip_prefix("_pad"));
        numbers.filter_map(|digits| digits.parse::<usize>().ok()).max().map_or(0, |last| last + 1)
    }
}

/// Calls `read` for each key in the `#[message(..)]` attributes.
fn each_key(
    attrs: &[Attribute],
    errors: &mut Errors,
    mut read: impl FnMut(&ParseNestedMeta<'_>) -> syn::Result<()>,
) {
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("message")) {
        if let Err(error) = attr.parse_nested_meta(|meta| read(&meta)) {
            errors.add(error);
        }
    }
}

/// Finds the lists of a message that ends in `ListData`, and refuses what such a message cannot be.
fn read_lists(fields: &mut [Field], has_parameters: bool, errors: &mut Errors) {
    let Some((data, fields)) = fields.split_last_mut() else { return };
    if fields.iter().any(Field::is_list_data) {
        // This is said once, and not of each list.
        fields
            .iter_mut()
            .filter(|field| list::is_list(&field.ty))
            .for_each(|field| field.refused = true);
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
    if !fields.iter().any(|field| list::is_list(&field.ty) || field.is_of_any_number()) {
        let name = &data.name;
        let advice = format!(
            "no field of this struct is a list, written `List<T>` or `NdList<T, N>`: add one \
             before `{name}`, or remove `{name}`"
        );
        errors.at(&data.ty, advice);
    }
    for field in fields {
        field.list = list::read(&field.ty);
        if field.list.as_ref().is_some_and(|list| list::is_list(&list.element)) {
            field.refused = true;
            let name = &field.name;
            let advice = format!(
                "the elements of a list cannot be lists: make `{name}` one list of all elements, \
                 and add a `List<u32>` with how many of them belong together"
            );
            errors.at(&field.ty, advice);
        }
        if field.list.is_some() && list::TAKEN.contains(&field.name.as_str()) {
            let name = &field.name;
            let advice =
                format!("`{name}` is a method of every message with lists: rename the list");
            errors.add(syn::Error::new(field.span, advice));
        }
    }
}
