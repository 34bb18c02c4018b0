//! The output for a message with lists: the proofs about their elements, the check of their places,
//! and the accessors.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Ident;
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use super::Output;
use crate::advice::hint;
use crate::field::Field;
use crate::list::List;
use crate::written::show;

impl Output<'_> {
    /// The lists with their fields.
    fn lists_of_fields(&self) -> impl Iterator<Item = (&Field, &List)> {
        self.input.fields.iter().filter_map(|field| Some((field, field.list.as_ref()?)))
    }

    /// The assertion about a list's elements, or about the data of lists.
    pub(super) fn assertion_of_list(&self, field: &Field) -> Option<TokenStream> {
        let private = &self.private;
        match &field.list {
            Some(List { element, .. }) if hint(element).is_none() => {
                Some(quote_spanned!(element.span()=> #private::is_field::<#element>()))
            }
            Some(_) => None,
            None if field.is_list_data() && self.input.has_lists() => {
                let ty = &field.ty;
                Some(quote_spanned!(ty.span()=> #private::is_list_data::<#ty>()))
            }
            None => None,
        }
    }

    /// The proofs that the axes and the elements are what lists may have.
    pub(super) fn checks_of_lists(&self) -> impl Iterator<Item = TokenStream> {
        self.lists_of_fields().map(|(field, List { element, axes })| {
            let (private, name) = (&self.private, &field.name);
            let axes = axes.as_ref().map(|axes| {
                let check = self.check("has_axes", axes.span());
                quote_spanned!(axes.span()=> #check(#name, #axes);)
            });
            let check = self.check("has_plain_elements", element.span());
            let shown = show(element);
            let convert = match shown.as_str() {
                "bool" => "number != 0".to_owned(),
                _ => format!("{shown}::try_from(number)"),
            };
            quote_spanned! {element.span()=> {
                #axes
                #[allow(unused_imports)]
                use #private::Unstored as _;
                let stored = #private::StoredOf::<#element>::AS;
                let facts = (#private::Of::<#element>::SHAPE, #private::Of::<#element>::CHECKED);
                #check(facts, #name, #shown, stored, #convert)
            }}
        })
    }

    /// The value of `SHAPE`.
    pub(super) fn shape_with_lists(&self, laid_out: &TokenStream) -> TokenStream {
        let private = &self.private;
        let Some(Field { member, .. }) = self.input.fields.last() else { return quote!() };
        let elements = self.lists_of_fields().map(|(_, List { element, .. })| element);
        quote! {
            #private::Shape {
                size: ::core::mem::offset_of!(#laid_out, #member),
                align: #private::lists_align(
                    ::core::mem::align_of::<#laid_out>(),
                    &[#(#private::Of::<#elements>::SHAPE.align),*],
                ),
                element: ::core::option::Option::Some(1),
            }
        }
    }

    /// The check of where all lists lie.
    pub(super) fn check_of_lists(&self, laid_out: &TokenStream) -> TokenStream {
        if !self.input.has_lists() {
            return TokenStream::new();
        }
        let private = &self.private;
        let axes: Vec<_> = self
            .lists_of_fields()
            .map(|(Field { ty, .. }, _)| quote!(<#ty as #private::ListField>::AXES))
            .collect();
        let numbers = 0..axes.len();
        let data = quote!(<Self as #private::Message>::SHAPE.size);
        let lists =
            self.lists_of_fields().map(|(Field { ty, member, .. }, List { element, .. })| {
                quote! {
                    #private::ListAt {
                        at: ::core::mem::offset_of!(#laid_out, #member),
                        axes: <#ty as #private::ListField>::AXES,
                        size: #private::Of::<#element>::SHAPE.size,
                        align: #private::Of::<#element>::SHAPE.align,
                    }
                }
            });
        quote! {
            const LISTS: &[#private::ListAt] = &[#(#lists),*];
            let mut lists = #private::InOrder::new(start, #data, length);
            let in_order = true
                #(&& unsafe { lists.next::<{ #axes }>(const { LISTS[#numbers] }) })*;
            if !in_order {
                unsafe { #private::check_unordered(start, length, #data, LISTS) }?;
            }
        }
    }

    /// The methods between bytes and elements.
    pub(super) fn access_with_lists(&self) -> TokenStream {
        let Some(Field { member, .. }) = self.input.fields.last() else { return quote!() };
        // A pointer to a struct that ends in unsized data has the data's length, so the cast
        // changes neither the address nor the length.
        quote! {
            #[inline]
            fn from_raw_parts(start: *const u8, elements: usize) -> *const Self {
                ::core::ptr::slice_from_raw_parts(start, elements) as *const Self
            }

            #[inline]
            fn from_raw_parts_mut(start: *mut u8, elements: usize) -> *mut Self {
                ::core::ptr::slice_from_raw_parts_mut(start, elements) as *mut Self
            }

            #[inline]
            fn elements(&self) -> usize {
                self.#member.len()
            }
        }
    }

    /// The accessors of the lists, and the types that they return.
    pub(super) fn lists(&self) -> TokenStream {
        let Some(data) = self.input.fields.last().filter(|_| self.input.has_lists()) else {
            return TokenStream::new();
        };
        let (private, name, vis) = (&self.private, &self.source.ident, &self.source.vis);
        let names = |suffix| Ident::new(&format!("{}{suffix}", name.unraw()), Span::call_site());
        let (capacity, lists_mut) = (names("Capacity"), names("ListsMut"));
        let (reads, lends): (Vec<_>, Vec<_>) =
            self.lists_of_fields().map(|list| (self.read(list), self.lent(list))).unzip();
        let fields: Vec<_> = self.lists_of_fields().map(|(field, _)| &field.member).collect();
        let types: Vec<_> = self.lists_of_fields().map(|(field, _)| &field.ty).collect();
        let vises: Vec<_> = self.lists_of_fields().map(|(field, _)| self.vis_of(field)).collect();
        // `for<'a>`: elements that are no messages are reported once, and not here.
        let elements = self.lists_of_fields().map(|(_, list)| &list.element);
        let data = &data.member;
        let start = quote!(<Self as #private::Message>::SHAPE.size);
        let said =
            format!("How many elements each list of a `{name}` has: none, unless it is said.");
        let builder = self.builder(&capacity);
        let read = self.lists_of_fields().map(|(_, list)| match list.axes {
            None => quote!(read),
            Some(_) => quote!(read_nd),
        });
        // Names that no field has.
        let numbered = |name: &str| -> Vec<_> {
            let name = |i| Ident::new(&format!("{name}{i}"), Span::mixed_site());
            (0..fields.len()).map(name).collect()
        };
        let (words, parts) = (numbered("list"), numbered("part"));
        quote! {
            #[automatically_derived]
            impl #name
            where
                #(for<'a> #elements: #private::Message,)*
            {
                #(#reads)*

                /// The elements of all lists, to be written. A list that does not fit the message,
                /// or overlaps one before it, has none.
                #[allow(dead_code)]
                #[inline]
                #vis fn lists_mut(&mut self) -> #lists_mut<'_> {
                    #(let #words = #private::access::#read(&self.#fields);)*
                    let ranges = [#(#words.range(&self.#data, #start)),*];
                    let [#(#parts),*] =
                        #private::access::split(&mut self.#data, #start, ranges);
                    #lists_mut {
                        #(#fields: #words.lend(#parts),)*
                    }
                }

                #[doc = #said]
                #[allow(dead_code)]
                #[inline]
                #vis fn capacity() -> #capacity {
                    #capacity { #(#fields: <#types as #private::ListField>::NONE,)* }
                }
            }

            /// The elements of all lists.
            #[allow(dead_code, missing_docs, missing_debug_implementations)]
            #vis struct #lists_mut<'a> {
                #(#vises #fields: #lends,)*
            }

            #builder
        }
    }

    /// The visibility of a list's accessor: that of the field.
    fn vis_of(&self, field: &Field) -> TokenStream {
        let vis = &field.vis;
        quote!(#vis)
    }

    /// The accessor of a list.
    fn read(&self, (field, list): (&Field, &List)) -> TokenStream {
        let (private, member, vis) = (&self.private, &field.member, self.vis_of(field));
        let Some(Field { member: data, .. }) = self.input.fields.last() else { return quote!() };
        let (returned, read) = match list {
            List { element, axes: None } => (quote!(&[#element]), quote!(list)),
            List { element, axes: Some(axes) } => {
                (quote!(#private::NdSlice<'_, #element, { #axes }>), quote!(nd))
            }
        };
        let doc = match field.doc.as_str() {
            "" => format!("The elements of the list `{}`.", field.name),
            doc => doc.to_owned(),
        };
        let start = quote!(<Self as #private::Message>::SHAPE.size);
        quote! {
            #[doc = #doc]
            #[allow(dead_code)]
            #[inline]
            #vis fn #member(&self) -> #returned {
                #private::access::#read(&self.#data, #start, &self.#member)
            }
        }
    }

    /// The type of a list's elements to be written.
    fn lent(&self, (_, list): (&Field, &List)) -> TokenStream {
        let private = &self.private;
        match list {
            List { element, axes: None } => quote!(&'a mut [#element]),
            List { element, axes: Some(axes) } => {
                quote!(#private::NdSliceMut<'a, #element, { #axes }>)
            }
        }
    }

    /// The type that says how many elements each list has.
    fn builder(&self, capacity: &Ident) -> TokenStream {
        let (private, name, vis) = (&self.private, &self.source.ident, &self.source.vis);
        let fields: Vec<_> = self.lists_of_fields().map(|(field, _)| &field.member).collect();
        let lists = self.lists_of_fields().map(|(field, _)| &field.ty);
        let elements = self.lists_of_fields().map(|(_, list)| &list.element);
        let sizes = |list: &List| match &list.axes {
            None => quote!(usize),
            Some(axes) => quote!([usize; { #axes }]),
        };
        let types = self.lists_of_fields().map(|(_, list)| sizes(list));
        let setters = self.lists_of_fields().map(|(field, list)| {
            let (member, vis, sizes) = (&field.member, self.vis_of(field), sizes(list));
            let doc = match list.axes {
                None => format!("How many elements the list `{}` has.", field.name),
                Some(_) => format!("How many elements each axis of `{}` has.", field.name),
            };
            quote! {
                #[doc = #doc]
                #[allow(dead_code)]
                #[must_use]
                #[inline]
                #vis fn #member(mut self, #member: #sizes) -> Self {
                    self.#member = #member;
                    self
                }
            }
        });
        let start = quote!(<#name as #private::Message>::SHAPE.size);
        quote! {
            /// How many elements each list has.
            #[derive(Debug, Clone, Copy)]
            #vis struct #capacity {
                #(#fields: #types,)*
            }

            impl #capacity {
                #(#setters)*
            }

            #[automatically_derived]
            impl #private::ListCapacity for #capacity
            where
                #(for<'a> #elements: #private::Message,)*
            {
                type Message = #name;

                #[inline]
                fn bytes(&self) -> usize {
                    let mut layout = #private::access::Layout::new(#start);
                    #(let _: #lists = layout.next(self.#fields);)*
                    layout.bytes()
                }

                #[inline]
                fn lay_out(&self, message: &mut #name) {
                    let mut layout = #private::access::Layout::new(#start);
                    #(message.#fields = layout.next(self.#fields);)*
                }
            }
        }
    }
}
