//! What the derive writes: the implementation, and the proofs that its promises hold.
//!
//! [`message`] reads the type; `enums` writes the output for an enum, `foreign` for a type of
//! another crate. If it has errors, the output is the errors and a stand-in that lets the rest of
//! the program compile ([`other_errors`](Output::other_errors)). Otherwise the output is the
//! implementation ([`implementation`](Output::implementation)): the twin of a struct that ends in a
//! slice, the assertions that fields are messages, the checks, `SHAPE`, `checked`, `layout`, the
//! access methods, and `Pod`.
//!
//! The proofs are constants that the compiler evaluates. For a struct without parameters, each
//! proof is an item of its own, so that one build reports all that fail. For a struct with
//! parameters, they are part of `SHAPE`, which all users of the trait evaluate. Each field's size
//! comes from its own `SHAPE`, so that the proofs of nested messages run too.
//!
//! Each mistake is reported once. A refused struct is a message nevertheless, so that programs that
//! use it are not refused as well. A field that is not a message is reported by
//! [`assertions`](Output::assertions); elsewhere substitutes stand for it (`private::Of`).
//!
//! A struct that ends in a slice has no `offset_of!` for its tail. So a private twin has the same
//! `repr`, fields and offsets, with a tail `[T; 0]`. The proofs are about it.

mod checks;
mod enums;
mod foreign;
mod lists;

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Ident, parse_quote};

use crate::advice::hint;
use crate::errors::Errors;
use crate::field::Field;
use crate::input::Input;
use crate::krate;
use crate::written::written;

/// The whole output of the derive for `source`.
pub(crate) fn message(source: &DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let input = Input::read(source, &mut errors);
    let private = match krate::path(input.krate.as_ref()) {
        Ok(krate) => quote!(#krate::private),
        Err(error) => {
            errors.add(error);
            return errors.into_tokens().unwrap_or_default();
        }
    };
    let output = Output { source, input, private };
    match errors.into_tokens() {
        Some(errors) => {
            let rest = output.other_errors();
            quote!(#errors #rest)
        }
        None => match &source.data {
            Data::Enum(data) => enums::message(source, data, &output.input, &output.private),
            _ if let Some(like) = &output.input.foreign => output.foreign(like),
            _ => output.implementation(),
        },
    }
}

/// The struct, as it was written and as it was read, and where the output finds its helpers.
struct Output<'a> {
    source: &'a DeriveInput,
    input: Input,
    /// The path of the module that the output refers to.
    private: TokenStream,
}

impl Output<'_> {
    /// The output for a refused struct: the checks that still make sense, so that the same build
    /// reports what they find. (Not those for padding: fields will change.)
    fn other_errors(&self) -> TokenStream {
        let private = &self.private;
        if self.is_generic() || self.source.generics.lifetimes().next().is_some() {
            return TokenStream::new();
        }
        let assertions = self.assertions();
        let name = &self.source.ident;
        let unsized_tail = self.input.fields.iter().any(Field::is_unsized);
        let (size, element) = match unsized_tail {
            true => (quote!(1), quote!(::core::option::Option::Some(1))),
            false => {
                (quote!(::core::mem::size_of::<#name>()), quote!(::core::option::Option::None))
            }
        };
        let align = match unsized_tail {
            true => quote!(1),
            false => quote!(::core::mem::align_of::<#name>()),
        };
        // A pointer was refused already, so users of the struct need not hear that it is not Send.
        // The claim is harmless in a program that does not compile.
        let pointers = match self.input.fields.iter().any(Field::has_pointer) {
            true => quote! {
                unsafe impl ::core::marker::Send for #name {}
                unsafe impl ::core::marker::Sync for #name {}
            },
            false => TokenStream::new(),
        };
        // The bound keeps any other type that is not Send from being reported twice.
        quote! {
            const _: () = {
                #assertions
                #pointers

                #[automatically_derived]
                unsafe impl #private::Message for #name
                where
                    for<'a> #name: ::core::marker::Send + ::core::marker::Sync,
                {
                    const SHAPE: #private::Shape =
                        #private::Shape { size: #size, align: #align, element: #element };

                    fn layout() -> #private::Type {
                        <u8 as #private::Message>::layout()
                    }

                    fn from_raw_parts(_: *const u8, _: usize) -> *const Self {
                        ::core::panic!("refused")
                    }

                    fn from_raw_parts_mut(_: *mut u8, _: usize) -> *mut Self {
                        ::core::panic!("refused")
                    }

                    fn elements(&self) -> usize {
                        0
                    }
                }
            };
        }
    }

    /// The assertions that each field that is not refused yet is a message. They are in a
    /// function's body, so that the compiler reports a failure once, whether or not the struct has
    /// parameters.
    fn assertions(&self) -> TokenStream {
        let private = &self.private;
        let fields = self.input.fields.iter().filter(|field| !field.refused && !field.generic);
        let asked = fields.map(|field| {
            if let Some(asked) = self.assertion_of_list(field) {
                return asked;
            }
            let of_list = field.list.as_ref().map(|list| &list.element);
            let ty = of_list.or(field.element.as_ref()).unwrap_or(&field.ty);
            let span = ty.span();
            match hint(ty).map(|hint| Ident::new(hint, Span::call_site())) {
                Some(hint) => quote_spanned! {span=> {
                    const fn is_message<T: #private::hints::#hint + ?::core::marker::Sized>() {}
                    is_message::<#ty>()
                }},
                None if field.element.is_none() => {
                    quote_spanned!(span=> #private::is_field::<#ty>())
                }
                None => quote_spanned!(span=> #private::is_message::<#ty>()),
            }
        });
        let (generics, _, where_clause) = self.source.generics.split_for_impl();
        quote! {
            #[allow(dead_code)]
            fn fields_are_messages #generics() #where_clause {
                #(#asked;)*
            }
        }
    }

    /// The output for a struct without errors.
    fn implementation(&self) -> TokenStream {
        let private = &self.private;
        let name = &self.source.ident;
        let (_, ty_generics, _) = self.source.generics.split_for_impl();
        let twin = Ident::new("__IoSharedTwin", Span::call_site());
        let is_unsized = self.tail().is_some() || self.input.has_lists();
        let laid_out = match is_unsized {
            true => quote!(#twin #ty_generics),
            false => quote!(#name #ty_generics),
        };
        let twin = is_unsized.then(|| self.twin(&twin));
        let lists = self.lists();

        let checks = self.checks(&laid_out);
        let (items, in_shape) = match self.is_generic() {
            true => (TokenStream::new(), quote!(#(#checks;)*)),
            false => (quote!(#(const _: () = #checks;)*), TokenStream::new()),
        };
        let shape = self.shape(&laid_out);
        let checked = self.checked(&laid_out);
        let layout = self.layout(&laid_out);
        let access = self.access();
        let mut generics = self.source.generics.clone();
        let bounds = &mut generics.make_where_clause().predicates;
        for field in self.input.fields.iter().filter(|field| field.generic) {
            let ty = field.element.as_ref().unwrap_or(&field.ty);
            bounds.push(parse_quote!(#ty: #private::Message));
        }
        for param in self.source.generics.type_params() {
            let param = &param.ident;
            bounds.push(parse_quote!(#param: 'static));
        }
        if !self.is_generic() {
            // Messages are, so this holds. It keeps a field that is not from being reported again.
            bounds.push(parse_quote!(for<'a> #name: ::core::marker::Send + ::core::marker::Sync));
        }
        let assertions = self.assertions();
        let (impl_generics, _, where_clause) = generics.split_for_impl();
        let pod = self.pod();
        quote! {
            const _: () = {
                #[allow(unused_imports)]
                use #private::{NotWhole as _, Otherwise as _};

                #twin
                #assertions
                #items

                #[automatically_derived]
                unsafe impl #impl_generics #private::Message for #name #ty_generics #where_clause {
                    const SHAPE: #private::Shape = {
                        #in_shape
                        #shape
                    };

                    #checked

                    fn layout() -> #private::Type {
                        #layout
                    }

                    #access
                }

                #pod
                #lists
            };
        }
    }

    /// Whether the struct has type or const parameters.
    fn is_generic(&self) -> bool {
        let generics = &self.source.generics;
        generics.type_params().next().is_some() || generics.const_params().next().is_some()
    }

    /// The last field and the type of its elements, if it is a slice.
    fn tail(&self) -> Option<(&Field, &syn::Type)> {
        let last = self.input.fields.last()?;
        Some((last, last.element.as_ref()?))
    }

    /// The sized twin of a struct that ends in a slice.
    fn twin(&self, twin: &Ident) -> TokenStream {
        let reprs = crate::syntax::reprs(&self.source.attrs);
        let types = self.input.fields.iter().map(|field| match &field.element {
            Some(element) => quote!([#element; 0]),
            None if field.is_list_data() => quote!([u8; 0]),
            None => {
                let ty = &field.ty;
                quote!(#ty)
            }
        });
        let generics = &self.source.generics;
        let where_clause = &generics.where_clause;
        let fields = if self.input.is_numbered() {
            quote!((#(#types,)*) #where_clause;)
        } else {
            let members = self.input.fields.iter().map(|field| &field.member);
            quote!(#where_clause { #(#members: #types,)* })
        };
        quote! {
            #(#reprs)*
            #[allow(dead_code)]
            struct #twin #generics #fields
        }
    }

    /// The proofs: expressions that panic, while constants are evaluated, if something does not
    /// hold.
    fn checks(&self, laid_out: &TokenStream) -> Vec<TokenStream> {
        let source = &self.source.ident;
        let (_, ty_generics, _) = self.source.generics.split_for_impl();
        let name = &self.input.name;
        let mut checks = vec![self.no_padding(laid_out)];
        if let Some((tail, _)) = self.tail() {
            let check = self.check("has_bytes", tail.span);
            let (name, of) = (&tail.name, self.of(tail));
            let size = quote!(#of::SHAPE.size);
            checks.push(quote_spanned!(tail.span=> #check(#name, #size)));
        }
        let check = self.check("no_drop", source.span());
        checks.extend(self.checks_of_lists());
        let parts = self.input.fields.iter().filter(|field| !field.is_list_data());
        let parts = parts.map(|field| field.element.as_ref().unwrap_or(&field.ty));
        let dropped = quote!(::core::mem::needs_drop::<#source #ty_generics>());
        let parts = quote!(::core::mem::needs_drop::<(#(#parts,)*)>());
        checks.push(quote_spanned!(source.span()=> #check(#name, #dropped, #parts)));
        checks
    }

    /// The path of a check, with a span that makes its error point at the user's token.
    fn check(&self, name: &str, span: Span) -> TokenStream {
        let private = &self.private;
        let name = Ident::new(name, span);
        let path = quote!(#private::#name).into_iter();
        path.map(|mut token| {
            token.set_span(span);
            token
        })
        .collect()
    }

    /// The check for padding, with all that it needs to show the struct without padding.
    fn no_padding(&self, laid_out: &TokenStream) -> TokenStream {
        let (private, input) = (&self.private, &self.input);
        let span = self.source.ident.span();
        let check = self.check("no_padding", span);
        let fields = input.fields.iter().map(|field| {
            let (name, member, text, pad) = (&field.name, &field.member, &field.text, &field.pad);
            let is_message = match field.generic || field.is_list_data() {
                true => quote!(true),
                false => {
                    let of_list = field.list.as_ref().map(|list| &list.element);
                    let ty = of_list.or(field.element.as_ref()).unwrap_or(&field.ty);
                    quote!(#private::Of::<#ty>::IS_MESSAGE)
                }
            };
            let start = quote!(::core::mem::offset_of!(#laid_out, #member));
            let end = match field.element {
                Some(_) => start.clone(),
                None if field.is_list_data() => start.clone(),
                None => self.end(field, laid_out),
            };
            quote! {
                #private::Member {
                    name: #name,
                    text: #text, pad: #pad,
                    start: #start,
                    end: #end,
                    is_message: #is_message,
                }
            }
        });
        let size = match self.tail() {
            Some(_) => quote!(::core::option::Option::None),
            None if input.has_lists() => quote!(::core::option::Option::None),
            None => quote!(#private::Whole::<#laid_out>::SIZE),
        };
        let (numbered, generic) = (input.is_numbered(), self.is_generic());
        let (head, foot) = written(self.source, numbered);
        let (name, first_pad) = (&input.name, input.first_pad());
        let source = quote! {
            #private::Source {
                name: #name,
                numbered: #numbered,
                generic: #generic,
                head: #head,
                foot: #foot,
                fields: &[#(#fields),*],
                size: #size,
                first_pad: #first_pad,
            }
        };
        quote_spanned!(span=> #check(&#source))
    }

    /// The offset of a sized field's end.
    fn end(&self, field: &Field, laid_out: &TokenStream) -> TokenStream {
        let (member, of) = (&field.member, self.of(field));
        quote! {
            ::core::mem::offset_of!(#laid_out, #member) + #of::SHAPE.size
        }
    }

    /// The value of `SHAPE`.
    fn shape(&self, laid_out: &TokenStream) -> TokenStream {
        let private = &self.private;
        if self.input.has_lists() {
            return self.shape_with_lists(laid_out);
        }
        let Some((tail, _)) = self.tail() else {
            return quote!(#private::Whole::<#laid_out>::SHAPE);
        };
        let (member, of) = (&tail.member, self.of(tail));
        quote! {
            #private::Shape {
                size: ::core::mem::offset_of!(#laid_out, #member),
                align: ::core::mem::align_of::<#laid_out>(),
                element: ::core::option::Option::Some(#of::SHAPE.size),
            }
        }
    }

    /// The body of `layout`, which builds the schema type.
    fn layout(&self, laid_out: &TokenStream) -> TokenStream {
        let private = &self.private;
        if self.input.transparent {
            return self.input.fields.iter().map(|field| self.type_of(field)).collect();
        }
        let (name, doc) = (&self.input.name, &self.input.doc);
        let fields = self.input.fields.iter().map(|field| {
            let Field { member, name, doc, .. } = field;
            let ty = self.type_of(field);
            let unit = field.unit().into_iter();
            let doc = Some(doc).filter(|doc| !doc.is_empty()).into_iter();
            quote! {
                .field(
                    #private::Field::new(
                        #name,
                        ::core::mem::offset_of!(#laid_out, #member),
                        #ty,
                    )
                    #(.unit(#unit))*
                    #(.doc(#doc))*
                )
            }
        });
        let doc = Some(doc).filter(|doc| !doc.is_empty()).into_iter();
        quote! {
            #private::Type::Struct(
                #private::Struct::new(#name, <Self as #private::Message>::SHAPE)
                #(.doc(#doc))*
                #(#fields)*
            )
        }
    }

    /// The schema type of a field. For a slice it is built from the elements' type, so that
    /// elements that are not messages are reported once.
    fn type_of(&self, field: &Field) -> TokenStream {
        let (private, of) = (&self.private, self.of(field));
        match &field.element {
            Some(_) => quote!(#private::slice_of(#of::layout())),
            None if field.is_list_data() => quote!(#private::Type::ListData),
            None if let Some(list) = &field.list => {
                let element = &list.element;
                quote!(#of::layout(#private::Of::<#element>::layout()))
            }
            None => quote!(#of::layout()),
        }
    }

    /// The path to the facts about a field's type, or its elements' type: `Message` for a type that
    /// depends on a parameter, `private::Of` for any other.
    fn of(&self, field: &Field) -> TokenStream {
        let private = &self.private;
        let ty = field.element.as_ref().unwrap_or(&field.ty);
        match field.generic {
            true => quote!(<#ty as #private::Message>),
            false if field.list.is_some() => quote!(#private::OfList::<#ty>),
            false => quote!(#private::Of::<#ty>),
        }
    }

    /// The methods between bytes and elements.
    fn access(&self) -> TokenStream {
        let private = &self.private;
        if self.input.has_lists() {
            return self.access_with_lists();
        }
        match self.tail() {
            None => quote! {
                #[inline]
                fn from_raw_parts(start: *const u8, _elements: usize) -> *const Self {
                    #private::Whole::<Self>::at(start)
                }

                #[inline]
                fn from_raw_parts_mut(start: *mut u8, _elements: usize) -> *mut Self {
                    #private::Whole::<Self>::at_mut(start)
                }

                #[inline]
                fn elements(&self) -> usize {
                    0
                }
            },
            // A pointer to a struct that ends in a slice carries the slice's length, so the cast
            // changes neither the address nor the length.
            Some((Field { member, .. }, element)) => quote! {
                #[inline]
                fn from_raw_parts(start: *const u8, elements: usize) -> *const Self {
                    ::core::ptr::slice_from_raw_parts(start.cast::<#element>(), elements)
                        as *const Self
                }

                #[inline]
                fn from_raw_parts_mut(start: *mut u8, elements: usize) -> *mut Self {
                    ::core::ptr::slice_from_raw_parts_mut(start.cast::<#element>(), elements)
                        as *mut Self
                }

                #[inline]
                fn elements(&self) -> usize {
                    self.#member.len()
                }
            },
        }
    }
}
