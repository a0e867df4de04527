//! Tables in files, row by row: tab-separated as SNOMED CT is released, comma-separated as LOINC is.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::ImportError;
use crate::progress::Progress;

/// How long a row may be, in bytes.
const ROW_BYTES_MAX: usize = 1 << 20;

/// How fields stand in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Between tabs, without quotes.
    Tabs,
    /// Between commas, in quotes where they hold commas, quotes (doubled) or ends of lines.
    Commas,
}

/// A table that is being read; its first row names the columns.
pub(super) struct Table<'a, R = BufReader<File>> {
    path: PathBuf,
    reader: R,
    form: Form,
    progress: &'a Progress,
    row: Vec<u8>,
    fields: Vec<Range<usize>>,
    names: Vec<String>,
    line: u64,
    next_line: u64,
}

impl<'a> Table<'a> {
    /// Opens a file.
    pub(super) fn open(path: &Path, form: Form, progress: &'a Progress) -> Result<Table<'a>, ImportError> {
        let file = File::open(path).map_err(|error| ImportError::file(path, &error))?;
        Table::new(path, BufReader::with_capacity(1 << 16, file), form, progress)
    }
}

impl<'a, R: BufRead> Table<'a, R> {
    fn new(path: &Path, reader: R, form: Form, progress: &'a Progress) -> Result<Table<'a, R>, ImportError> {
        let mut table = Table {
            path: path.to_owned(),
            reader,
            form,
            progress,
            row: Vec::new(),
            fields: Vec::new(),
            names: Vec::new(),
            line: 0,
            next_line: 1,
        };
        if !table.advance()? {
            return Err(table.refuse("the file is empty, where its first line must name the columns"));
        }
        let names: Result<Vec<_>, _> = (0..table.fields.len()).map(|at| table.field(at).map(str::to_owned)).collect();
        table.names = names?;
        Ok(table)
    }

    /// Where the columns of these names stand; a missing one is refused.
    pub(super) fn columns<const N: usize>(&self, names: [&str; N]) -> Result<[usize; N], ImportError> {
        let mut found = [0; N];
        for (at, name) in found.iter_mut().zip(names) {
            *at = self.column(name).ok_or_else(|| {
                let given = self.names.iter().take(20).map(String::as_str).collect::<Vec<_>>().join(", ");
                self.refuse(&format!("there is no column `{name}`, only {given}"))
            })?;
        }
        Ok(found)
    }

    /// Where a column stands that need not be there.
    pub(super) fn column(&self, name: &str) -> Option<usize> {
        // Files of some releases begin with a byte order mark.
        self.names.iter().position(|given| given.trim_start_matches('\u{feff}') == name)
    }

    /// Goes to the next row; false at the end. Empty lines are passed over.
    pub(super) fn advance(&mut self) -> Result<bool, ImportError> {
        loop {
            self.line = self.next_line;
            if !self.read_row()? {
                return Ok(false);
            }
            if !self.row.is_empty() {
                return Ok(true);
            }
        }
    }

    /// A field of the row; empty where the row is shorter than the table.
    pub(super) fn field(&self, column: usize) -> Result<&str, ImportError> {
        let field = self.fields.get(column).map_or(&[][..], |field| &self.row[field.clone()]);
        std::str::from_utf8(field).map_err(|_| self.refuse("the text is not UTF-8"))
    }

    /// A refusal of the row.
    pub(super) fn refuse(&self, what: &str) -> ImportError {
        ImportError::row(&self.path, self.line, what)
    }

    fn read_row(&mut self) -> Result<bool, ImportError> {
        self.row.clear();
        self.fields.clear();
        let mut is_quoted = false;
        loop {
            let start = self.row.len();
            let mut limited = (&mut self.reader).take((ROW_BYTES_MAX + 1) as u64);
            let read = limited.read_until(b'\n', &mut self.row);
            let read = read.map_err(|error: io::Error| ImportError::file(&self.path, &error))?;
            self.progress.advance(read as u64);
            if read == 0 && start == 0 {
                return Ok(false);
            }
            if self.row.len() > ROW_BYTES_MAX {
                return Err(self.refuse(&format!("the row is longer than {ROW_BYTES_MAX} bytes")));
            }
            self.next_line += 1;
            let quotes = self.row[start..].iter().filter(|byte| **byte == b'"').count();
            is_quoted ^= self.form == Form::Commas && quotes % 2 == 1;
            if !is_quoted {
                break;
            }
            if read == 0 {
                return Err(self.refuse("a quote is not closed"));
            }
        }
        let end = self.row.len() - self.row.iter().rev().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        self.row.truncate(end);
        match self.form {
            Form::Tabs => self.split_at_tabs(),
            Form::Commas => self.split_at_commas(),
        }
        Ok(true)
    }

    fn split_at_tabs(&mut self) {
        let mut start = 0;
        for field in self.row.split(|byte| *byte == b'\t') {
            self.fields.push(start..start + field.len());
            start += field.len() + 1;
        }
    }

    /// Takes quotes away in place: a field never grows by that.
    fn split_at_commas(&mut self) {
        let (mut to, mut start, mut is_quoted) = (0, 0, false);
        let mut from = 0;
        while let Some(byte) = self.row.get(from).copied() {
            from += 1;
            match byte {
                b'"' if is_quoted && self.row.get(from) == Some(&b'"') => from += 1,
                b'"' => {
                    is_quoted = !is_quoted;
                    continue;
                }
                b',' if !is_quoted => {
                    self.fields.push(start..to);
                    start = to;
                    continue;
                }
                _ => {}
            }
            self.row[to] = byte;
            to += 1;
        }
        self.fields.push(start..to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &[u8], form: Form) -> Result<Vec<Vec<String>>, String> {
        let progress = Progress::of("rows", text.len() as u64);
        let read = || {
            let mut table = Table::new(Path::new("a.csv"), text, form, &progress)?;
            let mut rows = vec![table.names.clone()];
            while table.advance()? {
                let fields = (0..table.fields.len()).map(|at| table.field(at).map(str::to_owned));
                rows.push(fields.collect::<Result<_, _>>()?);
            }
            Ok(rows)
        };
        read().map_err(|error: ImportError| error.to_string())
    }

    #[test]
    fn reads_rows() {
        for (text, form, expected) in [
            ("a\tb\r\n1\t\"2\r\n\r\n3\t\r\n", Form::Tabs, vec![vec!["a", "b"], vec!["1", "\"2"], vec!["3", ""]]),
            ("a,b\n\"1,\"\"x\"\"\",2", Form::Commas, vec![vec!["a", "b"], vec!["1,\"x\"", "2"]]),
            ("a,b\n\"1\n2\",\n", Form::Commas, vec![vec!["a", "b"], vec!["1\n2", ""]]),
        ] {
            assert_eq!(rows(text.as_bytes(), form).expect(text), expected, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_table() {
        let long = [b"a\n".as_slice(), &vec![b'x'; ROW_BYTES_MAX + 1]].concat();
        for (text, form, expected) in [
            (
                b"".as_slice(),
                Form::Tabs,
                "`a.csv`, line 1: the file is empty, where its first line must name the columns",
            ),
            (b"a\n\"b\n", Form::Commas, "`a.csv`, line 2: a quote is not closed"),
            (b"a\n\xff\n", Form::Tabs, "`a.csv`, line 2: the text is not UTF-8"),
            (&long, Form::Tabs, "`a.csv`, line 2: the row is longer than 1048576 bytes"),
        ] {
            assert_eq!(rows(text, form).expect_err(expected), expected);
        }
    }
}
