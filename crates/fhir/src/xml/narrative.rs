//! The XHTML of narratives, which JSON holds as a string and XML as elements, <https://hl7.org/fhir/R4/narrative.html#xhtml>.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use super::XHTML;
use super::escape::{encode, reference};
use super::scan::{Fault, Scanner, Tag, Token};
use crate::json::{Edit, splice};

/// HTML's named characters, one to a line with its code: XML knows none of them, but narratives in JSON use them all the same.
const ENTITIES: &str = include_str!("entities.txt");

/// Reads the narrative that `div` opens, up to its end: as it is written, but with its namespace on the outermost element and
/// without prefixes, which nothing declares in JSON.
pub(super) fn read(scanner: &mut Scanner<'_>, div: &Tag<'_>) -> Result<String, Fault> {
    if div.qualified != div.name {
        return rebuild(scanner, div);
    }
    let mut edits = Vec::new();
    if !scanner.declares_default() {
        let after_name = div.name.len() + 1;
        edits.push(Edit { range: after_name..after_name, text: format!(" xmlns=\"{XHTML}\"") });
    }
    let mut depth = 1;
    while depth > 0 {
        let at = scanner.position();
        match scanner.next()? {
            Token::Open(tag) if tag.qualified == tag.name => {
                check(&tag)?;
                depth += 1;
            }
            Token::Open(tag) => {
                let message = format!("`<{}>` has a prefix, its narrative has none", tag.qualified);
                return Err(Fault::structure(tag.at, message));
            }
            Token::Close => depth -= 1,
            Token::Aside { .. } => {}
            Token::Text { raw, is_literal } => {
                let range = at - div.at..scanner.position() - div.at;
                if is_literal {
                    edits.push(Edit { range, text: encoded(raw, at)? });
                } else if matches!(raw, "&#13;" | "&#xD;" | "&#xd;") {
                    edits.push(Edit { range, text: "\r".to_owned() });
                }
            }
            Token::End => return Err(Fault::syntax(at, "the text ends inside a narrative")),
        }
    }
    Ok(splice(&scanner.text[div.at..scanner.position()], edits))
}

/// Reads a narrative whose elements have a prefix.
fn rebuild(scanner: &mut Scanner<'_>, div: &Tag<'_>) -> Result<String, Fault> {
    let mut text = format!("<div xmlns=\"{XHTML}\"");
    attributes(&mut text, div)?;
    let mut open = vec!["div"];
    while let Some(&innermost) = open.last() {
        let at = scanner.position();
        match scanner.next()? {
            Token::Open(tag) => {
                check(&tag)?;
                text.push('<');
                text.push_str(tag.name);
                attributes(&mut text, &tag)?;
                open.push(tag.name);
            }
            Token::Close => {
                text.push_str("</");
                text.push_str(innermost);
                text.push('>');
                open.pop();
            }
            Token::Aside { .. } => text.push_str(&scanner.text[at..scanner.position()]),
            Token::Text { raw, is_literal: true } => text.push_str(&encoded(raw, at)?),
            Token::Text { raw, is_literal: false } => text.push_str(raw),
            Token::End => return Err(Fault::syntax(at, "the text ends inside a narrative")),
        }
    }
    Ok(text)
}

fn check(tag: &Tag<'_>) -> Result<(), Fault> {
    if tag.namespace == XHTML {
        return Ok(());
    }
    let message = format!("`<{}>` is in the namespace `{}`, narrative is in `{XHTML}`", tag.qualified, tag.namespace);
    Err(Fault::structure(tag.at, message))
}

fn attributes(text: &mut String, tag: &Tag<'_>) -> Result<(), Fault> {
    for attribute in &tag.attributes {
        text.push(' ');
        text.push_str(attribute.qualified);
        text.push_str("=\"");
        text.push_str(&encoded(&attribute.value, tag.at)?);
        text.push('"');
    }
    text.push('>');
    Ok(())
}

fn encoded(text: &str, at: usize) -> Result<String, Fault> {
    let mut out = String::with_capacity(text.len());
    match encode(&mut out, text) {
        Ok(()) => Ok(out),
        Err(character) => Err(Fault::syntax(at, format!("XML cannot hold `{}`", character.escape_default()))),
    }
}

/// The narrative of a resource in JSON as XML: well formed, and in its namespace. An error says why it cannot be.
pub(super) fn write(out: &mut String, text: &str) -> Result<(), String> {
    let text = with_references(text.trim());
    let mut scanner = Scanner::new(&text);
    let message = |fault: Fault| format!("the narrative is no XML: {}", fault.message);
    let Token::Open(div) = scanner.next().map_err(message)? else {
        return Err("the narrative is no XML: it does not begin with an element".to_owned());
    };
    let start = div.at;
    let after_name = start + 1 + div.qualified.len();
    let is_bare = div.namespace.is_empty();
    let mut edits = Vec::new();
    if is_bare {
        edits.push(Edit { range: after_name..after_name, text: format!(" xmlns=\"{XHTML}\"") });
    }
    loop {
        let at = scanner.position();
        match scanner.next().map_err(message)? {
            Token::End => break,
            // As itself it would be read as a line feed.
            Token::Text { raw, .. } if raw.contains('\r') => {
                edits.push(Edit { range: at..scanner.position(), text: raw.replace('\r', "&#13;") });
            }
            _ => {}
        }
    }
    out.push_str(&splice(&text, edits)[start..]);
    Ok(())
}

/// The text with each `&` part of a reference that XML knows. In comments and instructions it stands for itself.
fn with_references(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = match rest.as_bytes() {
            [b'<', b'!', b'-', b'-', ..] => rest.find("-->"),
            [b'<', b'?', ..] => rest.find("?>"),
            [b'<', ..] => Some(1),
            _ => {
                rest = &rest[1..];
                rest = &rest[ampersand(&mut out, rest)..];
                continue;
            }
        };
        let (aside, after) = rest.split_at(end.unwrap_or(rest.len()));
        out.push_str(aside);
        rest = after;
    }
    out + rest
}

/// Writes what the `&` before `rest` stands for; gives how much of `rest` that takes up.
fn ampersand(out: &mut String, rest: &str) -> usize {
    // No further than a name can reach: the next `;` may be at the other end of the text.
    let end = rest.bytes().take(ENTITY_LENGTH_MAX + 1).position(|byte| byte == b';');
    let name = end.map(|end| &rest[..end]);
    match name.map(|name| (name, reference(name).is_ok(), named(name))) {
        Some((name, false, Some(character))) => {
            out.push(character);
            return name.len() + 1;
        }
        Some((_, true, _)) => out.push('&'),
        _ => out.push_str("&amp;"),
    }
    0
}

/// The longest name is `thetasym`, the longest number `#x10FFFF`, and either may have zeros before it.
const ENTITY_LENGTH_MAX: usize = 16;

fn named(name: &str) -> Option<char> {
    static NAMED: LazyLock<FxHashMap<&str, char>> = LazyLock::new(|| {
        let character = |code: &str| char::from_u32(code.parse().ok()?);
        ENTITIES
            .lines()
            .filter_map(|line| line.split_once(' ').and_then(|(name, code)| Some((name, character(code)?))))
            .collect()
    });
    NAMED.get(name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_many_ampersands_in_one_pass() {
        let text = format!("<div><a href='{}'>x</a>;</div>", "&".repeat(1 << 20));
        let mut out = String::new();
        assert_eq!(write(&mut out, &text), Ok(()));
        assert_eq!(out.matches("&amp;").count(), 1 << 20);
    }

    #[test]
    fn writes_well_formed_text_in_its_namespace() {
        let x = format!(" xmlns=\"{XHTML}\"");
        let cases = [
            (format!("<div{x}>x</div>"), format!("<div{x}>x</div>")),
            (format!("<div{x}>a\r\nb</div>"), format!("<div{x}>a&#13;\nb</div>")),
            (" <div>x</div>\n".to_owned(), format!("<div{x}>x</div>")),
            ("<div/>".to_owned(), format!("<div{x}/>")),
            (
                format!("<div{x}>a&nbsp;b &amp; c & d &unknown; &#160; &eacute;&Alpha;</div>"),
                format!("<div{x}>a\u{a0}b &amp; c &amp; d &amp;unknown; &#160; éΑ</div>"),
            ),
            (
                format!("<div{x}><a href='x?a=1&b=2'>y</a></div>"),
                format!("<div{x}><a href='x?a=1&amp;b=2'>y</a></div>"),
            ),
        ];
        for (text, expected) in cases {
            let mut out = String::new();
            assert_eq!(write(&mut out, &text), Ok(()), "{text}");
            assert_eq!(out, expected);
        }
        for text in ["", "x", "<div>", "<div><p></div>", "<div></div><div></div>", "<div a='1' a='2'/>", "<h:div/>"] {
            assert!(write(&mut String::new(), text).is_err(), "{text}");
        }
    }
}
