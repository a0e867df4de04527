//! Regular expressions, <http://hl7.org/fhirpath/N1/#matchesregex--string--boolean>: they take linear time and bounded memory.

use regex::{Regex, RegexBuilder};

/// How large a compiled regular expression may be, in bytes, and how many steps each byte of a text counts for then: at worst, matching
/// visits all of it for each byte.
const SIZES: [(usize, usize); 4] = [(8 * 1024, 2), (64 * 1024, 8), (512 * 1024, 64), (SIZE_MAX, 256)];
const SIZE_MAX: usize = 2 * 1024 * 1024;
/// What compiling one during an evaluation counts for.
pub(super) const COMPILE_STEPS: usize = 100_000;
/// An expression holds so many of them at most.
pub(super) const PATTERNS_MAX: usize = 16;

/// A regular expression and its text.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub(super) text: Box<str>,
    /// Finds a match anywhere; `.` matches line ends too.
    pub(super) regex: Regex,
    /// Matches from beginning to end.
    pub(super) whole: Regex,
    steps_per_byte: usize,
}

impl Pattern {
    /// Compiles a text, or says what is wrong with it.
    pub(super) fn new(text: &str) -> Result<Pattern, String> {
        let compile =
            |text: &str, size: usize| RegexBuilder::new(text).dot_matches_new_line(true).size_limit(size).build();
        let fault = |error: regex::Error| {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
            format!("`{text}` is not a usable regular expression: {reason}")
        };
        let whole = format!("^(?:{text})$");
        for (size, steps_per_byte) in SIZES {
            // The frame of the whole one takes a little more.
            match (compile(text, size), compile(&whole, 2 * size)) {
                (Ok(regex), Ok(whole)) => return Ok(Pattern { text: text.into(), regex, whole, steps_per_byte }),
                (Err(regex::Error::CompiledTooBig(_)), _) if size < SIZE_MAX => {}
                (_, Err(regex::Error::CompiledTooBig(_))) if size < SIZE_MAX => {}
                (Err(error), _) | (_, Err(error)) => return Err(fault(error)),
            }
        }
        Err(format!("`{text}` is not a usable regular expression: it is too large"))
    }

    /// What matching a text of so many bytes counts for.
    pub(super) fn steps(&self, length: usize) -> usize {
        length.saturating_mul(self.steps_per_byte)
    }
}
