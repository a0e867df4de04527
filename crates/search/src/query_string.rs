//! Query strings as browsers and FHIR clients write them: `application/x-www-form-urlencoded`,
//! <https://url.spec.whatwg.org/#urlencoded-parsing>.

use fhir::{IssueType, Outcome};

/// The names and values of a query string (without `?`), decoded, in order. `+` is a space; a name without `=` has an empty value.
/// Refuses what is not UTF-8 once decoded. A `%` that two hexadecimal digits do not follow stands for itself.
pub fn parse_query_string(text: &str) -> Result<Vec<(String, String)>, Outcome> {
    let mut parameters = Vec::new();
    for part in text.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        parameters.push((decode(name)?, decode(value)?));
    }
    Ok(parameters)
}

/// The query string (without `?`) of parameters: what [`parse_query_string`] reads back.
pub fn query_string<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::new();
    for (name, value) in parameters {
        if !text.is_empty() {
            text.push('&');
        }
        encode_onto(&mut text, name);
        text.push('=');
        encode_onto(&mut text, value);
    }
    text
}

/// A token of this system and code as a value of a parameter: what separates values is escaped, and an empty system is any.
pub fn token(system: &str, code: &str) -> String {
    match system {
        "" => escaped(code, ""),
        _ => format!("{}|{}", escaped(system, ""), escaped(code, "")),
    }
}

/// The value as a parameter takes it literally, apart from the separators in `kept`.
pub(crate) fn escaped(value: &str, kept: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for char in value.chars() {
        if matches!(char, ',' | '|' | '$' | '\\') && !kept.contains(char) {
            escaped.push('\\');
        }
        escaped.push(char);
    }
    escaped
}

/// Encodes all but what is unreserved, and a few signs that are safe in a query and legible.
fn encode_onto(text: &mut String, raw: &str) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:,/*$".contains(&byte);
    let mut rest = raw;
    loop {
        let plain = rest.bytes().position(|byte| !is_plain(byte)).unwrap_or(rest.len());
        text.push_str(&rest[..plain]);
        rest = &rest[plain..];
        let Some(other) = rest.chars().next() else { return };
        for byte in rest.bytes().take(other.len_utf8()) {
            text.push('%');
            text.push(DIGITS[usize::from(byte >> 4)] as char);
            text.push(DIGITS[usize::from(byte & 15)] as char);
        }
        rest = &rest[other.len_utf8()..];
    }
}

fn decode(text: &str) -> Result<String, Outcome> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'+', _) => decoded.push(b' '),
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                decoded.push(hex(*high) << 4 | hex(*low));
                rest = after;
            }
            _ => decoded.push(*first),
        }
    }
    String::from_utf8(decoded).map_err(|_| {
        Outcome::new(IssueType::BadRequest, format!("`{text}` in the query string is not UTF-8 once percent-decoded"))
    })
}

fn hex(digit: u8) -> u8 {
    char::from(digit).to_digit(16).map_or(0, |value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes() {
        let cases: [(&str, &[(&str, &str)]); 8] = [
            ("", &[]),
            ("&&", &[]),
            ("a=1&b=2&a=3", &[("a", "1"), ("b", "2"), ("a", "3")]),
            ("name=Ann+B%2BC%20D", &[("name", "Ann B+C D")]),
            ("identifier=http%3A%2F%2Fs%7Cv&x=a=b", &[("identifier", "http://s|v"), ("x", "a=b")]),
            ("flag&=v", &[("flag", ""), ("", "v")]),
            ("family=M%C3%BCller&g=Å", &[("family", "Müller"), ("g", "Å")]),
            ("a=100%&b=%4&c=%zz&d=%%41", &[("a", "100%"), ("b", "%4"), ("c", "%zz"), ("d", "%A")]),
        ];
        for (text, expected) in cases {
            let parsed = parse_query_string(text).expect("valid");
            let parsed: Vec<_> = parsed.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert_eq!(parsed, expected, "{text}");
            let again = parse_query_string(&query_string(parsed.iter().copied())).expect("valid");
            assert_eq!(again, parse_query_string(text).expect("valid"), "{text}");
        }
    }

    #[test]
    fn encodes() {
        let parameters = [("name:exact", "Ann B+C"), ("identifier", "urn:x|é&="), ("_id", "")];
        assert_eq!(query_string(parameters), "name:exact=Ann%20B%2BC&identifier=urn:x%7C%C3%A9%26%3D&_id=");
    }

    #[test]
    fn refuses_what_is_not_utf8() {
        for text in ["a=%ff", "%C3=1", "a=1&b=%ED%A0%80"] {
            let outcome = parse_query_string(text).expect_err("not UTF-8");
            assert_eq!(outcome.issues[0].code, IssueType::BadRequest, "{text}");
        }
    }
}
