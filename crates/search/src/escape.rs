//! Values of a query: separators and their escapes, <https://hl7.org/fhir/R4/search.html#escaping>.

use std::borrow::Cow;

/// True when every backslash escapes one of `,` `|` `$` `\`.
pub(crate) fn is_escaped_well(text: &str) -> bool {
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if char == '\\' && !matches!(chars.next(), Some(',' | '|' | '$' | '\\')) {
            return false;
        }
    }
    true
}

/// The pieces between unescaped separators, still escaped.
pub(crate) fn split(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        match find(text, separator) {
            Some(at) => {
                rest = Some(&text[at + 1..]);
                Some(&text[..at])
            }
            None => rest.take(),
        }
    })
}

/// Both sides of the first unescaped separator, still escaped.
pub(crate) fn split_once(text: &str, separator: u8) -> Option<(&str, &str)> {
    let at = find(text, separator)?;
    Some((&text[..at], &text[at + 1..]))
}

fn find(text: &str, separator: u8) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let found = byte == separator && !escaped;
        escaped = byte == b'\\' && !escaped;
        found
    })
}

/// The text without its escapes.
pub(crate) fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        plain.extend(if char == '\\' { chars.next() } else { Some(char) });
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_unescaped_separators() {
        let cases: [(&str, &[&str]); 6] = [
            ("", &[""]),
            ("a,b,,c", &["a", "b", "", "c"]),
            (r"a\,b,c", &[r"a\,b", "c"]),
            (r"a\\,b", &[r"a\\", "b"]),
            (r"a\\\,b", &[r"a\\\,b"]),
            ("é,ü|$", &["é", "ü|$"]),
        ];
        for (text, expected) in cases {
            assert_eq!(split(text, b',').collect::<Vec<_>>(), expected, "{text}");
        }
        assert_eq!(split_once(r"a\|b|c|d", b'|'), Some((r"a\|b", "c|d")));
        assert_eq!(split_once(r"a\|b", b'|'), None);
    }

    #[test]
    fn reads_and_checks_escapes() {
        for (text, plain) in [("a", "a"), (r"a\,\|\$\\b", r"a,|$\b"), (r"\\\,", r"\,")] {
            assert!(is_escaped_well(text));
            assert_eq!(unescape(text), plain);
        }
        for text in [r"\", r"a\b", r"\\\", r"\é"] {
            assert!(!is_escaped_well(text), "{text}");
            unescape(text);
        }
    }
}
