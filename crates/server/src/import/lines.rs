//! NDJSON, cut into chunks. Where a chunk ends depends on the content alone, so every run cuts the same chunks.

use std::io::{self, BufRead, Read};
use std::ops::Range;

/// How many lines a chunk has at most: they share one commit.
const CHUNK_LINES: usize = 1000;

/// A chunk ends with the line that takes it over this many bytes.
const CHUNK_BYTES: usize = 2 << 20;

/// The longest line in bytes; of a longer one nothing is kept.
pub(super) const LINE_BYTES_MAX: usize = 64 << 20;

/// Some lines that follow one another.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    text: Vec<u8>,
    /// Those that are not blank.
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    /// In the file, from 1.
    number: u64,
    /// `None` when it is too long.
    range: Option<Range<usize>>,
}

impl Chunk {
    /// The numbers of its lines in the file, from 1. Never empty.
    pub(super) fn numbers(&self) -> Vec<u64> {
        self.lines.iter().map(|line| line.number).collect()
    }

    /// The line at this position in the chunk; `None` when it is too long.
    pub(super) fn line(&self, at: usize) -> Option<&[u8]> {
        self.lines[at].range.clone().map(|range| &self.text[range])
    }
}

/// A file of lines being read.
pub(super) struct Lines<R> {
    reader: R,
    /// How many lines were read.
    count: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R) -> Lines<R> {
        Lines { reader, count: 0 }
    }

    /// How many lines were read so far.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The next chunk; `None` when only blank lines are left.
    pub(super) fn next(&mut self) -> io::Result<Option<Chunk>> {
        self.next_within(CHUNK_LINES, CHUNK_BYTES, LINE_BYTES_MAX)
    }

    fn next_within(&mut self, lines_max: usize, bytes_max: usize, line_max: usize) -> io::Result<Option<Chunk>> {
        let mut chunk = Chunk::default();
        while chunk.lines.len() < lines_max && chunk.text.len() < bytes_max {
            let start = chunk.text.len();
            let count = (&mut self.reader).take(line_max as u64 + 1).read_until(b'\n', &mut chunk.text)?;
            if count == 0 {
                break;
            }
            self.count += 1;
            let too_long = count > line_max && !chunk.text.ends_with(b"\n");
            if too_long {
                self.reader.skip_until(b'\n')?;
            }
            let length = if too_long { 0 } else { chunk.text[start..].trim_ascii_end().len() };
            chunk.text.truncate(start + length);
            let range = (!too_long).then_some(start..chunk.text.len());
            if range.as_ref().is_none_or(|range| !range.is_empty()) {
                chunk.lines.push(Line { number: self.count, range });
            }
        }
        Ok((!chunk.lines.is_empty()).then_some(chunk))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(text: &str, lines_max: usize, bytes_max: usize, line_max: usize) -> Vec<Vec<(u64, Option<String>)>> {
        let mut lines = Lines::new(text.as_bytes());
        let mut chunks = Vec::new();
        while let Some(chunk) = lines.next_within(lines_max, bytes_max, line_max).expect("memory") {
            let line = |at| chunk.line(at).map(|line| String::from_utf8_lossy(line).into_owned());
            let numbers = chunk.numbers();
            chunks.push(numbers.iter().enumerate().map(|(at, number)| (*number, line(at))).collect());
        }
        chunks
    }

    #[test]
    fn cuts_chunks() {
        type Expected = &'static [&'static [(u64, Option<&'static str>)]];
        let cases: [(&str, (usize, usize, usize), Expected); 8] = [
            ("", (2, 99, 9), &[]),
            ("\n \r\n\n", (2, 99, 9), &[]),
            ("a\nb\nc\n", (2, 99, 9), &[&[(1, Some("a")), (2, Some("b"))], &[(3, Some("c"))]]),
            ("a\r\n\n\nb", (2, 99, 9), &[&[(1, Some("a")), (4, Some("b"))]]),
            ("aaa\nb\nc", (9, 3, 9), &[&[(1, Some("aaa"))], &[(2, Some("b")), (3, Some("c"))]]),
            ("aaaa\nb", (9, 99, 4), &[&[(1, Some("aaaa")), (2, Some("b"))]]),
            ("aaaaa\nb", (9, 99, 4), &[&[(1, None), (2, Some("b"))]]),
            ("b\naaaaaaaaaaaaaaa", (9, 99, 4), &[&[(1, Some("b")), (2, None)]]),
        ];
        for (text, (lines, bytes, line), expected) in cases {
            let expected: Vec<Vec<_>> = expected
                .iter()
                .map(|chunk| chunk.iter().map(|(number, line)| (*number, line.map(str::to_owned))).collect())
                .collect();
            assert_eq!(chunks(text, lines, bytes, line), expected, "{text:?}");
        }
    }
}
