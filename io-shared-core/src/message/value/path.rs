//! Paths to the parts of a message, as people write them.
//!
//! What must stay true: reading a text takes time in proportion to its length.

use std::fmt;
use std::str::FromStr;

/// The longest path that is read, in bytes.
const LONGEST: usize = 4096;

/// The way to a part of a message: `points[0:5].x`, or the same without brackets, which no shell
/// expands: `points.0:5.x`.
///
/// - `points`: the field of that name. A name with other characters than letters, digits and `_`
///   stands in brackets and quotes: `["my field"]`.
/// - `[3]`: an element; `[-1]` is the last one.
/// - `[1:4]`: the elements 1, 2 and 3; `[:4]`, `[1:]`, `[-2:]` as in Python. What follows applies
///   to each of them.
/// - `[0:5, 2]`: the same as `[0:5][2]`.
///
/// The empty path is the whole message.
///
/// # Examples
/// ```
/// use io_shared_core::value::Path;
///
/// let path: Path = "points.0:5.x".parse()?;
/// assert_eq!(path, "points[0:5].x".parse()?);
/// assert_eq!(path.to_string(), "points[0:5].x");
/// let error = "points[0".parse::<Path>().unwrap_err();
/// assert_eq!(error.to_string(), "`points[0` is not a path: expected `]` after `points[0`");
/// # Ok::<(), io_shared_core::value::PathError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Path {
    pub(super) steps: Vec<Step>,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Field(String),
    /// An element, counted from the end if it is negative; or a field whose name is a number.
    Index(i64),
    Range(Option<i64>, Option<i64>),
}

impl FromStr for Path {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let mut parser = Parser { text, rest: text };
        if text.len() > LONGEST {
            return Err(parser.expected("at most 4096 bytes"));
        }
        let mut steps = Vec::new();
        while !parser.rest.is_empty() {
            if parser.eat('[') {
                parser.brackets(&mut steps)?;
                continue;
            }
            if !parser.eat('.') && !steps.is_empty() {
                return Err(parser.expected("`.` or `[`"));
            }
            steps.push(parser.word()?);
        }
        Ok(Path { steps })
    }
}

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn eat(&mut self, c: char) -> bool {
        self.rest.strip_prefix(c).inspect(|rest| self.rest = rest).is_some()
    }

    /// What is before the first character that `ends` says.
    fn until(&mut self, ends: impl Fn(char) -> bool) -> &'a str {
        let (before, rest) = self.rest.split_at(self.rest.find(ends).unwrap_or(self.rest.len()));
        self.rest = rest;
        before
    }

    fn expected(&self, expected: &'static str) -> PathError {
        let read = self.text.len() - self.rest.len();
        let after = self.text.get(..read).unwrap_or_default().to_owned();
        PathError::Syntax { path: self.text.to_owned(), expected, after }
    }

    /// A name, a number or a range, without brackets.
    fn word(&mut self) -> Result<Step, PathError> {
        let start = self.rest;
        let word = self.until(|c| matches!(c, '.' | '['));
        match step(word.trim()) {
            Some(step) => Ok(step),
            None if plain(word) => Ok(Step::Field(word.to_owned())),
            None => {
                self.rest = start;
                Err(self.expected("a name, a number or a range such as `0:5`"))
            }
        }
    }

    /// What is between brackets, after the first.
    fn brackets(&mut self, steps: &mut Vec<Step>) -> Result<(), PathError> {
        loop {
            self.rest = self.rest.trim_start();
            let quote = self.rest.chars().next().filter(|c| matches!(c, '"' | '\''));
            if let Some(quote) = quote {
                self.eat(quote);
                steps.push(Step::Field(self.until(|c| c == quote).to_owned()));
                if !self.eat(quote) {
                    return Err(self.expected("the closing quote"));
                }
                self.rest = self.rest.trim_start();
            } else {
                let start = self.rest;
                let Some(step) = step(self.until(|c| matches!(c, ',' | ']')).trim()) else {
                    self.rest = start;
                    return Err(self.expected("a number, a range such as `0:5`, or a quoted name"));
                };
                steps.push(step);
            }
            if self.eat(']') {
                return Ok(());
            }
            if !self.eat(',') {
                return Err(self.expected("`]`"));
            }
        }
    }
}

/// A number or a range; `None` for any other word.
fn step(word: &str) -> Option<Step> {
    let Some((from, to)) = word.split_once(':') else {
        return word.parse().ok().map(Step::Index);
    };
    let bound = |text: &str| match text.trim() {
        "" => Some(None),
        text => text.parse().ok().map(Some),
    };
    Some(Step::Range(bound(from)?, bound(to)?))
}

/// Whether a name needs no quotes.
fn plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Steps(&self.steps).fmt(f)
    }
}

/// Steps as they are written.
pub(super) struct Steps<'a>(pub(super) &'a [Step]);

impl fmt::Display for Steps<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) if plain(name) && step_is_no_number(name) => {
                    write!(f, "{}{name}", if i == 0 { "" } else { "." })?;
                }
                Step::Field(name) => write!(f, "[\"{}\"]", Shown(name))?,
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Range(from, to) => {
                    let bound = |bound: &Option<i64>| bound.map(|b| b.to_string());
                    let (from, to) = (bound(from), bound(to));
                    write!(f, "[{}:{}]", from.unwrap_or_default(), to.unwrap_or_default())?;
                }
            }
        }
        Ok(())
    }
}

fn step_is_no_number(name: &str) -> bool {
    step(name).is_none()
}

/// Why a path leads nowhere.
///
/// ```
/// use io_shared_core::{Message, Value};
///
/// let schema = f32::schema();
/// let value = Value::decode(&schema, &[0; 4]).unwrap();
/// let error = value.at(&"x".parse().unwrap()).unwrap_err();
/// assert_eq!(error.to_string(), "the message is a number, so it has no field `x`");
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathError {
    /// The text is not a path.
    Syntax {
        /// The text.
        path: String,
        /// What was expected.
        expected: &'static str,
        /// What comes before it.
        after: String,
    },
    /// The struct has no field of that name.
    NoField {
        /// The struct; empty for the whole message.
        at: String,
        /// The name.
        name: String,
        /// The names that there are, the first few of them.
        fields: Vec<String>,
    },
    /// The list has no element of that number.
    NoElement {
        /// The list; empty for the whole message.
        at: String,
        /// The number.
        index: i64,
        /// How many elements there are.
        len: usize,
    },
    /// What the path leads to has no such part.
    NoPart {
        /// What the path leads to; empty for the whole message.
        at: String,
        /// What it is, such as `a number`.
        found: &'static str,
        /// The next step.
        step: String,
    },
}

/// A path as errors show it: without control characters.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c.is_control() {
            true => write!(f, "{}", c.escape_debug()),
            false => write!(f, "{c}"),
        })
    }
}

/// A part as errors name it.
struct At<'a>(&'a str);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "" => f.write_str("the message"),
            at => write!(f, "`{at}`"),
        }
    }
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PathError::Syntax { path, expected, after } => {
                write!(f, "`{}` is not a path: expected {expected}", Shown(path))?;
                match &**after {
                    "" => Ok(()),
                    after => write!(f, " after `{}`", Shown(after)),
                }
            }
            PathError::NoField { at, name, fields } => {
                write!(f, "{} has no field `{}`", At(at), Shown(name))?;
                match fields.is_empty() {
                    true => f.write_str(": it has no fields"),
                    false => write!(f, ": it has {}", fields.join(", ")),
                }
            }
            PathError::NoElement { at, index, len } => {
                let s = if *len == 1 { "" } else { "s" };
                write!(f, "{} has {len} element{s}, so there is no [{index}]", At(at))
            }
            PathError::NoPart { at, found, step } => match step.starts_with(['[', '`']) {
                true => write!(f, "{} is {found}, so it has no {step}", At(at)),
                false => write!(f, "{} is {found}, so it has no field `{step}`", At(at)),
            },
        }
    }
}

/// The same text as `Display`, for `unwrap()` and for a `main` that returns the error.
impl fmt::Debug for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for PathError {}
