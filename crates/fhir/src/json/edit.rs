//! Changing a text without rebuilding it.
use std::ops::Range;

/// One replacement: the bytes of `range` become `text`. An empty range inserts.
#[derive(Clone, Debug)]
pub struct Edit {
    pub range: Range<usize>,
    pub text: String,
}

/// Applies `edits`, which must not overlap, to `text`. They may come in any order.
pub fn splice(_text: &str, _edits: Vec<Edit>) -> String {
    todo!()
}

/// A string as JSON: quoted, with the escapes that JSON demands and no others.
pub fn quote(_text: &str) -> String {
    todo!()
}
