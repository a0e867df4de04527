//! Cutting text into words, and collecting those of one resource.

use store::{Filter, Index, Row};

use crate::parameter::fold;

/// The longest word in bytes; of longer ones the beginning.
pub(crate) const WORD_MAX: usize = 64;
const _: () = assert!(WORD_MAX <= store::WORD_MAX);

/// How many words of one resource are indexed, repetitions counted; what comes after is not found.
pub(super) const WORDS_MAX: usize = 100_000;

/// The words of one resource while they are collected. Their bytes stand one after the other, so that a repeated word costs little.
#[derive(Default)]
pub(crate) struct Words {
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

#[derive(Clone, Copy)]
struct Span {
    index: Index,
    start: u32,
    length: u8,
}

impl Words {
    /// Adds the words of a text to each index.
    pub(crate) fn add(&mut self, indexes: &[Index], text: &str) {
        each(text, |word| {
            if self.spans.len() + indexes.len() > WORDS_MAX {
                return;
            }
            let (start, length) = (self.bytes.len() as u32, word.len() as u8);
            self.bytes.extend_from_slice(word.as_bytes());
            self.spans.extend(indexes.iter().map(|index| Span { index: *index, start, length }));
        });
    }

    /// Sorted and without duplicates.
    pub(crate) fn finish(mut self) -> Vec<Row> {
        let bytes = &self.bytes;
        let word = |span: &Span| &bytes[span.start as usize..][..usize::from(span.length)];
        self.spans.sort_unstable_by(|left, right| (left.index, word(left)).cmp(&(right.index, word(right))));
        self.spans.dedup_by(|left, right| left.index == right.index && word(left) == word(right));
        self.spans.iter().map(|span| Row { index: span.index, value: word(span).to_vec() }).collect()
    }
}

/// Visits the words of a text, folded.
pub(super) fn each(text: &str, mut visit: impl FnMut(&str)) {
    if !text.is_ascii() {
        let folded = fold(text);
        let words = folded.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty());
        return words.for_each(|word| visit(&word[..word.floor_char_boundary(WORD_MAX)]));
    }
    let mut small = [0; WORD_MAX];
    for word in text.split(|char: char| !char.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let word = &word[..word.len().min(WORD_MAX)];
        let small = &mut small[..word.len()];
        small.copy_from_slice(word.as_bytes());
        small.make_ascii_lowercase();
        visit(std::str::from_utf8(small).expect("lower-case ASCII is text"));
    }
}

/// Resources that have every word of a text; `None` when it has none.
pub(crate) fn every_word(index: Index, text: &str) -> Option<Filter> {
    let mut filters = Vec::new();
    each(text, |word| filters.push(Filter::word(index, word)));
    match filters.len() {
        0 | 1 => filters.pop(),
        _ => Some(Filter::All(filters)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_text_into_words() {
        let long = "x".repeat(WORD_MAX + 1);
        let cases: [(&str, &[&str]); 8] = [
            ("", &[]),
            (" -- ", &[]),
            ("Bone, liver; and METASTASES.", &["bone", "liver", "and", "metastases"]),
            ("O'Brien-Smith 120/80mmHg", &["o", "brien", "smith", "120", "80mmhg"]),
            ("Ménière’s Straße", &["meniere", "s", "strasse"]),
            ("日本語 हिन्दी", &["日本語", "हिन", "दी"]),
            (&long, &[&long[..WORD_MAX]]),
            ("a\u{301}b", &["ab"]),
        ];
        for (text, expected) in cases {
            let mut words = Vec::new();
            each(text, |word| words.push(word.to_owned()));
            assert_eq!(words, expected, "{text}");
        }
    }

    #[test]
    fn collects_each_word_once_and_not_too_many() {
        let mut words = Words::default();
        words.add(&[Index(2), Index(1)], "b a B");
        words.add(&[Index(2)], "c");
        let rows: Vec<_> =
            words.finish().into_iter().map(|row| (row.index.0, String::from_utf8(row.value).expect("text"))).collect();
        let expected = [(1, "a"), (1, "b"), (2, "a"), (2, "b"), (2, "c")];
        assert_eq!(rows, expected.map(|(index, word)| (index, word.to_owned())));
        let mut words = Words::default();
        (0..=WORDS_MAX).for_each(|word| words.add(&[Index(1)], &word.to_string()));
        assert_eq!(words.finish().len(), WORDS_MAX);
    }
}
