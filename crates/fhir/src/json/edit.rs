//! Changing a text without rebuilding it.
use std::ops::Range;

/// One replacement: the bytes of `range` become `text`. An empty range inserts.
#[derive(Clone, Debug)]
pub struct Edit {
    /// What goes, in bytes of the text before any edit.
    pub range: Range<usize>,
    /// What comes instead.
    pub text: String,
}

/// Applies `edits`, which must not overlap, to `text`. They may come in any order; insertions at one place keep theirs, and come
/// before a replacement that starts there. An edit that overlaps an earlier one or does not lie on character boundaries of the
/// text is left out.
pub fn splice(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
    let added: usize = edits.iter().map(|edit| edit.text.len()).sum();
    let mut spliced = String::with_capacity(text.len() + added);
    let mut done = 0;
    for edit in &edits {
        let between = text.get(done..edit.range.start).filter(|_| text.get(edit.range.clone()).is_some());
        debug_assert!(between.is_some(), "edit {edit:?} overlaps or is out of place");
        if let Some(between) = between {
            spliced.push_str(between);
            spliced.push_str(&edit.text);
            done = edit.range.end;
        }
    }
    spliced + &text[done..]
}

#[cfg(test)]
mod tests {
    use super::*;

    type Replacement = (Range<usize>, &'static str);

    #[test]
    fn applies_edits_in_any_order() {
        let cases: [(&[Replacement], &str); 6] = [
            (&[], r#"{"a":1,"b":2}"#),
            (&[(5..6, "9")], r#"{"a":9,"b":2}"#),
            (&[(11..12, "x"), (5..6, "long")], r#"{"a":long,"b":x}"#),
            (&[(6..12, "")], r#"{"a":1}"#),
            (&[(5..6, "9"), (5..5, "1"), (5..5, "2")], r#"{"a":129,"b":2}"#),
            (&[(13..13, "!"), (0..0, "?")], r#"?{"a":1,"b":2}!"#),
        ];
        for (edits, expected) in cases {
            let edits = edits.iter().map(|(range, text)| Edit { range: range.clone(), text: (*text).to_owned() });
            assert_eq!(splice(r#"{"a":1,"b":2}"#, edits.collect()), expected);
        }
    }
}
