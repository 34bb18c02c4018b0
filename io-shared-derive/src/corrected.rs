//! The struct with all of the advice followed, for one with several fields that cannot cross.

use syn::{Data, DeriveInput, GenericParam, Type};

use crate::advice::{Position, element_of, known, list_of, replaced};
use crate::field::Field;
use crate::list::data_name;
use crate::syntax::bare;
use crate::written::{self, written};

/// At least this number of fields must need work for the whole struct to be shown.
const SEVERAL: usize = 3;

/// What becomes of a field.
enum Becomes {
    /// It has this type.
    Type(String),
    /// It has this type, and a `bool` after it says whether there is a value.
    Optional(String),
    /// It has this type, and comes last.
    Last(String),
    /// It goes.
    Nothing,
}

/// What the struct is once all of its advice was followed; `None` for few fields, and where the
/// advice leaves a choice.
pub(crate) fn corrected(
    source: &DeriveInput,
    fields: &[Field],
    position: Position,
    is_ordered: bool,
) -> Option<String> {
    let Data::Struct(data) = &source.data else { return None };
    let has_lifetimes =
        source.generics.params.iter().any(|param| matches!(param, GenericParam::Lifetime(_)));
    let is_numbered = fields.iter().any(Field::is_numbered);
    let count = fields.iter().filter(|field| field.is_advised).count();
    if count < SEVERAL || has_lifetimes || is_numbered {
        return None;
    }
    let (mut lines, mut last) = (Vec::new(), None);
    for (field, source) in fields.iter().zip(&data.fields) {
        if !field.is_advised {
            lines.push(field.text.clone());
            continue;
        }
        let with = |ty: &str| {
            let ty = syn::parse_str(ty).ok()?;
            Some(written::field(&syn::Field { ty, ..source.clone() }))
        };
        match becomes(&field.ty, position)? {
            Becomes::Type(ty) => lines.push(with(&ty)?),
            // Only one can be last.
            Becomes::Last(_) if last.is_some() => return None,
            Becomes::Last(ty) => last = Some(with(&ty)?),
            Becomes::Optional(ty) => {
                lines.push(with(&ty)?);
                lines.push(format!("    has_{}: bool,", field.name));
            }
            Becomes::Nothing => {}
        }
    }
    if last.is_some() && fields.iter().any(|field| field.is_unsized() && !field.is_advised) {
        return None;
    }
    lines.extend(last);
    if position == Position::Several {
        let names = fields.iter().map(|field| field.name.as_str());
        lines.push(format!("    {}: ListData,", data_name(names)));
    }
    let (head, foot) = written(source, false);
    let repr = if is_ordered { "" } else { "#[repr(C)]\n" };
    let name = &source.ident;
    Some(format!(
        "{count} fields of `{name}` need work: once all of it is done, this is the struct:\n\
         {repr}{head}\n{}\n{foot}",
        lines.join("\n")
    ))
}

/// What becomes of a field of this type, which was refused.
fn becomes(ty: &Type, position: Position) -> Option<Becomes> {
    let ty = bare(ty);
    if let Some(element) = element_of(ty) {
        return Some(match position {
            Position::Several | Position::Lists => Becomes::Type(list_of(element)),
            _ => Becomes::Last(format!("[{}]", replaced(element))),
        });
    }
    let of_known = |ty: &Type| known(ty).map(|(name, _)| name).unwrap_or_default();
    match ty {
        Type::Tuple(tuple) if tuple.elems.is_empty() => Some(Becomes::Nothing),
        Type::Tuple(_) | Type::TraitObject(_) | Type::ImplTrait(_) => None,
        Type::Array(array) if matches!(&*of_known(&array.elem), "Option" | "Result" | "Box") => {
            None
        }
        Type::Array(array) if matches!(bare(&array.elem), Type::Tuple(_)) => None,
        _ => match &*of_known(ty) {
            "Option" | "Result" => Some(Becomes::Optional(replaced(ty))),
            "Box" if replaced(ty).contains("dyn ") => None,
            _ => Some(Becomes::Type(replaced(ty))),
        },
    }
}
