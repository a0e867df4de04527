//! The forms of primitive values: R4's regular expressions as matchers over bytes, <https://hl7.org/fhir/R4/datatypes.html#primitive>.

use crate::json::{Document, Kind, Node, quote};
use crate::outcome::quoted;
use crate::reference::is_id;
use crate::xml::escape::first_illegal;
use crate::{Decimal, IssueType, is_date, is_datetime, is_instant, is_time, narrative};

/// The longest string, in characters: R4 allows 1024 * 1024.
pub const STRING_LENGTH_MAX: usize = 1 << 20;

/// What is wrong with a value.
pub(super) struct Fault {
    pub(super) code: IssueType,
    pub(super) message: String,
}

impl Fault {
    fn value(message: String) -> Option<Fault> {
        Some(Fault { code: IssueType::Value, message })
    }
}

/// What is wrong with `node` as a value of the primitive type; `None` when it is well formed.
pub(super) fn fault(primitive: &str, node: Node<'_>) -> Option<Fault> {
    let kind = kind_of(primitive);
    if node.kind() != kind {
        return Some(wrong_kind(primitive, kind, node));
    }
    match kind {
        Kind::Number => number_fault(primitive, node.raw()),
        Kind::String => string_fault(primitive, &node.as_str()?),
        _ => None,
    }
}

/// The same of a value that stands as text where there is no JSON, as in a query.
pub(super) fn text_fault(primitive: &str, text: &str) -> Option<Fault> {
    let kind = kind_of(primitive);
    let json = if kind == Kind::String { quote(text) } else { text.to_owned() };
    match Document::parse(json.as_bytes()) {
        Ok(document) if document.root().kind() == kind => fault(primitive, document.root()),
        _ => {
            let form = if kind == Kind::Boolean { "true or false" } else { "a number" };
            Fault::value(format!("{} is not of type {primitive}: {form}", quoted(text)))
        }
    }
}

/// What a primitive type is in JSON.
fn kind_of(primitive: &str) -> Kind {
    match primitive {
        "boolean" => Kind::Boolean,
        "integer" | "unsignedInt" | "positiveInt" | "decimal" => Kind::Number,
        _ => Kind::String,
    }
}

/// The English name of a JSON kind, with its article.
pub(super) fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Object => "an object",
        Kind::Array => "an array",
        Kind::String => "a string",
        Kind::Number => "a number",
        Kind::Boolean => "a boolean",
        Kind::Null => "null",
    }
}

fn wrong_kind(primitive: &str, expected: Kind, node: Node<'_>) -> Fault {
    let expected = match expected {
        Kind::Boolean => "`true` or `false`",
        kind => kind_name(kind),
    };
    let found = kind_name(node.kind());
    let message =
        format!("{found} stands here, {}, but a value of type {primitive} is {expected} in JSON", quoted(node.raw()));
    Fault { code: IssueType::Structure, message }
}

fn number_fault(primitive: &str, raw: &str) -> Option<Fault> {
    if primitive == "decimal" {
        return match Decimal::parse(raw) {
            Some(_) => None,
            None => Fault::value(format!("the decimal {} has more digits than the 38 that are kept", quoted(raw))),
        };
    }
    let (least, most, form) = match primitive {
        "unsignedInt" => (0, i32::MAX, "a whole number from 0 to 2147483647"),
        "positiveInt" => (1, i32::MAX, "a whole number from 1 to 2147483647"),
        _ => (i32::MIN, i32::MAX, "a whole number from -2147483648 to 2147483647"),
    };
    // JSON has already refused leading zeros and plus signs; a fraction or exponent is refused here, even `1.0`.
    match raw.parse::<i32>() {
        Ok(number) if (least..=most).contains(&number) => None,
        _ => Fault::value(format!("{} is not of type {primitive}: {form} without fraction or exponent", quoted(raw))),
    }
}

fn string_fault(primitive: &str, text: &str) -> Option<Fault> {
    if text.is_empty() {
        return Fault::value("the string is empty; leave the element out instead".to_owned());
    }
    if let Some((_, character)) = first_illegal(text) {
        return Fault::value(format!(
            "the string has the character U+{:04X}; of the control characters only tab, carriage return and line feed are allowed",
            u32::from(character)
        ));
    }
    let form = match primitive {
        "string" | "markdown" => return length_fault(text),
        "xhtml" => return narrative::fault(text).and_then(Fault::value),
        _ => form(primitive, text),
    };
    let form = form?;
    Fault::value(format!("{} is not of type {primitive}: {form}", quoted(text)))
}

fn length_fault(text: &str) -> Option<Fault> {
    if text.len() > STRING_LENGTH_MAX && text.chars().count() > STRING_LENGTH_MAX {
        return Some(Fault {
            code: IssueType::Value,
            message: format!("the string is longer than the {STRING_LENGTH_MAX} characters that R4 allows"),
        });
    }
    None
}

/// The form that the type asks for, if `text` (not empty) does not have it.
fn form(primitive: &str, text: &str) -> Option<&'static str> {
    let bytes = text.as_bytes();
    let (is_well_formed, form) = match primitive {
        "code" => (is_code(bytes), "no white space at either end, and single spaces inside"),
        "id" => (is_id(text), "1 to 64 of the characters A-Z a-z 0-9 - ."),
        "uri" | "url" => (is_uri(bytes), "a URI, without white space"),
        "canonical" => (is_canonical(bytes), "a URL without white space, with at most one `|` before the version"),
        "oid" => (is_oid(bytes), "`urn:oid:` and numbers joined by dots, such as `urn:oid:1.2.3`"),
        "uuid" => (is_uuid(bytes), "`urn:uuid:` and a UUID in lower-case letters"),
        "base64Binary" => (is_base64(bytes), "base64 in groups of four characters"),
        "date" => (is_date(text), "YYYY, YYYY-MM or YYYY-MM-DD, an existing day"),
        "dateTime" => (is_datetime(text), "YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with a zone (Z or +hh:mm)"),
        "instant" => (is_instant(text), "YYYY-MM-DDThh:mm:ss with a zone (Z or +hh:mm)"),
        "time" => (is_time(text), "hh:mm:ss, without a zone"),
        _ => return None,
    };
    (!is_well_formed).then_some(form)
}

/// `[^\s]+(\s[^\s]+)*`
fn is_code(text: &[u8]) -> bool {
    let mut after_space = true;
    for byte in text {
        let is_space = is_space(*byte);
        if is_space && after_space {
            return false;
        }
        after_space = is_space;
    }
    !after_space
}

/// `\S*`
fn is_uri(text: &[u8]) -> bool {
    !text.iter().any(|byte| is_space(*byte))
}

/// A URI, `|version` after it, and `#fragment` at the end: <https://hl7.org/fhir/R4/references.html#canonical>.
fn is_canonical(text: &[u8]) -> bool {
    let mut parts = text.split(|byte| *byte == b'|');
    let url = parts.next().unwrap_or_default();
    let version = parts.next();
    is_uri(text) && !url.is_empty() && version.is_none_or(|version| !version.is_empty()) && parts.next().is_none()
}

/// `urn:oid:[0-2](\.(0|[1-9][0-9]*))+`
fn is_oid(text: &[u8]) -> bool {
    let Some(numbers) = text.strip_prefix(b"urn:oid:") else { return false };
    let mut numbers = numbers.split(|byte| *byte == b'.');
    let is_arc = |number: &[u8]| {
        !number.is_empty() && number.iter().all(u8::is_ascii_digit) && (number.len() == 1 || number[0] != b'0')
    };
    let root = numbers.next();
    let mut others = numbers.peekable();
    matches!(root, Some([b'0'..=b'2'])) && others.peek().is_some() && others.all(is_arc)
}

/// `urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`
fn is_uuid(text: &[u8]) -> bool {
    let Some(uuid) = text.strip_prefix(b"urn:uuid:") else { return false };
    uuid.len() == 36
        && uuid.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// `(\s*([0-9a-zA-Z\+/=]){4}\s*)+`: white space only between groups of four. As RFC 4648 has it, `=` only fills up the last group.
fn is_base64(text: &[u8]) -> bool {
    let mut runs = text.split(|byte| is_space(*byte)).filter(|run| !run.is_empty()).peekable();
    if runs.peek().is_none() {
        return false;
    }
    while let Some(run) = runs.next() {
        let data = match run {
            [data @ .., b'=', b'='] | [data @ .., b'='] if runs.peek().is_none() => data,
            _ => run,
        };
        let is_data = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
        if run.len() % 4 != 0 || !data.iter().all(is_data) {
            return false;
        }
    }
    true
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Document;

    /// Type, JSON of values it takes, JSON of values it refuses.
    type Case = (&'static str, &'static [&'static str], &'static [&'static str]);

    #[rustfmt::skip]
    const CASES: &[Case] = &[
        ("boolean", &["true", "false"], &[r#""true""#, "1", "0", "null", "{}", "[]"]),
        ("integer", &["0", "-0", "-2147483648", "2147483647"],
            &["1.0", "1e3", "2147483648", "-2147483649", r#""1""#, "99999999999999999999", "null"]),
        ("unsignedInt", &["0", "2147483647"], &["-1", "1.5", "2147483648"]),
        ("positiveInt", &["1", "2147483647"], &["0", "-1"]),
        ("decimal", &["0", "-1.50", "1e-7", "12345678901234567890.123"], &[r#""1.5""#, "1e99999",
            "123456789012345678901234567890123456789"]),
        ("string", &[r#""a b""#, r#"" ""#, r#""a\tb\r\n""#, r#""é""#], &[r#""""#, "1", r#""a\u0000b""#, r#""\u001b[0m""#]),
        ("markdown", &[r##""# a\n\nb""##], &[r#""""#, r#""\b""#]),
        ("code", &[r#""a""#, r#""a b c""#], &[r#""""#, r#"" a""#, r#""a ""#, r#""a  b""#, r#""\n""#]),
        ("id", &[r#""A-z.0""#], &[r#""a_b""#, r#""a b""#, r#""aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggggg""#]),
        ("uri", &[r#""http://a.example/x?y#z""#, r#""urn:oid:1.2""#, r#""x""#], &[r#""""#, r#""a b""#, r#""http://a\n""#]),
        ("url", &[r#""https://a.example""#], &[r#""https://a.example/a b""#]),
        ("canonical", &[r#""http://a.example/x|1.0#f""#, r##""#x""##], &[r#""http://a.example/x|""#, r#""|1""#, r#""a|b|c""#, r#""a b""#]),
        ("oid", &[r#""urn:oid:1.2.840.0""#], &[r#""1.2.3""#, r#""urn:oid:3.1""#, r#""urn:oid:1""#, r#""urn:oid:1.02""#, r#""urn:oid:1.""#]),
        ("uuid", &[r#""urn:uuid:c757873d-ec9a-4326-a141-556f43239520""#],
            &[r#""c757873d-ec9a-4326-a141-556f43239520""#, r#""urn:uuid:C757873D-EC9A-4326-A141-556F43239520""#, r#""urn:uuid:c757873d""#]),
        ("base64Binary", &[r#""QUJD""#, r#""QUI=""#, r#""QQ==""#, r#"" QUJD\n QUI= ""#],
            &[r#""""#, r#"" ""#, r#""QUI""#, r#""QU=D""#, r#""=UJD""#, r#""QUI=QUJD""#, r#""QU\nJD""#, r#""Q===""#, r#""QU-_""#]),
        ("date", &[r#""1973""#, r#""1973-06""#, r#""2020-02-29""#],
            &[r#""""#, r#""0000""#, r#""1973-13""#, r#""1900-02-29""#, r#""1973-06-1""#, r#""01/06/1973""#, r#""2015-02-07T13:28:17Z""#]),
        ("dateTime", &[r#""1973""#, r#""1973-06-30""#, r#""2015-02-07T13:28:17.239+02:00""#, r#""2016-12-31T23:59:60Z""#,
            r#""2017-01-01T00:00:00+14:00""#],
            &[r#""2015-02-07T13:28:17""#, r#""2015-02-07T13:28Z""#, r#""2015-02-07 13:28:17Z""#, r#""2015-02-07T24:00:00Z""#,
            r#""2015-02-07T13:28:61Z""#, r#""2015-02-07T13:28:17.Z""#, r#""2015-02-07T13:28:17+14:01""#, r#""2015T13:28:17Z""#,
            r#""2021-02-29T00:00:00Z""#, r#""2015-02-07T13:28:17z""#]),
        ("instant", &[r#""2015-02-07T13:28:17.239+02:00""#, r#""2015-02-07T13:28:17Z""#],
            &[r#""2015""#, r#""2015-02-07""#, r#""2015-02-07T13:28:17""#]),
        ("time", &[r#""00:00:00""#, r#""09:30:00.5""#], &[r#""24:00:00""#, r#""9:30:00""#, r#""09:30""#, r#""09:30:00Z""#, r#""09:30:00.""#]),
        ("xhtml", &[r#""<div>x</div>""#], &[r#""x""#]),
        ("somethingNew", &[r#""x""#], &["1"]),
    ];

    #[test]
    fn takes_and_refuses() {
        for (primitive, taken, refused) in CASES {
            for (json, expected) in
                taken.iter().map(|json| (json, true)).chain(refused.iter().map(|json| (json, false)))
            {
                let document = Document::parse(json.as_bytes()).expect("a valid text");
                assert_eq!(fault(primitive, document.root()).is_none(), expected, "{primitive} {json}");
            }
        }
    }

    #[test]
    fn reads_texts_as_values() {
        let cases: [(&str, &[&str], &[&str]); 5] = [
            ("boolean", &["true", "false"], &["", "yes", "1", "\"true\"", "true false"]),
            ("unsignedInt", &["0", "7"], &["", "-1", "1.0", "\"7\"", "x", "07"]),
            ("decimal", &["1.50"], &["1,5", "+1", "null"]),
            ("string", &["a", "true", "7", "\"", "\\"], &["", "\u{1}"]),
            ("date", &["2027-03-01"], &["2027-02-29", "1 March"]),
        ];
        for (primitive, taken, refused) in cases {
            for (text, expected) in taken.iter().map(|it| (it, true)).chain(refused.iter().map(|it| (it, false))) {
                assert_eq!(text_fault(primitive, text).is_none(), expected, "{primitive} {text}");
            }
        }
    }

    #[test]
    fn bounds_strings_by_characters() {
        let check = |text: String| {
            let json = crate::json::quote(&text);
            fault("string", Document::parse(json.as_bytes()).expect("a valid text").root()).is_none()
        };
        assert!(check("é".repeat(STRING_LENGTH_MAX)));
        assert!(!check("é".repeat(STRING_LENGTH_MAX + 1)));
    }
}
