//! The characters of XML 1.0 and their references, <https://www.w3.org/TR/xml/#charsets>, <https://www.w3.org/TR/xml/#sec-references>.

use std::borrow::Cow;

use crate::outcome::quoted;

/// What of a text has a line end or white space of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The value of an attribute: white space that is written as such is a space.
    Attribute,
    /// The text between tags: a line ends with a line feed.
    Text,
}

/// True for what XML can hold.
pub(crate) fn is_character(character: char) -> bool {
    !matches!(character, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// The place in `text` of the first character that XML cannot hold.
pub(crate) fn first_illegal(text: &str) -> Option<(usize, char)> {
    let illegal = |byte: &u8| *byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r') || *byte == 0xef;
    let mut from = 0;
    // Only what begins with these bytes needs a closer look.
    while let Some(at) = text.as_bytes()[from..].iter().position(illegal) {
        let character = text[from + at..].chars().next()?;
        if !is_character(character) {
            return Some((from + at, character));
        }
        from += at + character.len_utf8();
    }
    None
}

/// The text that `raw` stands for: references resolved and white space as XML has it. An error says what is wrong with which reference.
pub(crate) fn decode(raw: &str, place: Place) -> Result<Cow<'_, str>, String> {
    let is_special = |byte: u8| match byte {
        b'&' | b'\r' => true,
        b'\n' | b'\t' => place == Place::Attribute,
        _ => false,
    };
    if !raw.bytes().any(is_special) {
        return Ok(Cow::Borrowed(raw));
    }
    let mut decoded = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.bytes().position(is_special) {
        decoded.push_str(&rest[..at]);
        let special = rest.as_bytes()[at];
        rest = &rest[at + 1..];
        match special {
            b'&' => {
                let (name, after) =
                    rest.split_once(';').ok_or_else(|| format!("`&` starts no reference: {}", quoted(rest)))?;
                decoded.push(reference(name)?);
                rest = after;
            }
            b'\r' if rest.starts_with('\n') => {}
            b'\r' if place == Place::Text => decoded.push('\n'),
            _ => decoded.push(' '),
        }
    }
    decoded.push_str(rest);
    Ok(Cow::Owned(decoded))
}

/// The character that the reference `&name;` stands for.
pub(super) fn reference(name: &str) -> Result<char, String> {
    let character = match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        _ => {
            let number = match name.strip_prefix('#') {
                Some(number) => number,
                None => {
                    return Err(format!(
                        "the entity {} is unknown; only `amp`, `lt`, `gt`, `quot` and `apos` are read",
                        quoted(name)
                    ));
                }
            };
            let (digits, radix) = number.strip_prefix('x').map_or((number, 10), |digits| (digits, 16));
            // `from_str_radix` takes a sign.
            let digits = Some(digits).filter(|digits| digits.starts_with(|digit: char| digit.is_ascii_hexdigit()));
            let code = digits.and_then(|digits| u32::from_str_radix(digits, radix).ok());
            code.and_then(char::from_u32).filter(|character| is_character(*character))
        }
    };
    character.ok_or_else(|| format!("{} is no reference to a character of XML", quoted(&format!("&{name};"))))
}

/// Writes text so that it reads back the same, in an attribute in double quotes as well as between tags. The error is a character
/// that XML cannot hold.
pub(crate) fn encode(out: &mut String, text: &str) -> Result<(), char> {
    let mut rest = text;
    let is_special = |byte: u8| byte < 0x20 || matches!(byte, b'&' | b'<' | b'>' | b'"' | 0xef);
    while let Some(at) = rest.bytes().position(is_special) {
        out.push_str(&rest[..at]);
        let character = rest[at..].chars().next().unwrap_or_default();
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            '\t' => out.push_str("&#9;"),
            character if is_character(character) => out.push(character),
            character => return Err(character),
        }
        rest = &rest[at + character.len_utf8()..];
    }
    out.push_str(rest);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_references_and_white_space() {
        let cases = [
            ("plain é", "plain é", "plain é"),
            ("a&amp;b&lt;&gt;&quot;&apos;", "a&b<>\"'", "a&b<>\"'"),
            ("&#65;&#x42;&#x1F600;&#10;&#13;", "AB😀\n\r", "AB😀\n\r"),
            ("a\r\nb\rc\nd\te", "a b c d e", "a\nb\nc\nd\te"),
        ];
        for (raw, attribute, text) in cases {
            assert_eq!(decode(raw, Place::Attribute).as_deref(), Ok(attribute), "{raw:?}");
            assert_eq!(decode(raw, Place::Text).as_deref(), Ok(text), "{raw:?}");
        }
        for raw in [
            "&",
            "a & b",
            "&amp",
            "&;",
            "&nbsp;",
            "&#;",
            "&#x;",
            "&#0;",
            "&#1;",
            "&#xD800;",
            "&#+65;",
            "&#xfffe;",
            "&#99999999999;",
            "&#1a;",
        ] {
            assert!(decode(raw, Place::Text).is_err(), "{raw}");
        }
    }

    #[test]
    fn encodes_what_decodes_to_the_same() {
        let text = "a&b<c>\"d'\n\r\t \u{7f}é\u{f8ff}😀";
        let mut encoded = String::new();
        assert_eq!(encode(&mut encoded, text), Ok(()));
        assert_eq!(encoded, "a&amp;b&lt;c&gt;&quot;d'&#10;&#13;&#9; \u{7f}é\u{f8ff}😀");
        assert_eq!(decode(&encoded, Place::Attribute).as_deref(), Ok(text));
        for illegal in ['\0', '\u{b}', '\u{1f}', '\u{fffe}', '\u{ffff}'] {
            assert_eq!(encode(&mut String::new(), &format!("a{illegal}")), Err(illegal));
            assert_eq!(first_illegal(&format!("\u{fffd}a{illegal}")), Some((4, illegal)));
        }
        assert_eq!(first_illegal(text), None);
    }
}
