//! A text that is put together while the compiler evaluates constants.

/// A text that constant evaluation can build. Text that does not fit is cut off.
pub(super) struct Writer {
    bytes: [u8; 8192],
    len: usize,
}

impl Writer {
    pub(super) const fn new() -> Writer {
        Writer { bytes: [0; 8192], len: 0 }
    }

    pub(super) const fn text(&mut self, text: &str) {
        let text = text.as_bytes();
        let mut i = 0;
        while i < text.len() && self.len < self.bytes.len() {
            self.bytes[self.len] = text[i];
            self.len += 1;
            i += 1;
        }
    }

    pub(super) const fn number(&mut self, number: usize) {
        if number >= 10 {
            self.number(number / 10);
        }
        let digit = [b'0' + (number % 10) as u8];
        if let Ok(digit) = std::str::from_utf8(&digit) {
            self.text(digit);
        }
    }

    #[track_caller]
    pub(super) const fn fail(&self) -> ! {
        // A long name may be cut within a character. Then a general text has to do.
        match std::str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(text) => panic!("{}", text),
            Err(_) => panic!("the layout of this struct has padding or no fixed meaning"),
        }
    }
}
