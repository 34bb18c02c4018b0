//! Which bytes of a struct must be checked, the checks, which are those of its fields, and `Pod`,
//! which a checked struct is not.

use proc_macro2::TokenStream;
use quote::quote;

use super::Output;

impl Output<'_> {
    /// The constants and the method that say which bytes are no value of the struct.
    pub(super) fn checked(&self, laid_out: &TokenStream) -> TokenStream {
        let private = &self.private;
        // Lists are checked together.
        let fields = self.input.fields.iter();
        let fields = || fields.clone().filter(|f| f.list.is_none() && !f.is_list_data());
        let of = |ty: &syn::Type| quote!(#private::Of::<#ty>);
        let facts = fields().map(|field| of(field.element.as_ref().unwrap_or(&field.ty)));
        let has_lists = self.input.has_lists();
        let lists = self.check_of_lists(laid_out);
        let checks = fields().map(|field| {
            let member = &field.member;
            let at = quote!(::core::mem::offset_of!(#laid_out, #member));
            match &field.element {
                Some(element) => {
                    let of = of(element);
                    quote!(#of::check_tail(start, #at, length))
                }
                None => {
                    let of = of(&field.ty);
                    quote!(#of::check_at(start, #at))
                }
            }
        });
        let tail = match self.tail() {
            Some((_, element)) => {
                let of = of(element);
                quote!(#of::CHECKED)
            }
            None => quote!(false),
        };
        quote! {
            const CHECKED: bool = #has_lists #(|| #facts::CHECKED)*;
            const HAS_LISTS: bool = #has_lists;
            const CHECKED_TAIL: bool = #tail;

            #[inline]
            unsafe fn check(
                start: *const u8,
                length: usize,
            ) -> ::core::result::Result<(), #private::Invalid> {
                let _ = (start, length);
                #(unsafe { #checks }?;)*
                #lists
                ::core::result::Result::Ok(())
            }
        }
    }

    /// `Pod`, if the struct is `Copy` and all its fields are `Pod`, which a `bool` and an enum are
    /// not. Not for structs with parameters, because nothing in bytemuck would evaluate their
    /// proofs.
    pub(super) fn pod(&self) -> TokenStream {
        if !self.input.pod || self.is_generic() || self.tail().is_some() || self.input.has_lists() {
            return TokenStream::new();
        }
        let name = &self.source.ident;
        let bytemuck = {
            let private = &self.private;
            quote!(#private::bytemuck)
        };
        // `for<'a>` keeps the compiler from refusing the bound where it does not hold.
        let copy = quote!(for<'a> #name: ::core::marker::Copy);
        let fields = self.input.fields.iter().map(|field| &field.ty);
        quote! {
            #[automatically_derived]
            unsafe impl #bytemuck::Zeroable for #name where #copy {}
            #[automatically_derived]
            unsafe impl #bytemuck::Pod for #name
            where
                #copy,
                #(for<'a> #fields: #bytemuck::Pod,)*
            {}
        }
    }
}
