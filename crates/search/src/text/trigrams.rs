//! Trigrams: each three characters in a row of a folded text, as words. What contains a text has all trigrams of it, so they find
//! the few resources in which a search inside texts has to look.

use std::iter;

use store::{Filter, Index};

use super::words::{CUT, Words};

/// How many characters a trigram has: shorter texts have none.
const LENGTH: usize = 3;

/// How many trigrams of a text are asked for: in more there is little to learn, and each is looked up on its own.
const ASKED_MAX: usize = 6;

/// Adds the trigrams of a folded text.
pub(crate) fn index_trigrams(index: Index, text: &str, words: &mut Words) {
    each(text).for_each(|trigram| words.push(index, trigram.as_bytes()));
}

/// All resources with a folded text that contains `needle`, and perhaps more; `None` when it is too short to tell.
pub(crate) fn may_contain(index: Index, needle: &str) -> Option<Filter> {
    let mut trigrams: Vec<&str> = Vec::new();
    for trigram in each(needle) {
        if !trigrams.contains(&trigram) {
            trigrams.push(trigram);
        }
    }
    let last = trigrams.len().checked_sub(1)?;
    let asked = trigrams.len().min(ASKED_MAX);
    // From the first to the last at even steps.
    let spread = (0..asked).map(|at| trigrams[last * at / (asked - 1).max(1)]);
    let all = Filter::All(spread.map(|trigram| Filter::word(index, trigram)).collect());
    Some(Filter::Any(vec![all, Filter::word(index, CUT)]))
}

fn each(text: &str) -> impl Iterator<Item = &str> {
    let boundaries = || text.char_indices().map(|(at, _)| at).chain(iter::once(text.len()));
    boundaries().zip(boundaries().skip(LENGTH)).map(|(start, end)| &text[start..end])
}

#[cfg(test)]
mod tests {
    use super::super::words::WORDS_MAX;
    use super::*;

    #[test]
    fn cuts_text_into_trigrams() {
        let cases: [(&str, &[&str]); 7] = [
            ("", &[]),
            ("ab", &[]),
            ("abc", &["abc"]),
            ("ab cd", &["ab ", "b c", " cd"]),
            ("aaaa", &["aaa", "aaa"]),
            ("日本", &[]),
            ("日本語だ", &["日本語", "本語だ"]),
        ];
        for (text, expected) in cases {
            assert_eq!(each(text).collect::<Vec<_>>(), expected, "{text}");
        }
    }

    #[test]
    fn asks_for_few_trigrams_of_any_part() {
        let cases: [(&str, Option<&[&str]>); 6] = [
            ("ab", None),
            ("abc", Some(&["abc"])),
            ("aaaaa", Some(&["aaa"])),
            ("abcd", Some(&["abc", "bcd"])),
            ("abcdefgh", Some(&["abc", "bcd", "cde", "def", "efg", "fgh"])),
            ("abcdefghijklm", Some(&["abc", "cde", "efg", "ghi", "ijk", "klm"])),
        ];
        for (needle, expected) in cases {
            let expected = expected.map(|trigrams| {
                let all = trigrams.iter().map(|trigram| Filter::word(Index(1), *trigram)).collect();
                Filter::Any(vec![Filter::All(all), Filter::word(Index(1), CUT)])
            });
            assert_eq!(may_contain(Index(1), needle), expected, "{needle}");
        }
    }

    #[test]
    fn leaves_nobody_out_for_lack_of_room() {
        let mut words = Words::default();
        (0..WORDS_MAX - 2).for_each(|word| words.push(Index(2), &word.to_be_bytes()));
        index_trigrams(Index(1), "abcdefgh", &mut words);
        let rows = words.finish();
        assert!(rows.len() < WORDS_MAX + 2);
        for (needle, expected) in [("abcd", [true, false]), ("fgh", [true, false]), ("xyz", [true, false])] {
            let accepts = |index| may_contain(Index(index), needle).is_some_and(|filter| filter.accepts(&rows));
            assert_eq!([accepts(1), accepts(2)], expected, "{needle}");
        }
    }
}
