//! A channel's name, as callers pass it.

use std::borrow::Cow;
use std::ops::Deref;

/// Any text that can name a channel: `&str`, `String`, and everything that dereferences to `str`.
///
/// It is what [`producer`](crate::producer), [`consumer`](crate::consumer) and
/// [`remove`](crate::remove) take. Other types cannot implement it.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # fn main() -> io_shared::Result<()> {
/// # let id = std::process::id();
/// let name = format!("/doc-as-name-{id}");
/// let mut speed = io_shared::producer::<f64>(&name)?; // &String
/// # speed.put(&13.9)?;
/// let mut display = io_shared::consumer::<f64>(&*name)?; // &str
/// # display.get()?;
/// io_shared::remove(name)?; // String
/// # Ok(()) }
/// ```
pub trait AsName {
    #[doc(hidden)]
    fn into_name(self) -> String;
}

impl<D: Deref<Target = str>> AsName for &D {
    fn into_name(self) -> String {
        (**self).to_owned()
    }
}

macro_rules! texts {
    ($($Text:ty),*) => {$(
        impl AsName for $Text {
            fn into_name(self) -> String {
                self.into()
            }
        }
    )*};
}
texts!(&str, &mut str, String, Box<str>, Cow<'_, str>, char);

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: impl AsName) -> String {
        name.into_name()
    }

    #[test]
    fn any_text_is_taken_as_a_name() {
        let own = String::from("/a");
        assert_eq!(name("/a"), "/a");
        assert_eq!(name(&own), "/a");
        let borrowed = &*own;
        assert_eq!([&borrowed].map(name), ["/a"]);
        assert_eq!(name(own.clone().into_boxed_str()), "/a");
        let text = Cow::Borrowed("/a");
        assert_eq!(name(&text), "/a");
        assert_eq!(name(text), "/a");
        assert_eq!(name(format!("/{}", 'a').as_mut_str()), "/a");
        assert_eq!(name('a'), "a");
        assert_eq!(name(own), "/a");
    }
}
