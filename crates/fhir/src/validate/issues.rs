//! The issues found so far, at most [`ISSUES_MAX`].

use super::ISSUES_MAX;
use super::path::Path;
use crate::outcome::{Issue, IssueType, Severity};

/// Collects issues. Past the limit it only counts, and nothing is written any more.
#[derive(Default)]
pub(super) struct Issues {
    listed: Vec<Issue>,
    /// True when only the first error is of interest.
    until_error: bool,
    /// How many of those listed are no errors.
    others_listed: usize,
    errors_left_out: usize,
    others_left_out: usize,
}

impl Issues {
    /// For a question of yes or no: only the first error is kept.
    pub(super) fn until_error() -> Issues {
        Issues { until_error: true, ..Issues::default() }
    }

    /// True when what is found is no issue by itself.
    pub(super) fn is_quiet(&self) -> bool {
        self.until_error
    }

    /// True when nothing more can change the answer.
    pub(super) fn is_decided(&self) -> bool {
        self.until_error && !self.listed.is_empty()
    }

    /// Notes an error; the message is made only if it will be listed.
    pub(super) fn error(&mut self, path: &Path<'_>, code: IssueType, message: impl FnOnce() -> String) {
        self.add(path, Severity::Error, code, message);
    }

    /// Notes an issue of any severity.
    pub(super) fn add(
        &mut self,
        path: &Path<'_>,
        severity: Severity,
        code: IssueType,
        message: impl FnOnce() -> String,
    ) {
        if self.until_error && (severity > Severity::Error || !self.listed.is_empty()) {
            return;
        }
        let is_error = severity <= Severity::Error;
        let issue = || Issue { severity, ..Issue::error(code, message()) }.at(path.to_string());
        if self.listed.len() + 1 < ISSUES_MAX {
            self.listed.push(issue());
            self.others_listed += usize::from(!is_error);
        } else if is_error && self.others_listed > 0 {
            // Errors decide: one takes the place of the last that is none.
            if let Some(last) = self.listed.iter().rposition(|listed| listed.severity > Severity::Error) {
                self.listed.remove(last);
            }
            self.listed.push(issue());
            self.others_listed -= 1;
            self.others_left_out += 1;
        } else if is_error {
            self.errors_left_out += 1;
        } else {
            self.others_left_out += 1;
        }
    }

    /// Notes an issue that has no place in a resource.
    pub(super) fn without_place(&mut self, code: IssueType, message: String) {
        self.listed.push(Issue::error(code, message));
    }

    /// What was found; the last issue says so when some were left out.
    pub(super) fn finish(mut self) -> Vec<Issue> {
        let (errors, others) = (self.errors_left_out, self.others_left_out);
        if errors + others > 0 {
            let message = format!("{errors} more errors and {others} more warnings and notes are not listed");
            self.listed.push(match errors {
                0 => Issue::warning(IssueType::Informational, message),
                _ => Issue::error(IssueType::Invalid, message),
            });
        }
        self.listed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issues(errors: usize, warnings: usize) -> Vec<Issue> {
        let mut issues = Issues::default();
        for (severity, count) in [(Severity::Warning, warnings), (Severity::Error, errors)] {
            for _ in 0..count {
                issues.add(&Path::root("Patient"), severity, IssueType::Value, || "x".to_owned());
            }
        }
        issues.finish()
    }

    #[test]
    fn lists_up_to_the_limit_and_says_what_is_left_out() {
        assert_eq!(issues(ISSUES_MAX - 1, 0).len(), ISSUES_MAX - 1);
        let cut = issues(ISSUES_MAX + 1, 1);
        assert_eq!(cut.len(), ISSUES_MAX);
        let last = cut.last().expect("not empty");
        assert_eq!(last.diagnostics, "2 more errors and 1 more warnings and notes are not listed");
        assert_eq!(last.severity, Severity::Error, "an error left out still refuses the resource");
        let mixed = issues(2, ISSUES_MAX);
        let errors = mixed.iter().filter(|issue| issue.severity == Severity::Error);
        assert_eq!((mixed.len(), errors.count()), (ISSUES_MAX, 2), "errors are listed before anything else");
        assert_eq!(issues(0, ISSUES_MAX).last().map(|issue| issue.severity), Some(Severity::Warning));
    }
}
