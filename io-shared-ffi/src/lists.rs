//! Where the lists of a channel's messages lie: what `list.rs` asks for a guard and for a loan.

use std::sync::Arc;

use io_shared_channel::Schema;
use io_shared_channel::binding::{self, Placed};
use io_shared_core::{Error, ErrorKind};

use crate::status::{Failure, Outcome, ios_status};

/// The lists of a channel's messages, with its name for errors.
#[derive(Debug)]
pub(crate) struct Lists {
    name: String,
    lists: binding::Lists,
}

/// A list that was asked for: the offset of its member, the size that an element has for the
/// caller, and how many axes there is room for.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) member: usize,
    pub(crate) element_size: usize,
    pub(crate) axes: usize,
}

impl Lists {
    /// The lists of messages of this schema, if they have any.
    pub(crate) fn of(name: &str, schema: &Schema) -> Option<Arc<Self>> {
        let lists = binding::Lists::of(schema)?;
        Some(Arc::new(Self { name: name.to_owned(), lists }))
    }

    /// How many numbers say how many elements all lists have.
    pub(crate) fn check_sizes(&self, sizes: &[usize]) -> Outcome {
        check_sizes(&self.lists, &self.name, sizes)
    }

    /// What [`binding::Lists::lay_out`] returns for these sizes, which are as many as needed.
    pub(crate) fn lay_out(&self, sizes: &[usize]) -> (Vec<(usize, u64)>, usize) {
        lay_out(&self.lists, sizes)
    }

    /// How many bytes the fields have.
    pub(crate) fn start(&self) -> usize {
        self.lists.start()
    }

    /// Where the elements of a list lie in a message.
    ///
    /// # Safety
    /// `length` bytes can be read at `message`; it is aligned to 8.
    pub(crate) unsafe fn place(
        &self,
        message: *const u8,
        length: usize,
        asked: Asked,
    ) -> Outcome<Placed> {
        let index = self.index(asked)?;
        if length < self.start() {
            return Err(self.bad(format!("a message has at least {} bytes", self.start())));
        }
        let word = |at: usize| {
            // SAFETY: the words of lists lie among the fields, which are within the message, at
            // multiples of 8. Another program may change them, so this is volatile.
            u64::from_le(unsafe { message.wrapping_add(at).cast::<u64>().read_volatile() })
        };
        let placed = self.lists.place(index, length, word);
        Ok(placed.map_err(|kind| Error::new(&self.name, kind))?)
    }

    /// As [`place`](Self::place), of a value that is in the channel. Each put checks its lists, so
    /// one that is not within its message is damage.
    ///
    /// # Safety
    /// As for [`place`](Self::place).
    pub(crate) unsafe fn find(&self, message: &[u8], asked: Asked) -> Outcome<Placed> {
        // SAFETY: it is the same contract.
        let placed = unsafe { self.place(message.as_ptr(), message.len(), asked) };
        placed.map_err(|failure| match failure {
            Failure::Error(error) => self.corrupt(&error).into(),
            other => other,
        })
    }

    #[cold]
    fn corrupt(&self, error: &Error) -> Error {
        let ErrorKind::BadValue { field, found, expected } = error.kind() else {
            return error.clone();
        };
        let what = format!("field `{field}` is {found}, expected {expected}");
        Error::new(&self.name, ErrorKind::Corrupt { what })
    }

    /// The index of a list that has such elements.
    fn index(&self, asked: Asked) -> Outcome<usize> {
        let Asked { member, element_size, axes } = asked;
        let lists: Vec<_> = self.lists.iter().collect();
        let Some(index) = lists.iter().position(|(_, list)| list.at == member) else {
            let known: Vec<_> =
                lists.iter().map(|(name, list)| format!("`{name}` at {}", list.at)).collect();
            let known = known.join(", ");
            return Err(self.bad(format!("no list lies at {member}: there are {known}")));
        };
        let (name, list) = lists[index];
        if list.size != element_size {
            let size = list.size;
            let text = format!("an element of `{name}` has {size} bytes, not {element_size}");
            return Err(self.bad(text));
        }
        if list.axes != axes {
            return Err(self.bad(format!("`{name}` has axes: {}, not {axes}", list.axes)));
        }
        Ok(index)
    }

    #[cold]
    fn bad(&self, text: String) -> Failure {
        Failure::Said(ios_status::IOS_BAD_OPTION, format!("{}: {text}", self.name))
    }
}

/// Refuses another number of sizes than there are axes.
pub(crate) fn check_sizes(lists: &binding::Lists, name: &str, sizes: &[usize]) -> Outcome {
    if sizes.len() == lists.axes() {
        return Ok(());
    }
    let of_each = |(list, at): (&str, binding::ListAt)| match at.axes {
        1 => format!("`{list}`"),
        axes => format!("`{list}` ({axes} axes)"),
    };
    let of_each: Vec<String> = lists.iter().map(of_each).collect();
    let text = format!(
        "{name}: the lists {} need {} sizes, one for each axis, not {}",
        of_each.join(", "),
        lists.axes(),
        sizes.len()
    );
    Err(Failure::Said(ios_status::IOS_BAD_OPTION, text))
}

/// The words and the length; one longer than any message, if no memory can have that many elements.
pub(crate) fn lay_out(lists: &binding::Lists, sizes: &[usize]) -> (Vec<(usize, u64)>, usize) {
    let sizes: Vec<u64> = sizes.iter().map(|size| *size as u64).collect();
    lists.lay_out(&sizes).unwrap_or((Vec::new(), isize::MAX as usize))
}

/// Why there is no such list.
#[cold]
pub(crate) fn no_lists() -> Failure {
    Failure::Said(ios_status::IOS_BAD_OPTION, "the messages of this channel have no lists".into())
}
