//! Tests of values as regular expressions over the text of a row.
//!
//! Each byte of a value is one character of the text, so that bytes are counted and compared as characters. The expressions are anchored,
//! and `.` is any character.

use std::fmt::Write as _;
use std::ops::Bound;

use crate::mongodb::text::INDEX_DIGITS;
use crate::{Range, Test, VALUE_MAX};

/// The longest bound that becomes an expression, which nests as deeply as it is long: the database has a limit.
const BOUND_MAX: usize = 64;

/// How the database checks a test.
#[derive(Debug, PartialEq)]
pub(super) enum Pattern {
    /// Every value passes.
    All,
    /// No value passes.
    None,
    /// Values pass whose row's text matches.
    Regex(String),
    /// It cannot.
    Unknown,
}

impl Pattern {
    /// Of all that a test says but the exceptions of [`Test::Ending`].
    pub(super) fn of(test: &Test) -> Pattern {
        match test {
            Test::Tail { skip, range } => tail(*skip, range),
            Test::Contains { needle, .. } if needle.is_empty() => Pattern::All,
            Test::Contains { skip, needle } if skip.saturating_add(needle.len()) > VALUE_MAX => Pattern::None,
            Test::Contains { skip, needle } => Pattern::Regex(format!("{}.*{}", skipping(*skip), literal(needle))),
            Test::Within { .. } => Pattern::Unknown,
            Test::Ending { ending, .. } if ending.len() > VALUE_MAX => Pattern::None,
            Test::Ending { ending, .. } => Pattern::Regex(format!("{}.*{}\\z", skipping(0), literal(ending))),
        }
    }
}

fn tail(skip: usize, range: &Range) -> Pattern {
    if skip > VALUE_MAX {
        return Pattern::None;
    }
    let length = |bound: &Bound<Vec<u8>>| match bound {
        Bound::Included(bytes) | Bound::Excluded(bytes) => bytes.len(),
        Bound::Unbounded => 0,
    };
    if length(&range.low).max(length(&range.high)) > BOUND_MAX {
        return Pattern::Unknown;
    }
    let low = match &range.low {
        Bound::Included(low) => format!("(?={})", above(low, "")),
        Bound::Excluded(low) => format!("(?={})", above(low, ".")),
        Bound::Unbounded => String::new(),
    };
    let high = match &range.high {
        Bound::Included(high) => format!("(?={})", below(high, "\\z")),
        Bound::Excluded(high) => format!("(?={})", below(high, "(?!)")),
        Bound::Unbounded => String::new(),
    };
    Pattern::Regex(format!("{}{low}{high}", skipping(skip)))
}

/// The text of the index and so many bytes.
fn skipping(bytes: usize) -> String {
    format!("^.{{{}}}", INDEX_DIGITS + bytes)
}

/// What is greater than `low`, or begins with it and goes on as `then` says.
fn above(low: &[u8], then: &str) -> String {
    low.iter().rev().fold(then.to_owned(), |rest, byte| match byte.checked_add(1) {
        Some(next) => format!("(?:[{}-\\x{{ff}}]|{}{rest})", literal(&[next]), literal(&[*byte])),
        None => format!("{}{rest}", literal(&[*byte])),
    })
}

/// What is less than `high`, or is `high` and goes on as `then` says.
fn below(high: &[u8], then: &str) -> String {
    high.iter().rev().fold(then.to_owned(), |rest, byte| match byte.checked_sub(1) {
        Some(last) => format!("(?:\\z|[\\x{{0}}-{}]|{}{rest})", literal(&[last]), literal(&[*byte])),
        None => format!("(?:\\z|{}{rest})", literal(&[*byte])),
    })
}

fn literal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            byte if byte.is_ascii_alphanumeric() => text.push(char::from(*byte)),
            byte => drop(write!(text, "\\x{{{byte:x}}}")),
        }
    }
    text
}
