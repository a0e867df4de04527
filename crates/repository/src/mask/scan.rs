//! Finding in bytes what may name another resource of this server.

use fhir::Definitions;
use fhir::narrative::is_letter;
use fhir::reference::{ID_MAX, id_bytes};
use memchr::memchr3;

/// What was found.
pub(super) struct Found<'t> {
    /// `Type/id`: all that stand where a reference, a uri or a link in a narrative may begin, and perhaps more.
    pub(super) names: Vec<&'t str>,
    /// Whether there can be no others: a name that is written with escapes is not found.
    pub(super) is_complete: bool,
}

/// The names in a minified JSON text. `base_url` is this server's own, without a final `/`.
pub(super) fn names<'t>(text: &'t [u8], base_url: &str) -> Found<'t> {
    let mut found = Found { names: Vec::new(), is_complete: true };
    let authority = base_url.find("//");
    let is_own = |at: usize| {
        let begin = authority.and_then(|authority| at.checked_sub(authority));
        begin.is_none_or(|begin| text[begin..].starts_with(base_url.as_bytes()))
    };
    let mut start = 0;
    while let Some(at) = text.get(start..).and_then(|rest| memchr3(b'/', b'\\', b'&', rest)) {
        let at = start + at;
        start = at + 1;
        match text[at] {
            // Most slashes by far are those of code systems' addresses.
            b'/' if text.get(start) == Some(&b'/') && !is_own(at) => start = end_of_address(text, at + 2),
            b'/' => found.names.extend(name(text, at, base_url)),
            b'&' => found.is_complete &= !is_letter(&text[start..]),
            _ => {
                found.is_complete &= !hides_name(&text[start..]);
                // What is escaped begins nothing else.
                start = at + 2;
            }
        }
    }
    found
}

/// Where the rest of another server's address ends, at the latest: no name begins before that, nor this server's address, which has a colon.
fn end_of_address(text: &[u8], from: usize) -> usize {
    let is_inside = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_');
    from + text[from..].iter().take_while(|byte| is_inside(byte)).count()
}

/// Whether an escape stands for a character of a name, or the quote before one, that need not be escaped so.
fn hides_name(escape: &[u8]) -> bool {
    match escape {
        [b'/', ..] => true,
        [b'u', digits @ ..] => {
            let code = digits.get(..4).and_then(|digits| std::str::from_utf8(digits).ok());
            let code = code.and_then(|digits| u8::try_from(u32::from_str_radix(digits, 16).ok()?).ok());
            code.is_some_and(|code| {
                code.is_ascii_alphanumeric() || matches!(code, b'/' | b'-' | b'.' | b'_' | b':' | b'"' | b'\'')
            })
        }
        _ => false,
    }
}

/// The name around the slash at `slash`.
fn name<'t>(text: &'t [u8], slash: usize, base_url: &str) -> Option<&'t str> {
    let letters = text[..slash].iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let mut start = slash - letters;
    // White space before what a narrative links to, as JSON has it, or a blank.
    let is_apart = matches!(text.get(start)?, b'n' | b't' | b'r') && text[..start].ends_with(b"\\");
    start += usize::from(is_apart);
    if !text.get(start)?.is_ascii_uppercase() {
        return None;
    }
    let begins = match text.get(start.checked_sub(1)?)? {
        b'"' | b'\'' | b' ' => true,
        _ if is_apart => true,
        b'/' => text[..start - 1].ends_with(base_url.as_bytes()),
        _ => false,
    };
    let resource_type = std::str::from_utf8(text.get(start..slash)?).ok().filter(|_| begins)?;
    if !Definitions::r4().is_resource_type(resource_type) {
        return None;
    }
    let id = id_bytes(&text[slash + 1..]);
    let is_id = (1..=ID_MAX).contains(&id);
    std::str::from_utf8(&text[start..=slash + id]).ok().filter(|_| is_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "http://localhost/fhir";

    #[test]
    fn finds_names_where_they_may_begin() {
        let cases: [(&str, &[&str]); 19] = [
            (r#"{"subject":{"reference":"Patient/ann"}}"#, &["Patient/ann"]),
            (r#"{"div":"<a href=\" Task/1\"/>"}"#, &["Task/1"]),
            (r#"{"div":"<a href=\"\n\tTask/1\"/>"}"#, &["Task/1"]),
            (r#"{"reference":"Patient/ann/_history/2"}"#, &["Patient/ann"]),
            (r#"{"reference":"http://localhost/fhir/Patient/a.1"}"#, &["Patient/a.1"]),
            (r#"{"reference":"http://other.example/fhir/Patient/a"}"#, &[]),
            (r#"{"url":"http://hl7.org/fhir/StructureDefinition/x"}"#, &[]),
            (r#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode"}"#, &[]),
            (r#"{"a":"http://a.example/b http://localhost/fhir/Task/1"}"#, &["Task/1"]),
            (r#"{"a":"http://a.example/?b=http://localhost/fhir/Task/1"}"#, &["Task/1"]),
            (r#"{"a":"http://a.example//http://localhost/fhir/Task/1"}"#, &["Task/1"]),
            (r#"{"a":"http://","b":"Task/1","c":"//","d":"http:///Task/2 Task/3"}"#, &["Task/1", "Task/3"]),
            (r#"{"url":"Binary/1","a":["Group/2"]}"#, &["Binary/1", "Group/2"]),
            (r#"{"div":"<div><a href=\"Task/1\">a</a><img src='Media/2'/></div>"}"#, &["Task/1", "Media/2"]),
            (r#"{"reference":"Patients/1","b":"patient/1","c":"Patient/"}"#, &[]),
            (r#"{"display":"about Patient/1"}"#, &["Patient/1"]),
            (r#"{"display":"about:Patient/1"}"#, &[]),
            (r##"{"reference":"#a"}"##, &[]),
            ("/", &[]),
        ];
        for (text, expected) in cases {
            let found = names(text.as_bytes(), BASE);
            assert_eq!(found.names, expected, "{text}");
            assert!(found.is_complete, "{text}");
        }
    }

    #[test]
    fn tells_where_escapes_hide_names() {
        let cases = [
            (r#"{"reference":"Patient\/ann"}"#, false),
            (r#"{"reference":"\u0050atient/ann"}"#, false),
            (r#"{"reference":"Patient\u002fann"}"#, false),
            (r#"{"div":"<a href=\u0022Task/1\u0022/>"}"#, false),
            (r#"{"div":"\u003cdiv\u003ecaf\u00e9\n\"\\"}"#, true),
            (r#"{"a":"\\u0050"}"#, true),
            (r#"{"a":"\u00"#, true),
            (r#"{"a":"\"#, true),
        ];
        for (text, is_complete) in cases {
            assert_eq!(names(text.as_bytes(), BASE).is_complete, is_complete, "{text}");
        }
    }
}
