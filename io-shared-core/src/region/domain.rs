//! The domain of this process: a namespace for all names of its regions.
//!
//! Two test suites that run side by side with the same names do not meet if their
//! `IO_SHARED_DOMAIN` differs. On disk the domain stands before the name, `domain%%name`. A name
//! has no empty parts, so no name without a domain looks like this.

use crate::error::{Error, ErrorKind, Result};
use crate::os::per_process::PerProcess;

/// The environment variable that says it.
const VARIABLE: &str = "IO_SHARED_DOMAIN";

/// The longest domain in bytes. It leaves room for names.
const LONGEST: usize = 64;

/// The domain that this process read when it first needed a name; `None` if there is none.
///
/// # Errors
/// [`ErrorKind::BadName`].
pub(super) fn own() -> Result<Option<&'static str>> {
    static OWN: PerProcess<Result<Option<String>>> = PerProcess::new();
    let read = || match std::env::var_os(VARIABLE) {
        Some(domain) if !domain.is_empty() => check(&domain.to_string_lossy()).map(Some),
        _ => Ok(None),
    };
    OWN.get(read).as_ref().map(Option::as_deref).map_err(Clone::clone)
}

/// What lies on disk of the name that without a domain would be `stored`.
pub(super) fn stored(domain: Option<&str>, stored: String) -> String {
    match domain {
        Some(domain) => format!("{domain}%%{stored}"),
        None => stored,
    }
}

fn check(domain: &str) -> Result<String> {
    let is_bad = |c: char| matches!(c, '/' | '%' | char::REPLACEMENT_CHARACTER) || c.is_control();
    if domain.len() <= LONGEST && !domain.starts_with('.') && !domain.contains(is_bad) {
        return Ok(domain.to_owned());
    }
    let reason = "IO_SHARED_DOMAIN is set to it, and a domain has at most 64 letters, digits, `-`, \
                  `_` and `.`, and does not start with `.`: set another one, or none";
    Err(Error::new(domain.escape_debug(), ErrorKind::BadName { reason }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_domain_is_a_typed_error_that_names_the_variable() {
        let long = "x".repeat(65);
        for bad in ["a/b", "/a", "a%b", ".io-shared.x", "a\nb", "a\u{fffd}", &long] {
            let error = check(bad).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::BadName { .. }), "{error}");
            assert!(error.to_string().contains("IO_SHARED_DOMAIN"), "{error}");
        }
        for good in ["test7", "a.b-c_d", &"x".repeat(64), "облако"] {
            assert_eq!(check(good).unwrap(), good);
        }
    }
}
