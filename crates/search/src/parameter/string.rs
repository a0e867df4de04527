//! String parameters: names, addresses, text, <https://hl7.org/fhir/R4/search.html#string>.
//!
//! A row is `folded 0 original`. Folding drops case and accents and makes runs of white space one space, so a plain search is a
//! prefix, `:exact` an equality, `:contains` a search inside, and the order of the rows is the order of the text. The original is
//! left out where it equals the folded text. Text too long for a row is cut, with a hash of the original for `:exact`; what was
//! cut stands in overlapping pieces in the index `rest`, for `:contains`. Of all that this searches, the words of the index
//! `trigram` find the resources to look at.

use fhir::fhirpath::Item;
use fhir::json::{Kind, Node};
use store::{Filter, Index, Match, Range, Row, Test};
use unicode_normalization::UnicodeNormalization;

use super::BadValue;
use super::item::{node, text, type_name};
use crate::escape::unescape;
use crate::row::{self, HASH_LENGTH, Rows, SIMPLE_MAX, printed_hash};
use crate::text::{Words, index_trigrams, may_contain};

pub(super) const MODIFIERS: &[&str] = &["missing", "exact", "contains"];

/// The longest `:contains`: how much two pieces of a long text overlap.
const NEEDLE_MAX: usize = 128;
/// How many pieces of a long text are kept: about 8 kB; `:contains` does not see what comes after.
const PIECES_MAX: usize = 32;
/// How much of a long folded text its main row holds.
const FOLDED_MAX: usize = SIMPLE_MAX - 1 - HASH_LENGTH;
const REST: &str = "rest";
const TRIGRAM: &str = "trigram";

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

/// Adds the trigrams of the folded texts in a parameter's rows.
pub(super) fn words(index: Index, (rows, words): (&[Row], &mut Words)) {
    let texts = [index, row::secondary(index, REST)];
    let trigrams = row::secondary(index, TRIGRAM);
    for row in rows.iter().filter(|row| texts.contains(&row.index)) {
        let folded = row.value.split(|byte| *byte == 0).next().unwrap_or_default();
        index_trigrams(trigrams, std::str::from_utf8(folded).unwrap_or_default(), words);
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
pub(crate) fn fold(text: &str) -> String {
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
            'ſ' => folded.push('s'),
            'ς' => folded.push('σ'),
            '\u{fb00}'..='\u{fb06}' => folded.extend(std::iter::once(char).nfkc()),
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
        Some("contains") => Ok(containing(index, &folded, &[index, row::secondary(index, REST)], folded.as_bytes())),
        _ => Ok(Filter::prefix(index, piece(&folded, FOLDED_MAX))),
    }
}

/// Resources with a folded text that ends with a folded one, as far as their main rows tell.
pub(crate) fn ending(index: Index, folded: &str) -> Filter {
    containing(index, folded, &[index], &[folded.as_bytes(), &[0]].concat())
}

/// Resources with `needle`, which begins with a folded text, in a row of one of `places`.
fn containing(index: Index, folded: &str, places: &[Index], needle: &[u8]) -> Filter {
    let matching = places.iter().map(|place| {
        let test = Test::Contains { skip: 0, needle: needle.to_vec() };
        Filter::Match(Match { index: *place, range: Range::full(), test: Some(test) })
    });
    let exact = row::any(matching.collect());
    match may_contain(row::secondary(index, TRIGRAM), folded) {
        Some(candidates) => candidates.and(exact),
        None => exact,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, check_refused};

    const PATIENT: &str = r#"{"resourceType":"Patient","id":"p",
        "name":[{"use":"official","family":"Müller-Łódź","given":["Éve","Anna  Maria"],"prefix":["Dr."],"suffix":["MBE"]},
            {"text":"Evelyn \t Straße"},{"family":"van den Berg"}],
        "address":[{"use":"home","line":["1 Løkke, Road","Flat 2"],"city":"Łódź","district":"Kent","state":"VIC","postalCode":"3999",
            "country":"Australia","text":"c/o Chalmers"}]}"#;

    #[test]
    fn finds_by_folded_beginning() {
        check(
            PATIENT,
            &[
                ("name=eve", true),
                ("name=EVE", true),
                ("name=Éve", true),
                ("name=evelyn strasse", true),
                ("name=Evelyn  Straße", true),
                ("name=lyn", false),
                ("name=anna maria", true),
                ("name=maria", false),
                ("name=dr", true),
                ("name=mbe", true),
                ("name=official", false),
                ("family=muller", true),
                ("family=MÜLLER-LODZ", true),
                ("family=mu\u{308}ller", true),
                ("family=eve", false),
                ("family=van", true),
                ("family=berg", false),
                ("given=anna", true),
                ("given=none,anna", true),
                ("name=eve&name=berg", false),
                ("name=eve&name=van", true),
                ("address=1 lokke", true),
                (r"address=1 lokke\, road", true),
                ("address=flat", true),
                ("address=lodz", true),
                ("address=kent", true),
                ("address=vic", true),
                ("address=3999", true),
                ("address=aus", true),
                ("address=c/o", true),
                ("address=home", false),
                ("address-city=lodz", true),
                ("address-city=kent", false),
                ("address-postalcode=39", true),
            ],
        );
    }

    #[test]
    fn finds_exactly_and_inside() {
        check(
            PATIENT,
            &[
                ("given:exact=Éve", true),
                ("given:exact=Eve", false),
                ("given:exact=éve", false),
                ("given:exact=Év", false),
                ("given:exact=Anna  Maria", true),
                ("given:exact=Anna Maria", false),
                ("family:exact=van den Berg", true),
                ("family:exact=van", false),
                ("family:contains=DEN", true),
                ("family:contains=ller-l", true),
                ("family:contains=van  den", true),
                ("family:contains=eve", false),
                ("name:contains=vely", true),
                ("name:missing=false", true),
                ("name:missing=true", false),
                ("phonetic:missing=false", true),
                ("address-use:missing=false", true),
            ],
        );
    }

    #[test]
    fn finds_in_long_text() {
        let words: Vec<_> = (0..400).map(|number| format!("Word{number}")).collect();
        let text = words.join(" ");
        assert!(text.len() > 2_000);
        let value_set = format!(r#"{{"resourceType":"ValueSet","id":"v","status":"draft","description":"{text}"}}"#);
        let cases = [
            (format!("description={text}"), true),
            (format!("description={}", &text[..600]), true),
            (format!("description:exact={text}"), true),
            (format!("description:exact={text}x"), false),
            (format!("description:exact={}", text.to_lowercase()), false),
            ("description:contains=word399".to_owned(), true),
            ("description:contains=word400".to_owned(), false),
        ];
        check(&value_set, &cases.each_ref().map(|(query, expected)| (query.as_str(), *expected)));
        for pair in words.windows(15) {
            check(&value_set, &[(&format!("description:contains={}", pair.join(" ")), true)]);
        }
    }

    #[test]
    fn finds_inside_whatever_the_length() {
        let long = "x".repeat(NEEDLE_MAX - 8);
        let patient = format!(
            r#"{{"resourceType":"Patient","id":"p","name":[{{"family":"Ünal-日本語だ","given":["Jo","O","{long}müllerin"]}}]}}"#
        );
        let cases = [
            ("ü", true),
            ("q", false),
            ("ON", false),
            ("jo", true),
            ("nal", true),
            ("ÜNA", true),
            ("naal", false),
            ("unal", true),
            ("una-", false),
            // What stands apart is not contained, though every trigram of it may be there.
            ("unal-日本語だ", true),
            ("本", true),
            ("日本語", true),
            ("本語だ", true),
            ("語日本", false),
            ("xmüller", true),
            ("mullerxx", false),
            (&format!("{long}Müllerin"), true),
            (&format!("{long}Müllerin")[1..], true),
        ];
        let cases = cases.map(|(needle, expected)| (needle.to_owned(), expected));
        let long_needles = [(format!("{long}muller"), true), (format!("{}mulleri", &long[1..]), true)];
        for (needle, expected) in cases.into_iter().chain(long_needles) {
            check(&patient, &[(&format!("name:contains={needle}"), expected)]);
            check(&patient, &[(&format!("_filter=name co \"{needle}\""), expected)]);
        }
    }

    #[test]
    fn folds_case_accents_and_space() {
        let cases = [
            ("", ""),
            (" \t ", ""),
            ("  Ann \u{a0} Lee ", "ann lee"),
            ("ÀÉÎÕÜ çñ Å", "aeiou cn a"),
            ("Straße ẞ Æther œuvre Øre Đorđe Łódź", "strasse ss aether oeuvre ore dorde lodz"),
            ("İstanbul ISPARTA ısparta", "istanbul isparta isparta"),
            ("ΑΘΗΝΑ Σίσυφος ΣΊΣΥΦΟΣ", "αθηνα σισυφοσ σισυφοσ"),
            ("ﬁne ﬄ Weſt ﬆ", "fine ffl west st"),
            ("हिन्दी", "हिन्दी"),
            ("日本語", "日本語"),
            ("a\0b", "a b"),
        ];
        for (text, expected) in cases {
            let folded = fold(text);
            assert_eq!(folded, expected, "{text}");
            assert_eq!(fold(&folded), folded, "folding {text} twice");
        }
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        let long = format!("name:contains={}", "x".repeat(129));
        check_refused(
            "Patient",
            &[
                ("name=", "parameter `name` has the value ``, expected text"),
                ("name= ", "expected text"),
                ("name:not=eve", "modifier `:not` of `name` is unknown, allowed are :missing, :exact, :contains"),
                ("name:Exact=eve", "modifier `:Exact`"),
                (&long, "at most 128 bytes"),
            ],
        );
    }
}
