//! Cutting text into words, and collecting those of one resource.

use std::collections::BTreeSet;
use std::hash::Hasher;

use rustc_hash::{FxHashMap, FxHasher};
use store::{Filter, Index, Row};

use crate::parameter::{BadValue, fold};

/// The longest word in bytes; of longer ones the beginning.
pub(crate) const WORD_MAX: usize = 64;
const _: () = assert!(WORD_MAX <= store::WORD_MAX);

/// How many words of one resource are indexed; what comes after is not found, and [`CUT`] says so.
pub(super) const WORDS_MAX: usize = 100_000;

/// The word in an index that stands for those which had no room any more.
pub(super) const CUT: &[u8] = b"";

/// How many words one value of a search may ask for. Each is looked for in all documents.
const ASKED_MAX: usize = 100;

/// The words of one resource while they are collected. Their bytes stand one after the other, and a repeated word is met by its hash,
/// so that it costs little.
#[derive(Default)]
pub(crate) struct Words {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    /// The last span of a hash.
    by_hash: FxHashMap<u64, usize>,
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
        each(text, |word| indexes.iter().for_each(|index| self.push(*index, word.as_bytes())));
    }

    /// Adds the words of others, each to the index that stands for theirs.
    pub(crate) fn add_all(&mut self, others: &Words, index: impl Fn(Index) -> Index) {
        others.spans.iter().for_each(|span| self.push(index(span.index), span.word(&others.bytes)));
    }

    pub(super) fn push(&mut self, index: Index, word: &[u8]) {
        let next = self.spans.len();
        let word = if next < WORDS_MAX { word } else { CUT };
        let last = self.by_hash.entry(hash(index, word)).or_insert(next);
        let is_known = |span: &Span| span.index == index && span.word(&self.bytes) == word;
        if self.spans.get(*last).is_some_and(is_known) {
            return;
        }
        // Of two words with one hash both stay; a repetition of the earlier one is found when all are sorted.
        *last = next;
        self.spans.push(Span { index, start: self.bytes.len() as u32, length: word.len() as u8 });
        self.bytes.extend_from_slice(word);
    }

    /// Sorted and without duplicates.
    pub(crate) fn finish(mut self) -> Vec<Row> {
        let key = |span: &Span| (span.index, span.word(&self.bytes));
        self.spans.sort_unstable_by(|left, right| key(left).cmp(&key(right)));
        self.spans.dedup_by(|left, right| key(left) == key(right));
        self.spans.iter().map(|span| Row { index: span.index, value: span.word(&self.bytes).to_vec() }).collect()
    }
}

impl Span {
    fn word<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        &bytes[self.start as usize..][..usize::from(self.length)]
    }
}

fn hash(index: Index, word: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write_u32(index.0);
    hasher.write(word);
    hasher.finish()
}

/// Visits the words of a text, folded.
pub(super) fn each(text: &str, mut visit: impl FnMut(&str)) {
    if !text.is_ascii() {
        let folded = fold(text);
        let words = folded.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty());
        return words.for_each(|word| visit(&word[..word.floor_char_boundary(WORD_MAX)]));
    }
    let mut small = [0; WORD_MAX];
    for word in text.as_bytes().split(|byte| !byte.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let word = &word[..word.len().min(WORD_MAX)];
        let small = &mut small[..word.len()];
        small.copy_from_slice(word);
        small.make_ascii_lowercase();
        visit(std::str::from_utf8(small).expect("lower-case ASCII is text"));
    }
}

/// Resources that have every word of a text, and how many different ones these are; `None` when it has none.
pub(crate) fn every_word(index: Index, text: &str) -> Result<(Option<Filter>, usize), BadValue> {
    let mut words = BTreeSet::new();
    each(text, |word| {
        if words.len() <= ASKED_MAX && !words.contains(word) {
            words.insert(word.to_owned());
        }
    });
    check_asked(words.len())?;
    let mut filters: Vec<_> = words.iter().map(|word| Filter::word(index, word.as_str())).collect();
    let filter = match filters.len() {
        0 | 1 => filters.pop(),
        _ => Some(Filter::All(filters)),
    };
    Ok((filter, words.len()))
}

/// Refuses more than [`ASKED_MAX`] words.
pub(super) fn check_asked(words: usize) -> Result<(), BadValue> {
    match words <= ASKED_MAX {
        true => Ok(()),
        false => Err(BadValue("at most 100 words")),
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
    fn asks_for_each_word_once_and_not_for_too_many() {
        let words = |words: usize| (0..words).map(|word| format!("w{word}")).collect::<Vec<_>>().join("-");
        let asks = |text: &str| every_word(Index(1), text).map(|(_, words)| words).map_err(|bad| bad.0);
        let repeated = ["Heart heart", &"-heart".repeat(10_000)].concat();
        let cases = [
            ("", Ok(0)),
            ("--", Ok(0)),
            (&repeated, Ok(1)),
            (&words(ASKED_MAX), Ok(ASKED_MAX)),
            (&words(ASKED_MAX + 1), Err("at most 100 words")),
        ];
        for (text, expected) in cases {
            assert_eq!(asks(text), expected);
        }
        assert_eq!(every_word(Index(1), &repeated).unwrap().0, Some(Filter::word(Index(1), "heart")));
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
        (0..WORDS_MAX + 5).for_each(|word| words.add(&[Index(1), Index(2)], &word.to_string()));
        let all = words.finish();
        assert_eq!(all.len(), WORDS_MAX + 2);
        let cut: Vec<_> = all.iter().filter(|row| row.value == CUT).map(|row| row.index).collect();
        assert_eq!(cut, [Index(1), Index(2)]);
    }
}
