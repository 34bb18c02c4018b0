//! What the derive writes: the implementation, and the proofs that its promises hold.
//!
//! The proofs are constants that the compiler evaluates. For a struct without parameters each is an
//! item of its own, so that all of them are told at once; for one with parameters they stand in
//! `SHAPE`, which all users of the trait evaluate. Each field's size comes from its own `SHAPE`, so
//! that the proofs of nested messages run too.
//!
//! A struct that ends in a slice has no `offset_of!` for its tail. A private twin with the same
//! `repr` and fields, whose tail is `[T; 0]`, has the same offsets and alignment, and the
//! proofs are about it.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{DeriveInput, Ident, parse_quote};

use crate::field::Field;
use crate::input::{Errors, Input};
use crate::krate;

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
        None => output.implementation(),
    }
}

struct Output<'a> {
    source: &'a DeriveInput,
    input: Input,
    /// The path of the module that holds what the output refers to.
    private: TokenStream,
}

impl Output<'_> {
    /// For a struct that is refused: the checks that still make sense, so that what they find is
    /// told in the same build.
    fn other_errors(&self) -> TokenStream {
        let private = &self.private;
        if self.is_generic() || self.source.generics.lifetimes().next().is_some() {
            return TokenStream::new();
        }
        let fields = || self.input.fields.iter();
        let messages = fields().filter(|field| !field.refused).map(|field| {
            let ty = field.element.as_ref().unwrap_or(&field.ty);
            quote!(const _: #private::Shape = <#ty as #private::Message>::SHAPE;)
        });
        // Behind a refused field all offsets are subject to change.
        let known = fields().take_while(|field| !field.refused && field.element.is_none()).count();
        let known = if self.input.ordered { known } else { 0 };
        let name = &self.source.ident;
        let gaps = self.gaps(known, &quote!(#name));
        quote! {
            const _: () = { #(#messages)* };
            #(const _: () = #gaps;)*
        }
    }

    fn implementation(&self) -> TokenStream {
        let private = &self.private;
        let name = &self.source.ident;
        let (_, ty_generics, _) = self.source.generics.split_for_impl();
        let twin = Ident::new("__IoSharedTwin", Span::call_site());
        let laid_out = match self.tail() {
            Some(_) => quote!(#twin #ty_generics),
            None => quote!(#name #ty_generics),
        };
        let twin = self.tail().map(|_| self.twin(&twin));

        let checks = self.checks(&laid_out);
        let (items, in_shape) = match self.is_generic() {
            true => (TokenStream::new(), quote!(#(#checks;)*)),
            false => (quote!(#(const _: () = #checks;)*), TokenStream::new()),
        };
        let shape = self.shape(&laid_out);
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
        let (impl_generics, _, where_clause) = generics.split_for_impl();
        let pod = self.pod();
        quote! {
            const _: () = {
                #twin
                #items

                #[automatically_derived]
                unsafe impl #impl_generics #private::Message for #name #ty_generics #where_clause {
                    const SHAPE: #private::Shape = {
                        #in_shape
                        #shape
                    };

                    fn layout() -> #private::Type {
                        #layout
                    }

                    #access
                }

                #pod
            };
        }
    }

    fn is_generic(&self) -> bool {
        let generics = &self.source.generics;
        generics.type_params().next().is_some() || generics.const_params().next().is_some()
    }

    /// The last field and the type of its elements, if it is a slice.
    fn tail(&self) -> Option<(&Field, &syn::Type)> {
        let last = self.input.fields.last()?;
        Some((last, last.element.as_ref()?))
    }

    fn twin(&self, twin: &Ident) -> TokenStream {
        let reprs = self.source.attrs.iter().filter(|attr| attr.path().is_ident("repr"));
        let types = self.input.fields.iter().map(|field| match &field.element {
            Some(element) => quote!([#element; 0]),
            None => {
                let ty = &field.ty;
                quote!(#ty)
            }
        });
        let generics = &self.source.generics;
        let where_clause = &generics.where_clause;
        let fields = if self.input.fields.iter().any(Field::is_numbered) {
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

    /// Everything that must hold, as expressions that panic while constants are evaluated.
    fn checks(&self, laid_out: &TokenStream) -> Vec<TokenStream> {
        let private = &self.private;
        let source = &self.source.ident;
        let (_, ty_generics, _) = self.source.generics.split_for_impl();
        let name = &self.input.name;
        let mut checks = self.gaps(self.input.fields.len(), laid_out);
        match (self.tail(), self.input.fields.last()) {
            (Some((tail, element)), _) => {
                let check = self.check("has_bytes", tail.span);
                let name = &tail.name;
                let size = quote!(<#element as #private::Message>::SHAPE.size);
                checks.push(quote_spanned!(tail.span=> #check(#name, #size)));
            }
            (None, Some(last)) => {
                let check = self.check("no_padding_after", last.span);
                let (name, pad) = (&last.name, self.input.pad());
                let end = self.end(last, laid_out);
                let size = quote!(::core::mem::size_of::<#laid_out>());
                checks.push(quote_spanned!(last.span=> #check(#name, #end, #size, #pad)));
            }
            (None, None) => {}
        }
        let check = self.check("no_drop", source.span());
        let parts =
            self.input.fields.iter().map(|field| field.element.as_ref().unwrap_or(&field.ty));
        let dropped = quote!(::core::mem::needs_drop::<#source #ty_generics>());
        let parts = quote!(::core::mem::needs_drop::<(#(#parts,)*)>());
        checks.push(quote_spanned!(source.span()=> #check(#name, #dropped, #parts)));
        checks
    }

    /// The path of a check, with a span that makes what it says point at the user's token.
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

    /// The checks for padding between the first `count` fields.
    fn gaps(&self, count: usize, laid_out: &TokenStream) -> Vec<TokenStream> {
        let pad = self.input.pad();
        let fields = self.input.fields.iter().take(count);
        fields
            .clone()
            .zip(fields.skip(1))
            .map(|(before, after)| {
                let span = after.span;
                let check = self.check("no_padding_between", span);
                let (name, next, member) = (&before.name, &after.name, &after.member);
                let end = self.end(before, laid_out);
                let start = quote!(::core::mem::offset_of!(#laid_out, #member));
                quote_spanned!(span=> #check(#name, #end, #next, #start, #pad))
            })
            .collect()
    }

    /// Where a sized field ends, in bytes.
    fn end(&self, field: &Field, laid_out: &TokenStream) -> TokenStream {
        let private = &self.private;
        let (member, ty) = (&field.member, &field.ty);
        quote! {
            ::core::mem::offset_of!(#laid_out, #member) + <#ty as #private::Message>::SHAPE.size
        }
    }

    fn shape(&self, laid_out: &TokenStream) -> TokenStream {
        let private = &self.private;
        let (size, element) = match self.tail() {
            Some((Field { member, .. }, element)) => (
                quote!(::core::mem::offset_of!(#laid_out, #member)),
                quote!(::core::option::Option::Some(<#element as #private::Message>::SHAPE.size)),
            ),
            None => {
                (quote!(::core::mem::size_of::<#laid_out>()), quote!(::core::option::Option::None))
            }
        };
        quote! {
            #private::Shape {
                size: #size,
                align: ::core::mem::align_of::<#laid_out>(),
                element: #element,
            }
        }
    }

    fn layout(&self, laid_out: &TokenStream) -> TokenStream {
        let private = &self.private;
        if self.input.transparent {
            return self.input.fields.iter().map(|field| self.type_of(field)).collect();
        }
        let (name, doc) = (&self.input.name, &self.input.doc);
        let fields = self.input.fields.iter().map(|field| {
            let Field { member, name, doc, .. } = field;
            let ty = self.type_of(field);
            let unit = field.unit.iter();
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

    /// The schema type of a field. A slice goes by its elements, so that an element that is no
    /// message is told of once.
    fn type_of(&self, field: &Field) -> TokenStream {
        let (private, ty) = (&self.private, &field.ty);
        match &field.element {
            Some(element) => {
                quote!(#private::slice_of(<#element as #private::Message>::layout()))
            }
            None => quote!(<#ty as #private::Message>::layout()),
        }
    }

    /// The methods that go from bytes to elements and back.
    fn access(&self) -> TokenStream {
        match self.tail() {
            None => quote! {
                #[inline]
                fn from_raw_parts(start: *const u8, _elements: usize) -> *const Self {
                    start.cast::<Self>()
                }

                #[inline]
                fn from_raw_parts_mut(start: *mut u8, _elements: usize) -> *mut Self {
                    start.cast::<Self>()
                }

                #[inline]
                fn elements(&self) -> usize {
                    0
                }
            },
            // A pointer to a struct that ends in a slice has the slice's length, so the cast
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

    /// `Pod` where the struct is `Copy`. Not for structs with parameters: nothing in bytemuck
    /// would evaluate their proofs.
    fn pod(&self) -> TokenStream {
        if !self.input.pod || self.is_generic() || self.tail().is_some() {
            return TokenStream::new();
        }
        let name = &self.source.ident;
        let bytemuck = {
            let private = &self.private;
            quote!(#private::bytemuck)
        };
        // `for<'a>` keeps the compiler from refusing the bound where it does not hold.
        let copy = quote!(for<'a> #name: ::core::marker::Copy);
        quote! {
            #[automatically_derived]
            unsafe impl #bytemuck::Zeroable for #name where #copy {}
            #[automatically_derived]
            unsafe impl #bytemuck::Pod for #name where #copy {}
        }
    }
}
