//! The words of one document as a record.

use crate::fields::Fields;
use crate::{Index, Row, WORD_MAX};

/// For each index its number 4, the length of what follows 4, and its words in order, each after its length 1. `words` is sorted and
/// without repetition.
pub(super) fn encode(words: &[Row]) -> Vec<u8> {
    const { assert!(WORD_MAX <= u8::MAX as usize) };
    let mut record = Vec::with_capacity(words.iter().map(|row| 1 + row.value.len()).sum::<usize>() + 16);
    for same_index in words.chunk_by(|a, b| a.index == b.index) {
        let length: usize = same_index.iter().map(|row| 1 + row.value.len()).sum();
        record.extend(same_index[0].index.0.to_be_bytes());
        record.extend((length as u32).to_be_bytes());
        for row in same_index {
            record.push(row.value.len() as u8);
            record.extend(&row.value);
        }
    }
    record
}

/// The words of one document, read from its record.
#[derive(Clone, Copy, Debug)]
pub(in crate::embedded) struct Words<'a>(pub(in crate::embedded) &'a [u8]);

impl<'a> Words<'a> {
    /// Whether all these words, which are sorted and at least one, are among them.
    pub(in crate::embedded) fn has_all(self, index: Index, wanted: &[&[u8]]) -> bool {
        let Some((_, mut words)) = self.indexes().find(|(at, _)| *at == index) else { return false };
        wanted.iter().all(|wanted| words.find(|found| found >= wanted) == Some(*wanted))
    }

    /// All of them, in order of index and word. A damaged tail ends the iteration; `verify` finds it.
    pub(in crate::embedded) fn iter(self) -> impl Iterator<Item = (Index, &'a [u8])> {
        self.indexes().flat_map(|(index, words)| words.map(move |word| (index, word)))
    }

    fn indexes(self) -> impl Iterator<Item = (Index, Each<'a>)> {
        let mut fields = Fields(self.0);
        std::iter::from_fn(move || {
            let index = Index(fields.u32()?);
            let length = fields.u32()?;
            Some((index, Each(fields.take(length as usize)?)))
        })
    }
}

struct Each<'a>(&'a [u8]);

impl<'a> Iterator for Each<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let mut fields = Fields(self.0);
        let length = fields.u8()?;
        let word = fields.take(usize::from(length))?;
        self.0 = fields.0;
        Some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::changes::differences;

    fn words(words: &[(u32, &str)]) -> Vec<u8> {
        let row = |(index, word): &(u32, &str)| Row { index: Index(*index), value: word.as_bytes().to_vec() };
        encode(&words.iter().map(row).collect::<Vec<_>>())
    }

    #[test]
    fn tells_words_of_a_record() {
        let longest = "x".repeat(WORD_MAX);
        let all = [(1, ""), (1, "heart"), (1, "heartburn"), (7, "heart"), (7, &longest), (u32::MAX, "a")];
        let record = words(&all);
        let read: Vec<_> = Words(&record).iter().collect();
        assert_eq!(read, all.map(|(index, word)| (Index(index), word.as_bytes())));
        for (index, word) in all {
            assert!(Words(&record).has_all(Index(index), &[word.as_bytes()]), "{index} {word}");
        }
        for (index, word) in [(1, "a"), (1, "heartb"), (1, "z"), (2, "heart"), (7, ""), (7, "heartburn"), (0, "a")] {
            assert!(!Words(&record).has_all(Index(index), &[word.as_bytes()]), "{index} {word}");
        }
        assert!(!Words(&[]).has_all(Index(1), &[b""]));
    }

    #[test]
    fn tells_what_changed() {
        type Case<'c> = (&'c [(u32, &'c str)], &'c [(u32, &'c str)], &'c [(u32, &'c str, bool)]);
        let cases: [Case<'_>; 5] = [
            (&[], &[], &[]),
            (&[], &[(1, "a"), (2, "a")], &[(1, "a", true), (2, "a", true)]),
            (&[(1, "a"), (2, "a")], &[], &[(1, "a", false), (2, "a", false)]),
            (&[(1, "a"), (1, "b")], &[(1, "a"), (1, "b")], &[]),
            (
                &[(1, "a"), (1, "b"), (3, "c")],
                &[(1, "b"), (1, "d"), (2, "c")],
                &[(1, "a", false), (1, "d", true), (2, "c", true), (3, "c", false)],
            ),
        ];
        for (before, after, expected) in cases {
            let (before, after) = (words(before), words(after));
            let mut noted = Vec::new();
            differences(Words(&before).iter(), Words(&after).iter(), |index, word, new| {
                noted.push((index.0, std::str::from_utf8(word).unwrap(), new));
            });
            assert_eq!(noted, expected);
        }
    }
}
