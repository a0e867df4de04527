//! The parser: one pass over the bytes, which fills the tape and drops the white space.

mod names;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt;
use std::hash::RandomState;

use super::Document;
use super::document::{Slot, SlotKind};
use super::string::{escape, run_end};
use crate::{IssueType, Outcome};

/// Nesting deeper than this is refused: no FHIR resource comes near it, and it bounds recursion everywhere.
pub const DEPTH_MAX: usize = 128;

/// Dense resources have one value or name in so many bytes: what the tape is allocated for, and cut to size in the end.
const BYTES_PER_SLOT: usize = 12;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Why a text is not acceptable JSON, and where (both counted from 1; the column in bytes).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// The line, counted from 1.
    pub line: usize,
    /// The byte in the line, counted from 1.
    pub column: usize,
    /// What was wrong and what would be right.
    pub message: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at line {}, column {}", self.message, self.line, self.column)
    }
}

impl std::error::Error for SyntaxError {}

impl From<SyntaxError> for Outcome {
    fn from(error: SyntaxError) -> Outcome {
        Outcome::new(IssueType::Syntax, error.to_string())
    }
}

pub(super) fn parse(bytes: &[u8]) -> Result<Document, SyntaxError> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let refuse = |fault: Fault| fault.locate(bytes);
    if bytes.len() >= u32::MAX as usize {
        return Err(refuse(Fault {
            at: 0,
            message: format!("the text is too long: {} bytes, less than 4 GiB allowed", bytes.len()),
        }));
    }
    let input = std::str::from_utf8(bytes).map_err(|error| {
        refuse(Fault { at: error.valid_up_to(), message: "the text is not valid UTF-8".to_owned() })
    })?;
    let mut parser = Parser {
        input,
        at: 0,
        copied: 0,
        text: String::with_capacity(input.len()),
        tape: Vec::with_capacity(input.len() / BYTES_PER_SLOT + 1),
        open: Vec::new(),
        hasher: RandomState::new(),
    };
    parser.document().map_err(refuse)?;
    Ok(Document { text: parser.text.into_boxed_str(), tape: parser.tape.into_boxed_slice() })
}

/// What was wrong at which byte.
struct Fault {
    at: usize,
    message: String,
}

impl Fault {
    fn locate(self, bytes: &[u8]) -> SyntaxError {
        let (line, column) = line_and_column(bytes, self.at);
        SyntaxError { line, column, message: self.message }
    }
}

/// The line and column of a byte of a text, both counted from 1; the column in bytes.
pub(crate) fn line_and_column(text: &[u8], at: usize) -> (usize, usize) {
    let before = &text[..at.min(text.len())];
    let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
    let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
    (line, before.len() - start + 1)
}

struct Parser<'a> {
    input: &'a str,
    at: usize,
    /// Input before this is in `text`, or was dropped; what follows up to `at` is still to be copied, in one run.
    copied: usize,
    text: String,
    tape: Vec<Slot>,
    /// The objects and arrays that have not ended yet, the innermost last.
    open: Vec<Open>,
    /// Keyed at random, since names come from callers.
    hasher: RandomState,
}

struct Open {
    slot: u32,
    is_object: bool,
    members: u32,
    /// The hashes of an object's names, once they are more than are compared one by one.
    hashes: Option<HashSet<u64>>,
}

impl Parser<'_> {
    fn document(&mut self) -> Result<(), Fault> {
        self.space();
        loop {
            let complete = self.value()?;
            if complete && !self.after_value()? {
                break;
            }
        }
        if self.at < self.input.len() {
            return Err(self.expected("the end of the text"));
        }
        self.copy();
        Ok(())
    }

    /// Reads a scalar, or the opening of an object or array up to its first value. True when the value is complete.
    fn value(&mut self) -> Result<bool, Fault> {
        match self.peek() {
            Some(b'"') => self.string()?,
            Some(b'{') => return self.open(SlotKind::Object),
            Some(b'[') => return self.open(SlotKind::Array),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.literal("true", SlotKind::True)?,
            Some(b'f') => self.literal("false", SlotKind::False)?,
            Some(b'n') => self.literal("null", SlotKind::Null)?,
            _ => return Err(self.expected("a value")),
        }
        Ok(true)
    }

    /// Goes on to the next value, ending objects and arrays on the way. False when the outermost value has ended.
    fn after_value(&mut self) -> Result<bool, Fault> {
        loop {
            self.space();
            let Some(is_object) = self.open.last().map(|open| open.is_object) else { return Ok(false) };
            match (self.peek(), is_object) {
                (Some(b','), true) => {
                    self.at += 1;
                    self.space();
                    self.name()?;
                    return Ok(true);
                }
                (Some(b','), false) => {
                    self.at += 1;
                    self.space();
                    return Ok(true);
                }
                (Some(b'}'), true) | (Some(b']'), false) => self.close(),
                (_, true) => return Err(self.expected("`,` or `}`")),
                (_, false) => return Err(self.expected("`,` or `]`")),
            }
        }
    }

    fn open(&mut self, kind: SlotKind) -> Result<bool, Fault> {
        if self.open.len() == DEPTH_MAX {
            return Err(self.fault(format!("the text nests deeper than {DEPTH_MAX} levels")));
        }
        let is_object = kind == SlotKind::Object;
        let slot = self.tape.len() as u32;
        self.open.push(Open { slot, is_object, members: 0, hashes: None });
        self.push(kind, self.at);
        self.at += 1;
        self.space();
        match self.peek() {
            Some(b'}') if is_object => self.close(),
            Some(b']') if !is_object => self.close(),
            _ if is_object => {
                self.name()?;
                return Ok(false);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Ends the innermost object or array at its bracket.
    fn close(&mut self) {
        self.at += 1;
        let Some(open) = self.open.pop() else { return };
        let (end, next) = (self.position(self.at), self.tape.len() as u32);
        let slot = &mut self.tape[open.slot as usize];
        (slot.end, slot.next) = (end, next);
    }

    fn string(&mut self) -> Result<(), Fault> {
        let start = self.at;
        let escaped = self.skip_string()?;
        self.push(if escaped { SlotKind::Escaped } else { SlotKind::Plain }, start);
        Ok(())
    }

    /// Goes past a string. True when it has escapes.
    fn skip_string(&mut self) -> Result<bool, Fault> {
        let bytes = self.input.as_bytes();
        let mut escaped = false;
        self.at += 1;
        loop {
            self.at = run_end(bytes, self.at);
            match bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    let Some((_, length)) = escape(&bytes[self.at..]) else {
                        return Err(
                            self.fault("the escape is no valid JSON escape or half of a surrogate pair".to_owned())
                        );
                    };
                    self.at += length;
                    escaped = true;
                }
                Some(control) => {
                    return Err(
                        self.fault(format!("a string holds the control character `\\u{control:04x}` unescaped"))
                    );
                }
                None => return Err(self.expected("the closing quote of a string")),
            }
        }
    }

    fn number(&mut self) -> Result<(), Fault> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
            if matches!(self.peek(), Some(b'0'..=b'9')) {
                return Err(Fault { at: start, message: "a number starts with a superfluous `0`".to_owned() });
            }
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        self.push(SlotKind::Number, start);
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.expected("a digit")) } else { Ok(()) }
    }

    fn literal(&mut self, literal: &str, kind: SlotKind) -> Result<(), Fault> {
        if !self.input.as_bytes()[self.at..].starts_with(literal.as_bytes()) {
            return Err(self.expected("a value"));
        }
        let start = self.at;
        self.at += literal.len();
        self.push(kind, start);
        Ok(())
    }

    fn peek(&self) -> Option<u8> {
        self.input.as_bytes().get(self.at).copied()
    }

    /// Drops white space.
    #[inline]
    fn space(&mut self) {
        if matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.drop_space();
        }
    }

    fn drop_space(&mut self) {
        let bytes = self.input.as_bytes();
        self.copy();
        while matches!(bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        self.copied = self.at;
    }

    /// Copies what was read and not yet copied.
    fn copy(&mut self) {
        self.text.push_str(&self.input[self.copied..self.at]);
        self.copied = self.at;
    }

    /// Where a byte of the run still to be copied will stand in the text.
    fn position(&self, at: usize) -> u32 {
        (self.text.len() + at - self.copied) as u32
    }

    /// Puts what was read from `start` on the tape.
    fn push(&mut self, kind: SlotKind, start: usize) {
        let next = self.tape.len() as u32 + 1;
        self.tape.push(Slot { kind, start: self.position(start), end: self.position(self.at), next });
    }

    fn fault(&self, message: String) -> Fault {
        Fault { at: self.at, message }
    }

    fn expected(&self, what: &str) -> Fault {
        let found = self.input.get(self.at..).and_then(|rest| rest.chars().next());
        self.fault(match found {
            Some(found) => format!("found `{}` where {what} should be", found.escape_debug()),
            None => format!("the text ends where {what} should be"),
        })
    }
}
