//! What is in already: a note for each part of a file, written in the same commit as what it notes.
//!
//! A note is named by the file's content and holds the numbers of the lines or entries that are not in yet. An empty note says that
//! all is done. So an import that ended at any moment goes on where it was, also when resources have no ids of their own.

use fhir::Outcome;
use repository::{Note, Session};

/// The name of the note about a part of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name(String);

impl Name {
    /// For the whole of a file.
    pub(super) fn of_file(hash: blake3::Hash) -> Name {
        Name(format!("import/{hash}"))
    }

    /// For the chunk whose first line has this number.
    pub(super) fn of_chunk(hash: blake3::Hash, first_line: u64) -> Name {
        Name(format!("import/{hash}/{first_line}"))
    }

    /// The note that these numbers are left.
    pub(super) fn left(&self, numbers: impl Iterator<Item = u64>) -> Note {
        Note { name: self.0.clone(), value: write(numbers) }
    }

    /// The note that all is in.
    pub(super) fn done(&self) -> Note {
        self.left(std::iter::empty())
    }

    /// The numbers that are left, sorted; `None` when nothing is noted.
    pub(super) fn read(&self, session: &Session<'_>) -> Result<Option<Vec<u64>>, Outcome> {
        Ok(session.noted(&self.0)?.and_then(|value| read(&value)))
    }

    /// Whether all is in.
    pub(super) fn is_done(&self, session: &Session<'_>) -> Result<bool, Outcome> {
        Ok(self.read(session)?.is_some_and(|left| left.is_empty()))
    }
}

fn write(numbers: impl Iterator<Item = u64>) -> String {
    let mut numbers: Vec<u64> = numbers.collect();
    numbers.sort_unstable();
    numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")
}

fn read(value: &str) -> Option<Vec<u64>> {
    value.split_ascii_whitespace().map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for numbers in [&[][..], &[1], &[3, 20, u64::MAX]] {
            let value = write(numbers.iter().rev().copied());
            assert_eq!(read(&value).as_deref(), Some(numbers));
        }
        assert_eq!(read("1 x"), None);
    }
}
