//! Why a terminology could not be brought in.

use std::fmt;
use std::io;
use std::path::Path;

/// A refusal, for people.
#[derive(Debug)]
pub(crate) struct ImportError(String);

impl ImportError {
    pub(super) fn new(text: impl Into<String>) -> ImportError {
        ImportError(text.into())
    }

    /// A file that cannot be read.
    pub(super) fn file(path: &Path, error: &io::Error) -> ImportError {
        ImportError(format!("`{}` cannot be read: {error}", path.display()))
    }

    /// A row that cannot be used.
    pub(super) fn row(path: &Path, line: u64, what: &str) -> ImportError {
        ImportError(format!("`{}`, line {line}: {what}", path.display()))
    }
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ImportError {}
