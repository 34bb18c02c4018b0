//! The output for a struct around a type of another crate (`#[message(foreign = ..)]`).
//!
//! That the bytes of the type mean something everywhere, `bytemuck::Pod` says. What they mean, the
//! message named by the attribute says: the compiler proves that it has as many bytes, and the same
//! alignment.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Type;
use syn::spanned::Spanned;

use super::Output;
use crate::written::show;

impl Output<'_> {
    /// The output for a struct without errors, whose field has the schema of `like`.
    pub(super) fn foreign(&self, like: &Type) -> TokenStream {
        let (private, name) = (&self.private, &self.source.ident);
        let Some(field) = self.input.fields.first() else { return quote!() };
        let ty = &field.ty;
        let is_foreign = quote_spanned!(ty.span()=> #private::is_foreign::<#ty>());
        let is_field = quote_spanned!(like.span()=> #private::is_field::<#like>());
        let proof = self.proof_of_shape(ty, like);
        let (said, no_drop) = (&self.input.name, self.check("no_drop", name.span()));
        let (pod, fixed_size) = (self.pod(), fixed_size());
        quote! {
            const _: () = {
                #[allow(unused_imports)]
                use #private::Otherwise as _;

                #[allow(dead_code)]
                fn is_what_it_must_be() {
                    #is_foreign;
                    #is_field;
                }
                const _: () = #proof;
                const _: () = #no_drop(#said, ::core::mem::needs_drop::<#name>(), false);

                #[automatically_derived]
                unsafe impl #private::Message for #name
                where
                    for<'a> #ty: #private::Foreign,
                {
                    const SHAPE: #private::Shape = #private::Shape {
                        size: ::core::mem::size_of::<#name>(),
                        align: ::core::mem::align_of::<#name>(),
                        element: ::core::option::Option::None,
                    };

                    fn layout() -> #private::Type {
                        #private::Of::<#like>::layout()
                    }

        #fixed_size
                }

                #pod
            };
        }
    }

    /// The proof that a type is laid out as a message.
    fn proof_of_shape(&self, ty: &Type, like: &Type) -> TokenStream {
        let private = &self.private;
        let check = self.check("has_shape", like.span());
        let (shown, shown_like) = (show(ty), show(like));
        quote_spanned! {like.span()=> {
            let found = #private::Shape {
                size: ::core::mem::size_of::<#ty>(),
                align: ::core::mem::align_of::<#ty>(),
                element: ::core::option::Option::None,
            };
            let expected = #private::Of::<#like>::SHAPE;
            let is_checked = #private::Of::<#like>::CHECKED;
            // What is no message is reported for that.
            if #private::Of::<#like>::IS_MESSAGE {
                #check((#shown, found), (#shown_like, expected), is_checked)
            }
        }}
    }
}

/// The methods of a message of fixed size: pointers to it are casts, and it has no elements.
pub(super) fn fixed_size() -> TokenStream {
    quote! {
        #[inline]
        fn from_raw_parts(start: *const u8, _elements: usize) -> *const Self {
            start.cast()
        }

        #[inline]
        fn from_raw_parts_mut(start: *mut u8, _elements: usize) -> *mut Self {
            start.cast()
        }

        #[inline]
        fn elements(&self) -> usize {
            0
        }
    }
}
