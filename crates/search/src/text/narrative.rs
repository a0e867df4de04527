//! The text of a narrative, <https://hl7.org/fhir/R4/narrative.html>: its XHTML without tags, entities decoded.
//!
//! Stored narratives are well formed unless validation is off; of others the text is what can be made of them.

/// Elements that may stand inside a word.
const INLINE: &[&str] =
    &["a", "b", "big", "em", "font", "i", "q", "s", "small", "span", "strong", "sub", "sup", "tt", "u"];

/// The longest name of an entity.
const ENTITY_MAX: usize = 10;

/// The text between the tags; a space stands where a tag divides words.
pub(super) fn text(xhtml: &str) -> String {
    let mut text = String::with_capacity(xhtml.len() / 2);
    let mut rest = xhtml;
    while let Some(at) = rest.find(['<', '&']) {
        text.push_str(&rest[..at]);
        rest = match rest.as_bytes()[at] {
            b'<' => tag(&rest[at + 1..], &mut text),
            _ => entity(&rest[at + 1..], &mut text),
        };
    }
    text.push_str(rest);
    text
}

/// Leaves a tag or comment out; gives what comes after it.
fn tag<'t>(inside: &'t str, text: &mut String) -> &'t str {
    if let Some(comment) = inside.strip_prefix("!--") {
        return comment.find("-->").map_or("", |end| &comment[end + 3..]);
    }
    let name = inside.strip_prefix('/').unwrap_or(inside);
    let name = &name[..name.find(|char: char| !char.is_ascii_alphanumeric()).unwrap_or(name.len())];
    if !INLINE.contains(&name) {
        text.push(' ');
    }
    let mut quote = None;
    for (at, byte) in inside.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return &inside[at + 1..],
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if byte == open => quote = None,
            _ => {}
        }
    }
    ""
}

/// Decodes an entity; gives what comes after it. Unknown ones are spaces.
fn entity<'t>(after: &'t str, text: &mut String) -> &'t str {
    let end = after.bytes().take(ENTITY_MAX + 1).position(|byte| byte == b';');
    let Some(name) = end.map(|end| &after[..end]) else {
        text.push(' ');
        return after;
    };
    text.push(decoded(name).unwrap_or(' '));
    &after[name.len() + 1..]
}

fn decoded(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let number = match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => number.parse(),
        };
        return char::from_u32(number.ok()?);
    }
    // The letters of Latin-1 are all that can matter to words.
    let at = LATIN.iter().position(|letter| *letter == name)?;
    char::from_u32(0xc0 + at as u32)
}

/// The names of the characters from U+00C0 on.
const LATIN: [&str; 64] = [
    "Agrave", "Aacute", "Acirc", "Atilde", "Auml", "Aring", "AElig", "Ccedil", "Egrave", "Eacute", "Ecirc", "Euml",
    "Igrave", "Iacute", "Icirc", "Iuml", "ETH", "Ntilde", "Ograve", "Oacute", "Ocirc", "Otilde", "Ouml", "times",
    "Oslash", "Ugrave", "Uacute", "Ucirc", "Uuml", "Yacute", "THORN", "szlig", "agrave", "aacute", "acirc", "atilde",
    "auml", "aring", "aelig", "ccedil", "egrave", "eacute", "ecirc", "euml", "igrave", "iacute", "icirc", "iuml",
    "eth", "ntilde", "ograve", "oacute", "ocirc", "otilde", "ouml", "divide", "oslash", "ugrave", "uacute", "ucirc",
    "uuml", "yacute", "thorn", "yuml",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_markup_out() {
        let cases = [
            ("plain", "plain"),
            ("<div>a</div>", " a "),
            ("<p>one</p><p title=\"a>b\">two</p>", " one  two "),
            ("<b>bo</b>ne H<sub>2</sub>O", "bone H2O"),
            ("a<br/>b<img alt='x'/>c", "a b c"),
            ("a<!-- not <b>this</b> -->b", "ab"),
            ("M&eacute;ni&#232;re&#xE8; &yuml;", "Ménièreè ÿ"),
            ("a&nbsp;b &amp; c&lt;d", "a b   c d"),
            ("&#xFFFFFFFF;&#;&unknown;&", "    "),
            ("&toolongforanentity;", " toolongforanentity;"),
            ("open <b", "open "),
            ("open <!-- x", "open "),
            ("<p title=\"x", " "),
        ];
        for (xhtml, expected) in cases {
            assert_eq!(text(xhtml), expected, "{xhtml}");
        }
    }
}
