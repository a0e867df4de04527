//! What an import came to.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fhir::{IssueType, Outcome, Severity};

use super::part::Tally;
use crate::progress::rate;

/// How many refusals of one file are listed; more are counted.
const LISTED_MAX: usize = 1000;

/// What an import came to.
#[derive(Debug)]
pub(crate) struct Report {
    pub(super) files: usize,
    /// Files that were in already.
    pub(super) skipped: usize,
    pub(super) tally: Tally,
    pub(super) elapsed: Duration,
    pub(super) refusals: Vec<Refusals>,
}

impl Report {
    /// How many lines, entries or files were refused.
    pub(crate) fn refused(&self) -> u64 {
        self.refusals.iter().map(|refusals| refusals.count).sum()
    }

    /// Lists what was refused, a line each.
    pub(crate) fn refusals(&self) -> impl fmt::Display {
        fmt::from_fn(|f| self.refusals.iter().try_for_each(|refusals| write!(f, "{refusals}")))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { written, unchanged } = self.tally;
        let seconds = self.elapsed.as_secs_f64();
        write!(f, "imported {} from {} in {seconds:.1} s", rate(written, self.elapsed), files(self.files))?;
        if unchanged > 0 {
            write!(f, "; {unchanged} were there already")?;
        }
        if self.skipped > 0 {
            let were = if self.skipped == 1 { "was" } else { "were" };
            write!(f, "; {} {were} in already", files(self.skipped))?;
        }
        if self.refused() > 0 {
            write!(f, "; {} refused", self.refused())?;
        }
        Ok(())
    }
}

fn files(count: usize) -> String {
    format!("{count} {}", if count == 1 { "file" } else { "files" })
}

/// What of one file was refused in the last pass.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    path: PathBuf,
    listed: Vec<Refused>,
    count: u64,
    /// Whether some may be accepted after others are in.
    pub(super) waits: bool,
}

#[derive(Debug)]
struct Refused {
    line: Option<u64>,
    text: String,
}

impl Refusals {
    pub(super) fn of(path: &Path) -> Refusals {
        Refusals { path: path.to_owned(), ..Refusals::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Notes a refusal at a line of the file, where that is known.
    pub(super) fn add(&mut self, line: Option<u64>, outcome: &Outcome) {
        self.waits |= waits(outcome);
        self.note(line, outcome.to_string());
    }

    /// Notes that the file itself cannot be read.
    pub(super) fn unreadable(&mut self, line: Option<u64>, error: &std::io::Error) {
        self.note(line, format!("cannot be read: {error}"));
    }

    fn note(&mut self, line: Option<u64>, text: String) {
        self.count += 1;
        if self.listed.len() < LISTED_MAX {
            self.listed.push(Refused { line, text });
        }
    }
}

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        let mut listed: Vec<_> = self.listed.iter().collect();
        listed.sort_by_key(|refused| refused.line);
        for Refused { line, text } in listed {
            match line {
                Some(line) => writeln!(f, "{path}:{line}: {text}")?,
                None => writeln!(f, "{path}: {text}")?,
            }
        }
        match self.count - self.listed.len() as u64 {
            0 => Ok(()),
            more => writeln!(f, "{path}: and {more} more"),
        }
    }
}

/// Whether other resources may make up for what is missing.
fn waits(outcome: &Outcome) -> bool {
    let mut errors = outcome.issues.iter().filter(|issue| issue.severity <= Severity::Error);
    errors.all(|issue| matches!(issue.code, IssueType::UnresolvedReference | IssueType::Conflict))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_refusals_in_order_and_says_when_it_stops() {
        let mut refusals = Refusals::of(Path::new("a.ndjson"));
        for line in (1..=LISTED_MAX as u64).rev() {
            refusals.add(Some(line), &Outcome::new(IssueType::Value, "no date").at("Patient.birthDate"));
        }
        assert!(!refusals.to_string().contains("more"));
        refusals.unreadable(Some(7), &std::io::Error::other("broken"));
        let text = refusals.to_string();
        assert!(text.starts_with("a.ndjson:1: value: no date (Patient.birthDate)\na.ndjson:2: "), "{text}");
        assert!(text.ends_with("a.ndjson: and 1 more\n"), "{text}");
    }

    #[test]
    fn tries_again_what_waits_for_others() {
        let cases = [
            (&[IssueType::UnresolvedReference][..], true),
            (&[IssueType::UnresolvedReference, IssueType::Conflict], true),
            (&[IssueType::UnresolvedReference, IssueType::Value], false),
            (&[IssueType::MultipleMatches], false),
        ];
        for (codes, expected) in cases {
            let issues = codes.iter().map(|code| fhir::Issue::error(*code, "x")).collect();
            assert_eq!(waits(&Outcome { issues }), expected, "{codes:?}");
        }
    }
}
