//! The parser: one pass over the bytes, which fills the tape and drops the white space.
use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

use super::Document;
use super::document::{Slot, SlotKind};
use super::string::{escape, needs_escape, run_end, unescape};
use crate::{IssueType, Outcome};

/// Nesting deeper than this is refused: no FHIR resource comes near it, and it bounds recursion everywhere.
pub const DEPTH_MAX: usize = 128;

/// Up to this many members, names are compared with each one before; beyond, they are looked up in a hash set.
const COMPARED_MAX: u32 = 16;

/// Dense resources have one value or name in so many bytes: what the tape is allocated for, and cut to size in the end.
const BYTES_PER_SLOT: usize = 12;

/// Messages quote no more than this many characters of a name.
const QUOTED_MAX: usize = 64;

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
        let before = &bytes[..self.at];
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        SyntaxError { line, column: self.at - start + 1, message: self.message }
    }
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
    /// The hashes of an object's names, once they are more than [`COMPARED_MAX`].
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

    /// Reads a member's name and goes on to its value.
    fn name(&mut self) -> Result<(), Fault> {
        if self.peek() != Some(b'"') {
            return Err(self.expected("a member name in quotes"));
        }
        let start = self.at;
        let escaped = self.skip_string()?;
        let end = self.at;
        if escaped {
            self.replace_name(start)?;
        } else {
            self.push(SlotKind::Name, start);
        }
        if self.is_repeated() {
            let name = unescape(&self.input[start + 1..end - 1]);
            return Err(Fault { at: start, message: format!("the member name `{}` is there twice", quoted(&name)) });
        }
        self.space();
        if self.peek() != Some(b':') {
            return Err(self.expected("`:`"));
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    /// Writes a name that came with escapes without them.
    #[cold]
    fn replace_name(&mut self, start: usize) -> Result<(), Fault> {
        let name = unescape(&self.input[start + 1..self.at - 1]);
        if name.bytes().any(needs_escape) {
            let message =
                format!("the member name `{}` holds a quote, a backslash or a control character", quoted(&name));
            return Err(Fault { at: start, message });
        }
        self.text.push_str(&self.input[self.copied..start]);
        let at = self.text.len() as u32;
        self.text.push('"');
        self.text.push_str(&name);
        self.text.push('"');
        self.copied = self.at;
        let next = self.tape.len() as u32 + 1;
        self.tape.push(Slot { kind: SlotKind::Name, start: at, end: self.text.len() as u32, next });
        Ok(())
    }

    /// Counts the last name on the tape to the innermost object. True when the object has that name already.
    fn is_repeated(&mut self) -> bool {
        let (Some(open), Some(last)) = (self.open.last_mut(), self.tape.last()) else { return false };
        open.members += 1;
        let (slot, members) = (open.slot, open.members);
        if members > COMPARED_MAX {
            return self.is_repeated_among_many(slot);
        }
        let name = self.read(last);
        self.names_before(slot).any(|before| before == name)
    }

    #[cold]
    fn is_repeated_among_many(&mut self, slot: u32) -> bool {
        let (Some(open), Some(last)) = (self.open.last_mut(), self.tape.last()) else { return false };
        let mut hashes = std::mem::take(&mut open.hashes)
            .unwrap_or_else(|| self.names_before(slot).map(|name| self.hasher.hash_one(name)).collect());
        let name = self.read(last);
        let is_new = hashes.insert(self.hasher.hash_one(name));
        // A hash that was there may still be another name's.
        let is_repeated = !is_new && self.names_before(slot).any(|before| before == name);
        if let Some(open) = self.open.last_mut() {
            open.hashes = Some(hashes);
        }
        is_repeated
    }

    /// The names of the open object at `slot` that come before the last slot of the tape.
    fn names_before(&self, slot: u32) -> impl Iterator<Item = &[u8]> {
        let mut at = slot as usize + 1;
        std::iter::from_fn(move || {
            let [name, value, ..] = self.tape.get(at..)? else { return None };
            at = value.next as usize;
            Some(self.read(name))
        })
    }

    /// The text of a slot, which may not have been copied yet.
    fn read(&self, slot: &Slot) -> &[u8] {
        let Range { start, end } = slot.start as usize..slot.end as usize;
        match start.checked_sub(self.text.len()) {
            Some(ahead) => &self.input.as_bytes()[self.copied + ahead..self.copied + ahead + end - start],
            None => &self.text.as_bytes()[start..end],
        }
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

fn quoted(name: &str) -> String {
    name.escape_debug().take(QUOTED_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minified(text: &str) -> String {
        match Document::parse(text.as_bytes()) {
            Ok(document) => document.text().to_owned(),
            Err(error) => panic!("{text}: {error}"),
        }
    }

    fn refusal(bytes: &[u8]) -> String {
        match Document::parse(bytes) {
            Ok(document) => panic!("accepted {}", document.text()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn drops_white_space_and_nothing_else() {
        let cases = [
            ("null", "null"),
            (" \t\r\n true \n", "true"),
            ("\u{feff}{}", "{}"),
            ("[ ]", "[]"),
            ("{ }", "{}"),
            (r#" "a b\u0041\/" "#, r#""a b\u0041\/""#),
            ("[ 1 , -0 , 0.10 , 1e400 , 1E-2,-1.5e+07 ]", "[1,-0,0.10,1e400,1E-2,-1.5e+07]"),
            (
                "{\n  \"a\" : { \"b\" : [ { } , [ ] , \"  x  \" ] } ,\n  \"c\" : 1 }",
                r#"{"a":{"b":[{},[],"  x  "]},"c":1}"#,
            ),
            (r#"{ "\u0061b" : 1, "c":{"\ud83d\ude00":[ 2 ]} , "d":"x" }"#, r#"{"ab":1,"c":{"😀":[2]},"d":"x"}"#),
            (r#"[{"a":1},{"a":2,"b":{"a":3}}]"#, r#"[{"a":1},{"a":2,"b":{"a":3}}]"#),
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            ("\"\u{7f}\u{2028}\"", "\"\u{7f}\u{2028}\""),
        ];
        for (text, expected) in cases {
            assert_eq!(minified(text), expected);
            assert_eq!(minified(expected), expected);
        }
    }

    #[test]
    fn places_every_value() {
        let document = Document::parse(br#" { "\u0061" : [ 1 , "x" ] , "b" : { "c" : null } } "#).expect("valid");
        let raws: Vec<_> =
            document.tape.iter().map(|slot| &document.text[slot.start as usize..slot.end as usize]).collect();
        let expected = [
            r#"{"a":[1,"x"],"b":{"c":null}}"#,
            r#""a""#,
            r#"[1,"x"]"#,
            "1",
            r#""x""#,
            r#""b""#,
            r#"{"c":null}"#,
            r#""c""#,
            "null",
        ];
        assert_eq!(raws, expected);
        let next: Vec<_> = document.tape.iter().map(|slot| slot.next).collect();
        assert_eq!(next, [9, 2, 5, 4, 5, 6, 9, 8, 9]);
    }

    #[test]
    fn refuses_what_is_no_json() {
        let cases: [(&[u8], &str); 47] = [
            (b"", "the text ends where a value should be at line 1, column 1"),
            (b"  ", "the text ends where a value should be at line 1, column 3"),
            (b"{", "the text ends where a member name in quotes should be at line 1, column 2"),
            (b"[", "the text ends where a value should be at line 1, column 2"),
            (b"[1", "the text ends where `,` or `]` should be at line 1, column 3"),
            (b"{\"a\":1", "the text ends where `,` or `}` should be at line 1, column 7"),
            (b"{\"a\":1]", "found `]` where `,` or `}` should be at line 1, column 7"),
            (b"[1}", "found `}` where `,` or `]` should be at line 1, column 3"),
            (b"[1,]", "found `]` where a value should be at line 1, column 4"),
            (b"[,1]", "found `,` where a value should be at line 1, column 2"),
            (b"{\"a\":1,}", "found `}` where a member name in quotes should be at line 1, column 8"),
            (b"{a:1}", "found `a` where a member name in quotes should be at line 1, column 2"),
            (b"{\"a\" 1}", "found `1` where `:` should be at line 1, column 6"),
            (b"{\"a\":}", "found `}` where a value should be at line 1, column 6"),
            (b"{\n \"a\": 1,\n \"b\": x}", "found `x` where a value should be at line 3, column 7"),
            (b"1 2", "found `2` where the end of the text should be at line 1, column 3"),
            (b"{} \n}", "found `}` where the end of the text should be at line 2, column 1"),
            (b"]", "found `]` where a value should be at line 1, column 1"),
            (b"tru", "found `t` where a value should be at line 1, column 1"),
            (b"truex", "found `x` where the end of the text should be at line 1, column 5"),
            (b"NaN", "found `N` where a value should be at line 1, column 1"),
            (b"-", "the text ends where a digit should be at line 1, column 2"),
            (b"+1", "found `+` where a value should be at line 1, column 1"),
            (b".5", "found `.` where a value should be at line 1, column 1"),
            (b"1.", "the text ends where a digit should be at line 1, column 3"),
            (b"1.e5", "found `e` where a digit should be at line 1, column 3"),
            (b"1e", "the text ends where a digit should be at line 1, column 3"),
            (b"1e+", "the text ends where a digit should be at line 1, column 4"),
            (b"01", "a number starts with a superfluous `0` at line 1, column 1"),
            (b"-00", "a number starts with a superfluous `0` at line 1, column 1"),
            (b"0x1", "found `x` where the end of the text should be at line 1, column 2"),
            (b"\"a", "the text ends where the closing quote of a string should be at line 1, column 3"),
            (b"\"a\nb\"", "a string holds the control character `\\u000a` unescaped at line 1, column 3"),
            (b"\"\0\"", "a string holds the control character `\\u0000` unescaped at line 1, column 2"),
            (br#""\x""#, "the escape is no valid JSON escape or half of a surrogate pair at line 1, column 2"),
            (br#""\u12g4""#, "the escape is no valid JSON escape or half of a surrogate pair at line 1, column 2"),
            (br#""\u+123""#, "the escape is no valid JSON escape or half of a surrogate pair at line 1, column 2"),
            (br#""\ud83d""#, "the escape is no valid JSON escape or half of a surrogate pair at line 1, column 2"),
            (
                br#""\ud83d\u0041""#,
                "the escape is no valid JSON escape or half of a surrogate pair at line 1, column 2",
            ),
            (
                br#""\ude00\ud83d""#,
                "the escape is no valid JSON escape or half of a surrogate pair at line 1, column 2",
            ),
            (b"\"\\", "the escape is no valid JSON escape or half of a surrogate pair at line 1, column 2"),
            (b"'a'", "found `\\'` where a value should be at line 1, column 1"),
            (b"[1] // x", "found `/` where the end of the text should be at line 1, column 5"),
            (b"\"\xff\"", "the text is not valid UTF-8 at line 1, column 2"),
            (b"\"\xed\xa0\x80\"", "the text is not valid UTF-8 at line 1, column 2"),
            (b"\xef\xbb\xbf\xef\xbb\xbf1", "found `\\u{feff}` where a value should be at line 1, column 1"),
            (
                br#"{"a\"b":1}"#,
                "the member name `a\\\"b` holds a quote, a backslash or a control character at line 1, column 2",
            ),
        ];
        for (bytes, expected) in cases {
            assert_eq!(refusal(bytes), expected);
        }
    }

    #[test]
    fn refuses_duplicate_names() {
        assert_eq!(refusal(br#"{"a":1,"b":2,"a":3}"#), "the member name `a` is there twice at line 1, column 14");
        assert_eq!(refusal(br#"{"a":1,"\u0061":2}"#), "the member name `a` is there twice at line 1, column 8");
        assert_eq!(refusal(br#"[{"x":{"a":1,"a":{}}}]"#), "the member name `a` is there twice at line 1, column 14");
        // Whatever way of looking is used for this many names.
        for count in 1..80 {
            let names: Vec<_> = (0..count).map(|n| format!(r#""n{n}":{{"n0":0}}"#)).collect();
            let mut text = format!("{{{}}}", names.join(","));
            assert_eq!(minified(&text), text);
            text.truncate(text.len() - 1);
            text += &format!(r#","n{}":1}}"#, count / 2);
            assert!(refusal(text.as_bytes()).starts_with("the member name `n"), "{text}");
        }
    }

    #[test]
    fn bounds_nesting() {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            let nested = |depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
            assert_eq!(minified(&nested(DEPTH_MAX)), nested(DEPTH_MAX));
            assert!(refusal(nested(DEPTH_MAX + 1).as_bytes()).starts_with("the text nests deeper than 128 levels"));
            assert!(refusal(open.repeat(100_000).as_bytes()).starts_with("the text nests deeper than 128 levels"));
        }
    }
}
