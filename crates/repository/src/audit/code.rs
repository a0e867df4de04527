//! The bytes that accounts and blocks are kept in: numbers of seven bits a byte, lowest first, and texts after their length.

/// Writes values one after another.
#[derive(Default)]
pub(super) struct Encoder(Vec<u8>);

impl Encoder {
    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(super) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// Milliseconds since 1970; the years before it count as its first moment.
    pub(super) fn time(&mut self, millis: i64) {
        self.number(u64::try_from(millis).unwrap_or_default());
    }

    pub(super) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// A text of at most `most` bytes; of a longer one its beginning, and `…`.
    pub(super) fn text_within(&mut self, text: &str, most: usize) {
        if text.len() <= most {
            return self.text(text);
        }
        const CUT: &str = "…";
        let end = text.floor_char_boundary(most - CUT.len());
        self.number((end + CUT.len()) as u64);
        self.0.extend_from_slice(&text.as_bytes()[..end]);
        self.0.extend_from_slice(CUT.as_bytes());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// Bytes whose number the reader knows.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads what an [`Encoder`] wrote; every method gives `None` where that is not what stands there.
pub(super) struct Decoder<'a>(pub(super) &'a [u8]);

impl<'a> Decoder<'a> {
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            number |= part << shift;
            if part << shift >> shift != part {
                return None;
            }
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn time(&mut self) -> Option<i64> {
        i64::try_from(self.number()?).ok()
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        self.raw(length)
    }

    pub(super) fn raw(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    /// How many follow, where each has at least one byte.
    pub(super) fn count(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok().filter(|count| *count <= self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_wrote() {
        let numbers = [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX];
        let texts = ["", "a", "Ärztin …"];
        let mut encoder = Encoder::default();
        numbers.iter().for_each(|number| encoder.number(*number));
        texts.iter().for_each(|text| encoder.text(text));
        encoder.time(-1);
        let bytes = encoder.finish();
        let mut decoder = Decoder(&bytes);
        assert!(numbers.iter().all(|number| decoder.number() == Some(*number)));
        assert!(texts.iter().all(|text| decoder.text() == Some(text)));
        assert_eq!((decoder.time(), decoder.0.len()), (Some(0), 0));
    }

    #[test]
    fn cuts_texts_at_characters() {
        for (text, most, kept) in [("abc", 3, "abc"), ("abcdef", 5, "ab…"), ("aäää", 6, "aä…"), ("aäää", 5, "a…")]
        {
            let mut encoder = Encoder::default();
            encoder.text_within(text, most);
            assert_eq!(Decoder(&encoder.finish()).text(), Some(kept), "{text}");
        }
    }

    #[test]
    fn refuses_damaged_bytes() {
        let endless = [0xff; 11];
        let too_large = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        for bytes in [&[][..], &[0x80], &endless, &too_large] {
            assert_eq!(Decoder(bytes).number(), None, "{bytes:?}");
        }
        for bytes in [&[3, b'a'][..], &[1, 0xff], &too_large] {
            assert_eq!(Decoder(bytes).text(), None, "{bytes:?}");
        }
        assert_eq!(Decoder(&[9, 1]).count(), None);
    }
}
