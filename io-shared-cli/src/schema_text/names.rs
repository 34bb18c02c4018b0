//! Names of a schema as identifiers of other languages. Any letters, digits and `_` may be a name;
//! in a language it may be a reserved word, begin with a digit, or have letters that it lacks.

use io_shared::schema::Struct;

/// Keywords of C and C++, and macros that every program has: what is printed for one of them is
/// included by the other.
const OF_C: &str = " \
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t \
    char32_t class co_await co_return co_yield compl concept const const_cast consteval constexpr \
    constinit continue decltype default delete do double dynamic_cast else enum errno explicit \
    export extern false float for friend goto if inline int linux long mutable namespace new \
    noexcept not not_eq nullptr NULL offsetof operator or or_eq private protected public register \
    reinterpret_cast requires restrict return short signed sizeof static static_assert \
    static_cast struct switch template this thread_local throw true try typedef typeid typename \
    typeof typeof_unqual union unix unsigned using virtual void volatile wchar_t while xor xor_eq ";

/// Keywords of Rust, also those that are reserved for later.
const OF_RUST: &str = " \
    abstract as async await become box break const continue do dyn else enum extern false final fn \
    for gen if impl in let loop macro match mod move mut override priv pub ref return static \
    struct trait true try type typeof unsafe unsized use virtual where while yield ";

/// Words of Rust that not even `r#` makes a name.
const NO_NAMES: &str = " Self _ crate self super ";

fn has(words: &str, name: &str) -> bool {
    words.contains(&format!(" {name} "))
}

/// As an identifier of any language, apart from reserved words: the fields of a tuple are numbers.
fn lettered(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || c == '_' { c } else { '_' };
    let start = if name.starts_with(char::is_numeric) { "f" } else { "" };
    name.chars().fold(start.to_owned(), |mut all, c| {
        all.push(plain(c));
        all
    })
}

/// As an identifier of C and C++.
pub(super) fn in_c(name: &str) -> String {
    let mut name = lettered(name);
    if has(OF_C, &name) {
        name.push('_');
    }
    name
}

/// As [`in_c`], for a field of `layout`: no other field has it.
pub(super) fn member(name: &str, layout: &Struct) -> String {
    apart(in_c(name), name, layout.fields.iter().map(|field| &*field.name))
}

/// As an identifier of Rust.
pub(super) fn in_rust(name: &str) -> String {
    match lettered(name) {
        name if has(OF_RUST, &name) => format!("r#{name}"),
        name if has(NO_NAMES, &name) => format!("{name}_"),
        name => name,
    }
}

/// `named`, which stands for `name`, and differs from all other names.
pub(super) fn apart<'t>(
    mut named: String,
    name: &str,
    others: impl Iterator<Item = &'t str> + Clone,
) -> String {
    while named != name && others.clone().any(|other| other == named) {
        named.push('_');
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_a_language_cannot_have_is_one_that_it_can() {
        for (name, c, rust) in [
            ("frame", "frame", "frame"),
            ("class", "class_", "class"),
            ("type", "type", "r#type"),
            ("static", "static_", "r#static"),
            ("self", "self", "self_"),
            ("2d", "f2d", "f2d"),
            ("gr\u{f6}\u{df}e", "gr\u{f6}\u{df}e", "gr\u{f6}\u{df}e"),
            ("a\u{1f600}", "a_", "a_"),
        ] {
            assert_eq!((&*in_c(name), &*in_rust(name)), (c, rust));
        }
        let names = ["class", "class_"];
        assert_eq!(apart(in_c("class"), "class", names.into_iter()), "class__");
        assert_eq!(apart(in_c("class_"), "class_", names.into_iter()), "class_");
    }
}
