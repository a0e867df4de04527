//! String parameters: names, addresses, text, <https://hl7.org/fhir/R4/search.html#string>.
//!
//! A row is `folded 0 original`. Folding drops case and accents and makes runs of white space one space, so a plain search is a
//! prefix, `:exact` an equality, `:contains` a search inside, and the order of the rows is the order of the text. The original is
//! left out where it equals the folded text. Text too long for a row is cut, with a hash of the original for `:exact`; what was
//! cut stands in overlapping pieces in the index `rest`, for `:contains`.

use fhir::fhirpath::Item;
use fhir::json::{Kind, Node};
use store::{Filter, Index, Match, Range, Test};
use unicode_normalization::UnicodeNormalization;

use super::BadValue;
use super::item::{node, text, type_name};
use crate::escape::unescape;
use crate::row::{self, HASH_LENGTH, Rows, SIMPLE_MAX, printed_hash};

pub(super) const MODIFIERS: &[&str] = &["missing", "exact", "contains"];

/// The longest `:contains`: how much two pieces of a long text overlap.
const NEEDLE_MAX: usize = 128;
/// How many pieces of a long text are kept: about 8 kB; `:contains` does not see what comes after.
const PIECES_MAX: usize = 32;
/// How much of a long folded text its main row holds.
const FOLDED_MAX: usize = SIMPLE_MAX - 1 - HASH_LENGTH;
const REST: &str = "rest";

const NAME_PARTS: &[&str] = &["family", "given", "prefix", "suffix", "text"];
const ADDRESS_PARTS: &[&str] = &["line", "city", "district", "state", "postalCode", "country", "text"];

pub(super) fn rows(item: &Item<'_>, index: Index, rows: &mut Rows) {
    let parts = match type_name(item) {
        "HumanName" => NAME_PARTS,
        "Address" => ADDRESS_PARTS,
        _ => {
            if let Some(text) = text(item) {
                text_rows(&text, index, rows);
            }
            return;
        }
    };
    for part in parts.iter().filter_map(|part| node(item)?.get(part)).flat_map(Node::each) {
        if let (Kind::String, Some(text)) = (part.kind(), part.as_str()) {
            text_rows(&text, index, rows);
        }
    }
}

fn text_rows(text: &str, index: Index, rows: &mut Rows) {
    let folded = fold(text);
    rows.push(index, row_value(&folded, text));
    let mut rest = &folded[piece(&folded, FOLDED_MAX).len()..];
    let mut before = folded.len() - rest.len();
    for _ in 0..PIECES_MAX {
        if rest.is_empty() {
            break;
        }
        let start = folded.ceil_char_boundary(before.saturating_sub(NEEDLE_MAX));
        let value = piece(&folded[start..], SIMPLE_MAX);
        rows.push(row::secondary(index, REST), value.as_bytes().to_vec());
        before = start + value.len();
        rest = &folded[before..];
    }
}

/// The longest beginning of at most `length_max` bytes that ends between characters.
fn piece(text: &str, length_max: usize) -> &str {
    &text[..text.floor_char_boundary(length_max)]
}

fn row_value(folded: &str, text: &str) -> Vec<u8> {
    let original = if folded == text { "" } else { text };
    let fits = folded.len() + 1 + original.len() <= SIMPLE_MAX;
    let mut value = Vec::with_capacity(folded.len().min(FOLDED_MAX) + 1 + original.len().max(HASH_LENGTH));
    value.extend_from_slice(if fits { folded } else { piece(folded, FOLDED_MAX) }.as_bytes());
    value.push(0);
    match fits {
        true => value.extend_from_slice(original.as_bytes()),
        false => value.extend_from_slice(&printed_hash(text.as_bytes())),
    }
    value
}

/// Without case, accents and extra white space.
pub(super) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut space = false;
    let mut push = |char: char| {
        if char.is_whitespace() || char == '\0' {
            space = true;
            return;
        }
        if space && !folded.is_empty() {
            folded.push(' ');
        }
        space = false;
        match char {
            'ß' | 'ẞ' => folded.push_str("ss"),
            'æ' | 'Æ' => folded.push_str("ae"),
            'œ' | 'Œ' => folded.push_str("oe"),
            'ø' | 'Ø' => folded.push('o'),
            'đ' | 'Đ' => folded.push('d'),
            'ł' | 'Ł' => folded.push('l'),
            'ı' => folded.push('i'),
            _ => folded.extend(char.to_lowercase().filter(|char| !is_accent(*char))),
        }
    };
    if text.is_ascii() {
        text.chars().for_each(&mut push);
    } else {
        text.nfd().filter(|char| !is_accent(*char)).for_each(&mut push);
    }
    folded
}

/// The blocks of combining diacritical marks. Other marks, such as the vowel signs of Indic scripts, are letters to their readers.
fn is_accent(char: char) -> bool {
    matches!(char, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

pub(super) fn filter(index: Index, modifier: Option<&str>, value: &str) -> Result<Filter, BadValue> {
    let text = unescape(value);
    let folded = fold(&text);
    if folded.is_empty() {
        return Err(BadValue("text that is not empty"));
    }
    match modifier {
        Some("exact") => Ok(Filter::equal(index, row_value(&folded, &text))),
        Some("contains") if folded.len() > NEEDLE_MAX => Err(BadValue("at most 128 bytes of text")),
        Some("contains") => Ok(Filter::Any(
            [index, row::secondary(index, REST)]
                .map(|index| {
                    let test = Test::Contains { skip: 0, needle: folded.clone().into_bytes() };
                    Filter::Match(Match { index, range: Range::full(), test: Some(test) })
                })
                .into(),
        )),
        _ => Ok(Filter::prefix(index, piece(&folded, FOLDED_MAX))),
    }
}
