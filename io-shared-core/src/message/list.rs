//! Lists: any number of elements for each of several fields of one message.
//!
//! A message with lists is a struct with fields of type [`List`] or [`NdList`], which ends in
//! [`ListData`]. A list is an offset, counted from the message's start, and a number of elements;
//! the elements lie in the data. The derive writes the accessors; what they do is here.
//!
//! What must stay true: no reference to elements is made before their place was checked, by words
//! that were read once, and derived from the reference to the whole message. Two lists of one
//! message are lent mutably only if they share no byte. Where a list does not fit, its accessors
//! return no elements: a get and a put refuse such a message, so it was changed since.

pub mod access;
mod nd;

use std::fmt;
use std::marker::PhantomData;
use std::ptr;

pub use nd::{NdSlice, NdSliceMut};

use crate::message::Message;
use crate::message::schema::Type;

/// Any number of elements of a message that [ends](ListData) in the data of its lists.
///
/// The elements may be any message of a fixed size that contains no `bool` and no enum: numbers,
/// [`Text<N>`](crate::Text), arrays and structs of these. For an image or any other array with
/// several axes there is [`NdList`].
///
/// A struct with lists has named fields and no parameters. `#[derive(Message)]` adds a method for
/// each list, with its name and visibility, which returns the elements. With the visibility of the
/// struct it adds `lists_mut()`, which lends all lists to be written, and `capacity()`, which says
/// how many elements each has.
///
/// Where a list lies is checked at each get, copy and put: within the message, aligned, and apart
/// from the other lists. A put of a message where it is not so is [`BadValue`], with the list's
/// name. No put leaves such a message in a channel, so a get or copy that finds one says
/// [`Corrupt`] (and has received it). If the place is changed after that, the methods return no
/// elements.
///
/// [`BadValue`]: crate::ErrorKind::BadValue
/// [`Corrupt`]: crate::ErrorKind::Corrupt
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # use io_shared_derive::Message;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-list-{}", std::process::id());
/// use io_shared::{Channel, List, ListData, Message as _, NdList, Text};
///
/// #[derive(Message)]
/// #[repr(C)]
/// struct Detections {
///     frame: u64,
///     boxes: List<[f32; 4]>,
///     names: List<Text<32>>,
///     image: NdList<u8, 3>,
///     data: ListData, // where the lists lie
/// }
///
/// // As many elements as one message may have at most.
/// let most = Detections::capacity().boxes(100).names(100).image([480, 640, 3]);
/// let mut detections = Channel::<Detections>::named(name).lists(most).producer()?;
///
/// // As many as this message has.
/// let sizes = Detections::capacity().boxes(1).names(1).image([2, 3, 3]);
/// let mut loan = detections.loan_lists(sizes)?;
/// loan.frame = 7;
/// let lists = loan.lists_mut();
/// lists.boxes[0] = [1.0, 2.0, 0.5, 0.5];
/// lists.names[0] = Text::truncated("pedestrian");
/// lists.image.into_slice().fill(255);
/// loan.put()?;
///
/// let mut viewer = io_shared::consumer::<Detections>(name)?;
/// let found = viewer.get()?;
/// assert_eq!((found.frame, found.boxes().len()), (7, 1));
/// assert_eq!(found.names(), ["pedestrian"]);
/// assert_eq!(found.image().shape(), [2, 3, 3]);
/// # drop(found);
/// # io_shared::remove(name)
/// # }
/// ```
#[repr(C)]
pub struct List<T> {
    offset: u64,
    count: u64,
    elements: PhantomData<fn() -> T>,
}

/// An array of `N` axes of any length (1 to 32 of them), in C order (the last axis varies fastest),
/// in a message that [ends](ListData) in the data of its lists: an image is `NdList<u8, 3>`.
/// [`List`] has an example.
#[repr(C)]
pub struct NdList<T, const N: usize> {
    offset: u64,
    shape: [u64; N],
    elements: PhantomData<fn() -> T>,
}

/// The bytes in which the lists of a message lie, as its last field. They are read and written
/// through the message's accessors only. [`List`] has an example.
#[repr(transparent)]
pub struct ListData {
    bytes: [u8],
}

impl ListData {
    /// How many bytes there are for the elements of all lists, and the gaps between them.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::{List, ListData, Message};
    /// # use io_shared_derive::Message;
    ///
    /// #[derive(Message)]
    /// #[repr(C)]
    /// struct Labels {
    ///     labels: List<u32>,
    ///     data: ListData,
    /// }
    ///
    /// let words = [16_u64, 2, 7 << 32]; // the offset, the count, two labels
    /// let labels = Labels::from_bytes(words.as_bytes())?;
    /// assert_eq!((labels.data.len(), labels.labels()), (8, &[0, 7][..]));
    /// # Ok::<(), io_shared_core::message::BytesError>(())
    /// ```
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::{List, ListData, Message};
    /// # use io_shared_derive::Message;
    ///
    /// #[derive(Message)]
    /// #[repr(C)]
    /// struct Labels {
    ///     labels: List<u32>,
    ///     data: ListData,
    /// }
    ///
    /// assert!(Labels::from_bytes([0_u64; 2].as_bytes())?.data.is_empty());
    /// # Ok::<(), io_shared_core::message::BytesError>(())
    /// ```
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// How many elements each list of a message has. `capacity()` of the message makes one, whose
/// methods have the names of the lists. [`List`] has an example.
pub trait ListCapacity {
    /// The message.
    type Message: Message + ?Sized;

    /// The bytes for the elements of all lists, and the gaps between them.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::message::ListCapacity;
    /// use io_shared_core::{List, ListData};
    /// # use io_shared_derive::Message;
    ///
    /// #[derive(Message)]
    /// #[repr(C)]
    /// struct Labels {
    ///     labels: List<u32>,
    ///     scores: List<f64>,
    ///     data: ListData,
    /// }
    ///
    /// let sizes = Labels::capacity().labels(3).scores(1);
    /// assert_eq!(sizes.bytes(), 12 + 4 + 8); // a gap, since an f64 is aligned to 8
    /// ```
    fn bytes(&self) -> usize;

    /// Gives the lists of `message` these places, one after the other. What lies there stays as it
    /// is. Lists that have no room there are a message that a put refuses.
    fn lay_out(&self, message: &mut Self::Message);
}

/// What the derive needs of a list, whatever its number of axes.
#[doc(hidden)]
pub trait ListField: Sized {
    /// The elements.
    type Element;
    /// How many there are: of a list with one axis a number, otherwise one for each axis.
    type Sizes: Copy;
    /// The number of axes.
    const AXES: usize;
    /// No elements.
    const NONE: Self::Sizes;

    /// The list at this offset.
    fn at(offset: u64, sizes: Self::Sizes) -> Self;

    /// Its sizes as they are stored.
    fn stored(sizes: Self::Sizes) -> impl AsRef<[u64]>;

    /// The schema type.
    fn layout(element: Type) -> Type {
        Type::List { axes: Self::AXES, element: Box::new(element) }
    }
}

impl<T> ListField for List<T> {
    type Element = T;
    type Sizes = usize;
    const AXES: usize = 1;
    const NONE: usize = 0;

    #[inline(always)]
    fn at(offset: u64, elements: usize) -> Self {
        Self { offset, count: elements as u64, elements: PhantomData }
    }

    #[inline(always)]
    fn stored(elements: usize) -> impl AsRef<[u64]> {
        [elements as u64]
    }
}

impl<T, const N: usize> ListField for NdList<T, N> {
    type Element = T;
    type Sizes = [usize; N];
    const AXES: usize = N;
    const NONE: [usize; N] = [0; N];

    #[inline(always)]
    fn at(offset: u64, shape: [usize; N]) -> Self {
        Self { offset, shape: shape.map(|axis| axis as u64), elements: PhantomData }
    }

    #[inline(always)]
    fn stored(shape: [usize; N]) -> impl AsRef<[u64]> {
        shape.map(|axis| axis as u64)
    }
}

impl<T> List<T> {
    /// The words, each read once: another program may change them.
    #[inline(always)]
    pub(crate) fn words(&self) -> (u64, [u64; 1]) {
        (read(&self.offset), [read(&self.count)])
    }
}

impl<T, const N: usize> NdList<T, N> {
    /// The words, each read once: another program may change them.
    #[inline(always)]
    pub(crate) fn words(&self) -> (u64, [u64; N]) {
        (read(&self.offset), std::array::from_fn(|axis| read(&self.shape[axis])))
    }
}

/// Reads a word that another program may change, once.
#[inline(always)]
fn read(word: &u64) -> u64 {
    // SAFETY: it is a reference to a u64.
    unsafe { ptr::from_ref(word).read_volatile() }
}

/// An empty list.
impl<T> Default for List<T> {
    fn default() -> Self {
        Self { offset: 0, count: 0, elements: PhantomData }
    }
}

/// An empty list.
impl<T, const N: usize> Default for NdList<T, N> {
    fn default() -> Self {
        Self { offset: 0, shape: [0; N], elements: PhantomData }
    }
}

impl<T> fmt::Debug for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (offset, [count]) = self.words();
        write!(f, "{count} elements at {offset}")
    }
}

impl<T, const N: usize> fmt::Debug for NdList<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (offset, shape) = self.words();
        write!(f, "elements of shape {shape:?} at {offset}")
    }
}

impl fmt::Debug for ListData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}
