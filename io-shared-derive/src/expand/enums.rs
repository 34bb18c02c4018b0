//! The output for an enum: variants without fields, stored as the number that its `repr` names.
//!
//! The derive reads the enum as its `repr` says, so a constant proves that the enum is no larger.
//! Not every number is a variant, so an enum is a message that is checked. Fresh memory is all
//! zeros, so one variant must be 0: a constant that the compiler evaluates looks for it.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{DataEnum, DeriveInput, Ident};

use super::foreign::fixed_size;
use crate::input::Input;
use crate::stored::stored;

/// The output for an enum without errors.
pub(super) fn message(
    source: &DeriveInput,
    data: &DataEnum,
    input: &Input,
    private: &TokenStream,
) -> TokenStream {
    let Some((number, scalar)) = stored(source) else { return TokenStream::new() };
    let (enum_name, name) = (&source.ident, &input.name);
    let variants: Vec<_> = data.variants.iter().map(|variant| &variant.ident).collect();
    let names = variants.iter().map(|variant| variant.unraw().to_string());
    let doc = Some(&input.doc).filter(|doc| !doc.is_empty()).into_iter();
    let check = quote_spanned!(source.ident.span()=> #private::has_zero);
    let convert =
        if input.try_from { try_from(source, &number, &variants, private) } else { quote!() };
    let zeroable = match input.pod {
        true => quote! {
            #[automatically_derived]
            unsafe impl #private::bytemuck::Zeroable for #enum_name {}
        },
        false => quote!(),
    };
    // The compiler itself refuses an enum without variants, which has no bytes.
    let is_its_number = (!variants.is_empty()).then(|| {
        quote! {
            const _: () = ::core::assert!(
                ::core::mem::size_of::<#enum_name>() == ::core::mem::size_of::<#number>()
                    && ::core::mem::align_of::<#enum_name>() == ::core::mem::align_of::<#number>(),
                "an enum has the size and alignment of its number",
            );
        }
    });
    let message = implementation(enum_name, &number, &variants, private);
    quote! {
        const _: () = {
            const _: () = #check(#name, &[#(#enum_name::#variants as i64),*]);
            #is_its_number

            #[automatically_derived]
            unsafe impl #private::Message for #enum_name {
                fn layout() -> #private::Type {
                    #private::Type::Enum(
                        #private::Enum::new(#name, #private::Scalar::#scalar)
                        #(.doc(#doc))*
                        #(.variant(#enum_name::#variants as i64, #names))*
                    )
                }

                #message
            }

            #[automatically_derived]
            impl #private::Stored for #enum_name {
                const AS: &'static str = ::core::stringify!(#number);
            }

            #zeroable
            #convert
        };
    }
}

/// The items of the implementation that only need the numbers.
fn implementation(
    name: &Ident,
    number: &Ident,
    variants: &[&Ident],
    private: &TokenStream,
) -> TokenStream {
    let fixed_size = fixed_size();
    quote! {
        const SHAPE: #private::Shape = #private::Shape {
            size: ::core::mem::size_of::<#number>(),
            align: ::core::mem::align_of::<#number>(),
            element: ::core::option::Option::None,
        };
        const CHECKED: bool = true;

        #[inline]
        unsafe fn check(
            start: *const u8,
            _length: usize,
        ) -> ::core::result::Result<(), #private::Invalid> {
            let found = unsafe { start.cast::<#number>().read_unaligned() };
            if false #(|| found == #name::#variants as #number)* {
                ::core::result::Result::Ok(())
            } else {
                ::core::result::Result::Err(#private::Invalid { at: 0, found: found as i64 })
            }
        }

        #fixed_size
    }
}

/// The conversion from the number.
fn try_from(
    source: &DeriveInput,
    number: &Ident,
    variants: &[&Ident],
    private: &TokenStream,
) -> TokenStream {
    let name = &source.ident;
    quote! {
        #[automatically_derived]
        impl ::core::convert::TryFrom<#number> for #name {
            type Error = #private::BytesError;

            fn try_from(number: #number) -> ::core::result::Result<Self, Self::Error> {
                #(if number == #name::#variants as #number {
                    return ::core::result::Result::Ok(#name::#variants);
                })*
                ::core::result::Result::Err(#private::no_variant::<Self>(number as i64))
            }
        }
    }
}
