//! JSON strings: finding their end, decoding and writing them.
use std::fmt::Write;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The position at or after `at` of the first byte that a string cannot simply continue with: a quote, a backslash or a control
/// character; the length when there is none.
pub(super) fn run_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let quote = word ^ (ONES * b'"' as u64);
        let backslash = word ^ (ONES * b'\\' as u64);
        // A byte's high bit is set when the byte is zero (or below 0x20). Borrows run upwards only, so the lowest is right.
        let found = (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        if found & HIGHS != 0 {
            return at + (found & HIGHS).trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|&byte| needs_escape(byte)).unwrap_or(rest.len())
}

/// True for a byte that cannot stand for itself inside a string.
pub(super) fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Reads one escape at the start of `text`, the backslash included: the character and the escape's length. `None` when it is
/// none, also for a surrogate without its partner.
pub(super) fn escape(text: &[u8]) -> Option<(char, usize)> {
    let decoded = match text.get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode_escape(text),
        _ => return None,
    };
    Some((decoded, 2))
}

fn unicode_escape(text: &[u8]) -> Option<(char, usize)> {
    let first = hex4(text.get(2..6)?)?;
    if !(0xd800..0xdc00).contains(&first) {
        return Some((char::from_u32(first)?, 6));
    }
    let second = text.get(6..12)?.strip_prefix(b"\\u").and_then(hex4)?;
    let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
    Some((char::from_u32(0x10000 + ((first - 0xd800) << 10) + low)?, 12))
}

fn hex4(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, &digit| Some(value << 4 | char::from(digit).to_digit(16)?))
}

/// Decodes what stands between the quotes of a string that the parser accepted.
pub(super) fn unescape(content: &str) -> String {
    let mut text = String::with_capacity(content.len());
    let mut rest = content;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let (decoded, length) = escape(&rest.as_bytes()[at..]).unwrap_or((char::REPLACEMENT_CHARACTER, 1));
        text.push(decoded);
        rest = &rest[at + length..];
    }
    text + rest
}

/// A string as JSON: quoted, with the escapes that JSON demands and no others.
pub fn quote(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    write_quoted(&mut json, text).expect("a string takes all text");
    json
}

/// Writes a string as JSON, like [`quote`].
pub(crate) fn write_quoted(out: &mut impl Write, text: &str) -> std::fmt::Result {
    out.write_char('"')?;
    let mut from = 0;
    loop {
        let at = run_end(text.as_bytes(), from);
        out.write_str(&text[from..at])?;
        match text.as_bytes().get(at) {
            None => return out.write_char('"'),
            Some(b'"') => out.write_str("\\\"")?,
            Some(b'\\') => out.write_str("\\\\")?,
            Some(b'\n') => out.write_str("\\n")?,
            Some(b'\r') => out.write_str("\\r")?,
            Some(b'\t') => out.write_str("\\t")?,
            Some(control) => write!(out, "\\u{control:04x}")?,
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_end_of_a_run() {
        for special in [b'"', b'\\', 0x00, 0x1f, b'\n'] {
            for length in 0..40 {
                // The neighbors of the special bytes, and bytes with the high bit, must not stop the run.
                let mut text: Vec<u8> = [0x20, 0x21, 0x23, 0x5b, 0x5d, 0x7f, 0x80, 0xa2, 0xdc, 0xff]
                    .iter()
                    .copied()
                    .cycle()
                    .take(length)
                    .collect();
                assert_eq!(run_end(&text, 0), length);
                text.push(special);
                text.extend(b"abc\"defghijkl");
                for from in 0..=length {
                    assert_eq!(run_end(&text, from), length, "{special} after {length} from {from}");
                }
            }
        }
        assert_eq!(run_end(b"", 0), 0);
    }

    #[test]
    fn quotes_and_decodes() {
        let cases = [
            ("", r#""""#),
            ("Ann", r#""Ann""#),
            ("a\"b\\c/d", r#""a\"b\\c/d""#),
            ("\n\r\t\u{8}\u{c}\u{0}\u{1f}\u{7f}", "\"\\n\\r\\t\\u0008\\u000c\\u0000\\u001f\u{7f}\""),
            ("Müller 😀 \u{2028}", "\"Müller 😀 \u{2028}\""),
        ];
        for (text, json) in cases {
            assert_eq!(quote(text), json);
            assert_eq!(unescape(&json[1..json.len() - 1]), text);
        }
        let decoded =
            [(r"\u0041\/\b\f", "A/\u{8}\u{c}"), (r"\ud83d\ude00x", "😀x"), (r"\uD83D\uDE00", "😀"), (r"é\u00E9", "éé")];
        for (content, text) in decoded {
            assert_eq!(unescape(content), text);
        }
    }
}
