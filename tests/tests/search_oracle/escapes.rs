//! Separators and their escapes, <https://hl7.org/fhir/R4/search.html#escaping>.

/// The pieces between separators that are not escaped.
pub(super) fn split(text: &str, separator: char) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        let piece = pieces.last_mut().expect("at least one");
        match char {
            '\\' => piece.extend([Some(char), chars.next()].into_iter().flatten()),
            _ if char == separator => pieces.push(String::new()),
            _ => piece.push(char),
        }
    }
    pieces
}

/// The text that an escaped one stands for.
pub(super) fn unescape(text: &str) -> String {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        plain.push(if char == '\\' { chars.next().expect("something is escaped") } else { char });
    }
    plain
}

/// A text as it stands in a value.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for char in text.chars() {
        if matches!(char, ',' | '|' | '$' | '\\') {
            escaped.push('\\');
        }
        escaped.push(char);
    }
    escaped
}
