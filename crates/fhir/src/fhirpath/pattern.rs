//! Regular expressions, <http://hl7.org/fhirpath/N1/#matchesregex--string--boolean>: they take linear time and bounded memory.

use regex::{Regex, RegexBuilder};

/// A compiled regular expression is no larger, in bytes.
const COMPILED_SIZE_MAX: usize = 2 * 1024 * 1024;
/// What compiling one during an evaluation counts for.
pub(super) const COMPILE_STEPS: usize = 10_000;

/// A regular expression and its text.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub(super) text: Box<str>,
    /// Finds a match anywhere; `.` matches line ends too.
    pub(super) regex: Regex,
    /// Matches from beginning to end.
    pub(super) whole: Regex,
}

impl Pattern {
    /// Compiles a text, or says what is wrong with it.
    pub(super) fn new(text: &str) -> Result<Pattern, String> {
        let compile = |text: &str| {
            let regex = RegexBuilder::new(text).dot_matches_new_line(true).size_limit(COMPILED_SIZE_MAX).build();
            regex.map_err(|error| {
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
                format!("`{text}` is not a usable regular expression: {reason}")
            })
        };
        Ok(Pattern { text: text.into(), regex: compile(text)?, whole: compile(&format!("^(?:{text})$"))? })
    }
}
