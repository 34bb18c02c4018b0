//! The header of an array message, which is text that another process wrote: how the fuzz target
//! `npy`, its corpus and the property test interpret arbitrary bytes, and what must follow.

use std::cell::RefCell;

use io_shared::array::Element;
use io_shared::{Array, Channel, Loan, Producer};

use super::input::Input;

/// The most bytes of one message.
const LONGEST: usize = 1 << 17;

/// Reads arbitrary bytes as an array.
///
/// The first byte says what the rest is: the message; its header's text in one of three versions,
/// before some elements; or a dtype, for which the library writes the header.
///
/// # Panics
/// If what is read differs from the bytes, or there is no memory for them.
pub fn npy(bytes: &[u8]) {
    let mut input = Input(bytes);
    let Some(first) = input.byte() else { return };
    match first % 5 {
        0 => read(input.0),
        4 => {
            let axes = input.number(1) % 6;
            let shape = (0..axes).map(|_| input.number(1) as usize).collect();
            let dtype = String::from_utf8_lossy(input.0).into_owned();
            Said { dtype, fortran_order: first & 0x80 != 0, shape, data: None }.write();
        }
        version => {
            let elements = input.number(1) as usize * 8;
            let length = (input.0.len() as u32).to_le_bytes();
            let length = if version == 1 { &length[..2] } else { &length };
            let header = [b"\x93NUMPY", &[version, 0][..], length, input.0].concat();
            read(&[header, vec![first; elements]].concat());
        }
    }
}

/// Reads a message in every way. If it is an array, the library must also be able to write it.
fn read(message: &[u8]) {
    let message = &message[..message.len().min(LONGEST)];
    let said = on_loan(message.len(), |array| {
        array.npy.copy_from_slice(message);
        Said::of(array)
    });
    if let Some(said) = said {
        assert!(said.write(), "read, but not to be written: {said:?}");
    }
}

/// Runs in a loan, because an `Array` exists only in a loan or in what a consumer gets.
fn on_loan<T>(length: usize, fill: impl FnOnce(&mut Loan<'_, Array>) -> T) -> T {
    thread_local! {
        static CHANNEL: RefCell<Option<Producer<Array>>> = const { RefCell::new(None) };
    }
    CHANNEL.with_borrow_mut(|channel| {
        let open = || Channel::<Array>::anonymous().capacity(LONGEST).producer();
        match channel.take().map_or_else(open, Ok) {
            Ok(producer) => match channel.insert(producer).loan_len(length) {
                Ok(mut loan) => fill(&mut loan),
                Err(error) => panic!("no loan: {error}"),
            },
            Err(error) => panic!("no channel: {error}"),
        }
    })
}

/// What a header says.
#[derive(Debug)]
struct Said {
    dtype: String,
    fortran_order: bool,
    shape: Vec<usize>,
    /// The elements; `None` where there are none yet.
    data: Option<Vec<u8>>,
}

impl Said {
    /// `None` if it is no array.
    fn of(array: &Array) -> Option<Self> {
        let views = [
            elements::<bool>(array),
            elements::<u8>(array),
            elements::<i16>(array),
            elements::<f32>(array),
            elements::<u64>(array),
            elements::<f64>(array),
        ];
        assert!(!format!("{array:?}").is_empty());
        let Ok(npy) = array.npy() else {
            assert_eq!(views, [None; 6], "elements of what is no array");
            return None;
        };
        let (message, data) = (array.npy.as_ptr_range(), npy.data.as_ptr_range());
        assert!(message.start <= data.start && data.end <= message.end, "outside the message");
        for bytes in views.into_iter().flatten() {
            assert_eq!(bytes, npy.data.len());
        }
        let (fortran_order, data) = (npy.fortran_order, Some(npy.data.to_vec()));
        Some(Self { dtype: npy.dtype.into_owned(), fortran_order, shape: npy.shape, data })
    }

    /// Lets the library write it, and reads the same back. `false` if the library refuses.
    fn write(&self) -> bool {
        let Self { dtype, fortran_order, shape, data } = self;
        let Ok(length) = Array::len_of(dtype, *fortran_order, shape) else { return false };
        if let Some(data) = data {
            // If the length is more than a header can have, elements are missing.
            let most = data.len() + dtype.len() + 24 * shape.len() + 256;
            assert!(length <= most, "{length} bytes, not {most}: {dtype} {shape:?}");
        }
        if length > LONGEST {
            return true;
        }
        on_loan(length, |array| {
            match array.write_header(dtype, *fortran_order, shape) {
                Ok(elements) => match data {
                    Some(data) => elements.copy_from_slice(data),
                    None => elements.fill(0),
                },
                Err(error) => panic!("has a length, but is not to be written: {self:?}: {error}"),
            }
            match Self::of(array) {
                Some(found) => {
                    assert_eq!(
                        // Space after a dtype does not belong to it.
                        (&*found.dtype, found.fortran_order, &found.shape),
                        (dtype.trim_end(), *fortran_order, shape)
                    );
                    assert!(data.is_none() || &found.data == data, "other elements: {self:?}");
                }
                None => panic!("written, but not to be read: {self:?}"),
            }
        });
        true
    }
}

/// The bytes of the elements, if it is an array of these. Reads each of them.
fn elements<A: Element>(array: &Array) -> Option<usize> {
    let view = array.array::<A>().ok()?;
    view.iter().for_each(|element| {
        std::hint::black_box(*element);
    });
    Some(view.len() * size_of::<A>())
}
