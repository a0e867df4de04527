//! Where a narrative leads.

use std::borrow::Cow;

/// What links and images of a narrative lead to, as a browser understands it: also where spaces stand around `=`, and characters are written
/// as entities.
pub fn links(xhtml: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let value = |rest: &'_ str| -> Option<(usize, usize)> {
        let equals = rest.trim_start().strip_prefix('=')?.trim_start();
        let quote = equals.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        let start = rest.len() - equals.len() + 1;
        Some((start, start + rest[start..].find(quote)?))
    };
    let of = move |name: &'static str| {
        xhtml.match_indices(name).filter_map(move |(at, _)| {
            let rest = &xhtml[at + name.len()..];
            let (start, end) = value(rest)?;
            Some(decoded(rest[start..end].trim()))
        })
    };
    ["href", "src"].into_iter().flat_map(of)
}

/// Whether what stands behind a `&` may be an entity for a character of a reference.
pub fn is_letter(entity: &[u8]) -> bool {
    entity.starts_with(b"#") || NAMED.iter().any(|(name, _)| entity.starts_with(name.as_bytes()))
}

/// The entities of HTML for characters that references have.
const NAMED: [(&str, char); 6] =
    [("sol;", '/'), ("colon;", ':'), ("period;", '.'), ("lowbar;", '_'), ("quot;", '"'), ("apos;", '\'')];

/// Text with its entities replaced; those that stand for no character of a reference stay.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, entity) = rest.split_at(at);
        whole.push_str(before);
        match letter(&entity[1..]) {
            Some((letter, after)) => {
                whole.push(letter);
                rest = after;
            }
            None => {
                whole.push('&');
                rest = &entity[1..];
            }
        }
    }
    Cow::Owned(whole + rest)
}

/// The character that an entity stands for, and what follows it. HTML takes a number also without its semicolon.
fn letter(entity: &str) -> Option<(char, &str)> {
    let Some(number) = entity.strip_prefix('#') else {
        return NAMED.iter().find_map(|(name, letter)| Some((*letter, entity.strip_prefix(name)?)));
    };
    let (digits, radix) = number.strip_prefix(['x', 'X']).map_or((number, 10), |digits| (digits, 16));
    let end = digits.find(|digit: char| !digit.is_digit(radix)).unwrap_or(digits.len());
    let letter = char::from_u32(u32::from_str_radix(&digits[..end], radix).ok()?)?;
    Some((letter, digits[end..].strip_prefix(';').unwrap_or(&digits[end..])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_links_as_browsers_do() {
        let cases: [(&str, &[&str]); 10] = [
            ("<a href=\"Task/1\">x</a><img src='Binary/2'/>", &["Task/1", "Binary/2"]),
            ("<a href = \"Task/1\">x</a>", &["Task/1"]),
            ("<a href\n=\t'Task/1'>x</a>", &["Task/1"]),
            ("<a href=\" Task/1\n\">x</a>", &["Task/1"]),
            ("<a href=\"Task&#47;1\">x</a>", &["Task/1"]),
            ("<a href=\"Task/&#x61;&#X62;&#99\">x</a>", &["Task/abc"]),
            ("<a href=\"Task&sol;1&period;2\">x</a>", &["Task/1.2"]),
            ("<a href=\"x?a=1&b=2&amp;c=&eacute;&#xD800;\">x</a>", &["x?a=1&b=2&amp;c=&eacute;&#xD800;"]),
            ("<a href>x</a><a href=x>x</a><a href=\"x</a>", &[]),
            ("href", &[]),
        ];
        for (xhtml, expected) in cases {
            assert_eq!(links(xhtml).collect::<Vec<_>>(), expected, "{xhtml}");
        }
        for (entity, expected) in [("#47;b", true), ("sol;", true), ("amp;", false), ("nbsp;", false), ("", false)] {
            assert_eq!(is_letter(entity.as_bytes()), expected, "{entity}");
        }
    }
}
